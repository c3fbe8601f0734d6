//! `baton context`: what a command takes from it, and what goes over it; and which version answers.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::Context as _;
use baton_testkit::Embedded;

use super::command_line::{NO_ANSWER, NOT_FOUND, USAGE, client, ended};
use crate::harness::{Scenario, alone, on_its_own};

/// Where nobody listens.
const NOWHERE: &str = "http://127.0.0.1:9";

pub(super) fn scenarios() -> Vec<Scenario> {
    alone![
        access_n10_a_context_says_what_no_option_and_no_variable_says,
        access_n10_the_version_of_the_server_is_told_from_the_clients,
    ]
}

/// A user with a configuration folder, in a folder without data.
struct User<'a> {
    binary: &'a Path,
    home: tempfile::TempDir,
}

impl<'a> User<'a> {
    fn new(binary: &'a Path) -> anyhow::Result<Self> {
        Ok(Self { binary, home: tempfile::tempdir()? })
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = client(self.binary, arguments);
        command.current_dir(self.home.path()).env("XDG_CONFIG_HOME", self.home.path());
        command
    }

    fn run(&self, arguments: &[&str]) -> anyhow::Result<Output> {
        Ok(self.command(arguments).output()?)
    }

    fn file(&self) -> PathBuf {
        self.home.path().join("baton/contexts.toml")
    }
}

fn says(output: &Output, words: &[&str]) -> anyhow::Result<()> {
    ended(output, 0, &[])?;
    let said = String::from_utf8_lossy(&output.stdout);
    let missing: Vec<_> = words.iter().filter(|it| !said.contains(**it)).collect();
    anyhow::ensure!(missing.is_empty(), "it does not say {missing:?}: {said}");
    Ok(())
}

async fn access_n10_a_context_says_what_no_option_and_no_variable_says(binary: PathBuf) -> anyhow::Result<()> {
    on_its_own(&binary, &[], async |target: &mut Embedded| {
        let user = User::new(&binary)?;
        let (data, server) = (target.data().to_string_lossy().into_owned(), target.endpoints().public.clone());
        let agents = ["agent", "list"];
        ended(&user.run(&agents)?, USAGE, &["no token, and no key"])?;

        // The data folder of one that is in use.
        says(&user.run(&["context", "add", "here", "--data", &data, "--use"])?, &["here is in use"])?;
        says(&user.run(&agents)?, &["Ada"])?;
        let mode = std::fs::metadata(user.file())?.permissions().mode() & 0o777;
        anyhow::ensure!(mode == 0o600, "others may read it: {mode:o}");

        // A server, a tenant, and a token, which stays where it is.
        let mint = ["token", "--tenant", "demo", "--role", "supervisor", "--subject", "eve", "--data", &data];
        let token = String::from_utf8(user.run(&mint)?.stdout)?;
        std::fs::write(user.home.path().join("token"), &token)?;
        let add = ["context", "add", "there", "--server", &server, "--tenant", "demo", "--token-file", "token"];
        says(&user.run(&add)?, &["there is kept"])?;
        says(&user.run(&["--context", "there", "call", "list"])?, &["(none)"])?;
        let other = user.run(&["--context", "there", "team", "create", "X", "--tenant", "acme"])?;
        ended(&other, USAGE, &["the context's token is of the tenant demo", "--tenant names acme"])?;
        says(&user.run(&["context", "add", "mixed", "--server", &server, "--tenant", "acme"])?, &["kept"])?;
        let mixed = user.command(&["--context", "mixed", "agent", "list"]).env("BATON_TOKEN", token.trim()).output()?;
        ended(&mixed, USAGE, &["the context's tenant is acme", "--context"])?;
        let kept = std::fs::read_to_string(user.file())?;
        anyhow::ensure!(!kept.contains(token.trim()), "the token is in the file");
        anyhow::ensure!(kept.contains(&*user.home.path().join("token").to_string_lossy()), "from anywhere: {kept}");

        // An option goes over a variable, and a variable over the context.
        says(&user.command(&agents).env("BATON_CONTEXT", "there").output()?, &["Ada"])?;
        let list = |context: &str, nowhere: &str, more: &[&str]| {
            user.command(&agents).args(more).env("BATON_CONTEXT", context).env("BATON_SERVER", nowhere).output()
        };
        ended(&list("there", NOWHERE, &[])?, NO_ANSWER, &[NOWHERE])?;
        says(&list("there", NOWHERE, &["--server", &server])?, &["Ada"])?;
        says(&list("nope", "", &["--context", "here"])?, &["Ada"])?;
        ended(&list("nope", "", &[])?, NOT_FOUND, &["\"nope\"", "`baton context list`"])?;
        let tenant = user.run(&["agent", "list", "--tenant", "acme"])?;
        anyhow::ensure!(tenant.status.code() == Some(5), "the tenant of the option: {tenant:?}");
        // A data folder stands for the server of a context, too.
        let other = tempfile::tempdir()?;
        let other = other.path().to_string_lossy();
        ended(&user.run(&["--context", "there", "agent", "list", "--data", &other])?, USAGE, &[&other])?;
        says(&user.run(&["--context", "there", "health"])?, &[&server, "is ready"])?;

        listed_and_removed(&user).context("the contexts themselves")
    })
    .await
}

fn listed_and_removed(user: &User<'_>) -> anyhow::Result<()> {
    says(&user.run(&["context", "ls"])?, &["*  here", "there"])?;
    says(&user.run(&["context", "use", "there"])?, &["there"])?;
    says(&user.run(&["context", "show"])?, &["there, in use", "tenant      demo"])?;
    says(&user.run(&["context", "list", "-o", "json"])?, &["\"in_use\": true", "\"token_file\""])?;
    ended(&user.run(&["context", "use", "nope"])?, NOT_FOUND, &["\"nope\""])?;
    ended(&user.run(&["context", "rm", "nope"])?, NOT_FOUND, &["\"nope\""])?;
    ended(&user.run(&["context", "add", "empty"])?, USAGE, &["--server"])?;
    says(&user.run(&["context", "rm", "there"])?, &["no context now"])?;
    ended(&user.run(&["agent", "list"])?, USAGE, &["no token, and no key"])?;
    says(&user.run(&["context", "use", "here"])?, &["here"])?;
    says(&user.run(&["context", "use", "--none"])?, &["no context now"])?;
    says(&user.run(&["context", "list"])?, &["here"])?;
    std::fs::write(user.file(), "[contexts.x]\ntoken = \"y\"\n")?;
    ended(&user.run(&["agent", "list"])?, USAGE, &["contexts.toml"])
}

async fn access_n10_the_version_of_the_server_is_told_from_the_clients(binary: PathBuf) -> anyhow::Result<()> {
    on_its_own(&binary, &[], async |target: &mut Embedded| {
        let user = User::new(&binary)?;
        let server = target.endpoints().public.clone();
        let version = env!("CARGO_PKG_VERSION");
        let both = [format!("baton {version}"), format!("server {version}"), server.clone()];
        says(&user.run(&["version", "--server", &server])?, &both.each_ref().map(String::as_str))?;
        let json: serde_json::Value =
            serde_json::from_slice(&user.run(&["version", "-o", "json", "--server", &server])?.stdout)?;
        anyhow::ensure!(json["server"]["address"] == server && json["server"]["version"] == json["version"], "{json}");
        let alone = user.run(&["version", "--server", NOWHERE])?;
        ended(&alone, 0, &["Nobody answers", NOWHERE])?;
        anyhow::ensure!(!String::from_utf8_lossy(&alone.stdout).contains("server"), "{alone:?}");
        Ok(())
    })
    .await
}
