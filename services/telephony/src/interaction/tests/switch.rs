//! A switch that does what it is told, notes it, and can be made to fail.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;

use crate::plan::Treatment;
use crate::switch::{DialCall, Session, Sight, Switch, SwitchError};

#[derive(Default)]
pub(super) struct Noting {
    asked: Mutex<Vec<String>>,
    pub(super) fails: AtomicBool,
}

impl Noting {
    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn note(&self, what: String) -> Result<(), SwitchError> {
        self.asked.lock().unwrap().push(what);
        if self.fails.load(Ordering::SeqCst) { Err(SwitchError::Unknown("on purpose".to_owned())) } else { Ok(()) }
    }
}

#[async_trait]
impl Switch for Noting {
    async fn connect(&self, _after_epoch: i64) -> Result<Session, SwitchError> {
        Err(SwitchError::Unknown("the test says what is seen".to_owned()))
    }

    async fn look(&self) -> Result<Sight, SwitchError> {
        Err(SwitchError::Unknown("the test says what is seen".to_owned()))
    }

    async fn dial(&self, call: &DialCall) -> Result<(), SwitchError> {
        self.note(format!("dial {} as {}", call.phone, call.caller))
    }

    async fn answer(&self, leg: &str) -> Result<(), SwitchError> {
        self.note(format!("answer {leg}"))
    }

    async fn hang_up(&self, leg: &str, _no_answer: bool) -> Result<(), SwitchError> {
        self.note(format!("hang up {leg}"))
    }

    async fn move_leg(&self, leg: &str, _room: &str) -> Result<(), SwitchError> {
        self.note(format!("move {leg}"))
    }

    async fn take_out(&self, leg: &str) -> Result<(), SwitchError> {
        self.note(format!("take out {leg}"))
    }

    async fn set_mute(&self, leg: &str, muted: bool) -> Result<(), SwitchError> {
        self.note(format!("mute {leg} {muted}"))
    }

    async fn ensure_room(&self, room: &str, _tenant: &str, _treatment: Treatment) -> Result<(), SwitchError> {
        self.note(format!("ensure {room}"))
    }

    async fn destroy_room(&self, room: &str) -> Result<(), SwitchError> {
        self.note(format!("destroy {room}"))
    }

    async fn play(&self, playback: &str, _room: &str, _announcement: &str) -> Result<(), SwitchError> {
        self.note(format!("play {playback}"))
    }

    async fn stop_playback(&self, playback: &str) -> Result<(), SwitchError> {
        self.note(format!("stop {playback}"))
    }

    async fn start_recording(&self, recording: &str, _room: &str, _tenant: &str) -> Result<i64, SwitchError> {
        self.note(format!("record {recording}")).map(|()| 1)
    }

    async fn stop_recording(&self, recording: &str) -> Result<i64, SwitchError> {
        self.note(format!("stop {recording}")).map(|()| 2)
    }

    async fn fetch(&self, _recording: &str) -> Result<BoxStream<'static, Result<Bytes, SwitchError>>, SwitchError> {
        Err(SwitchError::Gone)
    }

    async fn delete_recording(&self, _recording: &str) -> Result<(), SwitchError> {
        Ok(())
    }

    async fn exit(&self, exit: &str, _leg: &str, _mailbox: &str) -> Result<(), SwitchError> {
        self.note(format!("exit {exit}"))
    }
}
