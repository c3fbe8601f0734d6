//! Rows that are not built yet: their scenarios run and are expected to fail.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use serde::Deserialize;

use super::Scenario;

/// The rows that must have a scenario.
const ROWS: [&str; 37] = [
    "b101", "b102", "b103", "b104", "b105", "b106", "b107", "b108", "b201", "b202", "b203", "b204", "b205", "b206",
    "b207", "b208", "b209", "b501", "b502", "b503", "b504", "b505", "b506", "b507", "b508", "b509", "b601", "b602",
    "b603", "b604", "b605", "b606", "b607", "b608", "b609", "b611", "b613",
];

/// `tests/pending.toml`: by row (`b999`) or by a scenario's whole name.
#[derive(Debug, Default)]
pub(crate) struct Pending(BTreeMap<String, Entry>);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    reason: String,
}

impl Pending {
    /// The list as it was when this was compiled.
    pub(crate) fn load() -> anyhow::Result<Self> {
        Ok(Self(toml::from_str(include_str!("../pending.toml")).context("tests/pending.toml")?))
    }

    /// Why this one is expected to fail, if it is.
    pub(crate) fn reason(&self, scenario: &Scenario) -> Option<&str> {
        let entry = self.0.get(scenario.name).or_else(|| self.0.get(scenario.row()))?;
        Some(&entry.reason)
    }

    /// Every row has a scenario or is listed, and whatever is listed exists.
    pub(crate) fn check(&self, scenarios: &[Scenario]) -> anyhow::Result<()> {
        let played: BTreeSet<_> = scenarios.iter().map(Scenario::row).collect();
        let missing: Vec<_> = ROWS.iter().filter(|row| !played.contains(*row) && !self.0.contains_key(**row)).collect();
        anyhow::ensure!(
            missing.is_empty(),
            "rows without a scenario; write one or list them in pending.toml: {missing:?}"
        );
        let known = |key: &str| ROWS.contains(&key) || scenarios.iter().any(|scenario| scenario.name == key);
        let unknown: Vec<_> = self.0.keys().filter(|key| !known(key)).collect();
        anyhow::ensure!(unknown.is_empty(), "pending.toml lists what there is not: {unknown:?}");
        let silent: Vec<_> = self.0.iter().filter(|(_, entry)| entry.reason.trim().is_empty()).map(|it| it.0).collect();
        anyhow::ensure!(silent.is_empty(), "pending.toml must say why: {silent:?}");
        Ok(())
    }
}
