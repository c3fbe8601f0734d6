//! The closed lists.

use crate::list::closed_list;

closed_list! {
    /// What a customer and an agent share.
    Medium {
        Voice = "voice",
        /// They write to each other.
        Chat = "chat",
        /// They see each other, too. So far only pickers know it: there are no such interactions.
        Video = "video",
    }
}

impl Medium {
    /// The parties write: there is nothing to hear, no switch, no phone that rings, and nothing to record.
    pub fn is_written(self) -> bool {
        self == Self::Chat
    }
}

closed_list! {
    /// Who sees what is written in a chat.
    Visibility {
        /// All who are in it.
        Everyone = "everyone",
        /// The agents, and not the customer.
        Agents = "agents",
    }
}

closed_list! {
    /// How a customer is handed over. What a kind means is a row of the policy's table of methods; only the policy asks which kind it is.
    TransferKind {
        /// The initiator is released as soon as somebody is reserved (also: blind, unattended, release).
        Cold = "cold",
        /// The initiator is released when the target answers, and goes on with the customer otherwise (also: success).
        OnAnswer = "on_answer",
        /// The initiator stays until somebody commits (also: attended, consultative, conversation).
        Warm = "warm",
        /// The customer goes through an IVR flow, and the initiator waits for them (also: hang-up).
        RoundTrip = "round_trip",
    }
}

closed_list! {
    /// Where a transfer stands. The last five are final.
    Phase {
        /// Waits for an agent of a team to become free, or for the recipient, who is in another call (B504).
        Waiting = "waiting",
        /// A recipient is being reserved, or is reserved and their phone rings.
        Offered = "offered",
        /// Initiator and recipient talk in private.
        Consulting = "consulting",
        /// Initiator, recipient and customer hear each other.
        Joined = "joined",
        /// The recipient has answered and waits with music; the customer is still with the initiator, who says when (B305).
        Accepted = "accepted",
        /// The initiator is with the customer again, and the recipient waits with music (B602).
        Swapped = "swapped",
        /// The customer is in an IVR flow (B406).
        Away = "away",
        /// The recipient has taken over; telephony has yet to report the customer where they belong.
        HandingOver = "handing_over",
        /// The recipient has the customer.
        Completed = "completed",
        /// The customer went elsewhere.
        Diverted = "diverted",
        /// It did not go through.
        Failed = "failed",
        /// Somebody took it back.
        Cancelled = "cancelled",
        /// The customer left.
        Abandoned = "abandoned",
    }
}

impl Phase {
    /// Not final.
    pub fn is_open(self) -> bool {
        matches!(
            self,
            Self::Waiting
                | Self::Offered
                | Self::Consulting
                | Self::Joined
                | Self::Accepted
                | Self::Swapped
                | Self::Away
                | Self::HandingOver
        )
    }
}

closed_list! {
    /// Where a customer went whom no recipient took.
    DivertedTo {
        /// The recipient's personal voicemail.
        Voicemail = "voicemail",
        /// The next step of the call flow.
        NextStep = "next_step",
        /// Nowhere: the call ended.
        Disconnect = "disconnect",
    }
}

closed_list! {
    /// Why something ended as it did, or did not go through. `baton.common.v1.Reason` says what each means to a client.
    Reason {
        NoAnswer = "no_answer",
        Busy = "busy",
        Offline = "offline",
        NotAvailable = "not_available",
        Declined = "declined",
        Taken = "taken",
        Unreachable = "unreachable",
        CustomerLeft = "customer_left",
        InitiatorLeft = "initiator_left",
        RecipientLeft = "recipient_left",
        Requested = "requested",
        Timeout = "timeout",
        SwitchLost = "switch_lost",
        /// The customer hung up in voicemail.
        Voicemail = "voicemail",
        Disconnected = "disconnected",
        NobodyAvailable = "nobody_available",
        Expired = "expired",
        HungUp = "hung_up",
        /// The queue is closed at this hour.
        QueueClosed = "queue_closed",
        /// Nobody who serves the queue is signed in.
        NobodySignedIn = "nobody_signed_in",
        /// The IVR flow could not be gone through to its end.
        FlowFailed = "flow_failed",
    }
}

closed_list! {
    /// Which way the call was placed.
    Direction {
        /// The customer called.
        Inbound = "inbound",
        /// An agent called.
        Outbound = "outbound",
    }
}

