//! The only source of fresh ids and random numbers.
//!
//! Code that decides takes ids as arguments, so that a run can be repeated; only the edge calls this module.

use uuid::Uuid;

/// A new UUID, version 7: ids made later sort later, which keeps database indexes dense.
#[expect(clippy::disallowed_methods, reason = "the one place that makes fresh ids")]
pub fn new_uuid() -> Uuid {
    Uuid::now_v7()
}

/// Random bytes that are good enough for keys.
///
/// # Panics
/// If the operating system gives no random bytes: no key can be made then.
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    match getrandom::fill(&mut bytes) {
        Ok(()) => bytes,
        Err(error) => panic!("the operating system gives no random bytes: {error}"),
    }
}

/// A number from 0 up to (not including) `limit`, for jitter; 0 when the limit is 0.
pub fn random_below(limit: u64) -> u64 {
    // The bias of a remainder does not matter for spreading retries.
    u64::from_le_bytes(random_bytes()).checked_rem(limit).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_ids_sort_later() {
        let ids: Vec<_> = (0..100).map(|_| new_uuid()).collect();
        assert!(ids.is_sorted());
    }

    #[test]
    fn random_numbers_stay_below_the_limit() {
        assert!((0..100).all(|_| random_below(7) < 7));
        assert_eq!(random_below(0), 0);
    }
}
