//! The recording service over real connections, with a real database, storage and event log. Only the transfer service is a
//! stand-in.

mod access;
mod archive;
mod control;
mod deletion;
mod download;
mod messages;
mod races;
mod settings;
mod storage;
mod support;
