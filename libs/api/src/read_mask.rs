//! Field masks of reads (AIP-157): whoever asks names the fields that they want, and no others are sent.
//!
//! A mask is applied to a message as it goes over the wire: what is encoded once can be answered to each caller as they want it.

use prost::Name;
use prost::bytes::{BufMut as _, Bytes, BytesMut};
use prost::encoding::{WireType, decode_varint, encode_key, encode_varint};
use prost_reflect::{Kind, MessageDescriptor};
use prost_types::FieldMask;

use crate::ApiError;
use crate::mask::ALL;

/// No message has as many fields.
const MOST_PATHS: usize = 100;

/// The fields of a message that are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadMask {
    /// The message as it is.
    All,
    /// These, by their numbers, and of each what is wanted of it.
    Fields(Vec<(u32, Self)>),
}

impl ReadMask {
    /// What is wanted of messages of the kind `M`: everything, if the mask names nothing. A path may go on into a message that is a field
    /// (`presence.state`), and not into a repeated one, as the documentation of `google.protobuf.FieldMask` has it.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` for the field `read_mask`, if a path leads nowhere, with the fields that there are; or if there are more than 100 paths.
    pub fn parse<M: Name>(mask: Option<&FieldMask>) -> Result<Self, ApiError> {
        let paths = mask.map_or(&[][..], |it| &it.paths);
        if paths.is_empty() || paths.iter().any(|path| path == ALL) {
            return Ok(Self::All);
        }
        let refuse = |why: String| ApiError::invalid_argument("read_mask", why);
        if paths.len() > MOST_PATHS {
            return Err(refuse(format!("names {} fields; may name {MOST_PATHS}", paths.len())));
        }
        let Some(message) = crate::POOL.get_message_by_name(&M::full_name()) else {
            return Ok(Self::All);
        };
        let mut wanted = Self::Fields(Vec::new());
        for path in paths {
            wanted.add(&message, path).map_err(|why| refuse(format!("names {path:?}; {why}")))?;
        }
        Ok(wanted)
    }

    /// Wants also what is at this path; or says where it ends.
    fn add(&mut self, message: &MessageDescriptor, path: &str) -> Result<(), String> {
        let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
        let Some(field) = message.get_field_by_name(name) else {
            let names: Vec<_> = message.fields().map(|field| field.name().to_owned()).collect();
            return Err(format!("a {} has {}, or {ALL} for all", message.name(), names.join(", ")));
        };
        let Self::Fields(fields) = self else {
            return Ok(());
        };
        let at = fields.iter().position(|(number, _)| *number == field.number()).unwrap_or_else(|| {
            fields.push((field.number(), Self::Fields(Vec::new())));
            fields.len() - 1
        });
        match (rest, field.kind()) {
            (None, _) => {
                fields[at].1 = Self::All;
                Ok(())
            }
            (Some(rest), Kind::Message(inner)) if !field.is_list() && !field.is_map() => fields[at].1.add(&inner, rest),
            (Some(_), _) => Err(format!("{name} is wanted as a whole, or not at all")),
        }
    }

    /// Of a message that was encoded here what is wanted, encoded. (Of what is no message, what comes before the first bytes that can't be one.)
    /// The memory is the buffer's: an answer has one for all of its messages.
    pub fn of(&self, message: &[u8], buffer: &mut BytesMut) -> Bytes {
        match self {
            Self::All => buffer.put_slice(message),
            Self::Fields(fields) => keep(fields, message, buffer).unwrap_or_default(),
        }
        buffer.split().freeze()
    }
}

/// Appends the wanted fields of a message; `None`: it is none.
fn keep(wanted: &[(u32, ReadMask)], mut message: &[u8], kept: &mut BytesMut) -> Option<()> {
    while !message.is_empty() {
        let field = message;
        let (number, wire_type) = key(varint(&mut message)?)?;
        let length = match wire_type {
            WireType::Varint => varint(&mut message).map(|_| 0)?,
            WireType::LengthDelimited => usize::try_from(varint(&mut message)?).ok()?,
            WireType::ThirtyTwoBit => 4,
            WireType::SixtyFourBit => 8,
            // The contract has none.
            WireType::StartGroup | WireType::EndGroup => return None,
        };
        let (content, rest) = message.split_at_checked(length)?;
        message = rest;
        match wanted.iter().find(|(wanted, _)| *wanted == number) {
            Some((_, ReadMask::Fields(inner))) if wire_type == WireType::LengthDelimited => {
                encode_key(number, wire_type, kept);
                let begin = kept.len();
                keep(inner, content, kept)?;
                // Its length comes before it.
                let end = kept.len();
                encode_varint((end - begin) as u64, kept);
                let of_length = kept.len() - end;
                kept.split_at_mut(begin).1.rotate_right(of_length);
            }
            Some(_) => kept.put_slice(field.split_at(field.len() - rest.len()).0),
            None => {}
        }
    }
    Some(())
}

