//! A switch that accepts every command, notes it, and can be made to fail.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;

use crate::switch::{
    CommandResult, FetchedRecording, LegEnd, SwitchCommand, SwitchPort, SwitchPortError, SwitchSession, SwitchSnapshot,
};

#[derive(Default)]
pub(super) struct SpySwitch {
    /// In the requests in which they came.
    requests: Mutex<Vec<Vec<String>>>,
    pub(super) fails: AtomicBool,
    /// Of a leg that is gone.
    pub(super) how_ended: Mutex<Option<LegEnd>>,
}

impl SpySwitch {
    pub(super) fn commands(&self) -> Vec<String> {
        self.requests().concat()
    }

    pub(super) fn requests(&self) -> Vec<Vec<String>> {
        self.requests.lock().unwrap().clone()
    }

    fn try_to(&self, what: String) -> Result<(), SwitchPortError> {
        self.requests.lock().unwrap().last_mut().unwrap().push(what);
        if self.fails.load(Ordering::SeqCst) { Err(SwitchPortError::Unknown("on purpose".to_owned())) } else { Ok(()) }
    }
}

#[async_trait]
impl SwitchPort for SpySwitch {
    async fn connect(&self, _after_epoch: i64) -> Result<SwitchSession, SwitchPortError> {
        Err(SwitchPortError::Unknown("the test says what is seen".to_owned()))
    }

    async fn snapshot(&self) -> Result<SwitchSnapshot, SwitchPortError> {
        Err(SwitchPortError::Unknown("the test says what is seen".to_owned()))
    }

    async fn execute(&self, commands: &[SwitchCommand]) -> Vec<CommandResult> {
        self.requests.lock().unwrap().push(Vec::new());
        let mut results = Vec::new();
        for command in commands {
            let (what, at_us) = described(command);
            results.push(self.try_to(what).map(|()| at_us));
            if results.last().is_some_and(Result::is_err) {
                break;
            }
        }
        results
    }

    async fn how_ended(&self, _leg: &str) -> Result<Option<LegEnd>, SwitchPortError> {
        Ok(*self.how_ended.lock().unwrap())
    }

    async fn fetch(&self, _recording: &str) -> Result<FetchedRecording, SwitchPortError> {
        Err(SwitchPortError::Gone)
    }

    async fn delete_recording(&self, _recording: &str) -> Result<(), SwitchPortError> {
        Ok(())
    }

    fn message_of(&self, exit: &str) -> String {
        format!("message {exit}")
    }
}

/// The command in short, and its time.
fn described(command: &SwitchCommand) -> (String, i64) {
    let what = match command {
        SwitchCommand::Dial(call) => format!("dial {} as {}", call.phone, call.caller),
        SwitchCommand::Answer { leg } => format!("answer {leg}"),
        SwitchCommand::HangUp { leg, .. } => format!("hang up {leg}"),
        SwitchCommand::Move { leg, .. } => format!("move {leg}"),
        SwitchCommand::TakeOut { leg } => format!("take out {leg}"),
        SwitchCommand::SetMute { leg, muted } => format!("mute {leg} {muted}"),
        SwitchCommand::EnsureRoom { room, .. } => format!("ensure {room}"),
        SwitchCommand::DestroyRoom { room } => format!("destroy {room}"),
        SwitchCommand::Play { playback, .. } => format!("play {playback}"),
        SwitchCommand::StopPlayback { playback } => format!("stop {playback}"),
        SwitchCommand::StartRecording { recording, .. } => return (format!("record {recording}"), 1),
        SwitchCommand::StopRecording { recording } => return (format!("stop {recording}"), 2),
        SwitchCommand::Exit { exit, .. } => format!("exit {exit}"),
        SwitchCommand::RunFlow { exit, .. } => format!("flow {exit}"),
        SwitchCommand::Recall { exit } => format!("recall {exit}"),
    };
    (what, 0)
}
