//! Layers, and the messages about mistakes.

use super::*;

fn load(text: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("baton.toml");
    std::fs::write(&path, text).unwrap();
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::load_from(Some(&path), variables).map_err(|error| error.to_string())
}

#[test]
fn the_defaults_fit_the_sections() {
    let config = Config::default();
    assert_eq!(config.server.listen.port(), 7400);
    assert_eq!(config.auth.key_file, None);
    assert_eq!(config.presence.lease_ms.duration().as_secs(), 15);
}

#[test]
fn the_environment_wins_over_the_file_and_the_file_over_the_default() {
    let text = "[server]\nlisten = \"127.0.0.1:1\"\n[presence]\nlease_ms = 9000\n";
    let variables = [("BATON_SERVER__LISTEN", "127.0.0.1:2"), ("BATON_RECORDING__RETENTION_DAYS", "7")];
    let config = load(text, &variables).unwrap();
    assert_eq!(config.server.listen.port(), 2);
    assert_eq!(config.presence.lease_ms.get(), 9_000);
    assert_eq!(config.recording.retention_days, 7);
}

#[test]
fn a_user_of_nats_has_a_password() {
    for half in ["user = \"baton\"", "password_file = \"nats.password\""] {
        let error = load(&format!("[nats]\n{half}\n"), &[]).unwrap_err();
        assert!(error.contains("nats.user and nats.password_file: "), "{error}");
    }
    assert!(load("[nats]\nuser = \"baton\"\npassword_file = \"nats.password\"\n", &[]).is_ok());
}

#[test]
fn a_typo_in_a_file_is_named_with_the_file_and_what_there_is() {
    let error = load("[server]\nlissten = \"127.0.0.1:1\"", &[]).unwrap_err();
    assert!(error.contains("baton.toml: there is no key server.lissten"), "{error}");
    assert!(error.contains("server.listen"), "{error}");
}

#[test]
fn an_unknown_section_is_named_with_the_sections() {
    let error = load("[sever]\nlisten = \"127.0.0.1:1\"", &[]).unwrap_err();
    assert!(error.contains("sever.listen") && error.contains("telephony"), "{error}");
}

#[test]
fn a_typo_in_a_variable_is_named_with_the_variable() {
    let error = load("", &[("BATON_SERVER__LISTN", "x")]).unwrap_err();
    assert!(error.contains("environment variable BATON_SERVER__LISTN: there is no key server.listn"), "{error}");
}

#[test]
fn a_variable_that_is_no_key_is_named_with_the_one_that_may_be_meant() {
    let corpus = [
        ("BATON_TRANSFER_COMPARE_INTERVAL_MS", "is BATON_TRANSFER__COMPARE_INTERVAL_MS meant?"),
        ("BATON__SERVER__LISTEN", "is BATON_SERVER__LISTEN meant?"),
        ("BATON_SERVER__LISTN", "is BATON_SERVER__LISTEN meant?"),
        ("BATON_FOO", "the sections are"),
        ("BATON_", "the sections are"),
        ("BATON_TELEMETRY", "is BATON_TELEMETRY__LOG meant?"),
        ("BATON_SERVER__FOO", "there are server.age_ms"),
    ];
    for (name, hint) in corpus {
        for value in ["1", "{}", ""] {
            let error = load("", &[(name, value)]).unwrap_err();
            assert!(error.starts_with(&format!("environment variable {name}: ")), "{error}");
            assert!(error.contains(hint), "{error}");
        }
    }
}

#[test]
fn other_variables_are_not_configuration() {
    let variables = [
        ("BATON_CONTEXT", "x"),
        ("BATON_TOKEN", "x"),
        ("BATON_SERVER", "http://x"),
        ("PATH", "/bin"),
        ("MY__VAR", "1"),
        ("BATONS", "2"),
    ];
    assert!(load("", &variables).is_ok());
}

#[test]
fn values_of_the_wrong_form_are_named() {
    let corpus = [
        ("[server]\nlisten = \"nowhere\"", "server.listen"),
        ("[server]\nlisten = 7400", "server.listen"),
        ("[server]\nconnections = 0", "server.connections"),
        ("[data]\ncalls_kept_days = 0", "data.calls_kept_days"),
        ("[recording]\nshortest_message_ms = -5", "recording.shortest_message_ms"),
        ("[recording]\nshortest_message_ms = 600001", "recording.shortest_message_ms"),
        ("[presence]\nlease_ms = 0", "presence.lease_ms"),
        ("[presence]\nlease_ms = -5", "presence.lease_ms"),
        ("[presence]\nlease_ms = \"15 s\"", "presence.lease_ms"),
        ("[telemetry]\nformat = \"xml\"", "telemetry.format"),
    ];
    for (text, key) in corpus {
        let error = load(text, &[]).unwrap_err();
        assert!(error.contains("baton.toml") && error.contains(key), "{text}: {error}");
    }
}

#[test]
fn a_section_given_as_a_value_is_refused() {
    assert!(load("server = 5", &[]).is_err());
}

#[test]
fn a_syntax_error_names_file_and_line() {
    let error = load("[server]\nlisten = ", &[]).unwrap_err();
    assert!(error.contains("baton.toml") && error.contains("line 2"), "{error}");
}

#[test]
fn a_missing_file_is_named() {
    let error = Config::load_from(Some(Path::new("/nowhere/baton.toml")), []).unwrap_err();
    assert!(error.to_string().contains("/nowhere/baton.toml"));
}

#[test]
fn what_kubernetes_says_of_services_is_no_setting_and_a_typo_is_no_service() {
    for name in [
        "BATON_TRANSFER_SERVICE_HOST",
        "BATON_TRANSFER_SERVICE_PORT_GRPC",
        "BATON_GATEWAY_PORT",
        "BATON_X_PORT_7401_TCP_ADDR",
    ] {
        assert!(Config::load_from(None, [(name.to_owned(), "10.0.0.1".to_owned())]).is_ok(), "{name}");
    }
    for name in ["BATON_SERVER__PORT", "BATON_LISTEN", "BATON_PORTAL"] {
        assert!(Config::load_from(None, [(name.to_owned(), "1".to_owned())]).is_err(), "{name}");
    }
}
