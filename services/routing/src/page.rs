//! The page tokens of lists by name, by number and by prefix.

use baton_api::{ApiError, page};
use uuid::Uuid;

/// Longer than any token that a list gives.
const MAX_TOKEN: usize = 1_000;

/// The last item before a page. The default is before the first item.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ConfigurationCursor {
    /// The item's name in lower case, its number or its prefix: what the list is sorted by.
    pub(crate) key: String,
    /// Distinguishes items with the same key.
    pub(crate) id: Uuid,
}

impl ConfigurationCursor {
    /// Of an item whose key no other has.
    pub(crate) fn of_key(key: &str) -> Self {
        Self { key: key.to_owned(), id: Uuid::nil() }
    }

    /// Reads a page token; the empty one is the beginning.
    pub(crate) fn parse(token: &str) -> Result<Self, ApiError> {
        Ok(page::after(token, Self::read)?.unwrap_or_default())
    }

    fn read(token: &str) -> Option<Self> {
        let (id, key) = token.split_once('.').filter(|_| token.len() <= MAX_TOKEN)?;
        Some(Self { key: key.to_owned(), id: Uuid::try_parse(id).ok()? })
    }

    pub(crate) fn token(&self) -> String {
        format!("{}.{}", self.id.simple(), self.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_leads_back_to_its_place() {
        let cursor = ConfigurationCursor { key: "front desk. zoë".to_owned(), id: Uuid::from_u128(7) };
        assert_eq!(cursor.token(), "00000000000000000000000000000007.front desk. zoë");
        assert_eq!(ConfigurationCursor::parse(&cursor.token()), Ok(cursor));
        assert!(ConfigurationCursor::parse("nothing").is_err());
        assert!(ConfigurationCursor::parse(&format!("{}.{}", Uuid::nil(), "x".repeat(MAX_TOKEN))).is_err());
    }
}
