//! The real backend, with faults that a test can switch on.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use baton_api::common::v1::IvrElement;
use baton_runtime::telemetry;
use baton_telephony::plan::Treatment;
use baton_telephony::switch::simulated::SimulatedSwitch;
use baton_telephony::switch::{
    DialCall, FetchedRecording, LegEnd, SwitchEvent, SwitchEventKind, SwitchPort, SwitchPortError, SwitchSession,
    SwitchSnapshot,
};
use futures::StreamExt as _;
use tokio::sync::Barrier;

pub(crate) struct FlakySwitch {
    inner: SimulatedSwitch,
    /// Moves fail.
    pub(crate) stuck: AtomicBool,
    /// Moves that were tried while they failed.
    pub(crate) moves_tried: AtomicUsize,
    /// Sessions so far.
    pub(crate) sessions: AtomicUsize,
    /// The session in which two moves at once find another controller; 0: none.
    pub(crate) fenced_in: AtomicUsize,
    both: Barrier,
    /// Dials are held back until `let_go`, and answered as unknown.
    pub(crate) slow_dial: AtomicBool,
    lost: Mutex<Vec<DialCall>>,
    /// Recordings are not begun, and nobody is answered.
    pub(crate) begins_nothing: AtomicBool,
    /// Recordings that were to begin while none did.
    pub(crate) begins_tried: AtomicUsize,
    /// Deletions are answered, and files stay.
    pub(crate) keeps_files: AtomicBool,
    pub(crate) files: Arc<Mutex<Files>>,
    /// Recordings that were fetched, each time.
    pub(crate) fetched: Mutex<Vec<String>>,
    /// The traces in which legs were moved.
    pub(crate) traces: Mutex<Vec<String>>,
}

/// What the switch says of recordings that are complete.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Files {
    #[default]
    Complete,
    /// They are still being written.
    InWork,
    /// They are not there.
    Hidden,
}

impl FlakySwitch {
    pub(crate) fn new(inner: SimulatedSwitch) -> Self {
        Self {
            inner,
            stuck: AtomicBool::default(),
            moves_tried: AtomicUsize::default(),
            sessions: AtomicUsize::default(),
            fenced_in: AtomicUsize::default(),
            both: Barrier::new(2),
            slow_dial: AtomicBool::default(),
            lost: Mutex::default(),
            begins_nothing: AtomicBool::default(),
            begins_tried: AtomicUsize::default(),
            keeps_files: AtomicBool::default(),
            files: Arc::default(),
            fetched: Mutex::default(),
            traces: Mutex::default(),
        }
    }

    fn files(&self) -> Files {
        *self.files.lock().unwrap()
    }

    /// The dials that were held back arrive, long after they were given up.
    pub(crate) async fn let_go(&self) {
        let lost = std::mem::take(&mut *self.lost.lock().unwrap());
        for call in lost {
            self.inner.dial(&call).await.unwrap();
        }
    }
}

fn no_answer<T>() -> Result<T, SwitchPortError> {
    Err(SwitchPortError::Unknown("on purpose".to_owned()))
}

#[async_trait]
impl SwitchPort for FlakySwitch {
    async fn connect(&self, after_epoch: i64) -> Result<SwitchSession, SwitchPortError> {
        let mut session = self.inner.connect(after_epoch).await?;
        self.sessions.fetch_add(1, Ordering::SeqCst);
        let files = Arc::clone(&self.files);
        let hide = move |mut event: SwitchEvent| {
            if matches!(event.kind, SwitchEventKind::RecordingClosed(_)) && *files.lock().unwrap() != Files::Complete {
                event.kind = SwitchEventKind::Other;
            }
            event
        };
        session.events = session.events.map(move |event| event.map(&hide)).boxed();
        Ok(session)
    }

    async fn snapshot(&self) -> Result<SwitchSnapshot, SwitchPortError> {
        let mut snapshot = self.inner.snapshot().await?;
        match self.files() {
            Files::Complete => {}
            Files::InWork => {
                snapshot.recordings.extend(snapshot.closed.drain(..).map(|it| (it.recording, it.started_at_us)));
            }
            Files::Hidden => snapshot.closed.clear(),
        }
        Ok(snapshot)
    }

