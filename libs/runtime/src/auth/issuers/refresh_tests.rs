//! Keys that come, change and go, at a little issuer that does what issuers do when they are ill. Time is simulated; the answers are real.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::StatusCode;
use serde_json::json;

use super::test_issuer::{Answer, TestIssuer};
use super::test_keys::TestKey;
use super::test_site::{ISSUER, PERIOD, SECOND, START_US, Site, is_unavailable, is_withdrawn};
use crate::auth::{Gate, TokenError, Verifier};

/// Threads that verify tokens without a pause, until it is dropped. The time of the test is not theirs.
struct Load {
    phase: Arc<Phase>,
    threads: Vec<std::thread::JoinHandle<usize>>,
}

/// What has happened to the keys.
#[derive(Default)]
struct Phase {
    is_new_used: AtomicBool,
    is_old_withdrawn: AtomicBool,
    over: AtomicBool,
}

impl Load {
    fn start(verifier: &Verifier, of_old: &[String], of_new: &[String]) -> Self {
        let phase = Arc::<Phase>::default();
        let thread = || {
            let (verifier, phase) = (verifier.clone(), Arc::clone(&phase));
            let (of_old, of_new) = (of_old.to_vec(), of_new.to_vec());
            std::thread::spawn(move || phase.refused(&verifier, &of_old, &of_new))
        };
        let threads = (0..2).map(|_| thread()).collect();
        Self { phase, threads }
    }

    /// How many tokens were refused that were good.
    fn end(mut self) -> usize {
        self.phase.over.store(true, Ordering::SeqCst);
        self.threads.drain(..).map(|it| it.join().unwrap()).sum()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.phase.over.store(true, Ordering::SeqCst);
    }
}

impl Phase {
    fn refused(&self, verifier: &Verifier, of_old: &[String], of_new: &[String]) -> usize {
        let mut refused = 0;
        while !self.over.load(Ordering::SeqCst) {
            let with_new = self.is_new_used.load(Ordering::SeqCst);
            let without_old = self.is_old_withdrawn.load(Ordering::SeqCst);
            // One without memory, too, so that each is verified by its key.
            for verifier in [verifier.clone(), verifier.clone().with_issuers(verifier.issuers().clone())] {
                let of_old = of_old.iter().filter(|_| !without_old);
                let tokens = of_old.chain(of_new.iter().filter(|_| with_new));
                let count = tokens.filter(|it| verifier.verify(it, START_US).is_err()).count();
                // What was withdrawn meanwhile is refused with right.
                refused += if without_old == self.is_old_withdrawn.load(Ordering::SeqCst) { count } else { 0 };
            }
        }
        refused
    }
}

#[tokio::test]
async fn no_token_is_refused_while_keys_rotate_under_load_and_the_old_key_ends_within_one_refresh() {
    let (old, new) = (TestKey::new("old"), TestKey::new("new"));
    let issuer = TestIssuer::start(&[&old]).await;
    let mut site = Site::of(&issuer).await;
    let exp = START_US / 1_000_000 + 7_200;
    let claims = |n: usize| json!({"iss": ISSUER, "aud": "baton", "sub": format!("eve{n}"), "exp": exp});
    let tokens = |key: &TestKey| (0..50).map(|n| key.token(&claims(n))).collect::<Vec<_>>();
    let (of_old, of_new) = (tokens(&old), tokens(&new));
    let load = Load::start(&site.verifier, &of_old, &of_new);
    issuer.publish(&[&old, &new]);
    site.pass(PERIOD + SECOND).await;
    load.phase.is_new_used.store(true, Ordering::SeqCst);
    site.pass(2 * PERIOD).await;
    assert!(site.verify(&of_old[0]).is_ok() && site.verify(&of_new[0]).is_ok());
    load.phase.is_old_withdrawn.store(true, Ordering::SeqCst);
    issuer.publish(&[&new]);
    site.pass(PERIOD + SECOND).await;
    assert!(of_old.iter().all(|it| is_withdrawn(&site.verify(it))));
    assert!(of_new.iter().all(|it| site.verify(it).is_ok()));
    assert_eq!(load.end(), 0);
}

