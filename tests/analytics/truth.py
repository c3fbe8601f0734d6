"""What really happened on a day of `baton demo day`, told from its diary alone: truth.jsonl has what people did and what their phones did, and
nothing of Baton. Times are whole milliseconds since the epoch. Every metric of docs/events/metrics is computed here a second time, from the
other side, so that none of it can be right by chance.
"""

import json
from collections import defaultdict

HALF_HOUR_MS = 30 * 60 * 1000
# How long a transfer may wait for a team (policies/lead_center.toml).
TRANSFER_WAIT_MS = 120_000
LEASE_MS = 30 * 60 * 1000
NEVER = 1 << 62


class Leg:
    """An agent's phone, from its first ring."""

    def __init__(self, agent, rings):
        self.agent, self.rings, self.answered, self.over, self.cause, self.by = agent, rings, None, NEVER, None, None

    def is_up(self, at):
        return self.answered is not None and self.answered <= at < self.over

    def is_missed(self):
        """It rang out, and nobody did anything."""
        return self.answered is None and self.cause == "no_answer"

    def stops_ringing(self):
        return self.over if self.answered is None else self.answered


class Visit:
    """A customer in the queue of a team, by the call flow or by a transfer."""

    def __init__(self, team, entered, left, outcome, by_transfer):
        self.team, self.entered, self.left, self.outcome, self.by_transfer = team, entered, left, outcome, by_transfer

    @property
    def wait(self):
        return self.left - self.entered


class Transfer:
    def __init__(self, note):
        self.at, self.kind, self.initiator = note["at"], note["kind"], note["agent"]
        self.team, self.to = note.get("team"), note.get("to")
        self.outcome = self.ended = self.answered = self.recipient = None


