//! A recording service for one test, the events of the transfer service, and clients of every role.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use baton_api::ApiError;
use baton_api::common::v1::{Customer, RecordingState};
use baton_api::event::v1::event_data::Data;
use baton_api::event::v1::{
    EventData, RecordingEnded, RecordingSegmentEnded, RecordingSegmentStarted, RecordingStarted,
};
use baton_api::recording::v1 as proto;
use baton_api::recording::v1::archive_service_client::ArchiveServiceClient;
use baton_api::recording::v1::recording_service_client::RecordingServiceClient;
use baton_api::recording::v1::store_segment_request::Message;
use baton_api::recording::v1::voicemail_service_client::VoicemailServiceClient;
use baton_api::transfer::v1 as transfer;
use baton_api::transfer::v1::intake_service_server::{IntakeService, IntakeServiceServer};
use baton_bus::{Bus, Envelope, EventLog, EventMatcher};
use baton_runtime::auth::{Caller, Role, SigningKey};
use baton_runtime::client::{GrpcChannel, Peers, ServiceIdentity};
use baton_runtime::clock::Clock;
use baton_runtime::config::Config;
use baton_runtime::disk_space::DiskSpace;
use baton_runtime::ids;
use baton_runtime::lifecycle::{self, Lifecycle};
use baton_runtime::server::ServerBuilder;
use baton_service::{RunningService as _, ServiceContext};
use prost::Message as _;
use tempfile::TempDir;
use tonic::{Request, Response, Status};

/// The tenant of most tests.
pub(crate) const TENANT: &str = "acme";
/// The primary agent.
pub(crate) const AGENT: &str = "0192aaaa-0000-7000-8000-000000000001";
/// An agent who takes no part in the interaction.
pub(crate) const STRANGER: &str = "0192aaaa-0000-7000-8000-000000000002";

const BOUND: Duration = Duration::from_secs(10);

/// A stand-in for the transfer service: keeps the requests, and accepts or refuses them as the test wants.
#[derive(Debug, Clone, Default)]
pub(crate) struct Intake {
    pub(crate) requests: Arc<Mutex<Vec<transfer::ControlRecordingRequest>>>,
    pub(crate) refuse_with: Arc<Mutex<Option<Status>>>,
}

#[tonic::async_trait]
impl IntakeService for Intake {
    async fn open_interaction(
        &self,
        _: Request<transfer::OpenInteractionRequest>,
    ) -> Result<Response<transfer::OpenInteractionResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn report_facts(
        &self,
        _: Request<transfer::ReportFactsRequest>,
    ) -> Result<Response<transfer::ReportFactsResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn control_recording(
        &self,
        request: Request<transfer::ControlRecordingRequest>,
    ) -> Result<Response<transfer::ControlRecordingResponse>, Status> {
        self.requests.lock().unwrap().push(request.into_inner());
        if let Some(status) = self.refuse_with.lock().unwrap().clone() {
            return Err(status);
        }
        let recording = Some(RecordingState {
            live: true,
            recording_id: "0192-recording-1".to_owned(),
            ..RecordingState::default()
        });
        Ok(Response::new(transfer::ControlRecordingResponse { recording }))
    }

    async fn get_wanted(
        &self,
        _: Request<transfer::GetWantedRequest>,
    ) -> Result<Response<transfer::GetWantedResponse>, Status> {
        Err(Status::unimplemented(""))
    }
}

