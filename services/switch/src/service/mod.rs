//! The two gRPC services of the switch: one for the telephony service, one for the client that plays the people at the phones.

mod commands;
mod convert;
mod events;
mod files;
mod ledger;
mod simulator_service;
mod status;
mod switch_service;

pub use simulator_service::SimulatorApi;
pub use switch_service::SwitchApi;
