//! The keys that an issuer publishes (a JWK set, RFC 7517), and which of them can verify a token.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind};
use serde::Deserialize;
use serde_json::Value;

/// In bits; ring verifies no others.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;
/// In bytes.
const LONGEST_KID: usize = 256;

#[derive(Debug, thiserror::Error)]
#[error("what it published is no JWK set, which is a JSON object with a list `keys`")]
pub(super) struct NotKeys(#[source] serde_json::Error);

/// A key as it is published. What is not read here does not matter.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// A key that can verify tokens.
#[derive(Debug)]
pub(super) struct IssuerKey {
    published: Jwk,
    key: DecodingKey,
    algorithms: Vec<Algorithm>,
    /// Said outright: whoever is verifying a token just now still has the key in hand.
    is_withdrawn: AtomicBool,
}

impl IssuerKey {
    pub(super) fn key(&self) -> &DecodingKey {
        &self.key
    }

    /// Whether the issuer no longer publishes it, or nobody knows whether it does.
    pub(super) fn is_withdrawn(&self) -> bool {
        self.is_withdrawn.load(Ordering::Acquire)
    }

    /// Of a key that can't be used, why not.
    fn read(published: Jwk) -> Result<Self, &'static str> {
        if published.usage.as_ref().is_some_and(|it| it != "sig") {
            return Err("it is not for signatures (use)");
        }
        if published.key_ops.as_ref().is_some_and(|it| !it.iter().any(|it| it == "verify")) {
            return Err("it is not for verifying (key_ops)");
        }
        let (key, mut algorithms) = material(&published)?;
        if let Some(only) = &published.alg {
            algorithms.retain(|it| only.parse() == Ok(*it));
        }
        if algorithms.is_empty() {
            Err("its alg is not one of its kind")
        } else {
            Ok(Self { published, key, algorithms, is_withdrawn: AtomicBool::new(false) })
        }
    }
}

/// The key, and the algorithms of its kind.
fn material(published: &Jwk) -> Result<(DecodingKey, Vec<Algorithm>), &'static str> {
    match (published.kty.as_str(), published.crv.as_deref()) {
        ("RSA", _) => Ok((rsa(published)?, Algorithm::RS256.family().algorithms().to_vec())),
        ("EC", Some("P-256")) => Ok((curve(published, 32)?, vec![Algorithm::ES256])),
        ("EC", Some("P-384")) => Ok((curve(published, 48)?, vec![Algorithm::ES384])),
        ("OKP", Some("Ed25519")) => {
            let x = published.x.as_ref().ok_or("x is missing")?;
            let key = DecodingKey::from_ed_components(x).map_err(|_| "x is malformed")?;
            if bytes(&key) == 32 { Ok((key, vec![Algorithm::EdDSA])) } else { Err("x has the wrong length") }
        }
        ("EC" | "OKP", _) => Err("its curve is not P-256, P-384 or Ed25519 (crv)"),
        ("oct", _) => Err("it is a secret, and published ones are none"),
        _ => Err("its kind is unknown (kty)"),
    }
}

fn rsa(published: &Jwk) -> Result<DecodingKey, &'static str> {
    let (n, e) = published.n.as_ref().zip(published.e.as_ref()).ok_or("n or e is missing")?;
    let key = DecodingKey::from_rsa_components(n, e).map_err(|_| "n or e is malformed")?;
    let DecodingKeyKind::RsaModulusExponent { n, e } = key.kind() else {
        return Err("n or e is malformed");
    };
    // Some write a zero in front.
    let (n, e) = (without_zeros(n), without_zeros(e));
    let bits = n.len() * 8 - n.first().map_or(0, |it| it.leading_zeros() as usize);
    if RSA_BITS.contains(&bits) {
        Ok(DecodingKey::from_rsa_raw_components(n, e))
    } else {
        Err("an RSA key has 2048 to 8192 bits")
    }
}

fn without_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|it| **it == 0).count();
    number.get(zeros..).unwrap_or_default()
}

