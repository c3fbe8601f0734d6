//! A client command's connection: the server's address and the credentials.
//!
//! With a token, every request carries that token. With a data folder that has a key (as beside `baton up`), a token is minted
//! for each request: for the principal of `--as`, and without `--as` for the role that the method needs. Two sorts of requests
//! ignore `--as`: those of the people at the phones, and look-ups that fill in what the command line leaves out.
//!
//! What is said must have an effect, or agree with what has it: a tenant or a principal that the [token](super::claims) contradicts is
//! refused, and so is a tenant where the role belongs to none.

use std::ffi::OsStr;
use std::path::Path;
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

use super::claims::{BearerClaims, StatedIn};
use super::context::choice::{ServerArgs, non_empty};
use super::context::file::ClientContext;
use super::event_text::Names;
use super::output::{Output, OutputArgs};
use crate::failure::{FailureKind, KnownFailure, UsageError};
use crate::folder;

/// The tenant that `baton up` makes.
pub(super) const DEFAULT_TENANT: &str = "demo";
/// A command takes seconds; a longer watch is authorized when it begins.
const TOKEN_TTL: Duration = Duration::from_mins(10);
/// The subject of minted tokens without `--as`.
const DEFAULT_SUBJECT: &str = "baton-cli";

#[derive(Debug, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct SessionArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// The token to use. Without one (or with an empty `BATON_TOKEN`) it is the context's, or tokens are minted with the data folder's
    /// key.
    #[arg(long, global = true, env = "BATON_TOKEN", hide_env_values = true, value_parser = NonEmptyArg)]
    token: Option<String>,
    /// The tenant [default: that of the token, and for minted tokens demo]. One that the token is not of is refused.
    #[arg(long, global = true)]
    tenant: Option<TenantId>,
    /// In whose name: agent:Ada, supervisor:eve, admin:root [default: the token's bearer, and for minted tokens who may]. Another
    /// one than the token's bearer is refused. The simulated phones are nobody's in particular.
    #[arg(long = "as", global = true, value_name = "ROLE:NAME")]
    acting: Option<Principal>,
    #[command(flatten)]
    output: OutputArgs,
    /// The id that makes a repeated change one change: one intent of one method by one subject [default: a fresh one]. What only
    /// reads needs none.
    #[arg(long, global = true, value_name = "ID", value_parser = NonEmptyArg)]
    request_id: Option<String>,
}

impl SessionArgs {
    /// For a command that asks no server.
    pub(super) fn output(&self) -> Output {
        Output::new(&self.output)
    }
}

/// Refuses an empty argument, but takes an empty environment variable, which counts as not set. An empty argument is as a rule a
/// shell variable without a value, and without it the command would run under another identity.
#[derive(Debug, Clone)]
pub(super) struct NonEmptyArg;

impl TypedValueParser for NonEmptyArg {
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

/// The parsed `--as`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Principal {
    pub(super) role: Role,
    pub(super) subject: String,
}

impl FromStr for Principal {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (role, subject) = text.split_once(':').ok_or("write ROLE:NAME, for example agent:Ada")?;
        if subject.is_empty() {
            return Err("write ROLE:NAME, for example agent:Ada".to_owned());
        }
        Ok(Self { role: role.parse()?, subject: subject.to_owned() })
    }
}

enum Credentials {
    /// Without claims it can't be read, and the server will refuse it.
    Token(String, Option<BearerClaims>),
    Key(SigningKey),
}

pub(crate) struct ClientSession {
    server: String,
    channel: GrpcChannel,
    credentials: Credentials,
    tenant: TenantId,
    /// That of `--tenant`.
    named_tenant: Option<TenantId>,
    acting: Option<Principal>,
    request_id: Option<String>,
    pub(super) out: Output,
    pub(super) clock: Clock,
}

