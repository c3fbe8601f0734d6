//! Access by role and token, separation of tenants, and bad input: over the whole contract, by its descriptors, so that new methods
//! are tested, too.

mod bad_input;
mod command_line;
mod contexts;
mod contract;
mod foreign;
mod identity;
mod old_client;
mod roles;
mod terminal;
mod tls;
mod tokens;
mod voicemail;
mod wrong_state;

use crate::harness::Scenario;

/// All of them.
pub(crate) fn scenarios() -> Vec<Scenario> {
    [
        roles::scenarios(),
        tokens::scenarios(),
        foreign::scenarios(),
        identity::scenarios(),
        old_client::scenarios(),
        bad_input::scenarios(),
        wrong_state::scenarios(),
        command_line::scenarios(),
        contexts::scenarios(),
        voicemail::scenarios(),
        terminal::scenarios(),
        tls::scenarios(),
    ]
    .concat()
}
