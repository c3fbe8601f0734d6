//! What is refused at the start, and in which words.

use super::*;
use crate::config::Config;

const GOOD: &str = r#"
    issuer = "https://id.example/"
    audience = "baton"
    jwks_url = "http://127.0.0.1:1/keys"
    tenants = ["acme"]
    roles = ["agent"]
"#;

/// What a start says of one issuer, or of several.
fn load(issuers: &[&str]) -> Result<Config, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("baton.toml");
    let sections: Vec<_> = issuers.iter().map(|it| format!("[[auth.issuers]]\n{it}\n")).collect();
    let text = sections.concat();
    std::fs::write(&path, text).unwrap();
    Config::load_from(Some(&path), []).map_err(|error| error.to_string())
}

/// The good issuer, with these lines in the place of those of the same keys.
fn with(lines: &str) -> String {
    let keys: Vec<_> = lines.lines().filter_map(|it| it.split_once('=')).map(|(key, _)| key.trim()).collect();
    let kept = GOOD.lines().filter(|it| it.split_once('=').is_some_and(|(key, _)| !keys.contains(&key.trim())));
    kept.chain(lines.lines()).filter(|it| !it.contains("= LEFT OUT")).collect::<Vec<_>>().join("\n")
}

#[test]
fn an_issuer_of_one_tenant_and_one_role_needs_no_mapping() {
    let config = load(&[GOOD]).unwrap();
    let settings = IssuerSettings::all(&config.auth).unwrap();
    assert_eq!(settings.len(), 1);
    assert_eq!(settings[0].algorithms.len(), 9);
    assert_eq!(settings[0].longest, Duration::from_hours(24));
    assert!(matches!(&settings[0].mapping.tenants, TenantRule::Only(it) if it.as_str() == "acme"));
    assert!(matches!(settings[0].mapping.roles, RoleRule::Only(Role::Agent)));
    assert_eq!(settings[0].mapping.agent, ClaimPath::new("sub"));
}

