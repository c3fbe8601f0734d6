//! When two worlds are alike: whatever happens next means the same in both. Then only one of them is looked at.
//!
//! What is left out: numbers (of legs, claims, segments), as things are told apart by their order; what was only written down (the journey but for how
//! often the customer was handed on, notes, times that are measured); and the length of time. Of that remains the order of the
//! deadlines, and how many of the policy's durations still fit before each.

use crate::{
    timers::{self, Timers},
    world::{World, number_of},
};
use baton_domain::{
    Policy, Target,
    interaction::{ExitTo, Interaction, LegState, Party, Seeker, Stage},
    machine::{OfferState, Recorder, Round, Search, Transfer, TransferState},
    policy::Method,
};
use baton_words::{RecordingNo, Room};
use smallvec::SmallVec;
use std::hash::{DefaultHasher, Hash, Hasher};

/// What the policy makes worth comparing.
#[derive(Debug)]
pub(crate) struct Likeness {
    /// See [`timers::durations`].
    durations: Vec<i64>,
    /// Who mutes themselves may hand over by it.
    mute_matters: bool,
}

impl Likeness {
    pub(crate) fn new(policy: &Policy) -> Self {
        let hands_over = |method: &Method| method.consult.as_ref().is_some_and(|consult| consult.mute_hands_over);
        let mute_matters = policy.methods.values().any(hands_over);
        Self { durations: timers::durations(policy), mute_matters }
    }

    /// The same for all worlds that are alike.
    pub(crate) fn of(&self, world: &World, policy: &Policy) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.hash(world, policy, &mut hasher);
        hasher.finish()
    }

    fn hash(&self, world: &World, policy: &Policy, h: &mut impl Hasher) {
        let i = &world.interaction;
        world.broken.hash(h);
        h.write(&[i.parties.len() as u8, position(i, i.customer)]);
        i.parties.iter().for_each(|party| self.party(party, h));
        stage(i, h);
        // What is left of the call flow: an IVR flow may have put a step before it, which is taken at once.
        h.write_usize(i.flow.steps.len());
        h.write_usize(i.flow.next);
        if let Some(transfer) = &i.transfer {
            open_transfer(i, transfer, h);
        }
        h.write_u32(i.counters.transfer);
        let hops = i.journey.iter().filter(|hop| hop.by.is_some() && hop.outcome.reached());
        h.write_usize(hops.count());
        recorder(&i.recorder, h);
        self.timers(&timers::armed(i, policy), world.now_us, h);
    }

    fn party(&self, party: &Party, h: &mut impl Hasher) {
        h.write_u8(party.agent_id().map_or(0, number_of));
        party.external().is_some().hash(h);
        match party.leg.state {
            LegState::Planned => h.write_u8(0),
            LegState::Ringing { .. } => h.write_u8(1),
            LegState::Over => h.write_u8(2),
            LegState::Up { seen_in } => h.write_u8(seen(seen_in)),
        }
        (party.muted && self.mute_matters).hash(h);
    }

    /// Of each deadline: how many come before it, and how many of the durations fit before it.
    fn timers(&self, timers: &Timers, now_us: i64, h: &mut impl Hasher) {
        h.write_u8(timers.len() as u8);
        for at_us in timers {
            let mut before: SmallVec<[i64; 12]> = timers.iter().copied().filter(|other| other < at_us).collect();
            before.sort_unstable();
            before.dedup();
            let left_us = at_us - now_us;
            h.write_u8(before.len() as u8);
            h.write_u8(self.durations.iter().filter(|duration| **duration <= left_us).count() as u8);
        }
    }
}

fn stage(i: &Interaction, h: &mut impl Hasher) {
    match &i.stage {
        Stage::Seeking(Seeker::Flow(own)) => search(1, own, h),
        Stage::Seeking(Seeker::Caller(own)) => search(2, own, h),
        Stage::Seeking(Seeker::Transfer) => h.write_u8(3),
        Stage::Served(service) => {
            h.write_u8(4);
            h.write_u8(position(i, service.primary));
            service.hold.is_some().hash(h);
            service.away.is_some().hash(h);
            service.away.iter().for_each(|exit| exit_to(&exit.to, h));
        }
        Stage::Exiting(exit) => {
            h.write_u8(5);
            exit_to(&exit.to, h);
        }
        Stage::Farewell { .. } => h.write_u8(6),
        Stage::Ended(_) => h.write_u8(7),
    }
}

