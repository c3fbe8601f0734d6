//! The transfers as people see them: the open one and those that have ended, in one form.

use crate::{
    actor::Target,
    interaction::{Hop, Interaction, Party},
    machine::{Search, Transfer},
    policy::Policy,
};
use baton_words::{AgentId, DivertedTo, Phase, Reason, TransferKind, TransferNo};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A transfer, open or ended. Times are microseconds since the epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransferRecord {
    pub no: TransferNo,
    pub kind: TransferKind,
    pub target: Target,
    pub initiator: AgentId,
    /// Who receives: as soon as there is one, also while their phone rings; and who has received.
    pub recipient: Option<AgentId>,
    /// The target outside receives, or has received.
    #[serde(default)]
    pub outside: bool,
    pub message: Arc<str>,
    /// What it is for: one of the policy's outcomes, or empty (B503).
    #[serde(default)]
    pub outcome: Arc<str>,
    pub phase: Phase,
    pub reason: Option<Reason>,
    /// Where the customer went instead.
    pub diverted_to: Option<DivertedTo>,
    pub started_at_us: i64,
    pub ended_at_us: Option<i64>,
    /// When something will happen although nobody does anything.
    pub deadline_us: Option<i64>,
}

/// The open transfer.
pub fn open_transfer(i: &Interaction, policy: &Policy) -> Option<TransferRecord> {
    let open = i.transfer.as_ref()?;
    Some(TransferRecord {
        no: open.no,
        kind: open.kind,
        target: open.target.clone(),
        initiator: open.initiator.id,
        recipient: recipient(i, open),
        outside: open.target.external().is_some(),
        message: open.message.clone(),
        outcome: open.outcome.clone(),
        phase: open.phase(),
        reason: open.search().and_then(|search| search.last_failure),
        diverted_to: None,
        started_at_us: open.started_at_us,
        ended_at_us: None,
        deadline_us: super::deadline(i, policy),
    })
}

/// All transfers, oldest first, the open one last.
pub fn transfers(i: &Interaction, policy: &Policy) -> impl Iterator<Item = TransferRecord> {
    i.journey.iter().filter_map(TransferRecord::of_hop).chain(open_transfer(i, policy))
}

fn recipient(i: &Interaction, open: &Transfer) -> Option<AgentId> {
    let rung = |search: &Search| match search.offers.as_slice() {
        [only] => Some(only.agent.id),
        _ => None,
    };
    let answered = open.recipient().and_then(|no| i.party(no)).and_then(Party::agent_id);
    answered.or_else(|| open.search().and_then(rung))
}

impl TransferRecord {
    /// The transfer that made this hop; none for a hop of the call flow.
    pub fn of_hop(hop: &Hop) -> Option<Self> {
        let by = hop.by.as_ref()?;
        Some(Self {
            no: by.transfer,
            kind: by.kind,
            target: hop.target.clone(),
            initiator: by.from,
            recipient: hop.outcome.to(),
            outside: hop.outcome.to_outside(),
            message: by.message.clone(),
            outcome: by.outcome.clone(),
            phase: hop.outcome.phase(),
            reason: hop.outcome.reason(),
            diverted_to: hop.outcome.diverted_to(),
            started_at_us: hop.started_at_us,
            ended_at_us: Some(hop.ended_at_us),
            deadline_us: None,
        })
    }
}
