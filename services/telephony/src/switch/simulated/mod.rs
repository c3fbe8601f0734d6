//! The backend for the simulated switch: a client of `baton.simulator.v1.SwitchService`.

mod convert;

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use baton_api::simulator::v1 as wire;
use baton_api::simulator::v1::command::Command;
use baton_api::simulator::v1::fetch_recording_response::Part;
use baton_api::simulator::v1::switch_service_client::SwitchServiceClient;
use baton_runtime::client::InternalChannel;
use baton_runtime::ids;
use futures::StreamExt as _;
use tonic::{Code, Status};

use super::{
    CommandResult, FetchedRecording, LegEnd, SwitchCommand, SwitchPort, SwitchPortError, SwitchSession, SwitchSnapshot,
};

/// A switch on the same machine answers in a millisecond; one that takes as long as this is stuck.
const COMMAND_DEADLINE: Duration = Duration::from_secs(3);
/// The variable of a leg that holds its interaction.
pub(super) const INTERACTION_VARIABLE: &str = "baton-interaction";

pub struct SimulatedSwitch {
    client: SwitchServiceClient<InternalChannel>,
    /// Names one run of this service, so that two runs can't hold the same epoch.
    controller: String,
    epoch: AtomicI64,
}

impl SimulatedSwitch {
    /// Nothing is connected before the first use.
    pub fn new(channel: &InternalChannel) -> Self {
        Self {
            client: SwitchServiceClient::new(channel.with_default_deadline(COMMAND_DEADLINE)),
            controller: format!("telephony-{}", ids::new_uuid()),
            epoch: AtomicI64::new(0),
        }
    }

    fn client(&self) -> SwitchServiceClient<InternalChannel> {
        self.client.clone()
    }

    fn epoch(&self) -> i64 {
        self.epoch.load(Ordering::Relaxed)
    }

    /// When the switch's epoch is not smaller (another data folder has controlled it), the switch chooses the next one.
    async fn take_control(&self, after_epoch: i64) -> Result<wire::TakeControlResponse, SwitchPortError> {
        let take = |epoch| wire::TakeControlRequest { epoch, controller: self.controller.clone() };
        let taken = match self.client().take_control(take(after_epoch.saturating_add(1))).await {
            Err(status) if status.code() == Code::Aborted => self.client().take_control(take(0)).await,
            other => other,
        };
        Ok(taken.map_err(|it| error(&it))?.into_inner())
    }

    /// `None`: the switch can't, which an older version has started.
    async fn execute_at_once(&self, commands: &[Command]) -> Option<Vec<CommandResult>> {
        let commands = commands.iter().map(|it| wire::Command { command: Some(it.clone()) }).collect();
        match self.client().execute(wire::ExecuteRequest { commands }).await {
            Ok(answer) if answer.get_ref().outcomes.is_empty() => {
                Some(vec![Err(SwitchPortError::Unknown("nothing was tried".to_owned()))])
            }
            Ok(answer) => Some(answer.into_inner().outcomes.into_iter().map(outcome).collect()),
            Err(status) if is_unknown_method(&status) => None,
            Err(status) => Some(vec![Err(error(&status))]),
        }
    }

    async fn execute_one(&self, command: Command) -> CommandResult {
        let mut switch = self.client();
        match command {
            Command::Dial(it) => ok(switch.dial(it).await).map(|_| 0),
            Command::Answer(it) => ok(switch.answer(it).await).map(|_| 0),
            Command::Hangup(it) => ok(switch.hangup(it).await).map(|_| 0),
            Command::Move(it) => ok(switch.r#move(it).await).map(|_| 0),
            Command::Remove(it) => ok(switch.remove(it).await).map(|_| 0),
            Command::SetMute(it) => ok(switch.set_mute(it).await).map(|_| 0),
            Command::EnsureRoom(it) => ok(switch.ensure_room(it).await).map(|_| 0),
            Command::DestroyRoom(it) => ok(switch.destroy_room(it).await).map(|_| 0),
            Command::Play(it) => ok(switch.play(it).await).map(|_| 0),
            Command::StopPlayback(it) => ok(switch.stop_playback(it).await).map(|_| 0),
            Command::StartRecording(it) => ok(switch.start_recording(it).await).map(|it| it.started_at_us),
            Command::StopRecording(it) => ok(switch.stop_recording(it).await).map(|it| it.ended_at_us),
            Command::Exit(it) => ok(switch.exit(it).await).map(|_| 0),
            Command::RecallExit(it) => ok(switch.recall_exit(it).await).map(|_| 0),
        }
    }
}

#[async_trait]
impl SwitchPort for SimulatedSwitch {
    async fn connect(&self, after_epoch: i64) -> Result<SwitchSession, SwitchPortError> {
        let taken = self.take_control(after_epoch).await?;
        self.epoch.store(taken.epoch, Ordering::Relaxed);
        let mut answers = ok(self.client().stream_events(wire::StreamEventsRequest {}).await)?;
        // The first message says that the stream is open: a snapshot that is taken from now on leaves no gap to it.
        let opened = match answers.message().await {
            Ok(Some(opened)) => convert::event(opened),
            Ok(None) => return Err(SwitchPortError::Unknown("the stream ended".to_owned())),
            Err(status) => return Err(error(&status)),
        };
        let events = answers.map(|item| item.map(convert::event).map_err(|status| error(&status)));
        let (epoch, boot_id) = (taken.epoch, taken.boot_id);
        Ok(SwitchSession { epoch, boot_id, sequence: opened.sequence, events: events.boxed() })
    }

