use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use baton_api::event::v1::agent_state_changed::Cause;
use baton_store::change;
use tempfile::TempDir;
use tokio::sync::broadcast::error::TryRecvError;
use uuid::Uuid;

use super::*;
use crate::ids::AgentId;
use crate::ops::agents::create_agent;
use crate::ops::session::{self, SessionWanted};
use crate::record::AgentProfile;
use crate::status::{RequestedState, StatusChange};

const CHANGES: u64 = 64;

/// A core without agents and teams.
pub(crate) async fn open() -> (Arc<PresenceCore>, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let db = baton_store::testing::open(folder.path(), "presence").await;
    db.migrate(&crate::MIGRATIONS).await.unwrap();
    let core = PresenceCore::read(db, Clock::real(), Lifecycle::new(), 15_000_000, AdmissionList::default());
    let core = core.await.unwrap();
    (Arc::new(core), folder)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_changes_at_once_memory_is_what_the_last_one_left() {
    let (core, _folder) = open().await;
    let tenant: TenantId = "acme".parse().unwrap();
    let bob = AgentId(Uuid::from_u128(1));
    let profile = &AgentProfile { name: "Bob".to_owned(), phone: "bob".to_owned(), ..AgentProfile::default() };
    core.change(&tenant, "system", change!(|edit| { create_agent(edit, bob, profile).await })).await.unwrap();
    let changes = (0..CHANGES).map(|n| {
        let (core, tenant) = (Arc::clone(&core), tenant.clone());
        lifecycle::spawn(async move {
            let requested = [StatusChange::StateRequested(RequestedState::Away(format!("{n}")))];
            let requested = &requested;
            core.change(
                &tenant,
                "system",
                change!(|edit| {
                    edit.lock_agents([bob], []).await?;
                    let before = edit.agent(bob).await?.unwrap();
                    Ok(edit.settle(bob, &before.status, requested.clone(), Cause::Requested).await?)
                }),
            )
            .await
        })
    });
    for change in changes.collect::<Vec<_>>() {
        change.await.unwrap().unwrap();
    }
    let mut tx = core.db.begin().await.unwrap();
    let stored = records::get(&mut tx, &tenant, bob).await.unwrap();
    assert_eq!(core.index.tenant(&tenant).agent(bob).as_deref(), stored.as_ref());
}

/// A3, A4: a change of one half of an agent's status never brings back what the other half was.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_changes_of_an_agent_at_once_both_are_kept() {
    let (core, _folder) = open().await;
    let tenant: TenantId = "acme".parse().unwrap();
    let agents: Vec<_> = (1..=32).map(|n| AgentId(Uuid::from_u128(n))).collect();
    for id in &agents {
        let profile = &AgentProfile { name: format!("Agent {id}"), ..AgentProfile::default() };
        core.change(&tenant, "system", change!(|edit| { create_agent(edit, *id, profile).await })).await.unwrap();
    }
    let away = || StatusChange::StateRequested(RequestedState::Away("lunch".to_owned()));
    for (first, second) in [(StatusChange::Connected(None), away()), (StatusChange::Disconnected, away())] {
        let changes = agents.iter().flat_map(|id| [(*id, first.clone()), (*id, second.clone())]);
        let changes = changes.map(|(id, status)| {
            let (core, tenant) = (Arc::clone(&core), tenant.clone());
            lifecycle::spawn(async move {
                let status = &[status];
                core.change(
                    &tenant,
                    "system",
                    change!(|edit| {
                        edit.lock_agents([id], []).await?;
                        let before = edit.agent(id).await?.unwrap();
                        Ok(edit.settle(id, &before.status, status.clone(), Cause::Requested).await?)
                    }),
                )
                .await
            })
        });
        for change in changes.collect::<Vec<_>>() {
            change.await.unwrap().unwrap();
        }
        let online = matches!(first, StatusChange::Connected(_));
        for id in &agents {
            let known = core.index.tenant(&tenant).agent(*id).unwrap();
            assert_eq!(known.status.online, online, "{id}");
            assert_eq!(known.status.requested, RequestedState::Away("lunch".to_owned()), "{id}");
        }
    }
}

/// Clients renew their leases many times a minute: that costs two stores to memory, and nothing that is shown, ordered or written.
#[tokio::test]
async fn a_heartbeat_that_changes_nothing_touches_neither_the_index_nor_the_disk() {
    let (core, folder) = open().await;
    let tenant: TenantId = "acme".parse().unwrap();
    let bob = AgentId(Uuid::from_u128(1));
    let profile = &AgentProfile { name: "Bob".to_owned(), phone: "bob".to_owned(), ..AgentProfile::default() };
    core.change(&tenant, "system", change!(|edit| { create_agent(edit, bob, profile).await })).await.unwrap();
    let key = (tenant.clone(), bob);
    let session = session::open(&core, key.clone(), SessionWanted { requested: None, opening: None }).await.unwrap();
    let mut touched = core.index.tenant(&tenant).watch();
    let before = files(&folder);
    for _ in 0..1_000 {
        session::renew(&core, &key, session.id).unwrap();
    }
    assert_eq!(touched.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(files(&folder), before);
}

/// Length and last change of each file.
fn files(folder: &TempDir) -> Vec<(PathBuf, u64, SystemTime)> {
    let files = std::fs::read_dir(folder.path()).unwrap().map(|it| {
        let (path, seen) = (it.as_ref().unwrap().path(), it.as_ref().unwrap().metadata().unwrap());
        (path, seen.len(), seen.modified().unwrap())
    });
    let mut files: Vec<_> = files.collect();
    files.sort();
    files
}
