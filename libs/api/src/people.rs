//! What many callers ask of the contract's messages about people.

use crate::common::v1::Customer;
use crate::presence::v1::{Presence, engagement};

impl Customer {
    /// The customer's address; empty when it was withheld, or is concealed from the reader.
    pub fn address_of(customer: Option<&Self>) -> &str {
        customer.map_or("", |it| &it.address)
    }
}

impl Presence {
    /// Whether nothing occupies the agent.
    pub fn is_free(&self) -> bool {
        self.engagements.is_empty()
    }

    /// Whether something occupies the agent in this way.
    pub fn has(&self, state: engagement::State) -> bool {
        self.engagements.iter().any(|it| it.state() == state)
    }
}
