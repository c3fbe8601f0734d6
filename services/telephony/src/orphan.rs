//! Calls, legs, rooms and recordings on the switch that belong to no interaction that is known here.
//!
//! The transfer service is notified of an inbound call until a plan claims the call. A leg that an earlier run of this
//! service dialled is hung up only if the transfer service answers that it is not wanted: no answer is no reason. Legs that
//! are neither inbound nor dialled by telephony are left alone. A recording of a finished interaction is there because the
//! switch has lost its deletion: it is uploaded once more, which ends with another deletion.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use baton_api::error::ErrorReason;
use baton_api::transfer::v1::intake_service_client::IntakeServiceClient;
use baton_api::transfer::v1::{GetWantedRequest, OpenInteractionRequest, OpenInteractionResponse};
use baton_api::{ApiError, ErrorKind};
use baton_runtime::client::InternalChannel;
use baton_store::Db;
use baton_words::SwitchId;
use parking_lot::Mutex;

use crate::name_registry::{NameRegistry, Orphans};
use crate::plan::InteractionId;
use crate::report::ReportContext;
use crate::retry;
use crate::store::{self, PersistError, StoreWrite};
use crate::switch::{
    ClosedRecording, InboundCall, SwitchCommand, SwitchPort, SwitchPortError, execute_one, gone_is_done,
};

const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// Time for the plan of an opened interaction to come, before the transfer service is asked what became of it.
const PLAN_PAUSE: Duration = Duration::from_secs(5);
/// After this many failed tries a leg is left to the next snapshot.
const HANG_UP_TRIES: u32 = 10;
/// Legs that are asked about at once; the others are asked about after the next snapshot.
const MOST_QUESTIONS: usize = 64;

/// Finds out what orphans are, and removes those that are not wanted.
pub struct OrphanResolver {
    pub db: Db,
    pub switch: Arc<dyn SwitchPort>,
    pub switch_id: SwitchId,
    pub context: ReportContext,
    pub names: Arc<NameRegistry>,
    /// Legs that are being asked about.
    pub asking: Mutex<HashSet<String>>,
}

impl OrphanResolver {
    /// Handles what a snapshot showed of no known interaction.
    pub fn resolve(self: &Arc<Self>, orphans: Orphans) {
        for call in orphans.calls {
            self.open(call);
        }
        for (leg, interaction) in orphans.legs {
            self.ask_about(leg, interaction);
        }
        if !orphans.rooms.is_empty() {
            let this = Arc::clone(self);
            self.context.lifecycle.spawn("remove stray rooms", async move { this.destroy(orphans.rooms).await });
        }
        if !orphans.closed.is_empty() {
            let this = Arc::clone(self);
            self.context.lifecycle.spawn("upload left recordings", async move { this.upload(orphans.closed).await });
        }
    }

    /// Notifies the transfer service of an inbound call.
    pub fn open(self: &Arc<Self>, call: InboundCall) {
        let this = Arc::clone(self);
        self.context.lifecycle.spawn("open an interaction", async move { this.notify(call).await });
    }

    /// Repeats the notice until a plan claims the call.
    async fn notify(&self, call: InboundCall) {
        let backoff = retry::endless(SHORTEST_PAUSE, LONGEST_PAUSE);
        let mut failures = 0;
        while self.names.is_unclaimed(&call.leg) {
            let request = OpenInteractionRequest {
                tenant: call.tenant.clone(),
                leg: call.leg.clone(),
                number: call.to.clone(),
                customer: call.from.clone(),
                switch_id: self.switch_id.to_string(),
            };
            let pause = match self.intake().open_interaction(request).await {
                Ok(answer) => {
                    let OpenInteractionResponse { interaction_id, over } = answer.into_inner();
                    if over {
                        return self.end(&call).await;
                    }
                    if self.pause(PLAN_PAUSE).await.is_none() || self.is_over(&call, interaction_id).await {
                        return;
                    }
                    SHORTEST_PAUSE
                }
                Err(status) if self.is_refused(&call, &status).await => return,
                Err(_) => {
                    failures += 1;
                    backoff.pause(failures)
                }
            };
            if self.pause(pause).await.is_none() {
                return;
            }
        }
    }

