//! A bucket of an object store that speaks S3, and the access key for it.

use std::path::{Path as FsPath, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use baton_runtime::config::{RecordingConfig, S3Endpoint};
use baton_runtime::secret_file::{self, SecretFileError};
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey, AwsCredential};
use object_store::{BackoffConfig, ClientOptions, RetryConfig, StaticCredentialProvider};

use super::files::FilesError;

/// An object store that has no regions takes any; this one is usual.
const NO_REGION: &str = "us-east-1";
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// Without an answer, or more of it, for this long, a request has failed. There is no limit for all of it: a player reads for hours.
const READ_LIMIT: Duration = Duration::from_secs(30);
/// Whoever sends audio sends it again, so this has to outlast a hiccup only.
const RETRIES: usize = 3;
const RETRY_LIMIT: Duration = Duration::from_secs(20);
/// What AWS gives a process to show for itself (`AmazonS3Builder`): other variables are not settings of Baton.
const AWS_VARIABLES: [&str; 10] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_ENDPOINT_URL_STS",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
];

/// Why there is no access key. None of them repeats what is in the file.
#[derive(Debug, thiserror::Error)]
pub enum AccessKeyError {
    #[error("recording.s3_credentials_file {0}")]
    File(#[from] SecretFileError),
    #[error("recording.s3_credentials_file {}: line {line} is neither [NAME] nor KEY = VALUE", file.display())]
    Malformed { file: PathBuf, line: usize },
    #[error("recording.s3_credentials_file {}: {key} is missing; write {key} = … under [default]", file.display())]
    Missing { file: PathBuf, key: &'static str },
}

/// Makes the client. Nothing is asked of the object store: it may be away.
pub(super) fn open(config: &RecordingConfig, bucket: &str) -> Result<AmazonS3, FilesError> {
    // The client takes the provider of the process; another one that is there is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let plain_text = config.s3_endpoint.as_ref().is_some_and(S3Endpoint::is_plain_text);
    let client = ClientOptions::new()
        .with_allow_http(plain_text)
        .with_connect_timeout(CONNECT_LIMIT)
        .with_read_timeout(READ_LIMIT)
        .with_timeout_disabled();
    let retry = RetryConfig { max_retries: RETRIES, retry_timeout: RETRY_LIMIT, backoff: BackoffConfig::default() };
    // A certificate of AWS is not for names with more dots.
    let is_host = config.s3_endpoint.is_none() && !bucket.contains('.');
    let builder = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_region(config.s3_region.as_deref().unwrap_or(NO_REGION))
        .with_virtual_hosted_style_request(is_host)
        // One object is deleted at a time, by the request that every server knows.
        .with_disable_bulk_delete(true)
        .with_client_options(client)
        .with_retry(retry);
    let builder = match &config.s3_endpoint {
        Some(endpoint) => builder.with_endpoint(endpoint.as_str()),
        None => builder,
    };
    let builder = match &config.s3_credentials_file {
        Some(file) => builder.with_credentials(Arc::new(StaticCredentialProvider::new(access_key(file)?))),
        None => of_process(builder),
    };
    builder.build().map_err(FilesError::Client)
}

/// What AWS has given the process.
#[expect(clippy::disallowed_methods, reason = "AWS sets them for its own libraries: they are no settings of Baton")]
fn of_process(builder: AmazonS3Builder) -> AmazonS3Builder {
    AWS_VARIABLES.iter().fold(builder, |builder, name| {
        match (name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>(), std::env::var(name)) {
            (Ok(key), Ok(value)) => builder.with_config(key, value),
            _ => builder,
        }
    })
}

/// The access key in a file as AWS's tools write it: of its section `default`, or of what comes before any section.
pub(super) fn access_key(file: &FsPath) -> Result<AwsCredential, AccessKeyError> {
    let text = secret_file::read(file)?;
    let (mut is_default, mut id, mut secret, mut token) = (true, None, None, None);
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(section) = line.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
            is_default = section.trim() == "default";
            continue;
        }
        let malformed = || AccessKeyError::Malformed { file: file.to_owned(), line: at + 1 };
        let (key, value) = line.split_once('=').ok_or_else(malformed)?;
        let value = Some(value.trim().to_owned()).filter(|it| !it.is_empty());
        match key.trim() {
            "aws_access_key_id" if is_default => id = value,
            "aws_secret_access_key" if is_default => secret = value,
            "aws_session_token" if is_default => token = value,
            _ => {}
        }
    }
    let missing = |key| AccessKeyError::Missing { file: file.to_owned(), key };
    Ok(AwsCredential {
        key_id: id.ok_or_else(|| missing("aws_access_key_id"))?,
        secret_key: secret.ok_or_else(|| missing("aws_secret_access_key"))?,
        token,
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn written(text: &str, mode: u32) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("s3");
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        (folder, file)
    }

    #[test]
    fn the_key_of_the_default_section_counts() {
        let text = "# of the archive\n[other]\naws_access_key_id = x\n\n[default]\naws_access_key_id = baton\n\
                    aws_secret_access_key=se=cret\nregion = anywhere\n";
        let (_folder, file) = written(text, 0o600);
        let key = access_key(&file).unwrap();
        assert_eq!((key.key_id.as_str(), key.secret_key.as_str(), key.token), ("baton", "se=cret", None));
        let (_folder, file) = written("aws_access_key_id=a\naws_secret_access_key=b\naws_session_token=c\n", 0o400);
        assert_eq!(access_key(&file).unwrap().token.as_deref(), Some("c"));
    }

    #[test]
    fn a_file_that_will_not_do_is_said_without_what_is_in_it() {
        let whole = "aws_access_key_id = baton\naws_secret_access_key = secret\n";
        for (text, mode, why) in [
            (whole, 0o640, "can be read by others: run chmod 600"),
            ("aws_secret_access_key = secret\n", 0o600, "aws_access_key_id is missing; write"),
            ("aws_access_key_id = baton\naws_secret_access_key =\n", 0o600, "aws_secret_access_key is missing; write"),
            (
                "[work]\naws_access_key_id = baton\naws_secret_access_key = secret",
                0o600,
                "aws_access_key_id is missing",
            ),
            ("baton\nsecret\n", 0o600, "line 1 is neither [NAME] nor KEY = VALUE"),
        ] {
            let (_folder, file) = written(text, mode);
            let error = access_key(&file).unwrap_err();
            let said = format!("{error} {error:?}");
            assert!(said.starts_with("recording.s3_credentials_file ") && said.contains(why), "{said}");
            assert!(!said.replace("aws_secret", "").contains("secret"), "{said}");
        }
        let error = access_key(FsPath::new("/nowhere/s3")).unwrap_err().to_string();
        assert_eq!(
            error,
            "recording.s3_credentials_file /nowhere/s3 can't be read: No such file or directory (os error 2)"
        );
    }

    #[test]
    fn what_aws_gives_a_process_is_known_to_the_client() {
        for name in AWS_VARIABLES {
            assert!(name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>().is_ok(), "{name}");
        }
    }
}
