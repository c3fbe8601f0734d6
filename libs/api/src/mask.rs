//! Field masks of updates (AIP-134): a client changes what it names, so a client of today never erases a field of tomorrow. Those of reads are in
//! [`read_mask`](crate::read_mask).

use prost_types::FieldMask;

use crate::ApiError;

/// All fields.
pub(crate) const ALL: &str = "*";

/// The fields that a mask names; of an empty one, those that are set. An update that names nothing is a mistake.
pub fn named_fields(
    mask: Option<&FieldMask>,
    fields: &[&'static str],
    is_set: impl Fn(&str) -> bool,
) -> Result<Vec<&'static str>, ApiError> {
    let named = named_fields_if_any(mask, fields, is_set)?;
    if named.is_empty() {
        let why = "is empty, and no field is set; name the fields that are to change";
        return Err(ApiError::invalid_argument("update_mask", why));
    }
    Ok(named)
}

/// The same for an update that may name nothing, because it is also there to create what is missing.
pub fn named_fields_if_any(
    mask: Option<&FieldMask>,
    fields: &[&'static str],
    is_set: impl Fn(&str) -> bool,
) -> Result<Vec<&'static str>, ApiError> {
    let paths = mask.map_or(&[][..], |it| &it.paths);
    let is_known = |path: &&String| *path == ALL || fields.contains(&path.as_str());
    if let Some(unknown) = paths.iter().find(|it| !is_known(it)) {
        let known = if fields.is_empty() { ALL.to_owned() } else { format!("{}, or {ALL}", fields.join(", ")) };
        let why = format!("names {unknown:?}, which can't be changed; may name {known}");
        return Err(ApiError::invalid_argument("update_mask", why));
    }
    let is_named = |field: &str| {
        if paths.is_empty() { is_set(field) } else { paths.iter().any(|path| path == ALL || path == field) }
    };
    Ok(fields.iter().copied().filter(|it| is_named(it)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: &[&str] = &["name", "steps"];

    fn of(paths: &[&str]) -> FieldMask {
        FieldMask { paths: paths.iter().map(|it| (*it).to_owned()).collect() }
    }

    #[test]
    fn a_mask_names_fields_and_an_empty_one_those_that_are_set() {
        let is_set = |field: &str| field == "name";
        for (mask, named) in [(None, &["name"][..]), (Some(of(&["steps"])), &["steps"]), (Some(of(&["*"])), FIELDS)] {
            assert_eq!(named_fields(mask.as_ref(), FIELDS, is_set).as_deref(), Ok(named));
        }
    }

    #[test]
    fn an_update_of_nothing_is_a_mistake_unless_it_may_create() {
        assert_eq!(named_fields(None, FIELDS, |_| false).unwrap_err().fields[0].0, "update_mask");
        assert_eq!(named_fields_if_any(None, FIELDS, |_| false), Ok(vec![]));
    }

    #[test]
    fn a_path_that_cannot_be_changed_is_refused_with_those_that_can() {
        let why = |fields| named_fields_if_any(Some(&of(&["etag"])), fields, |_| true).unwrap_err().fields.remove(0).1;
        assert_eq!(why(FIELDS), "names \"etag\", which can't be changed; may name name, steps, or *");
        assert_eq!(why(&[]), "names \"etag\", which can't be changed; may name *");
    }
}
