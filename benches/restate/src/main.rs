//! A warm transfer as a user of Restate writes it, and the load on it: the peer in the table of docs/performance.md. `benches/transfers` starts
//! the server, has it know the endpoint, and runs both roles of this program.

mod endpoint;
mod ingress;
mod load;
mod phones;
mod transfer;

use clap::{Parser, Subcommand};
use std::net::SocketAddr;

/// Warm transfers on Restate.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    role: Role,
}

#[derive(Subcommand)]
enum Role {
    /// Serve the steps of the transfers to Restate.
    Serve {
        #[arg(long, default_value = "127.0.0.1:9080")]
        listen: SocketAddr,
        /// Where it reports which phones ring.
        #[arg(long, default_value = "127.0.0.1:9081")]
        phones: SocketAddr,
    },
    /// Start transfers, send them their signals, and say how long they took.
    Load(load::Load),
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    match Arguments::parse().role {
        Role::Serve { listen, phones: address } => {
            let phones = phones::Phones::new();
            tokio::try_join!(endpoint::serve(listen, phones.clone()), phones.serve(address)).map(drop)
        }
        Role::Load(load) => load.run().await,
    }
}
