//! The shared closed lists as the contract writes them, both ways. A list that gets a new value does not compile until it is written here.

use crate::{
    common::v1 as wire, presence::v1::AgentState as WireAgentState, telephony::v1::room::Treatment as WireTreatment,
};
use baton_words as words;

/// Reads a value of the contract into a closed list.
pub trait Known {
    type Word;

    /// None: unspecified, or a value of a later version.
    fn known(self) -> Option<Self::Word>;
}

macro_rules! written_as {
    ($word:ty => $wire:ty { $($variant:ident),+ $(,)? }) => {
        impl From<$word> for $wire {
            fn from(word: $word) -> Self {
                match word { $(<$word>::$variant => <$wire>::$variant,)+ }
            }
        }

        impl Known for $wire {
            type Word = $word;

            fn known(self) -> Option<$word> {
                match self {
                    $(<$wire>::$variant => Some(<$word>::$variant),)+
                    <$wire>::Unspecified => None,
                }
            }
        }
    };
}

written_as!(words::Medium => wire::Medium { Voice, Chat, Video });
written_as!(words::Direction => wire::Direction { Inbound, Outbound });
written_as!(words::TransferKind => wire::TransferKind { Cold, OnAnswer, Warm });
written_as!(words::DivertedTo => wire::DivertedTo { Voicemail, NextStep, Disconnect });
written_as!(words::RecordingMode => wire::RecordingMode { All, Incoming, Outgoing, Manual });
written_as!(words::Exclusion => wire::ExclusionReason { OnHold, Paused, NotStarted, NotWritten, OtherTenure });
written_as!(words::TargetSort => wire::TargetSort { Agent, Team });
written_as!(words::AgentState => WireAgentState { Offline, Available, Away, WrapUp, NotResponding });
written_as!(words::Treatment => WireTreatment { Conversation, HoldMusic, Ringback });
written_as!(words::Phase => wire::TransferPhase {
    Waiting, Offered, Consulting, Joined, Accepted, Swapped, HandingOver, Completed, Diverted, Failed, Cancelled,
    Abandoned,
});
written_as!(words::Reason => wire::Reason {
    NoAnswer, Busy, Offline, NotAvailable, Declined, Taken, Unreachable, CustomerLeft, InitiatorLeft, RecipientLeft,
    Requested, Timeout, SwitchLost, Voicemail, Disconnected, NobodyAvailable, Expired, HungUp,
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_of_the_contract_reads_back() {
        for reason in words::Reason::ALL {
            assert_eq!(wire::Reason::from(*reason).known(), Some(*reason));
        }
        assert_eq!(wire::Reason::Unspecified.known(), None);
    }
}
