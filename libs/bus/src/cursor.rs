//! Positions as the public sees them: how far a tenant's events were read, as an opaque text.
//!
//! The text has a tag over the log's generation, the tenant and the position. So a cursor of another tenant, or of a log that
//! was lost and rebuilt with other positions, is refused instead of being taken for a position that it never meant. The tag
//! is no secret's: whoever may read a tenant's events may begin anywhere in them.

use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Hexadecimal digits of the position: more events than a log ever has.
const POSITION_DIGITS: usize = 12;

/// Writes and reads the cursors of one tenant.
#[derive(Debug, Clone)]
pub(crate) struct Cursors {
    generation: Uuid,
    tenant: String,
}

impl Cursors {
    pub(crate) fn new(generation: Uuid, tenant: &str) -> Self {
        Self { generation, tenant: tenant.to_owned() }
    }

    pub(crate) fn write(&self, position: u64) -> String {
        format!("{position:012x}{:08x}", self.tag(position))
    }

    /// `None` for a text that is not a cursor of this tenant and log.
    pub(crate) fn read(&self, cursor: &str) -> Option<u64> {
        let position = u64::from_str_radix(cursor.get(..POSITION_DIGITS)?, 16).ok()?;
        (self.write(position) == cursor).then_some(position)
    }

    fn tag(&self, position: u64) -> u32 {
        let mut hash = Sha256::new();
        hash.update(self.generation.as_bytes());
        hash.update(position.to_be_bytes());
        hash.update(self.tenant.as_bytes());
        let [a, b, c, d, ..]: [u8; 32] = hash.finalize().into();
        u32::from_be_bytes([a, b, c, d])
    }
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
    fn what_is_no_cursor_is_refused() {
        let acme = Cursors::new(Uuid::nil(), "acme");
        let longer = acme.write(1) + "0";
        for bad in ["", "592", "x", "+00000000001aaaaaaaa", "ééééééééééé", longer.as_str()] {
            assert_eq!(acme.read(bad), None, "{bad:?}");
        }
    }
}