    /// Hangs the call up if the transfer service has refused it for good.
    async fn is_refused(&self, call: &InboundCall, status: &tonic::Status) -> bool {
        let error = ApiError::of(status);
        // A tenant that is suspended, or has as many calls as it may. Where everybody's calls are too many for the moment, this one waits.
        let of_tenant = error.kind == ErrorKind::PermissionDenied || error.reason == ErrorReason::Limit;
        let refused = of_tenant
            || matches!(error.kind, ErrorKind::NotFound | ErrorKind::InvalidArgument | ErrorKind::FailedPrecondition);
        if refused {
            tracing::info!(%error, "a call that came in is refused");
            self.end(call).await;
        } else {
            tracing::debug!(%error, "the transfer service does not take calls now");
        }
        refused
    }

    /// Hangs the call up if no plan has claimed it because its interaction is over.
    async fn is_over(&self, call: &InboundCall, interaction_id: String) -> bool {
        if !self.names.is_unclaimed(&call.leg) {
            return true;
        }
        let answer = self.intake().get_wanted(GetWantedRequest { interaction_id }).await;
        let over = answer.is_ok_and(|it| it.get_ref().leg_ids.is_empty());
        if over {
            tracing::info!(leg.id = %call.leg, "a call whose interaction is over is hung up");
            self.end(call).await;
        }
        over
    }

    async fn end(&self, call: &InboundCall) {
        self.hang_up(&call.leg).await;
        self.names.forget_call(&call.leg);
    }

    fn ask_about(self: &Arc<Self>, leg: String, interaction: InteractionId) {
        {
            let mut asking = self.asking.lock();
            if asking.len() >= MOST_QUESTIONS || !asking.insert(leg.clone()) {
                return;
            }
        }
        let this = Arc::clone(self);
        self.context.lifecycle.spawn("ask about a stray leg", async move {
            this.hang_up_if_unwanted(&leg, &interaction).await;
            this.asking.lock().remove(&leg);
        });
    }

    async fn hang_up_if_unwanted(&self, leg: &str, interaction: &InteractionId) {
        let request = GetWantedRequest { interaction_id: interaction.to_string() };
        match self.intake().get_wanted(request).await {
            Ok(answer) => {
                let wanted = answer.into_inner();
                if !wanted.known || !wanted.leg_ids.iter().any(|it| it == leg) {
                    tracing::info!(interaction.id = %interaction, leg.id = leg, "a leg that nobody wants is hung up");
                    self.hang_up(leg).await;
                }
            }
            Err(error) => {
                tracing::debug!(%error, "whether a stray leg is wanted is not known; asking again after the next snapshot");
            }
        }
    }

    async fn hang_up(&self, leg: &str) {
        let backoff = retry::endless(SHORTEST_PAUSE, LONGEST_PAUSE);
        for attempt in 1..=HANG_UP_TRIES {
            let command = SwitchCommand::HangUp { leg: leg.to_owned(), no_answer: false };
            match gone_is_done(execute_one(&*self.switch, command).await) {
                Ok(()) | Err(SwitchPortError::Refused(_) | SwitchPortError::Fenced) => return,
                Err(_) if self.pause(backoff.pause(attempt)).await.is_none() => return,
                Err(_) => {}
            }
        }
    }

    /// An interaction may have begun to use the room meanwhile: then the room is not empty, or is created again.
    async fn destroy(&self, rooms: Vec<String>) {
        for room in rooms {
            let known = InteractionId::of_name(&room).is_some_and(|(id, _)| self.names.handle(&id).is_some());
            if known {
                continue;
            }
            let command = SwitchCommand::DestroyRoom { room };
            if let Err(error) = gone_is_done(execute_one(&*self.switch, command).await) {
                tracing::debug!(%error, "a stray room could not be removed");
            }
        }
    }

    async fn upload(&self, left: Vec<ClosedRecording>) {
        for closed in left {
            if let Err(error) = self.upload_if_finished(&closed).await {
                tracing::debug!(%error, "what a recording belongs to can't be read; it is looked up again after the next snapshot");
            }
        }
    }

    async fn upload_if_finished(&self, closed: &ClosedRecording) -> Result<(), PersistError> {
        let Some((interaction, _)) = InteractionId::of_name(&closed.recording) else { return Ok(()) };
        if let Some(owner) = store::owner_if_finished(&self.db, interaction, &closed.recording).await? {
            tracing::info!(segment.id = %closed.recording, "the switch still has a recording of a finished interaction");
            self.context.journal.post(StoreWrite::Upload(owner.upload(closed, false))).await;
        }
        Ok(())
    }

    fn intake(&self) -> IntakeServiceClient<InternalChannel> {
        self.context.intake.clone()
    }

    async fn pause(&self, pause: Duration) -> Option<()> {
        let stopping = self.context.lifecycle.soft();
        stopping.run_until_cancelled(self.context.clock.sleep(pause)).await
    }
}
