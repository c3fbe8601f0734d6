//! The same request has the same answer.
//!
//! Whoever plays the people at the phones sends a request id with each change; asked for again under the same id, the change is not
//! made again, and the first answer is given, also if it was a refusal. Under the same id something else is refused. What is
//! remembered is remembered while the switch runs, as the calls are.

use std::collections::{HashMap, VecDeque};

use prost::Message;

use crate::engine::SwitchError;

const REMEMBERED: usize = 10_000;
const LONGEST_ID: usize = 128;

/// Whose request it is: tenant, method, request id.
type Key = (String, &'static str, String);

/// One change that somebody asks for.
#[derive(Debug)]
pub(crate) struct Asked<'a, Q> {
    /// Whose.
    pub(crate) tenant: &'a str,
    /// The method's name.
    pub(crate) method: &'static str,
    /// The client's id; empty: not to be remembered.
    pub(crate) request_id: &'a str,
    /// All that was asked.
    pub(crate) request: &'a Q,
}

#[derive(Debug)]
struct Answered {
    request: Vec<u8>,
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
        if asked.request_id.len() > LONGEST_ID {
            return Some(Err(SwitchError::invalid("request_id", "must be 128 bytes at most")));
        }
        let answered = self.answered.get(&asked.key())?;
        if answered.request != asked.request.encode_to_vec() {
            return Some(Err(SwitchError::IdUsed { what: "request", id: asked.request_id.to_owned() }));
        }
        // What was encoded here can be decoded here.
        Some(answered.answer.clone().map(|bytes| A::decode(bytes.as_slice()).unwrap_or_default()))
    }

    /// Remembers an answer.
    pub(crate) fn remember<Q: Message, A: Message>(&mut self, asked: &Asked<'_, Q>, answer: &Result<A, SwitchError>) {
        if asked.request_id.is_empty() {
            return;
        }
        let answer = answer.as_ref().map(Message::encode_to_vec).map_err(Clone::clone);
        self.answered.insert(asked.key(), Answered { request: asked.request.encode_to_vec(), answer });
        self.order.push_back(asked.key());
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.answered.remove(&oldest);
        }
    }
}

impl<Q> Asked<'_, Q> {
    fn key(&self) -> Key {
        (self.tenant.to_owned(), self.method, self.request_id.to_owned())
    }
}
