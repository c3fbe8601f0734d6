//! How an agent stands, and how that changes: a pure function.
//!
//! What is shown follows from four things, the first that applies: no session (`OFFLINE`), an offer that they let ring
//! (`NOT_RESPONDING`), work after a call (`WRAP_UP`), and what they last chose. The second and third are automatic and lie
//! over the wish; whenever the agent chooses anew, they go (A4: the agent's last explicit wish wins). Whoever lets it ring is
//! also back when they answer, or come in after they were offline; not when their client connects once more (B604): it does so
//! by itself, in front of an empty chair. Whether somebody has claimed the agent is beside all this: it makes nobody away,
//! only not available.

/// The state that others see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum State {
    /// No live session.
    Offline,
    /// Ready for calls.
    Available,
    /// Not ready, as they chose.
    Away,
    /// Finishing work after a call.
    WrapUp,
    /// Let an offer ring out.
    NotResponding,
}

impl State {
    /// The word in events.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Offline => "OFFLINE",
            Self::Available => "AVAILABLE",
            Self::Away => "AWAY",
            Self::WrapUp => "WRAP_UP",
            Self::NotResponding => "NOT_RESPONDING",
        }
    }
}

/// What an agent chose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wish {
    /// To be called.
    Available,
    /// Not to be, and why; the reason may be empty.
    Away(String),
}

/// That somebody has claimed the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// For an offer.
    Reserved,
    /// They are in it.
    Engaged,
}

/// How an agent stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) online: bool,
    pub(crate) wish: Wish,
    /// Set until the timer (or a wish) clears it.
    pub(crate) wrap_up_until_us: Option<i64>,
    pub(crate) not_responding: bool,
    pub(crate) taken: Option<Taken>,
    /// Since when [`Standing::state`] is what it is.
    pub(crate) state_since_us: i64,
    /// When they last became available.
    pub(crate) idle_since_us: i64,
}

/// What happens to an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// A session began; perhaps with a wish.
    Connected(Option<Wish>),
    /// The last session is gone.
    Disconnected,
    /// They chose.
    Wished(Wish),
    /// An offer rang out.
    LetRing,
    /// They left a call and finish their work until then.
    WrapUpBegan(i64),
    /// That time is over.
    WrapUpEnded,
    /// A claim on them stands so.
    Taken(Taken),
    /// It is over.
    Freed,
}

impl Standing {
    /// Somebody who was just created: never seen yet.
    pub(crate) fn new(now_us: i64) -> Self {
        Self {
            online: false,
            wish: Wish::Available,
            wrap_up_until_us: None,
            not_responding: false,
            taken: None,
            state_since_us: now_us,
            idle_since_us: now_us,
        }
    }

    /// What others see.
    pub(crate) fn state(&self) -> State {
        match (&self.wish, self.wrap_up_until_us) {
            _ if !self.online => State::Offline,
            _ if self.not_responding => State::NotResponding,
            (_, Some(_)) => State::WrapUp,
            (Wish::Away(_), None) => State::Away,
            (Wish::Available, None) => State::Available,
        }
    }

    /// Why they are away; empty otherwise.
    pub(crate) fn away_reason(&self) -> &str {
        match (&self.wish, self.state()) {
            (Wish::Away(reason), State::Away) => reason,
            _ => "",
        }
    }

    /// They can be had now.
    pub(crate) fn is_available(&self) -> bool {
        self.state() == State::Available && self.taken.is_none()
    }

    /// The standing after this.
    #[must_use]
    pub(crate) fn after(&self, change: Change, now_us: i64) -> Self {
        let mut next = self.clone();
        next.apply(change);
        if next.state() != self.state() {
            next.state_since_us = now_us;
        }
        if next.is_available() && !self.is_available() {
            next.idle_since_us = now_us;
        }
        next
    }

