//! One issuer: the keys that it published last, and whether a token is one of its.

use std::collections::HashSet;
use std::sync::Arc;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Header, Validation};
use parking_lot::{Mutex, RwLock};
use serde_json::Value;
use tokio::sync::Notify;

use super::keys::{Found, IssuerKey, KeySet};
use super::settings::IssuerSettings;
use crate::auth::token::{self, Lifetime, TokenTimes};
use crate::auth::{Caller, TokenError};

/// So many ids of unknown keys are remembered: others ask for nothing new.
const MAX_UNKNOWN: usize = 64;
/// In bytes.
const LONGEST_KID: usize = 256;

/// Cheap to ask; a task of its own fetches the keys.
#[derive(Debug)]
pub(super) struct Issuer {
    pub(super) settings: IssuerSettings,
    /// `None`: nobody knows, because none were fetched, or not for too long.
    keys: RwLock<Option<Arc<KeySet>>>,
    unknown: Mutex<UnknownKids>,
    wanted: Notify,
}

/// Key ids of tokens that the keys have not.
#[derive(Debug, Default)]
struct UnknownKids {
    /// The next answer says whether there are such keys.
    asked: HashSet<String>,
    /// The last answer had no such keys, though they were asked for.
    absent: HashSet<String>,
}

/// What a token of an issuer says.
pub(in crate::auth) struct IssuedToken {
    pub(in crate::auth) caller: Caller,
    pub(in crate::auth) times: TokenTimes,
    pub(in crate::auth) key: KeyInUse,
    pub(in crate::auth) lifetime: Lifetime,
}

/// The key that has verified a token.
#[derive(Debug)]
pub(in crate::auth) struct KeyInUse(Arc<IssuerKey>);

impl KeyInUse {
    /// Whether the issuer still publishes it.
    pub(in crate::auth) fn is_published(&self) -> bool {
        !self.0.is_withdrawn()
    }
}

impl Issuer {
    pub(super) fn new(settings: IssuerSettings) -> Self {
        Self { settings, keys: RwLock::default(), unknown: Mutex::default(), wanted: Notify::new() }
    }

    pub(super) fn keys(&self) -> Option<Arc<KeySet>> {
        self.keys.read().clone()
    }

    /// Checks everything of a token that names this issuer, but what depends on the time.
    pub(super) fn read(&self, token: &str, header: &Header) -> Result<IssuedToken, TokenError> {
        if !self.settings.algorithms.contains(&header.alg) {
            return Err(TokenError::Invalid(
                "its algorithm is not one that is accepted of its issuer (auth.issuers.algorithms)",
            ));
        }
        let kid = header.kid.as_deref().filter(|it| it.len() <= LONGEST_KID);
        let kid = kid.ok_or(TokenError::Invalid("it does not say with which key it was signed (kid)"))?;
        let key = self.key(kid, header.alg)?;
        let read = jsonwebtoken::decode::<Value>(token, key.key(), &self.validation(header.alg))
            .map_err(|error| TokenError::Invalid(explain(error.kind())))?;
        token::refuse_critical(&read.header)?;
        let times = TokenTimes::of(&read.claims)?;
        let caller = self.settings.mapping.caller(&read.claims)?;
        token::check(&caller)?;
        let lifetime = Lifetime {
            longest_s: self.settings.longest.as_secs().cast_signed(),
            refusal: "it is good for longer than its issuer's tokens may be (auth.issuers.max_token_ms); get one for a shorter time",
        };
        Ok(IssuedToken { caller, times, key: KeyInUse(key), lifetime })
    }

    fn validation(&self, algorithm: Algorithm) -> Validation {
        let mut validation = Validation::new(algorithm);
        // The library skips the check of a claim that is absent, unless it is required.
        validation.set_required_spec_claims(&["exp", "aud", "iss"]);
        validation.set_audience(&self.settings.audience);
        validation.set_issuer(&[&self.settings.issuer]);
        // The library would use the system's time; Baton uses its own clock.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation
    }

    /// The key of this id. One that is not there is asked for, and the call does not wait for the answer.
    fn key(&self, kid: &str, algorithm: Algorithm) -> Result<Arc<IssuerKey>, TokenError> {
        let Some(keys) = self.keys() else {
            self.wanted.notify_one();
            return Err(TokenError::Unavailable("the keys of its issuer can't be fetched; try again"));
        };
        match keys.find(kid, algorithm) {
            Found::Key(key) => Ok(key),
            Found::OtherAlgorithm => Err(TokenError::Invalid("its algorithm is not that of the key that it names")),
            Found::Nothing => Err(self.unknown(kid)),
        }
    }

    fn unknown(&self, kid: &str) -> TokenError {
        let mut unknown = self.unknown.lock();
        if unknown.asked.len() < MAX_UNKNOWN {
            unknown.asked.insert(kid.to_owned());
        }
        let is_absent = unknown.absent.contains(kid);
        drop(unknown);
        self.wanted.notify_one();
        if is_absent {
            TokenError::Invalid("its issuer does not publish the key that it names (kid); get a new one")
        } else {
            TokenError::Unavailable("its issuer's keys are fetched again, because it names a new one; try again")
        }
    }

    /// Waits until a token names a key that is not there.
    pub(super) async fn wanted(&self) {
        loop {
            self.wanted.notified().await;
            if self.keys().is_none() || !self.unknown.lock().asked.is_empty() {
                return;
            }
        }
    }

    /// What the answer that is fetched from now on will be asked about.
    pub(super) fn asked(&self) -> HashSet<String> {
        std::mem::take(&mut self.unknown.lock().asked)
    }

    /// The fetch has failed: who asks is not answered yet.
    pub(super) fn ask_again(&self, asked: HashSet<String>) {
        self.unknown.lock().asked.extend(asked);
    }

    /// Takes in what the issuer publishes now. Keys that it has withdrawn verify nothing any more, and what they have verified is no longer.
    pub(super) fn publish(&self, keys: KeySet, asked: HashSet<String>) {
        let before = self.keys();
        let withdrawn = before.iter().flat_map(|it| it.kids()).map(str::to_owned);
        let mut unknown = self.unknown.lock();
        let absent: HashSet<_> =
            unknown.absent.drain().chain(withdrawn).filter(|kid| !keys.has(kid) && !asked.contains(kid)).collect();
        // Of those that are too many, the ones just asked for are worth more.
        let older = absent.into_iter().take(MAX_UNKNOWN);
        unknown.absent = asked.into_iter().filter(|kid| !keys.has(kid)).chain(older).collect();
        if let Some(before) = &before {
            before.withdraw(&keys);
        }
        *self.keys.write() = Some(Arc::new(keys));
    }

    /// The keys are too old.
    pub(super) fn forget(&self) {
        let forgotten = self.keys.write().take();
        if let Some(forgotten) = forgotten {
            forgotten.withdraw(&KeySet::default());
        }
    }
}

/// The message does not repeat any part of the token.
fn explain(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidSignature => "it was not signed with the key that it names",
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName => {
            "its algorithm is not that of the key that it names"
        }
        ErrorKind::InvalidIssuer => "its issuer is not one that is accepted",
        ErrorKind::InvalidAudience => {
            "it is not meant for Baton (aud); auth.issuers.audience says for whom it has to be"
        }
        ErrorKind::MissingRequiredClaim(_) => "a claim is missing or malformed; exp, aud and iss are needed",
        ErrorKind::Json(_) | ErrorKind::InvalidClaimFormat(_) => "a claim is missing or malformed",
        _ => "it is not a signed JWT",
    }
}
