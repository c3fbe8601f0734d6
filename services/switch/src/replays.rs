//! The same request has the same answer.
//!
//! Whoever plays the people at the phones sends a request id with each change; asked for again under the same id, the change is not
//! made again, and the first answer is given, also if it was a refusal. Under the same id something else is refused. What is
//! remembered is remembered while the switch runs, as the calls are.

use std::collections::{HashMap, VecDeque};

use prost::Message;
use sha2::{Digest as _, Sha256};

use crate::engine::SwitchError;

const REMEMBERED: usize = 10_000;
const LONGEST_ID: usize = 128;

/// Whose request it is: tenant, subject, method, request id.
type Key = (String, String, &'static str, String);

/// One change that somebody asks for.
#[derive(Debug)]
pub(crate) struct Asked<'a, Q> {
    /// Whose.
    pub(crate) tenant: &'a str,
    /// Who asks.
    pub(crate) subject: &'a str,
    /// The method's name.
    pub(crate) method: &'static str,
    /// The client's id.
    pub(crate) request_id: &'a str,
    /// All that was asked.
    pub(crate) request: &'a Q,
}

#[derive(Debug)]
struct Answered {
    /// Of what was asked, which may be large.
    request: [u8; 32],
    answer: Result<Vec<u8>, SwitchError>,
}

/// The latest requests and their answers.
#[derive(Debug, Default)]
pub(crate) struct Replays {
    answered: HashMap<Key, Answered>,
    order: VecDeque<Key>,
}

impl Replays {
    /// The answer that was given before, if any.
    pub(crate) fn before<Q: Message, A: Message + Default>(
        &self,
        asked: &Asked<'_, Q>,
    ) -> Option<Result<A, SwitchError>> {
        let visible = asked.request_id.bytes().all(|byte| byte.is_ascii_graphic());
        if !visible || !(1..=LONGEST_ID).contains(&asked.request_id.len()) {
            let why = "must have 1 to 128 visible ASCII characters: a UUID will do";
            return Some(Err(SwitchError::invalid("request_id", why)));
        }
        let answered = self.answered.get(&asked.key())?;
        if answered.request != asked.hash() {
            return Some(Err(SwitchError::RequestIdReused));
        }
        // What was encoded here can be decoded here.
        Some(answered.answer.clone().map(|bytes| A::decode(bytes.as_slice()).unwrap_or_default()))
    }

    /// Remembers an answer.
    pub(crate) fn remember<Q: Message, A: Message>(&mut self, asked: &Asked<'_, Q>, answer: &Result<A, SwitchError>) {
        let answer = answer.as_ref().map(Message::encode_to_vec).map_err(Clone::clone);
        self.answered.insert(asked.key(), Answered { request: asked.hash(), answer });
        self.order.push_back(asked.key());
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.answered.remove(&oldest);
        }
    }
}

impl<Q: Message> Asked<'_, Q> {
    fn key(&self) -> Key {
        (self.tenant.to_owned(), self.subject.to_owned(), self.method, self.request_id.to_owned())
    }

    fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.request.encode_to_vec()).into()
    }
}
