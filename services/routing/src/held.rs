//! Agents who were just proposed: nobody else is proposed the same one until the claim has been asked for.
//!
//! Only to avoid needless refusals. Who gets an agent is decided by their claim, at presence.

use std::collections::HashMap;

use baton_runtime::auth::TenantId;

/// Longer than a proposal takes to become a claim; shorter than a caller would notice if it never does.
const HELD_US: i64 = 2_000_000;

/// Who is held, and until when.
#[derive(Debug, Default)]
pub(crate) struct Held(HashMap<(TenantId, String), i64>);

impl Held {
    /// Holds an agent from now on.
    pub(crate) fn hold(&mut self, tenant: &TenantId, agent_id: &str, now_us: i64) {
        self.0.retain(|_, until_us| *until_us > now_us);
        self.0.insert((tenant.clone(), agent_id.to_owned()), now_us + HELD_US);
    }

    /// Whether somebody else was just proposed this agent.
    pub(crate) fn is_held(&self, tenant: &TenantId, agent_id: &str, now_us: i64) -> bool {
        let until_us = self.0.get(&(tenant.clone(), agent_id.to_owned()));
        until_us.is_some_and(|until_us| *until_us > now_us)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_is_held_for_a_while_in_one_tenant() {
        let (acme, other) = ("acme".parse().unwrap(), "other".parse().unwrap());
        let mut held = Held::default();
        held.hold(&acme, "bob", 0);
        assert!(held.is_held(&acme, "bob", HELD_US - 1));
        assert!(!held.is_held(&acme, "bob", HELD_US));
        assert!(!held.is_held(&other, "bob", 1));
        held.hold(&acme, "ann", HELD_US);
        assert_eq!(held.0.len(), 1);
    }
}
