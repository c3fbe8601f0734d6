//! Between microseconds and the `Timestamp` of the contract.

use prost_types::Timestamp;

const US_PER_SECOND: i64 = 1_000_000;

/// Microseconds since the epoch as a timestamp.
pub(crate) fn stamp(us: i64) -> Timestamp {
    let nanos = us.rem_euclid(US_PER_SECOND) * 1_000;
    Timestamp { seconds: us.div_euclid(US_PER_SECOND), nanos: nanos as i32 }
}

/// A timestamp as microseconds since the epoch.
pub(crate) fn us(stamp: &Timestamp) -> i64 {
    stamp.seconds.saturating_mul(US_PER_SECOND).saturating_add(i64::from(stamp.nanos) / 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_survive_the_wire() {
        for time_us in [0, 1, 999_999, 1_000_000, -1, 1_795_000_000_123_456] {
            assert_eq!(us(&stamp(time_us)), time_us);
        }
    }
}
