"""Each contact's own record (`interaction.ended`) against what the customer went through."""

RECORDS = """
SELECT opened.data->'customer'->>'address' AS customer, ended.data AS record, epoch_ms(ended.time) AS ended
FROM events AS opened JOIN events AS ended USING (id)
WHERE opened.type = 'interaction.opened' AND ended.type = 'interaction.ended'
"""


def expected(contact):
    spent, holds = contact.activities()
    tenures = contact.tenures()
    return {
        "wait_ms": spent["wait"],
        "ring_ms": spent["ring"],
        "talk_ms": spent["talk"],
        "hold_ms": spent["hold"],
        "consult_ms": spent["consult"],
        "duration_ms": contact.gone - contact.placed,
        "holds": holds,
        "hops": len(tenures),
        "transfers": len(contact.transfers),
        "first_agent_id": contact.day.agents[tenures[0]] if tenures else "",
        "last_agent_id": contact.day.agents[tenures[-1]] if tenures else "",
        "voicemail": contact.voicemail is not None,
        "ended": contact.gone,
    }


def compare(database, day):
    import json

    records = {}
    for customer, record, ended in database.execute(RECORDS).fetchall():
        records[customer] = json.loads(record) | {"ended": ended}
    lines = []
    for customer, contact in day.contacts.items():
        record = records.get(customer)
        if record is None:
            lines.append((customer, "the record", "", "missing"))
            continue
        for field, value in expected(contact).items():
            if record.get(field) != value:
                lines.append((customer, field, value, record.get(field)))
    return {"interaction.ended": lines} if lines else {}
