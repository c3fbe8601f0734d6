//! What the terminal is like: how wide, and whether it shows colours.

use std::io::IsTerminal as _;

/// Columns of the terminal at standard output; those of `COLUMNS` where it is set, and `None` where nothing limits a line.
pub(super) fn width() -> Option<usize> {
    let given = variable("COLUMNS").and_then(|it| it.parse().ok()).filter(|it| *it > 0);
    given.or_else(|| terminal_size::terminal_size_of(std::io::stdout()).map(|(width, _)| usize::from(width.0)))
}

/// In a terminal alone, unless it is a dumb one or `NO_COLOR` is set (<https://no-color.org>).
pub(super) fn shows_colours() -> bool {
    let is_dumb = variable("TERM").is_none_or(|it| it == "dumb");
    std::io::stdout().is_terminal() && !is_dumb && variable("NO_COLOR").is_none_or(|it| it.is_empty())
}

#[expect(clippy::disallowed_methods, reason = "these belong to the terminal and not to Baton's configuration")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
