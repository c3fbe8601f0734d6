//! `SimulatorService`: the actions of the people at the phones, and what tests read.

use baton_api::simulator::v1 as proto;
use baton_api::simulator::v1::simulator_service_server::SimulatorService;
use baton_runtime::{CallerExt as _, ids};
use futures::{StreamExt as _, future, stream};
use prost::Message;
use tonic::{Request, Response, Status};

use crate::driver::{SwitchHandle, SwitchState};
use crate::engine::ids::{ExitId, LegId, RecordingId};
use crate::engine::phones::PlacedCall;
use crate::engine::{LedgerAction, PhoneRecord, SwitchError, TrackKey};
use crate::replays::IdempotentRequest;
use crate::storage::TrackFolder;

use super::events::Answers;
use super::{convert, files, ledger, status};

const USUAL_PHONES: usize = 100;
const MOST_PHONES: usize = 1_000;
const MOST_HEARD: usize = 1_000;
const USUAL_LINES: usize = 1_000;
const MOST_LINES: usize = 10_000;

#[derive(Clone)]
pub struct SimulatorApi {
    switch: SwitchHandle,
    tracks: TrackFolder,
}

impl SimulatorApi {
    pub(crate) fn new(switch: SwitchHandle, tracks: TrackFolder) -> Self {
        Self { switch, tracks }
    }

    /// Makes a change for the caller's tenant, once for each request id.
    async fn once<Q: SimulatorChange, A: Message + Default + 'static>(
        &self,
        request: Request<Q>,
        act: impl FnOnce(&mut SwitchState, &str, &Q) -> Result<A, SwitchError> + Send + 'static,
    ) -> Result<Response<A>, Status> {
        let (tenant, subject) = (tenant(&request)?, request.caller()?.subject.clone());
        let request = request.into_inner();
        let answer = self.switch.with(move |state| {
            let request_id = request.request_id();
            let change =
                IdempotentRequest { tenant: &tenant, subject: &subject, method: Q::METHOD, request_id, body: &request };
            state.once(&change, |state| act(state, &tenant, &request))
        });
        Ok(Response::new(answer.await??))
    }
}

/// A request of the simulator that changes something, and so has a request id.
trait SimulatorChange: Message + 'static {
    const METHOD: &'static str;

    fn request_id(&self) -> &str;
}

macro_rules! simulator_changes {
    ($($request:ident),+ $(,)?) => {
        $(impl SimulatorChange for proto::$request {
            const METHOD: &'static str = stringify!($request);

            fn request_id(&self) -> &str {
                &self.request_id
            }
        })+
    };
}

simulator_changes!(
    PutPhoneRequest,
    DeletePhoneRequest,
    PlaceCallRequest,
    AnswerPhoneRequest,
    DeclinePhoneRequest,
    HangUpPhoneRequest,
    MutePhoneRequest,
    PressKeysRequest,
);

#[tonic::async_trait]
impl SimulatorService for SimulatorApi {
    type GetHeardStream = Answers<proto::GetHeardResponse>;
    type GetMessageStream = Answers<proto::GetMessageResponse>;

    async fn put_phone(
        &self,
        request: Request<proto::PutPhoneRequest>,
    ) -> Result<Response<proto::PutPhoneResponse>, Status> {
        let put = |state: &mut SwitchState, tenant: &str, it: &proto::PutPhoneRequest| {
            let record = state.engine.put_phone(PhoneRecord {
                tenant: tenant.to_owned(),
                address: it.address.clone(),
                tone_hz: tone(it.tone_hz)?,
                behaviour: convert::behaviour(it.behaviour),
            })?;
            Ok(proto::PutPhoneResponse { phone: Some(convert::phone(state, &record)) })
        };
        self.once(request, put).await
    }

    async fn list_phones(
        &self,
        request: Request<proto::ListPhonesRequest>,
    ) -> Result<Response<proto::ListPhonesResponse>, Status> {
        let tenant = tenant(&request)?;
        let it = request.into_inner();
        let size = page(it.page_size, USUAL_PHONES, MOST_PHONES);
        let listed = self.switch.with(move |state| {
            let page = state.engine.phones(&tenant, &it.page_token).take(size + 1);
            page.map(|record| convert::phone(state, record)).collect::<Vec<_>>()
        });
        let mut phones = listed.await?;
        let more = phones.len() > size;
        phones.truncate(size);
        let last = phones.last().filter(|_| more);
        let next_page_token = last.map(|phone| phone.address.clone()).unwrap_or_default();
        Ok(Response::new(proto::ListPhonesResponse { phones, next_page_token }))
    }