/// The service and everything around it.
pub(crate) struct World {
    pub(crate) folder: TempDir,
    pub(crate) clock: Clock,
    pub(crate) bus: Bus,
    pub(crate) intake: Intake,
    key: SigningKey,
    address: String,
    lifecycle: Lifecycle,
    sequences: Mutex<HashMap<String, i64>>,
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::start_in(&[]).await
    }

    /// With these keys of `[recording]`.
    pub(crate) async fn start_in(storage: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (clock, key, lifecycle) = (Clock::real(), SigningKey::generate(), Lifecycle::new());
        let bus: Bus = EventLog::open(folder.path().join("events.db"), clock.clone()).await.unwrap().into();
        let intake = Intake::default();
        let peer =
            ServerBuilder::new(clock.clone(), key.verifier()).add_service(IntakeServiceServer::new(intake.clone()));
        let peer = serve(peer, &lifecycle);
        let identity = ServiceIdentity::new(key.clone(), "recording");
        let settings = [
            ("RETENTION_DAYS", "90"),
            ("MESSAGES_KEPT_DAYS", "30"),
            ("SHORTEST_MESSAGE_MS", "10"),
            ("RETENTION_SCAN_MS", "20"),
        ];
        let settings = settings.iter().chain(storage);
        let settings = settings.map(|(key, value)| (format!("BATON_RECORDING__{key}"), (*value).to_owned()));
        let config = Config::load_from(None, settings).unwrap().recording;
        let service = baton_recording::start(ServiceContext {
            name: baton_runtime::ServiceName::Recording,
            folder: folder.path().to_owned(),
            databases: baton_store::testing::databases(folder.path()),
            config,
            clock: clock.clone(),
            lifecycle: lifecycle.clone(),
            calls_kept: Duration::from_hours(24 * 400),
            space: DiskSpace::default(),
            bus: bus.clone(),
            peers: Peers::at_one(&GrpcChannel::internal(&peer, identity, clock.clone()).unwrap()),
        })
        .await
        .unwrap();
        let server = service.add_public(ServerBuilder::new(clock.clone(), key.verifier()));
        let server = service.add_internal(server);
        let address = serve(server, &lifecycle);
        Self { folder, clock, bus, intake, key, address, lifecycle, sequences: Mutex::default() }
    }

    /// A client with a token of this role.
    pub(crate) fn client(&self, tenant: &str, subject: &str, role: Role) -> RecordingServiceClient<GrpcChannel> {
        let caller = Caller::of_tenant(tenant.parse().unwrap(), subject, role);
        let token = self.key.mint(&caller, self.clock.now_us(), Duration::from_mins(10)).unwrap();
        RecordingServiceClient::new(GrpcChannel::public(&self.address, &token, self.clock.clone()).unwrap())
    }

    /// A client of the voicemail boxes with a token of this role.
    pub(crate) fn boxes(&self, tenant: &str, subject: &str, role: Role) -> VoicemailServiceClient<GrpcChannel> {
        let caller = Caller::of_tenant(tenant.parse().unwrap(), subject, role);
        let token = self.key.mint(&caller, self.clock.now_us(), Duration::from_mins(10)).unwrap();
        VoicemailServiceClient::new(GrpcChannel::public(&self.address, &token, self.clock.clone()).unwrap())
    }

    pub(crate) fn supervisor(&self) -> RecordingServiceClient<GrpcChannel> {
        self.client(TENANT, "sue", Role::Supervisor)
    }

    pub(crate) fn archive(&self) -> ArchiveServiceClient<GrpcChannel> {
        let identity = ServiceIdentity::new(self.key.clone(), "telephony");
        ArchiveServiceClient::new(GrpcChannel::internal(&self.address, identity, self.clock.clone()).unwrap())
    }

    /// Publishes an event as the transfer service does.
    pub(crate) async fn event(&self, interaction_id: &str, time_us: i64, data: Data) {
        let aggregate = format!("interaction/{interaction_id}");
        let sequence = {
            let mut sequences = self.sequences.lock().unwrap();
            let last = sequences.entry(aggregate.clone()).or_default();
            *last += 1;
            *last
        };
        let event_type = match data {
            Data::InteractionEnded(_) => "interaction.ended",
            _ => "recording.changed",
        };
        let envelope = Envelope {
            id: ids::new_uuid(),
            tenant: TENANT.to_owned(),
            aggregate,
            sequence,
            area: event_type.split('.').next().unwrap().to_owned(),
            event_type: event_type.to_owned(),
            payload: EventData { data: Some(data), ..EventData::default() }.encode_to_vec(),
            actor: "system".to_owned(),
            traceparent: String::new(),
            time_us,
        };
        let Bus::Embedded(log) = &self.bus else { unreachable!("the tests have a log in their folder") };
        log.append(&[envelope]).await.unwrap();
    }

    /// A tenure with these segments, from its beginning to its end.
    pub(crate) async fn tenure(&self, interaction_id: &str, segments: &[&str], end_us: i64) -> String {
        let recording_id = format!("{interaction_id}-recording-1");
        self.event(interaction_id, end_us - 5_000_000, started(&recording_id, AGENT)).await;
        for segment_id in segments {
            self.event(interaction_id, end_us - 4_000_000, segment_started(&recording_id, segment_id, &[AGENT])).await;
            self.event(interaction_id, end_us - 1_000_000, segment_ended(&recording_id, segment_id, false)).await;
        }
        self.event(interaction_id, end_us, ended(&recording_id)).await;
        recording_id
    }

    /// A stored recording of one segment with these samples.
    pub(crate) async fn stored(&self, interaction_id: &str, samples: &[i16], end_us: i64) -> String {
        let segment_id = format!("{interaction_id}-segment-1");
        let recording_id = self.tenure(interaction_id, &[&segment_id], end_us).await;
        let header = header(interaction_id, &segment_id);
        self.send(header, &wav(samples)).await.unwrap();
        recording_id
    }

    /// Sends a segment's audio.
    pub(crate) async fn send(
        &self,
        header: proto::SegmentHeader,
        file: &[u8],
    ) -> Result<proto::StoreSegmentResponse, Status> {
        let mut messages = vec![Message::Header(header)];
        messages.extend(file.chunks(1_000).map(|it| Message::Chunk(it.to_vec().into())));
        let messages = messages.into_iter().map(|it| proto::StoreSegmentRequest { message: Some(it) });
        let stream = tokio_stream::iter(messages.collect::<Vec<_>>());
        self.archive().store_segment(stream).await.map(Response::into_inner)
    }

    /// Waits until all the events of a [`tenure`](Self::tenure) have arrived.
    pub(crate) async fn heard_of(&self, recording_id: &str) {
        eventually(&format!("{recording_id} has ended"), async || {
            let request = proto::GetRecordingRequest { recording_id: recording_id.to_owned() };
            self.supervisor().get_recording(request).await.ok()?.into_inner().recording?.end_time
        })
        .await;
    }

    /// The recording once it is in this state.
    pub(crate) async fn in_state(&self, recording_id: &str, state: proto::recording::State) -> proto::Recording {
        eventually(&format!("{recording_id} is {state:?}"), async || {
            let request = proto::GetRecordingRequest { recording_id: recording_id.to_owned() };
            let recording = self.supervisor().get_recording(request).await.ok()?.into_inner().recording?;
            (recording.state() == state).then_some(recording)
        })
        .await
    }

    /// What this service has published, once there are so many events.
    pub(crate) async fn published(&self, count: usize) -> Vec<(Envelope, Data)> {
        let types = ["recording.stored", "recording.deleted", "recording.settings_changed", "voicemail.*"];
        let filter = EventMatcher::types(types).unwrap();
        eventually(&format!("{count} events are published"), async || {
            let page = self.bus.read(0, &filter, 100).await.unwrap();
            let decode = |it: baton_bus::Logged| {
                let data = EventData::decode(it.envelope.payload.as_slice()).unwrap().data.unwrap();
                (it.envelope, data)
            };
            let events: Vec<_> = page.events.into_iter().map(decode).collect();
            (events.len() >= count).then_some(events)
        })
        .await
    }

    /// Downloads a recording, or one segment of it.
    pub(crate) async fn download(&self, recording_id: &str, segment_id: &str) -> Result<Vec<u8>, Status> {
        let request = proto::DownloadRecordingRequest {
            recording_id: recording_id.to_owned(),
            segment_id: segment_id.to_owned(),
        };
        let mut stream = self.supervisor().download_recording(request).await?.into_inner();
        let mut file = Vec::new();
        while let Some(message) = stream.message().await? {
            file.extend_from_slice(&message.chunk);
        }
        Ok(file)
    }

    /// The file of a segment in the storage.
    pub(crate) fn file(&self, interaction_id: &str, segment_id: &str) -> std::path::PathBuf {
        self.folder.path().join(format!("recordings/{TENANT}/{interaction_id}/{segment_id}.wav"))
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.lifecycle.stop();
    }
}