#[tokio::test]
async fn a_withdrawn_key_takes_with_it_what_it_has_verified() {
    let (one, two) = (TestKey::new("one"), TestKey::new("two"));
    let issuer = TestIssuer::start(&[&one, &two]).await;
    let mut site = Site::of(&issuer).await;
    let (of_one, of_two) = (one.token(&site.claims()), two.token(&site.claims()));
    assert!(site.verify(&of_one).is_ok() && site.verify(&of_two).is_ok());
    issuer.publish(&[&two]);
    assert!(site.verify(&of_one).is_ok(), "nobody knows yet");
    site.pass(PERIOD).await;
    assert!(is_withdrawn(&site.verify(&of_one)));
    assert!(site.verify(&of_two).is_ok());
    // A key that was exchanged under its id verifies nothing of the old one.
    issuer.publish(&[&TestKey::new("two")]);
    site.pass(PERIOD).await;
    assert!(matches!(site.verify(&of_two), Err(TokenError::Invalid(why)) if why.contains("not signed with the key")));
    issuer.publish(&[]);
    site.pass(PERIOD).await;
    assert!(is_withdrawn(&site.verify(&of_two)));
}

#[tokio::test]
async fn a_new_key_is_fetched_at_once_and_no_call_waits_for_it() {
    let (old, new) = (TestKey::new("old"), TestKey::new("new"));
    let issuer = TestIssuer::start(&[&old]).await;
    let mut site = Site::of(&issuer).await;
    site.pass(20 * SECOND).await;
    issuer.publish(&[&old, &new]);
    let fetches = issuer.fetches();
    assert!(is_unavailable(&site.read(&new)), "the bearer has only to try again");
    site.pass(Duration::from_millis(1)).await;
    assert!(site.read(&new).is_ok());
    assert_eq!(issuer.fetches(), fetches + 1);
    // A key that there is not is known to be none from then on.
    let nobody = TestKey::new("nobody");
    assert!(is_unavailable(&site.read(&nobody)));
    site.pass(11 * SECOND).await;
    assert!(is_withdrawn(&site.read(&nobody)));
    // Unless it is published later than its first token.
    issuer.publish(&[&nobody]);
    site.pass(11 * SECOND).await;
    assert!(site.read(&nobody).is_ok());
}

#[tokio::test]
async fn a_storm_of_unknown_keys_makes_one_fetch_in_ten_seconds() {
    let key = TestKey::new("k");
    let issuer = TestIssuer::start(&[&key]).await;
    let mut site = Site::of(&issuer).await;
    let (before, minutes) = (issuer.fetches(), 4);
    for second in 0..minutes * 60 {
        for n in 0..20 {
            let forged = key.token_with(&json!({"alg": "ES256", "kid": format!("{second}-{n}")}), &site.claims());
            assert!(site.verify(&forged).is_err());
        }
        site.pass(SECOND).await;
        assert!(site.read(&key).is_ok());
    }
    let fetched = issuer.fetches() - before;
    assert!((20..=minutes * 6).contains(&fetched), "{fetched}");
}

#[tokio::test]
async fn a_storm_of_unknown_keys_does_not_hammer_an_issuer_that_is_down() {
    let key = TestKey::new("k");
    let issuer = TestIssuer::start(&[&key]).await;
    issuer.answer(Answer { status: StatusCode::SERVICE_UNAVAILABLE, ..Answer::of("") });
    let mut site = Site::of(&issuer).await;
    site.pass(PERIOD).await;
    let fetches = issuer.fetches();
    for _ in 0..120 {
        assert!(is_unavailable(&site.read(&key)));
        site.pass(SECOND).await;
    }
    assert!(issuer.fetches() - fetches <= 13, "{}", issuer.fetches() - fetches);
}

