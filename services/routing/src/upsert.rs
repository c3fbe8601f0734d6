//! Updates that create what is missing, if their client allows that (AIP-134).
//!
//! Whether there is something to update is known in the transaction alone, and all that can be wrong in a request is found before it. So
//! a request is read both ways: as a change of the fields that its mask names, and as something new, which needs all fields.

use baton_api::{ApiError, mask};
use prost_types::FieldMask;

/// An update as a change, and as what is created in its place when there is nothing to change.
#[derive(Debug)]
pub(crate) struct Upsert<C> {
    change: C,
    /// `None`: the client does not allow it.
    creation: Option<Result<C, ApiError>>,
}

impl<C: Clone> Upsert<C> {
    /// Reads an update of one that has these `fields`: `read` takes those of them that it is given the names of.
    ///
    /// A change that is wrong is refused. A creation can be wrong although the change is not, because it has fields that the mask does not
    /// name: that counts when there is nothing to change.
    pub(crate) fn parse(
        (mask, allow_missing): (Option<&FieldMask>, bool),
        fields: &[&'static str],
        is_set: impl Fn(&str) -> bool,
        read: impl Fn(&[&str]) -> Result<C, ApiError>,
    ) -> Result<Self, ApiError> {
        if !allow_missing {
            return Ok(Self { change: read(&mask::named_fields(mask, fields, is_set)?)?, creation: None });
        }
        let change = read(&mask::named_fields_if_any(mask, fields, is_set)?);
        match (change, read(fields)) {
            (Ok(change), creation) => Ok(Self { change, creation: Some(creation) }),
            (Err(_), Err(wrong)) | (Err(wrong), Ok(_)) => Err(wrong),
        }
    }

    /// What to change in something that is there.
    pub(crate) fn change(&self) -> C {
        self.change.clone()
    }

    /// What to create where nothing is.
    pub(crate) fn creation(&self, what: &str) -> Result<C, ApiError> {
        self.creation.clone().unwrap_or_else(|| Err(ApiError::not_found(what)))
    }

    /// All that may be written.
    pub(crate) fn all(&self) -> impl Iterator<Item = &C> {
        let creation = self.creation.as_ref().and_then(|it| it.as_ref().ok());
        std::iter::once(&self.change).chain(creation)
    }
}

#[cfg(test)]
mod tests {
    use baton_api::fields;

    use super::*;

    const FIELDS: &[&str] = &["name", "steps"];

    /// The names of the fields that are read, of which only these are good.
    fn parse(mask: &[&str], allow_missing: bool, good: &[&str]) -> Result<Upsert<Vec<String>>, ApiError> {
        let mask = FieldMask { paths: mask.iter().map(|it| (*it).to_owned()).collect() };
        let is_set = |field: &str| field == "name";
        Upsert::parse((Some(&mask), allow_missing), FIELDS, is_set, |names| {
            let read = |it: &&str| if good.contains(it) { Ok((*it).to_owned()) } else { Err(wrong(it)) };
            fields::each(names.iter().map(read))
        })
    }

    fn wrong(field: &str) -> ApiError {
        ApiError::invalid_argument(field, "must be given")
    }

    fn names(error: &ApiError) -> Vec<&str> {
        error.fields.iter().map(|(name, _)| name.as_str()).collect()
    }

    #[test]
    fn a_change_is_of_the_named_fields_and_a_creation_of_all() {
        for (mask, named) in [(&["steps"][..], &["steps"][..]), (&[], &["name"]), (&["*"], FIELDS)] {
            assert_eq!(parse(mask, true, FIELDS).unwrap().change(), named);
            assert_eq!(parse(mask, true, FIELDS).unwrap().creation("flow").unwrap(), FIELDS);
        }
    }

    #[test]
    fn what_is_missing_is_created_only_if_the_client_allows_it() {
        assert_eq!(parse(&["name"], false, FIELDS).unwrap().creation("flow"), Err(ApiError::not_found("flow")));
    }

    #[test]
    fn a_wrong_creation_counts_when_there_is_nothing_to_change_and_a_wrong_change_always() {
        let named_only = || parse(&["name"], true, &["name"]).unwrap();
        assert_eq!(named_only().change(), ["name"]);
        assert_eq!(named_only().creation("flow"), Err(wrong("steps")));
        assert_eq!(named_only().all().count(), 1);
        assert_eq!(names(&parse(&["name"], false, &[]).unwrap_err()), ["name"]);
        assert_eq!(names(&parse(&["name"], true, &[]).unwrap_err()), FIELDS);
    }

    #[test]
    fn an_unknown_path_is_refused_whether_there_is_something_or_not() {
        for allow_missing in [true, false] {
            assert_eq!(names(&parse(&["etag"], allow_missing, FIELDS).unwrap_err()), ["update_mask"]);
        }
    }
}
