//! Idempotent changes of the simulator.
//!
//! A client of the simulator sends a request id with each change. The same request under the same id is not carried out again: it gets
//! the first answer, also if that was a refusal. Another request under the same id is refused. Answers are kept in memory, as calls
//! are.

use std::collections::{HashMap, VecDeque};

use prost::Message;
use sha2::{Digest as _, Sha256};

use crate::engine::SwitchError;

const REMEMBERED: usize = 10_000;
const LONGEST_ID: usize = 128;

/// Tenant, subject, method, request id.
type Key = (String, String, &'static str, String);

/// A change with the request id that its client gave it.
#[derive(Debug)]
pub(crate) struct IdempotentRequest<'a, Q> {
    pub(crate) tenant: &'a str,
    /// The caller, from the token.
    pub(crate) subject: &'a str,
    pub(crate) method: &'static str,
    pub(crate) request_id: &'a str,
    pub(crate) body: &'a Q,
}

#[derive(Debug)]
struct Answered {
    /// Instead of the body, which may be large.
    body_sha256: [u8; 32],
    answer: Result<Vec<u8>, SwitchError>,
}

/// The latest requests and their answers.
#[derive(Debug, Default)]
pub(crate) struct Replays {
    answered: HashMap<Key, Answered>,
    order: VecDeque<Key>,
}

impl Replays {
    /// The answer that this request got before, or the refusal of an id that is malformed or was used for another body.
    pub(crate) fn before<Q: Message, A: Message + Default>(
        &self,
        request: &IdempotentRequest<'_, Q>,
    ) -> Option<Result<A, SwitchError>> {
        let visible = request.request_id.bytes().all(|byte| byte.is_ascii_graphic());
        if !visible || !(1..=LONGEST_ID).contains(&request.request_id.len()) {
            let why = "must have 1 to 128 visible ASCII characters: a UUID will do";
            return Some(Err(SwitchError::invalid("request_id", why)));
        }
        let answered = self.answered.get(&request.key())?;
        if answered.body_sha256 != request.hash() {
            return Some(Err(SwitchError::RequestIdReused));
        }
        // It was encoded by `remember`, as the same type.
        Some(answered.answer.clone().map(|bytes| A::decode(bytes.as_slice()).unwrap_or_default()))
    }

    pub(crate) fn remember<Q: Message, A: Message>(
        &mut self,
        request: &IdempotentRequest<'_, Q>,
        answer: &Result<A, SwitchError>,
    ) {
        let answer = answer.as_ref().map(Message::encode_to_vec).map_err(Clone::clone);
        self.answered.insert(request.key(), Answered { body_sha256: request.hash(), answer });
        self.order.push_back(request.key());
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.answered.remove(&oldest);
        }
    }
}

impl<Q: Message> IdempotentRequest<'_, Q> {
    fn key(&self) -> Key {
        (self.tenant.to_owned(), self.subject.to_owned(), self.method, self.request_id.to_owned())
    }

    fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.body.encode_to_vec()).into()
    }
}
