"""A NATS server with the accounts that examples/nats/permissions prints, and its users."""
import asyncio
import contextlib
import importlib.machinery
import importlib.util
import json
import os
import pathlib
import signal
import subprocess
import time

import nats

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "examples/nats"
USERS = FOLDER / "users.example"
# Of the users there.
PASSWORDS = {"baton": "services-word", "baton-operator": "operator-word", "acme-reports": "acme-word", "globex-reports": "globex-word"}
START_BOUND_S, ANSWER_BOUND_S = 20, 5


def program(name):
    """A program without an ending, as a module."""
    loader = importlib.machinery.SourceFileLoader(name, str(FOLDER / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


permissions = program("permissions")


def accounts(*readers, users=USERS, namespace=""):
    """What the generator makes, as a dictionary that a test may change."""
    named = [f"--reader={it}" for it in readers]
    arguments = permissions.options(["--mib", "64", "--namespace", namespace, *named])
    return permissions.accounts(permissions.Names(namespace), arguments, permissions.read_users(users))


def configuration(folder, found):
    """Written to a file, whose name is returned."""
    lines = [
        "host: 127.0.0.1",
        "port: -1",
        f'ports_file_dir: "{folder}"',
        f'pid_file: "{folder}/nats.pid"',
        f'jetstream {{ store_dir: "{folder}/data" }}',
        f"accounts: {permissions.written(found)}",
    ]
    path = folder / "nats.conf"
    path.write_text("\n".join(lines))
    return path


def accepts(folder, found):
    """Whether the server takes this configuration at all."""
    command = ["nats-server", "-t", "-c", configuration(folder, found)]
    return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


@contextlib.contextmanager
def server(folder, found):
    """Runs it; yields where it listens, as HOST:PORT."""
    with (folder / "nats.log").open("w") as log:
        running = subprocess.Popen(["nats-server", "-c", configuration(folder, found)], stdout=log, stderr=log)
    try:
        yield listens(folder, running)
    finally:
        running.kill()
        running.wait()


def reload(folder, found):
    """Has the running server take another configuration, and waits until it has."""
    log, done = folder / "nats.log", "Reloaded server configuration"
    before = log.read_text().count(done)
    configuration(folder, found)
    os.kill(int((folder / "nats.pid").read_text()), signal.SIGHUP)
    until = time.monotonic() + START_BOUND_S
    while log.read_text().count(done) == before:
        if time.monotonic() > until:
            raise SystemExit(f"nats-server did not take the configuration:\n{log.read_text()}")
        time.sleep(0.02)


def listens(folder, running):
    """The server takes a free port, and writes down which when it listens."""
    until = time.monotonic() + START_BOUND_S
    while time.monotonic() < until and running.poll() is None:
        for file in folder.glob("*.ports"):
            with contextlib.suppress(ValueError):
                return json.loads(file.read_text())["nats"][0].removeprefix("nats://")
        time.sleep(0.02)
    raise SystemExit(f"nats-server did not start:\n{(folder / 'nats.log').read_text()}")


class Refused(Exception):
    """The server said so: by its permissions, by an error, or because nobody answers there."""


class User:
    """A connection, and what the server refuses it."""

    def __init__(self, name):
        self.name, self.denied, self.seen = name, [], 0

    async def connect(self, address, password=None):
        async def note(error):
            self.denied.append(str(error))

        word = PASSWORDS[self.name] if password is None else password
        options = {"user": self.name, "password": word, "error_cb": note, "allow_reconnect": False, "connect_timeout": ANSWER_BOUND_S}
        self.connection = await nats.connect(f"nats://{address}", **options)
        return self

    async def settle(self):
        """The server answers in order: what it denies is known afterwards."""
        # The library's first ping may overtake what it has still to send; its second one comes after the first one's answer.
        for _ in range(2):
            await self.connection.flush(ANSWER_BOUND_S)
        fresh, self.seen = self.denied[self.seen :], len(self.denied)
        if fresh:
            raise Refused(fresh[-1])

    async def send(self, subject, data=b"", reply="", headers=None):
        await self.connection.publish(subject, data, reply=reply, headers=headers)
        await self.settle()

    async def hear(self, subject):
        subscription = await self.connection.subscribe(subject)
        await self.settle()
        return subscription

    async def raw(self, subject, body=None):
        """The first message that answers."""
        inbox = self.connection.new_inbox()
        answers = await self.hear(inbox)
        try:
            await self.send(subject, b"" if body is None else json.dumps(body).encode(), reply=inbox)
            answer = await answers.next_msg(ANSWER_BOUND_S)
        finally:
            await answers.unsubscribe()
        status = (answer.headers or {}).get("Status")
        if status in ("503", "404", "408"):
            raise Refused(f"{subject}: {status}")
        return answer

    async def ask(self, subject, body=None):
        """An answer of JetStream's."""
        answer = json.loads((await self.raw(f"$JS.API.{subject}" if not subject.startswith("baton.") else subject, body)).data)
        if "error" in answer:
            raise Refused(answer["error"]["description"])
        return answer


async def make_copy(operator, names, tenant, **others):
    """As examples/nats/copy does it."""
    wanted = permissions.copy(names, tenant, 64, 1) | others
    return await program("copy").make(operator.connection, {"api": names.copies(tenant), "stream": wanted})


async def wait_for(condition, what):
    """Until it is so, and no longer than the bound."""
    until = time.monotonic() + ANSWER_BOUND_S * 2
    while not await condition():
        if time.monotonic() > until:
            raise SystemExit(f"{what}: not after {ANSWER_BOUND_S * 2} s")
        await asyncio.sleep(0.02)
