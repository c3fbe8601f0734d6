//! `ExplainInteraction`: what happened in an interaction, and why (B612). It reads the events that are kept in the outbox: nothing is derived a second
//! time from the state, so that the explanation says what was decided then, and by which rules.

use super::{InteractionApi, parse};
use crate::{command_handler::not_found, live::Live, store::events::aggregate};
use baton_api::{
    ApiError,
    common::v1::Actor,
    data_class,
    event::v1::{Event, EventData},
    event_type,
    plain::{self, Mentioned, Names, sentence},
    presence::v1::{LookupAgentsRequest, LookupTeamsRequest},
    transfer::v1::{ExplainInteractionRequest, ExplainInteractionResponse, ExplainedStep},
};
use baton_bus::parse_actor;
use baton_domain::{Target, interaction::Party, machine::FlowStep};
use baton_runtime::auth::{Caller, Role};
use baton_store::outbox::{self, EventsOf, OutboxRow};
use prost::Message as _;
use std::collections::BTreeSet;
use tonic::Status;

/// So many ids may be looked up at once.
const LOOKED_UP: usize = 100;
/// More than the events about transfers that an interaction can have: each starts and ends once, and there are a hundred at most.
const MOST_BOUNDS: i64 = 10_000;

/// The events of one transfer: those from its start to its end, and those that followed from the end in the same moment.
#[derive(Debug, Clone, PartialEq, Eq)]
struct TransferSpan {
    transfer_id: String,
    /// The sequence of its start.
    first: i64,
    /// The sequence and the time of its end; none while it is open.
    end: Option<(i64, i64)>,
    /// The sequence of the next one's start.
    next: Option<i64>,
}

impl TransferSpan {
    fn has(&self, row: &OutboxRow) -> bool {
        let until_end = |(end, at_us)| row.sequence <= end || row.time_us == at_us;
        let before_next = self.next.is_none_or(|next| row.sequence < next);
        row.sequence >= self.first && before_next && self.end.is_none_or(until_end)
    }
}

/// What is to be explained.
enum Extent<'a> {
    All,
    Transfer(&'a TransferSpan),
    /// A transfer of which no event is kept.
    Gone,
}

impl Extent<'_> {
    fn begins_after(&self) -> i64 {
        match self {
            Self::Transfer(span) => span.first - 1,
            Self::All | Self::Gone => 0,
        }
    }

    fn has(&self, row: &OutboxRow) -> bool {
        match self {
            Self::All => true,
            Self::Transfer(span) => span.has(row),
            Self::Gone => false,
        }
    }
}

impl InteractionApi {
    pub(super) async fn explain(
        &self,
        caller: &Caller,
        asked: &ExplainInteractionRequest,
    ) -> Result<ExplainInteractionResponse, Status> {
        let live = self.handler.visible(caller, &asked.interaction_id).await?;
        let limit = parse::page_size(asked.page_size)? as usize;
        let after = parse_token(&asked.page_token)?;
        let spans = self.spans(&live).await?;
        let extent = wanted_extent(&live, &asked.transfer_id, &spans)?;
        let complete = match extent {
            Extent::All => self.read(&live, "%", 0, 1).await?.first().is_some_and(|oldest| oldest.sequence == 1),
            Extent::Transfer(span) => span.first > 0,
            Extent::Gone => return Ok(ExplainInteractionResponse::default()),
        };
        // One more than requested tells whether there is a next page.
        let mut rows = self.read(&live, "%", after.max(extent.begins_after()), limit as i64 + 1).await?;
        let own = rows.iter().take_while(|row| extent.has(row)).count();
        rows.truncate(own);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next_page_token = rows.last().filter(|_| more).map(|row| row.sequence.to_string()).unwrap_or_default();
        let steps = self.steps(&live, caller, &rows, &spans).await?;
        Ok(ExplainInteractionResponse { steps, next_page_token, complete })
    }

    async fn read(&self, live: &Live, types: &str, after: i64, limit: i64) -> Result<Vec<OutboxRow>, Status> {
        let aggregate = aggregate(live.id);
        let wanted = EventsOf { tenant: &live.tenant, aggregate: &aggregate, types, after, limit };
        Ok(outbox::of_aggregate(&self.handler.db, wanted).await?)
    }

    async fn spans(&self, live: &Live) -> Result<Vec<TransferSpan>, Status> {
        let rows = self.read(live, "transfer.%", 0, MOST_BOUNDS).await?;
        let bounds = rows.iter().map(|row| Ok((row, data_of(row)?)));
        Ok(spans_of(&bounds.collect::<Result<Vec<_>, Status>>()?))
    }

