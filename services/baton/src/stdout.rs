//! Standard output. Whoever read it may have gone (`baton events tail | head`).

use std::io::Write as _;

/// Prints a line, if anybody still reads.
pub(crate) fn try_line(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}

/// A line for whoever looks: what serves does not end because what it says is not read.
pub(crate) fn tell(line: &str) {
    let _ = try_line(line);
}
