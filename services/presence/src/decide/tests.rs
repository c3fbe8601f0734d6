use baton_api::presence::v1::InboxItem;
use uuid::Uuid;

use super::*;

const ADA: AgentId = AgentId(Uuid::from_u128(1));
const BEN: AgentId = AgentId(Uuid::from_u128(2));
const NOW_US: i64 = 1_000;

fn wants(claim_id: &str, agent: AgentId, occupied: Occupied) -> Wanted {
    let (claim_id, choosable) = (claim_id.to_owned(), vec![ShownState::Available]);
    Wanted {
        claim_id,
        agent,
        occupied,
        expires_at_us: 2_000,
        choosable,
        waits_if_busy: false,
        medium: ClaimMedium::Voice,
        inbox: InboxItem::default(),
    }
}

/// Ada's first claim is over.
fn released(reason: Reason, wrap_up_us: i64) -> Released {
    Released { claim_id: "c1".to_owned(), agent: ADA, reason, wrap_up_us, closing: Closing::Unspecified }
}

fn projection(wanted: Vec<Wanted>, released: Vec<Released>) -> ClaimsProjection {
    let (tenant, interaction_id) = ("acme".parse().unwrap(), "i1".to_owned());
    ClaimsProjection { tenant, interaction_id, version: 1, wanted, released, ended: false }
}

/// Both agents are available, and these claims were written before.
fn after(writes: &[ClaimWrite]) -> KnownState {
    let mut agents: BTreeMap<_, _> =
        [ADA, BEN].map(|agent| (agent, AgentStatus::new(1).after(StatusChange::Connected(None), 2))).into();
    let mut claims = BTreeMap::new();
    for write in writes {
        let (RowWrite::Insert(row) | RowWrite::Update(row) | RowWrite::Revive(row)) = &write.row else { continue };
        claims.insert(row.claim_id.clone(), row.clone());
        for change in write.effect.iter().flat_map(|it| it.1.clone()) {
            let status = agents.get_mut(&write.agent).unwrap();
            *status = status.after(change, NOW_US);
        }
    }
    let phones = [(ADA, "ada".to_owned()), (BEN, "ben".to_owned())].into();
    KnownState { claims, queued: BTreeMap::new(), agents, phones, is_first: writes.is_empty(), now_us: NOW_US }
}

#[test]
fn a_repeated_projection_gets_the_same_answers_and_writes_nothing() {
    let late = Wanted { expires_at_us: NOW_US, ..wants("c3", BEN, Occupied::Reserved) };
    let wanted = vec![wants("c1", ADA, Occupied::Reserved), wants("c2", ADA, Occupied::Reserved), late];
    let projection = projection(wanted, Vec::new());
    let first = decide(&projection, after(&[])).unwrap();
    let expected = [ClaimDecision::Granted, ClaimDecision::Refused(Reason::Busy), ClaimDecision::Expired];
    assert_eq!(first.answers, expected);
    assert_eq!(first.writes.iter().filter(|it| it.effect.is_some()).count(), 1);
    let again = decide(&projection, after(&first.writes)).unwrap();
    assert_eq!((again.answers, again.writes), (first.answers, Vec::new()));
}

#[test]
fn an_agent_who_is_released_can_be_claimed_in_the_same_step() {
    let first = decide(&projection(vec![wants("c1", ADA, Occupied::Engaged)], Vec::new()), after(&[])).unwrap();
    let missed = released(Reason::HungUp, 0);
    let next = projection(vec![wants("c2", ADA, Occupied::Reserved)], vec![missed]);
    let decision = decide(&next, after(&first.writes)).unwrap();
    assert_eq!(decision.answers, [ClaimDecision::Granted]);
    assert!(matches!(&decision.writes[0].row, RowWrite::Release(it, Reason::HungUp) if it.claim_id == "c1"));
    let wrap_up = released(Reason::HungUp, 500);
    let next = projection(vec![wants("c2", ADA, Occupied::Reserved)], vec![wrap_up]);
    let decision = decide(&next, after(&first.writes)).unwrap();
    assert_eq!(decision.answers, [ClaimDecision::Refused(Reason::NotAvailable)], "they wrap up");
}

