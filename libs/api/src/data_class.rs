//! Which fields say something about a person, from the options in the contract (`baton.common.v1.data_class`).
//!
//! There is no second list: what is concealed follows from the field's own option, so a new field of a message is concealed
//! as soon as it is classed.

use std::collections::HashSet;
use std::sync::LazyLock;

use prost::{Message, Name};
use prost_reflect::{DynamicMessage, MessageDescriptor, ReflectMessage as _, Value};

use crate::common::v1::DataClass;

/// The full names of the fields whose class is personal or sensitive.
static CONCEALED: LazyLock<HashSet<String>> = LazyLock::new(|| {
    let Some(class) = crate::POOL.get_extension_by_name("baton.common.v1.data_class") else { return HashSet::new() };
    let fields = crate::POOL.all_messages().flat_map(|message| message.fields().collect::<Vec<_>>());
    let is_concealed = |field: &prost_reflect::FieldDescriptor| match *field.options().get_extension(&class) {
        Value::EnumNumber(number) => {
            matches!(DataClass::try_from(number), Ok(DataClass::Personal | DataClass::Sensitive))
        }
        _ => false,
    };
    fields.filter(is_concealed).map(|field| field.full_name().to_owned()).collect()
});

/// The message as somebody sees it who counts calls and need not know who called: fields that are personal or sensitive are
/// empty, at any depth.
pub fn conceal<M: Message + Name + Default>(message: &M) -> M {
    let concealed = || {
        let descriptor = crate::POOL.get_message_by_name(&M::full_name())?;
        let mut dynamic = DynamicMessage::decode(descriptor, message.encode_to_vec().as_slice()).ok()?;
        empty(&mut dynamic);
        M::decode(dynamic.encode_to_vec().as_slice()).ok()
    };
    // A message of the contract is in its descriptors; of anything else nothing is shown.
    concealed().unwrap_or_default()
}

fn empty(message: &mut DynamicMessage) {
    let descriptor: MessageDescriptor = message.descriptor();
    for field in descriptor.fields() {
        if !message.has_field(&field) {
            continue;
        }
        if CONCEALED.contains(field.full_name()) {
            message.clear_field(&field);
            continue;
        }
        match message.get_field_mut(&field) {
            Value::Message(inner) => empty(inner),
            Value::List(items) => items.iter_mut().for_each(empty_value),
            Value::Map(entries) => entries.values_mut().for_each(empty_value),
            _ => {}
        }
    }
}

fn empty_value(value: &mut Value) {
    if let Value::Message(inner) = value {
        empty(inner);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::v1::{Actor, Customer};
    use crate::event::v1::{Event, EventData, InteractionOpened, event_data::Data};
    use crate::transfer::v1::{Interaction, Note, Party};

    #[test]
    fn what_is_personal_is_emptied_at_any_depth_and_nothing_else() {
        let customer = || Some(Customer { address: "+32470".to_owned(), key: "k".to_owned() });
        let opened =
            InteractionOpened { number: "+32".to_owned(), customer: customer(), ..InteractionOpened::default() };
        let event = Event {
            event_id: "1".to_owned(),
            actor: Some(Actor { id: "eve@example.com".to_owned(), ..Actor::default() }),
            data: Some(EventData { data: Some(Data::InteractionOpened(opened)), ..EventData::default() }),
            ..Event::default()
        };
        let seen = conceal(&event);
        let Some(Data::InteractionOpened(opened)) = seen.data.and_then(|it| it.data) else {
            panic!("it is no longer there")
        };
        let seen_customer = Some(Customer { address: String::new(), key: "k".to_owned() });
        assert_eq!((opened.number.as_str(), &opened.customer), ("+32", &seen_customer));
        assert_eq!((seen.event_id.as_str(), seen.actor.unwrap().id.as_str()), ("1", ""));

        let view = Interaction {
            interaction_id: "i".to_owned(),
            customer: customer(),
            parties: vec![Party { name: "+32470".to_owned(), leg_id: "l".to_owned(), ..Party::default() }],
            notes: vec![Note { text: "angry".to_owned(), ..Note::default() }],
            data: [("iban".to_owned(), "BE1".to_owned())].into(),
            ..Interaction::default()
        };
        let seen = conceal(&view);
        assert_eq!((seen.interaction_id.as_str(), seen.parties[0].leg_id.as_str()), ("i", "l"));
        assert_eq!((seen.parties[0].name.as_str(), seen.notes[0].text.as_str()), ("", ""));
        assert_eq!(seen.customer, seen_customer);
        assert!(seen.data.is_empty());
    }
}
