//! X2: a forged, expired, mis-addressed or unsigned token gets nothing.

use serde_json::{Value, json};

use jsonwebtoken::{Algorithm, EncodingKey, Header};

use super::*;
use crate::auth::{Role, SigningKey};

const NOW_US: i64 = 1_800_000_000_000_000;
const NOW_S: i64 = NOW_US / 1_000_000;

fn agent() -> Caller {
    Caller::of_tenant("demo".parse().unwrap(), "agent-1", Role::Agent)
}

fn good() -> Value {
    json!({"sub": "agent-1", "tenant": "demo", "role": "agent", "iat": NOW_S, "exp": NOW_S + 60, "aud": "baton", "iss": "baton"})
}

fn sign(key: &SigningKey, algorithm: Algorithm, claims: &Value) -> String {
    let key = EncodingKey::from_secret(key.secret());
    jsonwebtoken::encode(&Header::new(algorithm), claims, &key).unwrap()
}

/// The good claims with one replaced, or removed by `null`.
fn with(name: &str, value: Value) -> Value {
    let mut claims = good();
    let fields = claims.as_object_mut().unwrap();
    if value.is_null() {
        fields.remove(name);
    } else {
        fields.insert(name.to_owned(), value);
    }
    claims
}

#[test]
fn a_minted_token_is_read_back_as_its_caller() {
    let key = SigningKey::generate();
    let service = Caller::service("transfer");
    for caller in [agent(), service] {
        let token = key.mint(&caller, NOW_US, Duration::from_mins(1)).unwrap();
        assert_eq!(key.verifier().verify(&token, NOW_US).map(|it| it.caller), Ok(caller));
    }
}

#[test]
fn the_corpus_starts_from_a_good_token() {
    let key = SigningKey::generate();
    let token = sign(&key, Algorithm::HS256, &good());
    assert_eq!(key.verifier().verify(&token, NOW_US).map(|it| it.caller), Ok(agent()));
}

#[test]
fn a_token_expires_after_a_small_leeway() {
    let key = SigningKey::generate();
    let token = key.mint(&agent(), NOW_US, Duration::from_mins(1)).unwrap();
    let at = |s: i64| key.verifier().verify(&token, NOW_US + s * 1_000_000).map(|it| it.caller);
    assert!(at(64).is_ok());
    assert_eq!(at(65), Err(TokenError::Expired));
}

#[test]
fn a_token_that_is_remembered_is_asked_each_time_whether_it_is_good_now() {
    let key = SigningKey::generate();
    let (verifier, claims) = (key.verifier(), with("nbf", json!(NOW_S + 30)));
    let token = sign(&key, Algorithm::HS256, &claims);
    let at = |s: i64| verifier.verify(&token, NOW_US + s * 1_000_000).map(|it| it.caller);
    assert_eq!(at(0), Err(TokenError::Invalid("it is not good yet")));
    assert_eq!(at(40), Ok(agent()));
    assert_eq!(at(70), Err(TokenError::Expired));
    assert_eq!(verifier.verified().len(), 1);
}

#[test]
fn only_good_tokens_are_remembered_and_not_more_than_fit() {
    let key = SigningKey::generate();
    let verifier = key.verifier();
    let forged = SigningKey::generate().mint(&agent(), NOW_US, Duration::from_mins(1)).unwrap();
    assert!(verifier.verify(&forged, NOW_US).map(|it| it.caller).is_err());
    assert!(verifier.verified().is_empty());
    for n in 0..=MAX_REMEMBERED as i64 {
        let token = sign(&key, Algorithm::HS256, &with("iat", json!(NOW_S - n)));
        assert!(verifier.verify(&token, NOW_US).map(|it| it.caller).is_ok());
    }
    assert!(verifier.verified().len() <= MAX_REMEMBERED);
}

#[test]
fn a_token_of_another_key_is_forged() {
    let token = SigningKey::generate().mint(&agent(), NOW_US, Duration::from_mins(1)).unwrap();
    let result = SigningKey::generate().verifier().verify(&token, NOW_US).map(|it| it.caller);
    assert_eq!(result, Err(TokenError::Invalid("it was not signed by this installation")));
}

#[test]
fn every_wrong_or_missing_claim_is_refused() {
    let key = SigningKey::generate();
    let corpus = [
        ("aud", Value::Null),
        ("aud", json!("someone-else")),
        ("aud", json!(["someone-else"])),
        ("aud", json!("")),
        ("iss", Value::Null),
        ("iss", json!("someone-else")),
        ("exp", Value::Null),
        ("exp", json!("tomorrow")),
        ("sub", Value::Null),
        ("sub", json!("")),
        ("sub", json!("x".repeat(129))),
        ("sub", json!("a\u{0}b")),
        ("sub", json!("a\nlevel=error")),
        ("sub", json!("\u{1b}[2J")),
        ("sub", json!("a\u{202e}b")),
        ("sub", json!("a\u{200b}b")),
        ("sub", json!("a\u{a0}b")),
        ("sub", json!(" ")),
        ("sub", json!("a ")),
        ("sub", json!("0192AAAA-0000-7000-8000-00000000000A")),
        ("sub", json!("0192aaaa00007000800000000000000a")),
        ("sub", json!("{0192aaaa-0000-7000-8000-00000000000a}")),
        ("sub", json!("urn:uuid:0192aaaa-0000-7000-8000-00000000000a")),
        ("role", Value::Null),
        ("role", json!("root")),
        ("role", json!("Agent")),
        ("role", json!(["agent", "admin"])),
        ("role", json!("service")),
        ("tenant", Value::Null),
        ("tenant", json!("")),
        ("tenant", json!("Demo/../other")),
        ("nbf", json!(NOW_S + 60)),
        ("nbf", json!("soon")),
    ];
    for (name, value) in corpus {
        let token = sign(&key, Algorithm::HS256, &with(name, value.clone()));
        let result = key.verifier().verify(&token, NOW_US).map(|it| it.caller);
        assert!(matches!(result, Err(TokenError::Invalid(_))), "{name} = {value}: {result:?}");
    }
}

