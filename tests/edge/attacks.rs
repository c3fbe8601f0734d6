//! The attacks, each from a tenant of its own or without a token.

use std::any::Any;

use baton_api::presence::v1::WatchTargetsRequest;
use baton_api::transfer::v1::{AddNoteRequest, GetInteractionRequest, ListInteractionsRequest};
use baton_runtime::auth::Role;
use baton_runtime::{Clock, lifecycle};
use baton_testkit::TestTenant;
use baton_testkit::tenant::{Endpoints, fresh, ring};
use bytes::Bytes;
use tokio::io::AsyncWriteExt as _;
use tokio::task::JoinHandle;
use tonic_health::pb::HealthCheckRequest;

use super::peer::{Peer, connect, framed};

/// The preface, and settings that set nothing.
const HELLO: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
/// An answer to a ping that nobody sent: HTTP/2's library warns of each.
const STRAY_PONG: &[u8] = b"\0\0\x08\x06\x01\0\0\0\0strange!";
const GET: &str = "/baton.transfer.v1.InteractionService/GetInteraction";
const LIST: &str = "/baton.transfer.v1.InteractionService/ListInteractions";
const NOTE: &str = "/baton.transfer.v1.InteractionService/AddNote";
const PICKER: &str = "/baton.presence.v1.PresenceService/WatchTargets";
const WATCH_HEALTH: &str = "/grpc.health.v1.Health/Watch";
const REFLECTION: &str = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attack {
    /// S1: large answers that nobody reads.
    UnreadAnswers,
    /// S2: one subject that changes as fast as it can.
    Changes,
    /// S3: lists of everything, many at once.
    Lists,
    /// S4: idle connections without a token.
    IdleConnections,
    /// S8: streams that need no token.
    OpenStreams,
    /// S9: streams of which nobody reads anything.
    UnreadStreams,
    /// S9: requests whose last byte never comes.
    TornRequests,
    /// S15: frames of which the server warns.
    Noise,
    /// S1, S8: calls without a token that are taken back at once, as fast as they can be sent.
    Resets,
}

/// What goes on until it is dropped.
pub(super) struct Held {
    /// Open until then.
    connections: Vec<Box<dyn Any + Send>>,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Attack {
    pub(super) const ALL: [Self; 9] = [
        Self::UnreadAnswers,
        Self::Changes,
        Self::Lists,
        Self::IdleConnections,
        Self::OpenStreams,
        Self::UnreadStreams,
        Self::TornRequests,
        Self::Noise,
        Self::Resets,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::UnreadAnswers => "S1 answers that nobody reads",
            Self::Changes => "S2 one subject's changes",
            Self::Lists => "S3 lists, many at once",
            Self::IdleConnections => "S4 idle connections without a token",
            Self::OpenStreams => "S8 streams without a token",
            Self::UnreadStreams => "S9 streams that nobody reads",
            Self::TornRequests => "S9 requests without an end",
            Self::Noise => "S15 frames that break the rules",
            Self::Resets => "S1 calls that are taken back at once",
        }
    }

    /// It goes on until what is given back is dropped.
    pub(super) async fn begin(self, tenant: &TestTenant, endpoints: &Endpoints) -> anyhow::Result<Held> {
        let server = endpoints.public.clone();
        let token = tenant.token("mallory", Role::Supervisor)?;
        let mut held = Held { connections: Vec::new(), tasks: Vec::new() };
        match self {
            Self::UnreadAnswers => {
                let asked = framed(&GetInteractionRequest { interaction_id: heavy_call(tenant).await? });
                for _ in 0..10 {
                    held.ask_unread(&server, GET, &token, &asked, 600).await?;
                }
            }
            Self::Changes => {
                let id = plain_call(tenant, "Mel").await?;
                held.tasks.push(change(server, token, id));
            }
            Self::Lists => {
                let asked = framed(&ListInteractionsRequest { page_size: 500, ..Default::default() });
                for n in 0..8 {
                    held.tasks.push(repeat(
                        server.clone(),
                        format!("127.0.1.{}", n + 1),
                        LIST,
                        token.clone(),
                        asked.clone(),
                    ));
                }
            }
            Self::IdleConnections => held.idle(&server).await?,
            Self::OpenStreams => {
                let health = framed(&HealthCheckRequest::default());
                for path in [WATCH_HEALTH, REFLECTION] {
                    for _ in 0..3 {
                        held.open_streams(&server, path, &health, 3_000).await?;
                    }
                }
            }
            Self::UnreadStreams => {
                crowd(tenant, 300).await?;
                let asked = framed(&WatchTargetsRequest::default());
                for _ in 0..5 {
                    held.ask_unread(&server, PICKER, &token, &asked, 600).await?;
                }
            }
            Self::TornRequests => {
                for token in [None, Some(token.as_str())] {
                    for n in 0..10 {
                        held.torn(&server, &format!("127.0.2.{}", n + 1), token).await?;
                    }
                }
            }
            Self::Noise => {
                for n in 0..10 {
                    held.tasks.push(noise(server.clone(), format!("127.0.3.{}", n + 1)));
                }
            }
            Self::Resets => {
                for n in 0..3 {
                    held.tasks.push(reset(server.clone(), format!("127.0.6.{}", n + 1)));
                }
            }
        }
        Ok(held)
    }
}

impl Held {
    /// The server may close the connection, or refuse: that is what it is for.
    async fn ask_unread(
        &mut self,
        server: &str,
        path: &str,
        token: &str,
        asked: &Bytes,
        count: usize,
    ) -> anyhow::Result<()> {
        let mut peer = Peer::open(server, "127.0.0.2", 0).await?;
        for _ in 0..count {
            match peer.send(path, Some(token), asked.clone(), true).await {
                Ok(sent) => self.connections.push(Box::new(sent)),
                Err(_) => break,
            }
        }
        self.connections.push(Box::new(peer));
        Ok(())
    }

