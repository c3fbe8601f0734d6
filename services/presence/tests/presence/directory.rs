//! The directory, and what tenants see of each other (X1).

use baton_api::error::{ApiError, ErrorReason};
use baton_api::picker;
use baton_api::presence::v1::directory_service_client::DirectoryServiceClient;
use baton_api::presence::v1::{
    Agent, CreateAgentRequest, CreateSiteRequest, CreateTeamRequest, DeleteAgentRequest, DeleteSiteRequest,
    DeleteTeamRequest, GetAgentRequest, GetSiteRequest, ListAgentsRequest, ListInboxRequest, ListSitesRequest,
    ListTargetsRequest, ListTeamsRequest, Site, TargetFilter, Team, UpdateAgentRequest, UpdateSiteRequest,
    UpdateTeamRequest, WatchTargetsRequest,
};
use baton_runtime::auth::Role;
use baton_store::{Affected as _, on};
use prost_types::FieldMask;
use tonic::{Code, Status};
use uuid::Uuid;

use crate::world::{World, fresh};

fn reason(status: &Status) -> ErrorReason {
    ApiError::of(status).reason
}

fn ada() -> Agent {
    Agent { name: "Ada".to_owned(), phone: "ada".to_owned(), ..Agent::default() }
}

#[tokio::test]
async fn a_repeated_request_creates_once_and_is_answered_the_same() {
    let world = World::new().await;
    let request = CreateAgentRequest { request_id: fresh(), agent: Some(ada()) };
    let first = world.directory(Role::Admin).create_agent(request.clone()).await.unwrap().into_inner();
    let second = world.directory(Role::Admin).create_agent(request.clone()).await.unwrap().into_inner();
    assert_eq!(first, second);
    let listed = world.directory(Role::Admin).list_agents(ListAgentsRequest::default()).await.unwrap();
    assert_eq!(listed.into_inner().agents.len(), 1);
    let other = CreateAgentRequest { agent: Some(Agent { name: "Bob".to_owned(), ..ada() }), ..request };
    let status = world.directory(Role::Admin).create_agent(other).await.unwrap_err();
    assert_eq!(reason(&status), ErrorReason::RequestIdReused);
}

#[tokio::test]
async fn another_tenants_agent_is_as_missing_as_one_that_never_was() {
    let world = World::new().await;
    let bob = world.agent("Bob").await;
    let mut stranger = DirectoryServiceClient::new(world.channel("other", "boss", Role::Admin));
    let mut refusals = Vec::new();
    for id in [bob, Uuid::from_u128(7)] {
        let agent_id = id.to_string();
        let status = stranger.get_agent(GetAgentRequest { agent_id: agent_id.clone() }).await.unwrap_err();
        refusals.push((status.code(), status.message().to_owned()));
        let delete = DeleteAgentRequest { request_id: fresh(), agent_id: agent_id.clone() };
        let status = stranger.delete_agent(delete).await.unwrap_err();
        refusals.push((status.code(), status.message().to_owned()));
        let agent = Some(Agent { agent_id: agent_id.clone(), ..ada() });
        let update = UpdateAgentRequest { request_id: fresh(), agent, update_mask: None };
        let status = stranger.update_agent(update).await.unwrap_err();
        refusals.push((status.code(), status.message().to_owned()));
        let team = Team { name: "Sales".to_owned(), agent_ids: vec![agent_id.clone()], ..Team::default() };
        let create = CreateTeamRequest { request_id: fresh(), team: Some(team) };
        let status = stranger.create_team(create).await.unwrap_err();
        refusals.push((status.code(), status.message().replace(&agent_id, "X")));
    }
    assert_eq!(refusals[..4], refusals[4..]);
    assert!(refusals[..3].iter().all(|it| it.0 == Code::NotFound));
    // The same id is theirs to use, so that it reveals nothing.
    let agent = Some(Agent { agent_id: bob.to_string(), ..ada() });
    stranger.create_agent(CreateAgentRequest { request_id: fresh(), agent }).await.unwrap();
}

