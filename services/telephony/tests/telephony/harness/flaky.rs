//! The real backend, with a switch behind it that does not always do what it is told.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use baton_telephony::plan::Treatment;
use baton_telephony::switch::simulated::SimulatedSwitch;
use baton_telephony::switch::{DialCall, Session, Sight, Switch, SwitchError};
use bytes::Bytes;
use futures::stream::BoxStream;

/// The wrapper.
pub(crate) struct Flaky {
    inner: SimulatedSwitch,
    /// Moves fail.
    pub(crate) stuck: AtomicBool,
    /// Moves that were tried while they failed.
    pub(crate) moves_tried: AtomicUsize,
    /// Dials get lost on the way, until they are let go.
    pub(crate) slow_dial: AtomicBool,
    lost: Mutex<Vec<DialCall>>,
}

impl Flaky {
    pub(crate) fn new(inner: SimulatedSwitch) -> Self {
        Self {
            inner,
            stuck: AtomicBool::default(),
            moves_tried: AtomicUsize::default(),
            slow_dial: AtomicBool::default(),
            lost: Mutex::default(),
        }
    }

    /// What was lost on the way arrives, long after it was given up.
    pub(crate) async fn let_go(&self) {
        let lost = std::mem::take(&mut *self.lost.lock().unwrap());
        for call in lost {
            self.inner.dial(&call).await.unwrap();
        }
    }
}

fn no_answer<T>() -> Result<T, SwitchError> {
    Err(SwitchError::Unknown("on purpose".to_owned()))
}

#[async_trait]
impl Switch for Flaky {
    async fn connect(&self, after_epoch: i64) -> Result<Session, SwitchError> {
        self.inner.connect(after_epoch).await
    }

    async fn look(&self) -> Result<Sight, SwitchError> {
        self.inner.look().await
    }

    async fn dial(&self, call: &DialCall) -> Result<(), SwitchError> {
        if self.slow_dial.load(Ordering::SeqCst) {
            self.lost.lock().unwrap().push(call.clone());
            return no_answer();
        }
        self.inner.dial(call).await
    }

    async fn answer(&self, leg: &str) -> Result<(), SwitchError> {
        self.inner.answer(leg).await
    }

    async fn hang_up(&self, leg: &str, no_answer: bool) -> Result<(), SwitchError> {
        self.inner.hang_up(leg, no_answer).await
    }

    async fn move_leg(&self, leg: &str, room: &str) -> Result<(), SwitchError> {
        if self.stuck.load(Ordering::SeqCst) {
            self.moves_tried.fetch_add(1, Ordering::SeqCst);
            return no_answer();
        }
        self.inner.move_leg(leg, room).await
    }

    async fn take_out(&self, leg: &str) -> Result<(), SwitchError> {
        self.inner.take_out(leg).await
    }

    async fn set_mute(&self, leg: &str, muted: bool) -> Result<(), SwitchError> {
        self.inner.set_mute(leg, muted).await
    }

    async fn ensure_room(&self, room: &str, tenant: &str, treatment: Treatment) -> Result<(), SwitchError> {
        self.inner.ensure_room(room, tenant, treatment).await
    }

    async fn destroy_room(&self, room: &str) -> Result<(), SwitchError> {
        self.inner.destroy_room(room).await
    }

    async fn play(&self, playback: &str, room: &str, announcement: &str) -> Result<(), SwitchError> {
        self.inner.play(playback, room, announcement).await
    }

    async fn stop_playback(&self, playback: &str) -> Result<(), SwitchError> {
        self.inner.stop_playback(playback).await
    }

    async fn start_recording(&self, recording: &str, room: &str, tenant: &str) -> Result<i64, SwitchError> {
        self.inner.start_recording(recording, room, tenant).await
    }

    async fn stop_recording(&self, recording: &str) -> Result<i64, SwitchError> {
        self.inner.stop_recording(recording).await
    }

    async fn fetch(&self, recording: &str) -> Result<BoxStream<'static, Result<Bytes, SwitchError>>, SwitchError> {
        self.inner.fetch(recording).await
    }

    async fn delete_recording(&self, recording: &str) -> Result<(), SwitchError> {
        self.inner.delete_recording(recording).await
    }

    async fn exit(&self, exit: &str, leg: &str, mailbox: &str) -> Result<(), SwitchError> {
        self.inner.exit(exit, leg, mailbox).await
    }
}
