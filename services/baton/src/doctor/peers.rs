//! The other processes: whether they are found, answer, are ready, and know the key.

use std::time::Duration;

use baton_api::presence::v1::CompareClaimsRequest;
use baton_api::presence::v1::claim_service_client::ClaimServiceClient;
use baton_api::recording::v1::ResolveModeRequest;
use baton_api::recording::v1::archive_service_client::ArchiveServiceClient;
use baton_api::routing::v1::CompareWaitsRequest;
use baton_api::routing::v1::route_service_client::RouteServiceClient;
use baton_api::telephony::v1::ComparePlansRequest;
use baton_api::telephony::v1::telephony_service_client::TelephonyServiceClient;
use baton_api::tenant::v1::LookupTenantRequest;
use baton_api::tenant::v1::admission_service_client::AdmissionServiceClient;
use baton_runtime::auth::SigningKey;
use baton_runtime::client::{GrpcChannel, InternalChannel, ServiceIdentity};
use baton_runtime::config::Config;
use baton_runtime::{Clock, ServiceName};
use tonic::codegen::http::Uri;
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::finding::Finding;

const DEADLINE: Duration = Duration::from_secs(3);
/// As which it asks: a name that no service has.
const DOCTOR: &str = "doctor";

/// Every service that one of these calls, and whose address is known.
pub(super) async fn look(config: &Config, services: &[ServiceName], key: Option<&SigningKey>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let called = ServiceName::STORING.into_iter().filter(|it| services.iter().any(|by| by.calls().contains(it)));
    for callee in called {
        if let Some(address) = config.peers.address(callee) {
            findings.push(of_service(config, (callee, address), key).await);
        }
    }
    let drives_switch = services.iter().any(|it| matches!(it, ServiceName::Telephony | ServiceName::Gateway));
    if drives_switch && !config.telephony.switch_address.is_empty() {
        findings.push(of_switch(&config.telephony.switch_address).await);
    }
    findings
}

/// The simulated switch answers for its health.
async fn of_switch(address: &str) -> Finding {
    let about = "switch";
    let channel = match GrpcChannel::anonymous(address, Clock::real()) {
        Ok(channel) => channel.with_default_deadline(DEADLINE),
        Err(error) => return Finding::wrong(about, format!("telephony.switch_address: {error}")),
    };
    match HealthClient::new(channel).check(HealthCheckRequest::default()).await {
        Ok(_) => Finding::well(about, format!("{address} answers")),
        Err(status) => Finding::wrong(about, format!("{address} {}", unreachable_text(&status, false))),
    }
}

async fn of_service(config: &Config, (service, address): (ServiceName, &str), key: Option<&SigningKey>) -> Finding {
    let about = format!("{service} service");
    match ask(config, (service, address), key).await {
        Ok(text) => Finding::well(about, format!("{address} {text}")),
        Err(text) => Finding::wrong(about, format!("{address} {text}")),
    }
}

/// How it is, or what is wrong and what to do.
async fn ask(
    config: &Config,
    (service, address): (ServiceName, &str),
    key: Option<&SigningKey>,
) -> Result<String, String> {
    let uri: Uri = address.parse().map_err(|_| format!("is no address: write peers.{service} as http://HOST:PORT"))?;
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
    let found = tokio::net::lookup_host((host.as_str(), port)).await;
    let found =
        found.map_err(|error| format!("is not found by its name ({error}): see DNS, or peers.{service}"))?.count();
    if found == 0 {
        return Err(format!("has no address in DNS: see peers.{service}"));
    }
    let tls = config.tls.internal_client();
    let channel = GrpcChannel::anonymous_over(&tls, address, Clock::real());
    let channel = channel.map_err(|error| error.to_string())?.with_default_deadline(DEADLINE);
    let health = HealthClient::new(channel.clone()).check(HealthCheckRequest::default()).await;
    let health = health.map_err(|status| unreachable_text(&status, config.tls.has_internal()))?.into_inner();
    let channel = match key {
        // Where services show certificates, the one that is configured here has to be a caller's.
        _ if config.tls.has_internal() => channel,
        None => return Ok("answers; whether it knows the key was not asked".to_owned()),
        Some(key) => {
            let identity = ServiceIdentity::new(key.clone(), DOCTOR);
            GrpcChannel::internal_over(&tls, address, identity, Clock::real()).map_err(|error| error.to_string())?
        }
    };
    call(service, channel.with_default_deadline(DEADLINE)).await?;
    if health.status() == ServingStatus::Serving {
        Ok("is ready, and knows us".to_owned())
    } else {
        Err("answers and is not ready: it is stopping, or its database does not answer; its log says which".to_owned())
    }
}

fn unreachable_text(status: &Status, has_certificates: bool) -> String {
    let message = status.message();
    let certificates =
        if has_certificates { "; does it admit our certificate, which has to be a caller's" } else { "" };
    format!(
        "does not answer ({message}): is it running, does it listen there, and may this machine connect (NetworkPolicy){certificates}?"
    )
}

/// A question that changes nothing, which only services may ask.
async fn call(service: ServiceName, channel: InternalChannel) -> Result<(), String> {
    let answer = match service {
        ServiceName::Presence => {
            ClaimServiceClient::new(channel).compare_claims(CompareClaimsRequest::default()).await.map(drop)
        }
        ServiceName::Recording => {
            ArchiveServiceClient::new(channel).resolve_mode(ResolveModeRequest::default()).await.map(drop)
        }
        ServiceName::Routing => {
            RouteServiceClient::new(channel).compare_waits(CompareWaitsRequest::default()).await.map(drop)
        }
        ServiceName::Telephony => {
            TelephonyServiceClient::new(channel).compare_plans(ComparePlansRequest::default()).await.map(drop)
        }
        ServiceName::Transfer => {
            let request = LookupTenantRequest { tenant_id: DOCTOR.to_owned() };
            AdmissionServiceClient::new(channel).lookup_tenant(request).await.map(drop)
        }
        ServiceName::Gateway => Ok(()),
    };
    match answer {
        Ok(()) => Ok(()),
        Err(status) => match status.code() {
            Code::InvalidArgument | Code::NotFound => Ok(()),
            Code::Unauthenticated | Code::PermissionDenied => Err(format!(
                "refuses our token ({}): it has another auth.key_file, or a clock that is wrong",
                status.message()
            )),
            Code::Unimplemented => Err(format!("is another service: see peers.{service}")),
            _ => Err(format!("fails ({}): its log says why", status.message())),
        },
    }
}
