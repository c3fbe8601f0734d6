//! The page tokens of lists by name.

use std::fmt::Write as _;

use baton_api::{ApiError, page};
use uuid::Uuid;

/// The longest token that is worth reading: the key of a name of 100 characters, in hexadecimal.
const MAX_TOKEN: usize = 2_000;

/// The last item before a page. The default is before the first item.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DirectoryCursor {
    /// Where it is listed: each list says what comes before what.
    pub(crate) section: u8,
    /// The item's name as lists are ordered by it ([`baton_api::name::key`]).
    pub(crate) key: String,
    pub(crate) id: Uuid,
}

impl DirectoryCursor {
    /// Reads a page token; the empty one is the beginning.
    pub(crate) fn parse(token: &str) -> Result<Self, ApiError> {
        Ok(page::after(token, Self::read)?.unwrap_or_default())
    }

    fn read(token: &str) -> Option<Self> {
        if token.len() > MAX_TOKEN {
            return None;
        }
        let mut parts = token.splitn(3, '.');
        let section = parts.next()?.parse().ok()?;
        let id = Uuid::try_parse(parts.next()?).ok()?;
        let key = String::from_utf8(unhex(parts.next()?)?).ok()?;
        Some(Self { section, key, id })
    }

    pub(crate) fn token(&self) -> String {
        let mut token = format!("{}.{}.", self.section, self.id.simple());
        for byte in self.key.bytes() {
            // Writing to a string can't fail.
            let _ = write!(token, "{byte:02x}");
        }
        token
    }
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
        let cursor = DirectoryCursor { section: 1, key: "zoë ünal".to_owned(), id: Uuid::from_u128(7) };
        assert_eq!(cursor.token(), "1.00000000000000000000000000000007.7a6fc3ab20c3bc6e616c");
        assert_eq!(DirectoryCursor::parse(&cursor.token()), Ok(cursor));
        assert_eq!(DirectoryCursor::parse(""), Ok(DirectoryCursor::default()));
    }

    #[test]
    fn a_made_up_token_is_refused() {
        for token in ["x", "0", "0.1.zz", "0.00000000000000000000000000000007.ffff", "9999.x.61"] {
            assert!(DirectoryCursor::parse(token).is_err(), "{token}");
        }
    }
}
