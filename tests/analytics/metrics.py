"""The metrics of docs/events/metrics, computed from what really happened. Each function has the name of a query, and gives the rows that the
query must give: a key (the values of the columns by which it groups) and the other columns. Every metric is computed from the other side, so
that none of it can be right by chance.
"""

from collections import defaultdict
from datetime import datetime, timezone

HALF_HOUR_MS = 30 * 60 * 1000


def moment(ms):
    return datetime.fromtimestamp(ms / 1000, timezone.utc).replace(tzinfo=None)


def half_hour(ms):
    return moment(ms - ms % HALF_HOUR_MS)


def average(values):
    return sum(values) / len(values)


def grouped(items, keys_of, row):
    """One row for each key of the items; an item has several keys."""
    groups = defaultdict(list)
    for item in items:
        for key in keys_of(item):
            groups[key].append(item)
    return {key: row(group) for key, group in groups.items()}


def of_contact(contact):
    return [(None, None), (contact.number, None), (None, half_hour(contact.placed))]


def of_visit(visit):
    return [(None, None), (visit.team, None), (None, half_hour(visit.entered))]


def calls(day):
    return list(day.contacts.values())


def contacts(day):
    """The calls that customers began."""
    return [contact for contact in calls(day) if not contact.is_outbound]


def legs(day):
    """Agents' phones that rang, each with its call."""
    return [(contact, leg) for contact in calls(day) for leg in contact.legs]


def answered_legs(day):
    return [leg for _, leg in legs(day) if leg.answered is not None]


def offers(day):
    """Those that rang for a customer, and not for a call that the agent placed."""
    return [(leg, contact.team_of(leg)) for contact, leg in legs(day) if not contact.is_outbound]


def visits(day):
    return [visit for contact in contacts(day) for visit in contact.visits]


def is_abandoned(contact):
    return contact.answer() is None and contact.gone_by == "phone" and contact.voicemail is None


def abandoned_where(contact):
    if not is_abandoned(contact):
        return None
    last = next((visit for visit in contact.visits if visit.left == contact.gone and visit.outcome == "abandoned"), None)
    if last is None:
        return "flow"
    return "ringing" if any(leg.over == contact.gone for leg in contact.legs) else "queue"


def contacts_offered(day):
    return grouped(contacts(day), of_contact, lambda group: {"offered": len(group)})


def contacts_answered(day):
    return grouped(contacts(day), of_contact, lambda group: {"answered": sum(it.answer() is not None for it in group)})


def contacts_abandoned(day):
    def row(group):
        where = [abandoned_where(contact) for contact in group]
        return {
            "abandoned": len(where) - where.count(None),
            "while_ringing": where.count("ringing"),
            "in_queue": where.count("queue"),
            "in_flow": where.count("flow"),
        }

    return grouped(contacts(day), of_contact, row)


def abandonment_rate(day):
    return grouped(contacts(day), of_contact, lambda group: {"rate": average([is_abandoned(it) for it in group])})


def average_speed_of_answer(day):
    def row(group):
        waits = [it.answer() - it.placed for it in group]
        return {"average_ms": average(waits), "longest_ms": max(waits)}

    return grouped([it for it in contacts(day) if it.answer() is not None], of_contact, row)


def service_level(day):
    counted = [it for it in contacts(day) if not (is_abandoned(it) and it.gone - it.placed <= 5000)]
    within = lambda it: it.answer() is not None and it.answer() - it.placed <= 20000
    return grouped(counted, of_contact, lambda group: {"service_level": average([within(it) for it in group])})


