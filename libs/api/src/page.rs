//! Pages of a list: how long one is, and where the next begins.
//!
//! A page token is the sort key of the last item, so that a list goes on at the right position even if that item has been
//! renamed or deleted meanwhile. Each list chooses how the key is written.

use crate::ApiError;

/// For a page size of 0.
const DEFAULT_SIZE: usize = 50;
const MAX_SIZE: usize = 500;

/// The size of a page. A client that asks for more gets less, so that the limit can change.
pub fn size(asked: i32) -> Result<usize, ApiError> {
    size_within(asked, DEFAULT_SIZE, MAX_SIZE)
}

/// The size of a page of a list with limits of its own.
pub fn size_within(asked: i32, default: usize, most: usize) -> Result<usize, ApiError> {
    match usize::try_from(asked) {
        Ok(0) => Ok(default),
        Ok(size) => Ok(size.min(most)),
        Err(_) => {
            let why = format!("must be 0 (for {default}) to {most}; larger ones are taken as {most}");
            Err(ApiError::invalid_argument("page_size", why))
        }
    }
}

/// The key after which a page begins; `None` for the empty token, which is the start. `read` parses the list's tokens.
pub fn after<'a, C>(token: &'a str, read: impl FnOnce(&'a str) -> Option<C>) -> Result<Option<C>, ApiError> {
    if token.is_empty() {
        return Ok(None);
    }
    read(token).map(Some).ok_or_else(|| {
        let why = "is not one that this list gave; leave it empty to begin at the start";
        ApiError::invalid_argument("page_token", why)
    })
}

/// Truncates a list that was read one item too long, and returns the token of the next page; empty on the last page.
pub fn cut<T>(items: &mut Vec<T>, size: usize, token: impl FnOnce(&T) -> String) -> String {
    if items.len() <= size {
        return String::new();
    }
    items.truncate(size);
    items.last().map(token).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_limits() {
        assert_eq!((size(0), size(500)), (Ok(50), Ok(500)));
        assert_eq!((size(501), size(i32::MAX)), (Ok(500), Ok(500)));
        assert_eq!(size(-1).unwrap_err().fields[0].0, "page_size");
    }

    #[test]
    fn a_list_begins_at_the_start_or_where_its_own_token_says() {
        let read = |token: &str| token.parse::<u8>().ok();
        assert_eq!((after("", read), after("7", read)), (Ok(None), Ok(Some(7))));
        let error = after("x", read).unwrap_err();
        assert_eq!(error.fields[0].0, "page_token");
    }

    #[test]
    fn the_last_page_has_no_token() {
        let mut items = vec![1, 2, 3];
        assert!(cut(&mut items, 3, ToString::to_string).is_empty());
        assert_eq!(cut(&mut items, 2, ToString::to_string), "2");
        assert_eq!(items, [1, 2]);
    }
}
