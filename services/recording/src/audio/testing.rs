//! Storages for tests: a folder, and a bucket where there is a server (`tests/s3`).

use baton_runtime::config::{Config, RecordingConfig};
use baton_runtime::ids;
use bytes::Bytes;
use futures::TryStreamExt as _;
use object_store::aws::{AwsAuthorizer, AwsCredential};
use object_store::client::{HttpConnector as _, HttpRequest, HttpRequestBody, ReqwestConnector};
use object_store::path::Path;
use object_store::{ClientOptions, ObjectStoreExt as _};

use super::bucket::access_key;
use super::files::Files;

/// A storage of its own, with nothing in it.
#[derive(Debug)]
pub(crate) struct TestStorage {
    pub(crate) files: Files,
    pub(crate) config: RecordingConfig,
    at: At,
}

#[derive(Debug)]
enum At {
    Folder(tempfile::TempDir),
    Bucket { url: String, prefix: String, key: AwsCredential },
}

/// The server of `tests/s3`: its bucket, its address and the file with the access key.
#[expect(clippy::disallowed_methods, reason = "of tests alone: whether there is a server")]
pub(crate) fn server() -> Option<[String; 3]> {
    let [bucket, endpoint, file] =
        ["URL", "ENDPOINT", "CREDENTIALS_FILE"].map(|it| std::env::var(format!("TEST_S3_{it}")));
    Some([bucket.ok()?, endpoint.ok()?, file.ok()?])
}

pub(crate) fn config(url: &str, endpoint: &str, file: &str) -> RecordingConfig {
    let variables = [("STORAGE_URL", url), ("S3_ENDPOINT", endpoint), ("S3_CREDENTIALS_FILE", file)];
    let variables = variables.map(|(key, value)| (format!("BATON_RECORDING__{key}"), value.to_owned()));
    Config::load_from(None, variables).unwrap().recording
}

impl TestStorage {
    pub(crate) fn folder() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = config(&format!("file://{}", folder.path().display()), "", "");
        Self { files: Files::of(&config, folder.path()).unwrap(), config, at: At::Folder(folder) }
    }

    /// In the server's bucket; `None` if there is no server.
    pub(crate) fn bucket() -> Option<Self> {
        let [bucket, endpoint, file] = server()?;
        let prefix = format!("test/{}", ids::new_uuid());
        let config = config(&format!("{bucket}/{prefix}"), &endpoint, &file);
        let files = Files::of(&config, std::path::Path::new("/nowhere")).unwrap();
        let url = format!("{endpoint}/{}", bucket.trim_start_matches("s3://"));
        let key = access_key(file.as_ref()).unwrap();
        Some(Self { files, config, at: At::Bucket { url, prefix, key } })
    }

    /// One of each kind that there is.
    pub(crate) fn each() -> Vec<Self> {
        [Some(Self::folder()), Self::bucket()].into_iter().flatten().collect()
    }

    pub(crate) async fn content(&self, location: &Path) -> Vec<u8> {
        self.files.store().get(location).await.unwrap().bytes().await.unwrap().to_vec()
    }

    pub(crate) async fn write(&self, location: &Path, content: Vec<u8>) {
        self.files.store().put(location, content.into()).await.unwrap();
    }

    /// Everything that is there: files, and what is left of uploads.
    pub(crate) async fn names(&self) -> Vec<String> {
        let (url, prefix, key) = match &self.at {
            At::Folder(folder) => return below(folder.path(), folder.path()),
            At::Bucket { url, prefix, key } => (url, prefix, key),
        };
        let files: Vec<_> = self.files.store().list(None).try_collect().await.unwrap();
        let mut names: Vec<_> = files.into_iter().map(|it| it.location.to_string()).collect();
        let uploads = uploads(url, key).await;
        let keys = uploads.split("<Key>").skip(1).filter_map(|it| it.split("</Key>").next());
        names.extend(
            keys.filter(|it| it.trim_start_matches('/').starts_with(prefix)).map(|it| format!("upload of {it}")),
        );
        names
    }
}

fn below(root: &std::path::Path, folder: &std::path::Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            names.extend(below(root, &entry.path()));
        } else {
            names.push(entry.path().strip_prefix(root).unwrap().display().to_string());
        }
    }
    names
}

/// What the server says of the uploads that are neither finished nor aborted.
async fn uploads(bucket: &str, key: &AwsCredential) -> String {
    let options = ClientOptions::new().with_allow_http(true);
    let client = ReqwestConnector::default().connect(&options).unwrap();
    let mut request = HttpRequest::new(HttpRequestBody::empty());
    *request.uri_mut() = format!("{bucket}?max-uploads=1000&uploads=").parse().unwrap();
    AwsAuthorizer::new(key, "s3", "us-east-1").try_authorize(&mut request, None).unwrap();
    let answer = client.execute(request).await.unwrap();
    assert_eq!(answer.status(), 200);
    String::from_utf8(answer.into_body().bytes().await.unwrap().to_vec()).unwrap()
}

/// A WAV file with so many bytes of audio.
pub(crate) fn wav(data: usize) -> Vec<u8> {
    let mut file = baton_audio::wav::header(baton_audio::wav::Format::PHONE, data as u64).unwrap().to_vec();
    file.resize(44 + data, 1);
    file
}

/// As it comes from a sender.
pub(crate) fn chunks(file: &[u8], size: usize) -> Vec<Result<Bytes, tonic::Status>> {
    file.chunks(size).map(|it| Ok(Bytes::copy_from_slice(it))).collect()
}
