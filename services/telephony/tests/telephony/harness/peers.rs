//! The services that telephony calls, as small as they can be: they remember what they received.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use baton_api::ApiError;
use baton_api::recording::v1::archive_service_server::ArchiveService;
use baton_api::recording::v1::store_segment_request::Message;
use baton_api::recording::v1::{
    ForgetCustomerRequest, ForgetCustomerResponse, ResolveModeRequest, ResolveModeResponse, SegmentHeader,
    StoreSegmentRequest, StoreSegmentResponse,
};
use baton_api::transfer::v1::fact::Fact as FactContent;
use baton_api::transfer::v1::intake_service_server::IntakeService;
use baton_api::transfer::v1::{
    ControlRecordingRequest, ControlRecordingResponse, GetWantedRequest, GetWantedResponse, OpenInteractionRequest,
    OpenInteractionResponse, ReportFactsRequest, ReportFactsResponse,
};
use baton_runtime::telemetry;
use tokio::sync::watch;
use tonic::{Code, Request, Response, Status, Streaming};

/// All clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Peers(Arc<Inner>);

#[derive(Default)]
struct Inner {
    /// They answer nothing.
    away: AtomicBool,
    received: Mutex<Received>,
    changed: watch::Sender<()>,
}

#[derive(Clone, Default)]
pub(crate) struct Received {
    /// Interaction by inbound leg.
    pub(crate) opened: BTreeMap<String, String>,
    /// Everything that was reported, by interaction.
    pub(crate) facts: HashMap<String, Vec<FactContent>>,
    /// The traces in which it was reported, by interaction.
    pub(crate) traces: HashMap<String, Vec<String>>,
    /// What `GetWanted` answers; interactions that are not in it are not known.
    pub(crate) wanted: HashMap<String, Vec<String>>,
    /// Numbers that are not known.
    pub(crate) unknown_numbers: Vec<String>,
    /// So many calls more come when too much is asked of the transfer service.
    pub(crate) overloads: usize,
    /// Calls to these are over as soon as they begin: they have no call flow.
    pub(crate) numbers_without_flow: Vec<String>,
    /// Facts that are taken for malformed.
    pub(crate) bad_facts: Vec<FactContent>,
    /// How segments of this id are refused, unless they are lost; `Ok`: they are never answered.
    pub(crate) bad_segments: HashMap<String, Code>,
    pub(crate) segments: Vec<(SegmentHeader, Vec<u8>)>,
}

impl Peers {
    pub(crate) fn set_away(&self, away: bool) {
        self.0.away.store(away, Ordering::SeqCst);
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Received)) {
        change(&mut self.0.received.lock().unwrap());
        self.0.changed.send_replace(());
    }

    pub(crate) fn received(&self) -> Received {
        self.0.received.lock().unwrap().clone()
    }

    pub(crate) fn changed(&self) -> watch::Receiver<()> {
        self.0.changed.subscribe()
    }

    fn present(&self) -> Result<(), Status> {
        if self.0.away.load(Ordering::SeqCst) { Err(ApiError::unavailable("away").into()) } else { Ok(()) }
    }
}

#[tonic::async_trait]
impl IntakeService for Peers {
    async fn open_interaction(
        &self,
        request: Request<OpenInteractionRequest>,
    ) -> Result<Response<OpenInteractionResponse>, Status> {
        self.present()?;
        let request = request.into_inner();
        let overloads = self.received().overloads;
        if overloads > 0 {
            self.change(|received| received.overloads = overloads - 1);
            return Err(ApiError::overloaded("Try again.").into());
        }
        if self.received().unknown_numbers.contains(&request.number) {
            return Err(ApiError::not_found("number").into());
        }
        let mut interaction_id = String::new();
        self.change(|received| {
            let id = received
                .opened
                .entry(request.leg.clone())
                .or_insert_with(|| baton_runtime::ids::new_uuid().to_string());
            interaction_id.clone_from(id);
        });
        let over = self.received().numbers_without_flow.contains(&request.number);
        Ok(Response::new(OpenInteractionResponse { interaction_id, over }))
    }

    async fn report_facts(
        &self,
        request: Request<ReportFactsRequest>,
    ) -> Result<Response<ReportFactsResponse>, Status> {
        self.present()?;
        let request = request.into_inner();
        let bad = self.received().bad_facts;
        if request.facts.iter().filter_map(|it| it.fact.as_ref()).any(|it| bad.contains(it)) {
            return Err(ApiError::invalid_argument("facts", "are refused on purpose").into());
        }
        let trace = telemetry::current_trace().map(|it| it.trace_id()).unwrap_or_default();
        self.change(|received| {
            received.traces.entry(request.interaction_id.clone()).or_default().push(trace);
            let facts = received.facts.entry(request.interaction_id).or_default();
            facts.extend(request.facts.into_iter().filter_map(|it| it.fact));
        });
        Ok(Response::new(ReportFactsResponse {}))
    }

    async fn control_recording(
        &self,
        _request: Request<ControlRecordingRequest>,
    ) -> Result<Response<ControlRecordingResponse>, Status> {
        Err(Status::unimplemented("not asked for by telephony"))
    }

    async fn get_wanted(&self, request: Request<GetWantedRequest>) -> Result<Response<GetWantedResponse>, Status> {
        self.present()?;
        let wanted = self.received().wanted.get(&request.into_inner().interaction_id).cloned();
        Ok(Response::new(GetWantedResponse {
            known: wanted.is_some(),
            version: 1,
            leg_ids: wanted.unwrap_or_default(),
        }))
    }
}

#[tonic::async_trait]
impl ArchiveService for Peers {
    async fn resolve_mode(
        &self,
        _request: Request<ResolveModeRequest>,
    ) -> Result<Response<ResolveModeResponse>, Status> {
        Err(Status::unimplemented("not asked for by telephony"))
    }

    async fn forget_customer(
        &self,
        _request: Request<ForgetCustomerRequest>,
    ) -> Result<Response<ForgetCustomerResponse>, Status> {
        Err(Status::unimplemented("not asked for by telephony"))
    }

    async fn store_segment(
        &self,
        request: Request<Streaming<StoreSegmentRequest>>,
    ) -> Result<Response<StoreSegmentResponse>, Status> {
        self.present()?;
        let mut messages = request.into_inner();
        let mut stored = (SegmentHeader::default(), Vec::new());
        while let Some(message) = messages.message().await? {
            match message.message {
                Some(Message::Header(header)) => stored.0 = header,
                Some(Message::Chunk(chunk)) => stored.1.extend_from_slice(&chunk),
                None => {}
            }
        }
        let code = self.received().bad_segments.get(&stored.0.segment_id).copied();
        match code.filter(|_| !stored.0.lost) {
            Some(Code::Ok) => std::future::pending().await,
            Some(code) => return Err(Status::new(code, "on purpose")),
            None => {}
        }
        let size_bytes = stored.1.len() as i64;
        self.change(|received| received.segments.push(stored));
        Ok(Response::new(StoreSegmentResponse { sha256: String::new(), size_bytes }))
    }
}
