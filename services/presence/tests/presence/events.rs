//! What the events of this service say.

use std::time::Duration;

use baton_api::common::v1::Reason;
use baton_api::event::v1::Change;
use baton_api::event::v1::agent_state_changed::Cause;
use baton_api::event::v1::directory_changed::{TeamContent, What};
use baton_api::event::v1::event_data::Data;
use baton_api::event::v1::{AgentStateChanged, DirectoryChanged, EventData};
use baton_api::presence::v1::{
    AddTeamMembersRequest, AgentState, DeleteAgentRequest, DeleteTeamRequest, ReleasedClaim, SyncClaimsRequest,
};
use baton_bus::EventMatcher;
use baton_runtime::auth::Role;
use prost::Message as _;
use uuid::Uuid;

use crate::world::{World, engage, eventually, fresh, release, reserve, wants};

impl World {
    /// The events of this type, once there are so many.
    async fn events(&self, event_type: &str, count: usize) -> Vec<Data> {
        let filter = EventMatcher::types([event_type]).unwrap();
        let events = async || self.bus.read(0, &filter, 100).await.unwrap().events;
        eventually(async || events().await.len() >= count).await;
        let data = |payload: &[u8]| EventData::decode(payload).unwrap().data.unwrap();
        events().await.iter().map(|it| data(&it.envelope.payload)).collect()
    }

    async fn state_changes(&self, count: usize) -> Vec<AgentStateChanged> {
        let events = self.events("agent.state_changed", count).await.into_iter();
        events.map(|it| if let Data::AgentStateChanged(it) = it { it } else { panic!("{it:?}") }).collect()
    }

    async fn directory_changes(&self, count: usize) -> Vec<DirectoryChanged> {
        let events = self.events("directory.changed", count).await.into_iter();
        events.map(|it| if let Data::DirectoryChanged(it) = it { it } else { panic!("{it:?}") }).collect()
    }

    async fn leave(&self, interaction: &str, version: u64, released: ReleasedClaim) {
        let request = SyncClaimsRequest { version, released: vec![released], ..wants(interaction, vec![]) };
        self.claims().sync_claims(request).await.unwrap();
    }
}

fn step(it: &AgentStateChanged) -> (AgentState, AgentState, Cause, i64, &str) {
    (it.from(), it.to(), it.cause(), it.previous_state_ms, &it.interaction_id)
}

#[tokio::test]
async fn a_wrap_up_names_its_call_as_it_begins_and_as_it_ends() {
    let mut world = World::new().await;
    let (bob, _client) = world.online("Bob").await;
    world.claims().sync_claims(wants("i1", vec![engage("i1-claim-1", bob)])).await.unwrap();
    world.pass(Duration::from_secs(4)).await;
    world.leave("i1", 2, ReleasedClaim { wrap_up_ms: 6_000, ..release("i1-claim-1", bob) }).await;
    world.restart().await;
    world.pass(Duration::from_secs(6)).await;
    let changes = world.state_changes(3).await;
    let (began, ended) = (step(&changes[1]), step(&changes[2]));
    assert_eq!(began, (AgentState::Available, AgentState::WrapUp, Cause::WrapUpBegan, 4_000, "i1"));
    assert_eq!(ended, (AgentState::WrapUp, AgentState::Available, Cause::WrapUpOver, 6_000, "i1"));
}

#[tokio::test]
async fn an_offer_that_was_missed_and_one_that_was_answered_after_all_name_their_call() {
    let world = World::new().await;
    let (bob, _client) = world.online("Bob").await;
    let until_us = world.clock.after(Duration::from_secs(8));
    world.claims().sync_claims(wants("i1", vec![reserve("i1-claim-1", bob, until_us)])).await.unwrap();
    let missed = ReleasedClaim { reason: Reason::NoAnswer.into(), ..release("i1-claim-1", bob) };
    world.leave("i1", 2, missed).await;
    world.claims().sync_claims(wants("i2", vec![engage("i2-claim-1", bob)])).await.unwrap();
    let changes = world.state_changes(3).await;
    let (missed, answered) = (step(&changes[1]), step(&changes[2]));
    assert_eq!(missed, (AgentState::Available, AgentState::NotResponding, Cause::NoAnswer, 0, "i1"));
    assert_eq!(answered, (AgentState::NotResponding, AgentState::Available, Cause::Answered, 0, "i2"));
}

#[tokio::test]
async fn who_is_in_a_team_can_be_told_from_the_events_alone() {
    let world = World::new().await;
    let (ann, bob) = (world.agent("Ann").await, world.agent("Bob").await);
    let team = world.team("Sales", &[ann]).await;
    let mut admin = world.directory(Role::Admin);
    let (team_id, agent_ids) = (team.to_string(), vec![bob.to_string()]);
    let add = AddTeamMembersRequest { request_id: fresh(), team_id: team_id.clone(), agent_ids };
    admin.add_team_members(add).await.unwrap();
    let agent_id = ann.to_string();
    admin.delete_agent(DeleteAgentRequest { request_id: fresh(), agent_id }).await.unwrap();
    admin.delete_team(DeleteTeamRequest { request_id: fresh(), team_id: team_id.clone() }).await.unwrap();

    let changes = world.directory_changes(7).await;
    let agents = changes.iter().filter(|it| it.what() == What::Agent);
    let agents: Vec<_> = agents.map(|it| (it.id.clone(), it.change(), it.team.is_none())).collect();
    let id = |agent: Uuid| agent.to_string();
    let created = [(id(ann), Change::Created, true), (id(bob), Change::Created, true)];
    assert_eq!(agents, [&created[..], &[(id(ann), Change::Deleted, true)]].concat());
    let mut both = vec![id(ann), id(bob)];
    both.sort();
    let expected = [
        (Change::Created, Some(vec![id(ann)])),
        (Change::Updated, Some(both)),
        (Change::Updated, Some(vec![id(bob)])),
        (Change::Deleted, None),
    ];
    let content =
        |members: Vec<String>| TeamContent { team_id: team_id.clone(), name: "Sales".to_owned(), agent_ids: members };
    let teams = changes.iter().filter(|it| it.what() == What::Team && it.id == team_id);
    let teams: Vec<_> = teams.map(|it| (it.change(), it.team.clone())).collect();
    assert_eq!(teams, expected.map(|(change, members)| (change, members.map(content))));
}
