//! `[[auth.issuers]]`: issuers of the site's own, as they are written. What they mean, and whether it makes sense, is
//! [`crate::auth::Issuers`]' to say. `docs/identity.md` describes the keys.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Deserializer};

use super::sections::{Millis, optional_path};

/// Whether tokens that were signed with Baton's own key are accepted of clients. Services accept each other's always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DevelopmentKey {
    /// Where it is the command's default and no issuer is configured.
    #[default]
    Auto,
    Accepted,
    Refused,
}

impl DevelopmentKey {
    /// What it means where `default` holds without issuers.
    pub fn is_accepted(self, default: bool, has_issuers: bool) -> bool {
        match self {
            Self::Auto => default && !has_issuers,
            Self::Accepted => true,
            Self::Refused => false,
        }
    }
}

impl<'de> Deserialize<'de> for DevelopmentKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum BoolOrWord {
            Decided(bool),
            Word(String),
        }
        match BoolOrWord::deserialize(deserializer) {
            Ok(BoolOrWord::Decided(true)) => Ok(Self::Accepted),
            Ok(BoolOrWord::Decided(false)) => Ok(Self::Refused),
            Ok(BoolOrWord::Word(word)) if word == "auto" => Ok(Self::Auto),
            _ => Err(serde::de::Error::custom("must be true, false or \"auto\"")),
        }
    }
}

/// One of `[[auth.issuers]]`. What is left out is empty here.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IssuerConfig {
    /// The claim `iss`, exactly.
    pub issuer: String,
    /// A token's claim `aud` has to have one of them.
    #[serde(deserialize_with = "one_or_several")]
    pub audience: Vec<String>,
    /// Where its keys are: this or `jwks_file`.
    pub jwks_url: String,
    /// `None`: `jwks_url`.
    #[serde(deserialize_with = "optional_path")]
    pub jwks_file: Option<PathBuf>,
    /// `None`: the machine's certificates.
    #[serde(deserialize_with = "optional_path")]
    pub ca_file: Option<PathBuf>,
    /// Empty: all that are known.
    pub algorithms: Vec<String>,
    /// The tenants of whom it may make tokens; `["*"]` is all of them.
    pub tenants: Vec<String>,
    /// Empty: the one tenant.
    pub tenant_claim: String,
    /// Empty: the claim has the tenant's id.
    pub tenant_names: BTreeMap<String, String>,
    /// The roles that it may give; where a token has several, the first of them counts.
    pub roles: Vec<String>,
    /// Empty: the one role.
    pub role_claim: String,
    /// Empty: the claim has the role's name.
    pub role_names: BTreeMap<String, String>,
    pub subject_claim: String,
    /// Empty: `subject_claim`.
    pub agent_claim: String,
    pub max_token_ms: Millis,
}

impl Default for IssuerConfig {
    fn default() -> Self {
        Self {
            issuer: String::new(),
            audience: Vec::new(),
            jwks_url: String::new(),
            jwks_file: None,
            ca_file: None,
            algorithms: Vec::new(),
            tenants: Vec::new(),
            tenant_claim: String::new(),
            tenant_names: BTreeMap::new(),
            roles: Vec::new(),
            role_claim: String::new(),
            role_names: BTreeMap::new(),
            subject_claim: "sub".to_owned(),
            agent_claim: String::new(),
            max_token_ms: Millis::DAY,
        }
    }
}

/// A text, or a list of them.
fn one_or_several<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrSeveral {
        One(String),
        Several(Vec<String>),
    }
    match OneOrSeveral::deserialize(deserializer) {
        Ok(OneOrSeveral::One(text)) => Ok(vec![text]),
        Ok(OneOrSeveral::Several(texts)) => Ok(texts),
        Err(_) => Err(serde::de::Error::custom("must be a text or a list of texts")),
    }
}
