"""What the demo tenant's people live through in `baton up`, so that each event there is happens at least once."""
import contextlib
import json
import pathlib
import subprocess
import sys
import tempfile
import time

NUMBER, CUSTOMER, FORGOTTEN = "+3225550100", "+32470123456", "+32470765432"
OUTSIDE = "+32470999888"
PATIENCE_S = 30
# A reminder and wrap-up soon enough to wait for.
OVERRIDES = """[interaction]
hold_reminder_ms = 1_000
wrap_up_ms = 1_000
[methods.warm.consult.consulting]
initiator_may = ["resume", "complete", "cancel", "swap"]
"""


class Baton:
    """A Baton with a data folder of its own, and its command line."""

    def __init__(self, binary, folder):
        self.binary, self.data = binary, folder / "data"
        self.up = self.start("up", "--listen", "127.0.0.1:0", "--log", "error", "--exit-with-stdin")
        self.wait(lambda: self("number", "list") if self.try_("health") else None, "baton up does not answer, or has no demo tenant")

    def start(self, *arguments):
        command = [self.binary, *arguments, "--data", self.data]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def try_(self, *arguments):
        """Whether a command succeeds."""
        command = [self.binary, *arguments, "--data", self.data]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def __call__(self, *arguments):
        """What a command answers."""
        command = [self.binary, *arguments, "--data", self.data, "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"baton {' '.join(arguments)}: {done.stderr}")
        return json.loads(done.stdout) if done.stdout.strip() else {}

    def wait(self, condition, otherwise):
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            if found := condition():
                return found
            time.sleep(0.1)
        return sys.exit(otherwise)

    def events(self):
        """All events of the demo tenant, as the log has them."""
        page = found = self("events", "list", "--limit", "500")
        while page:
            page = self("events", "list", "--limit", "500", "--from", found[-1]["cursor"])
            found += page
        return [it["event"] for it in found]

    def stop(self):
        """The end of standard input is an orderly end."""
        self.up.stdin.close()
        self.up.wait(PATIENCE_S)


class Call:
    """A call that a customer placed, or that an agent did."""

    def __init__(self, baton, *placed):
        self.baton = baton
        before = {it["interaction_id"] for it in baton("call", "list")}
        baton(*(placed or ("call", "place", "--from", CUSTOMER)))
        self.id = baton.wait(lambda: {it["interaction_id"] for it in baton("call", "list")} - before, "no call began").pop()

    def until(self, event, count=1):
        """Waits until the call has had so many of an event."""
        listed = ("events", "list", "--subject", f"interaction/{self.id}", "--filter", event, "--limit", "500")
        self.baton.wait(lambda: len(self.baton(*listed)) >= count, f"{event} did not come in {self.id}")

    def transfer(self, to, kind="warm"):
        self.baton("transfer", "start", "--call", self.id, "--to", to, "--kind", kind)

    def hang_up(self, phone=CUSTOMER):
        """Ends it, and waits until the agents are free again."""
        self.baton("phone", "hangup", phone)
        self.until("interaction.ended")
        time.sleep(1.5)


def setting_up(baton):
    """What people set up, changed and deleted."""
    baton("agent", "create", "Eva", "--voicemail")
    baton("site", "create", "Ghent")
    baton("agent", "update", "Eva", "--email", "eva@example.com", "--site", "Ghent", "--skill", "french=7")
    baton("team", "create", "Nights", "--member", "Eva", "--member", "Dan")
    baton("flow", "set", "Nights", "--step", "ring-team:Nights,20s,2m", "--step", "voicemail:nights")
    baton("number", "set", "+3225550101", "--flow", "Nights")
    baton("number", "allow", "+32")
    baton("recording", "settings", NUMBER, "--set", "all")
    baton("team", "delete", "Nights")
    overrides = baton.data.parent / "overrides.toml"
    overrides.write_text(OVERRIDES)
    baton("policy", "set", "--profile", "lead_center", "--overrides", str(overrides))


def a_warm_transfer(baton):
    """Ada has the customer, does all that an agent can, and hands over to Ben, who is recorded."""
    call = Call(baton)
    call.until("interaction.agent_joined")
    call.until("recording.segment_started")
    time.sleep(2)
    baton("call", "hold", call.id)
    call.until("interaction.hold_reminder")
    baton("call", "resume", call.id)
    baton("call", "mute", call.id, "--as", "agent:Ada")
    baton("call", "mute", "--off", call.id, "--as", "agent:Ada")
    baton("call", "note", "Wants the contract by post.", call.id, "--as", "agent:Ada")
    baton("call", "data", "order=4711", "language=nl", "--call", call.id, "--as", "agent:Ada")
    baton("call", "data", "--remove", "language", "--call", call.id, "--as", "agent:Ada")
    baton("recording", "pause", "--call", call.id)
    time.sleep(0.5)
    baton("recording", "resume", "--call", call.id)
    call.transfer("Ben")
    call.until("transfer.consulting")
    time.sleep(1)
    baton("transfer", "swap", "--call", call.id)
    call.until("transfer.swapped")
    time.sleep(1)
    baton("transfer", "swap", "--call", call.id)
    call.until("transfer.consulting", 2)
    baton("call", "resume", call.id)
    call.until("transfer.joined")
    time.sleep(1)
    baton("call", "leave", call.id, "--as", "agent:Ada")
    call.until("transfer.completed")
    call.until("recording.segment_started", 6)
    time.sleep(1)
    call.hang_up()
    call.until("recording.stored", 2)
    baton("recording", "delete", baton("recording", "list")[0]["recording_id"])


def transfers_that_end_otherwise(baton):
    """Taken back, declined, left by the customer, and gone to voicemail."""
    call = Call(baton)
    call.until("interaction.agent_joined")
    call.transfer("Ben")
    time.sleep(1)
    baton("transfer", "cancel", "--call", call.id)
    call.until("transfer.cancelled")
    baton("phone", "put", "ben", "--manual")
    call.transfer("Ben")
    baton.wait(lambda: baton.try_("phone", "decline", "ben"), "Ben's phone does not ring")
    call.until("transfer.failed")
    call.transfer("Ben")
    call.until("transfer.offered", 3)
    call.hang_up()
    call.until("transfer.abandoned")


def voicemail(baton):
    """A message that is left, heard and deleted, and one that is too short."""
    for said_s in (3, 0):
        call = Call(baton)
        call.until("interaction.agent_joined")
        call.transfer("Ben", "cold")
        baton.wait(lambda: baton.try_("phone", "decline", "ben"), "Ben's phone does not ring")
        call.until("transfer.diverted")
        time.sleep(said_s)
        call.hang_up()
        call.until("voicemail.*")
    message = baton("voicemail", "list")[0]["message_id"]
    baton("voicemail", "download", message, "--out", str(baton.data.parent / "message.wav"), "--as", "agent:Ben")
    baton("voicemail", "delete", message, "--as", "agent:Ben")


def a_call_to_a_customer(baton):
    """Ada calls somebody, who asks afterwards to be forgotten."""
    baton("phone", "put", FORGOTTEN, "--answers-after", "1000")
    call = Call(baton, "call", "dial", "--to", FORGOTTEN, "--as", "agent:Ada")
    call.until("interaction.customer_answered")
    time.sleep(1)
    call.hang_up(FORGOTTEN)
    call.until("recording.stored")
    baton.wait(lambda: baton.try_("customer", "forget", FORGOTTEN, "--yes"), "the customer can't be forgotten")


def an_announcement(baton):
    """By the rules of a help desk the agents hear that the customer has left."""
    baton("policy", "set", "--profile", "helpdesk")
    baton("phone", "put", "ben", "--answers-after", "500")
    call = Call(baton)
    call.until("interaction.agent_joined")
    call.transfer("Ben")
    call.until("transfer.consulting")
    call.hang_up()
    call.until("interaction.announced")


def a_recipient_in_another_call(baton):
    """Ada's transfer to Ben waits until his own call is over; then both say how their calls ended."""
    baton("policy", "set", "--profile", "user_transfer")
    baton("phone", "put", "ben", "--answers-after", "500")
    adas = Call(baton)
    adas.until("interaction.agent_joined")
    bens = Call(baton, "call", "dial", "--to", FORGOTTEN, "--as", "agent:Ben")
    bens.until("interaction.customer_answered")
    baton("transfer", "start", "--call", adas.id, "--to", "Ben", "--outcome", "Escalation")
    adas.until("transfer.waiting")
    baton("call", "end", bens.id)
    adas.until("transfer.consulting")
    baton("transfer", "cancel", "--call", adas.id, "--as", "agent:Ben")
    adas.until("transfer.cancelled")
    baton("call", "disposition", "Wrong department", "--call", adas.id, "--note", "They want sales.", "--as", "agent:Ben")
    baton("call", "disposition", "Resolved", "--call", bens.id, "--as", "agent:Ben")
    adas.hang_up()
    baton("call", "disposition", "Follow-up needed", "--as", "agent:Ada")


def a_recipient_who_waits(baton):
    """Ben accepts and waits with music, while the customer stays with Ada until she transfers them."""
    baton("policy", "set", "--profile", "engagement")
    call = Call(baton)
    call.until("interaction.agent_joined")
    baton("transfer", "start", "--call", call.id, "--to", "Ben", "--message", "Wants to know about the invoice of May.")
    call.until("transfer.accepted")
    time.sleep(1)
    baton("transfer", "complete", "--call", call.id)
    call.until("transfer.completed")
    call.hang_up()


def through_an_ivr_flow(baton):
    """Ada sends the customer through a flow, waits, and has them again."""
    baton("policy", "set", "--profile", "aicc")
    elements = """
round_trip = true
[[elements]]
collect = { key = "card", min_digits = 4, sensitive = true }
[[elements]]
return = true
"""
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        file.write(elements)
        file.flush()
        baton("ivr", "set", "Payment", file.name)
    call = Call(baton)
    call.until("interaction.agent_joined")
    baton("transfer", "start", "--call", call.id, "--kind", "round-trip", "--flow", "Payment")
    call.until("ivr.entered")
    baton("phone", "press", CUSTOMER, "1234")
    call.until("transfer.completed")
    call.hang_up()


def transfers_outside(baton):
    """To a number that declines, to one that takes the customer over, and to one with whom Ada goes on when the customer leaves."""
    baton("policy", "set", "--profile", "aicc")
    baton("phone", "put", OUTSIDE, "--manual")
    baton("number", "external", "set", "Workshop", OUTSIDE, "--forwarding")
    call = Call(baton)
    call.until("interaction.agent_joined")
    baton("transfer", "start", "--call", call.id, "--external", "Workshop", "--kind", "on-answer")
    baton.wait(lambda: baton.try_("phone", "decline", OUTSIDE), "the phone outside does not ring")
    call.until("interaction.external_failed")
    baton("phone", "put", OUTSIDE, "--answers-after", "500")
    baton("transfer", "start", "--call", call.id, "--external", "Workshop", "--kind", "on-answer")
    call.until("interaction.external_took_over")
    call.until("transfer.completed")
    call.hang_up(OUTSIDE)
    call.until("interaction.external_left")
    call = Call(baton)
    call.until("interaction.agent_joined")
    baton("transfer", "start", "--call", call.id, "--number", OUTSIDE)
    call.until("transfer.consulting")
    baton("phone", "hangup", CUSTOMER)
    call.until("interaction.customer_changed")
    call.hang_up(OUTSIDE)


def a_transfer_to_a_queue(baton):
    """Ada's customer waits in a queue for whoever speaks French: Ben."""
    baton("policy", "set", "--profile", "aicc")
    baton("agent", "update", "Ben", "--skill", "french=5")
    baton("queue", "create", "French", "--skill", "french=4", "--priority", "7", "--open", "mon-sun 00:00-24:00")
    baton("phone", "put", "ben", "--answers-after", "500")
    call = Call(baton)
    call.until("interaction.agent_joined")
    call.transfer("French", "cold")
    call.until("interaction.queued")
    call.until("transfer.completed")
    call.hang_up()


def calls_that_are_refused(baton):
    """For a number that is not there, and for a tenant that has as many calls as it may."""
    baton.try_("call", "place", "--to", "+3225559999")
    baton("tenant", "update", "demo", "--calls", "1")
    call = Call(baton)
    baton.try_("call", "place", "--from", FORGOTTEN)
    call.hang_up()
    baton("tenant", "suspend", "demo")
    baton("tenant", "resume", "demo")


def a_chat(baton):
    """A visitor writes to Ada, and leaves."""
    baton("flow", "set", "Chats", "--step", "ring-agent:Ada")
    baton("number", "set", "chat:support", "--flow", "Chats")
    chat = Call(baton, "chat", "open", "chat:support", "--customer", "eva@example.com")
    chat.until("interaction.agent_offered")
    baton("chat", "accept", "--chat", chat.id, "--as", "agent:Ada")
    baton("chat", "send", "--chat", chat.id, "--visitor", "Where is my parcel?")
    chat.until("chat.message_sent")
    baton("chat", "leave", "--chat", chat.id, "--visitor")
    chat.until("interaction.ended")


SCENES = [
    setting_up,
    a_warm_transfer,
    transfers_that_end_otherwise,
    voicemail,
    a_call_to_a_customer,
    an_announcement,
    a_recipient_in_another_call,
    a_recipient_who_waits,
    through_an_ivr_flow,
    transfers_outside,
    a_transfer_to_a_queue,
    a_chat,
    calls_that_are_refused,
]


def play(binary):
    """The events of a run."""
    with tempfile.TemporaryDirectory(prefix="baton-events-") as folder, contextlib.ExitStack() as ending:
        baton = Baton(binary, pathlib.Path(folder))
        ending.callback(baton.stop)
        agents = baton.start("agent", "connect", "Ada", "Ben")
        ending.callback(agents.wait)
        ending.callback(agents.terminate)
        baton.wait(lambda: len(baton("events", "list", "--filter", "agent.state_changed")) == 2, "Ada and Ben are not there")
        for scene in SCENES:
            print(f"{scene.__name__.replace('_', ' ')}…", flush=True)
            scene(baton)
        return baton.events()
