//! The stream is made, compared and mended, and whatever prevents it is said in a sentence with what to do.

use std::time::Duration;

use async_nats::jetstream;
use baton_bus::{Bus, EventMatcher, JetStreamBus, JetStreamError, JetStreamOptions, StreamSettings};
use baton_runtime::clock::Clock;
use baton_runtime::lifecycle::spawn;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::nats_server::NatsServer;
use crate::support::{ONE_SERVER, nats_options};

async fn jetstream(options: &JetStreamOptions) -> jetstream::Context {
    jetstream::new(async_nats::connect(&options.urls).await.unwrap())
}

#[tokio::test]
async fn a_stream_is_made_once_as_it_should_be() {
    let folder = tempfile::tempdir().unwrap();
    let options = nats_options(&folder).expect("TEST_NATS_URL");
    let missing = JetStreamBus::check(&options, ONE_SERVER).await.unwrap_err();
    assert!(missing.to_string().contains("does not exist: run `baton migrate`"), "{missing}");
    let waiting: Bus = JetStreamBus::open(&options, Clock::real()).await.unwrap().into();
    let all = EventMatcher::all();
    for missing in [
        waiting.read(0, &all, 1).await.unwrap_err(),
        waiting.last(&all).await.unwrap_err(),
        waiting.cursor("service").await.unwrap_err(),
        waiting.generation().await.unwrap_err(),
    ] {
        assert!(missing.to_string().contains("does not exist: run `baton migrate`"), "{missing}");
    }
    JetStreamBus::ensure(&options, ONE_SERVER).await.unwrap();
    let bus = JetStreamBus::open(&options, Clock::real()).await.unwrap();
    let generation = bus.generation().await.unwrap();
    JetStreamBus::ensure(&options, ONE_SERVER).await.unwrap();
    assert_eq!(bus.generation().await.unwrap(), generation);
    assert_eq!(JetStreamBus::check(&options, ONE_SERVER).await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn each_setting_that_differs_is_named_and_mended_where_that_is_possible() {
    let folder = tempfile::tempdir().unwrap();
    let options = nats_options(&folder).expect("TEST_NATS_URL");
    let name = format!("BATON_EVT_{}", options.namespace);
    let config = jetstream::stream::Config { name, subjects: vec!["elsewhere.>".into()], ..Default::default() };
    let config = jetstream::stream::Config { duplicate_window: Duration::from_secs(7), ..config };
    jetstream(&options).await.create_stream(config).await.unwrap();
    let found = JetStreamBus::check(&options, ONE_SERVER).await.unwrap();
    let named = ["subjects", "max_age", "max_bytes", "discard", "allow_direct", "allow_atomic", "duplicate_window"];
    for setting in named {
        assert!(found.iter().any(|it| it.starts_with(&format!("{setting} is "))), "{setting}: {found:#?}");
    }
    assert!(found.iter().any(|it| it.contains("baton.generation is missing")), "{found:#?}");
    assert!(found.iter().all(|it| it.contains("run `baton migrate`")), "{found:#?}");
    assert_eq!(found.len(), named.len() + 1);
    let bus: Bus = JetStreamBus::open(&options, Clock::real()).await.unwrap().into();
    let error = bus.read(0, &EventMatcher::all(), 1).await.unwrap_err();
    assert!(error.to_string().contains("allow_direct"), "{error}");
    JetStreamBus::ensure(&options, ONE_SERVER).await.unwrap();
    assert_eq!(bus.read(0, &EventMatcher::all(), 1).await.unwrap().events.len(), 0);
    assert_eq!(JetStreamBus::check(&options, ONE_SERVER).await.unwrap(), Vec::<String>::new());
    let three = StreamSettings { replicas: 3, ..ONE_SERVER };
    let found = JetStreamBus::check(&options, three).await.unwrap();
    assert!(found.len() == 1 && found[0].starts_with("the number of replicas is 1 and should be 3"), "{found:#?}");
}

#[tokio::test]
async fn a_stream_in_memory_cannot_be_mended_and_says_how_to_replace_it() {
    let folder = tempfile::tempdir().unwrap();
    let options = nats_options(&folder).expect("TEST_NATS_URL");
    JetStreamBus::ensure(&options, ONE_SERVER).await.unwrap();
    let (context, name) = (jetstream(&options).await, format!("BATON_EVT_{}", options.namespace));
    let config = context.get_stream(&name).await.unwrap().cached_info().config.clone();
    context.delete_stream(&name).await.unwrap();
    let in_memory = jetstream::stream::Config { storage: jetstream::stream::StorageType::Memory, ..config };
    context.create_stream(in_memory).await.unwrap();
    let found = JetStreamBus::check(&options, ONE_SERVER).await.unwrap();
    assert!(found.len() == 1 && found[0].contains("storage is Memory and should be File"), "{found:#?}");
    let error = JetStreamBus::ensure(&options, ONE_SERVER).await.unwrap_err();
    assert!(error.to_string().contains("delete it, and run `baton migrate` again"), "{error}");
}

#[tokio::test]
async fn a_server_that_is_too_old_is_refused_with_the_version_that_is_needed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("nats://{}", listener.local_addr().unwrap());
    spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let info = r#"{"server_id":"x","version":"2.12.2","max_payload":1048576,"headers":true,"jetstream":true}"#;
            client.write_all(format!("INFO {info}\r\n").as_bytes()).await.unwrap();
            let mut buffer = [0; 4_096];
            while client.read(&mut buffer).await.unwrap_or(0) > 0 {
                let _ = client.write_all(b"PONG\r\n").await;
            }
        }
    });
    let options = JetStreamOptions { urls: vec![url], ..JetStreamOptions::default() };
    for error in [
        JetStreamBus::ensure(&options, ONE_SERVER).await.unwrap_err(),
        JetStreamBus::check(&options, ONE_SERVER).await.unwrap_err(),
    ] {
        assert!(error.to_string().contains("is version 2.12.2 and has to be 2.12.3 or later"), "{error}");
    }
}

