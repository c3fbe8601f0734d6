//! Where a command goes, and in whose name.
//!
//! With a token, everything is done with that token. With a data folder that has a key (as beside `baton up`), a token is
//! minted for each call: of whoever `--as` names, and otherwise of the role that the method needs. Two things are nobody's in
//! particular and need no `--as`: what the people at the phones do, and what is looked up to fill in what was left out.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use anyhow::Context as _;
use baton_runtime::auth::{Caller, Role, SigningKey, TenantId};
use baton_runtime::client::GrpcChannel;
use baton_runtime::{Clock, ids};
use clap::builder::{NonEmptyStringValueParser, StringValueParser, TypedValueParser};
use clap::parser::ValueSource;
use clap::{Arg, Args, Command};
use uuid::Uuid;

use super::output::Output;
use super::story::Names;
use crate::failure::Usage;
use crate::folder;

const USUAL_SERVER: &str = "http://127.0.0.1:7400";
/// A command lasts seconds; a watch that lasts longer has been admitted long before.
const TOKEN_TTL: Duration = Duration::from_mins(10);
/// Who acts when nobody says.
const NOBODY: &str = "baton-cli";

/// What every client command takes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct SessionArgs {
    /// Where Baton is [default: where the data folder's Baton listens, or <http://127.0.0.1:7400>].
    #[arg(long, global = true, env = "BATON_SERVER", value_name = "URL", value_parser = Given)]
    server: Option<String>,
    /// The token to use. Without one (or with an empty `BATON_TOKEN`), tokens are minted with the data folder's key.
    #[arg(long, global = true, env = "BATON_TOKEN", hide_env_values = true, value_parser = Given)]
    token: Option<String>,
    /// The data folder of a Baton on this machine.
    #[arg(long, global = true, value_name = "DIR", default_value = "./baton-data")]
    data: PathBuf,
    /// The tenant, for minted tokens.
    #[arg(long, global = true, default_value = "demo")]
    tenant: TenantId,
    /// In whose name, for minted tokens: agent:Ada, supervisor:eve, admin:root [default: who may]. The simulated phones are
    /// nobody's in particular.
    #[arg(long = "as", global = true, value_name = "ROLE:NAME")]
    acting: Option<Acting>,
    /// Print JSON and not tables. Field names are those of the contract (proto/); a list is one array, a stream one object a
    /// line, and where there is nothing to say it is {}.
    #[arg(long, global = true)]
    json: bool,
    /// The id that makes a repeated change one change: one intent of one method by one subject [default: a fresh one].
    #[arg(long, global = true, value_name = "ID")]
    request_id: Option<String>,
}

/// An empty environment variable counts as not set. An empty argument is a mistake, as a rule a shell variable without a
/// value: to go on without it would be to act as somebody else.
#[derive(Debug, Clone)]
struct Given;

impl TypedValueParser for Given {
    type Value = String;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<String, clap::Error> {
        NonEmptyStringValueParser::new().parse_ref(command, arg, value)
    }

    fn parse_ref_(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &OsStr,
        source: ValueSource,
    ) -> Result<String, clap::Error> {
        match source {
            ValueSource::EnvVariable => StringValueParser::new().parse_ref(command, arg, value),
            _ => self.parse_ref(command, arg, value),
        }
    }
}

/// A role and a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Acting {
    pub(super) role: Role,
    pub(super) subject: String,
}

impl FromStr for Acting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (role, subject) = text.split_once(':').ok_or("write ROLE:NAME, for example agent:Ada")?;
        if subject.is_empty() {
            return Err("write ROLE:NAME, for example agent:Ada".to_owned());
        }
        Ok(Self { role: role.parse()?, subject: subject.to_owned() })
    }
}

enum Auth {
    Token(String),
    Key(SigningKey),
}

/// A connection to Baton, in somebody's name.
pub(crate) struct Session {
    server: String,
    channel: GrpcChannel,
    auth: Auth,
    tenant: TenantId,
    acting: Option<Acting>,
    request_id: Option<String>,
    pub(super) out: Output,
    pub(super) clock: Clock,
}

