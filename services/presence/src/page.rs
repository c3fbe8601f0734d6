//! Pages of a list: how long one is, and where the next begins.
//!
//! A page token is the sort key of the last item, so that a list goes on at the right place also when that item has been
//! renamed or deleted meanwhile.

use std::fmt::Write as _;

use baton_api::ApiError;
use uuid::Uuid;

/// When a caller does not say how many.
const DEFAULT_SIZE: usize = 50;
/// The most in one page.
const MAX_SIZE: usize = 500;
/// The longest token that is worth reading: the key of a name of 100 characters, in hexadecimal.
const MAX_TOKEN: usize = 2_000;

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
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cursor {
    /// Which part of the list: agents (0) or teams (1).
    pub(crate) section: u8,
    /// The item's name in lower case.
    pub(crate) key: String,
    /// The item's id.
    pub(crate) id: Uuid,
}

impl Cursor {
    /// Reads a page token; the empty one is the beginning.
    pub(crate) fn parse(token: &str) -> Result<Self, ApiError> {
        if token.is_empty() {
            return Ok(Self::default());
        }
        Self::decode(token).ok_or_else(|| {
            let why = "is not one that this list gave; leave it empty to begin at the start";
            ApiError::invalid_argument("page_token", why)
        })
    }

    fn decode(token: &str) -> Option<Self> {
        if token.len() > MAX_TOKEN {
            return None;
        }
        let mut parts = token.splitn(3, '.');
        let section = parts.next()?.parse().ok()?;
        let id = Uuid::try_parse(parts.next()?).ok()?;
        let key = String::from_utf8(unhex(parts.next()?)?).ok()?;
        Some(Self { section, key, id })
    }

    /// The page token.
    pub(crate) fn token(&self) -> String {
        let mut token = format!("{}.{}.", self.section, self.id.simple());
        for byte in self.key.bytes() {
            // Writing to a string can't fail.
            let _ = write!(token, "{byte:02x}");
        }
        token
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

fn unhex(text: &str) -> Option<Vec<u8>> {
    let bytes = text.as_bytes().chunks(2);
    bytes.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_leads_back_to_its_place() {
        let cursor = Cursor { section: 1, key: "zoë ünal".to_owned(), id: Uuid::from_u128(7) };
        assert_eq!(Cursor::parse(&cursor.token()), Ok(cursor));
        assert_eq!(Cursor::parse(""), Ok(Cursor::default()));
    }

    #[test]
    fn a_made_up_token_is_refused() {
        for token in ["x", "0", "0.1.zz", "0.00000000000000000000000000000007.ffff", "9999.x.61"] {
            assert!(Cursor::parse(token).is_err(), "{token}");
        }
    }

    #[test]
    fn sizes_have_limits() {
        assert_eq!((size(0), size(500)), (Ok(50), Ok(500)));
        assert!(size(501).is_err() && size(-1).is_err());
    }

    #[test]
    fn the_last_page_has_no_token() {
        let cursor = |id: &u128| Cursor { id: Uuid::from_u128(*id), ..Cursor::default() };
        let mut items = vec![1, 2, 3];
        assert!(cut(&mut items, 3, cursor).is_empty());
        let token = cut(&mut items, 2, cursor);
        assert_eq!((items.len(), Cursor::parse(&token).unwrap().id), (2, Uuid::from_u128(2)));
    }
}
