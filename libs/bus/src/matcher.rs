//! Selecting events by tenant, aggregate and type.

use crate::Envelope;

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

    /// Whether every event of the tenant, or of all, fits.
    pub(crate) fn is_of_tenant_alone(&self) -> bool {
        self.aggregate.is_none() && self.patterns.is_empty()
    }

    /// Whether an event fits, as the log's statements decide it.
    pub(crate) fn matches(&self, event: &Envelope) -> bool {
        self.tenant.as_ref().is_none_or(|it| *it == event.tenant)
            && self.aggregate.as_ref().is_none_or(|it| *it == event.aggregate)
            && self.matches_type(&event.event_type)
    }

    /// Whether events of this type can fit.
    pub(crate) fn matches_type(&self, event_type: &str) -> bool {
        self.patterns.is_empty() || self.patterns.iter().any(|it| it.fits(event_type))
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

    /// What `LIKE` says: `%` is any characters, and everything else is itself.
    fn fits(&self, text: &str) -> bool {
        let plain = self.0.replace('\\', "");
        let Some((first, rest)) = plain.split_once('%') else { return plain == text };
        let Some(mut text) = text.strip_prefix(first) else { return false };
        let mut parts: Vec<_> = rest.split('%').collect();
        let last = parts.pop().unwrap_or_default();
        for part in parts {
            // The earliest place leaves most for the others.
            let Some((_, after)) = text.split_once(part) else { return false };
            text = after;
        }
        text.ends_with(last)
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
    fn a_pattern_fits_what_it_fits_in_a_statement() {
        let cases = [
            ("interaction.*", "interaction.opened", true),
            ("interaction.*", "interactions", false),
            ("*.mute_changed", "interaction.mute_changed", true),
            ("*.mute_changed", "interaction.mutexchanged", false),
            ("a**b", "ab", true),
            ("a*b*c", "a.bcb.c", true),
            ("a*b*c", "a.c.b", false),
            ("*a*", "bab", true),
            ("a*a", "a", false),
            ("*", "anything", true),
            ("a.b", "a.b", true),
            ("a.b", "a.bc", false),
        ];
        for (pattern, text, fits) in cases {
            assert_eq!(Pattern::parse(pattern).unwrap().fits(text), fits, "{pattern} {text}");
        }
    }

    #[test]
    fn what_no_event_type_has_is_refused() {
        for bad in ["", "Transfer.*", "a%", "a b", "a'", "\\", &"a".repeat(129)] {
            assert_eq!(EventMatcher::types([bad]), Err(EventMatcherError::Pattern), "{bad:?}");
        }
        assert_eq!(EventMatcher::types(["a"; 33]), Err(EventMatcherError::TooMany));
    }
}
