//! Events as sentences for a person.

use baton_api::event::v1::Event;
use baton_api::event::v1::event_data::Data;
use baton_api::event::v1::interaction_refused::Cause;
use baton_api::event::v1::routing_changed::Configuration;
use baton_api::event::v1::tenant_changed::Change;
pub(crate) use baton_api::plain::Names;
use baton_api::plain::sentence;

use super::word;

pub(crate) fn sentence(event: &Event, names: &Names) -> String {
    let Some(data) = event.data.as_ref().and_then(|it| it.data.as_ref()) else {
        return format!("Something newer than this program happened ({}).", event.name());
    };
    sentence::of(data, names)
        .or_else(|| voicemail(data, names))
        .or_else(|| others(data, names))
        .unwrap_or_else(|| event.name().to_owned())
}

fn voicemail(data: &Data, names: &Names) -> Option<String> {
    Some(match data {
        Data::VoicemailMessageLeft(it) => {
            format!("A message of {} is in {}.", word::seconds(it.duration_ms), names.of_box(&it.mailbox))
        }
        Data::VoicemailNoMessage(it) => format!("No message was left in {}.", names.of_box(&it.mailbox)),
        Data::VoicemailMessageHeard(it) => format!("The message in {} is heard.", names.of_box(&it.mailbox)),
        Data::VoicemailMessageDeleted(it) if it.expired => "The message is deleted: it was old.".to_owned(),
        Data::VoicemailMessageDeleted(_) => "The message is deleted.".to_owned(),
        _ => return None,
    })
}