impl Session {
    /// Finds out where to connect and with what; connects when first used.
    pub(super) fn new(args: SessionArgs) -> anyhow::Result<Self> {
        let server = given(args.server).or_else(|| folder::notice(&args.data).map(|it| it.address));
        let server = server.unwrap_or_else(|| USUAL_SERVER.to_owned());
        let clock = Clock::real();
        Ok(Self {
            channel: channel(&server, &clock)?,
            server,
            auth: auth(args.token, &args.data)?,
            tenant: args.tenant,
            acting: args.acting,
            request_id: args.request_id,
            out: Output { json: args.json },
            clock,
        })
    }

    /// The agent who was named with `--as`, if tokens are minted and it is no id.
    pub(super) fn agent_to_find(&self) -> Option<&str> {
        self.acting_agent().filter(|it| self.can_mint() && Uuid::try_parse(it).is_err())
    }

    /// The same in the name of this agent.
    pub(super) fn acting_as(self, agent_id: String) -> Self {
        Self { acting: Some(Acting { role: Role::Agent, subject: agent_id }), ..self }
    }

    /// For filling in what a command leaves out, such as the id of a name that `--as` gives: with a key, as somebody who may
    /// see the whole tenant. Never for what is shown.
    pub(super) fn lookup(&self) -> anyhow::Result<GrpcChannel> {
        self.minted(Role::Supervisor, NOBODY)
    }

    /// For reading.
    pub(super) fn reading(&self) -> anyhow::Result<GrpcChannel> {
        self.of_role(Role::Supervisor)
    }

    /// For a command that this role may give, unless somebody was named.
    pub(super) fn of_role(&self, role: Role) -> anyhow::Result<GrpcChannel> {
        let (role, subject) = self.acting_or(role, NOBODY);
        self.minted(role, subject)
    }

    /// For a command that this agent gives, unless somebody else was named.
    pub(super) fn of_agent(&self, agent_id: &str) -> anyhow::Result<GrpcChannel> {
        let (role, subject) = self.acting_or(Role::Agent, agent_id);
        self.minted(role, subject)
    }

    fn acting_or<'a>(&'a self, role: Role, subject: &'a str) -> (Role, &'a str) {
        self.acting.as_ref().map_or((role, subject), |it| (it.role, &it.subject))
    }

    /// For the people at the phones, who are nobody that Baton knows.
    pub(super) fn of_phones(&self) -> anyhow::Result<GrpcChannel> {
        match &self.acting {
            Some(acting) if acting.role == Role::Simulator => self.minted(acting.role, &acting.subject),
            _ => self.minted(Role::Simulator, NOBODY),
        }
    }

    /// Who acts, for a person, where this agent would if nobody was named.
    pub(super) fn whose(&self, agent_id: &str, names: &Names) -> String {
        match (&self.acting, &self.auth) {
            (_, Auth::Token(_)) => "the token's bearer".to_owned(),
            (Some(acting), _) if acting.role == Role::Agent => names.of(&acting.subject),
            (Some(acting), _) => format!("{} ({})", acting.subject, acting.role),
            (None, _) if agent_id.is_empty() => "a supervisor".to_owned(),
            (None, _) => names.of(agent_id),
        }
    }

    /// Where it goes.
    pub(super) fn server(&self) -> &str {
        &self.server
    }

    /// The agent who was named with `--as`.
    pub(super) fn acting_agent(&self) -> Option<&str> {
        self.acting.as_ref().filter(|it| it.role == Role::Agent).map(|it| it.subject.as_str())
    }

    /// Whether tokens can be minted for whoever is needed.
    pub(super) fn can_mint(&self) -> bool {
        matches!(self.auth, Auth::Key(_))
    }

    /// Whether everything may be read: tokens are minted for it, and in nobody's name.
    pub(super) fn may_all(&self) -> bool {
        self.can_mint() && self.acting.is_none()
    }

    /// For the next change.
    pub(super) fn request_id(&self) -> String {
        self.request_id.clone().unwrap_or_else(|| ids::new_uuid().to_string())
    }

    fn minted(&self, role: Role, subject: &str) -> anyhow::Result<GrpcChannel> {
        let token = match &self.auth {
            Auth::Token(token) => token.clone(),
            Auth::Key(key) => {
                let caller = Caller::of_tenant(self.tenant.clone(), subject, role);
                key.mint(&caller, self.clock.now_us(), TOKEN_TTL)?
            }
        };
        Ok(self.channel.with_token(&token)?)
    }
}

