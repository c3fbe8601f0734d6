//! Selecting events by tenant, aggregate and type.

/// The most patterns in one filter, and the most characters in one: they end in a database query.
const MAX_PATTERNS: usize = 32;
const MAX_PATTERN: usize = 128;

/// Matches the events that fit every part that is given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventMatcher {
    /// Only this tenant's; `None` for all, as Baton's own consumers have it.
    pub tenant: Option<String>,
    pub aggregate: Option<String>,
    patterns: Vec<Pattern>,
}

/// Why a filter can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventMatcherError {
    /// A pattern has characters that no event type has.
    #[error(
        "a type pattern has only lower-case letters, digits, `_`, `.` and `*` (any characters), at most {MAX_PATTERN}"
    )]
    Pattern,
    #[error("a filter has at most {MAX_PATTERNS} type patterns")]
    TooMany,
}

/// A pattern on event types as SQL's `LIKE` wants it, with `\` as the escape.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern(String);

impl EventMatcher {
    /// Matches every event.
    pub fn all() -> Self {
        Self::default()
    }

    /// Events whose type fits one of the patterns: `transfer.*`, `*.completed`, `interaction.ended`.
    pub fn types<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Result<Self, EventMatcherError> {
        let patterns: Vec<_> = patterns.into_iter().map(Pattern::parse).collect::<Result<_, _>>()?;
        if patterns.len() > MAX_PATTERNS {
            return Err(EventMatcherError::TooMany);
        }
        Ok(Self { patterns, ..Self::default() })
    }

    #[must_use]
    pub fn of_tenant(mut self, tenant: impl Into<String>) -> Self {
        self.tenant = Some(tenant.into());
        self
    }

    /// Only those about this aggregate.
    #[must_use]
    pub fn about(mut self, aggregate: impl Into<String>) -> Self {
        self.aggregate = Some(aggregate.into());
        self
    }

    /// The type patterns for `LIKE … ESCAPE '\'`; empty for all types.
    pub(crate) fn like_patterns(&self) -> impl ExactSizeIterator<Item = &str> {
        self.patterns.iter().map(|pattern| pattern.0.as_str())
    }
}

impl Pattern {
    fn parse(text: &str) -> Result<Self, EventMatcherError> {
        let fits = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || matches!(it, '_' | '.' | '*');
        if text.is_empty() || text.len() > MAX_PATTERN || !text.chars().all(fits) {
            return Err(EventMatcherError::Pattern);
        }
        // Repeated stars match the same and make `LIKE` slow.
        let mut like = text.replace('_', "\\_").replace('*', "%");
        while like.contains("%%") {
            like = like.replace("%%", "%");
        }
        Ok(Self(like))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_match_anything_and_underscores_only_themselves() {
        let filter = EventMatcher::types(["interaction.*", "*.mute_changed", "a**b"]).unwrap();
        let patterns: Vec<_> = filter.like_patterns().collect();
        assert_eq!(patterns, ["interaction.%", "%.mute\\_changed", "a%b"]);
    }

    #[test]
    fn what_no_event_type_has_is_refused() {
        for bad in ["", "Transfer.*", "a%", "a b", "a'", "\\", &"a".repeat(129)] {
            assert_eq!(EventMatcher::types([bad]), Err(EventMatcherError::Pattern), "{bad:?}");
        }
        assert_eq!(EventMatcher::types(["a"; 33]), Err(EventMatcherError::TooMany));
    }
}