fn serve(builder: ServerBuilder, lifecycle: &Lifecycle) -> String {
    let bound = builder.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = format!("http://{}", bound.local_addr());
    let stop = lifecycle.soft();
    lifecycle::spawn(bound.serve(stop));
    address
}

/// Asks until there is an answer, for ten seconds at most.
pub(crate) async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let clock = Clock::real();
    let deadline_us = clock.after(BOUND);
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(clock.now_us() < deadline_us, "not within {BOUND:?}: {what}");
        clock.sleep(Duration::from_millis(5)).await;
    }
}

pub(crate) fn started(recording_id: &str, agent_id: &str) -> Data {
    Data::RecordingStarted(RecordingStarted {
        recording_id: recording_id.to_owned(),
        ordinal: recording_id.rsplit('-').next().unwrap().parse().unwrap(),
        agent_id: agent_id.to_owned(),
        number: "+4930123456".to_owned(),
        customer: Some(Customer { address: "+49170000000".to_owned(), key: "k".to_owned() }),
        direction: 1,
        by_hand: false,
    })
}

pub(crate) fn ended(recording_id: &str) -> Data {
    Data::RecordingEnded(RecordingEnded { recording_id: recording_id.to_owned() })
}

pub(crate) fn segment_started(recording_id: &str, segment_id: &str, agent_ids: &[&str]) -> Data {
    Data::RecordingSegmentStarted(RecordingSegmentStarted {
        recording_id: recording_id.to_owned(),
        segment_id: segment_id.to_owned(),
        agent_ids: agent_ids.iter().map(|it| (*it).to_owned()).collect(),
    })
}