impl ClientSession {
    /// Chooses the address and the credentials; connects when first used.
    pub(super) fn new(args: SessionArgs) -> anyhow::Result<Self> {
        let given = non_empty(args.token);
        if given.is_some() {
            args.server.check_data_is_of_use()?;
        }
        let context = args.server.choose()?;
        let (server, clock) = (context.server(), Clock::real());
        let (token, source) = match given {
            None => (context.token()?, StatedIn::Context),
            given => (given, StatedIn::CommandLine),
        };
        let credentials = credentials(token, source, context.data())?;
        check_somebody_is_there(&context)?;
        if let Credentials::Token(_, Some(claims)) = &credentials {
            check(claims, args.tenant.as_ref(), context.tenant.as_ref(), args.acting.as_ref())?;
        }
        let tenant = match args.tenant.clone().or(context.tenant) {
            Some(tenant) => tenant,
            None => DEFAULT_TENANT.parse()?,
        };
        Ok(Self {
            channel: channel(&server, &clock)?,
            server,
            credentials,
            tenant,
            named_tenant: args.tenant,
            acting: args.acting,
            request_id: args.request_id,
            out: Output::new(&args.output),
            clock,
        })
    }

    /// The agent's name in `--as`, if it is no id yet and is to be put into a token or compared with one.
    pub(super) fn agent_name_to_resolve(&self) -> Option<&str> {
        let is_unreadable = matches!(self.credentials, Credentials::Token(_, None));
        self.acting_agent().filter(|it| !is_unreadable && Uuid::try_parse(it).is_err())
    }

    /// With the id of the agent whom `--as` names; an error if the token is another one's.
    pub(super) fn acting_as(self, agent_id: String) -> Result<Self, UsageError> {
        if let (Credentials::Token(_, Some(claims)), Some(name)) = (&self.credentials, self.acting_agent()) {
            claims.check_agent(&agent_id, name)?;
        }
        Ok(Self { acting: Some(Principal { role: Role::Agent, subject: agent_id }), ..self })
    }

    /// For look-ups that fill in what the command line leaves out, such as the id of the name in `--as`: with a key, as a
    /// supervisor. Never for what is shown.
    pub(super) fn lookup_channel(&self) -> anyhow::Result<GrpcChannel> {
        self.channel_as(Role::Supervisor, DEFAULT_SUBJECT)
    }

    /// As a supervisor, unless `--as` says otherwise.
    pub(super) fn reader_channel(&self) -> anyhow::Result<GrpcChannel> {
        self.channel_for_role(Role::Supervisor)
    }

    /// For a command of this role, unless `--as` says otherwise.
    pub(super) fn channel_for_role(&self, role: Role) -> anyhow::Result<GrpcChannel> {
        let (role, subject) = self.acting_or(role, DEFAULT_SUBJECT);
        self.channel_as(role, subject)
    }

    /// For a command of this agent, unless `--as` says otherwise.
    pub(super) fn channel_for_agent(&self, agent_id: &str) -> anyhow::Result<GrpcChannel> {
        let (role, subject) = self.acting_or(Role::Agent, agent_id);
        self.channel_as(role, subject)
    }

    /// As the visitor of this chat; with a token, as its bearer.
    pub(super) fn channel_for_visitor(&self, interaction_id: &str) -> anyhow::Result<GrpcChannel> {
        self.channel_as(Role::Visitor, interaction_id)
    }

