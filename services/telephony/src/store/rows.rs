//! One function a statement.

use baton_store::{Tx, on};
use sqlx::Error;

use crate::plan::InteractionId;
use crate::thing::Key;

/// The newest plan of an interaction.
#[derive(Clone, Debug)]
pub struct PlanRow {
    /// The interaction.
    pub interaction: InteractionId,
    /// The tenant.
    pub tenant: String,
    /// The plan's version.
    pub version: u64,
    /// The plan as it came, encoded.
    pub plan: Vec<u8>,
    /// When its end was seen; `None` while it lives.
    pub ended_at_us: Option<i64>,
}

/// A thing that the switch is about to be asked for.
#[derive(Clone, Debug)]
pub struct ThingRow {
    /// The interaction.
    pub interaction: InteractionId,
    /// The thing.
    pub key: Key,
    /// Its name on the switch.
    pub name: String,
    /// See [`crate::thing::Thing::detail`].
    pub detail: String,
    /// The run of the switch.
    pub boot_id: String,
}

/// A closed segment that is not in the archive yet.
#[derive(Clone, Debug)]
pub struct UploadRow {
    /// The segment.
    pub segment: String,
    /// Its header, encoded.
    pub header: Vec<u8>,
    /// The header says that there is no file.
    pub lost: bool,
}

pub(super) async fn put_plan(tx: &mut Tx, row: &PlanRow) -> Result<(), Error> {
    on!(tx, conn => sqlx::query(
        "INSERT INTO plans (interaction, tenant, version, plan, ended_at_us) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (interaction) DO UPDATE SET tenant = excluded.tenant, version = excluded.version, \
         plan = excluded.plan, ended_at_us = excluded.ended_at_us WHERE plans.version <= excluded.version")
        .bind(row.interaction.as_str())
        .bind(&row.tenant)
        .bind(row.version as i64)
        .bind(&row.plan)
        .bind(row.ended_at_us)
        .execute(conn).await)?;
    Ok(())
}

pub(super) async fn put_thing(tx: &mut Tx, row: &ThingRow) -> Result<(), Error> {
    on!(tx, conn => sqlx::query(
        "INSERT INTO things (interaction, kind, id, name, detail, boot_id, position, acked) \
         VALUES ($1, $2, $3, $4, $5, $6, 0, 1) \
         ON CONFLICT (interaction, kind, id) DO UPDATE SET boot_id = excluded.boot_id")
        .bind(row.interaction.as_str())
        .bind(row.key.kind.as_str())
        .bind(&row.key.id)
        .bind(&row.name)
        .bind(&row.detail)
        .bind(&row.boot_id)
        .execute(conn).await)?;
    Ok(())
}

/// `position` 0: it is not to be reported.
pub(super) async fn put_fact(
    tx: &mut Tx,
    interaction: &InteractionId,
    key: &Key,
    fact: &[u8],
    position: i64,
) -> Result<(), Error> {
    on!(tx, conn => sqlx::query(
        "UPDATE things SET fact = $1, position = $2, acked = $3 WHERE interaction = $4 AND kind = $5 AND id = $6")
        .bind(fact)
        .bind(position)
        .bind(i64::from(position == 0))
        .bind(interaction.as_str())
        .bind(key.kind.as_str())
        .bind(&key.id)
        .execute(conn).await)?;
    Ok(())
}

pub(super) async fn acked(tx: &mut Tx, interaction: &InteractionId, positions: &[i64]) -> Result<(), Error> {
    on!(tx, conn => {
        let mut query = sqlx::QueryBuilder::new("UPDATE things SET acked = 1 WHERE interaction = ");
        query.push_bind(interaction.as_str()).push(" AND position IN (");
        let mut list = query.separated(", ");
        for position in positions {
            list.push_bind(*position);
        }
        query.push(")").build().execute(conn).await
    })?;
    Ok(())
}

/// A file that turns up takes the place of one that was given up, and never the reverse.
pub(super) async fn put_upload(tx: &mut Tx, row: &UploadRow) -> Result<(), Error> {
    on!(tx, conn => sqlx::query(
        "INSERT INTO uploads (segment, header, lost) VALUES ($1, $2, $3) \
         ON CONFLICT (segment) DO UPDATE SET header = excluded.header, lost = excluded.lost \
         WHERE uploads.lost > excluded.lost")
        .bind(&row.segment)
        .bind(&row.header)
        .bind(i64::from(row.lost))
        .execute(conn).await)?;
    Ok(())
}

/// The segment was brought as it was listed: not when its file has turned up meanwhile.
pub(super) async fn delete_upload(tx: &mut Tx, segment: &str, lost: bool) -> Result<(), Error> {
    on!(tx, conn => sqlx::query("DELETE FROM uploads WHERE segment = $1 AND lost = $2")
        .bind(segment)
        .bind(i64::from(lost))
        .execute(conn).await)?;
    Ok(())
}

pub(super) async fn put_epoch(tx: &mut Tx, epoch: i64) -> Result<(), Error> {
    on!(tx, conn => sqlx::query(
        "INSERT INTO meta (name, number) VALUES ('epoch', $1) ON CONFLICT (name) DO UPDATE SET number = excluded.number")
        .bind(epoch)
        .execute(conn).await)?;
    Ok(())
}

/// Forgets interactions that ended before then, all at once.
pub(super) async fn prune(tx: &mut Tx, before_us: i64) -> Result<(), Error> {
    on!(tx, conn => {
        sqlx::query("DELETE FROM things WHERE interaction IN (SELECT interaction FROM plans WHERE ended_at_us < $1)")
            .bind(before_us)
            .execute(&mut *conn).await?;
        sqlx::query("DELETE FROM plans WHERE ended_at_us < $1").bind(before_us).execute(&mut *conn).await
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{MIGRATOR, things, uploads};
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
        put_upload(&mut tx, &UploadRow { segment: "s".into(), header: vec![header], lost }).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn uploaded(db: &Db, lost: bool) {
        let mut tx = db.begin().await.unwrap();
        delete_upload(&mut tx, "s", lost).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn listed(db: &Db) -> Vec<(Vec<u8>, bool)> {
        uploads(db).await.unwrap().into_iter().map(|row| (row.header, row.lost)).collect()
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
}
