//! What an event is about: `interaction/0192…`, `number/+3225550100`; a tenant's policy is `policy` (decision 10).

use std::collections::BTreeSet;

use uuid::Uuid;

use crate::{ApiError, nearest};

/// What events are about, each with an id after it.
pub const KINDS: [&str; 11] = [
    "interaction",
    "agent",
    "team",
    "number",
    "call_flow",
    "dial_rule",
    "tenant",
    "customer",
    "queue",
    "ivr_flow",
    "external_number",
];
/// A tenant has one, which needs no id.
pub const POLICY: &str = "policy";
/// The subject of calls to numbers that the tenant does not have.
const UNKNOWN_NUMBER: &str = "unknown";

/// Bytes in an id.
const MAX_ID: usize = 128;
/// Characters of a wrong kind that the refusal repeats.
const MAX_SHOWN: usize = 32;

/// Reads the subject that a filter asks for, as events have it. Refuses what no event is about: it is a typo, and would
/// find nothing for ever.
pub fn parse(field: &str, text: &str) -> Result<String, ApiError> {
    if text == POLICY {
        return Ok(text.to_owned());
    }
    let (kind, id) = text.split_once('/').unwrap_or((text, ""));
    if !KINDS.contains(&kind) {
        return Err(ApiError::invalid_argument(field, unknown_kind(kind)));
    }
    match id_of(kind, id) {
        Ok(id) => Ok(format!("{kind}/{id}")),
        Err(why) => Err(ApiError::invalid_argument(field, format!("must be {kind}/ID; {why}"))),
    }
}

/// The id as events have it, or what it must be.
fn id_of(kind: &str, id: &str) -> Result<String, &'static str> {
    match kind {
        "interaction" | "agent" | "team" | "call_flow" | "queue" | "ivr_flow" | "external_number" => {
            Uuid::try_parse(id).map(|it| it.to_string()).map_err(|_| "the id is a whole UUID")
        }
        "number" | "dial_rule" => {
            let is_number = id.strip_prefix('+').is_some_and(|digits| digits.bytes().all(|it| it.is_ascii_digit()));
            let fits = (is_number && id.len() <= MAX_ID) || (kind, id) == ("number", UNKNOWN_NUMBER);
            fits.then(|| id.to_owned()).ok_or("the id begins with + and has digits alone after it")
        }
        _ => {
            let fits = (1..=MAX_ID).contains(&id.len())
                && id.bytes().all(|it| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_' | b'.'));
            fits.then(|| id.to_owned()).ok_or("the id has letters, digits, - and _ alone")
        }
    }
}

fn unknown_kind(kind: &str) -> String {
    let known: BTreeSet<String> = KINDS.into_iter().chain([POLICY]).map(str::to_owned).collect();
    let shown: String = kind.chars().take(MAX_SHOWN).collect();
    let meant = (shown == kind).then(|| nearest(&kind.to_lowercase(), &known)).flatten();
    let hint = match meant {
        Some(POLICY) => format!("did you mean `{POLICY}`?"),
        Some(meant) => format!("did you mean `{meant}/…`?"),
        None => format!("there are {}", known.into_iter().collect::<Vec<_>>().join(", ")),
    };
    format!("begins with {shown:?}, and no event is about such a thing; {hint}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h10_what_events_are_about_is_read_as_they_have_it() {
        let id = Uuid::from_u128(0xa1);
        for kind in ["interaction", "agent", "team", "call_flow"] {
            let asked = format!("{kind}/{}", id.to_string().to_uppercase());
            assert_eq!(parse("filter.subject", &asked), Ok(format!("{kind}/{id}")));
        }
        let key = "customer/0123456789abcdef0123456789abcdef";
        for good in
            ["policy", "number/+3225550100", "number/unknown", "dial_rule/+", "dial_rule/+32", "tenant/a-1", key]
        {
            assert_eq!(parse("filter.subject", good).as_deref(), Ok(good));
        }
    }

    #[test]
    fn h10_what_no_event_is_about_is_refused_with_what_is_meant() {
        for (bad, hint) in [
            ("", "there are agent"),
            ("interaction", "interaction/ID"),
            ("interaction/", "UUID"),
            ("interaction/*", "UUID"),
            ("Interaction/0192", "`interaction/…`"),
            ("callflow/1", "`call_flow/…`"),
            ("polcy", "`policy`"),
            ("policy/1", "`policy`"),
            ("bogus/1", "there are agent"),
            ("dial_rule/unknown", "digits"),
            ("tenant/a b", "letters"),
        ] {
            let refused = parse("filter.subject", bad).unwrap_err();
            assert!(refused.message.contains(hint), "{bad}: {refused}");
        }
    }
}