    fn apply(&mut self, change: Change) {
        match change {
            Change::Connected(wish) => {
                self.not_responding &= self.online;
                self.online = true;
                if let Some(wish) = wish {
                    self.choose(wish);
                }
            }
            Change::Disconnected => self.online = false,
            Change::Wished(wish) => self.choose(wish),
            // Who is away is skipped already, and has said why: a mark would only hide that.
            Change::LetRing => self.not_responding = self.wish == Wish::Available && self.online,
            Change::WrapUpBegan(until_us) => self.wrap_up_until_us = Some(until_us),
            Change::WrapUpEnded => self.wrap_up_until_us = None,
            Change::Taken(taken) => {
                self.taken = Some(taken);
                // Who is in a call has answered.
                self.not_responding &= taken == Taken::Reserved;
            }
            Change::Freed => self.taken = None,
        }
    }

    fn choose(&mut self, wish: Wish) {
        self.wish = wish;
        self.wrap_up_until_us = None;
        self.not_responding = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn online() -> Standing {
        Standing::new(1).after(Change::Connected(None), 2)
    }

    fn away() -> Wish {
        Wish::Away("lunch".to_owned())
    }

    #[test]
    fn the_first_connection_is_available() {
        assert_eq!(Standing::new(1).state(), State::Offline);
        assert!(online().is_available());
        assert_eq!((online().state_since_us, online().idle_since_us), (2, 2));
    }

    #[test]
    fn a_wish_outlives_the_session() {
        let back =
            online().after(Change::Wished(away()), 3).after(Change::Disconnected, 4).after(Change::Connected(None), 5);
        assert_eq!((back.state(), back.away_reason()), (State::Away, "lunch"));
    }

    #[test]
    fn every_wish_clears_every_automatic_state() {
        for automatic in [Change::LetRing, Change::WrapUpBegan(99)] {
            for wish in [Wish::Available, away()] {
                let before = online().after(automatic.clone(), 3);
                assert_ne!(before.state(), State::Available);
                let after = before.after(Change::Wished(wish.clone()), 4);
                let expected = if wish == Wish::Available { State::Available } else { State::Away };
                assert_eq!(after.state(), expected, "{automatic:?} then {wish:?}");
                assert_eq!(after.after(Change::WrapUpEnded, 99).state(), expected);
            }
        }
    }

    #[test]
    fn a_wish_during_a_call_shows_after_the_wrap_up() {
        let left = online()
            .after(Change::Taken(Taken::Engaged), 3)
            .after(Change::Wished(away()), 4)
            .after(Change::Freed, 5)
            .after(Change::WrapUpBegan(9), 5);
        assert_eq!(left.state(), State::WrapUp);
        assert_eq!(left.after(Change::WrapUpEnded, 9).state(), State::Away);
    }

    #[test]
    fn coming_in_ends_not_responding_and_one_more_connection_does_not() {
        let rang = online().after(Change::LetRing, 3);
        assert_eq!(rang.after(Change::Connected(None), 4).state(), State::NotResponding);
        assert_eq!(rang.after(Change::Connected(Some(Wish::Available)), 4).state(), State::Available);
        let gone = rang.after(Change::Disconnected, 4);
        assert_eq!(gone.after(Change::Connected(None), 5).state(), State::Available);
        let wraps_up = online().after(Change::WrapUpBegan(9), 3).after(Change::Disconnected, 4);
        assert_eq!(wraps_up.after(Change::Connected(None), 5).state(), State::WrapUp);
    }

    #[test]
    fn who_is_away_or_offline_is_not_marked_for_letting_it_ring() {
        let away = online().after(Change::Wished(away()), 3).after(Change::LetRing, 4);
        assert_eq!(away.state(), State::Away);
        let offline = Standing::new(1).after(Change::LetRing, 4);
        assert!(!offline.not_responding);
    }

    #[test]
    fn a_claim_takes_availability_and_not_the_state() {
        let taken = online().after(Change::Taken(Taken::Reserved), 5);
        assert_eq!((taken.state(), taken.is_available()), (State::Available, false));
        assert_eq!(taken.state_since_us, 2);
        let free = taken.after(Change::Freed, 7);
        assert_eq!((free.idle_since_us, free.state_since_us), (7, 2));
    }

    #[test]
    fn idle_time_runs_from_when_they_could_be_had() {
        let wrapped = online()
            .after(Change::Taken(Taken::Engaged), 3)
            .after(Change::Freed, 5)
            .after(Change::WrapUpBegan(9), 5)
            .after(Change::WrapUpEnded, 9);
        assert_eq!(wrapped.idle_since_us, 9);
    }
}