#[test]
fn f4_who_has_the_phone_of_somebody_who_is_claimed_is_busy_until_it_is_free() {
    let shared = |mut known: KnownState| {
        known.phones.insert(BEN, "ada".to_owned());
        known
    };
    let both = vec![wants("c1", ADA, Occupied::Engaged), wants("c2", BEN, Occupied::Reserved)];
    let first = decide(&projection(both, Vec::new()), shared(after(&[]))).unwrap();
    assert_eq!(first.answers, [ClaimDecision::Granted, ClaimDecision::Refused(Reason::Busy)]);
    assert_eq!(first.writes.len(), 2, "one is granted, and one is written down as refused");

    let mut known = shared(after(&first.writes));
    let ben = known.agents.get_mut(&BEN).unwrap();
    *ben = ben.after(StatusChange::PhoneTaken, NOW_US);
    assert!(!ben.is_available());
    let left = released(Reason::HungUp, 0);
    let decision = decide(&projection(vec![wants("c3", BEN, Occupied::Reserved)], vec![left]), known).unwrap();
    assert_eq!(decision.answers, [ClaimDecision::Granted], "in the same step");
}

#[test]
fn an_expired_reservation_that_was_answered_is_revived_unless_somebody_else_has_the_agent() {
    let late = Wanted { expires_at_us: NOW_US, ..wants("c1", ADA, Occupied::Reserved) };
    let first = decide(&projection(vec![late], Vec::new()), after(&[])).unwrap();
    let answered = projection(vec![wants("c1", ADA, Occupied::Engaged)], Vec::new());
    let revived = decide(&answered, after(&first.writes)).unwrap();
    assert_eq!(revived.answers, [ClaimDecision::Granted]);
    assert!(matches!(revived.writes[0].row, RowWrite::Revive(_)));
    let mut known = after(&first.writes);
    let ada = known.agents.get_mut(&ADA).unwrap();
    *ada = ada.after(StatusChange::Occupied(Occupied::Engaged), NOW_US);
    let lost = decide(&answered, known).unwrap();
    assert_eq!((lost.answers, lost.writes), (vec![ClaimDecision::Expired], Vec::new()));
}

#[test]
fn a_claim_that_came_and_went_unseen_has_its_aftermath_once_and_not_after_everything_was_forgotten() {
    let missed = released(Reason::NoAnswer, 0);
    let mut late = projection(Vec::new(), vec![missed]);
    let decision = decide(&late, after(&[])).unwrap();
    assert_eq!(decision.writes[0].effect.as_ref().unwrap().1, [StatusChange::OfferMissed]);
    assert_eq!(decide(&late, after(&decision.writes)).unwrap().writes, []);
    late.ended = true;
    assert_eq!(decide(&late, after(&[])).unwrap().writes, []);
}

fn waits(claim_id: &str, agent: AgentId) -> Wanted {
    Wanted { waits_if_busy: true, ..wants(claim_id, agent, Occupied::Reserved) }
}

/// Ada is in a call, and a claim of this interaction waits for her.
fn waiting_for_ada() -> (KnownState, QueuedClaim) {
    let mut known = after(&[]);
    let busy = known.agents[&ADA].after(StatusChange::Occupied(Occupied::Engaged), NOW_US);
    known.agents.insert(ADA, busy);
    let decision = decide(&projection(vec![waits("c1", ADA)], Vec::new()), after_in(&known)).unwrap();
    assert_eq!((decision.answers.as_slice(), decision.writes.len()), ([ClaimDecision::Queued].as_slice(), 0));
    let [QueueWrite::Put(queued)] = decision.queue.as_slice() else { panic!("{:?}", decision.queue) };
    known.queued.insert(queued.claim_id.clone(), queued.clone());
    known.is_first = false;
    (known, queued.clone())
}

fn after_in(known: &KnownState) -> KnownState {
    KnownState {
        claims: known.claims.clone(),
        queued: known.queued.clone(),
        agents: known.agents.clone(),
        phones: known.phones.clone(),
        ..*known
    }
}

#[test]
fn b504_a_claim_on_an_agent_in_another_call_waits_where_it_may() {
    let (known, _) = waiting_for_ada();
    let refused = decide(&projection(vec![wants("c2", ADA, Occupied::Reserved)], Vec::new()), known).unwrap();
    assert_eq!(refused.answers, [ClaimDecision::Refused(Reason::Busy)]);
}