fn others(data: &Data, names: &Names) -> Option<String> {
    Some(match data {
        Data::AgentStateChanged(it) => {
            let why =
                if it.away_reason.is_empty() { word::state_cause(it.cause) } else { word::one_line(&it.away_reason) };
            format!("{} is now {} ({why}).", names.of(&it.agent_id), word::agent_state(it.to))
        }
        Data::DirectoryChanged(it) => {
            let (what, change) = (word::directory_part(it.what), word::change(it.change));
            format!("The {what} {} was {change}.", names.of(&it.id))
        }
        Data::RoutingChanged(it) => {
            let what = match it.configuration.as_ref()? {
                Configuration::Number(it) => format!("number {}", it.number),
                Configuration::CallFlow(it) => format!("call flow {}", word::one_line(&it.name)),
                Configuration::IvrFlow(it) => format!("IVR flow {}", word::one_line(&it.name)),
                Configuration::DialRule(it) => format!("dial rule {}", it.prefix),
                Configuration::ExternalNumber(it) => format!("external number {}", word::one_line(&it.name)),
                Configuration::Queue(it) => format!("queue {}", word::one_line(&it.name)),
            };
            format!("The {what} was {}.", word::change(it.change))
        }
        Data::RoutingCallRefused(it) => {
            format!("A call for {} was refused: it is none of the tenant's numbers.", word::one_line(&it.number))
        }
        Data::InteractionRefused(it) => {
            let why = match it.cause() {
                Cause::Limit => "the tenant had as many calls as it may",
                Cause::Suspended => "the tenant was suspended",
                Cause::Unspecified => "no reason is given",
            };
            format!("A call for {} was refused: {why}.", word::one_line(&it.number))
        }
        Data::CustomerForgotten(it) => {
            let (calls, recordings, messages) = (it.interactions, it.recordings, it.messages);
            format!(
                "A customer was forgotten: calls {calls}, recordings deleted {recordings}, messages deleted {messages}."
            )
        }
        Data::PolicyChanged(it) => format!("The policy is {} now, version {}.", it.profile, it.version),
        Data::TenantChanged(it) => match it.change() {
            Change::Suspended => "The tenant was suspended.".to_owned(),
            Change::Resumed => "The tenant's suspension is over.".to_owned(),
            change => {
                let what = if change == Change::Created { "created" } else { "changed" };
                let plan = word::or_dash(it.entitlements.join(", "));
                let (calls, numbers) = (word::call_limit(it.live_interactions), word::granted(&it.granted_numbers));
                let dials = word::granted(&it.granted_destinations);
                let rates = word::rates(it.calls_per_second, it.changes_per_second);
                let stored = word::storage_limit(it.stored_mib);
                format!(
                    "The tenant was {what}; its plan: {plan}; calls: {calls}; numbers: {numbers}; dials: {dials}; rates: {rates}; storage: {stored}."
                )
            }
        },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use baton_api::common::v1::{Customer, Direction, Target, target};
    use baton_api::event::v1::{
        DirectoryChanged, EventData, InteractionCustomerAnswered, InteractionNoteAdded, InteractionOpened,
        TenantChanged, TransferStarted, directory_changed,
    };

    use super::*;

    #[test]
    fn a_sentence_has_names_and_no_ids() {
        let names: Names =
            [("a".to_owned(), "Ada".to_owned()), ("s".to_owned(), "Support".to_owned())].into_iter().collect();
        let started = TransferStarted {
            kind: baton_api::common::v1::TransferKind::Warm.into(),
            initiator_agent_id: "a".to_owned(),
            target: Some(Target { target: Some(target::Target::TeamId("s".to_owned())) }),
            ..TransferStarted::default()
        };
        let event = Event {
            data: Some(EventData { data: Some(Data::TransferStarted(started)), ..EventData::default() }),
            ..Event::default()
        };
        assert_eq!(sentence(&event, &names), "Ada starts a warm transfer to team Support.");
        let made = DirectoryChanged {
            what: directory_changed::What::Agent.into(),
            id: "a".to_owned(),
            change: baton_api::event::v1::Change::Created.into(),
            team: None,
            site: None,
        };
        let event = Event {
            data: Some(EventData { data: Some(Data::DirectoryChanged(made)), ..EventData::default() }),
            ..Event::default()
        };
        assert_eq!(sentence(&event, &names), "The agent Ada was created.");
    }

    #[test]
    fn a_call_that_an_agent_places_reads_as_outbound() {
        let opened = InteractionOpened {
            direction: Direction::Outbound.into(),
            number: "+3225550100".to_owned(),
            customer: Some(Customer { address: "+32470123456".to_owned(), key: String::new() }),
            ..InteractionOpened::default()
        };
        let text = |data| {
            let event =
                Event { data: Some(EventData { data: Some(data), ..EventData::default() }), ..Event::default() };
            sentence(&event, &Names::default())
        };
        let unknown = InteractionOpened { number: "+3225550100".to_owned(), ..InteractionOpened::default() };
        assert_eq!(text(Data::InteractionOpened(unknown)), "A customer calls +3225550100.");
        let noted = text(Data::InteractionNoteAdded(InteractionNoteAdded { note: 3 }));
        assert_eq!(noted, "Note 3 is written.");
        let expected = "A customer, +32470123456, is called from +3225550100.";
        assert_eq!(text(Data::InteractionOpened(opened)), expected);
        let answered = InteractionCustomerAnswered { allowed_by: "+32".to_owned(), ring_ms: 0 };
        assert_eq!(text(Data::InteractionCustomerAnswered(answered)), "The customer answers.");
    }

    #[test]
    fn a_change_of_a_tenant_says_what_is_granted() {
        let changed = TenantChanged {
            change: Change::Updated.into(),
            entitlements: vec!["warm_transfer".to_owned()],
            live_interactions: 5,
            granted_numbers: ["+322555", "+322556"].map(str::to_owned).to_vec(),
            granted_destinations: vec!["+".to_owned()],
            calls_per_second: 50,
            changes_per_second: 7,
            stored_mib: 900,
        };
        let text = |it| others(&Data::TenantChanged(it), &Names::default()).unwrap();
        let plan = "The tenant was changed; its plan: warm_transfer";
        let rates = "rates: at most 50 calls of the API a second, at most 7 changes a second; storage: at most 900 MiB";
        assert_eq!(text(changed), format!("{plan}; calls: at most 5; numbers: +322555, +322556; dials: any; {rates}."));
        let nothing = TenantChanged { change: Change::Created.into(), ..TenantChanged::default() };
        assert_eq!(
            text(nothing),
            "The tenant was created; its plan: -; calls: no limit; numbers: -; dials: -; rates: as configured; storage: as configured."
        );
    }

    #[test]
    fn an_event_of_a_newer_version_is_named_by_its_type() {
        let event = Event { r#type: "interaction.levitated".to_owned(), ..Event::default() };
        assert!(sentence(&event, &Names::default()).contains("interaction.levitated"));
    }
}
