"""A customer's call, as the customer and the phones lived it. What comes of a call flow or a transfer when nobody answers is told by the rules
of the number and of the policy, and by when the phones stopped ringing.
"""

from collections import defaultdict

# How long a transfer may wait for a team (policies/lead_center.toml).
TRANSFER_WAIT_MS = 120_000
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

    def hung_up(self):
        """When the customer did so, if they did."""
        return self.gone if self.gone_by == "phone" else NEVER

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
            return "ring" if self.rings(at) else "wait"
        if self.hears(at) == "music":
            return "consult" if len(agents) > 1 else "hold"
        return "talk"

    def rings(self, at):
        return any(leg.rings <= at < leg.stops_ringing() for leg in self.legs)

    def tenures(self):
        """The agents who had the customer, one after the other."""
        if self.is_outbound:
            return [leg.agent for leg in self.legs if self.customer_answered is not None]
        came = {visit.left for visit in self.visits if visit.outcome == "answered" and not visit.by_transfer}
        # The first may have been rung by a step of the call flow that means one agent.
        came |= {self.answer()} - {None}
        by_flow = [(leg.answered, leg.agent) for leg in self.legs if leg.answered in came]
        handed_over = [(it.ended, it.recipient) for it in self.transfers if it.outcome == "completed"]
        return [agent for _, agent in sorted(by_flow + handed_over)]

    def team_of(self, leg):
        """The team in whose queue the customer was when this phone began to ring."""
        return next((it.team for it in self.visits if it.entered <= leg.rings < it.left), None)

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
            outcome = "answered" if left == answer else "abandoned" if left == self.hung_up() else "gave_up"
            self.visits.append(Visit(rule["team"], at, left, outcome, by_transfer=False))
            return (left if outcome == "gave_up" else None), step + 1
        return None, step + 1

    def next_transfers(self, step):
        """Follows the transfers until one comes to the next step of the call flow; when that begins."""
        for transfer in self.transfers:
            if transfer.outcome is None:
                self.follow(transfer)
                has_more = step < len(self.day.numbers[self.number])
                if transfer.outcome == "diverted" and has_more and self.voicemail != transfer.ended:
                    return transfer.ended
        return None

    def follow(self, it):
        """What came of a transfer."""
        had = [leg for leg in self.legs if leg.agent == it.initiator and (leg.answered or NEVER) <= it.at]
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
        hung_up = self.hung_up()
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
