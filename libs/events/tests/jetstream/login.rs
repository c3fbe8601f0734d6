//! Who may read, and what is said to those who may not.

use std::path::PathBuf;

use baton_bus::{JetStreamBus, JetStreamOptions};
use baton_events::{EventFeed, FeedError, FeedOptions, Login, NatsOptions};
use tempfile::TempDir;

use crate::nats_server::NatsServer;
use crate::reader::{feed, rest};
use crate::support::{ONE_SERVER, event, publish};

/// An nkey that is in the servers' documentation.
const SEED: &str = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY";
const USERS: &str = r#"
rights = { publish: ["$JS.API.STREAM.INFO.BATON_EVT_t", "$JS.API.STREAM.MSG.GET.BATON_EVT_t", "$JS.API.CONSUMER.CREATE.BATON_EVT_t.>",
    "$JS.API.CONSUMER.INFO.BATON_EVT_t.*", "$JS.API.CONSUMER.MSG.NEXT.BATON_EVT_t.*"], subscribe: ["_INBOX_reports.>"] }
authorization { users: [
    { user: baton, password: secret }
    { user: reports, password: "r€ports", permissions: $rights }
    { user: blind, password: "r€ports", permissions: { publish: ["$JS.API.STREAM.INFO.BATON_EVT_t"], subscribe: ["_INBOX_reports.>"] } }
    { nkey: UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4, permissions: $rights }
] }
"#;

struct Guarded {
    server: NatsServer,
    folder: TempDir,
}

async fn guarded() -> Guarded {
    let server = NatsServer::start(USERS).await;
    let options =
        JetStreamOptions { urls: vec![server.url.replace("nats://", "nats://baton:secret@")], ..server.options() };
    JetStreamBus::ensure(&options, ONE_SERVER).await.unwrap();
    let bus = JetStreamBus::open(&options, baton_runtime::Clock::real()).await.unwrap();
    publish(&bus.into(), &[event("interaction/1", 1)]).await;
    Guarded { server, folder: tempfile::tempdir().unwrap() }
}

impl Guarded {
    fn file(&self, name: &str, text: &str) -> PathBuf {
        let file = self.folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        file
    }

    fn user(&self, name: &str, password: &str) -> Login {
        Login::User { name: name.to_owned(), password_file: self.file(&format!("{name}-{}", password.len()), password) }
    }

    async fn open(&self, login: Login, inbox_prefix: Option<&str>) -> Result<EventFeed, FeedError> {
        let inbox_prefix = inbox_prefix.map(str::to_owned);
        let nats = NatsOptions { servers: vec![self.server.url.clone()], login, ca_file: None, inbox_prefix };
        EventFeed::open(&nats, feed(&self.server.options())).await
    }
}

#[tokio::test]
async fn a_reader_needs_five_rights_and_an_inbox() {
    let it = guarded().await;
    for login in [it.user("reports", "r€ports\n"), Login::Nkey(it.file("seed", SEED))] {
        let mut feed = it.open(login, Some("_INBOX_reports")).await.unwrap();
        assert_eq!(rest(&mut feed).await.len(), 1);
    }
}

#[tokio::test]
async fn what_is_not_permitted_is_said() {
    let it = guarded().await;
    let own = Some("_INBOX_reports");
    for (login, inbox, what) in [
        (it.user("reports", "r€ports"), None, "_INBOX."),
        (it.user("blind", "r€ports"), own, "CONSUMER.CREATE"),
        (it.user("reports", "wrong"), own, "auth"),
        (Login::Anonymous, own, "auth"),
    ] {
        match it.open(login, inbox).await {
            Err(FeedError::Denied { text, .. }) => assert!(text.contains(what), "{text}: {what}"),
            other => panic!("{what}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn options_that_lead_nowhere_are_said() {
    let it = guarded().await;
    let login = it.user("baton", "secret");
    let nats =
        |server: &str| NatsOptions { servers: vec![server.to_owned()], login: login.clone(), ..NatsOptions::default() };
    let none = EventFeed::open(&nats(&it.server.url), FeedOptions::default()).await;
    assert!(matches!(none, Err(FeedError::NoStream { .. })), "{none:?}");
    let away = EventFeed::open(&nats("nats://127.0.0.1:1"), FeedOptions::default()).await.unwrap_err();
    assert!(matches!(away, FeedError::Away { .. }) && away.is_passing(), "{away:?}");
    let wrong = EventFeed::open(&nats("nats://a b"), FeedOptions::default()).await;
    assert!(matches!(wrong, Err(FeedError::Options { option: "servers", .. })), "{wrong:?}");
    let missing = it.open(Login::Nkey("/nowhere/seed".into()), None).await;
    assert!(matches!(missing, Err(FeedError::File { .. })), "{missing:?}");
    for bad in ["", "a..b", "a.>", "*"] {
        let refused = it.open(Login::Anonymous, Some(bad)).await;
        assert!(matches!(refused, Err(FeedError::Options { option: "inbox_prefix", .. })), "{bad}: {refused:?}");
    }
}