class Contact:
    """A customer's call."""

    def __init__(self, day, note):
        self.day, self.customer, self.number, self.placed = day, note["customer"], note["number"], note["at"]
        # An agent called the customer.
        self.is_outbound, self.customer_answered = note["what"] == "dials", None
        self.legs, self.heard, self.transfers, self.visits = [], [], [], []
        self.cancels = []
        self.voicemail = self.gone = self.gone_by = None

    # Who has the customer when.

    def up(self, at):
        return [leg for leg in self.legs if leg.is_up(at)]

    def answers(self):
        return sorted(leg.answered for leg in self.legs if leg.answered is not None)

    def answer(self):
        """When customer and agent first had each other."""
        return self.customer_answered if self.is_outbound else min(self.answers(), default=None)

    def hears(self, at):
        return next((heard for since, heard in reversed(self.heard) if since <= at), "nothing")

    def activities(self):
        """How long the customer did what, and how often they were put on hold."""
        moments = {self.placed, self.gone, *(at for at, _ in self.heard)}
        for leg in self.legs:
            moments |= {leg.rings, leg.stops_ringing(), leg.over}
        moments |= {self.voicemail, self.customer_answered} - {None}
        moments = sorted(at for at in moments if self.placed <= at <= self.gone)
        spent, holds, was_held = defaultdict(int), 0, False
        for begin, end in zip(moments, moments[1:]):
            doing = self.does(begin)
            spent[doing] += end - begin
            is_held = doing in ("hold", "consult")
            holds += is_held and not was_held
            was_held = is_held
        return spent, holds

    def consult(self, transfer):
        """How long the two agents of a transfer were alone with each other."""
        moments = {transfer.answered, transfer.ended, *(at for at, _ in self.heard)}
        moments = sorted(at for at in moments if transfer.answered <= at <= transfer.ended)
        return sum(end - begin for begin, end in zip(moments, moments[1:]) if self.does(begin) == "consult")

    def does(self, at):
        if self.voicemail is not None and at >= self.voicemail:
            return "voicemail"
        if self.is_outbound and (self.customer_answered is None or at < self.customer_answered):
            return "ring"
        agents = self.up(at)
        if not agents:
            rings = any(leg.rings <= at < leg.stops_ringing() for leg in self.legs)
            return "ring" if rings else "wait"
        if self.hears(at) == "music":
            return "consult" if len(agents) > 1 else "hold"
        return "talk"

    def tenures(self):
        """The agents who had the customer, one after the other."""
        if self.is_outbound:
            return [leg.agent for leg in self.legs if self.customer_answered is not None]
        first = [leg.agent for leg in self.legs if leg.answered is not None and leg.answered == self.answer()]
        from_flow = [(visit.left, self.answered_at(visit.left)) for visit in self.visits if visit.outcome == "answered" and not visit.by_transfer]
        from_agents_step = [(self.answer(), first[0])] if first and self.answer() not in [at for at, _ in from_flow] else []
        handed = [(it.ended, it.recipient) for it in self.transfers if it.outcome == "completed"]
        return [agent for _, agent in sorted(from_agents_step + from_flow + handed)]

    def answered_at(self, at):
        return next(leg.agent for leg in self.legs if leg.answered == at)

    def team_of(self, leg):
        """The team in whose queue the customer was when this phone began to ring."""
        return next((it.team for it in self.visits if it.entered <= leg.rings <= it.left and (leg.rings < it.left or it.wait == 0)), None)

    # What the customer went through, by the rules of their number.

    def retrace(self):
        step, at = 0, self.placed
        while at is not None:
            at, step = self.take_step(step, at)
            if at is None:
                at = self.next_transfers(step)

    def take_step(self, step, at):
        """When the next step begins, if it does, and which it is."""
        steps = self.day.numbers[self.number]
        if step >= len(steps) or at >= self.gone:
            return None, step
        rule = steps[step]
        answer = min((it for it in self.answers() if it >= at), default=NEVER)
        if rule["kind"] == "agent":
            rung = [leg for leg in self.legs if leg.rings == at and self.day.agents[leg.agent] == rule["agent"]]
            if not rung:
                return at, step + 1
            if rung[0].answered is not None or rung[0].over >= self.gone:
                return None, step + 1
            return rung[0].over, step + 1
        if rule["kind"] == "team":
            left = min(answer, self.gone, at + rule["wait_ms"])
            # Whoever answers at the last moment has answered.
            outcome = "answered" if left == answer else "abandoned" if left == self.gone and self.gone_by == "phone" else "gave_up"
            self.visits.append(Visit(rule["team"], at, left, outcome, by_transfer=False))
            return (left if outcome == "gave_up" else None), step + 1
        return None, step + 1

    def next_transfers(self, step):
        """Follows the transfers until one comes to the next step of the call flow; when that begins."""
        for transfer in self.transfers:
            if transfer.outcome is None:
                self.follow(transfer)
                if transfer.outcome == "diverted" and step < len(self.day.numbers[self.number]) and self.voicemail != transfer.ended:
                    return transfer.ended
        return None

    def follow(self, it):
        """What came of a transfer."""
        had = [leg for leg in self.legs if leg.agent == it.initiator and leg.answered is not None and leg.answered <= it.at]
        initiator = max(had, key=lambda leg: leg.answered)
        others = [leg for leg in self.legs if leg.rings >= it.at and leg is not initiator]
        if it.team is None:
            others = [leg for leg in others if leg.agent == it.to and leg.rings == it.at]
        recipient = next((leg for leg in others if leg.answered is not None), None)
        limit = it.at + TRANSFER_WAIT_MS
        if it.team is None:
            limit = others[0].over if others else it.at
        answered = recipient.answered if recipient and recipient.answered <= (limit if it.team else NEVER) else NEVER
        cancelled = min((at for at in self.cancels if at >= it.at), default=NEVER)
        hung_up = self.gone if self.gone_by == "phone" else NEVER
        searched = min(answered, cancelled, hung_up, limit if answered == NEVER else NEVER)
        if it.team is not None:
            outcome = {answered: "answered", cancelled: "cancelled"}.get(searched)
            outcome = outcome or ("abandoned" if searched == hung_up else "gave_up")
            self.visits.append(Visit(it.team, it.at, searched, outcome, by_transfer=True))
        if searched != answered:
            it.ended = searched
            it.outcome = {cancelled: "cancelled", hung_up: "abandoned"}.get(searched) or (
                "diverted" if it.kind == "cold" else "failed"
            )
            return
        it.answered, it.recipient = answered, recipient.agent
        if it.kind == "cold":
            it.ended, it.outcome = answered, "completed"
            return
        ends = {"cancelled": cancelled, "abandoned": hung_up, "failed": recipient.over, "completed": initiator.over}
        it.ended = min(ends.values())
        # All legs end with the customer's, or with the cancelling: the first of these is what it was.
        it.outcome = next(name for name, at in ends.items() if at == it.ended)


