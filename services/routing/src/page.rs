//! Pages of a list: how long one is, and where the next begins (after the sort key of the last item).

use baton_api::ApiError;
use uuid::Uuid;

const DEFAULT_SIZE: usize = 50;
const MAX_SIZE: usize = 500;
/// Longer than any token that a list gives.
const MAX_TOKEN: usize = 1_000;

/// Checks a page size.
pub(crate) fn size(asked: i32) -> Result<usize, ApiError> {
    match usize::try_from(asked) {
        Ok(0) => Ok(DEFAULT_SIZE),
        Ok(size) if size <= MAX_SIZE => Ok(size),
        _ => {
            let why = format!("must be 0 (for {DEFAULT_SIZE}) to {MAX_SIZE}");
            Err(ApiError::invalid_argument("page_size", why))
        }
    }
}

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
        if token.is_empty() {
            return Ok(Self::default());
        }
        let parts = token.split_once('.').filter(|_| token.len() <= MAX_TOKEN);
        let cursor = parts.and_then(|(id, key)| Some((Uuid::try_parse(id).ok()?, key)));
        let (id, key) = cursor.ok_or_else(|| {
            let why = "is not one that this list gave; leave it empty to begin at the start";
            ApiError::invalid_argument("page_token", why)
        })?;
        Ok(Self { key: key.to_owned(), id })
    }

    /// The page token.
    pub(crate) fn token(&self) -> String {
        format!("{}.{}", self.id.simple(), self.key)
    }
}

/// Cuts a list that was read one item too long, and says where to go on.
pub(crate) fn cut<T>(items: &mut Vec<T>, size: usize, cursor: impl Fn(&T) -> Cursor) -> String {
    if items.len() <= size {
        return String::new();
    }
    items.truncate(size);
    items.last().map(|last| cursor(last).token()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_leads_back_to_its_place() {
        let cursor = Cursor { key: "front desk. zoë".to_owned(), id: Uuid::from_u128(7) };
        assert_eq!(Cursor::parse(&cursor.token()), Ok(cursor));
        assert!(Cursor::parse("nothing").is_err());
    }
}
