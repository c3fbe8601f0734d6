//! From where keys come: what is no good answer changes nothing, over TLS, and from a file.

use std::path::Path;
use std::time::Duration;

use http::StatusCode;

use super::fetch;
use super::test_issuer::{Answer, TestIssuer};
use super::test_keys::{TestKey, jwks};
use super::test_site::{PERIOD, SECOND, Site, is_unavailable, is_withdrawn};
use crate::config::IssuerConfig;
use crate::tls::test_authority::TestAuthority;

#[tokio::test]
async fn an_answer_that_is_no_key_set_too_large_too_slow_or_elsewhere_changes_nothing() {
    let (key, other) = (TestKey::new("k"), TestKey::new("other"));
    let elsewhere = TestIssuer::start(&[&other]).await;
    let issuer = TestIssuer::start(&[&key]).await;
    let padded = |length: usize| {
        let keys = jwks(&[&other]);
        format!("{keys}{}", " ".repeat(length - keys.len()))
    };
    let late = Duration::from_secs(2);
    let redirect = |status| Answer { status, location: Some(elsewhere.url()), ..Answer::of(jwks(&[&other])) };
    let ill = [
        Answer::of(""),
        Answer::of("<html>Sign in</html>"),
        Answer::of("{}"),
        Answer { status: StatusCode::NOT_FOUND, ..Answer::of(jwks(&[&other])) },
        Answer { status: StatusCode::INTERNAL_SERVER_ERROR, ..Answer::of(jwks(&[&other])) },
        Answer { status: StatusCode::NO_CONTENT, ..Answer::of("") },
        Answer::of(padded(fetch::LARGEST + 1)),
        Answer::of(padded(20 * fetch::LARGEST)),
        Answer { pause: late, ..Answer::of(jwks(&[&other])) },
        redirect(StatusCode::MOVED_PERMANENTLY),
        redirect(StatusCode::FOUND),
        redirect(StatusCode::TEMPORARY_REDIRECT),
    ];
    let mut site = Site::of(&issuer).await;
    let mut wrong = Vec::new();
    for (at, answer) in ill.into_iter().enumerate() {
        issuer.answer(Answer::of(jwks(&[&key])));
        site.pass(PERIOD + SECOND).await;
        let fetches = issuer.fetches();
        issuer.answer(answer);
        site.pass(PERIOD + SECOND).await;
        if issuer.fetches() == fetches || site.read(&key).is_err() || site.read(&other).is_ok() {
            wrong.push(at);
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
    assert_eq!(elsewhere.fetches(), 0, "no redirect is followed");
    issuer.answer(Answer::of(padded(fetch::LARGEST)));
    site.pass(PERIOD + SECOND).await;
    assert!(site.read(&other).is_ok(), "64 KiB are not too large");
}

#[tokio::test]
async fn keys_come_by_tls_from_who_has_a_certificate_of_the_configured_authority_alone() {
    let key = TestKey::new("k");
    let folder = tempfile::tempdir().unwrap();
    let authority = |file: &str| TestAuthority::new(&folder.path().join(file));
    let (ours, theirs) = (authority("ours.pem"), authority("theirs.pem"));
    let issuer = TestIssuer::start_with_tls(&[&key], ours.acceptor("127.0.0.1")).await;
    let site = async |url: String, ca_file: &str| {
        let ca_file = Some(folder.path().join(ca_file));
        Site::start(IssuerConfig { jwks_url: url, ca_file, ..IssuerConfig::default() }).await
    };
    assert!(site(issuer.url(), "ours.pem").await.read(&key).is_ok());
    assert!(is_unavailable(&site(issuer.url(), "theirs.pem").await.read(&key)));
    // The certificate is of another host.
    let named = TestIssuer::start_with_tls(&[&key], ours.acceptor("id.example")).await;
    assert!(is_unavailable(&site(named.url(), "ours.pem").await.read(&key)));
    // A new authority is trusted without a restart.
    let exchanged = TestIssuer::start_with_tls(&[&key], theirs.acceptor("127.0.0.1")).await;
    std::fs::copy(folder.path().join("ours.pem"), folder.path().join("used.pem")).unwrap();
    let mut before = site(exchanged.url(), "used.pem").await;
    assert!(is_unavailable(&before.read(&key)));
    std::fs::copy(folder.path().join("theirs.pem"), folder.path().join("used.pem")).unwrap();
    before.pass(61 * SECOND).await;
    assert!(before.read(&key).is_ok());
}

#[tokio::test]
async fn a_file_is_read_again_when_it_has_changed_and_a_file_that_is_gone_is_missed_later() {
    let (old, new) = (TestKey::new("old"), TestKey::new("new"));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.json");
    let write = |text: &str| replace(&file, text);
    let config = IssuerConfig { jwks_file: Some(file.clone()), ..IssuerConfig::default() };
    let mut site = Site::start_keeping(config, Duration::from_mins(2)).await;
    assert!(is_unavailable(&site.read(&old)), "there is no file yet");
    write(&jwks(&[&old]));
    site.pass(6 * SECOND).await;
    assert!(site.read(&old).is_ok());
    write(&jwks(&[&new]));
    site.pass(6 * SECOND).await;
    assert!(site.read(&new).is_ok() && is_withdrawn(&site.read(&old)));
    write("{");
    site.pass(6 * SECOND).await;
    assert!(site.read(&new).is_ok(), "half a file changes nothing");
    std::fs::remove_file(&file).unwrap();
    site.pass(100 * SECOND).await;
    assert!(site.read(&new).is_ok());
    site.pass(30 * SECOND).await;
    assert!(is_unavailable(&site.read(&new)));
}

fn replace(file: &Path, text: &str) {
    let draft = file.with_extension("new");
    std::fs::write(&draft, text).unwrap();
    std::fs::rename(draft, file).unwrap();
}
