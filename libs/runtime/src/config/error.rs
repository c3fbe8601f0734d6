//! Errors in a configuration: one line each, with the file or variable and the key.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;

use super::variable_of;
use baton_api::nearest;

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("can't read the configuration file {}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    /// It is not TOML.
    #[error("{origin}: {message}")]
    Syntax {
        /// The file or variable.
        origin: String,
        /// The position in it, and the error.
        message: String,
    },
    #[error("{origin}: there is no key {key}; {hint}")]
    Unknown {
        /// The file or variable.
        origin: String,
        /// The key, with its section.
        key: String,
        /// The keys that exist, or the one that may be meant.
        hint: String,
    },
    #[error("{origin}: {key}: {message}")]
    Value {
        /// The file or variable.
        origin: String,
        /// The key, with its section.
        key: String,
        message: String,
    },
    /// The values can be read, and make no sense together. Each says the key, what is wrong with it, and what to do.
    #[error("{}", problems.join("\n"))]
    Meaningless { problems: Vec<String> },
}

impl ConfigError {
    /// The exit code of a process that can't start because of it (`EX_USAGE`).
    pub const EXIT_CODE: u8 = 64;

    pub(super) fn unknown(origin: String, key: String, known: &BTreeSet<String>) -> Self {
        let section = key.split_once('.').map(|(section, _)| format!("{section}."));
        let siblings: Vec<_> = known
            .iter()
            .filter(|it| section.as_ref().is_some_and(|section| it.starts_with(section)))
            .map(String::as_str)
            .collect();
        let hint = if siblings.is_empty() {
            let sections: BTreeSet<_> = known.iter().filter_map(|it| Some(it.split_once('.')?.0)).collect();
            let sections: Vec<_> = sections.into_iter().collect();
            format!("the sections are {}", sections.join(", "))
        } else {
            format!("there are {}", siblings.join(", "))
        };
        Self::Unknown { origin, key, hint }
    }

    pub(super) fn unknown_variable(name: &str, key: String, known: &BTreeSet<String>) -> Self {
        let origin = format!("environment variable {name}");
        match nearest(&key, known) {
            Some(meant) => Self::Unknown { origin, key, hint: format!("is {} meant?", variable_of(meant)) },
            None => Self::unknown(origin, key, known),
        }
    }

    pub(super) fn from_figment(error: &figment::Error) -> Self {
        let origin = error.metadata.as_ref().map_or_else(|| "configuration".to_owned(), |it| it.name.to_string());
        let message = baton_words::type_text(&error.kind.to_string());
        if error.path.is_empty() {
            let message = message.trim().replace('\n', " ");
            Self::Syntax { origin, message }
        } else {
            Self::Value { origin, key: error.path.join("."), message }
        }
    }
}
