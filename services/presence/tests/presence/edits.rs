//! Changes of agents and teams by several admins: none is lost.

use baton_api::error::{ApiError, ErrorReason};
use baton_api::presence::v1::{
    AddTeamMembersRequest, Agent, Capacity, DeleteAgentRequest, GetAgentRequest, GetTeamRequest,
    RemoveTeamMembersRequest, Team, UpdateAgentRequest, UpdateTeamRequest,
};
use baton_runtime::auth::Role;
use prost_types::FieldMask;
use tonic::{Code, Status};
use uuid::Uuid;

use crate::world::{World, fresh};

impl World {
    async fn read_agent(&self, id: Uuid) -> Agent {
        let request = GetAgentRequest { agent_id: id.to_string() };
        self.directory(Role::Admin).get_agent(request).await.unwrap().into_inner().agent.unwrap()
    }

    async fn read_team(&self, id: Uuid) -> Team {
        let request = GetTeamRequest { team_id: id.to_string() };
        self.directory(Role::Agent).get_team(request).await.unwrap().into_inner().team.unwrap()
    }

    /// An update of these fields; none for an empty mask.
    async fn update_agent(&self, agent: Agent, fields: &[&str]) -> Result<Agent, Status> {
        let update_mask = mask(fields);
        let request = UpdateAgentRequest { request_id: fresh(), agent: Some(agent), update_mask };
        Ok(self.directory(Role::Admin).update_agent(request).await?.into_inner().agent.unwrap())
    }

    async fn update_team(&self, team: Team, fields: &[&str]) -> Result<Team, Status> {
        let request = UpdateTeamRequest { request_id: fresh(), team: Some(team), update_mask: mask(fields) };
        Ok(self.directory(Role::Admin).update_team(request).await?.into_inner().team.unwrap())
    }

    async fn add(&self, team: Uuid, agents: &[Uuid]) -> Result<Team, Status> {
        let agent_ids = agents.iter().map(Uuid::to_string).collect();
        let request = AddTeamMembersRequest { request_id: fresh(), team_id: team.to_string(), agent_ids };
        Ok(self.directory(Role::Admin).add_team_members(request).await?.into_inner().team.unwrap())
    }

    async fn remove(&self, team: Uuid, agents: &[Uuid]) -> Result<Team, Status> {
        let agent_ids = agents.iter().map(Uuid::to_string).collect();
        let request = RemoveTeamMembersRequest { request_id: fresh(), team_id: team.to_string(), agent_ids };
        Ok(self.directory(Role::Admin).remove_team_members(request).await?.into_inner().team.unwrap())
    }
}

fn mask(fields: &[&str]) -> Option<FieldMask> {
    (!fields.is_empty()).then(|| FieldMask { paths: fields.iter().map(|it| (*it).to_owned()).collect() })
}

fn assert_conflict(status: &Status) {
    assert_eq!((status.code(), ApiError::of(status).reason), (Code::Aborted, ErrorReason::VersionConflict));
    assert_eq!(ApiError::of(status).retry_after, None, "the same etag is refused again");
    assert!(status.message().contains("Read it again"), "{}", status.message());
}

#[tokio::test]
async fn of_two_who_edit_an_agent_at_once_one_is_refused_and_nothing_is_lost() {
    let world = World::new().await;
    let bob = world.agent("Bob").await;
    let read = world.read_agent(bob).await;
    let one = world.update_agent(Agent { email: "robert@acme.test".to_owned(), ..read.clone() }, &["email"]);
    let two = world.update_agent(Agent { voicemail: true, ..read.clone() }, &["voicemail"]);
    let (one, two) = tokio::join!(one, two);
    let refusal = one.as_ref().err().or(two.as_ref().err()).expect("one is refused");
    assert_conflict(refusal);
    let stored = one.as_ref().or(two.as_ref()).expect("one is not");
    assert_eq!(world.read_agent(bob).await, *stored);
    assert_ne!(stored.etag, read.etag);
    // The one who was refused reads again, and both changes are there.
    let again = Agent { email: "robert@acme.test".to_owned(), voicemail: true, ..stored.clone() };
    world.update_agent(again, &["email", "voicemail"]).await.unwrap();
    let both = world.read_agent(bob).await;
    assert_eq!((both.email.as_str(), both.voicemail, both.name.as_str()), ("robert@acme.test", true, "Bob"));
}

#[tokio::test]
async fn of_two_who_edit_a_team_at_once_one_is_refused_and_nothing_is_lost() {
    let world = World::new().await;
    let (ann, bob) = (world.agent("Ann").await, world.agent("Bob").await);
    let team = world.team("Sales", &[ann]).await;
    let read = world.read_team(team).await;
    world.update_team(Team { name: "Sales 2".to_owned(), ..read.clone() }, &["name"]).await.unwrap();
    let members = Team { agent_ids: vec![bob.to_string()], ..read.clone() };
    assert_conflict(&world.update_team(members.clone(), &["agent_ids"]).await.unwrap_err());
    let stored = world.read_team(team).await;
    assert_eq!((stored.name.as_str(), &stored.agent_ids), ("Sales 2", &vec![ann.to_string()]));
    // Without an etag, the last one wins, in what they name.
    let after = world.update_team(Team { etag: String::new(), ..members }, &["agent_ids"]).await.unwrap();
    assert_eq!((after.name.as_str(), &after.agent_ids), ("Sales 2", &vec![bob.to_string()]));
}

