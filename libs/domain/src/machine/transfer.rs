//! The transfer: one handing over of a customer. [`Transfer::course`] is the whole saga: what an input means in each state, by the policy's
//! method. It changes nothing; `react/connect.rs` follows the course.

use super::Search;
use crate::{
    actor::{AgentRef, Target},
    interaction::PartyNo,
    policy::{AfterFailure, AnsweredWhileResumed, CustomerMeanwhile, Ending, Fallback, HoldAfterComplete, Method},
    policy::{InteractionRules, OnUnanswered, PhaseRules, QueueSuccess, ReleaseMoment},
};
use baton_words::{DivertedTo, Phase, Reason, TransferKind, TransferNo};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One handing over of a customer, while it is open. Times are microseconds since the epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    pub no: TransferNo,
    pub kind: TransferKind,
    /// To whom it was started.
    pub target: Target,
    /// Who transfers. Another agent who is there takes the part over when they leave.
    pub initiator: AgentRef,
    /// Shown to the recipient; may be empty.
    pub message: Arc<str>,
    /// What it is for: one of the policy's outcomes, or empty (B503).
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub outcome: Arc<str>,
    pub state: TransferState,
    /// The customer was taken off hold while it was open (B106): if it fails, they stay so.
    pub resumed: bool,
    pub started_at_us: i64,
    /// When this state began.
    pub since_us: i64,
}

/// Where a transfer stands, with what is true there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransferState {
    /// A recipient is being looked for: waited for, reserved, rung.
    Seeking(Box<Search>),
    /// Initiator and recipient talk in private.
    Consulting { recipient: PartyNo },
    /// All three hear each other.
    Joined { recipient: PartyNo },
    /// The recipient has answered and waits alone; the customer is still with the initiator (B305).
    Accepted { recipient: PartyNo },
    /// The initiator is with the customer again, and the recipient waits alone (B602).
    Swapped { recipient: PartyNo },
    /// The recipient has taken over; telephony has yet to report the customer where they belong.
    HandingOver { recipient: PartyNo },
    /// The customer is in an IVR flow, or on their way into it (B406).
    Away,
}

/// What a transfer takes in.
#[derive(Debug, Clone, Copy)]
pub(crate) enum TransferInput {
    /// It waits in the queue of a team.
    Enqueued,
    /// An agent is reserved, and their phone is to ring.
    Reserved,
    RecipientAnswered(PartyNo),
    /// Nobody was found.
    SearchOver(Reason),
    InitiatorLeft,
    RecipientLeft(Reason),
    CustomerHeld,
    CustomerResumed,
    InitiatorMuted,
    /// The initiator goes to whom they are not with.
    Swap,
    Cancel(Reason),
    Complete,
    /// The state has lasted as long as it may.
    PhaseOver,
    /// The customer is to go into an IVR flow.
    SentAway,
    /// The customer is seen in it.
    InFlow,
    /// The customer comes out of it; false: nobody knows how far they came.
    FlowOver(bool),
}

/// What else there is to know.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Situation {
    pub(crate) initiator_present: bool,
    pub(crate) held: bool,
}

/// What becomes of a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Course {
    /// Nothing.
    Same,
    /// The world begins to follow it.
    Offering {
        hold: bool,
        release_initiator: bool,
    },
    Consult {
        recipient: PartyNo,
    },
    Join {
        recipient: PartyNo,
    },
    /// The recipient waits; the customer stays with the initiator.
    Accept {
        recipient: PartyNo,
    },
    /// The initiator goes to the customer, and the recipient waits.
    Swap {
        recipient: PartyNo,
    },
    /// The recipient takes over.
    HandOver {
        recipient: PartyNo,
        release_initiator: bool,
        keep_hold: bool,
    },
    /// It still looks for somebody, and the initiator has left.
    WithoutInitiator,
    /// It did not go through; the initiator still has the customer. `hold`: what becomes of the hold, where the policy says it.
    Fail {
        reason: Reason,
        hold: Option<bool>,
    },
    /// It is taken back; the initiator still has the customer.
    Cancel {
        reason: Reason,
        hold: Option<bool>,
    },
    /// The initiator took it back by leaving.
    CancelByLeaving,
    /// Neither recipient nor initiator: the customer goes where the fallback says (B102).
    Divert(Reason),
    /// It was lost after the recipient had taken over.
    Lose(Reason),
    /// The customer goes into an IVR flow.
    SendAway {
        release_initiator: bool,
    },
    /// They are in it for good.
    LeftInFlow,
    /// They are back with the initiator.
    Return,
}

