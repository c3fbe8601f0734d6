//! What an interaction begins with.

use super::{Counters, Interaction, Leg, LegSource, LegState, Party, PartyNo, Seeker, Stage, Tally, Who};
use crate::machine::{Flow, FlowStep, Recorder};
use baton_words::{Direction, InteractionId, Medium, RecordingMode, SwitchId};
use smallvec::{SmallVec, smallvec};
use std::{collections::BTreeMap, sync::Arc};

/// What was looked up when the call came in, or was placed; frozen from then on.
#[derive(Debug, Clone)]
pub struct Opening {
    pub id: InteractionId,
    pub tenant: Arc<str>,
    /// The switch that the call is on.
    pub switch: SwitchId,
    /// The number that was called, or called from.
    pub number: Arc<str>,
    /// The customer's number or address; may be empty. Personal data.
    pub customer: Arc<str>,
    /// A stable pseudonym of the customer within the tenant; empty without a number.
    pub customer_key: Arc<str>,
    /// How the customer is connected, or will be.
    pub origin: LegSource,
    /// The id of the number's call flow; none without one.
    pub flow_id: Option<Arc<str>>,
    pub steps: Vec<FlowStep>,
    /// See [`Flow::skip_voicemail`].
    pub skip_voicemail: bool,
    /// What is recorded on the number.
    pub recording: RecordingMode,
    /// The version of the tenant's policy.
    pub policy_version: u64,
}

impl Interaction {
    /// The state before anything has happened. Nobody is looked for yet: whoever opens it begins that at once.
    pub(crate) fn new(opening: Opening, now_us: i64) -> Self {
        let inbound = matches!(opening.origin, LegSource::Inbound(_) | LegSource::Written);
        let medium = if opening.origin == LegSource::Written { Medium::Chat } else { Medium::Voice };
        let direction = if inbound { Direction::Inbound } else { Direction::Outbound };
        // Nothing is heard, and so nothing recorded: the messages are the record.
        let recording = if medium.is_written() { RecordingMode::Manual } else { opening.recording };
        // Nobody speaks after a tone, either.
        let mut steps = opening.steps;
        steps.retain(|step| !(medium.is_written() && matches!(step, FlowStep::Voicemail(_))));
        let mut counters = Counters { party: 1, ..Counters::default() };
        let state = if inbound { LegState::Up { seen_in: None } } else { LegState::Planned };
        let customer = Party {
            no: PartyNo(1),
            who: Who::Customer { address: opening.customer },
            leg: Leg { no: counters.next_leg(), origin: opening.origin, state },
            muted: false,
            since_us: now_us,
            from_queue: None,
        };
        Self {
            id: opening.id,
            tenant: opening.tenant,
            switch: opening.switch,
            version: 0,
            sequence: 0,
            opened_at_us: now_us,
            updated_at_us: now_us,
            medium,
            direction,
            number: opening.number,
            customer: customer.no,
            customer_key: opening.customer_key,
            parties: smallvec![customer],
            stage: Stage::Seeking(Seeker::Transfer),
            flow: Flow {
                id: opening.flow_id,
                steps,
                next: 0,
                skip_voicemail: opening.skip_voicemail || medium.is_written(),
            },
            transfer: None,
            journey: Vec::new(),
            notes: Vec::new(),
            data: BTreeMap::new(),
            participations: Vec::new(),
            recorder: Recorder::new(recording, direction),
            released: SmallVec::new(),
            tally: Tally { counted_to_us: now_us, ..Tally::default() },
            counters,
            policy_version: opening.policy_version,
        }
    }
}