#[tokio::test]
async fn an_agent_who_is_online_cannot_be_deleted() {
    let world = World::new().await;
    let (bob, _client) = world.online("Bob").await;
    let delete = DeleteAgentRequest { request_id: fresh(), agent_id: bob.to_string() };
    let status = world.directory(Role::Admin).delete_agent(delete).await.unwrap_err();
    assert_eq!(reason(&status), ErrorReason::InUse);
    let off = world.agent("Off").await;
    let team = world.team("Sales", &[bob, off]).await;
    let delete = DeleteAgentRequest { request_id: fresh(), agent_id: off.to_string() };
    world.directory(Role::Admin).delete_agent(delete).await.unwrap();
    let teams = world.directory(Role::Admin).list_teams(ListTeamsRequest::default()).await.unwrap().into_inner();
    assert_eq!(teams.teams[0].agent_ids, [bob.to_string()]);
    let delete = DeleteTeamRequest { request_id: fresh(), team_id: team.to_string() };
    world.directory(Role::Admin).delete_team(delete).await.unwrap();
    let teams = world.directory(Role::Admin).list_teams(ListTeamsRequest::default()).await.unwrap().into_inner();
    assert!(teams.teams.is_empty());
}

#[tokio::test]
async fn agents_read_the_directory_and_do_not_change_it() {
    let world = World::new().await;
    let create = CreateAgentRequest { request_id: fresh(), agent: Some(ada()) };
    let status = world.directory(Role::Agent).create_agent(create).await.unwrap_err();
    assert_eq!(reason(&status), ErrorReason::RoleNotAllowed);
    world.directory(Role::Agent).list_agents(ListAgentsRequest::default()).await.unwrap();
}