    async fn open_streams(&mut self, server: &str, path: &str, asked: &Bytes, count: usize) -> anyhow::Result<()> {
        let mut peer = Peer::open(server, "127.0.0.3", 0).await?;
        for _ in 0..count {
            let is_end = path != REFLECTION;
            match peer.send(path, None, if is_end { asked.clone() } else { Bytes::new() }, is_end).await {
                Ok(sent) => self.connections.push(Box::new(sent)),
                Err(_) => break,
            }
        }
        self.connections.push(Box::new(peer));
        Ok(())
    }

    /// More than there may be, from some addresses.
    async fn idle(&mut self, server: &str) -> anyhow::Result<()> {
        for n in 0..11_000 {
            let mut stream = connect(server, &format!("127.0.4.{}", 1 + n % 6)).await?;
            // It may be closed already.
            let _ = stream.write_all(HELLO).await;
            self.connections.push(Box::new(stream));
        }
        Ok(())
    }

    /// Messages of a megabyte of which half comes.
    async fn torn(&mut self, server: &str, from: &str, token: Option<&str>) -> anyhow::Result<()> {
        let mut peer = Peer::open(server, from, 65_535).await?;
        let half = Bytes::from([&[0, 0, 16, 0, 0][..], &vec![b'x'; 512 * 1024]].concat());
        let path = if token.is_some() { GET } else { "/grpc.health.v1.Health/Check" };
        for _ in 0..200 {
            match peer.send(path, token, half.clone(), false).await {
                Ok(sent) => self.connections.push(Box::new(sent)),
                Err(_) => break,
            }
        }
        self.connections.push(Box::new(peer));
        Ok(())
    }
}

/// An agent of this name talks with a customer; the session lives as long as the process.
async fn plain_call(tenant: &TestTenant, name: &str) -> anyhow::Result<String> {
    let desk = tenant.agent(name).await?;
    std::mem::forget(desk.connect().await?);
    let number = tenant.number(vec![ring(&desk)]).await?;
    let call = tenant.call(&number).await?;
    tenant.until_with(&call, &desk).await?;
    Ok(call.interaction_id)
}

/// With as many notes as it may have.
async fn heavy_call(tenant: &TestTenant) -> anyhow::Result<String> {
    let id = plain_call(tenant, "Mallory").await?;
    for _ in 0..100 {
        let note = AddNoteRequest {
            request_id: fresh(),
            interaction_id: id.clone(),
            text: "x".repeat(4_000),
            ..Default::default()
        };
        tenant.interactions()?.add_note(note).await?;
    }
    Ok(id)
}

async fn crowd(tenant: &TestTenant, count: usize) -> anyhow::Result<()> {
    for n in 0..count {
        tenant.agent(&format!("Agent {n}")).await?;
    }
    Ok(())
}

fn repeat(server: String, from: String, path: &'static str, token: String, asked: Bytes) -> JoinHandle<()> {
    lifecycle::spawn(async move {
        while let Ok(mut peer) = Peer::open(&server, &from, 1 << 20).await {
            while let Ok(sent) = peer.send(path, Some(&token), asked.clone(), true).await {
                if sent.answer().await.is_err() {
                    break;
                }
            }
        }
    })
}

fn change(server: String, token: String, id: String) -> JoinHandle<()> {
    lifecycle::spawn(async move {
        let Ok(mut peer) = Peer::open(&server, "127.0.0.5", 1 << 20).await else { return };
        let note = || AddNoteRequest {
            request_id: fresh(),
            interaction_id: id.clone(),
            text: "x".to_owned(),
            ..Default::default()
        };
        while let Ok(sent) = peer.send(NOTE, Some(&token), framed(&note()), true).await {
            if sent.answer().await.is_err() {
                return;
            }
        }
    })
}

fn noise(server: String, from: String) -> JoinHandle<()> {
    lifecycle::spawn(async move {
        while let Ok(mut stream) = connect(&server, &from).await {
            let frames = [HELLO, &STRAY_PONG.repeat(500)].concat();
            let _ = stream.write_all(&frames).await;
            Clock::real().sleep(std::time::Duration::from_millis(20)).await;
        }
    })
}

fn reset(server: String, from: String) -> JoinHandle<()> {
    lifecycle::spawn(async move {
        while let Ok(mut stream) = connect(&server, &from).await {
            let mut frames = HELLO.to_vec();
            let mut calls = (1_u32..).step_by(2);
            // Until the server has had enough.
            while stream.write_all(&frames).await.is_ok() {
                frames.clear();
                for call in calls.by_ref().take(200) {
                    frames.extend(frame(1, 4, call, &headers()));
                    frames.extend(frame(3, 0, call, &[0, 0, 0, 8]));
                }
            }
        }
    })
}

/// Of HTTP/2 (RFC 9113, 4.1).
fn frame(kind: u8, flags: u8, call: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    [&length[1..], &[kind, flags], &call.to_be_bytes(), payload].concat()
}

/// Of a call without a token: literals that nobody has to remember (RFC 7541, 6.2.2).
fn headers() -> Vec<u8> {
    let fields = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", LIST),
        (":authority", "x"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ];
    let literal = |(name, value): (&str, &str)| {
        [&[0, name.len() as u8], name.as_bytes(), &[value.len() as u8], value.as_bytes()].concat()
    };
    fields.into_iter().flat_map(literal).collect()
}
