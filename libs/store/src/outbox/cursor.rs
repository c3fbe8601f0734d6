//! Where the publication of an outbox goes on.

use std::cmp::Reverse;
use std::fmt;
use std::str::FromStr;

/// A place in the outbox: all that comes after it is still to be published. The default is before everything.
///
/// As text it is `FROM/TO/POSITION`; whoever keeps it need not understand it. On `PostgreSQL`, where a position that was handed out early
/// may commit late, a cursor goes by what could be seen: all that could be seen in the snapshot `FROM` is done, and so is, of what could be seen in
/// the snapshot `TO`, everything up to `POSITION`. Without a `TO` there is nothing half done. On `SQLite` the position alone says it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OutboxCursor {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) position: i64,
}

impl OutboxCursor {
    /// Whether it comes before the other one, of the same outbox. Snapshots are compared by what they could not see yet.
    pub fn is_before(&self, other: &Self) -> bool {
        self.order() < other.order()
    }

    /// A later snapshot has a higher minimum, or else a higher maximum, or else fewer open transactions between them.
    fn order(&self) -> (u64, u64, Reverse<usize>, bool, i64) {
        let mut parts = self.from.split(':');
        let mut number = || parts.next().and_then(|it| it.parse().ok()).unwrap_or(0);
        let (min, max) = (number(), number());
        let open = parts.next().map_or(0, |it| it.split(',').filter(|it| !it.is_empty()).count());
        (min, max, Reverse(open), !self.to.is_empty(), self.position)
    }
}

/// Not the text of a cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is no cursor of an outbox")]
pub struct InvalidCursor;

impl fmt::Display for OutboxCursor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}/{}", self.from, self.to, self.position)
    }
}

impl FromStr for OutboxCursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let is_snapshot = |it: &str| it.bytes().all(|byte| byte.is_ascii_digit() || b":,".contains(&byte));
        let mut parts = text.split('/');
        let (Some(from), Some(to), Some(position), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(InvalidCursor);
        };
        if !is_snapshot(from) || !is_snapshot(to) {
            return Err(InvalidCursor);
        }
        let position = position.parse().map_err(|_| InvalidCursor)?;
        Ok(Self { from: from.to_owned(), to: to.to_owned(), position })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_are_in_the_order_of_publication() {
        let of_a_server = [
            "//0",
            "/5:9:6,7/1",
            "/5:9:6,7/12",
            "5:9:6,7//0",
            "5:9:6,7/8:10:8/3",
            "5:9:7//0",
            "8:10:8//0",
            "8:10://0",
            "8:10:/11:11:/4",
            "11:11://0",
        ];
        for cursors in [&["//0", "//1", "//20"][..], &of_a_server] {
            let cursors: Vec<OutboxCursor> = cursors.iter().map(|it| it.parse().unwrap()).collect();
            for pair in cursors.windows(2) {
                assert!(pair[0].is_before(&pair[1]) && !pair[1].is_before(&pair[0]), "{} {}", pair[0], pair[1]);
                assert!(!pair[0].is_before(&pair[0]));
            }
        }
    }
}