    async fn steps(
        &self,
        live: &Live,
        caller: &Caller,
        rows: &[OutboxRow],
        spans: &[TransferSpan],
    ) -> Result<Vec<ExplainedStep>, Status> {
        let events = rows.iter().map(event_of).collect::<Result<Vec<_>, Status>>()?;
        let names = match caller.role {
            Role::Analyst => Names::default(),
            _ => self.names(live, &events).await,
        };
        let steps = rows.iter().zip(events).map(|(row, event)| {
            let step = step(row, event, &names, spans);
            if caller.role == Role::Analyst { data_class::conceal(&step) } else { step }
        });
        Ok(steps.collect())
    }

    /// The names of all who are mentioned: as the interaction has them, or as they are now. While presence is away, those who are not in the interaction
    /// stay without.
    async fn names(&self, live: &Live, events: &[Event]) -> Names {
        let mut names: Names = names_in(live).collect();
        let mut missing = Mentioned::default();
        for event in events {
            missing.add(event);
        }
        let unknown = |ids: BTreeSet<String>| ids.into_iter().filter(|id| !names.knows(id)).collect::<Vec<_>>();
        let (agents, teams) = (unknown(missing.agents), unknown(missing.teams));
        let tenant = live.tenant.to_string();
        for some in agents.chunks(LOOKED_UP) {
            let lookup = LookupAgentsRequest { tenant: tenant.clone(), agent_ids: some.to_vec() };
            match self.peers.presence.clone().lookup_agents(lookup).await {
                Ok(found) => names.extend(found.into_inner().agents.into_iter().map(|it| (it.agent_id, it.name))),
                Err(error) => tracing::warn!(%error, "agents have no names in an explanation"),
            }
        }
        for some in teams.chunks(LOOKED_UP) {
            let lookup = LookupTeamsRequest { tenant: tenant.clone(), team_ids: some.to_vec() };
            match self.peers.presence.clone().lookup_teams(lookup).await {
                Ok(found) => names.extend(found.into_inner().teams.into_iter().map(|it| (it.team_id, it.name))),
                Err(error) => tracing::warn!(%error, "teams have no names in an explanation"),
            }
        }
        names
    }
}

/// Where the page begins: after this event.
fn parse_token(token: &str) -> Result<i64, Status> {
    match token {
        "" => Ok(0),
        token => token.parse().ok().filter(|after| *after > 0).ok_or_else(parse::bad_page_token),
    }
}

fn wanted_extent<'a>(live: &Live, transfer_id: &str, spans: &'a [TransferSpan]) -> Result<Extent<'a>, Status> {
    if transfer_id.is_empty() {
        return Ok(Extent::All);
    }
    let no = parse::transfer_of(live.id, transfer_id)?;
    if no.0 == 0 || no.0 > live.counters.transfer {
        return Err(not_found("transfer"));
    }
    Ok(spans.iter().find(|span| span.transfer_id == no.of(live.id)).map_or(Extent::Gone, Extent::Transfer))
}

fn spans_of(events: &[(&OutboxRow, EventData)]) -> Vec<TransferSpan> {
    use baton_api::event::v1::event_data::Data;
    let mut spans: Vec<TransferSpan> = Vec::new();
    for (row, event) in events {
        let (transfer_id, ends) = match &event.data {
            Some(Data::TransferStarted(it)) => (&it.transfer_id, false),
            Some(Data::TransferCompleted(it)) => (&it.transfer_id, true),
            Some(Data::TransferDiverted(it)) => (&it.transfer_id, true),
            Some(Data::TransferFailed(it)) => (&it.transfer_id, true),
            Some(Data::TransferCancelled(it)) => (&it.transfer_id, true),
            Some(Data::TransferAbandoned(it)) => (&it.transfer_id, true),
            _ => continue,
        };
        let end = ends.then_some((row.sequence, row.time_us));
        if let Some(open) = spans.last_mut().filter(|span| span.transfer_id == *transfer_id) {
            open.end = end;
            continue;
        }
        if let Some(before) = spans.last_mut() {
            before.next = Some(row.sequence);
        }
        // Of one whose start is no longer kept, what is kept belongs to it up to its end.
        let first = if ends { 0 } else { row.sequence };
        spans.push(TransferSpan { transfer_id: transfer_id.clone(), first, end, next: None });
    }
    spans
}

fn data_of(row: &OutboxRow) -> Result<EventData, Status> {
    EventData::decode(row.payload.as_slice()).map_err(|error| {
        tracing::error!(event.id = %row.id, error = %error, "an event's payload can't be read");
        ApiError::internal(format!("Event {} can't be read; the service's log says why.", row.id)).into()
    })
}

fn event_of(row: &OutboxRow) -> Result<Event, Status> {
    Ok(Event {
        r#type: event_type::whole(&row.event_type),
        sequence: row.sequence,
        time: Some(crate::convert::words::at(row.time_us)),
        actor: Some(parse_actor(&row.actor)),
        data: Some(data_of(row)?),
        ..Event::default()
    })
}