def average_handle_time(day):
    wrapped = day.wrap_ups_by_contact()

    def row(group):
        talk, hold, wrap_up = ([], [], [])
        for contact in group:
            spent, _ = contact.activities()
            talk.append(spent["talk"])
            hold.append(spent["hold"] + spent["consult"])
            wrap_up.append(wrapped[contact.customer])
        return {
            "average_ms": average(talk) + average(hold) + average(wrap_up),
            "talk_ms": average(talk),
            "hold_ms": average(hold),
            "wrap_up_ms": average(wrap_up),
        }

    answered = [it for it in contacts(day) if it.answer() is not None]
    return grouped(answered, lambda it: [(None,), (it.number,)], row)


def hold(day):
    def row(group):
        spent = [contact.activities() for contact in group]
        return {
            "customers": sum(holds > 0 for _, holds in spent),
            "holds": sum(holds for _, holds in spent),
            "hold_ms": sum(times["hold"] + times["consult"] for times, _ in spent),
            "consult_ms": sum(times["consult"] for times, _ in spent),
        }

    return grouped(calls(day), lambda it: [(None,), (it.number,)], row)


def queue_entries(day):
    def row(group):
        outcomes = [visit.outcome for visit in group]
        answered, abandoned = outcomes.count("answered"), outcomes.count("abandoned")
        return {
            "entered": len(group),
            "by_transfer": sum(visit.by_transfer for visit in group),
            "answered": answered,
            "abandoned": abandoned,
            "given_up": len(group) - answered - abandoned,
        }

    return grouped(visits(day), of_visit, row)


def queue_speed_of_answer(day):
    def row(group):
        waits = [visit.wait for visit in group]
        return {"average_ms": average(waits), "longest_ms": max(waits)}

    return grouped([it for it in visits(day) if it.outcome == "answered"], of_visit, row)


def queue_service_level(day):
    counted = [it for it in visits(day) if not (it.outcome == "abandoned" and it.wait <= 5000)]
    within = lambda it: it.outcome == "answered" and it.wait <= 20000
    return grouped(counted, of_visit, lambda group: {"service_level": average([within(it) for it in group])})


def queue_handle_time(day):
    def row(group):
        in_call = [leg.over - leg.answered for leg, _ in group]
        # What an agent wraps up began when the call was over for them.
        ended = {(leg.agent, leg.over) for leg, _ in group}
        wrap_up = [to - since for agent, since, to in day.wrap_ups if (agent, since) in ended]
        averages = {"in_call_ms": average(in_call), "wrap_up_ms": sum(wrap_up) / len(group)}
        return averages | {"answered": len(group), "average_ms": sum(averages.values())}

    answered = [(leg, team) for leg, team in offers(day) if team and leg.answered is not None]
    return grouped(answered, lambda it: [(None,), (it[1],)], row)


def queue_position(day):
    waits = [(contact, visit) for contact in contacts(day) for visit in contact.visits]

    def position(contact, visit):
        at = visit.entered
        if any(leg.rings == at for leg in contact.legs if visit.entered <= leg.rings < visit.left):
            return 1
        before = [it for it in waits if it[1].team == visit.team and it[1].entered < at < it[1].left]
        return 1 + sum(not other.rings(at) for other, _ in before)

    positions = [(visit.team, position(contact, visit)) for contact, visit in waits]
    row = lambda group: {"average": average([place for _, place in group]), "highest": max(place for _, place in group)}
    return grouped(positions, lambda it: [(None,), (it[0],)], row)


def longest_wait(day):
    return grouped(visits(day), of_visit, lambda group: {"longest_ms": max(it.wait for it in group)})


def waiting_at(day):
    at = day.busiest()
    waiting = [it for it in visits(day) if it.entered <= at < it.left]
    row = lambda group: {"waiting": len(group), "longest_ms": at - min(it.entered for it in group)}
    return grouped(waiting, lambda it: [(it.team,)], row)


def all_transfers(day):
    return [transfer for contact in contacts(day) for transfer in contact.transfers]


def kind_of(transfer):
    return f"TRANSFER_KIND_{transfer.kind.upper()}"


