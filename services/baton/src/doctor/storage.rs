//! The storage of audio.

use std::time::Duration;

use baton_runtime::config::{Config, StorageUrl};
use baton_runtime::{Clock, ServiceName};

use super::finding::Finding;
use crate::failure::chain;

const ABOUT: &str = "storage";
/// A server that is away is asked some times.
const PATIENCE: Duration = Duration::from_secs(20);

/// Writes a small file there, reads and deletes it. Where no storage is named there is nothing to look at.
pub(super) async fn look(config: &Config, services: &[ServiceName], clock: &Clock) -> Vec<Finding> {
    let Some(url) = config.recording.storage_url.as_ref().filter(|_| services.contains(&ServiceName::Recording)) else {
        return Vec::new();
    };
    if let StorageUrl::Folder(folder) = url
        && !folder.exists()
    {
        let text = format!("{} is not here: `baton serve recording` makes it where it runs", folder.display());
        return vec![Finding::doubtful(ABOUT, text)];
    }
    let looking = baton_recording::probe(&config.recording, &config.data.dir);
    vec![match clock.timeout(PATIENCE, looking).await {
        Ok(Ok(())) => Finding::well(ABOUT, format!("{url} can be written, read and deleted")),
        Ok(Err(error)) => Finding::wrong(ABOUT, format!("{url}: {}", chain(&error.into()))),
        Err(_) => {
            let text = format!("{url} does not answer within {} s: look at recording.s3_endpoint", PATIENCE.as_secs());
            Finding::wrong(ABOUT, text)
        }
    }]
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn look_at(url: &str, endpoint: &str, service: ServiceName) -> Vec<String> {
        let variables = [("STORAGE_URL", url), ("S3_ENDPOINT", endpoint)];
        let variables = variables.map(|(key, value)| (format!("BATON_RECORDING__{key}"), value.to_owned()));
        let config = Config::load_from(None, variables).unwrap();
        look(&config, &[service], &Clock::real()).await.iter().map(ToString::to_string).collect()
    }

    #[tokio::test]
    async fn a_folder_that_can_be_used_is_one_line_and_stays_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("file://{}", folder.path().display());
        let said = look_at(&url, "", ServiceName::Recording).await;
        assert!(
            said.len() == 1 && said[0].starts_with("ok ") && said[0].contains("written, read and deleted"),
            "{said:?}"
        );
        assert_eq!(look_at(&url, "", ServiceName::Transfer).await, [""; 0]);
        let said = look_at(&format!("{url}/audio"), "", ServiceName::Recording).await;
        assert!(said[0].starts_with("look") && !folder.path().join("audio").exists(), "{said:?}");
    }

    #[tokio::test]
    async fn a_storage_that_will_not_do_is_said_with_what_to_do() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let said = look_at(&format!("file://{}", file.path().display()), "", ServiceName::Recording).await;
        assert!(said[0].starts_with("WRONG") && said[0].contains("make it writable for this user"), "{said:?}");
    }
}