#[tokio::test]
async fn lists_are_by_name_in_pages() {
    let world = World::new().await;
    for name in ["cy", "Bob", "ada", "Di"] {
        world.agent(name).await;
    }
    let mut directory = world.directory(Role::Admin);
    let mut names = Vec::new();
    let mut page_token = String::new();
    loop {
        let page = directory.list_agents(ListAgentsRequest { page_size: 2, page_token }).await.unwrap().into_inner();
        names.extend(page.agents.into_iter().map(|it| it.name));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(names, ["ada", "Bob", "cy", "Di"]);
}

#[tokio::test]
async fn s14_a_twin_in_another_script_is_refused_and_so_is_a_second_team_of_the_name() {
    let world = World::new().await;
    let mut directory = world.directory(Role::Admin);
    let mut agent = async |name: &str| {
        let agent = Some(Agent { name: name.to_owned(), phone: fresh(), ..Agent::default() });
        directory.create_agent(CreateAgentRequest { request_id: fresh(), agent }).await
    };
    agent("Ada").await.unwrap();
    agent("Ada").await.expect("two people may have one name");
    for twin in ["\u{410}da", "\u{200b}", "Ada\u{3164}", "\u{202e}adA"] {
        assert_eq!(ApiError::of(&agent(twin).await.unwrap_err()).fields[0].0, "agent.name", "{twin:?}");
    }
    agent("Zed Q").await.unwrap();
    let heap = format!("Z{}", "\u{335}".repeat(99));
    for twin in ["\u{396}\u{435}d Q", "\u{1d419}ed Q", "Zed Q\u{335}", "\u{ff3a}ed Q", "\u{301}", &heap] {
        assert_eq!(ApiError::of(&agent(twin).await.unwrap_err()).fields[0].0, "agent.name", "{twin:?}");
    }
    let spaced = agent("Zed\u{2009}\u{3000}Q").await.unwrap().into_inner().agent.unwrap();
    assert_eq!(spaced.name, "Zed Q");
    let mut directory = world.directory(Role::Admin);
    let mut team = async |name: &str| {
        let team = Some(Team { name: name.to_owned(), ..Team::default() });
        directory.create_team(CreateTeamRequest { request_id: fresh(), team }).await
    };
    let sales = team("Sales").await.unwrap().into_inner().team.unwrap();
    for same in ["Sales", "SALES", " S\u{e0}les "] {
        assert_eq!(reason(&team(same).await.unwrap_err()), ErrorReason::AlreadyExists, "{same}");
    }
    assert_eq!(ApiError::of(&team("S\u{430}les").await.unwrap_err()).fields[0].0, "team.name");
    for (name, twin) in [("Billing", "\u{412}illing"), ("XT", "\u{425}\u{422}")] {
        team(name).await.unwrap();
        assert_eq!(ApiError::of(&team(twin).await.unwrap_err()).fields[0].0, "team.name", "{twin}");
    }
    let other = team("Support").await.unwrap().into_inner().team.unwrap();
    let renamed = Team { name: "sales".to_owned(), ..other };
    let rename = UpdateTeamRequest { request_id: fresh(), team: Some(renamed), update_mask: None };
    let mut directory = world.directory(Role::Admin);
    assert_eq!(reason(&directory.update_team(rename).await.unwrap_err()), ErrorReason::AlreadyExists);
    let itself = Some(Team { name: "SALES".to_owned(), ..sales });
    directory
        .update_team(UpdateTeamRequest { request_id: fresh(), team: itself, update_mask: None })
        .await
        .expect("its own name in capitals");
}

#[tokio::test]
async fn f10_names_are_found_however_they_are_written_also_those_that_a_version_before_stored() {
    let mut world = World::new().await;
    let ada = world.agent("Ada").await;
    for name in ["Gro\u{df}", "Zo\u{eb} \u{dc}nal"] {
        let agent = Some(Agent { name: name.to_owned(), phone: fresh(), ..Agent::default() });
        let create = CreateAgentRequest { request_id: fresh(), agent };
        world.directory(Role::Admin).create_agent(create).await.unwrap();
    }
    let found = async |world: &World, search: &str| {
        let filter = TargetFilter { search: search.to_owned(), include_unavailable: true, ..TargetFilter::default() };
        let request = ListTargetsRequest { filter: Some(filter), ..ListTargetsRequest::default() };
        let targets = world.presence(ada).list_targets(request).await.unwrap().into_inner().targets;
        picker::targets(targets).unwrap().into_iter().map(|it| it.name).collect::<Vec<_>>()
    };
    for restarted in [false, true] {
        if restarted {
            world.stop().await;
            let db = world.database().await;
            let mut tx = db.begin().await.unwrap();
            let old = "UPDATE agents SET look = '', name_key = name";
            on!(tx, conn => sqlx::query(old).affected(conn).await).unwrap();
            tx.commit().await.unwrap();
            db.close().await;
            world.restart().await;
        }
        for search in ["GROSS", "gro\u{df}"] {
            assert_eq!(found(&world, search).await, ["Gro\u{df}"], "{search}");
        }
        for search in ["zoe", "ZOE\u{308}", "unal"] {
            assert_eq!(found(&world, search).await, ["Zo\u{eb} \u{dc}nal"], "{search}");
        }
    }
    let request = ListAgentsRequest { page_size: 1, ..ListAgentsRequest::default() };
    let first = world.directory(Role::Admin).list_agents(request.clone()).await.unwrap().into_inner();
    let next = ListAgentsRequest { page_token: first.next_page_token, ..request };
    let second = world.directory(Role::Admin).list_agents(next).await.unwrap().into_inner();
    assert_eq!((first.agents[0].name.as_str(), second.agents[0].name.as_str()), ("Ada", "Gro\u{df}"));
}

#[tokio::test]
async fn s6_a_deleted_agents_token_and_id_are_good_for_nothing_more() {
    let mut world = World::new().await;
    let (bob, team) = (world.agent("Bob").await, world.team("Sales", &[]).await);
    let read = async |world: &World| {
        world.presence(bob).list_inbox(ListInboxRequest::default()).await.map(drop).map_err(|it| reason(&it))
    };
    assert_eq!(read(&world).await, Ok(()));
    let mut watch = world.presence(bob).watch_targets(WatchTargetsRequest::default()).await.unwrap().into_inner();
    watch.message().await.unwrap();
    let mut directory = world.directory(Role::Admin);
    directory.delete_agent(DeleteAgentRequest { request_id: fresh(), agent_id: bob.to_string() }).await.unwrap();
    directory.delete_team(DeleteTeamRequest { request_id: fresh(), team_id: team.to_string() }).await.unwrap();
    let end = async {
        while watch.message().await?.is_some() {}
        Ok::<_, Status>(())
    };
    assert_eq!(reason(&end.await.unwrap_err()), ErrorReason::AgentDeleted, "a stream that was open");
    for _ in 0..2 {
        assert_eq!(read(&world).await, Err(ErrorReason::AgentDeleted));
        let mut directory = world.directory(Role::Admin);
        let agent = Some(Agent { agent_id: bob.to_string(), ..ada() });
        let status = directory.create_agent(CreateAgentRequest { request_id: fresh(), agent }).await.unwrap_err();
        assert_eq!(reason(&status), ErrorReason::AlreadyExists);
        let team = Some(Team { team_id: team.to_string(), name: "Sales".to_owned(), ..Team::default() });
        let status = directory.create_team(CreateTeamRequest { request_id: fresh(), team }).await.unwrap_err();
        assert_eq!(reason(&status), ErrorReason::AlreadyExists);
        world.restart().await;
    }
}

#[tokio::test]
async fn a_site_is_renamed_in_one_step_and_is_kept_as_long_as_somebody_works_there() {
    let mut world = World::new().await;
    let mut admin = world.directory(Role::Admin);
    let create = |name: &str, site_id: &str| CreateSiteRequest {
        request_id: fresh(),
        site: Some(Site { name: name.to_owned(), site_id: site_id.to_owned(), ..Site::default() }),
    };
    let site = admin.create_site(create("Ghent", "")).await.unwrap().into_inner().site.unwrap();
    let twin = admin.create_site(create("GHENT", "")).await.unwrap_err();
    assert_eq!(twin.code(), Code::AlreadyExists);
    let chosen = admin.create_site(create("Liège", &fresh())).await.unwrap_err();
    assert_eq!(chosen.code(), Code::InvalidArgument, "nobody chooses the id of a site");
    let ada = world.agent("Ada").await;
    let works_at = |site_id: &str| UpdateAgentRequest {
        request_id: fresh(),
        agent: Some(Agent { agent_id: ada.to_string(), site_id: site_id.to_owned(), ..Agent::default() }),
        update_mask: Some(FieldMask { paths: vec!["site_id".to_owned()] }),
    };
    let nowhere = admin.update_agent(works_at(&fresh())).await.unwrap_err();
    assert_eq!(nowhere.code(), Code::InvalidArgument);
    admin.update_agent(works_at(&site.site_id)).await.unwrap();
    let renamed = Site { name: "Gent".to_owned(), ..site.clone() };
    let rename = |site: &Site| UpdateSiteRequest { request_id: fresh(), site: Some(site.clone()), update_mask: None };
    admin.update_site(rename(&renamed)).await.unwrap();
    let stale = admin.update_site(rename(&Site { name: "Gand".to_owned(), ..site.clone() })).await.unwrap_err();
    assert_eq!(stale.code(), Code::Aborted, "somebody has changed it since");
    world.restart().await;
    let mut admin = world.directory(Role::Admin);
    let listed = admin.list_sites(ListSitesRequest::default()).await.unwrap().into_inner().sites;
    assert_eq!(listed.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), ["Gent"]);
    let filter = TargetFilter { site_id: site.site_id.clone(), include_unavailable: true, ..TargetFilter::default() };
    let request = ListTargetsRequest { filter: Some(filter), ..ListTargetsRequest::default() };
    let other = world.agent("Ben").await;
    let shown = world.presence(other).list_targets(request).await.unwrap().into_inner().targets;
    let shown = picker::targets(shown).unwrap();
    assert_eq!((shown.len(), shown[0].site_name.as_str()), (1, "Gent"), "{shown:?}");
    let delete = || DeleteSiteRequest { request_id: fresh(), site_id: site.site_id.clone() };
    assert_eq!(admin.delete_site(delete()).await.unwrap_err().code(), Code::FailedPrecondition);
    admin.update_agent(works_at("")).await.unwrap();
    admin.delete_site(delete()).await.unwrap();
    let get = GetSiteRequest { site_id: site.site_id.clone() };
    assert_eq!(admin.get_site(get).await.unwrap_err().code(), Code::NotFound);
}
