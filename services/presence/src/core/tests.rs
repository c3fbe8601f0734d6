use std::sync::Arc;

use baton_api::event::v1::agent_state_changed::Cause;
use baton_store::change;
use tempfile::TempDir;
use uuid::Uuid;

use super::*;
use crate::ids::AgentId;
use crate::ops::agents::create_agent;
use crate::record::AgentProfile;
use crate::status::{RequestedState, StatusChange};

const CHANGES: u64 = 256;

/// A core without agents and teams.
pub(crate) async fn open() -> (Arc<PresenceCore>, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let db = baton_store::testing::open(folder.path(), "presence").await;
    db.migrate(&baton_store::migrations!()).await.unwrap();
    let core = PresenceCore::read(db, Clock::real(), Lifecycle::new(), 15_000_000, AdmissionList::default());
    let core = core.await.unwrap();
    (Arc::new(core), folder)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_changes_at_once_memory_is_what_the_last_one_left() {
    let (core, _folder) = open().await;
    let tenant: TenantId = "acme".parse().unwrap();
    let bob = AgentId(Uuid::from_u128(1));
    let profile =
        &AgentProfile { name: "Bob".to_owned(), email: String::new(), phone: "bob".to_owned(), voicemail: false };
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