#[tokio::test]
async fn a_client_that_knows_one_field_does_not_erase_the_others() {
    let world = World::new().await;
    let bob = world.agent("Bob").await;
    let before = world.read_agent(bob).await;
    for (name, fields) in [("Rob", &["name"][..]), ("Robert", &[])] {
        let only_the_name = Agent { agent_id: bob.to_string(), name: name.to_owned(), ..Agent::default() };
        let after = world.update_agent(only_the_name, fields).await.unwrap();
        let expected = Agent { name: name.to_owned(), etag: after.etag.clone(), ..before.clone() };
        assert_eq!(after, expected);
    }
    let emptied = Agent { agent_id: bob.to_string(), ..Agent::default() };
    assert_eq!(world.update_agent(emptied, &["email"]).await.unwrap().email, "");
}

#[tokio::test]
async fn an_update_that_changes_nothing_leaves_the_etag_and_a_change_of_presence_does() {
    let world = World::new().await;
    let (bob, _client) = world.online("Bob").await;
    let read = world.read_agent(bob).await;
    assert_eq!(world.update_agent(read.clone(), &["*"]).await.unwrap(), read);
    world.update_agent(Agent { name: "Rob".to_owned(), ..read.clone() }, &["name"]).await.unwrap();
    assert_conflict(&world.update_agent(read, &["*"]).await.unwrap_err());
}

#[tokio::test]
async fn members_are_added_and_removed_whoever_else_does_so() {
    let world = World::new().await;
    let [ann, bob, cy] = [world.agent("Ann").await, world.agent("Bob").await, world.agent("Cy").await];
    let team = world.team("Sales", &[ann]).await;
    let first = world.read_team(team).await;
    let (some, other) = ([ann, bob], [cy]);
    let (one, two) = tokio::join!(world.add(team, &some), world.add(team, &other));
    assert!(one.is_ok() && two.is_ok());
    let full = world.read_team(team).await;
    assert_eq!(full.agent_ids.len(), 3);
    assert_ne!(full.etag, first.etag);
    assert_eq!(world.add(team, &[cy]).await.unwrap().etag, full.etag, "nothing changed");
    let left = world.remove(team, &[ann, cy, Uuid::from_u128(7)]).await.unwrap();
    assert_eq!(left.agent_ids, [bob.to_string()]);
    let unknown = world.add(team, &[Uuid::from_u128(7)]).await.unwrap_err();
    assert_eq!(ApiError::of(&unknown).fields[0].0, "agent_ids");
    assert_eq!(world.remove(team, &[]).await.unwrap_err().code(), Code::InvalidArgument);
    assert_eq!(world.add(Uuid::from_u128(8), &[ann]).await.unwrap_err().code(), Code::NotFound);
    // A member who is deleted is a change of the team, too.
    let delete = DeleteAgentRequest { request_id: fresh(), agent_id: bob.to_string() };
    world.directory(Role::Admin).delete_agent(delete).await.unwrap();
    let empty = world.read_team(team).await;
    assert!(empty.agent_ids.is_empty() && empty.etag != left.etag);
}

#[tokio::test]
async fn an_agents_capacity_is_one_call_and_three_chats_until_an_admin_sets_another() {
    let world = World::new().await;
    let bob = world.agent("Bob").await;
    let read = world.read_agent(bob).await;
    assert_eq!(read.capacity, Some(Capacity { voice: 1, chat: 3, video: 1 }));
    let chats = Capacity { voice: 0, chat: 8, video: 0 };
    let stored = world.update_agent(Agent { capacity: Some(chats), ..read.clone() }, &["capacity"]).await.unwrap();
    assert_eq!((stored.capacity, world.read_agent(bob).await), (Some(chats), stored.clone()));
    assert_ne!(stored.etag, read.etag);
    let voicemail = world.update_agent(Agent { voicemail: true, ..stored.clone() }, &["voicemail"]).await.unwrap();
    assert_eq!(voicemail.capacity, Some(chats), "what is not named stays");
    let again = Agent { capacity: None, ..voicemail.clone() };
    assert_eq!(world.update_agent(again, &["capacity"]).await.unwrap().capacity, read.capacity);
    let too_many =
        Agent { capacity: Some(Capacity { voice: 2, chat: 21, video: 2 }), etag: String::new(), ..voicemail };
    let refused = ApiError::of(&world.update_agent(too_many, &["capacity"]).await.unwrap_err());
    let fields: Vec<_> = refused.fields.iter().map(|it| it.0.as_str()).collect();
    assert_eq!(fields, ["agent.capacity.voice", "agent.capacity.chat", "agent.capacity.video"]);
}
