//! The gateway: where clients connect. It passes calls on to the services, undecoded, and reads events to those who ask.
//!
//! What is here is the whole table of which service answers for which part of the contract; a proxy of the site can do the same by it.

use anyhow::Context as _;
use baton_api::presence::v1::{
    directory_service_server::DirectoryServiceServer, presence_service_server::PresenceServiceServer,
};
use baton_api::recording::v1::{
    recording_service_server::RecordingServiceServer, voicemail_service_server::VoicemailServiceServer,
};
use baton_api::routing::v1::routing_service_server::RoutingServiceServer;
use baton_api::simulator::v1::simulator_service_server::SimulatorServiceServer;
use baton_api::tenant::v1::tenant_service_server::TenantServiceServer;
use baton_api::transfer::v1::{
    chat_service_server::ChatServiceServer, interaction_service_server::InteractionServiceServer,
    policy_service_server::PolicyServiceServer, transfer_service_server::TransferServiceServer,
};
use baton_bus::EventApi;
use baton_runtime::ServiceName;
use baton_runtime::client::{GrpcChannel, UnknownPeer};
use baton_runtime::server::{Forwarded, ServerBuilder};

use crate::services::ProcessContext;

/// Adds the services that clients call.
pub(super) fn mount(context: &ProcessContext, builder: ServerBuilder) -> anyhow::Result<ServerBuilder> {
    let to = |service| {
        let address = context.config.peers.address(service).ok_or(UnknownPeer(service))?;
        channel(context, address).with_context(|| format!("peers.{service}"))
    };
    let (presence, recording) = (to(ServiceName::Presence)?, to(ServiceName::Recording)?);
    let (routing, transfer) = (to(ServiceName::Routing)?, to(ServiceName::Transfer)?);
    let builder = builder
        .add_service(Forwarded::<DirectoryServiceServer<()>>::new(&presence))
        .add_service(Forwarded::<PresenceServiceServer<()>>::new(&presence))
        .add_service(Forwarded::<RecordingServiceServer<()>>::new(&recording))
        .add_service(Forwarded::<VoicemailServiceServer<()>>::new(&recording))
        .add_service(Forwarded::<RoutingServiceServer<()>>::new(&routing))
        .add_service(Forwarded::<ChatServiceServer<()>>::new(&transfer))
        .add_service(Forwarded::<InteractionServiceServer<()>>::new(&transfer))
        .add_service(Forwarded::<PolicyServiceServer<()>>::new(&transfer))
        .add_service(Forwarded::<TenantServiceServer<()>>::new(&transfer))
        .add_service(Forwarded::<TransferServiceServer<()>>::new(&transfer))
        .add_service(EventApi::new(context.bus.clone()).into_server());
    if context.switch.is_empty() {
        return Ok(builder);
    }
    let switch = channel(context, &context.switch).context("telephony.switch_address")?;
    Ok(builder.add_service(Forwarded::<SimulatorServiceServer<()>>::new(&switch)))
}

/// Without a token: each call has its caller's.
fn channel(context: &ProcessContext, address: &str) -> anyhow::Result<GrpcChannel> {
    let tls = context.config.tls.internal_client();
    Ok(GrpcChannel::anonymous_over(&tls, address, context.clock.clone())?)
}
