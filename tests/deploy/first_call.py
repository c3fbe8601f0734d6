#!/usr/bin/env python3
"""Plays the first call of docs/deploy.md over six processes that are configured as in the demo's pods, beside a PostgreSQL and a NATS:

    tests/postgres tests/deploy/first_call.py target/debug/baton

The configurations of Baton and of NATS are those of the ConfigMaps, the roles on the database are made by the script that PostgreSQL's container would
run; environment variables say what is elsewhere on one machine: addresses and files.
"""
import contextlib
import os
import pathlib
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

import yaml

from manifests import DOCUMENT, ROOT, SERVICES, Manifests

sys.path.append(str(ROOT / "tests/consumers"))
import nats_site

START_BOUND_S = 40
STOP_BOUND_S = 30
EVENTS_BOUND_S = 10


def main():
    binary = pathlib.Path(sys.argv[1]).resolve()
    with of_its_own("baton-deploy-") as (folder, processes):
        with demo_nats(folder) as urls:
            play(binary, folder, processes, urls)
        print("the first call of docs/deploy.md was played over six processes with the demo's configuration")


@contextlib.contextmanager
def of_its_own(prefix):
    """A folder, and the processes that work in it; afterwards both are gone. After a failure their logs are printed."""
    os.umask(0o077)
    folder, processes = pathlib.Path(tempfile.mkdtemp(prefix=prefix)), []
    try:
        yield folder, processes
    except BaseException:
        for log in sorted(folder.glob("*.log")):
            print(f"== {log.stem}\n{last_lines(log)}", file=sys.stderr)
        raise
    finally:
        for process in processes:
            process.kill()
            process.wait()
        shutil.rmtree(folder)


@contextlib.contextmanager
def demo_nats(folder):
    """The demo's NATS with its accounts and the passwords of `secrets`; yields where it is for the services, and for the operator."""
    golden = Manifests(list(yaml.safe_load_all((ROOT / "tests/deploy/golden/demo.yaml").read_text())))
    (files,) = [it["data"] for it in golden.of("ConfigMap") if "nats.conf" in it["data"]]
    printed = subprocess.run([ROOT / "deploy/overlays/demo/secrets"], check=True, capture_output=True, text=True).stdout
    secret = {it["metadata"]["name"]: it["stringData"] for it in yaml.safe_load_all(printed)}
    here = {"host: 0.0.0.0": "host: 127.0.0.1", "port: 4222": f'port: -1\nports_file_dir: "{folder}"', "http: 0.0.0.0:8222": "", "/data": f'"{folder}/nats-data"'}
    for name, text in (files | secret["nats-passwords"]).items():
        for there, instead in here.items() if name == "nats.conf" else ():
            assert there in text, f"nats.conf does not say {there}"
            text = text.replace(there, instead)
        path = folder / ("nats-passwords" if name in secret["nats-passwords"] else "nats") / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    with (folder / "nats.log").open("w") as log:
        server = subprocess.Popen(["nats-server", "-c", folder / "nats/nats.conf"], stdout=log, stderr=log)
    try:
        address = nats_site.listens(folder, server)
        yield [secret["baton-nats-url"][it].replace("nats:4222", address) for it in ("services", "operator")]
    finally:
        server.kill()
        server.wait()


def play(binary, folder, processes, nats, then=None):
    """With where NATS is for the services and for the operator; `then` is called while all of it runs."""
    golden = Manifests(list(yaml.safe_load_all((ROOT / "tests/deploy/golden/demo.yaml").read_text())))
    (config,) = [it["data"]["baton.toml"] for it in golden.of("ConfigMap") if "baton.toml" in it["data"]]
    (folder / "baton.toml").write_text(config)
    (folder / "demo").mkdir()
    (folder / "demo/token.key").write_text(secrets.token_hex(32))
    owner, services = make_roles(folder)
    environment, addresses = settings(folder, services, nats[0])

    def run(*command, **others):
        subprocess.run([str(it) for it in command], check=True, env={**os.environ, **environment, **others}, cwd="/", stdout=subprocess.DEVNULL)

    def start(name, *arguments):
        with (folder / f"{name}.log").open("w") as log:
            command = [str(it) for it in (binary, *arguments, "--config", folder / "baton.toml")]
            # As in a container, where nothing of `/` can be written; what would be written to the folder shows as a failure.
            env = {**os.environ, **environment}
            processes.append(subprocess.Popen(command, cwd="/proc", env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log))

    migrate = golden.named("Job", "migrate")["spec"]["template"]["spec"]["containers"][0]["args"]
    migrate = [folder / "baton.toml" if it.endswith("baton.toml") else it for it in migrate]
    run(binary, *migrate, BATON_DATABASE__URL_FILE=str(owner), BATON_NATS__URL=nats[1])
    start("switch", "switch", "--listen", addresses["switch"], "--data", folder / "switch", "--key", folder / "demo/token.key")
    for service in SERVICES:
        start(service, "serve", service, "--listen", addresses[service], "--health-listen", addresses[f"{service} health"])
    for service in SERVICES:
        until_ready(addresses[f"{service} health"])
    run(binary, "doctor", "--config", folder / "baton.toml")
    first_call(binary, folder, addresses["gateway"])
    until_published(binary, folder, addresses["gateway"])
    if then:
        then(folder, environment, addresses)
    end(processes)