    fn acting_or<'a>(&'a self, role: Role, subject: &'a str) -> (Role, &'a str) {
        self.acting.as_ref().map_or((role, subject), |it| (it.role, &it.subject))
    }

    /// For the people at the phones, whom Baton does not know: `--as` is ignored unless its role is simulator.
    pub(super) fn simulator_channel(&self) -> anyhow::Result<GrpcChannel> {
        match &self.acting {
            Some(acting) if acting.role == Role::Simulator => self.channel_as(acting.role, &acting.subject),
            _ => self.channel_as(Role::Simulator, DEFAULT_SUBJECT),
        }
    }

    /// The name, for output, of whoever acts on [`ClientSession::channel_for_agent`].
    pub(super) fn acting_name(&self, agent_id: &str, names: &Names) -> String {
        match (&self.acting, &self.credentials) {
            (_, Credentials::Token(..)) => "the token's bearer".to_owned(),
            (Some(acting), _) if acting.role == Role::Agent => names.of(&acting.subject),
            (Some(acting), _) => format!("{} ({})", acting.subject, acting.role),
            (None, _) if agent_id.is_empty() => "a supervisor".to_owned(),
            (None, _) => names.of(agent_id),
        }
    }

    pub(super) fn server(&self) -> &str {
        &self.server
    }

    /// The agent of `--as`.
    pub(super) fn acting_agent(&self) -> Option<&str> {
        self.acting.as_ref().filter(|it| it.role == Role::Agent).map(|it| it.subject.as_str())
    }

    /// The chat that the token is of, if it is a visitor's.
    pub(super) fn visited_chat(&self) -> Option<&str> {
        match &self.credentials {
            Credentials::Token(_, Some(claims)) => claims.visited_chat(),
            _ => None,
        }
    }

    /// There is a key, and not a token.
    pub(super) fn can_mint_tokens(&self) -> bool {
        matches!(self.credentials, Credentials::Key(_))
    }

    /// Whether reads are done as a supervisor: with a key, and without `--as`.
    pub(super) fn sees_whole_tenant(&self) -> bool {
        self.can_mint_tokens() && self.acting.is_none()
    }

    /// That of `--request-id`, or a fresh one.
    pub(super) fn request_id(&self) -> String {
        self.request_id.clone().unwrap_or_else(|| ids::new_uuid().to_string())
    }

    fn channel_as(&self, role: Role, subject: &str) -> anyhow::Result<GrpcChannel> {
        let token = match &self.credentials {
            Credentials::Token(token, _) => token.clone(),
            Credentials::Key(key) => {
                self.check_role_has_tenant(role)?;
                let tenant = role.belongs_to_tenant().then(|| self.tenant.clone());
                let caller = Caller { tenant, subject: subject.to_owned(), role };
                let unusable = |error| UsageError::new(format!("--as {role}:{subject}: {error}"));
                key.mint(&caller, self.clock.now_us(), TOKEN_TTL).map_err(unusable)?
            }
        };
        Ok(self.channel.with_token(&token).map_err(|error| UsageError::new(error.to_string()))?)
    }

    /// A tenant that would not be in the token is a misunderstanding: what is seen or changed is not only that tenant's.
    fn check_role_has_tenant(&self, role: Role) -> Result<(), UsageError> {
        match &self.named_tenant {
            Some(tenant) if !role.belongs_to_tenant() => Err(UsageError::new(format!(
                "this is done for the role {role}, which belongs to no tenant: --tenant {tenant} would do nothing\n  Leave out --tenant, or choose a role of the tenant, for example --as admin:root."
            ))),
            _ => Ok(()),
        }
    }
}

/// Whoever names a data folder does not mean whichever Baton listens at the default address.
fn check_somebody_is_there(context: &ClientContext) -> Result<(), KnownFailure> {
    match &context.data {
        Some(data) if context.known_server().is_none() => Err(nobody_runs_in(data)),
        _ => Ok(()),
    }
}

pub(crate) fn nobody_runs_in(data: &Path) -> KnownFailure {
    let data = data.display();
    let text = format!("no `baton up` runs in {data}\n  Start it there, or say with --server where it listens.");
    KnownFailure { kind: FailureKind::NoAnswer, text }
}

/// The token's claims must agree with what is said; a tenant that is named goes over that of the context.
fn check(
    claims: &BearerClaims,
    named: Option<&TenantId>,
    of_context: Option<&TenantId>,
    acting: Option<&Principal>,
) -> Result<(), UsageError> {
    match (named, of_context) {
        (Some(tenant), _) => claims.check_tenant(tenant, StatedIn::CommandLine)?,
        (None, Some(tenant)) => claims.check_tenant(tenant, StatedIn::Context)?,
        (None, None) => {}
    }
    acting.map_or(Ok(()), |it| claims.check_acting(it))
}