#[test]
fn b504_who_may_not_be_chosen_is_not_waited_for() {
    let (mut known, _) = waiting_for_ada();
    let away = known.agents[&ADA].after(StatusChange::Disconnected, NOW_US);
    known.agents.insert(ADA, away);
    let refused = decide(&projection(vec![waits("c2", ADA)], Vec::new()), known).unwrap();
    assert_eq!(refused.answers, [ClaimDecision::Refused(Reason::Offline)]);
}

#[test]
fn b504_a_claim_that_waits_goes_on_waiting_and_keeps_its_place() {
    let (known, queued) = waiting_for_ada();
    let again = decide(&projection(vec![waits("c1", ADA)], Vec::new()), after_in(&known)).unwrap();
    assert_eq!((again.answers.as_slice(), again.queue.len()), ([ClaimDecision::Queued].as_slice(), 0));
    // Also where nobody looks at the agents: the same projection again.
    let unread = KnownState { agents: BTreeMap::new(), ..after_in(&known) };
    let again = decide(&projection(vec![waits("c1", ADA)], Vec::new()), unread).unwrap();
    assert_eq!((again.answers.as_slice(), again.queue.len()), ([ClaimDecision::Queued].as_slice(), 0));
    let longer = Wanted { expires_at_us: 3_000, ..waits("c1", ADA) };
    let later = KnownState { now_us: NOW_US + 500, ..after_in(&known) };
    let again = decide(&projection(vec![longer], Vec::new()), later).unwrap();
    assert_eq!(again.queue, [QueueWrite::Put(QueuedClaim { expires_at_us: 3_000, ..queued })]);
}

#[test]
fn b504_a_claim_that_is_not_wanted_any_more_waits_no_longer() {
    let (known, queued) = waiting_for_ada();
    let over = Released { reason: Reason::Requested, ..released(Reason::Requested, 0) };
    let decision = decide(&projection(Vec::new(), vec![over]), known).unwrap();
    assert_eq!(decision.queue, [QueueWrite::Remove(queued)]);
    assert!(decision.writes.iter().all(|write| write.effect.is_none()), "Ada's call goes on: {:?}", decision.writes);
}

#[test]
fn b507_a_disposition_ends_the_wrap_up_of_its_call_and_no_other() {
    let wraps_up = |interaction_id: &str| {
        let mut known = after(&[]);
        let wrap_up =
            WrapUp { until_us: 9_000, interaction_id: interaction_id.to_owned(), due: vec![interaction_id.to_owned()] };
        let status = known.agents[&ADA].after(StatusChange::WrapUpBegan(wrap_up), NOW_US);
        known.agents.insert(ADA, status);
        known
    };
    let closed = |closing| Released { closing, ..released(Reason::HungUp, 5_000) };
    let ended = |known, released: Vec<Released>| {
        let decision = decide(&projection(Vec::new(), released), known).unwrap();
        decision.wrapped_up.into_iter().map(|(agent, _)| agent).collect::<Vec<_>>()
    };
    assert_eq!(ended(wraps_up("i1"), vec![closed(Closing::Done)]), [ADA]);
    assert!(ended(wraps_up("i2"), vec![closed(Closing::Done)]).is_empty());
    assert!(ended(wraps_up("i1"), vec![closed(Closing::Due)]).is_empty());
    let another = Released { claim_id: "c2".to_owned(), ..closed(Closing::Due) };
    assert!(ended(wraps_up("i1"), vec![closed(Closing::Done), another]).is_empty(), "another turn is due");
}

#[test]
fn b507_a_wrap_up_is_due_where_the_disposition_is_and_does_not_begin_where_it_was_given() {
    let began = |closing| {
        let first = decide(&projection(vec![wants("c1", ADA, Occupied::Engaged)], Vec::new()), after(&[])).unwrap();
        let over = Released { closing, ..released(Reason::HungUp, 500) };
        let decision = decide(&projection(Vec::new(), vec![over]), after(&first.writes)).unwrap();
        let changes = decision.writes[0].effect.as_ref().expect("Ada is released").1.clone();
        changes.into_iter().find_map(|change| match change {
            StatusChange::WrapUpBegan(wrap_up) => Some(!wrap_up.due.is_empty()),
            _ => None,
        })
    };
    let all = [Closing::Unspecified, Closing::Due, Closing::Done];
    assert_eq!(all.map(began), [Some(false), Some(true), None]);
}
