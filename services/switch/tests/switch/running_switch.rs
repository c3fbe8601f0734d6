//! A switch that serves on a free port and in a temporary folder, with a client of each of its two services.

use std::path::Path;
use std::time::Duration;

use baton_api::simulator::v1 as proto;
use baton_api::simulator::v1::simulator_service_client::SimulatorServiceClient;
use baton_api::simulator::v1::switch_event::Event;
use baton_api::simulator::v1::switch_service_client::SwitchServiceClient;
use baton_runtime::auth::{Role, SigningKey};
use baton_runtime::client::{GrpcChannel, InternalChannel, PublicChannel, ServiceIdentity};
use baton_runtime::{Caller, Clock, lifecycle};
use baton_switch::{Switch, SwitchFailure, SwitchSettings};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const AN_HOUR: Duration = Duration::from_hours(1);

pub(crate) struct RunningSwitch {
    pub(crate) clock: Clock,
    pub(crate) control: SwitchServiceClient<InternalChannel>,
    pub(crate) people: SimulatorServiceClient<PublicChannel>,
    pub(crate) epoch: i64,
    key: SigningKey,
    address: String,
    shutdown: CancellationToken,
    running: JoinHandle<Result<(), SwitchFailure>>,
}

impl RunningSwitch {
    pub(crate) async fn start(folder: &Path, clock: Clock) -> Self {
        let config = SwitchSettings::new("127.0.0.1:0".parse().expect("an address"), folder.to_owned());
        Self::start_with(config, clock).await
    }

    pub(crate) async fn start_with(config: SwitchSettings, clock: Clock) -> Self {
        let key = SigningKey::generate();
        let switch = Switch::open(config, clock.clone(), key.verifier()).expect("a switch");
        let address = format!("http://{}", switch.local_addr());
        let shutdown = CancellationToken::new();
        let running = lifecycle::spawn(switch.serve(shutdown.clone()));
        let service = ServiceIdentity::new(key.clone(), "telephony");
        let channel = GrpcChannel::internal(&address, service, clock.clone()).expect("a channel");
        let mut control = SwitchServiceClient::new(channel);
        let take = proto::TakeControlRequest { epoch: 0, controller: "test".to_owned() };
        let epoch = control.take_control(take).await.expect("control").into_inner().epoch;
        let people = people(&key, &address, &clock, "demo");
        Self { clock, control, people, epoch, key, address, shutdown, running }
    }

    /// The people at another tenant's phones.
    pub(crate) fn people_of(&self, tenant: &str) -> SimulatorServiceClient<PublicChannel> {
        people(&self.key, &self.address, &self.clock, tenant)
    }