fn exit_to(to: &ExitTo, h: &mut impl Hasher) {
    match to {
        ExitTo::Mailbox(mailbox) => (mailbox.len() > 20).hash(h),
        ExitTo::Flow(visit) => {
            h.write(&[2, visit.kind as u8, visit.known as u8]);
            (visit.seen, visit.flow.transfers_on()).hash(h);
        }
    }
}

fn open_transfer(i: &Interaction, transfer: &Transfer, h: &mut impl Hasher) {
    h.write_u8(transfer.kind as u8);
    target(&transfer.target, h);
    h.write_u8(number_of(transfer.initiator.id));
    transfer.resumed.hash(h);
    match &transfer.state {
        TransferState::Seeking(own) => search(1, own, h),
        TransferState::Consulting { recipient } => h.write(&[2, position(i, *recipient)]),
        TransferState::Joined { recipient } => h.write(&[3, position(i, *recipient)]),
        TransferState::HandingOver { recipient } => h.write(&[4, position(i, *recipient)]),
        TransferState::Swapped { recipient } => h.write(&[5, position(i, *recipient)]),
        TransferState::Accepted { recipient } => h.write(&[6, position(i, *recipient)]),
        TransferState::Away => h.write_u8(7),
    }
}

fn seen(room: Option<Room>) -> u8 {
    match room {
        Some(Room::Talk) => 3,
        Some(Room::Hold) => 4,
        _ => 5,
    }
}

/// Which of the parties it is, in order of arrival.
fn position(i: &Interaction, no: baton_domain::interaction::PartyNo) -> u8 {
    i.parties.iter().position(|party| party.no == no).map_or(u8::MAX, |at| at as u8)
}

fn target(target: &Target, h: &mut impl Hasher) {
    match target {
        Target::Agent(agent) => h.write_u8(number_of(agent.id)),
        Target::Team { .. } => h.write_u8(0),
        Target::Queue(queue) => h.write(&[200, queue.id.0.as_u128() as u8]),
        Target::External(_) => h.write_u8(201),
        Target::IvrFlow(_) => h.write_u8(u8::MAX),
    }
}

fn search(sort: u8, search: &Search, h: &mut impl Hasher) {
    h.write_u8(sort);
    target(&search.target, h);
    h.write_u8(match search.round {
        Round::Open(_) => 1,
        Round::Proposed => 2,
        Round::Paused { .. } => 3,
        Round::Over => 4,
    });
    search.entered.hash(h);
    search.outside.is_some().hash(h);
    h.write(&[search.skip.len() as u8, search.offers.len() as u8]);
    for skipped in &search.skip {
        h.write(&[1, number_of(skipped.agent), u8::from(skipped.until_us.is_some())]);
    }
    for offer in &search.offers {
        let state = match offer.state {
            OfferState::Claiming { .. } => 0,
            OfferState::Ringing { .. } => 1,
            OfferState::Queued { .. } => 2,
        };
        h.write(&[2, number_of(offer.agent.id), state, offer.redials]);
    }
}

fn recorder(recorder: &Recorder, h: &mut impl Hasher) {
    let mut recordings = SmallVec::<[RecordingNo; 4]>::new();
    let mut renamed = |no: Option<RecordingNo>| -> u8 {
        let Some(no) = no else { return 0 };
        let at = recordings.iter().position(|known| *known == no).unwrap_or_else(|| {
            recordings.push(no);
            recordings.len() - 1
        });
        at as u8 + 1
    };
    recorder.automatic.hash(h);
    h.write(&[u8::from(recorder.by_hand), u8::from(recorder.paused), recorder.failures]);
    h.write(&[recorder.suspended.len() as u8, recorder.closing.len() as u8, recorder.ending.len() as u8]);
    if let Some(tenure) = recorder.tenure {
        h.write(&[1, number_of(tenure.agent), renamed(tenure.recording)]);
    }
    for suspended in &recorder.suspended {
        h.write(&[2, number_of(suspended.tenure.agent), renamed(suspended.tenure.recording)]);
    }
    if let Some(segment) = recorder.current {
        h.write(&[3, renamed(Some(segment.recording)), u8::from(segment.live)]);
    }
    for segment in &recorder.closing {
        h.write(&[4, renamed(Some(segment.recording)), u8::from(segment.live)]);
    }
    for ending in &recorder.ending {
        h.write(&[5, renamed(Some(*ending))]);
    }
    h.write_u8(recorder.gap.map_or(0, |gap| gap.reason as u8 + 1));
}