fn step(row: &OutboxRow, event: Event, names: &Names, spans: &[TransferSpan]) -> ExplainedStep {
    let Event { r#type, sequence, time, actor, data, .. } = event;
    let EventData { cause, data } = data.unwrap_or_default();
    let what = data.and_then(|data| sentence::of(&data, names)).unwrap_or_else(|| row.event_type.clone());
    let why = plain::why(cause.as_ref(), actor.as_ref().filter(|it| **it != Actor::default()), names);
    let transfer_id = spans.iter().find(|span| span.has(row)).map(|span| span.transfer_id.clone()).unwrap_or_default();
    ExplainedStep { sequence, time, what, why, cause, actor, r#type, transfer_id }
}

/// Whoever is, was, or was to be in it, by id.
fn names_in(live: &Live) -> impl Iterator<Item = (String, String)> + '_ {
    let agent = |agent: &baton_domain::AgentRef| (agent.id.to_string(), agent.name.to_string());
    let of_target = move |target: &Target| match target {
        Target::Agent(own) => agent(own),
        Target::Team { id, name } => (id.to_string(), name.to_string()),
        Target::IvrFlow(flow) => (flow.id.to_string(), flow.name.to_string()),
    };
    let parties = live.agents().filter_map(Party::agent).map(agent);
    let targets = live.journey.iter().map(|hop| &hop.target).chain(live.transfer.iter().map(|open| &open.target));
    let initiator = live.transfer.iter().map(move |open| agent(&open.initiator));
    let steps = live.flow.steps.iter().filter_map(move |step| match step {
        FlowStep::RingAgent { agent: own, .. } => Some(agent(own)),
        FlowStep::RingTeam { team, name, .. } => Some((team.to_string(), name.to_string())),
        FlowStep::Voicemail(_) | FlowStep::Disconnect => None,
    });
    parties.chain(targets.map(of_target)).chain(initiator).chain(steps)
}

#[cfg(test)]
mod tests {
    use super::*;
    use baton_api::event::v1::{TransferFailed, TransferStarted, event_data::Data};

    fn row(sequence: i64, time_us: i64) -> OutboxRow {
        OutboxRow {
            id: uuid::Uuid::nil(),
            tenant: "acme".into(),
            aggregate: "interaction/1".into(),
            sequence,
            event_type: "transfer.x".into(),
            area: "transfer".into(),
            payload: Vec::new(),
            actor: "system".into(),
            traceparent: String::new(),
            time_us,
        }
    }

    fn starts(sequence: i64, time_us: i64, id: &str) -> (OutboxRow, EventData) {
        let data = Data::TransferStarted(TransferStarted { transfer_id: id.to_owned(), ..TransferStarted::default() });
        (row(sequence, time_us), EventData { data: Some(data), cause: None })
    }

    fn fails(sequence: i64, time_us: i64, id: &str) -> (OutboxRow, EventData) {
        let data = Data::TransferFailed(TransferFailed { transfer_id: id.to_owned(), ..TransferFailed::default() });
        (row(sequence, time_us), EventData { data: Some(data), cause: None })
    }

    /// The transfer that an event at this place belongs to.
    fn of(bounds: &[(OutboxRow, EventData)], sequence: i64, time_us: i64) -> Option<String> {
        let events: Vec<_> = bounds.iter().map(|(row, data)| (row, data.clone())).collect();
        let spans = spans_of(&events);
        spans.into_iter().find(|span| span.has(&row(sequence, time_us))).map(|span| span.transfer_id)
    }

    #[test]
    fn b612_a_transfer_has_what_came_of_its_end_at_once_and_nothing_later() {
        let rows = [starts(3, 30, "a"), fails(6, 60, "a"), starts(9, 60, "b")];
        assert_eq!(of(&rows, 2, 20), None, "before the start");
        for (sequence, time_us) in [(3, 30), (5, 50), (6, 60), (7, 60)] {
            assert_eq!(of(&rows, sequence, time_us).as_deref(), Some("a"), "{sequence}");
        }
        assert_eq!(of(&rows, 8, 61), None, "later");
        for (sequence, time_us) in [(9, 60), (10, 60), (99, 999)] {
            assert_eq!(of(&rows, sequence, time_us).as_deref(), Some("b"), "{sequence}");
        }
    }

    #[test]
    fn b612_a_transfer_whose_start_is_no_longer_kept_has_what_is_kept_of_it() {
        let rows = [fails(6, 60, "a")];
        assert_eq!(of(&rows, 5, 50).as_deref(), Some("a"));
        assert_eq!(of(&rows, 7, 70), None);
    }
}