#[tokio::test]
async fn an_issuer_that_is_down_at_the_start_is_tried_again_and_its_tokens_are_told_to() {
    let key = TestKey::new("k");
    let mut issuer = TestIssuer::start(&[&key]).await;
    issuer.stop().await;
    let mut quiet = Site::of(&issuer).await;
    let mut site = Site::of(&issuer).await;
    assert!(is_unavailable(&site.read(&key)));
    let gate = Gate::new(site.verifier.clone());
    let token = key.token(&site.claims());
    let headers = [(http::header::AUTHORIZATION, format!("Bearer {token}").parse().unwrap())].into_iter().collect();
    let status =
        gate.admit("/baton.tenant.v1.TenantService/GetTenant", (&headers, None), site.clock.now_us()).unwrap_err();
    let error = baton_api::ApiError::from_status(&status).unwrap();
    assert_eq!(status.code(), tonic::Code::Unavailable);
    assert!(error.retry_after.is_some() && error.message.contains("can't be fetched"), "{error:?}");
    issuer.restart().await;
    site.pass(61 * SECOND).await;
    assert!(site.read(&key).is_ok());
    quiet.pass(61 * SECOND).await;
    assert!(quiet.read(&key).is_ok(), "also if nobody comes with a token");
}

#[tokio::test]
async fn an_issuer_that_goes_down_is_trusted_for_a_day_and_again_when_it_is_back() {
    let key = TestKey::new("k");
    let mut issuer = TestIssuer::start(&[&key]).await;
    let mut site = Site::of(&issuer).await;
    issuer.stop().await;
    let token = key.token(&json!({"iss": ISSUER, "aud": "baton", "sub": "eve", "exp": START_US / 1_000_000 + 87_000}));
    site.pass(Duration::from_hours(1)).await;
    assert!(site.read(&key).is_ok());
    site.pass(Duration::from_secs(23 * 3_600 - 1)).await;
    let sooner = key.token(&site.claims());
    assert!(site.verify(&sooner).is_ok());
    site.pass(2 * SECOND).await;
    assert!(is_unavailable(&site.verify(&sooner)), "what was verified before is too old, too");
    assert!(is_unavailable(&site.verify(&token)));
    issuer.restart().await;
    site.pass(61 * SECOND).await;
    assert!(site.read(&key).is_ok());
}

#[tokio::test]
async fn each_change_of_an_issuers_state_is_logged_once_and_no_key_of_it() {
    let log = crate::server::CapturedLog::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_max_level(tracing::Level::WARN);
    let _logging = tracing::subscriber::set_default(subscriber.with_writer(move || writer.clone()).finish());
    // Beside a subscriber that is the only one, the events of a thread that has none are forgotten for all.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let key = TestKey::new("k-1");
    let mut issuer = TestIssuer::start(&[&key]).await;
    let mut site = Site::of(&issuer).await;
    assert_eq!(log.text(), "");
    issuer.stop().await;
    site.pass(Duration::from_hours(1)).await;
    assert_eq!(log.text().lines().count(), 1, "{}", log.text());
    site.pass(Duration::from_hours(24)).await;
    issuer.restart().await;
    site.pass(Duration::from_hours(1)).await;
    issuer.publish(&[]);
    site.pass(Duration::from_hours(1)).await;
    let said = [
        "WARN baton_runtime::auth::issuers::refresh: an issuer's keys can't be fetched: the last ones are used, for auth.jwks_kept_ms at most",
        "ERROR baton_runtime::auth::issuers::refresh: an issuer's keys are too old to be used (auth.jwks_kept_ms)",
        "WARN baton_runtime::auth::issuers::refresh: an issuer's keys can be fetched again",
        "WARN baton_runtime::auth::issuers::refresh: an issuer publishes no key that can be used: its tokens are refused",
    ];
    let text = log.text();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), said.len(), "{text}");
    assert!(lines.iter().zip(said).all(|(line, said)| line.contains(said) && line.contains(ISSUER)), "{text}");
    assert!(text.contains("the address can't be reached: Connection refused") && !text.contains("k-1"), "{text}");
}
