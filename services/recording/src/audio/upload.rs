//! One file on its way into the storage.
//!
//! What fits into one part is written by one request. A longer file is an upload of several parts, which is finished or aborted: also if
//! nobody waits for it any more, as when the sender's connection is gone. What a crash leaves of it is in nobody's way: in a folder it goes
//! with [`Files::tidy`], in a bucket with the rule for incomplete uploads.

use baton_runtime::lifecycle;
use bytes::Bytes;
use object_store::path::Path;
use object_store::{ObjectStoreExt as _, PutPayload, PutPayloadMut, Result, WriteMultipart};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::files::Files;

/// Object stores want parts of at least 5 MiB, but for the last.
pub(crate) const PART_BYTES: usize = 5 * 1_024 * 1_024;
/// How many parts may be on their way to the storage while the next one comes in.
const PARTS_IN_FLIGHT: usize = 2;

#[derive(Debug)]
pub(crate) struct Upload {
    files: Files,
    location: Path,
    /// What has come, while there are no parts.
    small: PutPayloadMut,
    parts: Option<WriteMultipart>,
}

impl Upload {
    pub(super) fn new(files: Files, location: Path) -> Self {
        Self { files, location, small: PutPayloadMut::new(), parts: None }
    }

    /// Adds bytes; waits while too many are on their way.
    pub(crate) async fn put(&mut self, bytes: Bytes) -> Result<()> {
        if self.parts.is_none() && self.small.content_length() + bytes.len() <= PART_BYTES {
            self.small.push(bytes);
            return Ok(());
        }
        let parts = self.split().await?;
        parts.wait_for_capacity(PARTS_IN_FLIGHT).await?;
        parts.put(bytes);
        Ok(())
    }

    /// The upload of several parts, which is begun if it was not, with what has come.
    async fn split(&mut self) -> Result<&mut WriteMultipart> {
        let parts = if let Some(parts) = self.parts.take() {
            parts
        } else {
            let upload = self.files.store().put_multipart(&self.location).await?;
            let mut parts = WriteMultipart::new_with_chunk_size(upload, PART_BYTES);
            let small: PutPayload = std::mem::take(&mut self.small).into();
            small.into_iter().for_each(|it| parts.put(it));
            parts
        };
        Ok(self.parts.insert(parts))
    }

    /// The file is there when this returns. It may also appear if nobody waits for that any more; after an error there is none.
    pub(crate) async fn finish(mut self) -> Result<()> {
        match self.parts.take() {
            None => {
                let small = std::mem::take(&mut self.small);
                self.files.store().put(&self.location, small.into()).await.map(drop)
            }
            Some(parts) => lifecycle::spawn(async move { parts.finish().await.map(drop) }).await?,
        }
    }

    /// Nothing of it is left when this returns, if the storage is there.
    pub(crate) async fn abort(mut self) {
        if let Some(aborting) = self.abort_parts() {
            // It logs what went wrong; it is a task so that it goes on when nobody waits.
            let _ = aborting.await;
        }
    }

    fn abort_parts(&mut self) -> Option<JoinHandle<()>> {
        let (parts, location) = (self.parts.take()?, self.location.clone());
        Some(lifecycle::spawn(async move {
            if let Err(error) = parts.abort().await {
                tracing::warn!(error = %error, %location, "parts of an upload that broke off could not be removed");
            }
        }))
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        // Without a runtime the process is ending.
        if Handle::try_current().is_ok() {
            self.abort_parts();
        }
    }
}
