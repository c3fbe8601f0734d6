//! Tokens of an issuer: which are accepted, and what they say. Keys come from a file here, which the verifier's task reads once.

use crate::auth::Role;
use serde_json::{Value, json};

use super::test_keys::{RSA_ONE, TestKey, base64, jwks};
use super::*;
use crate::auth::{Caller, SigningKey, TenantId, Verifier};
use crate::config::{Config, IssuerConfig};

const NOW_S: i64 = 1_800_000_000;
const NOW_US: i64 = NOW_S * 1_000_000;
const ISSUER: &str = "https://id.example/realms/acme";
/// A second key for tests alone.
const RSA_TWO: &str = include_str!("test_keys/rsa_two.pem");
const AGENT: &str = "0192aaaa-0000-7000-8000-00000000000a";

fn acme() -> TenantId {
    "acme".parse().unwrap()
}

fn issuer() -> IssuerConfig {
    IssuerConfig {
        issuer: ISSUER.to_owned(),
        audience: vec!["baton".to_owned(), "api://baton".to_owned()],
        jwks_file: Some("unused".into()),
        tenants: vec!["acme".to_owned()],
        roles: vec!["supervisor".to_owned()],
        ..IssuerConfig::default()
    }
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|it| (*it).to_owned()).collect()
}

/// A verifier that knows these issuers, and has their keys.
fn verifier(issuers: &[(IssuerConfig, &[&TestKey])]) -> Verifier {
    Verifier::of_issuers(known(issuers))
}

fn known(issuers: &[(IssuerConfig, &[&TestKey])]) -> Issuers {
    let mut config = Config::default().auth;
    config.issuers = issuers.iter().map(|(config, _)| config.clone()).collect();
    let settings = IssuerSettings::all(&config).unwrap();
    let issuers = settings.into_iter().zip(issuers).map(|(settings, (_, keys))| {
        let issuer = Issuer::new(settings);
        let keys = keys::KeySet::read(jwks(keys).as_bytes(), &keys::KeySet::default()).unwrap();
        issuer.publish(keys, std::collections::HashSet::new());
        Arc::new(issuer)
    });
    crate::auth::provider::install();
    Issuers(issuers.collect())
}

fn good() -> Value {
    json!({"iss": ISSUER, "aud": "baton", "sub": "eve", "iat": NOW_S, "exp": NOW_S + 60})
}

/// The good claims with others in their place, or removed by `null`.
fn with(changes: &Value) -> Value {
    let mut claims = good();
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, it| !it.is_null());
    claims
}

