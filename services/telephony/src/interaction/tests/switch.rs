//! A switch that accepts every command, notes it, and can be made to fail.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use baton_api::common::v1::IvrElement;

use crate::plan::Treatment;
use crate::switch::{DialCall, FetchedRecording, LegEnd, SwitchPort, SwitchPortError, SwitchSession, SwitchSnapshot};

#[derive(Default)]
pub(super) struct SpySwitch {
    commands: Mutex<Vec<String>>,
    pub(super) fails: AtomicBool,
    /// Of a leg that is gone.
    pub(super) how_ended: Mutex<Option<LegEnd>>,
}

impl SpySwitch {
    pub(super) fn commands(&self) -> Vec<String> {
        self.commands.lock().unwrap().clone()
    }

    fn note(&self, what: String) -> Result<(), SwitchPortError> {
        self.commands.lock().unwrap().push(what);
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

    async fn dial(&self, call: &DialCall) -> Result<(), SwitchPortError> {
        self.note(format!("dial {} as {}", call.phone, call.caller))
    }

    async fn answer(&self, leg: &str) -> Result<(), SwitchPortError> {
        self.note(format!("answer {leg}"))
    }

    async fn hang_up(&self, leg: &str, _no_answer: bool) -> Result<(), SwitchPortError> {
        self.note(format!("hang up {leg}"))
    }

    async fn how_ended(&self, _leg: &str) -> Result<Option<LegEnd>, SwitchPortError> {
        Ok(*self.how_ended.lock().unwrap())
    }

    async fn move_leg(&self, leg: &str, _room: &str) -> Result<(), SwitchPortError> {
        self.note(format!("move {leg}"))
    }

    async fn take_out(&self, leg: &str) -> Result<(), SwitchPortError> {
        self.note(format!("take out {leg}"))
    }

    async fn set_mute(&self, leg: &str, muted: bool) -> Result<(), SwitchPortError> {
        self.note(format!("mute {leg} {muted}"))
    }

    async fn ensure_room(&self, room: &str, _tenant: &str, _treatment: Treatment) -> Result<(), SwitchPortError> {
        self.note(format!("ensure {room}"))
    }

    async fn destroy_room(&self, room: &str) -> Result<(), SwitchPortError> {
        self.note(format!("destroy {room}"))
    }

    async fn play(&self, playback: &str, _room: &str, _announcement: &str) -> Result<(), SwitchPortError> {
        self.note(format!("play {playback}"))
    }

    async fn stop_playback(&self, playback: &str) -> Result<(), SwitchPortError> {
        self.note(format!("stop {playback}"))
    }

    async fn start_recording(&self, recording: &str, _room: &str, _tenant: &str) -> Result<i64, SwitchPortError> {
        self.note(format!("record {recording}")).map(|()| 1)
    }

    async fn stop_recording(&self, recording: &str) -> Result<i64, SwitchPortError> {
        self.note(format!("stop {recording}")).map(|()| 2)
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

    async fn exit(&self, exit: &str, _leg: &str, _mailbox: &str) -> Result<(), SwitchPortError> {
        self.note(format!("exit {exit}"))
    }

    async fn run_flow(&self, exit: &str, _leg: &str, _flow: &[IvrElement]) -> Result<(), SwitchPortError> {
        self.note(format!("flow {exit}"))
    }

    async fn recall(&self, exit: &str) -> Result<(), SwitchPortError> {
        self.note(format!("recall {exit}"))
    }
}
