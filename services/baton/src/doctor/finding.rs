//! One thing that was looked at.

use std::fmt;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Health {
    Well,
    /// It works, and there is something that somebody should know.
    Doubtful,
    Wrong,
}

/// What was found, as a line: `wrong  database    …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    health: Health,
    /// What was looked at.
    about: String,
    /// How it is; of what is wrong, what to do.
    text: String,
}

impl Finding {
    pub(super) fn well(about: impl Into<String>, text: impl Into<String>) -> Self {
        Self { health: Health::Well, about: about.into(), text: text.into() }
    }

    pub(super) fn doubtful(about: impl Into<String>, text: impl Into<String>) -> Self {
        Self { health: Health::Doubtful, about: about.into(), text: text.into() }
    }

    pub(super) fn wrong(about: impl Into<String>, text: impl Into<String>) -> Self {
        Self { health: Health::Wrong, about: about.into(), text: text.into() }
    }

    pub(super) fn is_wrong(&self) -> bool {
        self.health == Health::Wrong
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.health {
            Health::Well => "ok",
            Health::Doubtful => "look",
            Health::Wrong => "WRONG",
        };
        write!(f, "{mark:<6} {:<21} {}", self.about, self.text)
    }
}