impl Transfer {
    pub fn search(&self) -> Option<&Search> {
        match &self.state {
            TransferState::Seeking(search) => Some(search),
            _ => None,
        }
    }

    /// The party who receives: from their answer on.
    pub fn recipient(&self) -> Option<PartyNo> {
        match self.state {
            TransferState::Seeking(_) | TransferState::Away => None,
            TransferState::Consulting { recipient }
            | TransferState::Joined { recipient }
            | TransferState::Accepted { recipient }
            | TransferState::Swapped { recipient }
            | TransferState::HandingOver { recipient } => Some(recipient),
        }
    }

    pub(crate) fn goes_outside(&self) -> bool {
        self.target.external().is_some()
    }

    /// Nobody has taken over yet.
    pub fn is_undecided(&self) -> bool {
        !matches!(self.state, TransferState::HandingOver { .. })
    }

    pub fn phase(&self) -> Phase {
        match &self.state {
            TransferState::Seeking(search) if search.waiting() => Phase::Waiting,
            TransferState::Seeking(_) => Phase::Offered,
            TransferState::Consulting { .. } => Phase::Consulting,
            TransferState::Joined { .. } => Phase::Joined,
            TransferState::Accepted { .. } => Phase::Accepted,
            TransferState::Swapped { .. } => Phase::Swapped,
            TransferState::HandingOver { .. } => Phase::HandingOver,
            TransferState::Away => Phase::Away,
        }
    }