#[test]
fn subjects_may_have_letters_of_any_language() {
    let key = SigningKey::generate();
    for subject in ["0192aaaa-0000-7000-8000-00000000000a", "Eve Müller", "eve@example.com", "auth0|5f7c", "王芳"] {
        let caller = Caller { subject: subject.to_owned(), ..agent() };
        let token = key.mint(&caller, NOW_US, Duration::from_mins(1)).unwrap();
        assert_eq!(key.verifier().verify(&token, NOW_US).map(|it| it.caller), Ok(caller));
    }
    let id = "0192AAAA-0000-7000-8000-00000000000A";
    let other = Caller { subject: id.to_owned(), role: Role::Supervisor, ..agent() };
    assert!(key.mint(&other, NOW_US, Duration::from_mins(1)).is_ok(), "only an agent's subject is an id of ours");
}

#[test]
fn a_token_with_critical_headers_is_refused_whatever_they_are() {
    let key = SigningKey::generate();
    for crit in [vec![], vec!["b64".to_owned()], vec!["exp".to_owned(), "x".to_owned()]] {
        let header = Header { crit: Some(crit), ..Header::new(Algorithm::HS256) };
        let token = jsonwebtoken::encode(&header, &good(), &EncodingKey::from_secret(key.secret())).unwrap();
        let result = key.verifier().verify(&token, NOW_US).map(|it| it.caller);
        assert!(matches!(result, Err(TokenError::Invalid(text)) if text.contains("crit")), "{result:?}");
    }
}

#[test]
fn only_hs256_is_accepted() {
    let key = SigningKey::generate();
    let token = sign(&key, Algorithm::HS256, &good());
    let (_, signed) = token.split_once('.').unwrap();
    // {"alg":"HS384","typ":"JWT"}, and the same with HS512, RS256 and one that there is not.
    for header in [
        "eyJhbGciOiJIUzM4NCIsInR5cCI6IkpXVCJ9",
        "eyJhbGciOiJIUzUxMiIsInR5cCI6IkpXVCJ9",
        "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9",
        "eyJhbGciOiJYIiwidHlwIjoiSldUIn0",
    ] {
        let result = key.verifier().verify(&format!("{header}.{signed}"), NOW_US).map(|it| it.caller);
        assert!(matches!(result, Err(TokenError::Invalid(_))), "{header}: {result:?}");
    }
}

#[test]
fn unsigned_torn_and_edited_tokens_are_refused() {
    let key = SigningKey::generate();
    let token = sign(&key, Algorithm::HS256, &good());
    let parts: Vec<_> = token.split('.').collect();
    // {"alg":"none","typ":"JWT"}, {"alg":"None"}
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
    let other = sign(&key, Algorithm::HS256, &with("role", json!("admin")));
    let other_claims = other.split('.').nth(1).unwrap();
    let corpus = [
        String::new(),
        "garbage".to_owned(),
        "..".to_owned(),
        format!("{none}.{}.", parts[1]),
        format!("{none}.{}.{}", parts[1], parts[2]),
        format!("{}.{}", parts[0], parts[1]),
        format!("{}.{}.", parts[0], parts[1]),
        format!("{}.{other_claims}.{}", parts[0], parts[2]),
        format!("{token}x"),
        format!("{token}.x"),
        token[1..].to_owned(),
        token.to_uppercase(),
        "x".repeat(100_000),
    ];
    for text in corpus {
        let result = key.verifier().verify(&text, NOW_US).map(|it| it.caller);
        assert!(matches!(result, Err(TokenError::Invalid(_))), "{text}: {result:?}");
    }
}

#[test]
fn nothing_can_be_minted_that_would_be_refused() {
    let key = SigningKey::generate();
    let nobody = Caller { tenant: None, ..agent() };
    assert!(key.mint(&nobody, NOW_US, Duration::from_mins(1)).is_err());
}

#[test]
fn s6_a_token_that_is_good_for_too_long_is_refused_at_every_time_and_with_or_without_its_issue() {
    let (key, day_s) = (SigningKey::generate(), 86_400);
    let verifier = key.verifier().with_longest(Duration::from_hours(24));
    let signed = |iat: Option<i64>, exp: i64| {
        let mut claims = serde_json::json!({"sub": "eve", "tenant": "demo", "role": "supervisor", "exp": exp, "aud": "baton", "iss": "baton"});
        claims["iat"] = iat.map_or(serde_json::Value::Null, Into::into);
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(key.secret())).unwrap()
    };
    for (iat, exp, now_s, is_good) in [
        (Some(0), day_s, 0, true),
        (None, day_s, 0, true),
        (Some(0), day_s, day_s - 1, true),
        (Some(0), 2 * day_s, 0, false),
        // Near its end, too: it was good for two days.
        (Some(0), 2 * day_s, 2 * day_s - 1, false),
        (None, 2 * day_s, 0, false),
        // Issued in the future, or for ever.
        (Some(1_000 * day_s), 1_001 * day_s, 0, false),
        (Some(0), i64::MAX, 0, false),
        (Some(i64::MIN), day_s, 0, false),
        (Some(i64::MAX), i64::MAX, 0, false),
    ] {
        let read = verifier.verify(&signed(iat, exp), now_s * 1_000_000);
        assert_eq!(read.is_ok(), is_good, "{iat:?} {exp} {now_s}: {read:?}");
    }
}
