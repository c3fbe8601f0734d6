//! The program: opens the data folder and the listener, runs the switch, and ends it in order.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use baton_api::simulator::v1::simulator_service_server::SimulatorServiceServer;
use baton_api::simulator::v1::switch_service_server::SwitchServiceServer;
use baton_runtime::auth::Verifier;
use baton_runtime::server::{BoundServer, ServeError, ServerBuilder};
use baton_runtime::{Clock, ids, lifecycle};
use thiserror::Error;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::driver::{Driver, Stopped, SwitchHandle};
use crate::engine::{Engine, EngineStart, SwitchLimits};
use crate::service::{SimulatorApi, SwitchApi};
use crate::storage::{FolderWriter, StorageError, SwitchFolder};

#[derive(Debug, Clone)]
pub struct SwitchSettings {
    /// Port 0: any free one.
    pub listen: SocketAddr,
    /// For recordings, what the phones heard, and the ledger.
    pub data_dir: PathBuf,
    /// `false`: nothing is mixed and recordings are empty, to measure everything else.
    pub sound: bool,
    pub limits: SwitchLimits,
}

impl SwitchSettings {
    /// With sound and the usual limits.
    pub fn new(listen: SocketAddr, data_dir: PathBuf) -> Self {
        Self { listen, data_dir, sound: true, limits: SwitchLimits::default() }
    }
}

/// The switch can't be started, or broke.
#[derive(Debug, Error)]
pub enum SwitchFailure {
    #[error("the switch's data folder cannot be used")]
    Storage(#[from] StorageError),
    #[error("the switch's listener")]
    Listener(#[from] ServeError),
    /// The storage thread ended before the switch did.
    #[error("the switch's writer ended")]
    Writer,
    /// A task panicked.
    #[error("a task of the switch ended")]
    Task(#[source] io::Error),
}

/// A switch whose listener is open; connections wait until [`Switch::serve`].
pub struct Switch {
    server: BoundServer,
    driver: Driver,
    handle: SwitchHandle,
    writer: JoinHandle<()>,
}

impl Switch {
    /// Opens the data folder (and repairs what a killed switch has left) and the listener. Needs a tokio runtime.
    pub fn open(settings: SwitchSettings, clock: Clock, verifier: Verifier) -> Result<Self, SwitchFailure> {
        let SwitchSettings { listen, data_dir, sound, limits } = settings;
        let (folder, left) = SwitchFolder::open(&data_dir)?;
        let tracks = folder.tracks().clone();
        let earlier = left.ledger.clone();
        let boot_id: Arc<str> = ids::new_uuid().to_string().into();
        let engine = Engine::new(EngineStart { boot_id, now_us: clock.now_us(), limits, sound, left });
        let (jobs, written, writer) = FolderWriter::start(folder);
        let (driver, handle) = Driver::new(engine, clock.clone(), earlier, jobs, written);
        let server = ServerBuilder::new(clock, verifier)
            .add_service(SwitchServiceServer::new(SwitchApi::new(handle.clone(), tracks.clone())))
            .add_service(SimulatorServiceServer::new(SimulatorApi::new(handle.clone(), tracks)))
            .bind(listen)?;
        Ok(Self { server, driver, handle, writer })
    }

    /// With the real port if port 0 was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.server.local_addr()
    }

    /// For use from inside the process.
    pub fn handle(&self) -> SwitchHandle {
        self.handle.clone()
    }

    /// Runs the switch until `shutdown`: then all calls end, the controller still receives those events, all recordings are completed,
    /// and only then the listener closes.
    pub async fn serve(self, shutdown: CancellationToken) -> Result<(), SwitchFailure> {
        let Self { server, driver, handle, writer } = self;
        drop(handle);
        let address = server.local_addr();
        let close = CancellationToken::new();
        let mut serving = lifecycle::spawn(server.serve(close.clone()));
        let stop = shutdown.child_token();
        let mut running = lifecycle::spawn(driver.run(stop.clone()));
        tracing::info!(%address, "the simulated switch serves");
        let ran = tokio::select! {
            ran = &mut running => ran,
            served = &mut serving => {
                stop.cancel();
                let _ = running.await;
                return Ok(served.map_err(broken)??);
            }
        };
        close.cancel();
        serving.await.map_err(broken)??;
        writer.await.map_err(broken)?;
        ran.map_err(broken)?.map_err(|Stopped| SwitchFailure::Writer)
    }
}

fn broken(error: tokio::task::JoinError) -> SwitchFailure {
    SwitchFailure::Task(error.into())
}

/// Opens a switch and runs it until `shutdown`.
pub async fn serve(
    settings: SwitchSettings,
    clock: Clock,
    verifier: Verifier,
    shutdown: CancellationToken,
) -> Result<(), SwitchFailure> {
    Switch::open(settings, clock, verifier)?.serve(shutdown).await
}
