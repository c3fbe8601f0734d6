//! A plan from the wire, checked once: after this, no text of it can reach the switch as syntax (X4).
//!
//! A leg whose dialling data are wrong is never dialled, and the rest of the plan is carried out, so that the customer does
//! not suffer (C2).

use std::collections::{BTreeMap, BTreeSet};

use baton_api::common::v1::IvrElement;
use baton_api::common::v1::ivr_element::Element;
use baton_api::telephony::v1 as wire;
use baton_api::{ApiError, Known as _};
use baton_words::SwitchId;

use super::{
    InteractionId, Plan, Treatment, WantedAnnouncement, WantedDial, WantedExit, WantedLeg, WantedOrigin, WantedSegment,
};

const MAX_ROOMS: usize = 8;
const MAX_LEGS: usize = 64;
const MAX_ANNOUNCEMENTS: usize = 16;
const MAX_SEGMENTS: usize = 1_000;
const MAX_ELEMENTS: usize = 100;
/// Of an E.164 number.
const MOST_DIGITS: usize = 15;
/// With fewer digits it is an extension, not an external number.
const FEWEST_OF_A_NUMBER: usize = 7;
/// In bytes; a phone's display shows less.
const LONGEST_CALLER: usize = 64;

/// Reads a plan; the error names the field that is wrong.
pub fn parse(plan: &wire::MediaPlan) -> Result<Plan, ApiError> {
    limit("rooms", plan.rooms.len(), MAX_ROOMS)?;
    limit("legs", plan.legs.len(), MAX_LEGS)?;
    limit("announcements", plan.announcements.len(), MAX_ANNOUNCEMENTS)?;
    let interaction = InteractionId::parse(&plan.interaction_id)
        .ok_or_else(|| ApiError::invalid_argument("plan.interaction_id", "must be a UUID in lower case"))?;
    let parsed = Plan {
        tenant: name("plan.tenant", &plan.tenant)?,
        interaction,
        switch: switch(&plan.switch_id)?,
        version: version(plan.version)?,
        rooms: rooms(&plan.rooms)?,
        legs: plan.legs.iter().map(leg).collect::<Result<_, _>>()?,
        announcements: plan.announcements.iter().map(announcement).collect::<Result<_, _>>()?,
        exit: plan.exit.as_ref().map(exit).transpose()?,
        segment: plan.segment.as_ref().map(segment).transpose()?,
        ended: plan.ended,
        awaited_segments: awaited(&plan.awaited_segment_ids)?,
        trace: None,
        is_doubtful: false,
    };
    consistent(&parsed)?;
    Ok(parsed)
}

fn awaited(ids: &[String]) -> Result<Vec<String>, ApiError> {
    limit("awaited_segment_ids", ids.len(), MAX_SEGMENTS)?;
    ids.iter().map(|id| name("plan.awaited_segment_ids", id)).collect()
}

/// A plan that was stored before switches had names is of the only one.
fn switch(id: &str) -> Result<SwitchId, ApiError> {
    if id.is_empty() {
        return Ok(SwitchId::default());
    }
    id.parse().map_err(|_| ApiError::invalid_argument("plan.switch_id", "must be 1 to 63 of a-z, 0-9 and `-`"))
}

fn version(version: u64) -> Result<u64, ApiError> {
    match i64::try_from(version) {
        Ok(1..) => Ok(version),
        _ => Err(ApiError::invalid_argument("plan.version", "must be at least 1")),
    }
}

fn rooms(rooms: &[wire::Room]) -> Result<BTreeMap<String, Treatment>, ApiError> {
    let mut parsed = BTreeMap::new();
    for room in rooms {
        let missing = || ApiError::invalid_argument("plan.rooms.treatment", "must be given");
        let treatment = room.treatment().known().ok_or_else(missing)?;
        if parsed.insert(room_name("plan.rooms.name", &room.name)?, treatment).is_some() {
            return Err(ApiError::invalid_argument("plan.rooms.name", "must be there once"));
        }
    }
    Ok(parsed)
}

fn leg(leg: &wire::Leg) -> Result<WantedLeg, ApiError> {
    let origin = match &leg.origin {
        Some(wire::leg::Origin::Inbound(on_switch)) => WantedOrigin::Inbound(name("plan.legs.inbound", on_switch)?),
        Some(wire::leg::Origin::Dial(it)) => dial(it).map_or_else(WantedOrigin::Refused, WantedOrigin::Dial),
        None => return Err(ApiError::invalid_argument("plan.legs.origin", "must be given")),
    };
    let room = match leg.room.as_str() {
        "" => None,
        room => Some(room_name("plan.legs.room", room)?),
    };
    Ok(WantedLeg { id: name("plan.legs.leg_id", &leg.leg_id)?, origin, room, muted: leg.muted })
}

/// How the leg is dialled, or why it never is.
fn dial(dial: &wire::Dial) -> Result<WantedDial, &'static str> {
    let phone = name("", &dial.phone).map_err(|_| "the address of the phone is malformed")?;
    let allowed_by = allowed_by(dial, &phone)?;
    Ok(WantedDial { phone, ring_until_us: dial.ring_until_us, caller: caller(&dial.caller), allowed_by })
}