    /// What became of commands that are given together.
    pub(crate) async fn execute(
        &mut self,
        commands: impl IntoIterator<Item = proto::command::Command>,
    ) -> Result<Vec<proto::CommandOutcome>, tonic::Status> {
        let commands = commands.into_iter().map(|it| proto::Command { command: Some(it) }).collect();
        Ok(self.control.execute(proto::ExecuteRequest { commands }).await?.into_inner().outcomes)
    }

    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        self.running.await.expect("no panic").expect("an orderly end");
    }

    pub(crate) async fn phone(&mut self, address: &str, delay_ms: i64) {
        use proto::phone_behaviour::Behaviour::AnswersAfter;
        let behaviour = Some(AnswersAfter(proto::AnswersAfter { delay_ms }));
        let request = proto::PutPhoneRequest {
            request_id: address.to_owned(),
            address: address.to_owned(),
            tone_hz: 0,
            behaviour: Some(proto::PhoneBehaviour { behaviour }),
        };
        self.people.put_phone(request).await.expect("a phone");
    }

    pub(crate) async fn call(&mut self) -> String {
        let request = proto::PlaceCallRequest {
            request_id: baton_runtime::ids::new_uuid().to_string(),
            from: "+15550001".to_owned(),
            to: "+18005550100".to_owned(),
            tone_hz: 0,
        };
        self.people.place_call(request).await.expect("a call").into_inner().leg_id
    }

    /// A customer and an agent in a room, being recorded as `recording`.
    pub(crate) async fn recorded_call(&mut self, n: usize) -> Call {
        let epoch = self.epoch;
        let customer = self.call().await;
        self.control.answer(proto::AnswerRequest { epoch, leg_id: customer.clone() }).await.expect("answer");
        let call =
            Call { customer, agent: format!("leg-{n}"), room: format!("room-{n}"), recording: format!("rec-{n}") };
        self.dial(&call.agent, "agent").await;
        self.until_up(&call.agent).await;
        let treatment = proto::RoomTreatment::Conversation.into();
        let room = proto::EnsureRoomRequest { epoch, room_id: call.room.clone(), tenant: "demo".to_owned(), treatment };
        self.control.ensure_room(room).await.expect("a room");
        for leg_id in [&call.customer, &call.agent] {
            let to = proto::MoveRequest { epoch, leg_id: leg_id.clone(), room_id: call.room.clone() };
            self.control.r#move(to).await.expect("a move");
        }
        let record = proto::StartRecordingRequest {
            epoch,
            recording_id: call.recording.clone(),
            room_id: call.room.clone(),
            tenant: "demo".to_owned(),
        };
        self.control.start_recording(record).await.expect("a recording");
        call
    }

    pub(crate) async fn dial(&mut self, leg: &str, address: &str) {
        let request = proto::DialRequest {
            epoch: self.epoch,
            leg_id: leg.to_owned(),
            tenant: "demo".to_owned(),
            address: address.to_owned(),
            caller_id: String::new(),
            ring_timeout_ms: 10_000,
            variables: [("interaction".to_owned(), "i1".to_owned())].into(),
        };
        self.control.dial(request).await.expect("dial");
    }

    pub(crate) async fn until_up(&mut self, leg: &str) {
        for _ in 0..500 {
            let up = proto::LegState::Up as i32;
            if self.snapshot().await.legs.iter().any(|it| it.leg_id == leg && it.state == up) {
                return;
            }
            self.clock.sleep(Duration::from_millis(10)).await;
        }
        panic!("{leg} was not answered within 5 s");
    }

    pub(crate) async fn snapshot(&mut self) -> proto::GetSnapshotResponse {
        self.control.get_snapshot(proto::GetSnapshotRequest {}).await.expect("a snapshot").into_inner()
    }

    pub(crate) async fn stats(&mut self) -> proto::GetStatsResponse {
        self.people.get_stats(proto::GetStatsRequest {}).await.expect("stats").into_inner()
    }

    pub(crate) async fn heard(&mut self, leg: &str) -> (proto::Heard, Vec<u8>) {
        use proto::get_heard_response::Part;
        let request = proto::GetHeardRequest { leg_id: leg.to_owned() };
        let mut parts = self.people.get_heard(request).await.expect("heard").into_inner();
        let (mut heard, mut file) = (None, Vec::new());
        while let Some(part) = parts.message().await.expect("a part") {
            match part.part.expect("a part") {
                Part::Heard(it) => heard = Some(it),
                Part::Data(data) => file.extend(data),
            }
        }
        (heard.expect("a first part"), file)
    }

    pub(crate) async fn fetch(&mut self, recording: &str) -> (proto::FinishedRecording, Vec<u8>) {
        use proto::fetch_recording_response::Part;
        let request = proto::FetchRecordingRequest { recording_id: recording.to_owned() };
        let mut parts = self.control.fetch_recording(request).await.expect("a file").into_inner();
        let (mut finished, mut file) = (None, Vec::new());
        while let Some(part) = parts.message().await.expect("a part") {
            match part.part.expect("a part") {
                Part::Recording(it) => finished = Some(it),
                Part::Data(data) => file.extend(data),
            }
        }
        (finished.expect("a first part"), file)
    }

    pub(crate) async fn stop_recording(&mut self, recording: &str) {
        let request = proto::StopRecordingRequest { epoch: self.epoch, recording_id: recording.to_owned() };
        self.control.stop_recording(request).await.expect("stop");
    }
}

/// The ids of a call.
pub(crate) struct Call {
    pub(crate) customer: String,
    pub(crate) agent: String,
    pub(crate) room: String,
    pub(crate) recording: String,
}

/// The events of the switch.
pub(crate) struct Events(tonic::Streaming<proto::StreamEventsResponse>);

impl Events {
    pub(crate) async fn open(switch: &mut RunningSwitch) -> Self {
        let events = switch.control.stream_events(proto::StreamEventsRequest {}).await.expect("events");
        Self(events.into_inner())
    }

    /// The next event; none when the stream has ended.
    pub(crate) async fn next(&mut self) -> Option<proto::SwitchEvent> {
        let clock = Clock::real();
        let next = clock.timeout(Duration::from_secs(10), self.0.message());
        let answer = next.await.expect("an event within 10 s").ok().flatten()?;
        Some(answer.event.expect("an event"))
    }

    /// The first event from here on for which there is a value.
    pub(crate) async fn until<T>(&mut self, mut wanted: impl FnMut(&Event) -> Option<T>) -> T {
        loop {
            let event = self.next().await.expect("the stream goes on").event.expect("a body");
            if let Some(value) = wanted(&event) {
                return value;
            }
        }
    }
}

fn people(key: &SigningKey, address: &str, clock: &Clock, tenant: &str) -> SimulatorServiceClient<PublicChannel> {
    let caller = Caller::of_tenant(tenant.parse().expect("a tenant"), "people", Role::Simulator);
    let token = key.mint(&caller, clock.now_us(), AN_HOUR).expect("a token");
    let channel = GrpcChannel::public(address, &token, clock.clone()).expect("a channel");
    SimulatorServiceClient::new(channel)
}
