//! Proves policies: `prove AGENTS TRANSFERS RECORDED MOST_STEPS POLICY…`. RECORDED is yes or no; a POLICY is the name of a built-in profile, or a
//! file with a whole policy, and all that a tenant's plan can include is included. Prints a report of each, and exits 1 if something can go
//! wrong. `tests/proof/run` looks with it whether mistakes in the core are caught.

use anyhow::{Context, bail};
use baton_domain::{
    Policy,
    policy::{self, profile},
};
use baton_proof::{Bound, prove};
use std::{process::ExitCode, time::Duration};

/// After so long to look again whether a proof is done.
const A_MOMENT: Duration = Duration::from_millis(5);

fn main() -> anyhow::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [agents, transfers, recorded, most_steps, policies @ ..] = arguments.as_slice() else {
        bail!("usage: prove AGENTS TRANSFERS yes|no MOST_STEPS POLICY…");
    };
    let bound = Bound {
        agents: agents.parse().context("AGENTS is no number")?,
        transfers: transfers.parse().context("TRANSFERS is no number")?,
        recording: recorded == "yes",
        most_steps: Some(most_steps.parse().context("MOST_STEPS is no number above 0")?),
        threads: 1,
    };
    let mut all_proved = true;
    for name in policies {
        let report = prove(&policy_of(name)?, &bound, |_| std::thread::park_timeout(A_MOMENT));
        println!("{report}");
        all_proved &= report.is_proved();
    }
    Ok(if all_proved { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn policy_of(name: &str) -> anyhow::Result<Policy> {
    let mut policy = if profile(name).is_some() {
        policy::parse(name, "", vec![])?
    } else {
        let text =
            std::fs::read_to_string(name).with_context(|| format!("{name} is neither a profile nor readable"))?;
        policy::parse_file(name, &text, vec![])?
    };
    policy.entitlements = policy.known_entitlements().map(str::to_owned).collect();
    Ok(policy)
}