pub(crate) fn segment_ended(recording_id: &str, segment_id: &str, failed: bool) -> Data {
    Data::RecordingSegmentEnded(RecordingSegmentEnded {
        recording_id: recording_id.to_owned(),
        segment_id: segment_id.to_owned(),
        start_time: None,
        end_time: None,
        failed,
    })
}

pub(crate) fn header(interaction_id: &str, segment_id: &str) -> proto::SegmentHeader {
    proto::SegmentHeader {
        tenant: TENANT.to_owned(),
        interaction_id: interaction_id.to_owned(),
        recording_id: format!("{interaction_id}-recording-1"),
        segment_id: segment_id.to_owned(),
        started_at_us: segment_id.rsplit('-').next().unwrap().parse::<i64>().unwrap() * 1_000_000,
        ended_at_us: 9_000_000,
        ..proto::SegmentHeader::default()
    }
}

/// A WAV file as the switch writes it.
pub(crate) fn wav(samples: &[i16]) -> Vec<u8> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 8_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = std::io::Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut file, spec).unwrap();
    for sample in samples {
        writer.write_sample(*sample).unwrap();
    }
    writer.finalize().unwrap();
    file.into_inner()
}

/// The samples of a WAV file, read with another reader than the service's.
pub(crate) fn samples(file: Vec<u8>) -> Vec<i16> {
    let reader = hound::WavReader::new(std::io::Cursor::new(file)).unwrap();
    reader.into_samples().map(Result::unwrap).collect()
}

/// The reason of a refusal, by its name on the wire.
pub(crate) fn reason(status: &Status) -> &'static str {
    ApiError::from_status(status).map_or("none", |it| it.reason_name())
}