    async fn snapshot(&self) -> Result<SwitchSnapshot, SwitchPortError> {
        Ok(convert::snapshot(ok(self.client().get_snapshot(wire::GetSnapshotRequest {}).await)?))
    }

    async fn execute(&self, commands: &[SwitchCommand]) -> Vec<CommandResult> {
        let commands: Vec<_> = commands.iter().map(|it| convert::command_out(it, self.epoch())).collect();
        if commands.len() > 1
            && let Some(results) = self.execute_at_once(&commands).await
        {
            return results;
        }
        let mut results = Vec::new();
        for command in commands {
            results.push(self.execute_one(command).await);
            if results.last().is_some_and(Result::is_err) {
                break;
            }
        }
        results
    }

    async fn how_ended(&self, leg: &str) -> Result<Option<LegEnd>, SwitchPortError> {
        let request = wire::GetLegEndRequest { leg_id: leg.to_owned() };
        match self.client().get_leg_end(request).await {
            Ok(end) => Ok(Some(convert::leg_end(end.into_inner()))),
            Err(status) if status.code() == Code::NotFound || is_unknown_method(&status) => Ok(None),
            Err(status) => Err(error(&status)),
        }
    }

    async fn fetch(&self, recording: &str) -> Result<FetchedRecording, SwitchPortError> {
        let request = wire::FetchRecordingRequest { recording_id: recording.to_owned() };
        let mut parts = ok(self.client().fetch_recording(request).await)?;
        let first = parts.message().await.map_err(|status| error(&status))?.and_then(|it| it.part);
        let Some(Part::Recording(about)) = first else {
            return Err(SwitchPortError::Unknown("the file does not begin with what it is".to_owned()));
        };
        let pieces = parts.filter_map(|item| async move {
            match item {
                Ok(wire::FetchRecordingResponse { part: Some(Part::Data(data)) }) => Some(Ok(data)),
                Ok(_) => None,
                Err(status) => Some(Err(error(&status))),
            }
        });
        Ok(FetchedRecording {
            started_at_us: about.started_at_us,
            ended_at_us: about.ended_at_us,
            sha256: about.sha256,
            torn: about.torn,
            file: pieces.boxed(),
        })
    }

    async fn delete_recording(&self, recording: &str) -> Result<(), SwitchPortError> {
        let request = wire::DeleteRecordingRequest { epoch: self.epoch(), recording_id: recording.to_owned() };
        ok(self.client().delete_recording(request).await).map(drop)
    }

    fn message_of(&self, exit: &str) -> String {
        format!("vm-{exit}")
    }
}

fn ok<T>(answer: Result<tonic::Response<T>, Status>) -> Result<T, SwitchPortError> {
    answer.map(tonic::Response::into_inner).map_err(|status| error(&status))
}

/// A switch that an older version started does not have every method.
fn is_unknown_method(status: &Status) -> bool {
    matches!(status.code(), Code::Unimplemented | Code::PermissionDenied)
}

fn outcome(outcome: wire::CommandOutcome) -> CommandResult {
    match Code::from_i32(outcome.code) {
        Code::Ok => Ok(outcome.at_us),
        code => Err(error(&Status::new(code, outcome.message))),
    }
}

/// Without a clear refusal, the command may or may not have been executed.
fn error(status: &Status) -> SwitchPortError {
    match status.code() {
        Code::NotFound => SwitchPortError::Gone,
        Code::AlreadyExists => SwitchPortError::Exists,
        Code::Aborted => SwitchPortError::Fenced,
        Code::InvalidArgument | Code::FailedPrecondition | Code::ResourceExhausted => {
            SwitchPortError::Refused(status.message().to_owned())
        }
        _ => SwitchPortError::Unknown(status.message().to_owned()),
    }
}

#[cfg(test)]
mod tests;