#[test]
fn what_is_wrong_is_said_with_the_key_and_what_to_do() {
    let corpus = [
        ("issuer = \"\"", "issuer: is missing; write the claim `iss`"),
        ("issuer = \"baton\"", "issuer: is that of Baton's own key"),
        ("audience = LEFT OUT", "audience: is missing"),
        ("audience = \"\"", "audience: is missing or empty"),
        ("audience = [\"baton\", \"\"]", "audience: is missing or empty"),
        ("jwks_url = LEFT OUT", "jwks_url: is missing"),
        ("jwks_file = \"keys.json\"", "jwks_file: stands beside jwks_url"),
        ("jwks_url = \"http://id.example/keys\"", "jwks_url: must begin with https://"),
        ("jwks_url = \"http://127.0.0.1.id.example/keys\"", "jwks_url: must begin with https://"),
        ("jwks_url = \"http://localhost.id.example/keys\"", "jwks_url: must begin with https://"),
        ("jwks_url = \"http://10.0.0.1/keys\"", "jwks_url: must begin with https://"),
        ("jwks_url = \"file:///keys\"", "jwks_url: \"file:///keys\" is no address"),
        ("jwks_url = \"ftp://127.0.0.1/keys\"", "jwks_url: must begin with https://"),
        ("jwks_url = \"keys\"", "jwks_url: must begin with https://"),
        ("jwks_url = \"http://user:word@127.0.0.1/keys\"", "jwks_url: has a user or a password"),
        ("ca_file = \"ca.pem\"", "ca_file: is for https"),
        (
            "jwks_url = \"https://id.example/keys\"\nca_file = \"/nowhere/ca.pem\"",
            "ca_file: can't read certificates from /nowhere/ca.pem: there is no such file",
        ),
        (
            "jwks_url = \"https://id.example/keys\"\nca_file = \"/dev/null\"",
            "ca_file: has no certificate in it: /dev/null",
        ),
        ("jwks_url = LEFT OUT\njwks_file = \"keys.json\"\nca_file = \"ca.pem\"", "ca_file: is for jwks_url"),
        ("algorithms = [\"HS256\"]", "algorithms: there is no \"HS256\" for issuers"),
        ("algorithms = [\"none\"]", "algorithms: there is no \"none\""),
        ("algorithms = [\"ES256\", \"HS512\"]", "algorithms: there is no \"HS512\""),
        ("tenants = LEFT OUT", "tenants: is missing"),
        ("tenants = [\"Acme\"]", "tenants: \"Acme\": a tenant's id is"),
        ("tenants = [\"acme\", \"globex\"]", "tenant_claim: is missing"),
        ("tenants = [\"*\"]", "tenant_claim: is missing"),
        ("tenants = [\"*\", \"acme\"]\ntenant_claim = \"org\"", "tenants: has \"*\" beside others"),
        (
            "tenant_claim = \"org\"\ntenant_names = { \"Globex\" = \"globex\" }",
            "tenant_names: \"Globex\" leads to globex, which is not among tenants",
        ),
        ("tenant_names = { \"Acme\" = \"acme\" }", "tenant_names: has no effect without tenant_claim"),
        ("roles = LEFT OUT", "roles: is missing"),
        ("roles = [\"boss\"]", "roles: there is no role \"boss\""),
        ("roles = [\"simulator\"]", "roles: the simulated switch takes tokens of Baton's own key alone"),
        ("roles = [\"agent\", \"admin\"]", "role_claim: is missing"),
        ("role_names = { \"people\" = \"agent\" }", "role_names: has no effect without role_claim"),
        (
            "role_claim = \"groups\"\nrole_names = { \"root\" = \"operator\" }",
            "role_names: \"root\" leads to operator, which is not among roles",
        ),
        ("role_claim = \"groups\"\nrole_names = { \"root\" = \"boss\" }", "role_names: there is no role \"boss\""),
        ("roles = [\"operator\"]", "tenants: the roles operator and service belong to no tenant"),
        ("subject_claim = \"\"", "subject_claim: is empty"),
    ];
    let mut wrong = Vec::new();
    for (lines, said) in corpus {
        let error = load(&[&with(lines)]).err().unwrap_or_default();
        let is_said = error.starts_with("auth.issuers[0]") && error.contains(&format!(": {said}"));
        if !is_said || error.lines().count() != 1 {
            wrong.push(format!("{lines}: {error}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn keys_that_there_are_not_and_values_of_the_wrong_form_are_named() {
    for (lines, said) in [
        ("jwks = \"x\"", "unknown field: found `jwks`"),
        ("audience = 5", "must be a text or a list of texts"),
        ("max_token_ms = 0", "not between 1 ms and ten years"),
        ("roles = \"agent\"", "auth.issuers"),
    ] {
        let error = load(&[&with(lines)]).unwrap_err();
        assert!(error.contains("baton.toml: auth.issuers") && error.contains(said), "{lines}: {error}");
    }
}

#[test]
fn all_problems_of_all_issuers_are_said_at_once() {
    let other = with("issuer = \"https://other.example\"\nroles = LEFT OUT");
    let error = load(&["", GOOD, &other, GOOD]).unwrap_err();
    let keys: Vec<_> = error.lines().map(|it| it.split(": ").take(2).collect::<Vec<_>>().join(": ")).collect();
    let expected = [
        "auth.issuers[0]: issuer",
        "auth.issuers[0]: audience",
        "auth.issuers[0]: jwks_url",
        "auth.issuers[0]: roles",
        "auth.issuers[0]: tenants",
        "auth.issuers[2] (https://other.example): roles",
        "auth.issuers[3] (https://id.example/): issuer",
    ];
    assert_eq!(keys, expected, "{error}");
}

#[test]
fn a_start_at_which_nobody_could_call_is_refused() {
    let said = |development_key: &str| {
        let variables = [("BATON_AUTH__DEVELOPMENT_KEY".to_owned(), development_key.to_owned())];
        Config::load_from(None, variables).map_err(|error| error.to_string())
    };
    assert!(said("false").unwrap_err().starts_with("auth.development_key: is false, and there are no issuers"));
    assert!(said("no").unwrap_err().contains("must be true, false or \"auto\""));
    for (written, is_default, with_issuers) in [("auto", true, false), ("true", true, true)] {
        let key = said(written).unwrap().auth.development_key;
        assert_eq!(key.is_accepted(true, false), is_default, "{written}");
        assert_eq!(key.is_accepted(true, true), with_issuers, "{written}");
        assert_eq!(
            key.is_accepted(false, false),
            with_issuers,
            "{written}: where it is no default, it has to be asked for"
        );
    }
}

#[test]
fn what_makes_sense_is_accepted() {
    for lines in [
        "audience = [\"baton\", \"api://baton\"]",
        "jwks_url = \"http://[::1]:1/keys\"",
        "jwks_url = \"http://localhost/keys\"",
        "jwks_url = LEFT OUT\njwks_file = \"keys.json\"",
        "algorithms = [\"EdDSA\", \"PS512\"]",
        "tenants = [\"*\"]\ntenant_claim = \"/org/id\"",
        "tenants = [\"acme\"]\ntenant_claim = \"org\"",
        "tenants = [\"acme\", \"globex\"]\ntenant_claim = \"org\"\ntenant_names = { \"1\" = \"acme\" }",
        "roles = [\"operator\"]\ntenants = LEFT OUT",
        "roles = [\"service\", \"agent\"]\nrole_claim = \"r\"",
        "roles = [\"admin\", \"agent\"]\nrole_claim = \"groups\"\nrole_names = { \"x\" = \"admin\" }",
    ] {
        assert!(load(&[&with(lines)]).is_ok(), "{lines}: {:?}", load(&[&with(lines)]).err());
    }
}
