//! What is on the switch and belongs to no interaction that is known here.
//!
//! A call that came in is told to the transfer service, until it says whose it is. A leg that was dialled, by an earlier life
//! of this service, is hung up only if the transfer service, asked, says that it is not wanted: silence is no answer. What
//! does not carry our mark is left alone.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use baton_api::transfer::v1::intake_service_client::IntakeServiceClient;
use baton_api::transfer::v1::{GetWantedRequest, OpenInteractionRequest, OpenInteractionResponse};
use baton_api::{ApiError, Kind};
use baton_runtime::client::InternalChannel;

use crate::book::{Book, Strays};
use crate::plan::InteractionId;
use crate::report::ReportWays;
use crate::retry;
use crate::switch::{InboundCall, Switch, SwitchError, gone_is_done};

const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How long to wait for the plan of an interaction that was opened, before asking what became of it.
const PLAN_PAUSE: Duration = Duration::from_secs(5);
/// After this many refused tries a leg is left to the next look.
const HANG_UP_TRIES: u32 = 10;
/// Legs that are asked about at once; the others are asked about after the next look.
const MOST_QUESTIONS: usize = 64;

/// What is needed to take care of strays.
pub struct StrayWays {
    /// The switch.
    pub switch: Arc<dyn Switch>,
    /// To the transfer service; the time; where tasks run.
    pub ways: ReportWays,
    /// Who is known.
    pub book: Arc<Book>,
    /// Legs that are being asked about.
    pub asking: Mutex<HashSet<String>>,
}

impl StrayWays {
    /// Takes care of what a look showed and nobody knows.
    pub fn take_care(self: &Arc<Self>, strays: Strays) {
        for call in strays.calls {
            self.open(call);
        }
        for (leg, interaction) in strays.legs {
            self.ask(leg, interaction);
        }
        if !strays.rooms.is_empty() {
            let this = Arc::clone(self);
            self.ways.lifecycle.spawn("remove stray rooms", async move { this.destroy(strays.rooms).await });
        }
    }

    /// Tells the transfer service of a call that came in.
    pub fn open(self: &Arc<Self>, call: InboundCall) {
        let this = Arc::clone(self);
        self.ways.lifecycle.spawn("open an interaction", async move { this.announce(call).await });
    }

    /// Repeats it until somebody claims the call, which they do with a plan.
    async fn announce(&self, call: InboundCall) {
        let backoff = retry::endless(SHORTEST_PAUSE, LONGEST_PAUSE);
        let mut failures = 0;
        while self.book.is_unclaimed(&call.leg) {
            let request = OpenInteractionRequest {
                tenant: call.tenant.clone(),
                leg: call.leg.clone(),
                number: call.to.clone(),
                customer: call.from.clone(),
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

    /// The transfer service will not have the call: it is hung up.
    async fn is_refused(&self, call: &InboundCall, status: &tonic::Status) -> bool {
        let error = ApiError::of(status);
        let refused = matches!(error.kind, Kind::NotFound | Kind::InvalidArgument | Kind::FailedPrecondition);
        if refused {
            tracing::info!(%error, "a call that came in is refused");
            self.end(call).await;
        } else {
            tracing::debug!(%error, "the transfer service does not take calls now");
        }
        refused
    }

    /// Nobody has claimed the call, because its interaction is over: it is hung up.
    async fn is_over(&self, call: &InboundCall, interaction_id: String) -> bool {
        if !self.book.is_unclaimed(&call.leg) {
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
        self.book.forget_call(&call.leg);
    }

    fn ask(self: &Arc<Self>, leg: String, interaction: InteractionId) {
        {
            let mut asking = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
            if asking.len() >= MOST_QUESTIONS || !asking.insert(leg.clone()) {
                return;
            }
        }
        let this = Arc::clone(self);
        self.ways.lifecycle.spawn("ask about a stray leg", async move {
            this.hang_up_if_unwanted(&leg, &interaction).await;
            this.asking.lock().unwrap_or_else(PoisonError::into_inner).remove(&leg);
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
                tracing::debug!(%error, "whether a stray leg is wanted is not known; asking again after the next look");
            }
        }
    }

    async fn hang_up(&self, leg: &str) {
        let backoff = retry::endless(SHORTEST_PAUSE, LONGEST_PAUSE);
        for attempt in 1..=HANG_UP_TRIES {
            match gone_is_done(self.switch.hang_up(leg, false).await) {
                Ok(()) | Err(SwitchError::Refused(_) | SwitchError::Fenced) => return,
                Err(_) if self.pause(backoff.pause(attempt)).await.is_none() => return,
                Err(_) => {}
            }
        }
    }

    /// An interaction may have begun to use the room meanwhile: then it is not empty, or is made again.
    async fn destroy(&self, rooms: Vec<String>) {
        for room in rooms {
            let known = InteractionId::of_room(&room).is_some_and(|(id, _)| self.book.slot(&id).is_some());
            if !known && let Err(error) = gone_is_done(self.switch.destroy_room(&room).await) {
                tracing::debug!(%error, "a stray room could not be removed");
            }
        }
    }

    fn intake(&self) -> IntakeServiceClient<InternalChannel> {
        self.ways.intake.clone()
    }

    async fn pause(&self, pause: Duration) -> Option<()> {
        let stopping = self.ways.lifecycle.soft();
        stopping.run_until_cancelled(self.ways.clock.sleep(pause)).await
    }
}
