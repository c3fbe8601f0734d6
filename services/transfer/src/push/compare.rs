//! Asks telephony, presence and routing every few seconds which of the projections that they have accepted they lack: after a restart from a
//! backup, say. One call an interval and receiver, however many calls are live; only what is lacking is pushed again.

use super::{Followers, accepted::AcceptedProjections, accepted::forget};
use crate::TransferPeers;
use baton_api::{
    common::v1::ProjectionVersion, presence::v1::CompareClaimsRequest, routing::v1::CompareWaitsRequest,
    telephony::v1::ComparePlansRequest,
};
use baton_runtime::Clock;
use std::{collections::HashSet, time::Duration};
use tonic::Status;

/// In one call; the receivers take no more.
const MOST: usize = 10_000;

/// Who is asked.
#[derive(Debug, Clone, Copy)]
pub(super) enum Receiver {
    Telephony,
    Presence,
    Routing,
}

/// Runs until it is dropped.
pub(super) async fn run(
    receiver: Receiver,
    peers: TransferPeers,
    followers: Followers,
    clock: Clock,
    interval: Duration,
) {
    loop {
        clock.sleep(interval).await;
        let _busy = clock.busy();
        let versions = versions(receiver, &followers);
        for chunk in versions.chunks(MOST) {
            match receiver.lacking(&peers, chunk.to_vec()).await {
                Ok(lacking) => push_again(receiver, &followers, chunk, &lacking),
                // A receiver that is down is asked again after the next interval.
                Err(status) => {
                    tracing::debug!(?receiver, code = ?status.code(), reason = status.message(), "not compared");
                }
            }
        }
    }
}

fn versions(receiver: Receiver, followers: &Followers) -> Vec<ProjectionVersion> {
    let followers = followers.lock();
    let accepted = followers.iter().filter_map(|(id, follower)| {
        let version = receiver.version(&follower.accepted.lock())?;
        let tenant = follower.newest.lock().live.tenant.to_string();
        Some(ProjectionVersion { tenant, interaction_id: id.to_string(), version })
    });
    accepted.collect()
}

fn push_again(receiver: Receiver, followers: &Followers, asked: &[ProjectionVersion], lacking: &[String]) {
    if lacking.is_empty() {
        return;
    }
    tracing::warn!(
        ?receiver,
        interactions = lacking.len(),
        "projections that were accepted are lacking; they are pushed again"
    );
    let lacking: HashSet<&String> = lacking.iter().collect();
    let followers = followers.lock();
    for it in asked.iter().filter(|it| lacking.contains(&it.interaction_id)) {
        let Some(follower) = it.interaction_id.parse().ok().and_then(|id| followers.get(&id)) else { continue };
        receiver.forget(&mut follower.accepted.lock(), it.version);
        follower.changed.notify_one();
    }
}

impl Receiver {
    pub(super) const ALL: [Self; 3] = [Self::Telephony, Self::Presence, Self::Routing];

    /// The version of the projection that it accepted last.
    fn version(self, accepted: &AcceptedProjections) -> Option<u64> {
        match self {
            Self::Telephony => accepted.plan.as_ref().map(|it| it.version),
            Self::Presence => accepted.claims.as_ref().map(|it| it.version),
            Self::Routing => accepted.wait.as_ref().map(|it| it.version),
        }
    }

    fn forget(self, accepted: &mut AcceptedProjections, version: u64) {
        match self {
            Self::Telephony => forget(&mut accepted.plan, version),
            Self::Presence => forget(&mut accepted.claims, version),
            Self::Routing => forget(&mut accepted.wait, version),
        }
    }

    async fn lacking(self, peers: &TransferPeers, versions: Vec<ProjectionVersion>) -> Result<Vec<String>, Status> {
        Ok(match self {
            Self::Telephony => {
                let answer = peers.telephony.clone().compare_plans(ComparePlansRequest { versions }).await?;
                answer.into_inner().lacking_interaction_ids
            }
            Self::Presence => {
                let answer = peers.presence.clone().compare_claims(CompareClaimsRequest { versions }).await?;
                answer.into_inner().lacking_interaction_ids
            }
            Self::Routing => {
                let answer = peers.routing.clone().compare_waits(CompareWaitsRequest { versions }).await?;
                answer.into_inner().lacking_interaction_ids
            }
        })
    }
}
