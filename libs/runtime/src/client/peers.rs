//! The other services, as one service calls them.

use std::collections::BTreeMap;

use super::InternalChannel;
use crate::service_name::ServiceName;

/// A channel to each of the other services that a service calls. Cheap to clone; clones share the connections.
#[derive(Clone, Debug, Default)]
pub struct Peers(BTreeMap<ServiceName, InternalChannel>);

/// It is not known where a service is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is not known where the {0} service is: write peers.{0}, for example http://127.0.0.1:7411")]
pub struct UnknownPeer(pub ServiceName);

impl Peers {
    /// All behind one listener, as in one process.
    pub fn at_one(channel: &InternalChannel) -> Self {
        Self(ServiceName::STORING.iter().map(|it| (*it, channel.clone())).collect())
    }

    /// The channel to one of them.
    ///
    /// # Errors
    /// [`UnknownPeer`] if nobody has said where it is.
    pub fn to(&self, callee: ServiceName) -> Result<InternalChannel, UnknownPeer> {
        self.0.get(&callee).cloned().ok_or(UnknownPeer(callee))
    }
}

impl FromIterator<(ServiceName, InternalChannel)> for Peers {
    fn from_iter<I: IntoIterator<Item = (ServiceName, InternalChannel)>>(channels: I) -> Self {
        Self(channels.into_iter().collect())
    }
}
