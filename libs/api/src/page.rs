//! Pages of a list: how long one is, and where the next begins.
//!
//! A page token is the sort key of the last item, so that a list goes on at the right place also when that item has
//! been renamed or deleted meanwhile. How the key is written is each list's own matter.

use crate::ApiError;

/// When a caller does not say how many.
const DEFAULT_SIZE: usize = 50;
/// The most in one page.
const MAX_SIZE: usize = 500;

/// Checks a page size.
pub fn size(asked: i32) -> Result<usize, ApiError> {
    match usize::try_from(asked) {
        Ok(0) => Ok(DEFAULT_SIZE),
        Ok(size) if size <= MAX_SIZE => Ok(size),
        _ => {
            let why = format!("must be 0 (for {DEFAULT_SIZE}) to {MAX_SIZE}");
            Err(ApiError::invalid_argument("page_size", why))
        }
    }
}

/// After which item a page begins; `None` for the empty token, which is the start. `read` knows how the list writes its
/// tokens.
pub fn after<'a, C>(token: &'a str, read: impl FnOnce(&'a str) -> Option<C>) -> Result<Option<C>, ApiError> {
    if token.is_empty() {
        return Ok(None);
    }
    read(token).map(Some).ok_or_else(|| {
        let why = "is not one that this list gave; leave it empty to begin at the start";
        ApiError::invalid_argument("page_token", why)
    })
}

/// Cuts a list that was read one item too long, and says where to go on.
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
        assert!(size(501).is_err() && size(-1).is_err());
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
