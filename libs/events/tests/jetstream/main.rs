//! What a feed promises on NATS servers, whatever happens to them. The events are published as Baton does it. Needs the environment variable
//! `TEST_NATS_URL` with the URL of a server, and the program `nats-server` for servers that are stopped.

mod login;
mod lost;
#[path = "../../../bus/tests/jetstream/nats_server.rs"]
#[expect(dead_code, reason = "the tests of the bus use the rest")]
mod nats_server;
mod order;
mod reader;
mod rebuilt;
mod reconnect;
#[path = "../../../bus/tests/bus/support.rs"]
#[expect(dead_code, reason = "the tests of the bus use the rest")]
mod support;
mod unusual;
