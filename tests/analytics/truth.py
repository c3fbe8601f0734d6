"""What really happened on a day of `baton demo day`, told from its diary alone: truth.jsonl has what people did and what their phones did, and
nothing of Baton. Times are whole milliseconds since the epoch.
"""

import json
from collections import defaultdict

from contact import Contact, Leg, Transfer
from presence import states


class Day:
    def __init__(self, path):
        # Numbers with their steps, teams with their members, agents' ids in the order of their numbers, calls by customer.
        self.numbers, self.teams, self.agents, self.contacts = {}, {}, [], {}
        self.rules = {}
        # What agents did, and what their phones did to their state.
        self.presence = defaultdict(list)
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
            elif contact.gone is None:
                # The customer was never dialled: the agent was offered somebody else at that moment, or did not answer their own phone.
                contact.gone, contact.gone_by = max([contact.placed, *(leg.over for leg in contact.legs)]), "controller"
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
