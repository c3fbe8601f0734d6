//! How far a proof looks.

use std::num::NonZeroUsize;

/// How far a proof looks. Within it, it looks at everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound {
    /// Agents who can be in the call, the first included: 2 to 4.
    pub agents: u8,
    /// Transfers that are started in one call: 1 to 5.
    pub transfers: u8,
    /// The number records all, or agents start and stop by hand; and they pause and resume.
    pub recording: bool,
    /// After how many steps to stop although it is not done; none: never.
    pub most_steps: Option<NonZeroUsize>,
    /// Threads to use: 1 or more.
    pub threads: usize,
}

impl Bound {
    /// Enough for everything that one transfer can do: some seconds.
    pub const QUICK: Self = Self { agents: 2, transfers: 1, recording: false, most_steps: None, threads: 1 };
}

impl std::fmt::Display for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let plural = |count: u8| if count == 1 { "" } else { "s" };
        let recorded = if self.recording { "recorded" } else { "not recorded" };
        let (agents, transfers) = (self.agents, self.transfers);
        write!(f, "{agents} agents, {transfers} transfer{} in a call, {recorded}", plural(transfers))
    }
}
