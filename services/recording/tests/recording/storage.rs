//! Audio in a bucket: where there is a server (`tests/s3`), and where it is away.

use std::net::SocketAddr;

use baton_api::recording::v1 as proto;
use baton_runtime::{ids, lifecycle};
use tokio::net::{TcpListener, TcpStream};
use tonic::Code;

use crate::support::{TENANT, World, header, samples, wav};

const CALL: &str = "0192-a";
const FIRST: &str = "0192-a-segment-1";

/// The keys of `[recording]` for the server, with a part of the bucket that is the test's own; `None` if there is no server.
#[expect(clippy::disallowed_methods, reason = "of tests alone: whether there is a server")]
fn server() -> Option<[(&'static str, String); 3]> {
    let variable = |name: &str| std::env::var(format!("TEST_S3_{name}")).ok();
    Some([
        ("STORAGE_URL", format!("{}/test/{}", variable("URL")?, ids::new_uuid())),
        ("S3_ENDPOINT", variable("ENDPOINT")?),
        ("S3_CREDENTIALS_FILE", variable("CREDENTIALS_FILE")?),
    ])
}

async fn world(keys: &[(&'static str, String)]) -> World {
    let keys: Vec<_> = keys.iter().map(|(key, value)| (*key, value.as_str())).collect();
    World::start_in(&keys).await
}

#[tokio::test]
async fn a_bucket_is_as_good_as_a_folder() {
    let Some(keys) = server() else { return };
    let world = world(&keys).await;
    let recording_id = world.stored(CALL, &[1, 2, 3], world.clock.now_us()).await;
    world.in_state(&recording_id, proto::recording::State::Stored).await;
    assert_eq!(samples(world.download(&recording_id, "").await.unwrap()), [1, 2, 3]);
    let again = world.send(header(CALL, FIRST), &wav(&[1, 2, 3])).await.unwrap();
    assert_eq!(again.size_bytes, 50);
    let request = proto::DeleteRecordingRequest { request_id: "delete".to_owned(), recording_id: recording_id.clone() };
    world.supervisor().delete_recording(request).await.unwrap();
    assert_eq!(world.download(&recording_id, "").await.unwrap_err().code(), Code::FailedPrecondition);
    assert!(!world.folder.path().join("recordings").exists(), "{TENANT} has nothing in the data folder");
}

#[tokio::test]
async fn while_the_storage_is_away_audio_is_to_be_sent_again_and_the_rest_goes_on() {
    let world = world(&[
        ("STORAGE_URL", "s3://audio".to_owned()),
        ("S3_ENDPOINT", "http://127.0.0.1:1".to_owned()),
        ("S3_CREDENTIALS_FILE", key_file().path().display().to_string()),
    ])
    .await;
    let error = world.send(header(CALL, FIRST), &wav(&[1, 2, 3])).await.unwrap_err();
    assert_eq!(error.code(), Code::Unavailable, "{error}");
    let recording_id = world.tenure(CALL, &[FIRST], world.clock.now_us()).await;
    world.heard_of(&recording_id).await;
}

#[tokio::test]
async fn audio_that_could_not_be_stored_is_when_the_storage_comes_back() {
    let Some(mut keys) = server() else { return };
    let real: SocketAddr = keys[1].1.trim_start_matches("http://").parse().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    keys[1].1 = format!("http://{address}");
    let world = world(&keys).await;
    let error = world.send(header(CALL, FIRST), &wav(&[1, 2, 3])).await.unwrap_err();
    assert_eq!(error.code(), Code::Unavailable, "{error}");

    let forwarder = lifecycle::spawn(forward(TcpListener::bind(address).await.unwrap(), real));
    let recording_id = world.stored(CALL, &[1, 2, 3], world.clock.now_us()).await;
    world.in_state(&recording_id, proto::recording::State::Stored).await;
    assert_eq!(samples(world.download(&recording_id, "").await.unwrap()), [1, 2, 3]);
    forwarder.abort();
}

async fn forward(listener: TcpListener, to: SocketAddr) {
    while let Ok((mut near, _)) = listener.accept().await {
        let mut far = TcpStream::connect(to).await.unwrap();
        lifecycle::spawn(async move { tokio::io::copy_bidirectional(&mut near, &mut far).await });
    }
}

fn key_file() -> tempfile::NamedTempFile {
    // Its owner alone can read it.
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, "aws_access_key_id = a\naws_secret_access_key = b\n").unwrap();
    file
}