def make_roles(folder):
    """The files with the URLs of the two roles."""
    url = urllib.parse.urlsplit(os.environ["TEST_POSTGRES_URL"])
    (folder / "passwords").mkdir()
    for role in ("baton_owner", "baton_services"):
        (folder / "passwords" / role).write_text(secrets.token_hex(16))
    # The server of tests has a database of this name already.
    script = (ROOT / "deploy/overlays/demo/roles.sh").read_text().replace("DATABASE baton ", "DATABASE deployed ")
    programs = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))[-1]
    environment = {
        **os.environ,
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PASSWORDS": str(folder / "passwords"),
        "POSTGRES_USER": url.username,
        "PGHOST": url.hostname,
        "PGPORT": str(url.port),
    }
    subprocess.run(["bash", "-c", script], check=True, env=environment, stdout=subprocess.DEVNULL)
    files = []
    for role in ("baton_owner", "baton_services"):
        files.append(folder / f"{role}.url")
        password = (folder / "passwords" / role).read_text()
        files[-1].write_text(f"postgres://{role}:{password}@{url.hostname}:{url.port}/deployed")
    return files


def settings(folder, url_file, nats):
    """What differs on one machine, as variables; and where everything listens."""
    names = ["switch", *SERVICES, *(f"{service} health" for service in SERVICES)]
    sockets = [socket.socket() for _ in names]
    for it in sockets:
        it.bind(("127.0.0.1", 0))
    addresses = {name: f"127.0.0.1:{it.getsockname()[1]}" for name, it in zip(names, sockets)}
    for it in sockets:
        it.close()
    environment = {f"BATON_PEERS__{it.upper()}": f"http://{addresses[it]}" for it in SERVICES if it != "gateway"}
    environment |= {
        "BATON_NATS__URL": nats,
        "BATON_DATABASE__URL_FILE": str(url_file),
        "BATON_AUTH__KEY_FILE": str(folder / "demo/token.key"),
        "BATON_TELEPHONY__SWITCH_ADDRESS": f"http://{addresses['switch']}",
        "BATON_RECORDING__STORAGE_URL": "file://" + str(folder / "recordings"),
        "BATON_SERVER__DRAIN_DELAY_MS": "0",
    }
    return environment, addresses


def until_ready(address):
    until = time.monotonic() + START_BOUND_S
    while True:
        try:
            with urllib.request.urlopen(f"http://{address}/readyz", timeout=2) as answer:
                if answer.status == 200:
                    return
        except OSError:
            pass
        if time.monotonic() > until:
            sys.exit(f"{address} is not ready after {START_BOUND_S} s")
        time.sleep(0.1)


def first_call(binary, folder, gateway):
    """The commands of the document as they are written there."""
    (block,) = re.findall(r"```sh\n# first call\n(.*?)```", DOCUMENT.read_text(), re.S)
    script = f"set -e\n{block}\nkill $!\n"
    (folder / "bin").mkdir()
    (folder / "bin/baton").symlink_to(binary)
    environment = {**os.environ, "PATH": f"{folder}/bin:{os.environ['PATH']}", "BATON_SERVER": f"http://{gateway}"}
    with (folder / "first_call.log").open("w") as log:
        subprocess.run(["bash", "-xc", script], check=True, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=60)


def until_published(binary, folder, gateway):
    """Events follow what they tell within a moment."""
    command = [str(binary), "events", "list", "--data", "demo", "--server", f"http://{gateway}"]
    until = time.monotonic() + EVENTS_BOUND_S
    wanted = {"Ada has the customer now.", "The transfer is complete: Ben has the customer", "The call is over"}
    while True:
        events = subprocess.run(command, check=True, cwd=folder, capture_output=True, text=True).stdout
        missing = {it for it in wanted if it not in events}
        if not missing:
            return
        if time.monotonic() > until:
            sys.exit(f"the events of the first call don't say: {missing}\n{events}")
        time.sleep(0.1)


def end(processes):
    """As the kubelet does it; services are the last ones that were started."""
    for process in processes[1:]:
        process.send_signal(signal.SIGTERM)
    for process in processes[1:]:
        if process.wait(STOP_BOUND_S) != 0:
            sys.exit(f"{process.args[2]} ended with {process.returncode}")


def last_lines(log, count=12):
    return "\n".join(log.read_text(errors="replace").splitlines()[-count:])


if __name__ == "__main__":
    main()
