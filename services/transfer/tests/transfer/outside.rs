//! X3: the caps on calls to numbers outside, which hold whoever tries at the same time.

use crate::{
    peers::agent,
    world::{TENANT, World, up},
};
use baton_api::{
    ApiError,
    common::v1::{ExternalTarget, Target, TransferKind, target::Target as Wire},
    error::ErrorReason,
    transfer::v1::{
        CancelTransferRequest, EndInteractionRequest, OpenInteractionRequest, PlaceCallRequest, Policy,
        StartTransferRequest, UpdatePolicyRequest, party::LegState, policy_service_client::PolicyServiceClient,
    },
};
use baton_runtime::auth::Role;
use futures::future::join_all;
use tonic::{Code, Status};

/// Tries at the same time.
const TRIES: usize = 200;
const CAP: usize = 7;
const OWN_CAP: usize = 3;

impl World {
    async fn cap(&self, overrides: &str) {
        let policy = Policy { profile: "aicc".into(), overrides_toml: overrides.to_owned(), ..Policy::default() };
        let update_mask = Some(prost_types::FieldMask { paths: vec!["*".into()] });
        let request = UpdatePolicyRequest { request_id: "policy".into(), policy: Some(policy), update_mask };
        let channel = self.channel(TENANT, "boss", Role::Admin);
        PolicyServiceClient::new(channel).update_policy(request).await.unwrap();
    }

    async fn place(&self, by: u128, no: usize) -> Result<String, Status> {
        let request = PlaceCallRequest {
            request_id: format!("place-{by}-{no}"),
            from_number: "+3225550100".into(),
            to_number: format!("+3247{no:07}"),
            ..Default::default()
        };
        let placed = taken(async || self.interactions(by).place_call(request.clone()).await).await?;
        Ok(placed.into_inner().interaction.unwrap().interaction_id)
    }

    /// A customer who is with agent 1: by the view, as the stand-in for telephony knows the newest plan of all calls alone.
    async fn with_agent(&self) -> String {
        let request = OpenInteractionRequest {
            tenant: TENANT.into(),
            leg: baton_runtime::ids::new_uuid().to_string(),
            number: "+3225550100".into(),
            customer: "+32470000000".into(),
            switch_id: "main".into(),
        };
        let id = self.intake().open_interaction(request).await.unwrap().into_inner().interaction_id;
        let rings = async || {
            let parties = self.view(&id).await.parties;
            parties.into_iter().find(|it| it.leg_state() == LegState::Ringing).map(|it| it.leg_id)
        };
        let leg = self.until("somebody rings", rings).await;
        self.report(&id, vec![up(leg, "")]).await;
        let primary = async || Some(self.view(&id).await).filter(|view| !view.primary_agent_id.is_empty());
        self.until("somebody has the customer", primary).await;
        id
    }

    /// To a number outside that is typed in.
    async fn start_outside(&self, id: &str, request_id: &str) -> Result<(), Status> {
        let own = ExternalTarget { number: "+32470000009".into(), ..ExternalTarget::default() };
        let request = StartTransferRequest {
            request_id: request_id.into(),
            interaction_id: id.into(),
            kind: TransferKind::Warm.into(),
            target: Some(Target { target: Some(Wire::External(own)) }),
            ..Default::default()
        };
        taken(async || self.transfers(1).start_transfer(request.clone()).await).await.map(drop)
    }
}

/// So many at once can be more than a database takes, which says so: whoever tries does as they are told.
async fn taken<T>(attempt: impl AsyncFn() -> Result<T, Status>) -> Result<T, Status> {
    loop {
        match attempt().await {
            Err(status) if reason(&status) == Some(ErrorReason::Overloaded) => {}
            answer => return answer,
        }
    }
}

fn reason(refused: &Status) -> Option<ErrorReason> {
    ApiError::from_status(refused).map(|it| it.reason)
}

/// How many were accepted; every other was refused by a cap.
fn accepted<T>(tries: &[Result<T, Status>]) -> usize {
    for refused in tries.iter().filter_map(|it| it.as_ref().err()) {
        assert_eq!(
            (refused.code(), reason(refused)),
            (Code::ResourceExhausted, Some(ErrorReason::OutsideLimit)),
            "{refused}"
        );
    }
    tries.iter().filter(|it| it.is_ok()).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn x3_of_200_calls_that_are_placed_at_once_no_more_than_the_cap_are() {
    let world = World::start().await;
    world.cap(&format!("[interaction]\noutside_max = {CAP}\noutside_max_per_agent = {OWN_CAP}\n")).await;
    // Four agents: of each no more than their own cap, of all no more than the tenant's.
    let tries = join_all((0..TRIES).map(|no| world.place(1 + no as u128 % 4, no))).await;
    assert_eq!(accepted(&tries), CAP);
    let own = |by: usize| tries.iter().skip(by).step_by(4).filter(|it| it.is_ok()).count();
    assert!((0..4).all(|by| own(by) <= OWN_CAP), "{:?}", [own(0), own(1), own(2), own(3)]);
    // A refusal is not kept: when one has ended, the next is accepted, by the very same request.
    let (ended, id) = tries.iter().enumerate().find_map(|(no, it)| Some((no, it.as_ref().ok()?.clone()))).unwrap();
    let by = 1 + ended as u128 % 4;
    let end = EndInteractionRequest { request_id: "end".into(), interaction_id: id, ..Default::default() };
    world.supervisor_of(TENANT).end_interaction(end).await.unwrap();
    let again = tries.iter().enumerate().position(|(no, it)| it.is_err() && no % 4 == ended % 4).unwrap();
    world.place(by, again).await.unwrap();
    assert_eq!(accepted(&[world.place(by, TRIES + 1).await]), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn x3_of_transfers_outside_that_are_started_at_once_no_more_than_the_cap_are() {
    let world = World::start().await;
    world.cap(&format!("[interaction]\noutside_max_per_agent = {OWN_CAP}\n")).await;
    let mut calls = Vec::new();
    for _ in 0..20 {
        calls.push(world.with_agent().await);
    }
    // Ten tries for each call, of which a transfer that is open refuses the others.
    let tries: Vec<_> = (0..TRIES).map(|no| (&calls[no % calls.len()], format!("start-{no}"))).collect();
    let answers = join_all(tries.iter().map(|(id, request_id)| world.start_outside(id, request_id))).await;
    let open = |status: &Status| reason(status) == Some(ErrorReason::TransferOpen);
    let answers: Vec<_> = answers.into_iter().filter(|it| !it.as_ref().is_err_and(open)).collect();
    assert_eq!(accepted(&answers), OWN_CAP);
    let mut begun = Vec::new();
    for id in &calls {
        begun.extend(world.view(id).await.transfer.map(|it| (id.clone(), it.transfer_id)));
    }
    assert_eq!(begun.len(), OWN_CAP);
    // One that is taken back makes room for one.
    let (id, transfer_id) = begun[0].clone();
    let cancel =
        CancelTransferRequest { request_id: "c".into(), transfer_id, interaction_id: id.clone(), ..Default::default() };
    world.transfers(1).cancel_transfer(cancel).await.unwrap();
    world.start_outside(&id, "again").await.unwrap();
    let other = calls.iter().find(|id| begun.iter().all(|(own, _)| own != *id)).unwrap();
    assert_eq!(accepted(&[world.start_outside(other, "too-many").await]), 0);
    assert_eq!(agent(1), world.view(&id).await.primary_agent_id);
}
