//! The calling side of gRPC: one channel type for all clients, and retries.
//!
//! ```ignore
//! let channel = GrpcChannel::internal("http://127.0.0.1:7401", ServiceIdentity::new(key, "transfer"), clock)?;
//! let mut presence = ClaimServiceClient::new(channel); // ClaimServiceClient<InternalChannel>
//! ```

mod backoff;
mod channel;
mod identity;
mod peers;

pub use backoff::{Backoff, InvalidBackoff};
pub use channel::{ChannelError, GrpcChannel, InternalChannel, PublicChannel};
pub use identity::ServiceIdentity;
pub use peers::{Peers, UnknownPeer};