fn refusal(result: Result<crate::auth::Admission, TokenError>) -> &'static str {
    match result {
        Err(TokenError::Invalid(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_token_of_each_algorithm_is_accepted_and_a_changed_one_is_not() {
    for algorithm in ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"] {
        let key = TestKey::of("k", algorithm);
        let verifier = verifier(&[(issuer(), &[&key])]);
        let token = key.token(&good());
        let admission = verifier.verify(&token, NOW_US).unwrap();
        assert_eq!(admission.caller, Caller::of_tenant(acme(), "eve", Role::Supervisor), "{algorithm}");
        assert_eq!(admission.expires_us, NOW_US + 65_000_000);
        let (head, signature) = token.rsplit_once('.').unwrap();
        let other = key.token(&with(&json!({"sub": "mallory"})));
        let forged = format!("{}.{signature}", other.rsplit_once('.').unwrap().0);
        assert_eq!(refusal(verifier.verify(&forged, NOW_US)), "it was not signed with the key that it names");
        for torn in [format!("{head}."), head.to_owned(), format!("{token}x"), format!("{head}.{}", &signature[1..])] {
            refusal(verifier.verify(&torn, NOW_US));
        }
    }
}

#[test]
fn the_key_decides_what_a_token_may_choose_and_no_public_key_is_a_secret() {
    let (rsa, ec) = (TestKey::rsa("rsa", "RS256", RSA_ONE), TestKey::new("ec"));
    let verifier = verifier(&[(issuer(), &[&rsa, &ec])]);
    let (message, secret) = (|header: Value| base64(header.to_string().as_bytes()), rsa.jwk());
    let claims = message(good());
    // Signed by HMAC with what everybody knows of the RSA key: as it is published, as numbers, as PEM.
    let modulus = secret["n"].as_str().unwrap();
    for (alg, kid) in [("HS256", "rsa"), ("HS256", "ec"), ("HS384", "rsa"), ("HS512", "rsa")] {
        for secret in [secret.to_string(), modulus.to_owned(), RSA_ONE.to_owned()] {
            let signed = format!("{}.{claims}", message(json!({"alg": alg, "kid": kid})));
            let hmac = jsonwebtoken::EncodingKey::from_secret(secret.as_bytes());
            let signature =
                jsonwebtoken::crypto::sign(signed.as_bytes(), &hmac, jsonwebtoken::Algorithm::HS256).unwrap();
            let why = refusal(verifier.verify(&format!("{signed}.{signature}"), NOW_US));
            assert!(why.contains("auth.issuers.algorithms"), "{why}");
        }
    }
    for (alg, kid, said) in [
        ("none", "rsa", "not a signed JWT"),
        ("None", "rsa", "not a signed JWT"),
        ("ES256", "rsa", "not that of the key"),
        ("RS512", "rsa", "not that of the key"),
        ("PS256", "rsa", "not that of the key"),
        ("RS256", "ec", "not that of the key"),
        ("EdDSA", "ec", "not that of the key"),
        ("ES512", "ec", "not a signed JWT"),
    ] {
        for signature in [String::new(), base64(b"x"), base64(&[0; 64])] {
            let token = format!("{}.{claims}.{signature}", message(json!({"alg": alg, "kid": kid})));
            let why = refusal(verifier.verify(&token, NOW_US));
            assert!(why.contains(said), "{alg} {kid}: {why}");
        }
    }
}

#[test]
fn only_the_algorithms_that_are_configured_are_accepted() {
    let (rsa, ec) = (TestKey::of("rsa", "RS256"), TestKey::new("ec"));
    let only = IssuerConfig { algorithms: texts(&["ES256"]), ..issuer() };
    let verifier = verifier(&[(only, &[&rsa, &ec])]);
    assert!(verifier.verify(&ec.token(&good()), NOW_US).is_ok());
    assert!(refusal(verifier.verify(&rsa.token(&good()), NOW_US)).contains("auth.issuers.algorithms"));
}

#[test]
fn a_token_without_a_key_id_or_with_critical_headers_is_refused() {
    let key = TestKey::new("k");
    let verifier = verifier(&[(issuer(), &[&key])]);
    let why = |header: Value| refusal(verifier.verify(&key.token_with(&header, &good()), NOW_US));
    assert!(why(json!({"alg": "ES256"})).contains("(kid)"));
    assert!(why(json!({"alg": "ES256", "kid": "k".repeat(300)})).contains("(kid)"));
    assert!(why(json!({"alg": "ES256", "kid": "k", "crit": ["b64"], "b64": true})).contains("crit"));
    assert!(why(json!({"alg": "ES256", "kid": "k", "crit": []})).contains("crit"));
    // A key, or an address of one, in the token itself is nobody's.
    let other = TestKey::new("k");
    let header = json!({"alg": "ES256", "kid": "k", "jwk": other.jwk(), "jku": "http://127.0.0.1:1/"});
    assert!(refusal(verifier.verify(&other.token_with(&header, &good()), NOW_US)).contains("not signed with the key"));
}

#[test]
fn every_wrong_or_missing_claim_is_refused_and_no_refusal_repeats_it() {
    let key = TestKey::new("k");
    let verifier = verifier(&[(issuer(), &[&key])]);
    let corpus = [
        (json!({"iss": null}), "(iss)"),
        (json!({"iss": "https://mallory.example"}), "(auth.issuers)"),
        (json!({"iss": format!("{ISSUER}/")}), "(auth.issuers)"),
        (json!({"iss": [ISSUER]}), "(iss)"),
        (json!({"iss": ""}), "(auth.issuers)"),
        (json!({"iss": "baton"}), "auth.development_key"),
        (json!({"aud": null}), "a claim is missing"),
        (json!({"aud": "mallory"}), "(aud)"),
        (json!({"aud": ["mallory", "account"]}), "(aud)"),
        (json!({"aud": []}), "(aud)"),
        (json!({"aud": ""}), "(aud)"),
        (json!({"aud": 5}), "a claim is missing or malformed"),
        (json!({"exp": null}), "a claim is missing"),
        (json!({"exp": "1900000000"}), "a claim is missing or malformed"),
        (json!({"exp": true}), "a claim is missing or malformed"),
        (json!({"nbf": "soon"}), "a claim is missing or malformed"),
        (json!({"iat": {}}), "a claim is missing or malformed"),
        (json!({"sub": null}), "auth.issuers.subject_claim"),
        (json!({"sub": 5}), "auth.issuers.subject_claim"),
        (json!({"sub": ""}), "empty or too long"),
        (json!({"sub": "x".repeat(129)}), "empty or too long"),
        (json!({"sub": "mallory\nlevel=error"}), "can't be seen"),
        (json!({"sub": "mallory\u{202e}"}), "can't be seen"),
        (json!({"sub": " mallory"}), "can't be seen"),
    ];
    for (changes, said) in corpus {
        let why = refusal(verifier.verify(&key.token(&with(&changes)), NOW_US));
        assert!(why.contains(said) && !why.contains("mallory"), "{changes}: {why}");
    }
    for changes in [json!({"aud": "api://baton"}), json!({"aud": ["account", "baton"]}), json!({"iat": null})] {
        assert!(verifier.verify(&key.token(&with(&changes)), NOW_US).is_ok(), "{changes}");
    }
}

#[test]
fn a_token_is_good_from_its_beginning_to_its_end_and_five_seconds_around() {
    let key = TestKey::new("k");
    let verifier = verifier(&[(issuer(), &[&key])]);
    let at = |changes: Value, after_s: i64| verifier.verify(&key.token(&with(&changes)), NOW_US + after_s * 1_000_000);
    assert!(at(json!({}), 64).is_ok());
    assert_eq!(at(json!({}), 65), Err(TokenError::Expired));
    assert!(at(json!({"nbf": NOW_S}), -5).is_ok(), "the issuer's clock is ahead");
    assert_eq!(refusal(at(json!({"nbf": NOW_S}), -6)), "it is not good yet");
    assert!(at(json!({"iat": NOW_S + 20}), 0).is_ok(), "a date of issue alone refuses nothing");
    assert!(at(json!({"exp": NOW_S as f64 + 60.9, "nbf": NOW_S as f64 - 0.5}), 64).is_ok(), "some write fractions");
    assert_eq!(at(json!({"exp": NOW_S as f64 + 60.9}), 65), Err(TokenError::Expired));
}

#[test]
fn a_token_that_is_good_for_too_long_is_refused() {
    let key = TestKey::new("k");
    let hour = IssuerConfig { max_token_ms: 3_600_000.try_into().unwrap(), ..issuer() };
    let verifier = verifier(&[(hour, &[&key])]);
    let read = |iat: Option<i64>, exp: i64, now_s: i64| {
        verifier.verify(&key.token(&with(&json!({"iat": iat, "exp": exp}))), now_s * 1_000_000)
    };
    assert!(read(Some(NOW_S), NOW_S + 3_600, NOW_S).is_ok());
    assert!(read(None, NOW_S + 3_605, NOW_S).is_ok());
    for (iat, exp, now_s) in [
        (Some(NOW_S), NOW_S + 7_200, NOW_S),
        // Near its end, too.
        (Some(NOW_S), NOW_S + 7_200, NOW_S + 7_000),
        (None, NOW_S + 7_200, NOW_S),
        (Some(NOW_S + 86_400), NOW_S + 90_000, NOW_S),
        (Some(NOW_S), i64::MAX, NOW_S),
        (Some(i64::MIN), NOW_S + 60, NOW_S),
    ] {
        let why = refusal(read(iat, exp, now_s));
        assert!(why.contains("auth.issuers.max_token_ms"), "{why}");
    }
    refusal(verifier.verify(&key.token(&with(&json!({"exp": 1e300}))), NOW_US));
}

#[test]
fn an_issuer_of_one_tenant_makes_no_tokens_of_another_whatever_they_say() {
    let (a, b) = (TestKey::new("a"), TestKey::new("b"));
    let globex = IssuerConfig { issuer: "https://id.globex".to_owned(), tenants: texts(&["globex"]), ..issuer() };
    let strict = IssuerConfig { issuer: "https://strict".to_owned(), tenant_claim: "tenant".to_owned(), ..issuer() };
    let verifier = verifier(&[(issuer(), &[&a]), (globex, &[&b]), (strict, &[&a])]);
    let claiming = with(&json!({"tenant": "globex", "tenants": ["globex"]}));
    assert_eq!(verifier.verify(&a.token(&claiming), NOW_US).unwrap().caller.tenant, Some(acme()));
    // Where a claim is read, it has to be the right one.
    let of = |tenant: Value| with(&json!({"iss": "https://strict", "tenant": tenant}));
    assert!(verifier.verify(&a.token(&of(json!("acme"))), NOW_US).is_ok());
    for tenant in [json!("globex"), json!("Acme"), json!("")] {
        assert!(refusal(verifier.verify(&a.token(&of(tenant)), NOW_US)).contains("(auth.issuers.tenants)"));
    }
    for tenant in [json!(null), json!(5), json!(["acme"])] {
        assert!(refusal(verifier.verify(&a.token(&of(tenant)), NOW_US)).contains("auth.issuers.tenant_claim"));
    }
    // One issuer's key is nothing to another.
    let stolen = with(&json!({"iss": "https://id.globex"}));
    let token = a.token_with(&json!({"alg": "ES256", "kid": "b"}), &stolen);
    assert!(refusal(verifier.verify(&token, NOW_US)).contains("not signed with the key"));
    assert!(matches!(verifier.verify(&a.token(&stolen), NOW_US), Err(TokenError::Unavailable(_))), "no such key there");
}

#[test]
fn an_issuer_of_several_tenants_names_them_as_it_likes() {
    let key = TestKey::new("k");
    let several = IssuerConfig { tenants: texts(&["acme", "globex"]), tenant_claim: "/org/id".to_owned(), ..issuer() };
    let mut named = IssuerConfig { issuer: "https://named".to_owned(), ..several.clone() };
    named.tenant_names = [("Acme GmbH".to_owned(), "acme".to_owned())].into();
    let any = IssuerConfig { issuer: "https://any".to_owned(), tenants: texts(&["*"]), ..several.clone() };
    let verifier = verifier(&[(several, &[&key]), (named, &[&key]), (any, &[&key])]);
    let tenant = |issuer: &str, id: &str| {
        let read = verifier.verify(&key.token(&with(&json!({"iss": issuer, "org": {"id": id}}))), NOW_US);
        read.map(|it| it.caller.tenant.unwrap().to_string())
    };
    assert_eq!(tenant(ISSUER, "globex").as_deref(), Ok("globex"));
    assert!(tenant(ISSUER, "initech").is_err());
    assert_eq!(tenant("https://named", "Acme GmbH").as_deref(), Ok("acme"));
    assert!(tenant("https://named", "acme").is_err(), "where names are mapped, others count for nothing");
    assert_eq!(tenant("https://any", "initech").as_deref(), Ok("initech"));
    assert!(tenant("https://any", "no tenant").is_err());
}

#[test]
fn roles_come_from_a_text_or_a_list_and_the_first_that_is_configured_counts() {
    let key = TestKey::new("k");
    let roles = texts(&["admin", "supervisor", "agent"]);
    let plain = IssuerConfig { roles, role_claim: "/realm_access/roles".to_owned(), ..issuer() };
    let mut groups =
        IssuerConfig { issuer: "https://groups".to_owned(), role_claim: "groups".to_owned(), ..plain.clone() };
    groups.role_names =
        [("cc-leads", "supervisor"), ("cc-people", "agent")].map(|(a, b)| (a.to_owned(), b.to_owned())).into();
    let verifier = verifier(&[(plain, &[&key]), (groups, &[&key])]);
    let role = |claims: Value| verifier.verify(&key.token(&with(&claims)), NOW_US).map(|it| it.caller.role);
    let of_realm = |roles: Value| role(json!({"sub": AGENT, "realm_access": {"roles": roles}}));
    assert_eq!(of_realm(json!("supervisor")), Ok(Role::Supervisor));
    assert_eq!(of_realm(json!(["offline_access", "agent"])), Ok(Role::Agent));
    assert_eq!(of_realm(json!(["agent", "admin", "supervisor"])), Ok(Role::Admin));
    for roles in [
        json!([]),
        json!(["Admin"]),
        json!(["analyst"]),
        json!(["operator", "service"]),
        json!(5),
        json!(null),
        json!([["admin"]]),
    ] {
        assert!(
            matches!(of_realm(roles.clone()), Err(TokenError::Invalid(why)) if why.contains("auth.issuers.roles")),
            "{roles}"
        );
    }
    let of_group = |groups: Value| role(json!({"iss": "https://groups", "sub": AGENT, "groups": groups}));
    assert_eq!(of_group(json!(["all", "cc-people", "cc-leads"])), Ok(Role::Supervisor));
    assert_eq!(of_group(json!(["cc-people"])), Ok(Role::Agent));
    assert!(of_group(json!(["admin"])).is_err(), "where names are mapped, others count for nothing");
}

#[test]
fn operators_and_services_come_from_an_issuer_only_where_it_is_written() {
    let key = TestKey::new("k");
    let staff = IssuerConfig {
        issuer: "https://staff".to_owned(),
        roles: texts(&["operator", "service", "admin"]),
        role_claim: "role".to_owned(),
        ..issuer()
    };
    let tenants = IssuerConfig { roles: texts(&["admin", "agent"]), role_claim: "role".to_owned(), ..issuer() };
    let issuers = known(&[(tenants, &[&key]), (staff, &[&key])]);
    let verifier = Verifier::of_issuers(issuers);
    let read = |issuer: &str, role: &str| {
        verifier.verify(&key.token(&with(&json!({"iss": issuer, "role": role}))), NOW_US).map(|it| it.caller)
    };
    for role in ["operator", "service"] {
        assert!(read(ISSUER, role).is_err());
        assert_eq!(read("https://staff", role).unwrap().tenant, None);
    }
    assert_eq!(read("https://staff", "admin").unwrap().tenant, Some(acme()));
    assert!(read("https://staff", "simulator").is_err());
}

#[test]
fn an_agents_id_is_one_id_however_it_is_written_and_others_keep_their_subject() {
    let key = TestKey::new("k");
    let roles = texts(&["agent", "supervisor"]);
    let people =
        IssuerConfig { roles, role_claim: "role".to_owned(), agent_claim: "/baton/agent".to_owned(), ..issuer() };
    let verifier = verifier(&[(people, &[&key])]);
    let read = |role: &str, id: Value| {
        let claims = with(&json!({"role": role, "sub": "f:1:ada", "baton": {"agent": id}}));
        verifier.verify(&key.token(&claims), NOW_US).map(|it| it.caller.subject)
    };
    for id in [
        AGENT.to_owned(),
        AGENT.to_uppercase(),
        AGENT.replace('-', ""),
        format!("{{{AGENT}}}"),
        format!("urn:uuid:{AGENT}"),
    ] {
        assert_eq!(read("agent", json!(id)).as_deref(), Ok(AGENT), "{id}");
    }
    for id in [json!("ada"), json!(""), json!(format!(" {AGENT}"))] {
        assert!(matches!(read("agent", id), Err(TokenError::Invalid(why)) if why.contains("no UUID")));
    }
    for id in [json!(null), json!(5), json!([AGENT])] {
        assert!(matches!(read("agent", id), Err(TokenError::Invalid(why)) if why.contains("auth.issuers.agent_claim")));
    }
    assert_eq!(read("supervisor", json!(AGENT)).as_deref(), Ok("f:1:ada"));
}

#[test]
fn baton_s_own_key_and_issuers_do_not_speak_for_each_other() {
    let (own, key) = (SigningKey::generate(), TestKey::new("k"));
    let issuers = known(&[(issuer(), &[&key])]);
    let caller = Caller::of_tenant(acme(), "eve", Role::Admin);
    let minted = own.mint(&caller, NOW_US, std::time::Duration::from_mins(1)).unwrap();
    let both = own.verifier().with_issuers(issuers.clone());
    assert_eq!(both.verify(&minted, NOW_US).unwrap().caller, caller);
    assert_eq!(both.verify(&key.token(&good()), NOW_US).unwrap().caller.role, Role::Supervisor);
    let alone = Verifier::of_issuers(issuers);
    assert!(refusal(alone.verify(&minted, NOW_US)).contains("auth.development_key"));
    let of_services = both.clone().own_for(&[Role::Service]);
    let service = own.mint(&Caller::service("transfer"), NOW_US, std::time::Duration::from_mins(1)).unwrap();
    for _ in 0..2 {
        // The second time the token is remembered.
        assert!(refusal(of_services.verify(&minted, NOW_US)).contains("auth.development_key"));
        assert_eq!(of_services.verify(&service, NOW_US).unwrap().caller.role, Role::Service);
    }
    assert_eq!(of_services.verify(&key.token(&good()), NOW_US).unwrap().caller.role, Role::Supervisor);
    // The issuer's key in Baton's name, and Baton's key in the issuer's.
    let claims =
        json!({"iss": "baton", "aud": "baton", "sub": "eve", "role": "admin", "tenant": "acme", "exp": NOW_S + 60});
    refusal(both.verify(&key.token(&claims), NOW_US));
    let header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS256);
    let secret = jsonwebtoken::EncodingKey::from_secret(own.secret());
    let forged = jsonwebtoken::encode(&header, &with(&json!({"role": "admin", "tenant": "acme"})), &secret).unwrap();
    assert!(refusal(both.verify(&forged, NOW_US)).contains("auth.issuers.algorithms"));
    // Without issuers, an issuer's token is nobody's.
    refusal(own.verifier().verify(&key.token(&good()), NOW_US));
}

#[test]
fn the_same_id_for_another_key_is_another_key() {
    let (one, two) = (TestKey::rsa("k", "RS256", RSA_ONE), TestKey::rsa("k", "RS256", RSA_TWO));
    let verifier = verifier(&[(issuer(), &[&two])]);
    assert!(verifier.verify(&two.token(&good()), NOW_US).is_ok());
    refusal(verifier.verify(&one.token(&good()), NOW_US));
}
