//! Ending with whoever started us.

use std::io::Read as _;

use baton_runtime::lifecycle::Lifecycle;

/// Ends everything in order when standard input is closed, which it is when the program that holds it dies in any way.
pub(crate) fn stop_when_closed(lifecycle: Lifecycle) {
    // A thread of its own: reading blocks, and no runtime can take that back.
    std::thread::spawn(move || {
        let mut buffer = [0; 64];
        let mut input = std::io::stdin().lock();
        while matches!(input.read(&mut buffer), Ok(1..)) {}
        lifecycle.stop();
    });
}
