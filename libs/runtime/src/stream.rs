//! Streams that the contract gives no end.
//!
//! The server's edge ends every stream when the server stops or the caller's token has expired, and says so (`UNAVAILABLE`,
//! `UNAUTHENTICATED`). So a handler neither watches the shutdown nor the token; it stops when nobody reads any more. What is left
//! for it is a source that ends by itself: [`endless`].
//!
//! HTTP/2 pings keep an idle connection open and find a dead one, but a balancer in between may count messages: a stream that
//! is to survive it says *nothing has happened up to here* from time to time. Such a checkpoint is a message of the stream's own
//! contract, sent on a [`Clock::interval`](crate::Clock::interval) merged into the source, and carries what the client resumes with.

use baton_api::ApiError;
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt as _};
use tonic::Status;

/// If the source ends (its task or its log is gone), the stream says UNAVAILABLE instead of OK.
pub fn endless<T: Send + 'static>(
    source: impl Stream<Item = Result<T, Status>> + Send + 'static,
) -> BoxStream<'static, Result<T, Status>> {
    let over = || async { Err(ApiError::unavailable("The source of this stream has ended; connect again.").into()) };
    source.chain(stream::once(over())).boxed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_source_that_ends_is_unavailable_with_a_time_to_wait() {
        let all: Vec<Result<u8, Status>> = endless(stream::iter([Ok(1)])).collect().await;
        assert_eq!(all.len(), 2);
        let error = ApiError::from_status(all[1].as_ref().unwrap_err()).expect("it is typed");
        assert!(error.is_retryable() && error.retry_after.is_some(), "{error:?}");
    }
}
