# What a developer does here. `just` lists it.

_default:
    @{{ just_executable() }} --list

# Start the five services with a simulated switch; data in ./baton-data.
up *ARGS:
    cargo run --release -- up {{ARGS}}

# Play a whole transfer, print what happens, check what everybody heard.
demo *ARGS:
    cargo run --release -- demo {{ARGS}}

# Install what is needed and run every test.
test:
    tests/run

# Format, lint, contract, unit tests: quick, before a commit.
check:
    cargo fmt --all --check
    cargo fmt --manifest-path benches/restate/Cargo.toml --check
    cargo clippy --workspace --all-targets --all-features -- -D warnings
    tests/lint
    tests/units

# The rows of the behaviours, over the public API, by what the parties hear.
conformance *ARGS:
    cargo test --package baton-server --test system -- {{ARGS}}

# The same on one process for each service, with PostgreSQL and NATS.
conformance-distributed *ARGS:
    tests/nats tests/postgres cargo test --package baton-server --test system -- {{ARGS}}

# An agent's client in a headless browser.
browser:
    cargo build --package baton-server
    tests/browser/run

# A simulated day: every metric of docs/events/metrics, by its events and by what really happened.
analytics *ARGS:
    cargo build --package baton-server --bin baton
    "${XDG_CACHE_HOME:-$HOME/.cache}/baton/tools/bin/python" tests/analytics/check.py "${CARGO_TARGET_DIR:-target}/debug/baton" {{ARGS}}

# Examples of all events from a real run, and docs/events written anew.
events:
    cargo build --package baton-server --bin baton
    PATH="${XDG_CACHE_HOME:-$HOME/.cache}/baton/tools/bin:$PATH" docs/events/capture "${CARGO_TARGET_DIR:-target}/debug/baton"
    PATH="${XDG_CACHE_HOME:-$HOME/.cache}/baton/tools/bin:$PATH" docs/events/generate

# The consumers in Python and Rust, on a NATS server, killed again and again, and beside `baton serve`; and what one tenant's reader must not see.
consumers:
    cargo build --package baton-server --bin baton
    cargo build --workspace --exclude baton-server --example live_metrics
    tests/consumers/run "${CARGO_TARGET_DIR:-target}/debug/baton"

# What a tenant's reader must not see on NATS, and that it is noticed when it does.
leaks:
    "${XDG_CACHE_HOME:-$HOME/.cache}/baton/tools/bin/python" tests/consumers/leaks.py
    "${XDG_CACHE_HOME:-$HOME/.cache}/baton/tools/bin/python" tests/consumers/leaks.py --self-test

# The image and the Kustomize files of deploy/, and the first call of docs/deploy.md.
deploy *ARGS:
    cargo build --package baton-server --bin baton
    tests/deploy/run {{ARGS}}

# One call lives through the death of every process at random moments of its transfers, so many times.
crashes ROUNDS="20":
    CRASH_ROUNDS={{ROUNDS}} tests/nats tests/postgres cargo test --package baton-server --test system -- one_call_lives

# Benchmarks, each with a peer or a limit beside it.
bench:
    cargo bench --package baton-domain
    cargo bench --package baton-server
    cargo bench --package baton-presence --features bench

# Whole transfers beside Restate and beside nothing but their commits: the table of docs/performance.md.
transfers *ARGS:
    benches/transfers {{ARGS}}

# The state tables, written anew after a change of a policy.
tables:
    UPDATE_TABLES=1 cargo test --package baton-domain --test domain table

# A random walk through everything that can happen, so many interactions from this seed (a million take a quarter of an hour of one core).
walk INTERACTIONS="1000000" SEED="1":
    cargo run --release --package baton-walk -- --interactions {{INTERACTIONS}} --seed {{SEED}}

# What must always hold, proved for every profile within large bounds; and that mistakes in the core are caught (an hour).
prove:
    cargo build --release --package baton-server --bin baton
    for profile in lead_center helpdesk engagement aicc user_transfer; do \
        for bound in "--agents 3" "--agents 2 --transfers 2" "--agents 2 --recorded" "--agents 3 --transfers 2"; do \
            "${CARGO_TARGET_DIR:-target}/release/baton" policy check --profile $profile $bound || exit 1; \
        done; \
    done
    tests/proof/run --bound full