/// The rule that allows an external number. That the rule fits is checked here, too (X3): a rule that is named by mistake
/// allows nothing, and what looks like an external number is one, also when the plan says otherwise.
fn allowed_by(dial: &wire::Dial, phone: &str) -> Result<Option<String>, &'static str> {
    let digits = dial.allowed_by.strip_prefix('+').filter(|it| is_digits(it));
    match (dial.outside, dial.allowed_by.as_str(), digits) {
        (false, "", _) if is_digits(phone) && phone.len() >= FEWEST_OF_A_NUMBER => {
            Err("a number outside is given as an agent's phone")
        }
        (false, "", _) => Ok(None),
        (false, ..) => Err("a rule is named for a phone that is not outside"),
        (true, ..) if !is_digits(phone) => Err("a number outside must be 1 to 15 digits"),
        (true, "", _) => Err("a number outside needs a rule"),
        (true, rule, Some(digits)) if phone.starts_with(digits) => Ok(Some(rule.to_owned())),
        (true, ..) => Err("the rule must be how the number begins: + and digits"),
    }
}

fn is_digits(text: &str) -> bool {
    (1..=MOST_DIGITS).contains(&text.len()) && text.bytes().all(|it| it.is_ascii_digit())
}

fn announcement(it: &wire::Announcement) -> Result<WantedAnnouncement, ApiError> {
    Ok(WantedAnnouncement {
        id: name("plan.announcements.announcement_id", &it.announcement_id)?,
        room: room_name("plan.announcements.room", &it.room)?,
        name: name("plan.announcements.name", &it.name)?,
    })
}

fn exit(exit: &wire::Exit) -> Result<WantedExit, ApiError> {
    Ok(WantedExit {
        id: name("plan.exit.exit_id", &exit.exit_id)?,
        leg_id: name("plan.exit.leg_id", &exit.leg_id)?,
        mailbox: if exit.flow.is_empty() { name("plan.exit.mailbox", &exit.mailbox)? } else { String::new() },
        flow: flow(&exit.flow)?,
        customer: exit.customer.clone().unwrap_or_default(),
        number: exit.number.clone(),
    })
}

/// A switch may write announcements into what it does, and compares the rest.
fn flow(elements: &[IvrElement]) -> Result<Vec<IvrElement>, ApiError> {
    limit("exit.flow", elements.len(), MAX_ELEMENTS)?;
    for element in elements {
        let announcement = match &element.element {
            Some(Element::Play(it)) => &it.announcement,
            Some(Element::Collect(it)) => &it.announcement,
            _ => continue,
        };
        if !announcement.is_empty() {
            name("plan.exit.flow.announcement", announcement)?;
        }
    }
    Ok(elements.to_vec())
}

fn segment(segment: &wire::Segment) -> Result<WantedSegment, ApiError> {
    Ok(WantedSegment {
        id: name("plan.segment.segment_id", &segment.segment_id)?,
        room: room_name("plan.segment.room", &segment.room)?,
        recording_id: name("plan.segment.recording_id", &segment.recording_id)?,
    })
}

/// Rooms and legs that the plan refers to must be in it.
fn consistent(plan: &Plan) -> Result<(), ApiError> {
    let used = (plan.legs.iter().filter_map(|it| it.room.as_ref()))
        .chain(plan.announcements.iter().map(|it| &it.room))
        .chain(plan.segment.iter().map(|it| &it.room));
    for room in used {
        if !plan.rooms.contains_key(room) {
            return Err(ApiError::invalid_argument("plan.rooms", format!("{room} is used and must be listed")));
        }
    }
    let ids: BTreeSet<_> = plan.legs.iter().map(|it| &it.id).collect();
    let names: BTreeSet<_> = plan.legs.iter().map(WantedLeg::name).collect();
    if ids.len() != plan.legs.len() || names.len() != plan.legs.len() {
        return Err(ApiError::invalid_argument("plan.legs", "each leg must be there once"));
    }
    match &plan.exit {
        Some(exit) if !ids.contains(&exit.leg_id) => {
            Err(ApiError::invalid_argument("plan.exit.leg_id", "must be one of the legs"))
        }
        _ => Ok(()),
    }
}

fn limit(field: &str, count: usize, most: usize) -> Result<(), ApiError> {
    if count <= most { Ok(()) } else { Err(ApiError::invalid_argument(field, format!("must be {most} at most"))) }
}

/// The alphabet of names on a switch.
fn name(field: &str, text: &str) -> Result<String, ApiError> {
    let good = (1..=128).contains(&text.len())
        && !text.starts_with('.')
        && text.bytes().all(|it| it.is_ascii_alphanumeric() || matches!(it, b'.' | b'_' | b'-'));
    if good {
        Ok(text.to_owned())
    } else {
        Err(ApiError::invalid_argument(field, "must be 1 to 128 of A-Z a-z 0-9 . _ - and not begin with a dot"))
    }
}

/// No hyphen, so that interaction and room can be told apart in the name on the switch.
fn room_name(field: &str, text: &str) -> Result<String, ApiError> {
    if (1..=32).contains(&text.len()) && text.bytes().all(|it| it.is_ascii_lowercase()) {
        Ok(text.to_owned())
    } else {
        Err(ApiError::invalid_argument(field, "must be 1 to 32 of a-z"))
    }
}

/// The caller id is only shown, and comes from the caller: unusual characters are left out, rather than the plan refused.
fn caller(text: &str) -> String {
    let plain = |it: char| it.is_alphanumeric() || matches!(it, '+' | '.' | '_' | '-');
    let words: Vec<_> = text.split(|it| !plain(it)).filter(|word| !word.is_empty()).collect();
    let mut shown = words.join(" ");
    shown.truncate(shown.floor_char_boundary(LONGEST_CALLER));
    shown
}

#[cfg(test)]
mod tests;
