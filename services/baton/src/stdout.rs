//! Standard output. Its reader may be gone (`baton events tail | head`).

use std::io::Write as _;

/// Prints a line; an error if the reader is gone.
pub(crate) fn try_print_line(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}

/// Prints a line; a closed output is ignored, because a server does not end when its messages are not read.
pub(crate) fn print_line(line: &str) {
    let _ = try_print_line(line);
}