fn given(value: Option<String>) -> Option<String> {
    value.filter(|it| !it.is_empty())
}

fn channel(server: &str, clock: &Clock) -> Result<GrpcChannel, Usage> {
    if server.starts_with("https://") {
        return Err(Usage::new(format!(
            "this version speaks plain http, and {server} is https\n  Where TLS is needed, put a TLS proxy in front of Baton and one at this end, and give the latter's http:// address."
        )));
    }
    GrpcChannel::anonymous(server, clock.clone()).map_err(|error| Usage::new(error.to_string()))
}

fn auth(token: Option<String>, data: &Path) -> anyhow::Result<Auth> {
    if let Some(token) = given(token) {
        return Ok(Auth::Token(token));
    }
    let file = folder::key_file(data);
    let key = SigningKey::load(&file).context("minting a token")?;
    key.map(Auth::Key).ok_or_else(|| {
        let message = format!(
            "no token, and no key at {}\n  Name the data folder of a running `baton up` with --data, or give --token (BATON_TOKEN).",
            file.display()
        );
        Usage::new(message).into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_and_a_name_are_read() {
        let acting: Acting = "agent:Ada Lovelace".parse().unwrap();
        assert_eq!((acting.role, acting.subject.as_str()), (Role::Agent, "Ada Lovelace"));
        for wrong in ["Ada", "agent:", "boss:Ada"] {
            assert!(wrong.parse::<Acting>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn without_token_and_key_it_is_said_what_to_give() {
        let folder = tempfile::tempdir().unwrap();
        let error = auth(None, folder.path()).err().unwrap();
        assert!(error.is::<Usage>() && error.to_string().contains("--data"), "{error}");
        assert!(matches!(auth(Some("t".to_owned()), folder.path()), Ok(Auth::Token(_))));
    }

    fn session(folder: &Path, acting: Option<&str>) -> Session {
        SigningKey::load_or_create(&folder::key_file(folder)).unwrap();
        let args = SessionArgs {
            server: None,
            token: None,
            data: folder.to_owned(),
            tenant: "demo".parse().unwrap(),
            acting: acting.map(|it| it.parse().unwrap()),
            json: false,
            request_id: None,
        };
        Session::new(args).unwrap()
    }

    #[tokio::test]
    async fn whoever_is_named_acts_in_everything_but_at_the_phones() {
        let folder = tempfile::tempdir().unwrap();
        let named = session(folder.path(), Some("agent:d"));
        for (role, subject) in [(Role::Supervisor, NOBODY), (Role::Admin, NOBODY), (Role::Agent, "a")] {
            assert_eq!(named.acting_or(role, subject), (Role::Agent, "d"), "{role}");
        }
        assert!(!named.may_all());
        let unnamed = session(folder.path(), None);
        assert_eq!(unnamed.acting_or(Role::Supervisor, NOBODY), (Role::Supervisor, NOBODY));
        assert!(unnamed.may_all());
    }

    #[tokio::test]
    async fn it_is_said_who_acts() {
        let folder = tempfile::tempdir().unwrap();
        let names: Names =
            [("a", "Ada"), ("d", "Dan")].map(|(id, name)| (id.to_owned(), name.to_owned())).into_iter().collect();
        let whose = |acting: Option<&str>, agent: &str| session(folder.path(), acting).whose(agent, &names);
        assert_eq!(whose(Some("agent:d"), "a"), "Dan");
        assert_eq!(whose(Some("supervisor:eve"), "a"), "eve (supervisor)");
        assert_eq!(whose(None, "a"), "Ada");
        assert_eq!(whose(None, ""), "a supervisor");
    }
}
