//! Where audio is kept: the keys `recording.storage_url` and `recording.s3_*`.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Deserializer};

/// A folder of this machine, or a bucket of an object store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StorageUrl {
    /// An absolute path.
    Folder(PathBuf),
    Bucket {
        bucket: String,
        /// What the names of objects begin with: parts between slashes. Empty: nothing.
        prefix: String,
    },
}

impl StorageUrl {
    /// The folder, if it is one.
    pub fn folder(&self) -> Option<&PathBuf> {
        match self {
            Self::Folder(folder) => Some(folder),
            Self::Bucket { .. } => None,
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("file://") {
            return if path.starts_with('/') {
                Ok(Self::Folder(PathBuf::from(path)))
            } else {
                Err(format!("{text:?} has no absolute path: write file:///PATH"))
            };
        }
        if let Some(rest) = text.strip_prefix("s3://") {
            let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
            return Self::bucket(bucket, prefix.trim_end_matches('/'));
        }
        // What stands there may be anything, also a URL with a password.
        let scheme = text.split_once("://").map_or("", |it| it.0);
        Err(format!("{scheme:?} is no kind of storage: write file:///PATH or s3://BUCKET/PREFIX"))
    }

    fn bucket(bucket: &str, prefix: &str) -> Result<Self, String> {
        let is_name = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || matches!(it, b'-' | b'.');
        if bucket.is_empty() {
            return Err("the bucket is missing: write s3://BUCKET/PREFIX".to_owned());
        }
        if !(3..=63).contains(&bucket.len()) || !bucket.bytes().all(is_name) {
            return Err("a bucket's name is 3 to 63 of a-z, 0-9, \".\" and \"-\": write s3://BUCKET/PREFIX".to_owned());
        }
        let is_part = |part: &str| {
            !matches!(part, "" | "." | "..")
                && part.bytes().all(|it| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'.' | b'_' | b'='))
        };
        if !prefix.is_empty() && !prefix.split('/').all(is_part) {
            return Err("a prefix has letters, digits, \"-\", \".\", \"_\" and \"=\" between single slashes".to_owned());
        }
        Ok(Self::Bucket { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }
}

impl fmt::Display for StorageUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => write!(f, "file://{}", folder.display()),
            Self::Bucket { bucket, prefix } if prefix.is_empty() => write!(f, "s3://{bucket}"),
            Self::Bucket { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
        }
    }
}

/// Where an object store answers that is not AWS: `https://HOST:PORT`, or `http://` in plain text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3Endpoint(String);

impl S3Endpoint {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn is_plain_text(&self) -> bool {
        self.0.starts_with("http://")
    }

    fn parse(text: &str) -> Result<Self, String> {
        let written = text.trim_end_matches('/');
        let Some(host) = written.strip_prefix("https://").or_else(|| written.strip_prefix("http://")) else {
            return Err("must be https://HOST:PORT, or http://HOST:PORT in plain text".to_owned());
        };
        // A bucket in the path would be asked for inside a bucket of that name; keys belong into their file.
        let is_host = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'.' | b':' | b'[' | b']' | b'_');
        if host.is_empty() || !host.bytes().all(is_host) {
            return Err(
                "must be a host with its port alone: the bucket stands in recording.storage_url, and the keys in \
                 recording.s3_credentials_file"
                    .to_owned(),
            );
        }
        Ok(Self(written.to_owned()))
    }
}

/// Empty text means "not set".
pub(super) fn storage_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<StorageUrl>, D::Error> {
    optional(deserializer, StorageUrl::parse)
}

/// Empty text means "not set".
pub(super) fn endpoint<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<S3Endpoint>, D::Error> {
    optional(deserializer, S3Endpoint::parse)
}

/// It is part of signatures and host names. Empty text means "not set".
pub(super) fn region<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    optional(deserializer, |text| {
        let is_plain = text.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-');
        if is_plain { Ok(text.to_owned()) } else { Err("must be letters, digits and \"-\"".to_owned()) }
    })
}

fn optional<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<T>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() { Ok(None) } else { parse(&text).map(Some).map_err(serde::de::Error::custom) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn refusal(variables: &[(&str, &str)]) -> String {
        let variables = variables.iter().map(|(key, value)| (format!("BATON_RECORDING__{key}"), (*value).to_owned()));
        Config::load_from(None, variables).unwrap_err().to_string()
    }

    #[test]
    fn a_storage_is_a_folder_or_a_bucket() {
        let bucket = |bucket: &str, prefix: &str| StorageUrl::Bucket { bucket: bucket.into(), prefix: prefix.into() };
        for (text, url) in [
            ("file:///var/lib/baton audio", StorageUrl::Folder("/var/lib/baton audio".into())),
            ("s3://audio", bucket("audio", "")),
            ("s3://audio/", bucket("audio", "")),
            ("s3://audio.example/site-1/calls/", bucket("audio.example", "site-1/calls")),
        ] {
            assert_eq!(StorageUrl::parse(text).as_ref(), Ok(&url), "{text}");
            assert_eq!(StorageUrl::parse(&url.to_string()), Ok(url));
        }
    }

    #[test]
    fn what_is_wrong_with_it_is_said_with_the_key() {
        for (key, value, why) in [
            ("STORAGE_URL", "gs://audio", "\"gs\" is no kind of storage: write file:///PATH or s3://BUCKET/PREFIX"),
            ("STORAGE_URL", "/var/audio", "\"\" is no kind of storage"),
            ("STORAGE_URL", "file://audio", "has no absolute path: write file:///PATH"),
            ("STORAGE_URL", "s3://", "the bucket is missing"),
            ("STORAGE_URL", "s3:///audio", "the bucket is missing"),
            ("STORAGE_URL", "s3://key:secret@audio", "a bucket's name is 3 to 63 of"),
            ("STORAGE_URL", "s3://audio/../other", "a prefix has letters"),
            ("STORAGE_URL", "s3://audio?x=1", "a bucket's name is"),
            ("S3_ENDPOINT", "minio:9000", "must be https://HOST:PORT, or http://HOST:PORT in plain text"),
            ("S3_ENDPOINT", "https://key:secret@minio", "must be a host with its port alone"),
            ("S3_ENDPOINT", "https://minio/audio", "must be a host with its port alone"),
            ("S3_REGION", "eu west", "must be letters"),
        ] {
            let said = refusal(&[(key, value)]);
            let place = format!("environment variable BATON_RECORDING__{key}: recording.{}: ", key.to_lowercase());
            assert!(said.starts_with(&place) && said.contains(why), "{value}: {said}");
            assert!(!said.contains("secret"), "{said}");
        }
    }

    #[test]
    fn keys_without_their_others_are_refused() {
        assert_eq!(
            refusal(&[("STORAGE_URL", "s3://audio")]),
            "recording.s3_region: AWS needs the region of the bucket, for example eu-central-1; another object store needs \
             recording.s3_endpoint"
        );
        let said = refusal(&[("S3_ENDPOINT", "https://minio"), ("STORAGE_URL", "file:///audio")]);
        assert!(said.starts_with("recording.s3_endpoint: recording.storage_url is not s3://BUCKET"), "{said}");
        let of_aws = [("BATON_RECORDING__STORAGE_URL", "s3://audio"), ("BATON_RECORDING__S3_REGION", "eu-central-1")];
        let of_aws = of_aws.map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert!(Config::load_from(None, of_aws).is_ok());
    }
}