#[tokio::test]
async fn what_a_user_may_not_do_is_named() {
    let users = r#"authorization { users: [
        { user: owner, password: secret }
        { user: reader, password: hidden, permissions: {
            publish: ["$JS.API.STREAM.INFO.*", "$JS.API.STREAM.MSG.GET.*", "$JS.API.DIRECT.GET.*"],
            subscribe: ["_INBOX.>"] } }
        { user: watcher, password: hidden, permissions: {
            publish: ["$JS.API.STREAM.INFO.*", "$JS.API.STREAM.MSG.GET.*"], subscribe: ["_INBOX.>"] } } ] }"#;
    let server = NatsServer::start(users).await;
    let as_user = |user: &str| JetStreamOptions {
        urls: vec![server.url.replace("nats://", &format!("nats://{user}@"))],
        ..server.options()
    };
    JetStreamBus::ensure(&as_user("owner:secret"), ONE_SERVER).await.unwrap();
    let apart = JetStreamOptions { user: Some(("owner".into(), "secret".into())), ..as_user("reader:wrong") };
    assert!(JetStreamBus::check(&apart, ONE_SERVER).await.unwrap().is_empty(), "it counts more than the URL's");
    assert!(!format!("{apart:?}").contains("secret"), "{apart:?}");
    assert!(JetStreamBus::check(&as_user("reader:hidden"), ONE_SERVER).await.unwrap().is_empty());
    let wider = StreamSettings { max_bytes: 1 << 30, ..ONE_SERVER };
    let denied = JetStreamBus::ensure(&as_user("reader:hidden"), wider).await.unwrap_err();
    assert!(matches!(denied, JetStreamError::Denied { .. }), "{denied:?}");
    assert!(denied.to_string().contains("STREAM.UPDATE") && denied.to_string().contains("permission"), "{denied}");
    let denied = JetStreamBus::check(&as_user("watcher:hidden"), ONE_SERVER).await.unwrap_err();
    assert!(denied.to_string().contains("DIRECT.GET"), "{denied}");
    let bus: Bus = JetStreamBus::open(&as_user("watcher:hidden"), Clock::real()).await.unwrap().into();
    let denied = bus.read(0, &EventMatcher::all(), 10).await.unwrap_err();
    assert!(denied.to_string().contains("DIRECT.GET"), "{denied}");
    let wrong = JetStreamBus::check(&as_user("owner:wrong"), ONE_SERVER).await.unwrap_err();
    assert!(matches!(wrong, JetStreamError::Denied { doing: "connecting", .. }), "{wrong:?}");
    let waiting: Bus = JetStreamBus::open(&as_user("owner:wrong"), Clock::real()).await.unwrap().into();
    let refused = waiting.last(&EventMatcher::all()).await.unwrap_err();
    assert!(refused.to_string().contains("authorization violation"), "{refused}");
    for shown in [format!("{wrong:?}{wrong}{refused:?}{waiting:?}"), format!("{:?}", as_user("owner:wrong"))] {
        assert!(!shown.contains("wrong@") && !shown.contains("owner:wrong"), "{shown}");
    }
}

#[tokio::test]
async fn options_that_cannot_be_used_are_named() {
    let options = |url: &str| JetStreamOptions { urls: vec![url.to_owned()], ..JetStreamOptions::default() };
    let bad = JetStreamBus::open(&options("nats://user:secret@[c"), Clock::real()).await.unwrap_err();
    assert!(bad.to_string().contains("`url`") && !bad.to_string().contains("secret"), "{bad}");
    let none = JetStreamBus::open(&JetStreamOptions::default(), Clock::real()).await.unwrap_err();
    assert!(none.to_string().contains("`url`"), "{none}");
    let no_file = JetStreamOptions { credentials_file: Some("/nowhere/creds".into()), ..options("nats://127.0.0.1:1") };
    let no_file = JetStreamBus::open(&no_file, Clock::real()).await.unwrap_err();
    assert!(no_file.to_string().contains("/nowhere/creds can't be read"), "{no_file}");
    let away = JetStreamBus::check(&options("nats://127.0.0.1:1"), ONE_SERVER).await.unwrap_err();
    assert!(matches!(away, JetStreamError::Away { .. }), "{away:?}");
}

#[tokio::test]
async fn a_server_with_a_certificate_is_reached_by_those_who_trust_its_authority() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let tls = format!("tls {{ cert_file: \"{}\", key_file: \"{}\" }}", certificate.display(), key.display());
    let server = NatsServer::start(&tls).await;
    let urls = vec![server.url.replace("nats://", "tls://")];
    let trusting = JetStreamOptions { urls, ca_file: Some(certificate), ..server.options() };
    JetStreamBus::ensure(&trusting, ONE_SERVER).await.unwrap();
    let doubting = JetStreamOptions { ca_file: None, ..trusting.clone() };
    let error = JetStreamBus::check(&doubting, ONE_SERVER).await.unwrap_err();
    assert!(matches!(error, JetStreamError::Away { .. }), "{error:?}");
    let no_file = JetStreamOptions { ca_file: Some("/nowhere/ca.pem".into()), ..trusting };
    let no_file = JetStreamBus::open(&no_file, Clock::real()).await.unwrap_err();
    assert!(no_file.to_string().contains("/nowhere/ca.pem can't be read"), "{no_file}");
}