    /// What holds in this state; nothing once the recipient has taken over. A consult without rules is one of a policy that has since lost
    /// them: it is ruled as an offer is, where the initiator may take it back.
    pub(crate) fn rules<'a>(&self, method: &'a Method) -> Option<&'a PhaseRules> {
        let consult = method.consult.as_ref();
        match self.state {
            TransferState::Seeking(_) => Some(&method.offered),
            TransferState::Consulting { .. } | TransferState::Accepted { .. } | TransferState::Swapped { .. } => {
                Some(consult.map_or(&method.offered, |rules| &rules.consulting))
            }
            TransferState::Joined { .. } => Some(consult.map_or(&method.offered, |rules| &rules.joined)),
            TransferState::HandingOver { .. } => None,
            // As for a consult: a policy that has since lost the rules.
            TransferState::Away => Some(method.away.as_ref().unwrap_or(&method.offered)),
        }
    }

    /// When its state has lasted as long as it may.
    pub fn deadline_us(&self, method: &Method, house: &InteractionRules) -> i64 {
        let max_ms = self.rules(method).map_or(house.hand_over_ms, |rules| rules.max_ms);
        self.since_us + max_ms * 1000
    }

    /// What an input means now.
    pub(crate) fn course(&self, input: TransferInput, method: &Method, now: Situation) -> Course {
        use TransferInput as In;
        use TransferState as At;
        match (&self.state, input) {
            (At::Seeking(search), In::Enqueued) if Self::follows_when_enqueued(search, method) => {
                self.offering(method, now)
            }
            (At::Seeking(_), In::Reserved) => self.offering(method, now),
            (At::Seeking(_), In::RecipientAnswered(recipient)) => self.answered(recipient, method, now),
            (At::Seeking(_), In::SearchOver(reason)) => self.unanswered(reason, method, now),
            (At::Seeking(_), In::InitiatorLeft) if method.offered.initiator_leaves == Ending::Cancel => {
                Course::CancelByLeaving
            }
            (At::Seeking(_), In::InitiatorLeft) => Course::WithoutInitiator,
            (At::HandingOver { .. }, In::PhaseOver) => Course::Lose(Reason::Timeout),
            (At::HandingOver { .. }, In::RecipientLeft(Reason::SwitchLost)) => Course::Lose(Reason::SwitchLost),
            (At::HandingOver { .. }, In::RecipientLeft(_)) => Course::Lose(Reason::RecipientLeft),
            (At::HandingOver { .. }, _) => Course::Same,
            (At::Joined { recipient } | At::Accepted { recipient } | At::Swapped { recipient }, In::CustomerHeld)
            | (At::Accepted { recipient } | At::Swapped { recipient }, In::Swap) => {
                Course::Consult { recipient: *recipient }
            }
            (At::Consulting { recipient }, In::Swap) => Course::Swap { recipient: *recipient },
            (At::Consulting { recipient }, In::CustomerResumed) => Course::Join { recipient: *recipient },
            (
                At::Consulting { recipient }
                | At::Joined { recipient }
                | At::Accepted { recipient }
                | At::Swapped { recipient },
                input,
            ) => self.with_recipient(*recipient, input, method, now),
            (At::Away, input) => self.away(input, method, now),
            (_, In::PhaseOver) => Self::cancel(Reason::Timeout, method, now),
            (_, In::Cancel(reason)) => Self::cancel(reason, method, now),
            _ => Course::Same,
        }
    }

    /// In the consult, in the three-way, and while the recipient waits.
    fn with_recipient(&self, recipient: PartyNo, input: TransferInput, method: &Method, now: Situation) -> Course {
        use TransferInput as In;
        let (mutes, rules) = (method.mute_hands_over(), self.rules(method));
        let completes = |ending: fn(&PhaseRules) -> Ending| rules.is_some_and(|it| ending(it) == Ending::Complete);
        match input {
            In::InitiatorLeft if !completes(|rules| rules.initiator_leaves) => Course::CancelByLeaving,
            In::InitiatorLeft => self.hand_over(recipient, method, false),
            // Nobody is left alone with a stranger who can do nothing in Baton: whoever hands over outside says so.
            In::InitiatorMuted if mutes && !self.goes_outside() => self.hand_over(recipient, method, false),
            In::Complete => self.hand_over(recipient, method, true),
            In::PhaseOver if completes(|rules| rules.on_timeout) => self.hand_over(recipient, method, true),
            In::PhaseOver => Self::cancel(Reason::Timeout, method, now),
            In::Cancel(reason) => Self::cancel(reason, method, now),
            In::RecipientLeft(_) => self.fail(Reason::RecipientLeft, method),
            _ => Course::Same,
        }
    }

    /// Whether the world begins to follow it when it waits: of a queue its own field says it (B404).
    fn follows_when_enqueued(search: &Search, method: &Method) -> bool {
        match search.target.queue() {
            Some(_) => method.queue_success == QueueSuccess::Enqueued,
            None => method.released == ReleaseMoment::Enqueued,
        }
    }

    /// While the customer is in an IVR flow.
    fn away(&self, input: TransferInput, method: &Method, now: Situation) -> Course {
        use TransferInput as In;
        let comes_back = method.released == ReleaseMoment::Never;
        let leaves = self.rules(method).map(|rules| rules.initiator_leaves);
        match input {
            In::SentAway => Course::SendAway { release_initiator: !comes_back },
            In::InFlow if !comes_back => Course::LeftInFlow,
            In::FlowOver(true) if now.initiator_present => Course::Return,
            In::FlowOver(false) if now.initiator_present => self.fail(Reason::FlowFailed, method),
            In::FlowOver(false) => Course::Divert(Reason::FlowFailed),
            In::InitiatorLeft if leaves == Some(Ending::Continue) => Course::WithoutInitiator,
            In::FlowOver(true) | In::InitiatorLeft => Course::Divert(Reason::InitiatorLeft),
            In::Cancel(reason) => Self::cancel(reason, method, now),
            In::PhaseOver => Self::cancel(Reason::Timeout, method, now),
            _ => Course::Same,
        }
    }

    /// Nothing changes before somebody is reserved, or waits where the policy says so (F2).
    fn offering(&self, method: &Method, now: Situation) -> Course {
        let hold = method.customer == CustomerMeanwhile::Hold && !self.resumed && now.initiator_present;
        let early = matches!(method.released, ReleaseMoment::Reserved | ReleaseMoment::Enqueued);
        let of_queue = self.search().is_some_and(|search| search.target.queue().is_some());
        let release_initiator = early && (!of_queue || method.queue_success == QueueSuccess::Enqueued);
        Course::Offering { hold, release_initiator }
    }

    fn answered(&self, recipient: PartyNo, method: &Method, now: Situation) -> Course {
        match &method.consult {
            Some(consult) if now.initiator_present => match consult.answered_while_resumed {
                _ if now.held => Course::Consult { recipient },
                AnsweredWhileResumed::Join => Course::Join { recipient },
                AnsweredWhileResumed::Hold => Course::Consult { recipient },
                AnsweredWhileResumed::Wait => Course::Accept { recipient },
            },
            _ => self.hand_over(recipient, method, true),
        }
    }

    fn hand_over(&self, recipient: PartyNo, method: &Method, release_initiator: bool) -> Course {
        let keep = method.consult.as_ref().is_some_and(|it| it.hold_after_complete == HoldAfterComplete::Keep);
        // Whoever is outside could not take the customer off hold.
        let keep_hold = keep && !self.goes_outside() && matches!(self.state, TransferState::Consulting { .. });
        Course::HandOver { recipient, release_initiator, keep_hold }
    }

    /// Nobody answered, or nobody could be had.
    fn unanswered(&self, reason: Reason, method: &Method, now: Situation) -> Course {
        if now.initiator_present && method.on_unanswered == OnUnanswered::Fail {
            return self.fail(reason, method);
        }
        Course::Divert(reason)
    }

    /// B105 has the customer on hold after a failure, also when it never rang. While a team or a queue is waited for, they talk with the initiator, and
    /// that nobody came is no reason to part them.
    fn fail(&self, reason: Reason, method: &Method) -> Course {
        let hold = match method.after_failure {
            AfterFailure::Held => (!self.resumed && self.target.pool().is_none()).then_some(true),
            AfterFailure::AsIs => None,
            AfterFailure::Resumed => Some(false),
        };
        Course::Fail { reason, hold }
    }

    fn cancel(reason: Reason, method: &Method, now: Situation) -> Course {
        if !now.initiator_present {
            return Course::Divert(reason);
        }
        Course::Cancel { reason, hold: (method.after_failure == AfterFailure::Resumed).then_some(false) }
    }

    /// Where a customer goes whom nobody takes: the first of the fallback chain that is possible (B102).
    pub(crate) fn diverted_to(&self, method: &Method, skip_voicemail: bool, more_steps: bool) -> DivertedTo {
        let has_box = !skip_voicemail && matches!(&self.target, Target::Agent(agent) if agent.voicemail);
        let possible = method.offer.fallback.iter().find_map(|fallback| match fallback {
            Fallback::Voicemail => has_box.then_some(DivertedTo::Voicemail),
            Fallback::NextStep => more_steps.then_some(DivertedTo::NextStep),
            Fallback::Disconnect => Some(DivertedTo::Disconnect),
        });
        possible.unwrap_or(DivertedTo::Disconnect)
    }
}
