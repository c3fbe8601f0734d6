//! Which of Rust's types are which of `SQLite`'s.

use std::borrow::Cow;
use std::sync::Arc;

use rusqlite::types::Value as Stored;
use serde::{Deserialize, Serialize};
use sqlx_core::decode::Decode;
use sqlx_core::encode::{Encode, IsNull};
use sqlx_core::error::BoxDynError;
use sqlx_core::types::{Json, Type};
use uuid::Uuid;

use crate::{Sqlite, SqliteType, SqliteValueRef};

type Buffer = Vec<Stored>;
type Encoded = Result<IsNull, BoxDynError>;

sqlx_core::impl_encode_for_option!(Sqlite);

/// `$type` is stored as `$class`, and read from that one and `$others`.
macro_rules! stored_as {
    ($type:ty, $class:ident $(, $others:ident)*) => {
        impl Type<Sqlite> for $type {
            fn type_info() -> SqliteType {
                SqliteType::$class
            }

            fn compatible(class: &SqliteType) -> bool {
                matches!(class, SqliteType::$class $(| SqliteType::$others)*)
            }
        }
    };
}

/// Encodes by `$store`, from a reference to the value.
macro_rules! encoded {
    ($type:ty, |$value:ident| $store:expr) => {
        impl Encode<'_, Sqlite> for $type {
            fn encode_by_ref(&self, buffer: &mut Buffer) -> Encoded {
                let $value = self;
                buffer.push($store);
                Ok(IsNull::No)
            }
        }
    };
    // And from the value itself, without a copy of what it holds.
    ($type:ty, |$value:ident| $store:expr, |$owned:ident| $move:expr) => {
        impl Encode<'_, Sqlite> for $type {
            fn encode(self, buffer: &mut Buffer) -> Encoded {
                let $owned = self;
                buffer.push($move);
                Ok(IsNull::No)
            }

            fn encode_by_ref(&self, buffer: &mut Buffer) -> Encoded {
                let $value = self;
                buffer.push($store);
                Ok(IsNull::No)
            }
        }
    };
}

macro_rules! integer {
    ($($type:ty),*) => {$(
        stored_as!($type, Integer);
        encoded!($type, |value| Stored::Integer(i64::from(*value)));

        impl Decode<'_, Sqlite> for $type {
            fn decode(value: SqliteValueRef<'_>) -> Result<Self, BoxDynError> {
                Ok(value.integer()?.try_into()?)
            }
        }
    )*};
}

integer!(i8, i16, i32, i64, u8, u16, u32);

stored_as!(bool, Integer);
encoded!(bool, |value| Stored::Integer(i64::from(*value)));

impl Decode<'_, Sqlite> for bool {
    fn decode(value: SqliteValueRef<'_>) -> Result<Self, BoxDynError> {
        Ok(value.integer()? != 0)
    }
}

stored_as!(f64, Real, Integer);
encoded!(f64, |value| Stored::Real(*value));

impl Decode<'_, Sqlite> for f64 {
    fn decode(value: SqliteValueRef<'_>) -> Result<Self, BoxDynError> {
        match value.0 {
            Stored::Real(real) => Ok(*real),
            _ => Ok(value.integer()? as Self),
        }
    }
}

stored_as!(str, Text);
stored_as!(String, Text);
encoded!(&str, |value| Stored::Text((*value).to_owned()));
encoded!(String, |value| Stored::Text(value.clone()), |value| Stored::Text(value));
encoded!(Cow<'_, str>, |value| Stored::Text(value.to_string()), |value| Stored::Text(value.into_owned()));
encoded!(Arc<str>, |value| Stored::Text(value.to_string()));

impl<'r> Decode<'r, Sqlite> for &'r str {
    fn decode(value: SqliteValueRef<'r>) -> Result<Self, BoxDynError> {
        value.text()
    }
}

impl Decode<'_, Sqlite> for String {
    fn decode(value: SqliteValueRef<'_>) -> Result<Self, BoxDynError> {
        value.text().map(ToOwned::to_owned)
    }
}

stored_as!([u8], Blob, Text);
stored_as!(Vec<u8>, Blob, Text);
encoded!(&[u8], |value| Stored::Blob(value.to_vec()));
encoded!(Vec<u8>, |value| Stored::Blob(value.clone()), |value| Stored::Blob(value));

impl<'r> Decode<'r, Sqlite> for &'r [u8] {
    fn decode(value: SqliteValueRef<'r>) -> Result<Self, BoxDynError> {
        value.bytes()
    }
}

impl Decode<'_, Sqlite> for Vec<u8> {
    fn decode(value: SqliteValueRef<'_>) -> Result<Self, BoxDynError> {
        value.bytes().map(ToOwned::to_owned)
    }
}

stored_as!(Uuid, Blob);
encoded!(Uuid, |value| Stored::Blob(value.as_bytes().to_vec()));

impl Decode<'_, Sqlite> for Uuid {
    fn decode(value: SqliteValueRef<'_>) -> Result<Self, BoxDynError> {
        Ok(Self::from_slice(value.bytes()?)?)
    }
}

impl<T> Type<Sqlite> for Json<T> {
    fn type_info() -> SqliteType {
        SqliteType::Text
    }

    fn compatible(class: &SqliteType) -> bool {
        <Vec<u8> as Type<Sqlite>>::compatible(class)
    }
}

impl<T: Serialize> Encode<'_, Sqlite> for Json<T> {
    fn encode_by_ref(&self, buffer: &mut Buffer) -> Encoded {
        <String as Encode<'_, Sqlite>>::encode(self.encode_to_string()?, buffer)
    }
}

impl<'r, T: Deserialize<'r> + 'r> Decode<'r, Sqlite> for Json<T> {
    fn decode(value: SqliteValueRef<'r>) -> Result<Self, BoxDynError> {
        Self::decode_from_bytes(value.bytes()?)
    }
}

impl<'r> SqliteValueRef<'r> {
    fn integer(self) -> Result<i64, BoxDynError> {
        match self.0 {
            Stored::Integer(integer) => Ok(*integer),
            other => Err(unexpected(other, "an integer")),
        }
    }

    fn text(self) -> Result<&'r str, BoxDynError> {
        match self.0 {
            Stored::Text(text) => Ok(text),
            other => Err(unexpected(other, "a text")),
        }
    }

    fn bytes(self) -> Result<&'r [u8], BoxDynError> {
        match self.0 {
            Stored::Blob(bytes) => Ok(bytes),
            Stored::Text(text) => Ok(text.as_bytes()),
            other => Err(unexpected(other, "bytes")),
        }
    }
}

fn unexpected(found: &Stored, wanted: &str) -> BoxDynError {
    format!("{} is not {wanted}", found.data_type()).into()
}
