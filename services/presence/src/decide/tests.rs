use uuid::Uuid;

use super::*;

const ADA: AgentId = AgentId(Uuid::from_u128(1));
const BEN: AgentId = AgentId(Uuid::from_u128(2));
const NOW_US: i64 = 1_000;

fn wants(claim_id: &str, agent: AgentId, occupied: Occupied) -> Wanted {
    let (claim_id, choosable) = (claim_id.to_owned(), vec![ShownState::Available]);
    Wanted { claim_id, agent, occupied, expires_at_us: 2_000, choosable, inbox: Vec::new() }
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
    KnownState { claims, agents, phones, is_first: writes.is_empty(), now_us: NOW_US }
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
    let missed = Released { claim_id: "c1".to_owned(), agent: ADA, reason: Reason::HungUp, wrap_up_us: 0 };
    let next = projection(vec![wants("c2", ADA, Occupied::Reserved)], vec![missed]);
    let decision = decide(&next, after(&first.writes)).unwrap();
    assert_eq!(decision.answers, [ClaimDecision::Granted]);
    assert!(matches!(&decision.writes[0].row, RowWrite::Release(it, Reason::HungUp) if it.claim_id == "c1"));
    let wrap_up = Released { claim_id: "c1".to_owned(), agent: ADA, reason: Reason::HungUp, wrap_up_us: 500 };
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
    let left = Released { claim_id: "c1".to_owned(), agent: ADA, reason: Reason::HungUp, wrap_up_us: 0 };
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
    let missed = Released { claim_id: "c1".to_owned(), agent: ADA, reason: Reason::NoAnswer, wrap_up_us: 0 };
    let mut late = projection(Vec::new(), vec![missed]);
    let decision = decide(&late, after(&[])).unwrap();
    assert_eq!(decision.writes[0].effect.as_ref().unwrap().1, [StatusChange::OfferMissed]);
    assert_eq!(decide(&late, after(&decision.writes)).unwrap().writes, []);
    late.ended = true;
    assert_eq!(decide(&late, after(&[])).unwrap().writes, []);
}
