//! What a published key is good for.

use serde_json::json;

use super::*;
use crate::auth::issuers::test_keys::{TestKey, base64, jwks};

fn set(keys: &[Value]) -> KeySet {
    KeySet::read(json!({ "keys": keys }).to_string().as_bytes(), &KeySet::default()).unwrap()
}

/// Of the key with one field replaced, or removed by `null`.
fn with(key: &TestKey, name: &str, value: Value) -> Value {
    let mut jwk = key.jwk();
    jwk[name] = value;
    jwk.as_object_mut().unwrap().retain(|_, it| !it.is_null());
    jwk
}

#[test]
fn a_key_verifies_what_its_kind_and_its_alg_allow_and_nothing_else() {
    let all =
        ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA", "HS256", "HS384", "HS512"];
    let fitting = |jwk: Value| {
        let set = set(&[jwk]);
        let fits = |name: &&&str| matches!(set.find("k", name.parse().unwrap()), Found::Key(_));
        all.iter().filter(fits).copied().collect::<Vec<_>>().join(" ")
    };
    for algorithm in ["RS256", "PS512", "ES256", "ES384", "EdDSA"] {
        assert_eq!(fitting(TestKey::of("k", algorithm).jwk()), algorithm);
    }
    let free = |algorithm| fitting(with(&TestKey::of("k", algorithm), "alg", Value::Null));
    assert_eq!(free("RS256"), "RS256 RS384 RS512 PS256 PS384 PS512");
    assert_eq!((free("ES256"), free("ES384"), free("EdDSA")), ("ES256".into(), "ES384".into(), "EdDSA".into()));
    assert_eq!(fitting(with(&TestKey::of("k", "RS256"), "alg", json!("HS256"))), "", "a public key is no secret");
}

#[test]
fn a_key_that_is_not_for_signatures_of_tokens_is_left_out_and_the_others_are_used() {
    let key = TestKey::new("k");
    let rsa = TestKey::of("k", "RS256");
    let short = base64(&[1; 31]);
    let corpus = [
        with(&key, "use", json!("enc")),
        with(&key, "key_ops", json!(["encrypt"])),
        with(&key, "kid", Value::Null),
        with(&key, "kid", json!("")),
        with(&key, "kid", json!("k".repeat(257))),
        with(&key, "kid", json!(5)),
        with(&key, "kty", json!("RSA")),
        with(&key, "kty", json!("oct")),
        with(&key, "kty", json!("new")),
        with(&key, "alg", json!("ES384")),
        with(&key, "alg", json!("RSA-OAEP")),
        with(&key, "crv", json!("P-384")),
        with(&key, "crv", json!("P-521")),
        with(&key, "crv", json!("secp256k1")),
        with(&key, "x", Value::Null),
        with(&key, "x", json!(short)),
        with(&key, "y", json!("not base64!")),
        with(&rsa, "e", Value::Null),
        with(&rsa, "n", json!("not base64!")),
        with(&TestKey::of("k", "EdDSA"), "x", json!(short)),
        with(&rsa, "n", json!(base64(&[0xff; 255]))),
        with(&rsa, "n", json!(base64(&[0xff; 1025]))),
        json!({"kty": "oct", "kid": "k", "k": base64(b"secret"), "alg": "HS256"}),
        json!("k"),
    ];
    for jwk in corpus {
        let set = set(&[jwk.clone(), TestKey::new("good").jwk()]);
        assert_eq!((set.len(), set.left_out.len()), (1, 1), "{jwk}");
        assert!(set.has("good"), "{jwk}");
    }
    assert_eq!(set(&[with(&key, "key_ops", json!(["verify"]))]).len(), 1);
    assert_eq!(set(&[with(&key, "use", Value::Null)]).len(), 1);
}

#[test]
fn one_id_may_stand_for_keys_of_several_kinds() {
    let set = set(&[TestKey::of("k", "ES256").jwk(), TestKey::of("k", "RS256").jwk()]);
    assert!(matches!(set.find("k", Algorithm::ES256), Found::Key(_)));
    assert!(matches!(set.find("k", Algorithm::RS256), Found::Key(_)));
    assert!(matches!(set.find("k", Algorithm::PS256), Found::OtherAlgorithm));
    assert!(matches!(set.find("other", Algorithm::ES256), Found::Nothing));
}

#[test]
fn a_modulus_with_zeros_in_front_is_the_same_number() {
    let key = TestKey::of("k", "RS256");
    let KeySet { by_kid, .. } = set(&[key.jwk()]);
    let DecodingKeyKind::RsaModulusExponent { n, .. } = by_kid["k"][0].key().kind() else { panic!() };
    let padded = [&[0], n.as_slice()].concat();
    let KeySet { by_kid, .. } = set(&[with(&key, "n", json!(base64(&padded)))]);
    let DecodingKeyKind::RsaModulusExponent { n: read, .. } = by_kid["k"][0].key().kind() else { panic!() };
    assert_eq!(read, n);
}

#[test]
fn a_key_that_is_published_again_is_the_same_and_a_changed_one_is_another() {
    let (one, two) = (TestKey::new("one"), TestKey::new("two"));
    let first = KeySet::read(jwks(&[&one, &two]).as_bytes(), &KeySet::default()).unwrap();
    let second = KeySet::read(jwks(&[&two, &TestKey::new("one")]).as_bytes(), &first).unwrap();
    assert!(Arc::ptr_eq(&first.by_kid["two"][0], &second.by_kid["two"][0]));
    assert!(!Arc::ptr_eq(&first.by_kid["one"][0], &second.by_kid["one"][0]));
    assert!(!second.has_the_keys_of(&first));
    let third = KeySet::read(jwks(&[&one, &two]).as_bytes(), &first).unwrap();
    assert!(third.has_the_keys_of(&first));
}

#[test]
fn what_is_no_key_set_is_refused_whole() {
    for text in ["", "null", "[]", "{}", r#"{"keys": {}}"#, r#"{"keys": 5}"#, "<html>", r#"{"keys": ["#] {
        assert!(KeySet::read(text.as_bytes(), &KeySet::default()).is_err(), "{text}");
    }
    assert_eq!(set(&[]).len(), 0);
}
