use baton_api::common::v1::{
    Actor, Customer, Direction, DivertedTo, Reason, RecordingMode, Target, TransferKind, TransferPhase, actor, target,
};
use baton_api::event::v1::*;
use baton_api::event_type;
use baton_api::transfer::v1::Interaction;
use baton_api::transfer::v1::interaction::State;
use baton_api::transfer::v1::party::Role;
use prost_types::Timestamp;

use super::*;
use crate::EventData;

const ID: &str = "01a2148f-18af-7236-b77a-cbecbbe40be4";
const TRANSFER: &str = "01a2148f-18af-7236-b77a-cbecbbe40be4-transfer-1";
const AGENT: &str = "//baton/presence";

/// The events of one call, each a second after the one before.
struct Log(Vec<Event>);

fn event(source: &str, subject: &str, sequence: i64, data: Option<Data>) -> Event {
    Event {
        event_id: format!("{source}{subject}{sequence}"),
        r#type: event_type::whole("of.a_test"),
        tenant: "acme".to_owned(),
        subject: subject.to_owned(),
        sequence,
        time: Some(at(sequence)),
        data: Some(EventData { cause: None, data }),
        source: source.to_owned(),
        ..Event::default()
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp { seconds, nanos: 0 }
}

impl Log {
    /// A customer calls, and Ada has them.
    fn with_ada() -> Self {
        let customer = Some(Customer { address: "+32470123456".to_owned(), key: "k".to_owned() });
        let mut log = Self(Vec::new());
        log.add(Data::InteractionOpened(InteractionOpened {
            direction: Direction::Inbound.into(),
            number: "+3225".to_owned(),
            customer,
            recording_mode: RecordingMode::All.into(),
            ..InteractionOpened::default()
        }));
        log.add(Data::InteractionFlowStep(InteractionFlowStep {
            step: 1,
            kind: FlowStepKind::RingAgent.into(),
            agent_id: "ada".to_owned(),
            ..InteractionFlowStep::default()
        }));
        log.offered("ada", "");
        log.joined("ada", "");
        log.primary("ada");
        log
    }

    fn add(&mut self, data: Data) {
        let sequence = self.0.len() as i64 + 1;
        self.0.push(event(CALLS_PUBLISHER, &format!("{CALL}{ID}"), sequence, Some(data)));
    }

    fn offered(&mut self, agent: &str, transfer: &str) {
        let (agent_id, transfer_id) = (agent.to_owned(), transfer.to_owned());
        let it = InteractionAgentOffered { agent_id, transfer_id, ..InteractionAgentOffered::default() };
        self.add(Data::InteractionAgentOffered(it));
    }

    fn offer_failed(&mut self, agent: &str, transfer: &str, reason: Reason) {
        let (agent_id, transfer_id, reason) = (agent.to_owned(), transfer.to_owned(), reason.into());
        let it = InteractionOfferFailed { agent_id, transfer_id, reason, ..InteractionOfferFailed::default() };
        self.add(Data::InteractionOfferFailed(it));
    }

    fn joined(&mut self, agent: &str, transfer: &str) {
        let (agent_id, transfer_id) = (agent.to_owned(), transfer.to_owned());
        let it = InteractionAgentJoined { agent_id, transfer_id, ..InteractionAgentJoined::default() };
        self.add(Data::InteractionAgentJoined(it));
    }

    fn left(&mut self, agent: &str) {
        let it = InteractionAgentLeft { agent_id: agent.to_owned(), ..InteractionAgentLeft::default() };
        self.add(Data::InteractionAgentLeft(it));
    }

    fn primary(&mut self, to: &str) {
        let it = InteractionPrimaryChanged { to_agent_id: to.to_owned(), ..InteractionPrimaryChanged::default() };
        self.add(Data::InteractionPrimaryChanged(it));
    }

    fn started(&mut self, kind: TransferKind, to: target::Target) {
        self.add(Data::TransferStarted(TransferStarted {
            transfer_id: TRANSFER.to_owned(),
            kind: kind.into(),
            initiator_agent_id: "ada".to_owned(),
            target: Some(Target { target: Some(to) }),
            outcome: "Escalation".to_owned(),
        }));
    }

    fn consulting(&mut self, recipient: &str) {
        self.started(TransferKind::Warm, agent(recipient));
        self.offered(recipient, TRANSFER);
        self.add(Data::InteractionCustomerHeld(InteractionCustomerHeld {}));
        self.joined(recipient, TRANSFER);
        let (transfer_id, recipient_agent_id) = (TRANSFER.to_owned(), recipient.to_owned());
        self.add(Data::TransferConsulting(TransferConsulting {
            transfer_id,
            recipient_agent_id,
            recipient_external: None,
        }));
    }

    fn failed(&mut self, reason: Reason) {
        let (transfer_id, reason) = (TRANSFER.to_owned(), reason.into());
        self.add(Data::TransferFailed(TransferFailed { transfer_id, reason, ..TransferFailed::default() }));
    }

    fn picture(&self) -> Picture {
        applied(Picture::default(), &self.0)
    }

    fn call(&self) -> Interaction {
        self.picture().calls()[ID].interaction.clone()
    }
}

fn agent(id: &str) -> target::Target {
    target::Target::AgentId(id.to_owned())
}

fn applied(mut picture: Picture, events: &[Event]) -> Picture {
    for event in events {
        picture.apply(event).unwrap();
    }
    picture
}

fn parties(call: &Interaction) -> Vec<(&str, Role, LegState)> {
    call.parties.iter().map(|it| (it.agent_id.as_str(), it.role(), it.leg_state())).collect()
}

#[test]
fn b613_an_event_that_comes_again_changes_nothing() {
    let mut log = Log::with_ada();
    log.add(Data::InteractionCustomerHeld(InteractionCustomerHeld {}));
    log.add(Data::InteractionCustomerResumed(InteractionCustomerResumed { hold_ms: 1 }));
    let mut picture = log.picture();
    let before = picture.clone();
    for event in &log.0 {
        assert_eq!(picture.apply(event), Ok(Arrival::Again));
    }
    assert_eq!(picture, before);
}

#[test]
fn b613_a_gap_names_the_subject_and_the_numbers_and_changes_nothing() {
    let log = Log::with_ada();
    let mut picture = applied(Picture::default(), &log.0[..2]);
    let before = picture.clone();
    let gap = picture.apply(&log.0[4]).unwrap_err();
    assert!(matches!(&gap, PictureError::Gap { last: 2, next: 5, .. }), "{gap:?}");
    let text = gap.to_string();
    assert!(text.contains(ID) && text.contains("number 5") && text.contains("number 2"), "{text}");
    assert_eq!(picture, before);
    assert_eq!(applied(picture, &log.0[2..]), log.picture(), "and it goes on where it was");
}

#[test]
fn b613_two_sources_number_the_events_about_a_call_apart() {
    let mut picture = Log::with_ada().picture();
    let stored = Data::RecordingStored(RecordingStored::default());
    assert_eq!(picture.apply(&event("//baton/recording", &format!("{CALL}{ID}"), 1, Some(stored))), Ok(Arrival::New));
}

#[test]
fn b613_an_event_of_a_newer_type_is_skipped_and_counted() {
    let mut log = Log::with_ada();
    let newer = event(CALLS_PUBLISHER, &format!("{CALL}{ID}"), 6, None);
    log.0.push(newer);
    log.add(Data::InteractionCustomerHeld(InteractionCustomerHeld {}));
    let picture = log.picture();
    assert_eq!(picture.skipped(), 1);
    assert!(picture.calls()[ID].interaction.customer_on_hold, "and what comes after it counts");
}

#[test]
fn b613_a_call_without_its_beginning_is_named_and_not_guessed_at() {
    let log = Log::with_ada();
    let picture = applied(Picture::of_what_is_kept(), &log.0[2..]);
    assert!(picture.calls().is_empty() && picture.incomplete_calls().contains(ID), "{picture:?}");
    let mut strict = Picture::default();
    assert!(matches!(strict.apply(&log.0[2]), Err(PictureError::Gap { last: 0, next: 3, .. })));
    let mut later = applied(Picture::of_what_is_kept(), &log.0[2..4]);
    let again = event(CALLS_PUBLISHER, &format!("{CALL}{ID}"), 9, None);
    assert!(later.apply(&again).is_err(), "a gap after what is kept is one");
}

#[test]
fn b613_a_call_begins_with_its_opening_and_a_picture_has_one_tenant() {
    let mut picture = Log::with_ada().picture();
    let held = Data::InteractionCustomerHeld(InteractionCustomerHeld {});
    let other = event(CALLS_PUBLISHER, "interaction/other", 1, Some(held));
    assert!(matches!(picture.apply(&other), Err(PictureError::NotOpened { .. })));
    let other = Event { tenant: "other".to_owned(), ..other };
    assert!(matches!(picture.apply(&other), Err(PictureError::OtherTenant { .. })));
}

#[test]
fn b613_a_warm_transfer_from_the_call_to_its_end() {
    let mut log = Log::with_ada();
    log.consulting("ben");
    let call = log.call();
    let transfer = call.transfer.clone().unwrap();
    assert_eq!((transfer.phase(), transfer.recipient_agent_id.as_str()), (TransferPhase::Consulting, "ben"));
    assert!(call.customer_on_hold && call.primary_agent_id == "ada");
    assert_eq!(parties(&call), [("ada", Role::Primary, LegState::Up), ("ben", Role::Recipient, LegState::Up)]);

    log.primary("ben");
    assert_eq!(log.call().transfer.unwrap().phase(), TransferPhase::HandingOver);
    log.left("ada");
    log.add(Data::InteractionCustomerResumed(InteractionCustomerResumed { hold_ms: 1 }));
    log.add(Data::TransferCompleted(TransferCompleted {
        transfer_id: TRANSFER.to_owned(),
        initiator_agent_id: "ada".to_owned(),
        recipient_agent_id: "ben".to_owned(),
        duration_ms: 1,
        returned: false,
        recipient_external: None,
    }));
    let call = log.call();
    assert_eq!((call.state(), call.primary_agent_id.as_str(), call.customer_on_hold), (State::WithAgent, "ben", false));
    let hops: Vec<_> = call.journey.iter().map(|it| (&*it.from_agent_id, &*it.to_agent_id, it.outcome())).collect();
    assert_eq!(hops, [("", "ada", TransferPhase::Completed), ("ada", "ben", TransferPhase::Completed)]);
    assert_eq!((call.journey[0].start_time, call.journey[0].end_time), (Some(at(2)), Some(at(4))));
    assert_eq!(call.journey[1].chosen_outcome, "Escalation");

    log.add(Data::InteractionCustomerLeft(InteractionCustomerLeft {}));
    log.left("ben");
    let reason = Reason::CustomerLeft.into();
    log.add(Data::InteractionEnded(InteractionEnded { reason, ..InteractionEnded::default() }));
    let call = log.call();
    assert_eq!((call.state(), call.end_reason()), (State::Ended, Reason::CustomerLeft));
    assert!(call.parties.is_empty() && call.primary_agent_id.is_empty());
}

#[test]
fn b613_a_transfer_that_fails_says_why_and_leaves_the_customer_with_the_initiator() {
    let mut log = Log::with_ada();
    log.started(TransferKind::Cold, agent("ben"));
    assert_eq!(log.call().transfer.unwrap().recipient_agent_id, "ben", "who is to be reserved");
    log.offered("ben", TRANSFER);
    log.offer_failed("ben", TRANSFER, Reason::NoAnswer);
    log.failed(Reason::NoAnswer);
    let call = log.call();
    let transfer = call.transfer.clone().unwrap();
    assert_eq!((transfer.phase(), transfer.reason()), (TransferPhase::Failed, Reason::NoAnswer));
    assert!(transfer.recipient_agent_id.is_empty() && transfer.end_time.is_some());
    assert_eq!(
        call.journey.last().map(|it| (it.outcome(), it.reason())),
        Some((TransferPhase::Failed, Reason::NoAnswer))
    );
    assert_eq!((call.state(), call.primary_agent_id.as_str()), (State::WithAgent, "ada"));
}

#[test]
fn b613_who_took_over_before_it_was_lost_in_time_has_the_customer() {
    for (reason, expected) in [(Reason::Timeout, "ben"), (Reason::RecipientLeft, "")] {
        let mut log = Log::with_ada();
        log.consulting("ben");
        log.primary("ben");
        log.failed(reason);
        assert_eq!(log.call().journey[1].to_agent_id, expected, "{reason:?}");
    }
}

#[test]
fn b613_a_released_initiator_leaves_the_customer_with_nobody_and_voicemail_follows() {
    let mut log = Log::with_ada();
    log.started(TransferKind::Cold, agent("ben"));
    log.offered("ben", TRANSFER);
    log.left("ada");
    assert_eq!((log.call().state(), log.call().primary_agent_id.as_str()), (State::InFlow, ""));
    log.offer_failed("ben", TRANSFER, Reason::Declined);
    let (to, reason) = (DivertedTo::Voicemail.into(), Reason::Declined.into());
    log.add(Data::TransferDiverted(TransferDiverted { transfer_id: TRANSFER.to_owned(), to, reason, duration_ms: 1 }));
    let call = log.call();
    assert_eq!(call.state(), State::InVoicemail);
    assert_eq!(call.transfer.unwrap().diverted_to(), DivertedTo::Voicemail);
}

#[test]
fn b613_who_stayed_takes_the_initiators_part_over() {
    let mut log = Log::with_ada();
    log.joined("cleo", "");
    log.started(TransferKind::Warm, agent("ben"));
    log.offered("ben", TRANSFER);
    log.left("ada");
    log.primary("cleo");
    let call = log.call();
    assert_eq!(call.transfer.unwrap().initiator_agent_id, "cleo");
    assert_eq!(call.journey.last().unwrap().from_agent_id, "cleo");
}

#[test]
fn b613_a_call_waits_in_the_queue_of_a_team_until_somebody_answers() {
    let mut log = Log::with_ada();
    log.started(TransferKind::Cold, target::Target::TeamId("support".to_owned()));
    let (team_id, transfer_id) = ("support".to_owned(), TRANSFER.to_owned());
    let queued = InteractionQueued { team_id: team_id.clone(), transfer_id, position: 1, ..Default::default() };
    log.add(Data::InteractionQueued(queued));
    let picture = log.picture();
    let queued = picture.queues()["support"][0].queued.clone().unwrap();
    assert_eq!((queued.since, queued.transfer_id.as_str()), (Some(at(7)), TRANSFER));
    assert_eq!(log.call().transfer.unwrap().phase(), TransferPhase::Waiting);
    log.offered("ben", TRANSFER);
    assert_eq!(log.call().transfer.unwrap().phase(), TransferPhase::Offered);
    log.offer_failed("ben", TRANSFER, Reason::Declined);
    let transfer = log.call().transfer.unwrap();
    assert_eq!((transfer.phase(), transfer.reason()), (TransferPhase::Waiting, Reason::Declined));
    log.add(Data::InteractionDequeued(InteractionDequeued { team_id, ..InteractionDequeued::default() }));
    assert!(log.picture().queues().is_empty());
}

#[test]
fn b613_a_recipient_in_another_call_is_waited_for_and_then_rung() {
    let mut log = Log::with_ada();
    log.started(TransferKind::Warm, agent("ben"));
    let (transfer_id, recipient_agent_id) = (TRANSFER.to_owned(), "ben".to_owned());
    log.add(Data::TransferWaiting(TransferWaiting { transfer_id, recipient_agent_id }));
    let transfer = log.call().transfer.unwrap();
    assert_eq!((transfer.phase(), transfer.recipient_agent_id.as_str()), (TransferPhase::Waiting, "ben"));
    log.offered("ben", TRANSFER);
    assert_eq!(log.call().transfer.unwrap().phase(), TransferPhase::Offered);
}

#[test]
fn b613_agents_are_as_their_last_event_says_and_in_the_calls_that_name_them() {
    let mut log = Log::with_ada();
    log.started(TransferKind::Warm, agent("ben"));
    log.offered("ben", TRANSFER);
    let created = |id: &str| {
        let (what, change, id) = (directory_changed::What::Agent.into(), Change::Created.into(), id.to_owned());
        Data::DirectoryChanged(DirectoryChanged { what, id, change, team: None, site: None })
    };
    let away = Data::AgentStateChanged(AgentStateChanged {
        agent_id: "cleo".to_owned(),
        to: AgentState::Away.into(),
        away_reason: "lunch".to_owned(),
        ..AgentStateChanged::default()
    });
    for id in ["ada", "ben", "cleo"] {
        log.0.push(event(AGENT, &format!("agent/{id}"), 1, Some(created(id))));
    }
    log.0.push(event(AGENT, "agent/cleo", 2, Some(away)));
    let agents = log.picture().agents();
    assert!(agents[0].has(engagement::State::Engaged) && agents[0].state() == AgentState::Offline, "{agents:?}");
    assert!(agents[1].has(engagement::State::Reserved), "{agents:?}");
    assert_eq!(
        (agents[2].state(), agents[2].away_reason.as_str(), agents[2].is_free()),
        (AgentState::Away, "lunch", true)
    );
}

#[test]
fn b613_remarks_recording_and_dispositions() {
    let mut log = Log::with_ada();
    log.add(Data::InteractionMuteChanged(InteractionMuteChanged { agent_id: "ada".to_owned(), muted: true }));
    log.add(Data::InteractionNoteAdded(InteractionNoteAdded { note: 3 }));
    let set = |set: &[&str], removed: &[&str]| {
        let of = |keys: &[&str]| keys.iter().map(|it| (*it).to_owned()).collect();
        Data::InteractionDataChanged(InteractionDataChanged { set: of(set), removed: of(removed) })
    };
    log.add(set(&["a", "b"], &[]));
    log.add(set(&[], &["a"]));
    log.add(Data::RecordingSegmentStarted(RecordingSegmentStarted {
        segment_id: "s".to_owned(),
        ..Default::default()
    }));
    log.add(Data::RecordingPaused(RecordingPaused::default()));
    let call = log.call();
    let recording = call.recording.unwrap();
    assert!(recording.live && recording.paused && call.parties[0].muted && call.note_count == 3);
    assert_eq!(call.data.keys().collect::<Vec<_>>(), ["b"]);
    log.add(Data::RecordingSegmentEnded(RecordingSegmentEnded { segment_id: "s".to_owned(), ..Default::default() }));
    log.add(Data::RecordingResumed(RecordingResumed::default()));
    let (agent_id, disposition) = ("ada".to_owned(), "sold".to_owned());
    log.add(Data::InteractionDispositioned(InteractionDispositioned { agent_id, disposition, ..Default::default() }));
    let call = log.call();
    let recording = call.recording.unwrap();
    assert!(!recording.live && !recording.paused);
    assert_eq!(call.participations[0].disposition, "sold");
}

#[test]
fn b613_an_agent_who_calls_is_rung_first_and_has_a_hop_when_the_customer_answers() {
    let mut log = Log(Vec::new());
    let direction = Direction::Outbound.into();
    log.add(Data::InteractionOpened(InteractionOpened { direction, ..InteractionOpened::default() }));
    log.0[0].actor = Some(Actor { kind: actor::Kind::Agent.into(), id: "ada".to_owned(), ..Actor::default() });
    assert_eq!(parties(&log.call()), [("ada", Role::Offered, LegState::Reserving)]);
    log.offered("ada", "");
    log.joined("ada", "");
    log.primary("ada");
    assert!(log.call().journey.is_empty());
    log.add(Data::InteractionCustomerAnswered(InteractionCustomerAnswered::default()));
    let journey = log.call().journey;
    assert_eq!(
        (journey[0].to_agent_id.as_str(), journey[0].start_time, journey[0].end_time),
        ("ada", Some(at(1)), Some(at(5)))
    );
}

#[test]
fn b613_from_any_event_on_the_kept_picture_becomes_the_same() {
    let mut log = Log::with_ada();
    log.consulting("ben");
    log.failed(Reason::RecipientLeft);
    let whole = log.picture();
    for at in 0..=log.0.len() {
        let kept = applied(Picture::default(), &log.0[..at]);
        assert_eq!(applied(kept, &log.0[at..]), whole, "from event {at} on");
    }
}
