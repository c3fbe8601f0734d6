//! Statements with a condition: what is reported again, which row replaces which, what is removed.

use super::*;
use crate::store::{MIGRATIONS, due_uploads, operations, plan_of, unfinished};
use baton_store::Db;

async fn empty() -> (tempfile::TempDir, Db) {
    let folder = tempfile::tempdir().unwrap();
    let db = baton_store::testing::open(folder.path(), "telephony").await;
    db.migrate(&MIGRATIONS).await.unwrap();
    (folder, db)
}

#[tokio::test]
async fn observations_that_are_committed_are_not_reported_again_and_all_others_are() {
    let (_folder, db) = empty().await;
    let interaction = InteractionId::parse("01970000-0000-7000-8000-000000000001").unwrap();
    let mut tx = db.begin().await.unwrap();
    for position in 1..=4 {
        let key = OperationKey::leg(&position.to_string());
        let row = OperationRow {
            interaction: interaction.clone(),
            key: key.clone(),
            name: String::new(),
            detail: String::new(),
            boot_id: String::new(),
        };
        put_operation(&mut tx, &row).await.unwrap();
        put_fact(&mut tx, &interaction, &key, &[], position).await.unwrap();
    }
    acknowledge(&mut tx, &interaction, &[1, 3]).await.unwrap();
    tx.commit().await.unwrap();
    let restored = operations(&db, &interaction).await.unwrap();
    let unacknowledged: Vec<_> = restored.operations.iter().filter_map(|operation| operation.unacknowledged).collect();
    assert_eq!(unacknowledged, [2, 4]);
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
async fn a_file_that_appears_replaces_a_segment_that_was_given_up_and_never_the_reverse() {
    let (_folder, db) = empty().await;
    upload(&db, 1, true).await;
    upload(&db, 2, false).await;
    assert_eq!(listed(&db).await, [(vec![2], false)]);
    upload(&db, 3, true).await;
    assert_eq!(listed(&db).await, [(vec![2], false)]);
    uploaded(&db, true).await;
    assert_eq!(listed(&db).await, [(vec![2], false)], "uploaded as lost while the file appeared");
    uploaded(&db, false).await;
    assert_eq!(listed(&db).await, []);
}

fn id(number: u64) -> InteractionId {
    InteractionId::parse(&format!("01970000-0000-7000-8000-{number:012}")).unwrap()
}

/// A plan that ended at this time, with one operation, whose fact is acknowledged or not.
async fn ended(tx: &mut Tx, number: u64, ended_at_us: Option<i64>, is_acknowledged: bool) {
    let interaction = id(number);
    let (tenant, plan) = ("acme".into(), vec![]);
    put_plan(tx, &PlanRow { interaction: interaction.clone(), tenant, version: 1, plan, ended_at_us, finished: false })
        .await
        .unwrap();
    let (key, name) = (OperationKey::leg("a"), String::new());
    let (detail, boot_id) = (name.clone(), name.clone());
    put_operation(tx, &OperationRow { interaction: interaction.clone(), key: key.clone(), name, detail, boot_id })
        .await
        .unwrap();
    put_fact(tx, &interaction, &key, &[], i64::from(!is_acknowledged)).await.unwrap();
}

#[tokio::test]
async fn tombstones_are_pruned_the_oldest_first_and_none_with_facts_to_report() {
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

/// The numbers of the plans that are left. Plan and operations are always removed together.
async fn kept(db: &Db) -> Vec<u64> {
    let mut kept = Vec::new();
    for number in 1..=6 {
        let (plan, operations) = (plan_of(db, &id(number)).await.unwrap(), operations(db, &id(number)).await.unwrap());
        assert_eq!(plan.is_some(), !operations.operations.is_empty());
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
    ] {
        tx.statement(sql).affected().await.unwrap();
    }
    let broken = "UPDATE things SET fact = $1 WHERE kind = 'leg'";
    tx.statement(broken).bind(vec![0xff_u8]).affected().await.unwrap();
    tx.commit().await.unwrap();
    let live: Vec<_> = unfinished(&db).await.unwrap().into_iter().map(|row| row.interaction).collect();
    assert_eq!(live, [id(3)]);
    assert!(plan_of(&db, &id(1)).await.unwrap().is_none(), "the next plan takes its place");
    let operations = operations(&db, &id(3)).await.unwrap().operations;
    assert_eq!(operations.len(), 1);
    assert!(
        operations[0].operation.confirmed && operations[0].operation.fact.is_none(),
        "it was asked for, and is looked for"
    );
}
