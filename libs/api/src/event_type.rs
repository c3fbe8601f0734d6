//! The types of events: `dev.baton.transfer.completed.v1` on the wire, `transfer.completed` for people.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use prost_reflect::{DescriptorPool, MessageDescriptor};

use crate::event::v1::Event;
use crate::{ApiError, nearest};

/// The product's name in the reverse form of a domain, as `CloudEvents` wants it.
const PREFIX: &str = "dev.baton.";
/// The version of the data's contract: that of the package.
const VERSION: &str = ".v1";

/// All types, in their short form: the fields of the one that happened, of `EventData`, with the first `_` as a dot.
static KNOWN: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let data = DescriptorPool::get_message_by_name(&crate::POOL, "baton.event.v1.EventData");
    let fields = data.iter().flat_map(MessageDescriptor::oneofs).flat_map(|what| what.fields().collect::<Vec<_>>());
    fields.map(|field| field.name().replacen('_', ".", 1)).collect()
});

/// `dev.baton.transfer.completed.v1` of `transfer.completed`.
pub fn whole(name: &str) -> String {
    format!("{PREFIX}{name}{VERSION}")
}

/// `transfer.completed` of `dev.baton.transfer.completed.v1`, also as a pattern; what has another form stays as it is.
pub fn short(whole: &str) -> &str {
    let Some(rest) = whole.strip_prefix(PREFIX) else { return whole };
    rest.strip_suffix(VERSION).unwrap_or(rest)
}

/// Refuses a pattern (`transfer.*`) that no type fits: it is a typo, and would find nothing for ever.
pub fn check(pattern: &str) -> Result<(), ApiError> {
    let pattern = short(pattern);
    if KNOWN.iter().any(|name| fits(name.as_bytes(), pattern.as_bytes())) {
        return Ok(());
    }
    let areas = || KNOWN.iter().filter_map(|name| name.split_once('.')).map(|(area, _)| format!("{area}.*"));
    let known = KNOWN.iter().cloned().chain(areas()).collect();
    let hint = match nearest(pattern, &known) {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => {
            format!("the areas are {}", areas().collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(", "))
        }
    };
    Err(ApiError::invalid_argument("filter.type", format!("is `{pattern}`, which no type of event fits; {hint}")))
}

/// Whether the pattern fits, in which `*` stands for any characters.
fn fits(name: &[u8], pattern: &[u8]) -> bool {
    match pattern.split_first() {
        None => name.is_empty(),
        Some((b'*', rest)) => (0..=name.len()).any(|from| fits(&name[from..], rest)),
        Some((first, rest)) => name.split_first().is_some_and(|(it, after)| it == first && fits(after, rest)),
    }
}

impl Event {
    /// Its type, in the short form.
    pub fn name(&self) -> &str {
        short(&self.r#type)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_read_as_it_is_written() {
        assert_eq!(whole("transfer.completed"), "dev.baton.transfer.completed.v1");
        for name in KNOWN.iter() {
            assert_eq!(short(&whole(name)), name);
        }
        assert_eq!(short("dev.baton.transfer.*"), "transfer.*");
        assert_eq!(short("other.thing"), "other.thing");
    }

    #[test]
    fn a_pattern_that_fits_no_type_is_a_typo() {
        for good in [
            "transfer.*",
            "*.completed",
            "interaction.flow_step",
            "*",
            "dev.baton.interaction.ended.v1",
            "agent.state_*",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        let typo = check("transfers.*").unwrap_err();
        assert!(typo.message.contains("transfer.*"), "{typo}");
        let typo = check("interaction.endet").unwrap_err();
        assert!(typo.message.contains("interaction.ended"), "{typo}");
        let strange = check("zzzzzzzz").unwrap_err();
        assert!(strange.message.contains("recording.*"), "{strange}");
    }
}
