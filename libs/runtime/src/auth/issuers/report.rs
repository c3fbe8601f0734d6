//! One look at every issuer, for whoever examines an installation.

use super::fetch;
use super::keys::KeySet;
use super::refresh::chain;
use super::settings::IssuerSettings;
use crate::config::AuthConfig;

/// What an issuer of the configuration publishes now.
#[derive(Debug)]
pub struct IssuerReport {
    pub issuer: String,
    /// How many of its keys can be used; or why they can't be had.
    pub keys: Result<usize, String>,
    /// Why each of the others is not used.
    pub left_out: Vec<&'static str>,
}

impl super::Issuers {
    /// Fetches the keys of each issuer once. Nothing for a configuration that has problems: whoever loads it has said so.
    pub async fn look(config: &AuthConfig) -> Vec<IssuerReport> {
        super::super::provider::install();
        let mut reports = Vec::new();
        for settings in IssuerSettings::all(config).unwrap_or_default() {
            let read = match settings.source.fetch(fetch::LONGEST).await {
                Ok(text) => KeySet::read(&text, &KeySet::default()).map_err(|error| chain(&error)),
                Err(error) => Err(chain(&error)),
            };
            let (keys, left_out) = match read {
                Ok(keys) => (Ok(keys.len()), keys.left_out),
                Err(error) => (Err(error), Vec::new()),
            };
            reports.push(IssuerReport { issuer: settings.issuer, keys, left_out });
        }
        reports
    }
}