    async fn delete_phone(
        &self,
        request: Request<proto::DeletePhoneRequest>,
    ) -> Result<Response<proto::DeletePhoneResponse>, Status> {
        let delete = |state: &mut SwitchState, tenant: &str, it: &proto::DeletePhoneRequest| {
            state.engine.delete_phone(tenant, &it.address)?;
            Ok(proto::DeletePhoneResponse {})
        };
        self.once(request, delete).await
    }

    async fn place_call(
        &self,
        request: Request<proto::PlaceCallRequest>,
    ) -> Result<Response<proto::PlaceCallResponse>, Status> {
        let fresh = LegId::parse(&format!("in-{}", ids::new_uuid()))?;
        let place = |state: &mut SwitchState, tenant: &str, it: &proto::PlaceCallRequest| {
            let (from, to) = (it.from.clone(), it.to.clone());
            let call = PlacedCall { tenant: tenant.to_owned(), from, to, tone_hz: tone(it.tone_hz)? };
            let leg_id = state.engine.place_call(&call, fresh)?.to_string();
            Ok(proto::PlaceCallResponse { leg_id })
        };
        self.once(request, place).await
    }

    async fn answer_phone(
        &self,
        request: Request<proto::AnswerPhoneRequest>,
    ) -> Result<Response<proto::AnswerPhoneResponse>, Status> {
        let act = |state: &mut SwitchState, tenant: &str, it: &proto::AnswerPhoneRequest| {
            let legs = state.engine.answer_phone(tenant, &convert::selector(it.phone.as_ref())?)?;
            Ok(proto::AnswerPhoneResponse { leg_ids: texts(&legs) })
        };
        self.once(request, act).await
    }

    async fn decline_phone(
        &self,
        request: Request<proto::DeclinePhoneRequest>,
    ) -> Result<Response<proto::DeclinePhoneResponse>, Status> {
        let act = |state: &mut SwitchState, tenant: &str, it: &proto::DeclinePhoneRequest| {
            let legs = state.engine.decline_phone(tenant, &convert::selector(it.phone.as_ref())?)?;
            Ok(proto::DeclinePhoneResponse { leg_ids: texts(&legs) })
        };
        self.once(request, act).await
    }

    async fn hang_up_phone(
        &self,
        request: Request<proto::HangUpPhoneRequest>,
    ) -> Result<Response<proto::HangUpPhoneResponse>, Status> {
        let act = |state: &mut SwitchState, tenant: &str, it: &proto::HangUpPhoneRequest| {
            let legs = state.engine.hang_up_phone(tenant, &convert::selector(it.phone.as_ref())?)?;
            Ok(proto::HangUpPhoneResponse { leg_ids: texts(&legs) })
        };
        self.once(request, act).await
    }

    async fn mute_phone(
        &self,
        request: Request<proto::MutePhoneRequest>,
    ) -> Result<Response<proto::MutePhoneResponse>, Status> {
        let act = |state: &mut SwitchState, tenant: &str, it: &proto::MutePhoneRequest| {
            let legs = state.engine.mute_phone(tenant, &convert::selector(it.phone.as_ref())?, it.muted)?;
            Ok(proto::MutePhoneResponse { leg_ids: texts(&legs) })
        };
        self.once(request, act).await
    }

    async fn press_keys(
        &self,
        request: Request<proto::PressKeysRequest>,
    ) -> Result<Response<proto::PressKeysResponse>, Status> {
        let act = |state: &mut SwitchState, tenant: &str, it: &proto::PressKeysRequest| {
            let legs = state.engine.press_keys(tenant, &convert::selector(it.phone.as_ref())?, &it.keys)?;
            Ok(proto::PressKeysResponse { leg_ids: texts(&legs) })
        };
        self.once(request, act).await
    }

    async fn get_heard(
        &self,
        request: Request<proto::GetHeardRequest>,
    ) -> Result<Response<Self::GetHeardStream>, Status> {
        use proto::get_heard_response::Part;
        let tenant = tenant(&request)?;
        let leg = LegId::parse(&request.into_inner().leg_id)?;
        let path = self.tracks.wav(&TrackKey::Heard(leg.clone()));
        let found = self.switch.with(move |state| state.engine.heard_on(&tenant, &leg).ok_or_else(|| leg.not_found()));
        let record = found.await??;
        self.switch.sync().await?;
        let data = files::so_far(&path, record.sample_count).await;
        let data = data.map_err(|error| status::unreadable(&error))?;
        let data = data.map(|piece| piece.map(Part::Data).map_err(|error| status::unreadable(&error)));
        let parts = stream::once(future::ready(Ok(Part::Heard(convert::heard(&record))))).chain(data);
        let answers = parts.map(|part| part.map(|part| proto::GetHeardResponse { part: Some(part) }));
        Ok(Response::new(Box::pin(answers)))
    }

