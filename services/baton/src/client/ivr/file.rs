//! An IVR flow as a file: a list of elements, of which each is one of the things that there are.

use std::path::Path;

use baton_api::common::v1::ivr_element::Element;
use baton_api::common::v1::ivr_transfer::To;
use baton_api::common::v1::{
    IvrBranch, IvrCase, IvrCollect, IvrElement, IvrEnd, IvrPlay, IvrReturn, IvrSetData, IvrTransfer,
};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use crate::client::resolve;
use crate::client::session::ClientSession;
use crate::failure::UsageError;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FlowFile {
    /// It gives calls back.
    #[serde(default)]
    pub(super) round_trip: bool,
    elements: Vec<FileElement>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileElement {
    #[serde(default)]
    label: String,
    play: Option<String>,
    collect: Option<FileCollect>,
    set_data: Option<FileSetData>,
    branch: Option<FileBranch>,
    transfer: Option<FileTransfer>,
    r#return: Option<Yes>,
    end: Option<Yes>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct FileCollect {
    key: String,
    announcement: String,
    min_digits: i32,
    max_digits: i32,
    terminator: String,
    first_digit_ms: i64,
    between_digits_ms: i64,
    tries: i32,
    sensitive: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileSetData {
    key: String,
    value: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileBranch {
    key: String,
    cases: Vec<FileCase>,
    #[serde(default)]
    otherwise: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileCase {
    value: String,
    goto: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
enum FileTransfer {
    /// By name or id.
    Agent(String),
    Team(String),
    Mailbox(String),
    /// To the next step of the number's call flow.
    NextStep(Yes),
}

/// `true`. Nobody can mean `false`, which would do the same as no line at all.
#[derive(Debug)]
struct Yes;

impl<'de> Deserialize<'de> for Yes {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        if bool::deserialize(from)? {
            Ok(Self)
        } else {
            Err(D::Error::custom("this can only be true; write true, or take it out"))
        }
    }
}

pub(super) fn read(path: &Path) -> anyhow::Result<FlowFile> {
    let shown = path.display();
    let text =
        std::fs::read_to_string(path).map_err(|error| UsageError::new(format!("{shown} can't be read: {error}")))?;
    parse(&text).map_err(|why| UsageError::new(format!("{shown}: {why}")).into())
}

fn parse(text: &str) -> Result<FlowFile, String> {
    let file: FlowFile = toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
        format!("line {line}: {}", error.message())
    })?;
    let one = |it: &FileElement| {
        let given = [
            it.play.is_some(),
            it.collect.is_some(),
            it.set_data.is_some(),
            it.branch.is_some(),
            it.transfer.is_some(),
            it.r#return.is_some(),
            it.end.is_some(),
        ];
        given.into_iter().filter(|it| *it).count() == 1
    };
    match file.elements.iter().position(|it| !one(it)) {
        None => Ok(file),
        Some(at) => Err(format!(
            "element {} must be exactly one of play, collect, set_data, branch, transfer, return and end",
            at + 1
        )),
    }
}

impl FlowFile {
    /// Looks up whom its transfers name.
    pub(super) async fn elements(self, session: &ClientSession) -> anyhow::Result<Vec<IvrElement>> {
        let mut elements = Vec::with_capacity(self.elements.len());
        for it in self.elements {
            let label = it.label.clone();
            let element = match it.transfer {
                Some(to) => Some(Element::Transfer(IvrTransfer { to: to.resolved(session).await? })),
                None => Some(it.plain()),
            };
            elements.push(IvrElement { label, element });
        }
        Ok(elements)
    }
}

impl FileElement {
    fn plain(self) -> Element {
        if let Some(announcement) = self.play {
            return Element::Play(IvrPlay { announcement });
        }
        if let Some(it) = self.collect {
            return Element::Collect(IvrCollect {
                key: it.key,
                announcement: it.announcement,
                min_digits: it.min_digits,
                max_digits: it.max_digits,
                terminator: it.terminator,
                first_digit_ms: it.first_digit_ms,
                between_digits_ms: it.between_digits_ms,
                tries: it.tries,
                sensitive: it.sensitive,
            });
        }
        if let Some(FileSetData { key, value }) = self.set_data {
            return Element::SetData(IvrSetData { key, value });
        }
        if let Some(FileBranch { key, cases, otherwise }) = self.branch {
            let cases = cases.into_iter().map(|FileCase { value, goto }| IvrCase { value, goto }).collect();
            return Element::Branch(IvrBranch { key, cases, otherwise });
        }
        if self.r#return.is_some() { Element::Return(IvrReturn {}) } else { Element::End(IvrEnd {}) }
    }
}

impl FileTransfer {
    async fn resolved(self, session: &ClientSession) -> anyhow::Result<Option<To>> {
        Ok(match self {
            Self::Agent(name) => Some(To::AgentId(resolve::agent(session, &name).await?.agent_id)),
            Self::Team(name) => Some(To::TeamId(resolve::team(session, &name).await?.team_id)),
            Self::Mailbox(mailbox) => Some(To::Mailbox(mailbox)),
            Self::NextStep(Yes) => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_documentation_is_read() {
        let docs = include_str!("../../../../../docs/ivr.md");
        let example = docs.split("```toml\n").nth(1).and_then(|it| it.split("```").next()).expect("an example");
        let file = parse(example).expect("it is valid");
        assert!(file.round_trip && file.elements.len() > 3);
        assert!(file.elements.iter().filter_map(|it| it.collect.as_ref()).any(|it| it.sensitive));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let error = parse("round_trip = true\n[[elements]]\nplai = \"x\"\n").unwrap_err();
        assert!(error.starts_with("line 3: unknown field `plai`"), "{error}");
        let error = parse("[[elements]]\nend = true\n[[elements]]\nplay = \"x\"\nend = true\n").unwrap_err();
        assert!(error.starts_with("element 2 must be exactly one of"), "{error}");
    }

    #[test]
    fn what_can_only_be_true_is_not_false() {
        for line in ["return = false", "end = false", "transfer = { next_step = false }"] {
            let error = parse(&format!("[[elements]]\nplay = \"beep\"\n[[elements]]\n{line}\n")).unwrap_err();
            assert_eq!(error, "line 4: this can only be true; write true, or take it out", "{line}");
        }
        for line in ["return = true", "end = true", "transfer = { next_step = true }"] {
            parse(&format!("[[elements]]\n{line}\n")).expect(line);
        }
    }
}