closed_list! {
    /// What is recorded on a number.
    RecordingMode {
        All = "all",
        /// Calls that customers placed.
        Incoming = "incoming",
        /// Calls that agents placed.
        Outgoing = "outgoing",
        /// Only what an agent starts by hand.
        Manual = "manual",
    }
}

impl RecordingMode {
    /// Whether a call of this direction is recorded without anybody's doing (B206).
    pub fn records(self, direction: Direction) -> bool {
        match self {
            Self::All => true,
            Self::Incoming => direction == Direction::Inbound,
            Self::Outgoing => direction == Direction::Outbound,
            Self::Manual => false,
        }
    }
}

closed_list! {
    /// Why a stretch of a tenure is not in its recording.
    Exclusion {
        /// The customer was on hold (B208).
        OnHold = "on_hold",
        /// Somebody paused (B608).
        Paused = "paused",
        /// Nobody had started it by hand (B207), or somebody had stopped it.
        NotStarted = "not_started",
        /// The switch could not write it, several times in a row.
        NotWritten = "not_written",
        /// It was another agent's tenure, and is in that recording (B206).
        OtherTenure = "other_tenure",
        /// The customer was in an IVR flow (B406).
        InFlow = "in_flow",
    }
}

closed_list! {
    /// An agent state, as presence knows it. Reserved and engaged follow from claims and are no states.
    AgentState {
        Offline = "offline",
        Available = "available",
        Away = "away",
        WrapUp = "wrap_up",
        NotResponding = "not_responding",
    }
}

closed_list! {
    /// The sort of a target, as policies speak of it.
    TargetSort {
        Agent = "agent",
        /// Whoever of a team is free.
        Team = "team",
        /// Whoever has the skills that a queue wants.
        Queue = "queue",
        IvrFlow = "ivr_flow",
        /// A number outside.
        External = "external",
    }
}

impl TargetSort {
    /// Whether a customer of this medium can be handed over there: who writes can't be taken to a number outside, or through an IVR flow, which
    /// speaks and listens.
    pub fn is_of(self, medium: Medium) -> bool {
        match self {
            Self::Agent | Self::Team | Self::Queue => true,
            Self::IvrFlow | Self::External => !medium.is_written(),
        }
    }
}

closed_list! {
    /// A room on the switch. Whoever is in the same room hears each other, as its treatment lets them.
    Room {
        /// The customer with whoever serves them.
        Talk = "talk",
        /// The customer alone, with music.
        Hold = "hold",
        /// Agents in private, while the customer is held. Never recorded (B208).
        Consult = "consult",
        /// The customer, before and between agents.
        Lobby = "lobby",
        /// A recipient alone, with music, while the initiator talks with the customer (B305, B602).
        Parked = "parked",
    }
}

closed_list! {
    /// What is heard in a room.
    Treatment {
        /// The members hear each other.
        Conversation = "conversation",
        /// Each member hears music, and nobody anybody.
        HoldMusic = "hold_music",
        /// Each member hears ringing, and nobody anybody.
        Ringback = "ringback",
    }
}

closed_list! {
    /// How the customer's way through an IVR flow ended.
    FlowOutcome {
        /// The flow gave them back.
        Returned = "returned",
        /// The flow came to its end.
        Ended = "ended",
        /// The flow handed them on, by a transfer element.
        Transferred = "transferred",
        /// The customer hung up there.
        Left = "left",
        /// They were taken out of it: an agent did, or time was up.
        TakenBack = "taken_back",
        /// It could not be begun or gone through, or the switch no longer knows.
        Failed = "failed",
    }
}

closed_list! {
    /// How an exit to voicemail ended.
    ExitOutcome {
        /// The customer came back.
        Returned = "returned",
        /// The customer hung up there.
        Left = "left",
        /// It could not be done, or the switch no longer knows.
        Unknown = "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_written_and_read_by_name() {
        for reason in Reason::ALL {
            assert_eq!(Reason::parse(reason.name()), Some(*reason));
            let text = serde_json::to_string(reason).expect("it can be written");
            assert_eq!(serde_json::from_str::<Reason>(&text).expect("it can be read"), *reason);
        }
        let error = serde_json::from_str::<Room>("\"kitchen\"").expect_err("no such room").to_string();
        assert!(error.contains("unknown variant `kitchen`, expected one of `talk`, `hold`"), "{error}");
    }
}
