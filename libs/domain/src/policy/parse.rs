//! Reads a policy: a profile, and a tenant's overrides on top. Unknown keys, wrong types and contradictions are errors that name file and
//! line.

use super::{Policy, check, profile};
use baton_words::type_text;
use toml::de::{DeTable, DeValue};

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
    match check::check(&policy) {
        Ok(()) => Ok(policy),
        Err(found) => Err(at_key(name, overrides, &found.path, found.why)),
    }
}

/// The same for one that was accepted before: what a later version no longer accepts goes on for the calls that began with it.
pub fn restore(name: &str, overrides: &str, entitlements: Vec<String>) -> Result<Policy, PolicyError> {
    let base = profile(name).ok_or_else(|| PolicyError::UnknownProfile {
        name: name.to_owned(),
        known: super::PROFILES.iter().map(|profile| profile.name).collect::<Vec<_>>().join(", "),
    })?;
    let mut merged: toml::Table = read(&format!("{name}.toml"), base.toml)?;
    let changes: toml::Table = read("overrides", overrides)?;
    merge(&mut merged, changes, &mut Vec::new()).map_err(|unknown| unknown_key(overrides, &unknown))?;
    // The profile itself is known to be good, so a value that does not fit came from the overrides.
    let mut policy = fit("overrides", overrides, merged)?;
    policy.entitlements = entitlements;
    Ok(policy)
}

/// The table as a policy; a value that does not fit stands in this text.
fn fit(file: &str, text: &str, table: toml::Table) -> Result<Policy, PolicyError> {
    serde_path_to_error::deserialize(toml::Value::Table(table)).map_err(|error| {
        let (path, message) = (error.path().to_string(), error.inner().message());
        let why = match (path.as_str(), unknown_field(message)) {
            (_, Some(unknown)) => no_such_field(&path, &unknown),
            (".", None) => type_text(message),
            (path, None) => format!("`{path}` {}", type_text(message)),
        };
        PolicyError::Invalid { file: file.to_owned(), line: nearest_line(text, &path).unwrap_or(1), why }
    })
}

/// What the reader says of a field that there is not: the fields that there are.
fn unknown_field(message: &str) -> Option<Vec<String>> {
    let known = message.strip_prefix("unknown field `")?;
    Some(known.split('`').skip(2).step_by(2).map(str::to_owned).collect())
}

