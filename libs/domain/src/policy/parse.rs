//! Reads a policy: a profile, and a tenant's overrides on top. Unknown keys, wrong types and contradictions are errors that name file and
//! line.

use super::{Policy, check, profile};

/// A policy text that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// There is no such profile.
    #[error("there is no profile `{name}`; the profiles are {known}")]
    UnknownProfile {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// The text is wrong.
    #[error("{file}:{line}: {why}")]
    Invalid {
        /// The profile's file, or `overrides`.
        file: String,
        /// From 1.
        line: usize,
        /// What is wrong and what would be right.
        why: String,
    },
}

/// The policy of a tenant: profile `name` with `overrides` (TOML; may be empty) on it.
pub fn parse(name: &str, overrides: &str, entitlements: Vec<String>) -> Result<Policy, PolicyError> {
    let policy = restore(name, overrides, entitlements)?;
    match check::contradiction(&policy) {
        None => Ok(policy),
        Some((path, why)) => Err(at_key(name, overrides, path, why)),
    }
}

/// The same for one that was accepted before: what a later version no longer accepts goes on for the calls that began with it.
pub fn restore(name: &str, overrides: &str, entitlements: Vec<String>) -> Result<Policy, PolicyError> {
    let base = profile(name).ok_or_else(|| PolicyError::UnknownProfile {
        name: name.to_owned(),
        known: super::PROFILES.iter().map(|profile| profile.name).collect::<Vec<_>>().join(", "),
    })?;
    let file = format!("{name}.toml");
    let mut merged: toml::Table = read(&file, base.toml)?;
    let changes: toml::Table = read("overrides", overrides)?;
    merge(&mut merged, changes, &mut Vec::new()).map_err(|path| unknown(overrides, &path))?;
    let mut policy: Policy = merged.try_into().map_err(|error| wrong_value(overrides, &error))?;
    policy.entitlements = entitlements;
    Ok(policy)
}

fn read<T: serde::de::DeserializeOwned>(file: &str, text: &str) -> Result<T, PolicyError> {
    toml::from_str(text).map_err(|error| PolicyError::Invalid {
        file: file.to_owned(),
        line: error.span().map_or(1, |span| line_at(text, span.start)),
        why: error.message().to_owned(),
    })
}

/// Lays `changes` over `base`; a key that `base` lacks is unknown, as a profile has them all. The error is the key's path.
fn merge(base: &mut toml::Table, changes: toml::Table, path: &mut Vec<String>) -> Result<(), Vec<String>> {
    for (key, value) in changes {
        path.push(key.clone());
        match (base.get_mut(&key), value) {
            (None, _) => return Err(std::mem::take(path)),
            (Some(toml::Value::Table(below)), toml::Value::Table(changes)) => merge(below, changes, path)?,
            (Some(slot), value) => *slot = value,
        }
        path.pop();
    }
    Ok(())
}

fn unknown(overrides: &str, path: &[String]) -> PolicyError {
    let dotted = path.join(".");
    PolicyError::Invalid {
        file: "overrides".into(),
        line: line_of(overrides, &dotted).unwrap_or(1),
        why: format!("there is no field `{dotted}`; look at the profile for those there are"),
    }
}

/// The profile itself is known to be good, so a value that does not fit came from the overrides. Only the error's text tells the field's
/// path, in its last line. A field of an inline table has no line of its own: the table has.
fn wrong_value(overrides: &str, error: &toml::de::Error) -> PolicyError {
    let text = error.to_string();
    let path = text.trim_end().rsplit_once("\nin `").map_or("", |(_, path)| path.trim_end_matches('`'));
    let line = nearest_line(overrides, path).unwrap_or(1);
    PolicyError::Invalid { file: "overrides".into(), line, why: text.trim_end().replace('\n', " ") }
}

/// What contradicts the profile, which is known to be good, is in the overrides, as a rule at the field itself.
fn at_key(name: &str, overrides: &str, path: &str, why: String) -> PolicyError {
    let in_profile = || profile(name).and_then(|base| line_of(base.toml, path)).unwrap_or(1);
    let (file, line) = match nearest_line(overrides, path) {
        Some(line) => ("overrides".to_owned(), line),
        None => (format!("{name}.toml"), in_profile()),
    };
    PolicyError::Invalid { file, line, why }
}

/// The line of the field, or of the innermost table around it.
fn nearest_line(text: &str, path: &str) -> Option<usize> {
    let mut paths = std::iter::successors(Some(path), |path| path.rsplit_once('.').map(|(above, _)| above));
    paths.find_map(|path| line_of(text, path))
}

