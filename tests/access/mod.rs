//! Who may call what, whose things are whose, and what becomes of bad input: over the whole contract, as its descriptors say it, so
//! that a method that is added tomorrow is tested tomorrow.

mod bad_input;
mod command_line;
mod contract;
mod foreign;
mod roles;
mod tokens;
mod wrong_state;

use crate::harness::Scenario;

/// All of them.
pub(crate) fn scenarios() -> Vec<Scenario> {
    [
        roles::scenarios(),
        tokens::scenarios(),
        foreign::scenarios(),
        bad_input::scenarios(),
        wrong_state::scenarios(),
        command_line::scenarios(),
    ]
    .concat()
}