/// A whole policy by itself, as a profile's file is. For trying one out that is not built in.
pub fn parse_file(file: &str, text: &str, entitlements: Vec<String>) -> Result<Policy, PolicyError> {
    let invalid = |line, why| PolicyError::Invalid { file: file.to_owned(), line, why };
    let table: toml::Table = read(file, text)?;
    let mut policy = fit(file, text, table)?;
    check::check(&policy).map_err(|found| invalid(nearest_line(text, &found.path).unwrap_or(1), found.why))?;
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

/// A key that is in no profile: its path, and those that would be right there.
struct UnknownKey {
    path: Vec<String>,
    known: Vec<String>,
}

/// Lays `changes` over `base`; a key that `base` lacks is unknown, as a profile has all that it knows.
fn merge(base: &mut toml::Table, changes: toml::Table, path: &mut Vec<String>) -> Result<(), UnknownKey> {
    for (key, value) in changes {
        path.push(key.clone());
        match (base.get_mut(&key), value) {
            (None, _) => {
                return Err(UnknownKey { path: std::mem::take(path), known: base.keys().cloned().collect() });
            }
            (Some(toml::Value::Table(below)), toml::Value::Table(changes)) => merge(below, changes, path)?,
            (Some(slot), value) => *slot = value,
        }
        path.pop();
    }
    Ok(())
}

fn unknown_key(overrides: &str, unknown: &UnknownKey) -> PolicyError {
    let dotted = unknown.path.join(".");
    PolicyError::Invalid {
        file: "overrides".into(),
        line: nearest_line(overrides, &dotted).unwrap_or(1),
        why: no_such_field(&dotted, &unknown.known),
    }
}

fn no_such_field(dotted: &str, known: &[String]) -> String {
    let key = dotted.rsplit('.').next().unwrap_or_default();
    let near = known.iter().map(|known| (strsim::jaro_winkler(key, known), known));
    let nearest = near.filter(|(likeness, _)| *likeness > 0.8).max_by(|(a, _), (b, _)| a.total_cmp(b));
    let hint = match nearest {
        Some((_, known)) => format!("did you mean `{known}`?"),
        None => format!("here there are: {}", known.join(", ")),
    };
    format!("there is no field `{dotted}`; {hint}")
}

/// What contradicts the profile, which is known to be good, is in the overrides: at the field itself, or at one that it contradicts.
fn at_key(name: &str, overrides: &str, path: &str, why: String) -> PolicyError {
    let in_profile = || profile(name).and_then(|base| nearest_line(base.toml, path)).unwrap_or(1);
    let (file, line) = match nearest_line(overrides, path) {
        Some(line) => ("overrides".to_owned(), line),
        None => (format!("{name}.toml"), in_profile()),
    };
    PolicyError::Invalid { file, line, why }
}

/// The line, from 1, on which the field is set, or the innermost table around it.
fn nearest_line(text: &str, dotted: &str) -> Option<usize> {
    let document = DeTable::parse(text).ok()?;
    let (mut table, mut nearest) = (document.get_ref(), None);
    for name in dotted.split('.') {
        let Some((key, value)) = table.iter().find(|(key, _)| key.get_ref() == name) else { break };
        nearest = Some(line_at(text, key.span().start));
        let DeValue::Table(below) = value.get_ref() else { break };
        table = below;
    }
    nearest
}

fn line_at(text: &str, offset: usize) -> usize {
    text[..offset.min(text.len())].matches('\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use baton_words::TransferKind;

    fn refused(overrides: &str) -> String {
        parse("lead_center", overrides, vec![]).expect_err("must be refused").to_string()
    }

    #[test]
    fn an_unknown_profile_is_refused_with_those_there_are() {
        let error = parse("lead_centre", "", vec![]).expect_err("must be refused").to_string();
        assert_eq!(
            error,
            "there is no profile `lead_centre`; the profiles are lead_center, helpdesk, engagement, aicc, user_transfer"
        );
    }

    #[test]
    fn overrides_replace_single_fields() {
        let policy = parse("helpdesk", "[methods.warm.offer]\nring_ms = 1500\n", vec![]).expect("valid");
        assert_eq!(policy.methods[&TransferKind::Warm].offer.ring_ms, 1500);
        assert_eq!(policy.methods[&TransferKind::Cold].offer.ring_ms, 20_000);
    }

    #[test]
    fn a_typo_names_its_line() {
        assert_eq!(
            refused("# shorter\n[methods.warm.offer]\nring_sm = 10\n"),
            "overrides:3: there is no field `methods.warm.offer.ring_sm`; did you mean `ring_ms`?"
        );
    }

    #[test]
    fn broken_toml_names_its_line() {
        assert!(refused("[methods\n").starts_with("overrides:1: "));
    }

    #[test]
    fn a_wrong_word_names_its_line() {
        let error = refused("[methods.warm]\nhears = \"music\"\nafter_failure = \"hold\"\n");
        assert!(error.starts_with("overrides:3: `methods.warm.after_failure` unknown variant `hold`"), "{error}");
    }

    #[test]
    fn a_wrong_type_names_its_line_and_field() {
        let needed = "a whole number is needed, such as 5000";
        let why = format!("`methods.warm.offer.ring_ms` is of the wrong type: the text \"abc\"; {needed}");
        assert_eq!(refused("[methods.warm.offer]\nring_ms = \"abc\"\n"), format!("overrides:2: {why}"));
        assert_eq!(refused("\n[methods.warm]\noffer = { ring_ms = \"abc\" }\n"), format!("overrides:3: {why}"));
    }

    #[test]
    fn a_whole_file_names_its_lines() {
        let whole = profile("helpdesk").expect("built in").toml;
        let refused = |from: &str, to: &str| {
            let text = whole.replacen(from, to, 1);
            parse_file("mine.toml", &text, vec![]).expect_err("must be refused").to_string()
        };
        let error = refused("max_hops = 20", "max_hops = \"many\"");
        assert!(error.starts_with("mine.toml:6: `interaction.max_hops` is of the wrong type"), "{error}");
        let error = refused("max_hops = 20", "max_hopps = 20");
        let expected = "mine.toml:6: there is no field `interaction.max_hopps`; did you mean `max_hops`?";
        assert_eq!(error, expected);
        let error = refused("max_hops = 20", "");
        assert!(error.starts_with("mine.toml:5: `interaction` missing field `max_hops`"), "{error}");
        let error = refused("name = \"helpdesk\"", "");
        assert_eq!(error, "mine.toml:1: missing field `name`");
        let error = refused("farewell_ms = 10_000", "farewell_ms = 10");
        assert!(error.starts_with("mine.toml:31: `interaction.farewell_ms` is 10"), "{error}");
    }

    #[test]
    fn a_contradiction_names_its_line() {
        let error = refused("\n[methods.cold.offer]\nfallback = [\"voicemail\"]\n");
        assert!(error.starts_with("overrides:3: "), "{error}");
        assert!(error.contains("disconnect"), "{error}");
    }

    #[test]
    fn contradictions_are_refused_where_they_stand() {
        let cases = [
            ("[methods.cold.offer]\nredials = 9\n", "overrides:2: `methods.cold.offer.redials`"),
            ("[methods.warm]\noffer = { ring_ms = 5 }\n", "overrides:2: `methods.warm.offer.ring_ms`"),
            ("[methods.warm.offered]\ninitiator_may = [\"complete\"]\n", "overrides:2: in this phase nobody"),
            ("[methods.warm.offered]\non_timeout = \"complete\"\n", "overrides:2: `methods.warm.offered.on_timeout`"),
            (
                "[methods.warm.consult.joined]\non_timeout = \"continue\"\n",
                "overrides:2: `methods.warm.consult.joined.on_timeout`",
            ),
            (
                "[methods.warm.offered]\ninitiator_leaves = \"complete\"\n",
                "overrides:2: `methods.warm.offered.initiator_leaves`",
            ),
            (
                "[methods.warm.consult.consulting]\ninitiator_leaves = \"continue\"\n",
                "overrides:2: `methods.warm.consult.consulting.initiator_leaves`",
            ),
            ("[methods.warm.offered]\nmax_ms = 1000\n", "overrides:2: `methods.warm.offered.max_ms`"),
            ("[interaction]\norphan = [\"voicemail\", \"disconnect\"]\n", "overrides:2: `interaction.orphan`"),
            ("[methods.cold.offer]\nchoosable = []\n", "overrides:2: `methods.cold.offer.choosable`"),
            ("[interaction]\ndial_states = []\n", "overrides:2: `interaction.dial_states`"),
            (
                "[interaction]\noutcomes = [\"A\", \"B\", \"A\"]\n",
                "overrides:2: `interaction.outcomes` has \"A\" twice",
            ),
            (
                "[interaction]\noutcomes = [\"A\", \" B\"]\n",
                "overrides:2: `interaction.outcomes` has \" B\": a name is",
            ),
            ("[interaction]\noutcomes = [\"x\\u200B\"]\n", "overrides:2: `interaction.outcomes` has"),
            ("[interaction]\nneeds_disposition = true\n", "overrides:2: `interaction.needs_disposition`"),
            ("[methods.warm]\nneeds_outcome = true\n", "overrides:2: `methods.warm.needs_outcome`"),
            ("[methods.warm.offer]\nrecommended = [\"away\"]\n", "overrides:2: `methods.warm.offer.recommended`"),
            (
                "[methods.warm.offer]\nwhen_busy = \"wait\"\nwait_ms = 170_000\n",
                "overrides:1: `methods.warm.offered.max_ms` is",
            ),
            (
                "[methods.cold.offer]\nfallback = [\"next_step\", \"next_step\", \"disconnect\"]\n",
                "overrides:2: `methods.cold.offer.fallback`",
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