fn line_at(text: &str, offset: usize) -> usize {
    text[..offset.min(text.len())].matches('\n').count() + 1
}

/// The line on which `a.b.key` is set, from 1.
fn line_of(text: &str, dotted: &str) -> Option<usize> {
    let mut section = String::new();
    text.lines().enumerate().find_map(|(at, line)| {
        let line = line.trim();
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.split(']').next()) {
            name.trim().clone_into(&mut section);
            return (section == dotted).then_some(at + 1);
        }
        let key = line.split('=').next().unwrap_or_default().trim();
        let full = if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") };
        (!key.is_empty() && full == dotted).then_some(at + 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(overrides: &str) -> String {
        parse("lead_center", overrides, vec![]).expect_err("must be refused").to_string()
    }

    #[test]
    fn an_unknown_profile_is_refused_with_those_there_are() {
        let error = parse("lead_centre", "", vec![]).expect_err("must be refused").to_string();
        assert_eq!(error, "there is no profile `lead_centre`; the profiles are lead_center, helpdesk");
    }

    #[test]
    fn overrides_replace_single_fields() {
        let policy = parse("helpdesk", "[warm.offer]\nring_ms = 1500\n", vec![]).expect("valid");
        assert_eq!(policy.warm.offer.ring_ms, 1500);
        assert_eq!(policy.cold.offer.ring_ms, 20_000);
    }

    #[test]
    fn a_typo_names_its_line() {
        assert_eq!(
            refused("# shorter\n[warm.offer]\nring_sm = 10\n"),
            "overrides:3: there is no field `warm.offer.ring_sm`; look at the profile for those there are"
        );
    }

    #[test]
    fn broken_toml_names_its_line() {
        assert!(refused("[warm\n").starts_with("overrides:1: "));
    }

    #[test]
    fn a_wrong_word_names_its_line() {
        let error = refused("[warm]\nmute_hands_over = true\nafter_failure = \"hold\"\n");
        assert!(error.starts_with("overrides:3: unknown variant `hold`"), "{error}");
    }

    #[test]
    fn a_wrong_type_names_its_line_and_field() {
        let why = "invalid type: string \"abc\", expected i64 in `warm.offer.ring_ms`";
        assert_eq!(refused("[warm.offer]\nring_ms = \"abc\"\n"), format!("overrides:2: {why}"));
        assert_eq!(refused("\n[warm]\noffer = { ring_ms = \"abc\" }\n"), format!("overrides:3: {why}"));
    }

    #[test]
    fn a_contradiction_names_its_line() {
        let error = refused("\n[cold.offer]\nfallback = [\"voicemail\"]\n");
        assert!(error.starts_with("overrides:3: "), "{error}");
        assert!(error.contains("disconnect"), "{error}");
    }

    #[test]
    fn contradictions_are_refused_where_they_stand() {
        let cases = [
            ("[cold.offer]\nredials = 9\n", "overrides:2: `cold.offer.redials`"),
            ("[warm]\noffer = { ring_ms = 5 }\n", "overrides:2: `warm.offer.ring_ms`"),
            ("[warm.offered]\ninitiator_may = [\"complete\"]\n", "overrides:2: in this phase nobody"),
            ("[warm.offered]\non_timeout = \"complete\"\n", "overrides:2: `warm.offered.on_timeout`"),
            ("[warm.joined]\non_timeout = \"continue\"\n", "overrides:2: `warm.joined.on_timeout`"),
            ("[warm.offered]\ninitiator_leaves = \"complete\"\n", "overrides:2: `warm.offered.initiator_leaves`"),
            ("[warm.consulting]\ninitiator_leaves = \"continue\"\n", "overrides:2: `warm.consulting.initiator_leaves`"),
            ("[warm.offered]\nmax_ms = 1000\n", "overrides:2: `warm.offered.max_ms`"),
            ("[interaction]\norphan = [\"voicemail\", \"disconnect\"]\n", "overrides:2: `interaction.orphan`"),
            ("[cold.offer]\nchoosable = []\n", "overrides:2: `cold.offer.choosable`"),
            (
                "[cold.offer]\nfallback = [\"next_step\", \"next_step\", \"disconnect\"]\n",
                "overrides:2: `cold.offer.fallback`",
            ),
        ];
        for (overrides, begins) in cases {
            let error = refused(overrides);
            assert!(error.starts_with(begins), "{error}");
            assert!(
                restore("lead_center", overrides, vec![]).is_ok(),
                "what was stored can still be read: {overrides}"
            );
        }
    }
}
