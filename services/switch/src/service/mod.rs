//! The switch's two gRPC services: one for the telephony service, one for whoever plays the people at the phones.

mod convert;
mod events;
mod files;
mod ledger;
mod simulator_service;
mod status;
mod switch_service;

pub use simulator_service::SimulatorApi;
pub use switch_service::SwitchApi;
