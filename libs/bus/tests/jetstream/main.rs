//! What the bus promises on NATS servers, whatever happens to them and to the way there. Needs the environment variable `TEST_NATS_URL` with the
//! URL of a server, and the program `nats-server` for servers that are stopped: `tests/nats cargo test --package baton-bus --test jetstream`.

mod away;
mod epoch;
mod fence;
mod nats_server;
mod proxy;
mod rebuilt;
mod settings;
#[path = "../bus/support.rs"]
#[expect(dead_code, reason = "the other tests use the rest")]
mod support;
mod tenants;
mod wire;
