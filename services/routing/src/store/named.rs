//! What a tenant configures under a name, each stored as an encoded message without its etag, which is a column: call flows, IVR flows and queues.
//! Their tables are of one form, and the statements on them are written here once.

use baton_store::{Etag, StoreError};
use prost::Message;
use uuid::Uuid;

/// A message that is stored under its name.
pub(crate) trait NamedMessage: Message + Default {
    fn name(&self) -> &str;

    /// As clients see it.
    fn with_etag(self, etag: String) -> Self;
}

/// One that is stored, and which version of it that is.
#[derive(Debug)]
pub(crate) struct Stored<M> {
    pub(crate) id: Uuid,
    /// Without its etag.
    pub(crate) message: M,
    pub(crate) etag: Etag,
}

/// The id, the message and the etag.
pub(super) type Row = (Uuid, Vec<u8>, Etag);

impl<M: NamedMessage> Stored<M> {
    pub(super) fn read(table: &'static str, column: &'static str, (id, bytes, etag): Row) -> Result<Self, StoreError> {
        let corrupt = |error| StoreError::Corrupt { table, column, row: id.to_string(), source: Some(Box::new(error)) };
        Ok(Self { id, message: M::decode(bytes.as_slice()).map_err(corrupt)?, etag })
    }

    /// As clients see it.
    pub(crate) fn shown(self) -> M {
        self.message.with_etag(self.etag.as_str().to_owned())
    }
}

/// The statements on the table of these messages, by its name and those of its columns of ids and messages.
macro_rules! named_messages {
    ($message:ident in $table:literal, $id:literal, $column:literal) => {
        use baton_api::name;
        use baton_api::routing::v1::$message;
        use baton_runtime::auth::TenantId;
        use baton_store::{Db, Reader, StoreError, Tx, change, on};
        use prost::Message as _;
        use uuid::Uuid;

        use crate::page::ConfigurationCursor;
        use crate::store::named::{NamedMessage, Row, Stored};

        impl NamedMessage for $message {
            fn name(&self) -> &str {
                &self.name
            }

            fn with_etag(self, etag: String) -> Self {
                Self { etag, ..self }
            }
        }

        fn read(row: Row) -> Result<Stored<$message>, StoreError> {
            Stored::read($table, $column, row)
        }

        macro_rules! select_one {
            ($handle:ident, $tenant:ident, $own:ident) => {{
                let row: Option<Row> = on!($handle, conn => sqlx::query_as(concat!(
                    "SELECT ", $id, ", ", $column, ", etag FROM ", $table, " WHERE tenant = $1 AND ", $id, " = $2"))
                    .bind($tenant.as_str())
                    .bind($own)
                    .fetch_optional(conn)
                    .await)?;
                row.map(read).transpose()
            }};
        }

        /// Writes one in the place of that with its id, if there is one.
        pub(crate) async fn put(tx: &mut Tx, tenant: &TenantId, one: &Stored<$message>) -> Result<(), StoreError> {
            let own = one.message.name();
            tx.statement(concat!(
                "INSERT INTO ", $table, " (tenant, ", $id, ", name_key, ", $column, ", etag, look, shape) VALUES ($1, $2, $3, $4, $5, $6, $7)
                 ON CONFLICT (tenant, ", $id, ") DO UPDATE SET name_key = $3, ", $column, " = $4, etag = $5, look = $6, shape = $7"))
                .bind(tenant.as_str())
                .bind(one.id)
                .bind(name::key(own))
                .bind(one.message.encode_to_vec())
                .bind(&one.etag)
                .bind(name::look(own))
                .bind(name::shape(own))
                .run()
                .await?;
            Ok(())
        }

        /// The names of a tenant's others that look like this one.
        pub(crate) async fn alike(tx: &mut Tx, tenant: &TenantId, id: Uuid, own: &str) -> Result<Vec<String>, StoreError> {
            let rows: Vec<Row> = on!(tx, conn => sqlx::query_as(concat!(
                "SELECT ", $id, ", ", $column, ", etag FROM ", $table, "
                 WHERE tenant = $1 AND (look = $2 OR shape = $3) AND ", $id, " <> $4"))
                .bind(tenant.as_str())
                .bind(name::look(own))
                .bind(name::shape(own))
                .bind(id)
                .fetch_all(conn)
                .await)?;
            rows.into_iter().map(|row| Ok(read(row)?.message.name().to_owned())).collect()
        }

        /// One of them, within a change; `None` when there is none.
        pub(crate) async fn get(tx: &mut Tx, tenant: &TenantId, id: Uuid) -> Result<Option<Stored<$message>>, StoreError> {
            select_one!(tx, tenant, id)
        }

        /// The same for a reader.
        pub(crate) async fn look_up(
            reader: &mut Reader,
            tenant: &TenantId,
            id: Uuid,
        ) -> Result<Option<Stored<$message>>, StoreError> {
            select_one!(reader, tenant, id)
        }

        /// A page by name.
        pub(crate) async fn list(
            reader: &mut Reader,
            tenant: &TenantId,
            after: &ConfigurationCursor,
            limit: usize,
        ) -> Result<Vec<Stored<$message>>, StoreError> {
            let rows: Vec<Row> = on!(reader, conn => sqlx::query_as(concat!(
                "SELECT ", $id, ", ", $column, ", etag FROM ", $table, "
                 WHERE tenant = $1 AND (name_key, ", $id, ") > ($2, $3) ORDER BY name_key, ", $id, " LIMIT $4"))
                .bind(tenant.as_str())
                .bind(&after.key)
                .bind(after.id)
                .bind(limit as i64)
                .fetch_all(conn)
                .await)?;
            rows.into_iter().map(read).collect()
        }

        /// Removes one that nothing leads to.
        pub(crate) async fn delete(tx: &mut Tx, tenant: &TenantId, id: Uuid) -> Result<(), StoreError> {
            tx.statement(concat!("DELETE FROM ", $table, " WHERE tenant = $1 AND ", $id, " = $2"))
                .bind(tenant.as_str())
                .bind(id)
                .run()
                .await?;
            Ok(())
        }

        /// Writes the keys, looks and shapes of names anew that a version before made in another way.
        pub(crate) async fn renew_keys(db: &Db) -> Result<(), StoreError> {
            db.change(change!(|tx| {
                let all: Vec<(String, Uuid, String, String, String, Vec<u8>)> = on!(tx, conn => sqlx::query_as(concat!(
                    "SELECT tenant, ", $id, ", name_key, look, shape, ", $column, " FROM ", $table)).fetch_all(conn).await)?;
                for (tenant, id, key, look, shape, bytes) in all {
                    // One that can't be read is reported when it is asked for.
                    let Ok(one) = $message::decode(bytes.as_slice()) else { continue };
                    let fresh = (name::key(one.name()), name::look(one.name()), name::shape(one.name()));
                    if fresh != (key, look, shape) {
                        tx.statement(concat!(
                            "UPDATE ", $table, " SET name_key = $3, look = $4, shape = $5 WHERE tenant = $1 AND ", $id, " = $2"))
                            .bind(tenant)
                            .bind(id)
                            .bind(&fresh.0)
                            .bind(&fresh.1)
                            .bind(&fresh.2)
                            .run()
                            .await?;
                    }
                }
                Ok(())
            }))
            .await
        }
    };
}

pub(super) use named_messages;