    async fn dial(&self, call: &DialCall) -> Result<(), SwitchPortError> {
        if self.slow_dial.load(Ordering::SeqCst) {
            self.lost.lock().unwrap().push(call.clone());
            return no_answer();
        }
        self.inner.dial(call).await
    }

    async fn answer(&self, leg: &str) -> Result<(), SwitchPortError> {
        self.inner.answer(leg).await
    }

    async fn hang_up(&self, leg: &str, no_answer: bool) -> Result<(), SwitchPortError> {
        self.inner.hang_up(leg, no_answer).await
    }

    async fn how_ended(&self, leg: &str) -> Result<Option<LegEnd>, SwitchPortError> {
        self.inner.how_ended(leg).await
    }

    async fn move_leg(&self, leg: &str, room: &str) -> Result<(), SwitchPortError> {
        if self.stuck.load(Ordering::SeqCst) {
            self.moves_tried.fetch_add(1, Ordering::SeqCst);
            return no_answer();
        }
        let trace = telemetry::current_trace().map(|it| it.trace_id());
        self.traces.lock().unwrap().push(trace.unwrap_or_default());
        let fenced_in = self.fenced_in.load(Ordering::SeqCst);
        if fenced_in > 0 && fenced_in == self.sessions.load(Ordering::SeqCst) {
            self.both.wait().await;
            return Err(SwitchPortError::Fenced);
        }
        self.inner.move_leg(leg, room).await
    }

    async fn take_out(&self, leg: &str) -> Result<(), SwitchPortError> {
        self.inner.take_out(leg).await
    }

    async fn set_mute(&self, leg: &str, muted: bool) -> Result<(), SwitchPortError> {
        self.inner.set_mute(leg, muted).await
    }

    async fn ensure_room(&self, room: &str, tenant: &str, treatment: Treatment) -> Result<(), SwitchPortError> {
        self.inner.ensure_room(room, tenant, treatment).await
    }

    async fn destroy_room(&self, room: &str) -> Result<(), SwitchPortError> {
        self.inner.destroy_room(room).await
    }

    async fn play(&self, playback: &str, room: &str, announcement: &str) -> Result<(), SwitchPortError> {
        self.inner.play(playback, room, announcement).await
    }

    async fn stop_playback(&self, playback: &str) -> Result<(), SwitchPortError> {
        self.inner.stop_playback(playback).await
    }

    async fn start_recording(&self, recording: &str, room: &str, tenant: &str) -> Result<i64, SwitchPortError> {
        if self.begins_nothing.load(Ordering::SeqCst) {
            self.begins_tried.fetch_add(1, Ordering::SeqCst);
            return std::future::pending().await;
        }
        self.inner.start_recording(recording, room, tenant).await
    }

    async fn stop_recording(&self, recording: &str) -> Result<i64, SwitchPortError> {
        self.inner.stop_recording(recording).await
    }

    async fn fetch(&self, recording: &str) -> Result<FetchedRecording, SwitchPortError> {
        self.fetched.lock().unwrap().push(recording.to_owned());
        match self.files() {
            Files::Complete => self.inner.fetch(recording).await,
            Files::InWork => Err(SwitchPortError::Refused("not complete".to_owned())),
            Files::Hidden => Err(SwitchPortError::Gone),
        }
    }

    async fn delete_recording(&self, recording: &str) -> Result<(), SwitchPortError> {
        if self.keeps_files.load(Ordering::SeqCst) { Ok(()) } else { self.inner.delete_recording(recording).await }
    }

    fn message_of(&self, exit: &str) -> String {
        self.inner.message_of(exit)
    }

    async fn exit(&self, exit: &str, leg: &str, mailbox: &str) -> Result<(), SwitchPortError> {
        self.inner.exit(exit, leg, mailbox).await
    }

    async fn run_flow(&self, exit: &str, leg: &str, flow: &[IvrElement]) -> Result<(), SwitchPortError> {
        self.inner.run_flow(exit, leg, flow).await
    }

    async fn recall(&self, exit: &str) -> Result<(), SwitchPortError> {
        self.inner.recall(exit).await
    }
}
