//! Directories as large as the limits allow: no answer is larger than a client accepts.

use baton_api::error::{ApiError, ErrorReason};
use baton_api::presence::v1::{ListTeamsRequest, TargetFilter, WatchTargetsRequest};
use baton_runtime::auth::Role;
use baton_store::{Affected as _, on};
use uuid::Uuid;

use crate::world::World;

const AGENTS: usize = 9_900;
const TEAMS: usize = 12;

impl World {
    /// Almost as many agents as a picker shows, with long names, and a dozen teams that all of them are in.
    async fn large() -> Self {
        let mut world = Self::new().await;
        let db = world.database().await;
        let mut tx = db.begin().await.unwrap();
        for n in 0..AGENTS {
            let id = baton_runtime::ids::new_uuid();
            on!(&mut tx, conn => sqlx::query(
                "INSERT INTO agents (tenant, agent_id, name, name_key, email, phone, voicemail, etag, look, shape)
                 VALUES ('acme', $1, $2, $3, '', 'p', FALSE, 'e', $3, $3)")
                .bind(id)
                .bind(format!("{}{n}", "😀".repeat(92)))
                .bind(format!("key{n}"))
                .affected(conn)
                .await)
            .unwrap();
        }
        for n in 0..TEAMS {
            let id = baton_runtime::ids::new_uuid();
            on!(&mut tx, conn => sqlx::query(
                "INSERT INTO teams (tenant, team_id, name, name_key, etag, look, shape) VALUES ('acme', $1, $2, $2, 'e', $2, $2)")
                .bind(id)
                .bind(format!("team {n}"))
                .affected(conn)
                .await)
            .unwrap();
        }
        let standings = "INSERT INTO standings
                 (tenant, agent_id, online, wish_away, away_reason, not_responding, state_since_us, idle_since_us)
             SELECT tenant, agent_id, FALSE, FALSE, '', FALSE, 0, 0 FROM agents";
        on!(&mut tx, conn => sqlx::query(standings).affected(conn).await).unwrap();
        for n in 0..TEAMS {
            let members = "INSERT INTO team_members SELECT t.tenant, t.team_id, a.agent_id FROM teams t, agents a WHERE t.name = $1";
            on!(&mut tx, conn => sqlx::query(members).bind(format!("team {n}")).affected(conn).await).unwrap();
        }
        tx.commit().await.unwrap();
        world.restart().await;
        world
    }
}

#[tokio::test]
async fn a_page_of_large_teams_ends_early_and_none_is_missed() {
    let world = World::large().await;
    let mut directory = world.directory(Role::Admin);
    let (mut pages, mut names, mut page_token) = (0, Vec::new(), String::new());
    loop {
        let request = ListTeamsRequest { page_size: 500, page_token };
        let page = directory.list_teams(request).await.unwrap().into_inner();
        assert!(page.teams.iter().all(|it| it.agent_ids.len() == AGENTS));
        names.extend(page.teams.into_iter().map(|it| it.name));
        pages += 1;
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    names.sort();
    names.dedup();
    assert_eq!(names.len(), TEAMS);
    assert!((2..TEAMS).contains(&pages), "{pages} pages");
}

#[tokio::test]
async fn a_live_picker_that_would_not_fit_into_a_message_asks_for_a_search() {
    let world = World::large().await;
    let mut presence = world.presence(Uuid::from_u128(7));
    let mut watch = async |search: &str| {
        let filter = TargetFilter { include_unavailable: true, search: search.to_owned(), ..TargetFilter::default() };
        let request = WatchTargetsRequest { filter: Some(filter), ..WatchTargetsRequest::default() };
        presence.watch_targets(request).await.unwrap().into_inner().message().await
    };
    let status = watch("").await.unwrap_err();
    assert_eq!(ApiError::of(&status).reason, ErrorReason::Limit, "{status:?}");
    let found = watch("😀9899").await.unwrap().unwrap();
    assert_eq!((found.complete, found.changed.len()), (true, 1));
}
