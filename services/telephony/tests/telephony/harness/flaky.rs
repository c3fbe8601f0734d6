//! The real backend, with faults that a test can switch on.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use baton_runtime::telemetry;
use baton_telephony::switch::simulated::SimulatedSwitch;
use baton_telephony::switch::{
    CommandResult, FetchedRecording, LegEnd, SwitchCommand, SwitchEvent, SwitchEventKind, SwitchPort, SwitchPortError,
    SwitchSession, SwitchSnapshot, execute_one,
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
    lost: Mutex<Vec<SwitchCommand>>,
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
            execute_one(&self.inner, call).await.unwrap();
        }
    }

    /// Why this command fails, if it is to.
    async fn fault(&self, command: &SwitchCommand) -> Option<SwitchPortError> {
        let no_answer = || Some(SwitchPortError::Unknown("on purpose".to_owned()));
        match command {
            SwitchCommand::Dial(_) if self.slow_dial.load(Ordering::SeqCst) => {
                self.lost.lock().unwrap().push(command.clone());
                no_answer()
            }
            SwitchCommand::Move { .. } if self.stuck.load(Ordering::SeqCst) => {
                self.moves_tried.fetch_add(1, Ordering::SeqCst);
                no_answer()
            }
            SwitchCommand::Move { .. } => {
                let trace = telemetry::current_trace().map(|it| it.trace_id());
                self.traces.lock().unwrap().push(trace.unwrap_or_default());
                let fenced_in = self.fenced_in.load(Ordering::SeqCst);
                if fenced_in == 0 || fenced_in != self.sessions.load(Ordering::SeqCst) {
                    return None;
                }
                self.both.wait().await;
                Some(SwitchPortError::Fenced)
            }
            SwitchCommand::StartRecording { .. } if self.begins_nothing.load(Ordering::SeqCst) => {
                self.begins_tried.fetch_add(1, Ordering::SeqCst);
                std::future::pending().await
            }
            _ => None,
        }
    }
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

    async fn execute(&self, commands: &[SwitchCommand]) -> Vec<CommandResult> {
        let mut results = Vec::new();
        // Those before the one that fails go to the switch, which may refuse one of them.
        for (at, command) in commands.iter().enumerate() {
            if let Some(error) = self.fault(command).await {
                if at > 0 {
                    results = self.inner.execute(&commands[..at]).await;
                }
                if results.len() == at {
                    results.push(Err(error));
                }
                return results;
            }
        }
        self.inner.execute(commands).await
    }

    async fn how_ended(&self, leg: &str) -> Result<Option<LegEnd>, SwitchPortError> {
        self.inner.how_ended(leg).await
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
}
