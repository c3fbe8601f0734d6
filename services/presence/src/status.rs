//! The status of an agent, and how it changes: a pure function.
//!
//! The shown state follows from four facts, the first that applies: there is no session (`OFFLINE`), the agent missed an offer
//! (`NOT_RESPONDING`), they finish work after a call (`WRAP_UP`), or the state that they last requested. The second and third are
//! automatic and hide the requested state; a new request clears them (A4: the agent's last explicit request wins), but for a wrap-up that
//! lasts until the agent has dispositioned their turn (B507). A missed offer
//! is also cleared when the agent answers a call, or connects after they were offline; not when their client connects once more
//! (B604): clients do so by themselves, in front of an empty chair. A claim on the agent does not change the shown state; it only
//! takes room: for one call, in which everybody who has the same phone is not available either (F4), and for so many chats as their capacity says (A1).

use crate::record::{Capacity, ClaimMedium};

/// The state that others see.
pub(crate) use baton_words::AgentState as ShownState;

/// The state that an agent last requested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RequestedState {
    Available,
    /// With the reason, which may be empty.
    Away(String),
}

/// How a claim occupies an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Occupied {
    /// An offer is made to them.
    Reserved,
    /// They are in the interaction.
    Engaged,
}

/// The work after a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WrapUp {
    pub(crate) until_us: i64,
    /// The call.
    pub(crate) interaction_id: String,
    /// The calls that they have yet to disposition, in the order in which they left them: it goes on until they have, and a state that they request
    /// shows afterwards (B507). Empty: nothing is due.
    pub(crate) due: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AgentStatus {
    pub(crate) online: bool,
    pub(crate) requested: RequestedState,
    /// Set until the timer, a requested state or, where it is due, a disposition clears it.
    pub(crate) wrap_up: Option<WrapUp>,
    pub(crate) not_responding: bool,
    /// By a call.
    pub(crate) occupied: Option<Occupied>,
    /// The chats that they are in, or are being offered.
    pub(crate) chats: i64,
    /// How many of each they may have at once.
    pub(crate) capacity: Capacity,
    /// Another agent who has the same phone is occupied.
    pub(crate) phone_in_use: bool,
    /// When [`AgentStatus::state`] last changed, or the reason for being away.
    pub(crate) state_since_us: i64,
    /// When they last became available.
    pub(crate) idle_since_us: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StatusChange {
    /// A session began; its client may request a state.
    Connected(Option<RequestedState>),
    /// The last session ended.
    Disconnected,
    StateRequested(RequestedState),
    /// An offer was not answered in time.
    OfferMissed,
    /// They left a call and finish their work.
    WrapUpBegan(WrapUp),
    WrapUpEnded,
    /// They have dispositioned this call.
    Dispositioned(String),
    /// A claim for a call reserves or engages them.
    Occupied(Occupied),
    /// The claim for a call on them is over.
    Freed,
    /// They are offered another chat, or are in it.
    ChatTaken(Occupied),
    /// They have accepted a chat that was offered.
    ChatAccepted,
    /// One of their chats is over for them.
    ChatFreed,
    /// A claim on another agent takes the phone that both have.
    PhoneTaken,
    /// That claim is over.
    PhoneFreed,
}

impl StatusChange {
    /// A claim of this medium is new.
    pub(crate) fn taken(medium: ClaimMedium, occupied: Occupied) -> Self {
        match medium {
            ClaimMedium::Voice => Self::Occupied(occupied),
            ClaimMedium::Chat => Self::ChatTaken(occupied),
        }
    }

    /// A claim of this medium is over.
    pub(crate) fn freed(medium: ClaimMedium) -> Self {
        match medium {
            ClaimMedium::Voice => Self::Freed,
            ClaimMedium::Chat => Self::ChatFreed,
        }
    }
}

impl AgentStatus {
    /// The status of an agent who was just created.
    pub(crate) fn new(now_us: i64) -> Self {
        Self {
            online: false,
            requested: RequestedState::Available,
            wrap_up: None,
            not_responding: false,
            occupied: None,
            chats: 0,
            capacity: Capacity::default(),
            phone_in_use: false,
            state_since_us: now_us,
            idle_since_us: now_us,
        }
    }

    /// The shown state.
    pub(crate) fn state(&self) -> ShownState {
        match (&self.requested, &self.wrap_up) {
            _ if !self.online => ShownState::Offline,
            _ if self.not_responding => ShownState::NotResponding,
            (_, Some(_)) => ShownState::WrapUp,
            (RequestedState::Away(_), None) => ShownState::Away,
            (RequestedState::Available, None) => ShownState::Available,
        }
    }

    /// The reason for being away; empty in other states.
    pub(crate) fn away_reason(&self) -> &str {
        match (&self.requested, self.state()) {
            (RequestedState::Away(reason), ShownState::Away) => reason,
            _ => "",
        }
    }

    /// Whether others see another state than at `before`, or another reason.
    pub(crate) fn is_shown_otherwise(&self, before: &Self) -> bool {
        self.state() != before.state() || self.away_reason() != before.away_reason()
    }

    /// Whether a claim may reserve them now for a call.
    pub(crate) fn is_available(&self) -> bool {
        self.is_available_for(ClaimMedium::Voice)
    }

    /// Whether a claim may reserve them now for one more of this medium.
    pub(crate) fn is_available_for(&self, medium: ClaimMedium) -> bool {
        self.state() == ShownState::Available && self.can_be_claimed_for(medium)
    }

    /// There is room for one more of this medium (A1).
    pub(crate) fn can_be_claimed_for(&self, medium: ClaimMedium) -> bool {
        match medium {
            ClaimMedium::Voice => self.occupied.is_none() && !self.phone_in_use && self.capacity.voice > 0,
            ClaimMedium::Chat => self.chats < self.capacity.chat,
        }
    }

    /// They are in nothing, and are offered nothing.
    pub(crate) fn is_idle(&self) -> bool {
        self.occupied.is_none() && self.chats == 0
    }

    /// The status after a change.
    #[must_use]
    pub(crate) fn after(&self, change: StatusChange, now_us: i64) -> Self {
        let mut next = self.clone();
        next.apply(change);
        if next.is_shown_otherwise(self) {
            next.state_since_us = now_us;
        }
        if next.is_available() && !self.is_available() {
            next.idle_since_us = now_us;
        }
        next
    }

    fn apply(&mut self, change: StatusChange) {
        match change {
            StatusChange::Connected(requested) => {
                self.not_responding &= self.online;
                self.online = true;
                if let Some(requested) = requested {
                    self.choose(requested);
                }
            }
            StatusChange::Disconnected => self.online = false,
            StatusChange::StateRequested(requested) => self.choose(requested),
            // An agent who is away is skipped already, and has given a reason, which NOT_RESPONDING would hide.
            StatusChange::OfferMissed => {
                self.not_responding = self.requested == RequestedState::Available && self.online;
            }
            StatusChange::WrapUpBegan(wrap_up) => self.begin_wrap_up(wrap_up),
            StatusChange::Dispositioned(interaction_id) => self.disposition(&interaction_id),
            StatusChange::WrapUpEnded => self.wrap_up = None,
            StatusChange::Occupied(occupied) => {
                self.occupied = Some(occupied);
                // An engaged agent has answered.
                self.not_responding &= occupied == Occupied::Reserved;
            }
            StatusChange::Freed => self.occupied = None,
            StatusChange::ChatTaken(occupied) => {
                self.chats += 1;
                self.not_responding &= occupied == Occupied::Reserved;
            }
            StatusChange::ChatAccepted => self.not_responding = false,
            StatusChange::ChatFreed => self.chats -= 1,
            StatusChange::PhoneTaken => self.phone_in_use = true,
            StatusChange::PhoneFreed => self.phone_in_use = false,
        }
    }

    /// What is due from before is due still.
    fn begin_wrap_up(&mut self, mut began: WrapUp) {
        if let Some(before) = self.wrap_up.take().filter(|before| !before.due.is_empty()) {
            began.until_us = began.until_us.max(before.until_us);
            let due = before.due.into_iter().chain(began.due.drain(..));
            began.due = due.fold(Vec::new(), |mut due, call| {
                if !due.contains(&call) {
                    due.push(call);
                }
                due
            });
        }
        self.wrap_up = Some(began);
    }

    /// The wrap-up is over with the last one; one that was not due, if it is of this call.
    fn disposition(&mut self, interaction_id: &str) {
        let Some(wrap_up) = &mut self.wrap_up else { return };
        let was_due = !wrap_up.due.is_empty();
        wrap_up.due.retain(|due| due != interaction_id);
        if wrap_up.due.is_empty() && (was_due || wrap_up.interaction_id == interaction_id) {
            self.wrap_up = None;
        }
    }

    fn choose(&mut self, requested: RequestedState) {
        self.requested = requested;
        self.wrap_up.take_if(|wrap_up| wrap_up.due.is_empty());
        self.not_responding = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn online() -> AgentStatus {
        AgentStatus::new(1).after(StatusChange::Connected(None), 2)
    }

    fn wrap_up(until_us: i64) -> StatusChange {
        StatusChange::WrapUpBegan(WrapUp { until_us, interaction_id: "i1".to_owned(), due: Vec::new() })
    }

    fn away() -> RequestedState {
        RequestedState::Away("lunch".to_owned())
    }

    #[test]
    fn the_first_connection_is_available() {
        assert_eq!(AgentStatus::new(1).state(), ShownState::Offline);
        assert!(online().is_available());
        assert_eq!((online().state_since_us, online().idle_since_us), (2, 2));
    }

    #[test]
    fn a_requested_state_outlives_the_session() {
        let back = online()
            .after(StatusChange::StateRequested(away()), 3)
            .after(StatusChange::Disconnected, 4)
            .after(StatusChange::Connected(None), 5);
        assert_eq!((back.state(), back.away_reason()), (ShownState::Away, "lunch"));
    }

    #[test]
    fn every_requested_state_clears_every_automatic_state() {
        for automatic in [StatusChange::OfferMissed, wrap_up(99)] {
            for requested in [RequestedState::Available, away()] {
                let before = online().after(automatic.clone(), 3);
                assert_ne!(before.state(), ShownState::Available);
                let after = before.after(StatusChange::StateRequested(requested.clone()), 4);
                let expected =
                    if requested == RequestedState::Available { ShownState::Available } else { ShownState::Away };
                assert_eq!(after.state(), expected, "{automatic:?} then {requested:?}");
                assert_eq!(after.after(StatusChange::WrapUpEnded, 99).state(), expected);
            }
        }
    }

    #[test]
    fn b507_a_wrap_up_that_is_due_hides_what_is_requested_until_it_is_over() {
        let due = WrapUp { until_us: 99, interaction_id: "i1".to_owned(), due: vec!["i1".to_owned()] };
        let wraps_up = online().after(StatusChange::WrapUpBegan(due), 3);
        let asks = wraps_up.after(StatusChange::StateRequested(away()), 4);
        assert_eq!(asks.state(), ShownState::WrapUp);
        assert_eq!(asks.after(StatusChange::WrapUpEnded, 5).state(), ShownState::Away);
    }

    #[test]
    fn b507_every_call_that_is_due_keeps_them_in_wrap_up() {
        let due = |call: &str, until_us| {
            let interaction_id = call.to_owned();
            StatusChange::WrapUpBegan(WrapUp { until_us, due: vec![interaction_id.clone()], interaction_id })
        };
        let done = |call: &str| StatusChange::Dispositioned(call.to_owned());
        let two = online().after(due("i1", 90), 3).after(due("i2", 80), 4).after(due("i1", 70), 5);
        let of_two = two.wrap_up.clone().expect("two are due");
        assert_eq!((of_two.due, of_two.until_us), (vec!["i1".to_owned(), "i2".to_owned()], 90));
        let one = two.after(done("i1"), 6);
        assert_eq!(one.state(), ShownState::WrapUp);
        assert_eq!(one.after(done("i3"), 7).state(), ShownState::WrapUp);
        assert!(one.after(done("i2"), 7).is_available());
        // A wrap-up after which nothing is due does not end what is.
        let free = online().after(due("i1", 90), 3).after(wrap_up(99), 4);
        assert_eq!(free.after(StatusChange::StateRequested(away()), 5).state(), ShownState::WrapUp);
    }

    #[test]
    fn a_state_requested_during_a_call_shows_after_the_wrap_up() {
        let left = online()
            .after(StatusChange::Occupied(Occupied::Engaged), 3)
            .after(StatusChange::StateRequested(away()), 4)
            .after(StatusChange::Freed, 5)
            .after(wrap_up(9), 5);
        assert_eq!(left.state(), ShownState::WrapUp);
        assert_eq!(left.after(StatusChange::WrapUpEnded, 9).state(), ShownState::Away);
    }

    #[test]
    fn the_first_connection_ends_not_responding_and_one_more_does_not() {
        let rang = online().after(StatusChange::OfferMissed, 3);
        assert_eq!(rang.after(StatusChange::Connected(None), 4).state(), ShownState::NotResponding);
        assert_eq!(
            rang.after(StatusChange::Connected(Some(RequestedState::Available)), 4).state(),
            ShownState::Available
        );
        let gone = rang.after(StatusChange::Disconnected, 4);
        assert_eq!(gone.after(StatusChange::Connected(None), 5).state(), ShownState::Available);
        let wraps_up = online().after(wrap_up(9), 3).after(StatusChange::Disconnected, 4);
        assert_eq!(wraps_up.after(StatusChange::Connected(None), 5).state(), ShownState::WrapUp);
    }

    #[test]
    fn an_agent_who_is_away_or_offline_is_not_marked_for_a_missed_offer() {
        let away = online().after(StatusChange::StateRequested(away()), 3).after(StatusChange::OfferMissed, 4);
        assert_eq!(away.state(), ShownState::Away);
        let offline = AgentStatus::new(1).after(StatusChange::OfferMissed, 4);
        assert!(!offline.not_responding);
    }

    #[test]
    fn a_claim_takes_availability_and_not_the_state() {
        let occupied = online().after(StatusChange::Occupied(Occupied::Reserved), 5);
        assert_eq!((occupied.state(), occupied.is_available()), (ShownState::Available, false));
        assert_eq!(occupied.state_since_us, 2);
        let free = occupied.after(StatusChange::Freed, 7);
        assert_eq!((free.idle_since_us, free.state_since_us), (7, 2));
    }

    #[test]
    fn idle_time_runs_from_when_the_agent_became_available() {
        let wrapped = online()
            .after(StatusChange::Occupied(Occupied::Engaged), 3)
            .after(StatusChange::Freed, 5)
            .after(wrap_up(9), 5)
            .after(StatusChange::WrapUpEnded, 9);
        assert_eq!(wrapped.idle_since_us, 9);
    }

    #[test]
    fn another_reason_for_being_away_counts_from_its_own_beginning() {
        let lunch = online().after(StatusChange::StateRequested(away()), 3);
        assert_eq!(lunch.after(StatusChange::StateRequested(away()), 4).state_since_us, 3);
        let meeting = RequestedState::Away("meeting".to_owned());
        assert_eq!(lunch.after(StatusChange::StateRequested(meeting), 4).state_since_us, 4);
    }
}