def transfers(day):
    answered = sum(it.answer() is not None for it in calls(day))
    keys = lambda it: [(None, None), (kind_of(it), None), (kind_of(it), it.outcome)]
    return grouped(all_transfers(day), keys, lambda group: {"transfers": len(group), "rate": len(group) / answered})


def transfers_by_team(day):
    keys = lambda it: [
        key
        for team, members in day.teams.items()
        if it.initiator in members
        for key in [(team, None, None), (team, kind_of(it), None), (team, kind_of(it), it.outcome)]
    ]
    calls = {team: sum(leg.agent in members for leg in answered_legs(day)) for team, members in day.teams.items()}
    found = grouped(all_transfers(day), keys, lambda group: {"transfers": len(group)})
    return {key: row | {"rate": row["transfers"] / calls[key[0]]} for key, row in found.items()}


def consult_length(day):
    def row(group):
        lengths = [contact.consult(transfer) for contact, transfer in group]
        return {"consults": len(group), "average_ms": average(lengths), "all_ms": sum(lengths)}

    consults = [(contact, it) for contact in contacts(day) for it in contact.transfers if it.kind == "warm" and it.answered]
    return grouped(consults, lambda it: [(None,), (it[1].outcome,)], row)


def offers_not_answered(day):
    def keys(offer):
        leg, team = offer
        by_team = [(None, team)] if team else []
        return [(None, None), (day.agents[leg.agent], None), *by_team]

    def row(group):
        legs = [leg for leg, _ in group]
        count = lambda is_it: sum(1 for leg in legs if is_it(leg))
        missed = count(lambda leg: leg.is_missed())
        declined = count(lambda leg: leg.answered is None and leg.cause == "declined")
        answered = count(lambda leg: leg.answered is not None)
        return {
            "offers": len(legs),
            "answered": answered,
            "not_answered": missed,
            "declined": declined,
            "withdrawn": len(legs) - answered - missed - declined,
        }

    return grouped(offers(day), keys, row)


def time_to_answer_an_offer(day):
    def row(group):
        times = [leg.answered - leg.rings for leg in group]
        return {"average_ms": average(times), "longest_ms": max(times)}

    answered = [leg for leg, _ in offers(day) if leg.answered is not None]
    return grouped(answered, lambda leg: [(None,), (day.agents[leg.agent],)], row)


def contacts_per_agent(day):
    def row(group):
        in_call = sum(leg.over - leg.answered for leg in group)
        wrap_up = sum(to - since for agent, since, to in day.wrap_ups if agent == group[0].agent)
        return {
            "contacts": len(group),
            "in_call_ms": in_call,
            "wrap_up_ms": wrap_up,
            "average_ms": (in_call + wrap_up) / len(group),
        }

    return grouped(answered_legs(day), lambda leg: [(day.agents[leg.agent],)], row)


def sign_in_time(day):
    def row(group):
        notes = [what for agent in group for _, what, _ in day.presence[agent]]
        return {"sessions": notes.count("comes"), "signed_in_ms": sum(sum(day.spent[it].values()) for it in group)}

    return grouped(day.spent, lambda agent: [(None,), (day.agents[agent],)], row)


def away_time(day):
    stays = [(day.agents[agent], reason, length) for agent, reason, length in day.stays_away]
    row = lambda group: {"times": len(group), "away_ms": sum(length for _, _, length in group)}
    return grouped(stays, lambda it: [(None, None), (None, it[1]), (it[0], it[1])], row)


def occupancy(day):
    def keys(agent):
        return [(day.agents[agent], None), *((None, team) for team, members in day.teams.items() if agent in members)]

    def row(group):
        busy = present = 0
        for agent in group:
            spent = day.spent[agent]
            present += sum(length for (state, _), length in spent.items() if state != "away")
            busy += spent[("wrap_up", "")]
            busy += sum(leg.over - leg.answered for leg in day.legs_of(agent) if leg.answered is not None)
        return {"occupancy": busy / present}

    return grouped(day.spent, keys, row)