    async fn get_message(
        &self,
        request: Request<proto::GetMessageRequest>,
    ) -> Result<Response<Self::GetMessageStream>, Status> {
        let tenant = tenant(&request)?;
        let id = RecordingId::of_voicemail(&ExitId::parse(&request.into_inner().exit_id)?);
        let path = self.tracks.wav(&TrackKey::Recording(id.clone()));
        let is_own = self.switch.with(move |state| {
            // An unfinished message and another tenant's get the same answer.
            let is_own = state.engine.finished_recording(&id).is_ok_and(|message| message.tenant == tenant);
            if is_own { Ok(()) } else { Err(id.not_found()) }
        });
        is_own.await??;
        let data = files::whole(&path).await.map_err(|error| status::unreadable(&error))?;
        let answers = data.map(|piece| match piece {
            Ok(data) => Ok(proto::GetMessageResponse { data }),
            Err(error) => Err(status::unreadable(&error)),
        });
        Ok(Response::new(Box::pin(answers)))
    }

    async fn list_heard(
        &self,
        request: Request<proto::ListHeardRequest>,
    ) -> Result<Response<proto::ListHeardResponse>, Status> {
        let tenant = tenant(&request)?;
        let address = request.into_inner().address;
        let listed = self.switch.with(move |state| {
            let records = state.engine.heard(&tenant);
            let wanted = records.filter(|record| address.is_empty() || record.address == address);
            wanted.map(|record| convert::heard(&record)).collect::<Vec<_>>()
        });
        let mut heard = listed.await?;
        heard.drain(..heard.len().saturating_sub(MOST_HEARD));
        Ok(Response::new(proto::ListHeardResponse { heard }))
    }

    async fn get_ledger(
        &self,
        request: Request<proto::GetLedgerRequest>,
    ) -> Result<Response<proto::GetLedgerResponse>, Status> {
        let tenant = tenant(&request)?;
        let it = request.into_inner();
        let size = page(it.page_size, USUAL_LINES, MOST_LINES);
        let page = self.switch.with(move |state| ledger_page(state, &tenant, it.after_sequence, size));
        Ok(Response::new(page.await?))
    }

    async fn get_stats(
        &self,
        _request: Request<proto::GetStatsRequest>,
    ) -> Result<Response<proto::GetStatsResponse>, Status> {
        Ok(Response::new(self.switch.with(|state| stats(state)).await?))
    }
}

fn ledger_page(state: &SwitchState, tenant: &str, after: i64, size: usize) -> proto::GetLedgerResponse {
    let is_for_all = |action: &LedgerAction| matches!(action, LedgerAction::Booted | LedgerAction::ControlTaken { .. });
    let visible = state.ledger_after(after).filter(|entry| entry.tenant == tenant || is_for_all(&entry.action));
    let mut entries: Vec<_> = visible.take(size + 1).map(|entry| ledger::entry(entry)).collect();
    let more = entries.len() > size;
    entries.truncate(size);
    let last = entries.last().filter(|_| more).map(|entry| entry.sequence);
    proto::GetLedgerResponse {
        next_after_sequence: last.unwrap_or_else(|| state.engine.ledger_sequence().max(after)),
        more,
        truncated: state.first_kept().is_some_and(|first| first > after + 1),
        entries,
    }
}

fn stats(switch: &SwitchState) -> proto::GetStatsResponse {
    let (engine, stats) = (&switch.engine, &switch.stats);
    proto::GetStatsResponse {
        boot_id: engine.boot_id().to_owned(),
        started_at_us: stats.started_at_us,
        frames: stats.frames,
        frames_late_20_ms: stats.late_20_ms,
        frames_late_60_ms: stats.late_60_ms,
        max_lateness_us: stats.max_lateness_us,
        mixing_time_us: stats.mixing_us,
        legs: engine.legs().len() as i32,
        rooms: engine.rooms().len() as i32,
        live_recordings: engine.live_recordings().len() as i32,
    }
}

fn tenant<T>(request: &Request<T>) -> Result<String, Status> {
    Ok(request.caller()?.tenant()?.to_string())
}

fn texts(legs: &[LegId]) -> Vec<String> {
    legs.iter().map(ToString::to_string).collect()
}

fn tone(hz: i32) -> Result<u32, SwitchError> {
    u32::try_from(hz).map_err(|_| SwitchError::invalid("tone_hz", "must be 0 or 300 to 3900"))
}

fn page(size: i32, usual: usize, most: usize) -> usize {
    match usize::try_from(size) {
        Ok(0) | Err(_) => usual,
        Ok(size) => size.min(most),
    }
}
