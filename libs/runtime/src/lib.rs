//! What every service's start shares: time, ids, configuration, tokens, the gRPC edge on both sides, telemetry, shutdown.
//!
//! Rules that the rest of Baton relies on, each owned by one module here and enforced elsewhere by `clippy.toml`:
//! the time comes from [`clock`], fresh ids from [`ids`], tasks are started by [`lifecycle`], the environment is read by
//! [`config`].

pub mod auth;
pub mod call;
pub mod client;
pub mod clock;
pub mod config;
mod context;
pub mod disk_space;
pub mod ids;
mod in_process;
pub mod lifecycle;
pub mod process;
pub mod quota;
pub mod secret_file;
pub mod server;
mod service_name;
pub mod stream;
pub mod telemetry;
pub mod tls;
mod trace_parent;

pub use auth::{Caller, CallerExt};
pub use clock::Clock;
pub use in_process::InProcess;
pub use service_name::ServiceName;
