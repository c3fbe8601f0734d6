//! Ending together with the program that started us.

use std::io::Read as _;

use baton_runtime::lifecycle::Lifecycle;

/// Stops the lifecycle when standard input is closed, which happens however the program at its other end dies.
pub(crate) fn stop_when_closed(lifecycle: Lifecycle) {
    // A thread of its own: a blocking read can't be cancelled by the runtime.
    std::thread::spawn(move || {
        let mut buffer = [0; 64];
        let mut input = std::io::stdin().lock();
        while matches!(input.read(&mut buffer), Ok(1..)) {}
        lifecycle.stop();
    });
}