fn key(key: u64) -> Option<(u32, WireType)> {
    Some((u32::try_from(key >> 3).ok()?, WireType::try_from(key & 7).ok()?))
}

/// Most are of one byte.
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    match *bytes {
        [short @ ..0x80, rest @ ..] => {
            *bytes = rest;
            Some(u64::from(*short))
        }
        _ => decode_varint(bytes).ok(),
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;
    use crate::common::v1::{Medium, Target, target};
    use crate::presence::v1::{AgentState, Engagement, PickerTarget, Presence};

    fn mask(paths: &[&str]) -> FieldMask {
        FieldMask { paths: paths.iter().map(|it| (*it).to_owned()).collect() }
    }

    fn ada() -> PickerTarget {
        PickerTarget {
            target: Some(Target { target: Some(target::Target::AgentId("an id".to_owned())) }),
            name: "Ada".to_owned(),
            email: "ada@example.com".to_owned(),
            presence: Some(Presence {
                state: AgentState::Available.into(),
                state_start_time: Some(prost_types::Timestamp { seconds: 5, nanos: 7 }),
                engagements: vec![Engagement { medium: Medium::Voice.into(), ..Engagement::default() }],
                ..Presence::default()
            }),
            available: true,
            ..PickerTarget::default()
        }
    }

    fn wanted(paths: &[&str]) -> PickerTarget {
        let mask = ReadMask::parse::<PickerTarget>(Some(&mask(paths))).unwrap();
        let kept = mask.of(&ada().encode_to_vec(), &mut BytesMut::new());
        PickerTarget::decode(kept).unwrap()
    }

    #[test]
    fn what_is_named_is_there_and_nothing_else() {
        let PickerTarget { target, name, presence, available, .. } = ada();
        let of_presence = presence.clone().unwrap();
        assert_eq!(
            wanted(&["name", "target", "available"]),
            PickerTarget { target, name, available, ..Default::default() }
        );
        let inner = Presence {
            state: of_presence.state,
            state_start_time: of_presence.state_start_time.map(|it| prost_types::Timestamp { nanos: 0, ..it }),
            ..Default::default()
        };
        assert_eq!(
            wanted(&["presence.state", "presence.state_start_time.seconds"]),
            PickerTarget { presence: Some(inner), ..Default::default() }
        );
        for whole in [&["presence", "presence.state"], &["presence.state", "presence"]] {
            assert_eq!(wanted(whole), PickerTarget { presence: presence.clone(), ..Default::default() });
        }
        // Nothing wanted is there: the message is, without anything in it.
        assert_eq!(wanted(&["presence.away_reason"]).presence, Some(Presence::default()));
        assert_eq!(wanted(&["site_name"]), PickerTarget::default());
    }

    #[test]
    fn no_mask_an_empty_one_and_a_star_are_for_all() {
        for mask in [None, Some(&mask(&[])), Some(&mask(&["name", "*"]))] {
            assert_eq!(ReadMask::parse::<PickerTarget>(mask), Ok(ReadMask::All));
        }
        let whole = Bytes::from(ada().encode_to_vec());
        assert_eq!(ReadMask::All.of(&whole, &mut BytesMut::new()), whole);
    }

    #[test]
    fn a_path_that_leads_nowhere_is_refused_with_what_there_is() {
        let why = |path: &str| {
            let refused = ReadMask::parse::<PickerTarget>(Some(&mask(&["name", path]))).unwrap_err();
            assert_eq!(refused.fields[0].0, "read_mask");
            refused.fields[0].1.clone()
        };
        assert!(why("nme").starts_with("names \"nme\"; a PickerTarget has target, name, email, "), "{}", why("nme"));
        assert!(why("presence.stat").contains("a Presence has agent_id, state, "));
        for path in ["", ".", "name.", "presence."] {
            assert!(why(path).starts_with(&format!("names {path:?}; ")), "{path}");
        }
        let many = mask(&["name"; MOST_PATHS + 1]);
        assert!(ReadMask::parse::<PickerTarget>(Some(&many)).is_err());
        for path in ["name.first", "media.medium", "presence.engagements.state"] {
            assert!(why(path).contains("is wanted as a whole, or not at all"), "{path}");
        }
    }

    #[test]
    fn of_what_is_no_message_the_beginning_is_kept() {
        let mask = ReadMask::parse::<PickerTarget>(Some(&mask(&["available"]))).unwrap();
        let whole = PickerTarget { available: true, ..PickerTarget::default() }.encode_to_vec();
        assert_eq!(mask.of(&[&whole[..], b"\xff"].concat(), &mut BytesMut::new()), whole);
    }
}
