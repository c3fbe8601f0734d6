//! The contract as data: every method, called with bytes.

use anyhow::Context as _;
use baton_api::ApiError;
use baton_api::error::ErrorReason;
use baton_runtime::auth::{Role, access};
use baton_runtime::client::GrpcChannel;
use prost_reflect::prost::bytes::{Buf as _, BufMut as _, Bytes};
use prost_reflect::{DescriptorPool, MessageDescriptor};
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::{Code, Request, Status};

/// A method.
#[derive(Debug, Clone)]
pub(super) struct Method {
    /// `/package.Service/Method`.
    pub(super) path: String,
    pub(super) input: MessageDescriptor,
    pub(super) is_server_streaming: bool,
    pub(super) roles: &'static [Role],
}

impl Method {
    /// Only Baton's own services may call it.
    pub(super) fn is_internal(&self) -> bool {
        self.roles == [Role::Service]
    }

    /// The method's own name.
    pub(super) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }
}

/// All methods of the contract.
pub(super) fn methods() -> anyhow::Result<Vec<Method>> {
    let pool = DescriptorPool::decode(baton_api::FILE_DESCRIPTOR_SET)?;
    let services = pool.services().filter(|it| it.package_name().starts_with("baton."));
    let methods = services.flat_map(|service| service.methods().collect::<Vec<_>>());
    let methods = methods.map(|it| {
        let path = format!("/{}/{}", it.parent_service().full_name(), it.name());
        let roles = access::roles(&path).with_context(|| format!("{path} is not in the access table"))?;
        Ok(Method { path, input: it.input(), is_server_streaming: it.is_server_streaming(), roles })
    });
    methods.collect()
}

/// Calls a method with a message as bytes; its answer's first message, empty for a stream. Every sort of method looks the same on
/// the wire up to there.
pub(super) async fn call(channel: &GrpcChannel, method: &Method, body: Vec<u8>) -> Result<Bytes, Status> {
    let mut client = Grpc::new(channel.clone());
    client.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
    let path = method.path.parse().map_err(|_| Status::internal("the path is none"))?;
    let messages = Request::new(tokio_stream::once(Bytes::from(body)));
    let mut answers = client.streaming(messages, path, Raw).await?.into_inner();
    if method.is_server_streaming {
        return Ok(Bytes::new());
    }
    Ok(answers.message().await?.unwrap_or_default())
}

/// The code of an answer, and its typed reason if it has one.
pub(super) fn refusal_of(answer: &Result<Bytes, Status>) -> (Code, Option<ErrorReason>) {
    match answer {
        Ok(_) => (Code::Ok, None),
        Err(status) => (status.code(), ApiError::from_status(status).map(|error| error.reason)),
    }
}

/// Messages as they are on the wire.
#[derive(Debug, Clone, Copy)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}
