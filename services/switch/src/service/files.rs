//! Files of sound, in pieces.

use std::io;
use std::path::Path;

use baton_audio::wav::HEADER_BYTES;
use futures::{Stream, StreamExt as _, stream};
use prost::bytes::{Bytes, BytesMut};
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

use crate::storage::wav_header;

/// Well below the limit of a gRPC message.
const PIECE: usize = 64 << 10;

/// A complete file, unchanged.
pub(crate) async fn whole(path: &Path) -> io::Result<impl Stream<Item = io::Result<Bytes>> + Send + use<>> {
    Ok(pieces(File::open(path).await?))
}

/// The first `samples` of a file that may still grow, with a header that says so.
pub(crate) async fn so_far(
    path: &Path,
    samples: i64,
) -> io::Result<impl Stream<Item = io::Result<Bytes>> + Send + use<>> {
    let mut file = File::open(path).await?;
    file.seek(io::SeekFrom::Start(HEADER_BYTES as u64)).await?;
    let header = Bytes::copy_from_slice(&wav_header(samples));
    let sound = file.take(samples as u64 * 2);
    Ok(stream::iter([Ok(header)]).chain(pieces(sound)))
}

fn pieces(reader: impl tokio::io::AsyncRead + Unpin + Send) -> impl Stream<Item = io::Result<Bytes>> + Send {
    stream::try_unfold(reader, |mut reader| async move {
        let mut piece = BytesMut::with_capacity(PIECE);
        while piece.len() < PIECE && reader.read_buf(&mut piece).await? > 0 {}
        Ok((!piece.is_empty()).then(|| (piece.freeze(), reader)))
    })
}
