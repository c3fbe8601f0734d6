//! An address for something that tests start, kill and start again: nobody else gets it while it is down.
//!
//! A socket that is bound and doesn't listen holds it. Linux lets another socket listen on the same address, if both allow that it is used again
//! (`SO_REUSEADDR`, which servers set), and gives its port to no socket that asks for any port (`bind` with port 0, `connect`).

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Context as _;
use tokio::net::TcpSocket;

/// Addresses that are free again when this is dropped.
#[derive(Debug, Default)]
pub(crate) struct HeldAddresses {
    sockets: Vec<TcpSocket>,
}

impl HeldAddresses {
    /// One more; of this machine alone.
    pub(crate) fn another(&mut self) -> anyhow::Result<SocketAddr> {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).context("holding a free address")?;
        let address = socket.local_addr()?;
        self.sockets.push(socket);
        Ok(address)
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn one_server_after_another_listens_on_it() {
        let mut held = HeldAddresses::default();
        let address = held.another().unwrap();
        for _ in 0..2 {
            let listener = TcpListener::bind(address).unwrap();
            let second = TcpListener::bind(address).unwrap_err();
            assert_eq!(second.kind(), ErrorKind::AddrInUse);
            drop(listener);
        }
    }
}
