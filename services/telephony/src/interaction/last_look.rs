//! Before a phone is said not to have answered, the switch is asked once more (T4, R2): it may have stood still, and an answer may lie in its
//! socket. One that took long to reply did stand still, and is asked again a moment later.

use std::time::Duration;

use baton_runtime::clock::micros;

use crate::operation::Stamp;

/// A switch that replies later than this stood still.
const SLOW: Duration = Duration::from_millis(500);
/// How long it needs then to hear what was said to it meanwhile.
const HEARING: Duration = Duration::from_secs(1);

/// How far the last look is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LastLook {
    /// A snapshot was requested.
    Requested { stamp: Stamp, at_us: i64 },
    /// It is to be requested once more.
    Again { at_us: i64 },
}

impl LastLook {
    /// When to go on by itself; `None`: the snapshot wakes.
    pub(super) fn wake_at_us(self) -> Option<i64> {
        match self {
            Self::Requested { .. } => None,
            Self::Again { at_us } => Some(at_us),
        }
    }
}

/// What to do about a phone that has rung for as long as it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RingEnd {
    /// Request a snapshot.
    Look,
    Wait,
    /// What is seen now counts.
    Judge,
}

/// `seen`: the stamp of the newest snapshot.
pub(super) fn decide(look: &mut Option<LastLook>, seen: Stamp, now_us: i64) -> RingEnd {
    match *look {
        Some(LastLook::Requested { stamp, .. }) if seen <= stamp => RingEnd::Wait,
        Some(LastLook::Requested { at_us, .. }) if now_us - at_us > micros(SLOW) => {
            *look = Some(LastLook::Again { at_us: now_us + micros(HEARING) });
            RingEnd::Wait
        }
        Some(LastLook::Requested { .. }) => RingEnd::Judge,
        Some(LastLook::Again { at_us }) if now_us < at_us => RingEnd::Wait,
        None | Some(LastLook::Again { .. }) => RingEnd::Look,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r2_a_prompt_snapshot_decides_and_after_a_late_one_another() {
        let mut look = None;
        assert_eq!(decide(&mut look, Stamp(7), 0), RingEnd::Look);
        look = Some(LastLook::Requested { stamp: Stamp(7), at_us: 0 });
        assert_eq!(decide(&mut look, Stamp(7), 100), RingEnd::Wait);
        assert_eq!(decide(&mut look, Stamp(8), 100_000), RingEnd::Judge);
        assert_eq!(decide(&mut look, Stamp(8), 4_000_000), RingEnd::Wait, "it stood still");
        assert_eq!(decide(&mut look, Stamp(8), 4_999_999), RingEnd::Wait);
        assert_eq!(decide(&mut look, Stamp(8), 5_000_000), RingEnd::Look);
    }
}
