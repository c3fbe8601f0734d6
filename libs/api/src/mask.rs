//! Field masks of updates (AIP-134): a client changes what it names, so a client of today never erases a field of tomorrow.

use prost_types::FieldMask;

use crate::ApiError;

/// All fields.
const ALL: &str = "*";

/// The fields that a mask names; of an empty one, those that are set. An update that names nothing is a mistake.
pub fn named_fields(
    mask: Option<&FieldMask>,
    fields: &[&'static str],
    is_set: impl Fn(&str) -> bool,
) -> Result<Vec<&'static str>, ApiError> {
    let paths = mask.map_or(&[][..], |it| &it.paths);
    let is_known = |path: &&String| *path == ALL || fields.contains(&path.as_str());
    if let Some(unknown) = paths.iter().find(|it| !is_known(it)) {
        let why = format!("names {unknown:?}, which can't be changed; may name {}, or {ALL}", fields.join(", "));
        return Err(ApiError::invalid_argument("update_mask", why));
    }
    let is_named = |field: &str| {
        if paths.is_empty() { is_set(field) } else { paths.iter().any(|path| path == ALL || path == field) }
    };
    let named: Vec<_> = fields.iter().copied().filter(|it| is_named(it)).collect();
    if named.is_empty() {
        let why = "is empty, and no field is set; name the fields that are to change";
        return Err(ApiError::invalid_argument("update_mask", why));
    }
    Ok(named)
}
