//! The transfer service over real connections, with a real database and event log. Its peers are stand-ins: they remember what they were asked,
//! and fail when the test says so. What is heard is tested with the real ones, in the whole-system tests.

mod commands;
mod customers;
mod explain;
mod outside;
mod peers;
mod recovery;
mod requests;
mod retention;
mod tenants;
mod two_writers;
mod views;
mod watch;
mod world;