fn channel(server: &str, clock: &Clock) -> Result<GrpcChannel, UsageError> {
    GrpcChannel::anonymous(server, clock.clone()).map_err(|error| UsageError::new(error.to_string()))
}

fn credentials(token: Option<String>, source: StatedIn, data: &Path) -> anyhow::Result<Credentials> {
    if let Some(token) = token {
        let claims = BearerClaims::of(&token, source);
        return Ok(Credentials::Token(token, claims));
    }
    let file = folder::key_file(data);
    let key = SigningKey::load(&file).context("minting a token")?;
    key.map(Credentials::Key).ok_or_else(|| {
        let message = format!(
            "no token, and no key at {}\n  Name the data folder of a running `baton up` with --data, or give --token (BATON_TOKEN).",
            file.display()
        );
        UsageError::new(message).into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_and_a_name_are_parsed() {
        let acting: Principal = "agent:Ada Lovelace".parse().unwrap();
        assert_eq!((acting.role, acting.subject.as_str()), (Role::Agent, "Ada Lovelace"));
        for wrong in ["Ada", "agent:", "boss:Ada"] {
            assert!(wrong.parse::<Principal>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn without_token_and_key_the_error_says_what_to_give() {
        let folder = tempfile::tempdir().unwrap();
        let error = credentials(None, StatedIn::Context, folder.path()).err().unwrap();
        assert!(error.is::<UsageError>() && error.to_string().contains("--data"), "{error}");
        let unreadable = credentials(Some("t".to_owned()), StatedIn::CommandLine, folder.path());
        assert!(matches!(unreadable, Ok(Credentials::Token(_, None))));
    }

    fn session(folder: &Path, acting: Option<&str>) -> ClientSession {
        SigningKey::load_or_create(&folder::key_file(folder)).unwrap();
        let args = SessionArgs {
            server: ServerArgs {
                data: Some(folder.to_owned()),
                server: Some("http://127.0.0.1:9".to_owned()),
                ..ServerArgs::default()
            },
            token: None,
            tenant: None,
            acting: acting.map(|it| it.parse().unwrap()),
            output: OutputArgs::default(),
            request_id: None,
        };
        ClientSession::new(args).unwrap()
    }

    #[tokio::test]
    async fn the_principal_of_as_replaces_every_default() {
        let folder = tempfile::tempdir().unwrap();
        let named = session(folder.path(), Some("agent:d"));
        for (role, subject) in [(Role::Supervisor, DEFAULT_SUBJECT), (Role::Admin, DEFAULT_SUBJECT), (Role::Agent, "a")]
        {
            assert_eq!(named.acting_or(role, subject), (Role::Agent, "d"), "{role}");
        }
        assert!(!named.sees_whole_tenant());
        let unnamed = session(folder.path(), None);
        assert_eq!(unnamed.acting_or(Role::Supervisor, DEFAULT_SUBJECT), (Role::Supervisor, DEFAULT_SUBJECT));
        assert!(unnamed.sees_whole_tenant());
    }

    #[tokio::test]
    async fn the_acting_name_is_that_of_as_or_of_the_agent() {
        let folder = tempfile::tempdir().unwrap();
        let names: Names =
            [("a", "Ada"), ("d", "Dan")].map(|(id, name)| (id.to_owned(), name.to_owned())).into_iter().collect();
        let whose = |acting: Option<&str>, agent: &str| session(folder.path(), acting).acting_name(agent, &names);
        assert_eq!(whose(Some("agent:d"), "a"), "Dan");
        assert_eq!(whose(Some("supervisor:eve"), "a"), "eve (supervisor)");
        assert_eq!(whose(None, "a"), "Ada");
        assert_eq!(whose(None, ""), "a supervisor");
    }
}
