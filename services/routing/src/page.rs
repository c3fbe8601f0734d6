//! Where a page begins in lists by name and by number.

use baton_api::{ApiError, page};
use uuid::Uuid;

/// Longer than any token that a list gives.
const MAX_TOKEN: usize = 1_000;

/// After which item a page begins. The default is before the first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// What the list is sorted by.
    pub(crate) key: String,
    /// Tells items with the same key apart.
    pub(crate) id: Uuid,
}

impl Cursor {
    /// Reads a page token; the empty one is the beginning.
    pub(crate) fn parse(token: &str) -> Result<Self, ApiError> {
        Ok(page::after(token, Self::read)?.unwrap_or_default())
    }

    fn read(token: &str) -> Option<Self> {
        let (id, key) = token.split_once('.').filter(|_| token.len() <= MAX_TOKEN)?;
        Some(Self { key: key.to_owned(), id: Uuid::try_parse(id).ok()? })
    }

    /// The page token.
    pub(crate) fn token(&self) -> String {
        format!("{}.{}", self.id.simple(), self.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_leads_back_to_its_place() {
        let cursor = Cursor { key: "front desk. zoë".to_owned(), id: Uuid::from_u128(7) };
        assert_eq!(cursor.token(), "00000000000000000000000000000007.front desk. zoë");
        assert_eq!(Cursor::parse(&cursor.token()), Ok(cursor));
        assert!(Cursor::parse("nothing").is_err());
        assert!(Cursor::parse(&format!("{}.{}", Uuid::nil(), "x".repeat(MAX_TOKEN))).is_err());
    }
}
