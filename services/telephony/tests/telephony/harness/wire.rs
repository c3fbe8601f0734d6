//! A wire between telephony and the switch that can be cut.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use baton_runtime::lifecycle;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// The wire. All clones are the same.
#[derive(Clone)]
pub(crate) struct Wire {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<WireState>>,
}

struct WireState {
    to: SocketAddr,
    /// Ends the connections of the moment.
    cut: CancellationToken,
    whole: bool,
}

impl Wire {
    pub(crate) async fn to(to: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let state = WireState { to, cut: CancellationToken::new(), whole: true };
        let this = Self { address: listener.local_addr().unwrap(), state: Arc::new(Mutex::new(state)) };
        lifecycle::spawn(this.clone().accept(listener));
        this
    }

    /// Ends all connections, and takes none.
    pub(crate) fn cut(&self) {
        let mut state = self.state.lock().unwrap();
        state.whole = false;
        state.cut.cancel();
    }

    /// Takes connections again, perhaps to another switch.
    pub(crate) fn mend(&self, to: SocketAddr) {
        *self.state.lock().unwrap() = WireState { to, cut: CancellationToken::new(), whole: true };
    }

    async fn accept(self, listener: TcpListener) {
        while let Ok((mut near, _)) = listener.accept().await {
            let (to, cut, whole) = {
                let state = self.state.lock().unwrap();
                (state.to, state.cut.clone(), state.whole)
            };
            if !whole {
                continue;
            }
            lifecycle::spawn(async move {
                let Ok(mut far) = TcpStream::connect(to).await else { return };
                let _ = near.set_nodelay(true);
                let _ = far.set_nodelay(true);
                cut.run_until_cancelled(tokio::io::copy_bidirectional(&mut near, &mut far)).await;
            });
        }
    }
}
