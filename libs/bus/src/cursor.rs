//! Positions as the public sees them: how far a tenant's events were read, as an opaque text.
//!
//! The text has a tag over the log's generation, the tenant and the position. So a cursor of another tenant, or of a log that
//! was lost and rebuilt with other positions, is refused instead of being taken for a position that it never meant. The tag
//! is no secret's: whoever may read a tenant's events may begin anywhere in them.
//!
//! In the embedded log a position counts the tenant's own events. In a stream that all tenants share, the difference of two
//! positions would tell how much the others do. There the position is sealed: a permutation of the numbers, different for each tenant,
//! under a key that is made of the stream's generation, which no tenant is shown. It has nothing of the order of positions.

use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Hexadecimal digits of the position: more events than a log ever has.
const POSITION_DIGITS: usize = 12;
const HALF_BITS: u32 = 24;
const HALF: u64 = (1 << HALF_BITS) - 1;
/// More than the four that a permutation of this sort needs to look random.
const ROUNDS: u8 = 8;

/// Writes and reads the cursors of one tenant.
#[derive(Debug, Clone)]
pub(crate) struct Cursors {
    generation: Uuid,
    tenant: String,
    is_sealed: bool,
}

impl Cursors {
    /// For positions that count the tenant's own events.
    pub(crate) fn new(generation: Uuid, tenant: &str) -> Self {
        Self { generation, tenant: tenant.to_owned(), is_sealed: false }
    }

    /// For positions that all tenants share.
    pub(crate) fn sealed(generation: Uuid, tenant: &str) -> Self {
        Self { is_sealed: true, ..Self::new(generation, tenant) }
    }

    pub(crate) fn write(&self, position: u64) -> String {
        let shown = if self.is_sealed { self.seal(position) } else { position };
        format!("{shown:012x}{:08x}", self.tag(position))
    }

    /// `None` for a text that is not a cursor of this tenant and log.
    pub(crate) fn read(&self, cursor: &str) -> Option<u64> {
        let shown = u64::from_str_radix(cursor.get(..POSITION_DIGITS)?, 16).ok()?;
        let position = if self.is_sealed { self.unseal(shown) } else { shown };
        (self.write(position) == cursor).then_some(position)
    }

    fn tag(&self, position: u64) -> u32 {
        let mut hash = Sha256::new();
        hash.update(self.generation.as_bytes());
        hash.update(position.to_be_bytes());
        hash.update(self.tenant.as_bytes());
        first_word(hash)
    }

    /// A Feistel network: whatever the rounds compute, it can be undone.
    fn seal(&self, position: u64) -> u64 {
        let halves = (position >> HALF_BITS, position & HALF);
        let (left, right) = (0..ROUNDS).fold(halves, |(left, right), round| (right, left ^ self.mixed(round, right)));
        (left << HALF_BITS) | right
    }

    fn unseal(&self, sealed: u64) -> u64 {
        let halves = (sealed >> HALF_BITS, sealed & HALF);
        let (left, right) =
            (0..ROUNDS).rev().fold(halves, |(left, right), round| (right ^ self.mixed(round, left), left));
        (left << HALF_BITS) | right
    }

    fn mixed(&self, round: u8, half: u64) -> u64 {
        let mut hash = Sha256::new();
        hash.update(b"position");
        hash.update(self.generation.as_bytes());
        hash.update([round]);
        hash.update(half.to_be_bytes());
        hash.update(self.tenant.as_bytes());
        u64::from(first_word(hash)) & HALF
    }
}

fn first_word(hash: Sha256) -> u32 {
    let [a, b, c, d, ..]: [u8; 32] = hash.finalize().into();
    u32::from_be_bytes([a, b, c, d])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_valid_for_its_tenant_and_its_log_only() {
        let generation = Uuid::from_u128(7);
        let acme = Cursors::new(generation, "acme");
        for position in [0, 1, 592, 0xffff_ffff_ffff] {
            let cursor = acme.write(position);
            assert_eq!(acme.read(&cursor), Some(position));
            assert!(cursor.bytes().all(|it| it.is_ascii_alphanumeric()));
            assert_eq!(Cursors::new(generation, "globex").read(&cursor), None);
            assert_eq!(Cursors::new(Uuid::from_u128(8), "acme").read(&cursor), None);
        }
    }

    #[test]
    fn a_sealed_cursor_has_nothing_of_its_position() {
        let generation = Uuid::from_u128(7);
        let (acme, globex) = (Cursors::sealed(generation, "acme"), Cursors::sealed(generation, "globex"));
        let positions: Vec<_> = (0..1_000).chain([0xffff_ffff_ffff]).collect();
        for position in &positions {
            let cursor = acme.write(*position);
            assert_eq!(acme.read(&cursor), Some(*position));
            assert_eq!(globex.read(&cursor), None);
            assert_ne!(cursor.get(..POSITION_DIGITS), globex.write(*position).get(..POSITION_DIGITS));
        }
        // Of neighbours half are in their order, as of any numbers; and half of the bits differ.
        let sealed: Vec<_> = (0..1_000).map(|position| acme.seal(position)).collect();
        let risen = sealed.windows(2).filter(|it| it[0] < it[1]).count();
        let flipped: u32 = sealed.windows(2).map(|it| (it[0] ^ it[1]).count_ones()).sum();
        assert!((450..550).contains(&risen), "{risen} of 999");
        assert!((23_000..25_000).contains(&flipped), "{flipped} of {}", 999 * 48);
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        let acme = Cursors::new(Uuid::nil(), "acme");
        let longer = acme.write(1) + "0";
        for bad in ["", "592", "x", "+00000000001aaaaaaaa", "ééééééééééé", longer.as_str()] {
            assert_eq!(acme.read(bad), None, "{bad:?}");
        }
    }
}
