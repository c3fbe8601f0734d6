//! Which Baton a command talks to: what the command line says, else the environment, else the context, else the default.

use std::path::{Path, PathBuf};

use clap::Args;

use super::file::{ClientContext, ContextFile};
use crate::client::session::NonEmptyArg;
use crate::failure::UsageError;
use crate::folder;

const DEFAULT_SERVER: &str = "http://127.0.0.1:7400";
const DEFAULT_DATA: &str = "./baton-data";

#[derive(Debug, Default, Args)]
pub(crate) struct ServerArgs {
    /// A named set of server, tenant, token and data folder (`baton context add`) for what no option and no variable says [default: the
    /// one of `baton context use`].
    #[arg(long, global = true, env = "BATON_CONTEXT", value_name = "NAME", value_parser = NonEmptyArg)]
    pub(crate) context: Option<String>,
    /// Where Baton is [default: where the data folder's Baton listens, or <http://127.0.0.1:7400>].
    #[arg(long, global = true, env = "BATON_SERVER", value_name = "URL", value_parser = NonEmptyArg)]
    pub(crate) server: Option<String>,
    /// The data folder of a Baton on this machine: where that listens, and the key that mints tokens. It stands for the server and
    /// the token of a context, too [default: ./baton-data].
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
}

impl ServerArgs {
    pub(crate) fn choose(self) -> anyhow::Result<ClientContext> {
        let contexts = ContextFile::load()?;
        let name = non_empty(self.context.clone()).or_else(|| contexts.in_use.clone());
        let context = name.map(|it| contexts.named(&it).cloned()).transpose()?;
        Ok(self.over(context.unwrap_or_default()))
    }

    /// For what needs an address and no key: nothing would be left for a data folder beside a server.
    pub(crate) fn choose_address(self) -> anyhow::Result<ClientContext> {
        self.check_data_is_of_use()?;
        self.choose()
    }

    /// Where a token is given, or none is needed, a data folder is for its address alone; a server that is named goes over that, and the
    /// command would go to another Baton than the folder's.
    pub(crate) fn check_data_is_of_use(&self) -> Result<(), UsageError> {
        match (&self.data, self.server.as_deref().filter(|it| !it.is_empty())) {
            (Some(data), Some(server)) => Err(UsageError::new(format!(
                "--data {} would do nothing beside the server {server} (--server or BATON_SERVER): which Baton is meant?\n  Leave out one of them.",
                data.display()
            ))),
            _ => Ok(()),
        }
    }

    /// A data folder has an address and a key: whoever names one means neither those of another Baton.
    fn over(self, context: ClientContext) -> ClientContext {
        let mut chosen = match self.data {
            Some(data) => ClientContext { server: None, token_file: None, data: Some(data), ..context },
            None => context,
        };
        chosen.server = non_empty(self.server).or(chosen.server);
        chosen
    }
}

impl ClientContext {
    pub(crate) fn data(&self) -> &Path {
        self.data.as_deref().unwrap_or(Path::new(DEFAULT_DATA))
    }

    /// The server that is named, or that runs in the data folder.
    pub(crate) fn known_server(&self) -> Option<String> {
        self.server.clone().or_else(|| folder::notice(self.data()).map(|it| it.address))
    }

    pub(crate) fn server(&self) -> String {
        self.known_server().unwrap_or_else(|| DEFAULT_SERVER.to_owned())
    }

    pub(crate) fn token(&self) -> Result<Option<String>, UsageError> {
        let Some(file) = &self.token_file else { return Ok(None) };
        let unusable = |why: &str| {
            let file = file.display();
            UsageError::new(format!("the token file of the context, {file}, {why}\n  `baton token` mints one."))
        };
        let text = std::fs::read_to_string(file).map_err(|error| unusable(&format!("can't be read: {error}")))?;
        if text.trim().is_empty() { Err(unusable("is empty")) } else { Ok(Some(text.trim().to_owned())) }
    }
}

pub(crate) fn non_empty(value: Option<String>) -> Option<String> {
    value.filter(|it| !it.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context() -> ClientContext {
        ClientContext {
            server: Some("http://context".to_owned()),
            tenant: Some("acme".parse().unwrap()),
            token_file: Some("token".into()),
            data: Some("of-the-context".into()),
        }
    }

    #[test]
    fn n10_what_is_said_goes_over_the_context_and_the_context_over_the_default() {
        let unsaid = ServerArgs { server: Some(String::new()), ..ServerArgs::default() };
        assert_eq!(unsaid.over(context()), context());
        let said = ServerArgs { server: Some("http://said".to_owned()), ..ServerArgs::default() };
        let chosen = said.over(context());
        assert_eq!((chosen.server().as_str(), chosen.data()), ("http://said", Path::new("of-the-context")));
        let default = ServerArgs::default().over(ClientContext::default());
        assert_eq!((default.server().as_str(), default.data()), (DEFAULT_SERVER, Path::new(DEFAULT_DATA)));
    }

    #[test]
    fn n10_a_data_folder_that_is_named_is_asked_by_its_own_address_and_key() {
        let chosen = ServerArgs { data: Some("named".into()), ..ServerArgs::default() }.over(context());
        let expected = ClientContext { server: None, token_file: None, data: Some("named".into()), ..context() };
        assert_eq!(chosen, expected);
    }

    #[test]
    fn n10_a_token_comes_from_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        let context = ClientContext { token_file: Some(file.clone()), ..ClientContext::default() };
        assert!(context.token().unwrap_err().to_string().contains("can't be read"));
        std::fs::write(&file, "\n").unwrap();
        assert!(context.token().unwrap_err().to_string().contains("is empty"));
        std::fs::write(&file, "abc\n").unwrap();
        assert_eq!(context.token().unwrap().as_deref(), Some("abc"));
    }
}