class Day:
    def __init__(self, path):
        self.numbers, self.teams, self.agents, self.contacts, self.people = {}, {}, [], {}, {}
        self.rules = {}
        self.sessions, self.presence = [], defaultdict(list)
        legs = {}
        with open(path) as lines:
            for line in lines:
                note = json.loads(line)
                note["at"], rest = divmod(note["at_us"], 1000)
                assert rest == 0, f"people act at whole milliseconds: {note}"
                self.read(note, legs)
        for contact in self.contacts.values():
            if not contact.is_outbound:
                contact.retrace()
            elif not contact.legs:
                # At that moment the agent was offered somebody else: no phone rang for this call.
                contact.gone, contact.gone_by = contact.placed, "controller"
            for transfer in contact.transfers:
                if transfer.outcome is None:
                    contact.follow(transfer)
        self.end_sessions()

    def read(self, note, legs):
        what, at = note["what"], note["at"]
        contact = self.contacts.get(note.get("customer"))
        match what:
            case "rules":
                self.rules = note
            case "agents":
                self.agents = note["ids"]
            case "team":
                self.teams[note["team"]] = note["agents"]
            case "number":
                self.numbers[note["number"]] = note["steps"]
            case "customer_calls" | "dials":
                self.contacts[note["customer"]] = Contact(self, note)
            case "customer_hears":
                contact.heard.append((at, note["heard"]))
            case "customer_answered":
                if contact.is_outbound:
                    contact.customer_answered = at
            case "customer_in_voicemail":
                contact.voicemail = at
            case "customer_gone":
                contact.gone, contact.gone_by = at, note["by"]
            case "phone_rings":
                legs[note["leg"]] = leg = Leg(note["agent"], at)
                contact.legs.append(leg)
            case "phone_answered":
                legs[note["leg"]].answered = at
            case "phone_over":
                leg = legs[note["leg"]]
                leg.over, leg.cause, leg.by = at, note["cause"], note["by"]
                if leg.answered is not None:
                    self.presence[leg.agent].append((at, "wraps_up", contact.customer))
                elif leg.is_missed():
                    self.presence[leg.agent].append((at, "misses", ""))
            case "starts_transfer":
                contact.transfers.append(Transfer(note))
            case "cancels_transfer":
                contact.cancels.append(at)
            case "comes" | "goes" | "away" | "available" | "client_died" | "heartbeat":
                self.presence[note["agent"]].append((at, what, note.get("reason", "")))

    def end_sessions(self):
        """How long each agent was what, while they were signed in."""
        self.spent, self.wrap_ups, self.wrapped, self.stays_away = {}, [], defaultdict(int), []
        for agent, notes in self.presence.items():
            self.spent[agent] = defaultdict(int)
            for state, about, since, to in states(notes, self.rules["wrap_up_ms"]):
                self.spent[agent][(state, "")] += to - since
                if state == "wrap_up":
                    self.wrap_ups.append((agent, since, to))
                    self.wrapped[about] += to - since
                if state == "away":
                    self.stays_away.append((agent, about, to - since))

    def wrap_ups_by_contact(self):
        return self.wrapped

    def legs_of(self, agent):
        return [leg for contact in self.contacts.values() for leg in contact.legs if leg.agent == agent]

    def busiest(self):
        """The moment at which most customers waited."""
        moves = [(visit.entered, 1) for contact in self.contacts.values() for visit in contact.visits]
        moves += [(visit.left, -1) for contact in self.contacts.values() for visit in contact.visits]
        waiting, most, when = 0, -1, None
        for at, change in sorted(moves):
            waiting += change
            if waiting > most:
                most, when = waiting, at
        return when


def states(notes, wrap_up_ms):
    """What an agent was (and for which reason or customer), from when to when, by their own notes and their phone's."""
    state, about, since = None, "", None
    # What they said last; when something runs out by itself; when the client was last heard.
    requested, wrap_up_ends, lease_ends, heard = ("available", ""), NEVER, NEVER, None

    def turn(to, more, at):
        nonlocal state, about, since
        before = (state, about, since, at)
        state, about, since = to, more, at
        return [before] if before[0] is not None and at > before[2] else []

    for at, what, more in [*notes, (NEVER, "end", "")]:
        while state is not None and min(lease_ends, wrap_up_ends if state == "wrap_up" else NEVER) <= at:
            if state == "wrap_up" and wrap_up_ends < lease_ends:
                yield from turn(*requested, wrap_up_ends)
            elif lease_ends < NEVER:
                yield from turn(None, "", lease_ends)
            else:
                break
        match what:
            case "comes":
                requested, lease_ends, heard = ("available", ""), NEVER, at
                yield from turn("available", "", at)
            case "heartbeat":
                heard = at
            case "client_died":
                lease_ends = heard + LEASE_MS
            case "goes":
                yield from turn(None, "", at)
            case "away" | "available":
                requested = (what, more)
                if state is not None:
                    yield from turn(what, more, at)
            case "wraps_up" if state is not None:
                wrap_up_ends = at + wrap_up_ms
                yield from turn("wrap_up", more, at)
            # Who misses a call while they are away is still away.
            case "misses" if state == "available":
                yield from turn("not_responding", "", at)