fn curve(published: &Jwk, coordinate: usize) -> Result<DecodingKey, &'static str> {
    let (x, y) = published.x.as_ref().zip(published.y.as_ref()).ok_or("x or y is missing")?;
    let x_alone = DecodingKey::from_ed_components(x).map_err(|_| "x or y is malformed")?;
    let key = DecodingKey::from_ec_components(x, y).map_err(|_| "x or y is malformed")?;
    let fits = bytes(&x_alone) == coordinate && bytes(&key) == 1 + 2 * coordinate;
    if fits { Ok(key) } else { Err("x or y has the wrong length") }
}

fn bytes(key: &DecodingKey) -> usize {
    key.try_get_as_bytes().map_or(0, <[u8]>::len)
}

/// The keys of one answer, by id. An id stands for several if they are of different kinds.
#[derive(Debug, Default)]
pub(super) struct KeySet {
    by_kid: HashMap<String, Vec<Arc<IssuerKey>>>,
    /// Of each key that can't be used, why not.
    pub(super) left_out: Vec<&'static str>,
}

/// What a key set has for a token.
#[derive(Debug)]
pub(super) enum Found {
    Key(Arc<IssuerKey>),
    /// There is a key of this id, for other algorithms.
    OtherAlgorithm,
    Nothing,
}

impl KeySet {
    /// Reads what an issuer publishes. A key that was there before, and is the same, remains the same.
    pub(super) fn read(text: &[u8], before: &Self) -> Result<Self, NotKeys> {
        #[derive(Deserialize)]
        struct JwkSet {
            keys: Vec<Value>,
        }
        let published: JwkSet = serde_json::from_slice(text).map_err(NotKeys)?;
        let mut this = Self::default();
        for value in published.keys {
            let read = serde_json::from_value::<Jwk>(value).map_err(|_| "it is malformed");
            if let Err(reason) = read.and_then(|it| this.add(it, before)) {
                this.left_out.push(reason);
            }
        }
        Ok(this)
    }

    fn add(&mut self, published: Jwk, before: &Self) -> Result<(), &'static str> {
        let kid = published.kid.clone().filter(|it| !it.is_empty() && it.len() <= LONGEST_KID);
        let kid = kid.ok_or("it has no id, or one that is too long (kid)")?;
        let same = before.by_kid.get(&kid).and_then(|it| it.iter().find(|it| it.published == published));
        let key = match same {
            Some(same) => Arc::clone(same),
            None => Arc::new(IssuerKey::read(published)?),
        };
        self.by_kid.entry(kid).or_default().push(key);
        Ok(())
    }

    pub(super) fn find(&self, kid: &str, algorithm: Algorithm) -> Found {
        let Some(keys) = self.by_kid.get(kid) else { return Found::Nothing };
        let fitting = keys.iter().find(|it| it.algorithms.contains(&algorithm));
        fitting.map_or(Found::OtherAlgorithm, |it| Found::Key(Arc::clone(it)))
    }

    pub(super) fn has(&self, kid: &str) -> bool {
        self.by_kid.contains_key(kid)
    }

    pub(super) fn kids(&self) -> impl Iterator<Item = &str> {
        self.by_kid.keys().map(String::as_str)
    }

    /// Takes back all keys but those that `next` has, too.
    pub(super) fn withdraw(&self, next: &Self) {
        for key in self.by_kid.values().flatten().filter(|key| !next.has_key(key)) {
            key.is_withdrawn.store(true, Ordering::Release);
        }
    }

    fn has_key(&self, key: &Arc<IssuerKey>) -> bool {
        self.by_kid.values().flatten().any(|it| Arc::ptr_eq(it, key))
    }

    /// Whether it has each key of the other, and no more.
    pub(super) fn has_the_keys_of(&self, other: &Self) -> bool {
        self.len() == other.len() && self.by_kid.values().flatten().all(|key| other.has_key(key))
    }

    pub(super) fn len(&self) -> usize {
        self.by_kid.values().map(Vec::len).sum()
    }
}

#[cfg(test)]
#[path = "keys_tests.rs"]
mod tests;
