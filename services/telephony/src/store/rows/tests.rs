//! Statements that decide something: what is reported again, what takes the place of what, what is forgotten.

use super::*;
use crate::store::{MIGRATOR, due_uploads, plan_of, things, unfinished};
use baton_store::Db;

async fn empty() -> (tempfile::TempDir, Db) {
    let folder = tempfile::tempdir().unwrap();
    let db = Db::open(folder.path().join("telephony.db")).await.unwrap();
    db.migrate(&MIGRATOR).await.unwrap();
    (folder, db)
}

#[tokio::test]
async fn observations_that_are_committed_are_not_reported_again_and_all_others_are() {
    let (_folder, db) = empty().await;
    let interaction = InteractionId::parse("01970000-0000-7000-8000-000000000001").unwrap();
    let mut tx = db.begin().await.unwrap();
    for position in 1..=4 {
        let key = Key::leg(&position.to_string());
        let row = ThingRow {
            interaction: interaction.clone(),
            key: key.clone(),
            name: String::new(),
            detail: String::new(),
            boot_id: String::new(),
        };
        put_thing(&mut tx, &row).await.unwrap();
        put_fact(&mut tx, &interaction, &key, &[], position).await.unwrap();
    }
    acked(&mut tx, &interaction, &[1, 3]).await.unwrap();
    tx.commit().await.unwrap();
    let restored = things(&db, &interaction).await.unwrap();
    let unacked: Vec<_> = restored.things.iter().filter_map(|thing| thing.unacked).collect();
    assert_eq!(unacked, [2, 4]);
}
async fn upload(db: &Db, header: u8, lost: bool) {
    let mut tx = db.begin().await.unwrap();
    put_upload(&mut tx, &UploadRow { segment: "s".into(), header: vec![header], lost, ..UploadRow::default() })
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

async fn uploaded(db: &Db, lost: bool) {
    let mut tx = db.begin().await.unwrap();
    delete_upload(&mut tx, "s", lost).await.unwrap();
    tx.commit().await.unwrap();
}

async fn listed(db: &Db) -> Vec<(Vec<u8>, bool)> {
    due_uploads(db, 0, 10).await.unwrap().into_iter().map(|row| (row.header, row.lost)).collect()
}

#[tokio::test]
async fn a_file_that_turns_up_takes_the_place_of_a_segment_that_was_given_up_and_never_the_reverse() {
    let (_folder, db) = empty().await;
    upload(&db, 1, true).await;
    upload(&db, 2, false).await;
    assert_eq!(listed(&db).await, [(vec![2], false)]);
    upload(&db, 3, true).await;
    assert_eq!(listed(&db).await, [(vec![2], false)]);
    uploaded(&db, true).await;
    assert_eq!(listed(&db).await, [(vec![2], false)], "told as lost while the file turned up");
    uploaded(&db, false).await;
    assert_eq!(listed(&db).await, []);
}

fn id(number: u64) -> InteractionId {
    InteractionId::parse(&format!("01970000-0000-7000-8000-{number:012}")).unwrap()
}

/// A plan that ended then, and with it a thing, whose fact is acknowledged or not.
async fn ended(tx: &mut Tx, number: u64, ended_at_us: Option<i64>, is_acked: bool) {
    let interaction = id(number);
    let (tenant, plan) = ("acme".into(), vec![]);
    put_plan(tx, &PlanRow { interaction: interaction.clone(), tenant, version: 1, plan, ended_at_us, finished: false })
        .await
        .unwrap();
    let (key, name) = (Key::leg("a"), String::new());
    let (detail, boot_id) = (name.clone(), name.clone());
    put_thing(tx, &ThingRow { interaction: interaction.clone(), key: key.clone(), name, detail, boot_id })
        .await
        .unwrap();
    put_fact(tx, &interaction, &key, &[], i64::from(!is_acked)).await.unwrap();
}

#[tokio::test]
async fn tombstones_are_forgotten_the_oldest_first_and_none_of_which_something_is_to_be_reported() {
    let (_folder, db) = empty().await;
    let mut tx = db.begin().await.unwrap();
    for number in 1..=6 {
        ended(&mut tx, number, (number != 5).then_some(number as i64), number != 2).await;
        if number != 3 {
            finish(&mut tx, &id(number)).await.unwrap();
        }
    }
    tx.commit().await.unwrap();
    let live: Vec<_> = unfinished(&db).await.unwrap().into_iter().map(|row| row.interaction).collect();
    assert_eq!(live, [id(3), id(5)], "the others are tombstones");

    let mut tx = db.begin().await.unwrap();
    prune(&mut tx, 6, 1).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(kept(&db).await, [2, 3, 4, 5, 6], "so many at once");
    let mut tx = db.begin().await.unwrap();
    prune(&mut tx, 6, 10).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(kept(&db).await, [2, 3, 5, 6], "not acknowledged, not finished, live, too young");
}

/// Both the plan and its things, or neither.
async fn kept(db: &Db) -> Vec<u64> {
    let mut kept = Vec::new();
    for number in 1..=6 {
        let (plan, things) = (plan_of(db, &id(number)).await.unwrap(), things(db, &id(number)).await.unwrap());
        assert_eq!(plan.is_some(), !things.things.is_empty());
        kept.extend(plan.map(|_| number));
    }
    kept
}

#[tokio::test]
async fn a_row_that_can_not_be_read_hides_no_other() {
    let (_folder, db) = empty().await;
    let mut tx = db.begin().await.unwrap();
    for number in 1..=3 {
        ended(&mut tx, number, None, true).await;
    }
    for sql in [
        "UPDATE plans SET version = -1 WHERE interaction = '01970000-0000-7000-8000-000000000001'",
        "UPDATE plans SET interaction = 'none' WHERE interaction = '01970000-0000-7000-8000-000000000002'",
        "INSERT INTO things SELECT interaction, 'unheard', id, name, detail, boot_id, fact, position, acked FROM things",
        "UPDATE things SET fact = X'FF' WHERE kind = 'leg'",
    ] {
        on!(tx, conn => sqlx::query(sql).execute(conn).await).unwrap();
    }
    tx.commit().await.unwrap();
    let live: Vec<_> = unfinished(&db).await.unwrap().into_iter().map(|row| row.interaction).collect();
    assert_eq!(live, [id(3)]);
    assert!(plan_of(&db, &id(1)).await.unwrap().is_none(), "the next plan takes its place");
    let things = things(&db, &id(3)).await.unwrap().things;
    assert_eq!(things.len(), 1);
    assert!(things[0].thing.confirmed && things[0].thing.fact.is_none(), "it was asked for, and is looked for");
}
