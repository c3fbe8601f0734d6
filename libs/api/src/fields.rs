//! All wrong fields of a request in one error, so that its author corrects them at once.
//!
//! A request is parsed field by field, and each field's parser returns an [`ApiError`] of its own. [`all`] and [`each`] join
//! them:
//!
//! ```
//! # use baton_api::{ApiError, fields};
//! # fn name(text: &str) -> Result<String, ApiError> { Err(ApiError::invalid_argument("name", "must be given")) }
//! # fn phone(text: &str) -> Result<String, ApiError> { Err(ApiError::invalid_argument("phone", "must be given")) }
//! let error = fields::all((name(""), phone(""))).unwrap_err();
//! assert_eq!(error.fields.len(), 2);
//! ```

use crate::{ApiError, ErrorKind};

/// Several fields that were parsed.
pub trait Parsed {
    type Values;

    fn all(self) -> Result<Self::Values, ApiError>;
}

/// The values of a tuple of fields, or one error that names all those that are wrong.
pub fn all<P: Parsed>(parsed: P) -> Result<P::Values, ApiError> {
    parsed.all()
}

/// The values of a repeated field, or one error that names all that are wrong.
pub fn each<T, C: FromIterator<T>>(parsed: impl IntoIterator<Item = Result<T, ApiError>>) -> Result<C, ApiError> {
    let mut wrong = None;
    let values = parsed.into_iter().filter_map(|it| keep(&mut wrong, it)).collect();
    wrong.map_or(Ok(values), Err)
}

/// The value; or nothing, and the error is joined with the others.
fn keep<T>(wrong: &mut Option<ApiError>, parsed: Result<T, ApiError>) -> Option<T> {
    match parsed {
        Ok(value) => Some(value),
        Err(error) => {
            *wrong = Some(match wrong.take() {
                Some(first) => join(first, error),
                None => error,
            });
            None
        }
    }
}

/// Of two errors that don't both name fields, the first stays.
fn join(mut first: ApiError, second: ApiError) -> ApiError {
    let name_fields = [&first, &second].iter().all(|it| it.kind == ErrorKind::InvalidArgument && !it.fields.is_empty());
    if name_fields {
        first.message = format!("{}; {}", first.message, second.message);
        first.fields.extend(second.fields);
        first.metadata.extend(second.metadata);
    }
    first
}

macro_rules! parsed {
    ($($value:ident)+) => {
        #[expect(non_snake_case, reason = "a value is named like its type")]
        impl<$($value),+> Parsed for ($(Result<$value, ApiError>,)+) {
            type Values = ($($value,)+);

            fn all(self) -> Result<Self::Values, ApiError> {
                let ($($value,)+) = self;
                let mut wrong = None;
                let values = ($(keep(&mut wrong, $value),)+);
                match (values, wrong) {
                    (($(Some($value),)+), None) => Ok(($($value,)+)),
                    (_, wrong) => Err(wrong.unwrap_or_else(|| ApiError::internal("A field was not parsed."))),
                }
            }
        }
    };
}

parsed!(A B);
parsed!(A B C);
parsed!(A B C D);
parsed!(A B C D E);

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(field: &str) -> Result<u8, ApiError> {
        Err(ApiError::invalid_argument(field, "must be given"))
    }

    fn names(error: &ApiError) -> Vec<&str> {
        error.fields.iter().map(|(name, _)| name.as_str()).collect()
    }

    #[test]
    fn all_wrong_fields_are_named_in_their_order() {
        let error = all((wrong("a"), Ok(1), all((wrong("b.x"), wrong("b.y"))))).unwrap_err();
        assert_eq!(names(&error), ["a", "b.x", "b.y"]);
        assert_eq!(error.message, "a: must be given; b.x: must be given; b.y: must be given");
    }

    #[test]
    fn good_fields_are_their_values() {
        assert_eq!(all((Ok(1), Ok("x"), Ok(true))), Ok((1, "x", true)));
        assert_eq!(each([Ok(1), Ok(2)]), Ok(vec![1, 2]));
    }

    #[test]
    fn all_wrong_ones_of_a_list_are_named() {
        let error = each::<_, Vec<_>>([wrong("a[0]"), Ok(1), wrong("a[2]")]).unwrap_err();
        assert_eq!(names(&error), ["a[0]", "a[2]"]);
    }

    #[test]
    fn an_error_that_names_no_field_is_not_mixed_with_those_that_do() {
        let not_found = ApiError::not_found("agent");
        let missing: Result<u8, _> = Err(not_found.clone());
        assert_eq!(all((missing, wrong("a"))).unwrap_err(), not_found);
    }
}
