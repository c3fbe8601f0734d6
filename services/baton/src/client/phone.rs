//! `baton phone`: the people at the phones of the simulated switch.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use baton_api::simulator::v1::get_heard_response::Part;
use baton_api::simulator::v1::phone_behaviour::Behaviour;
use baton_api::simulator::v1::phone_selector::Selector;
use baton_api::simulator::v1::simulator_service_client::SimulatorServiceClient;
use baton_api::simulator::v1::{
    AnswerPhoneRequest, AnswersAfter, Busy, DeclinePhoneRequest, Declines, DeletePhoneRequest, GetHeardRequest,
    HangUpPhoneRequest, ListHeardRequest, ListPhonesRequest, Manual, MutePhoneRequest, NeverAnswers, Phone,
    PhoneBehaviour, PhoneSelector, PutPhoneRequest, Unreachable,
};
use baton_runtime::client::GrpcChannel;
use clap::{Args, Subcommand};
use serde_json::json;

use super::refusal::{self, Told};
use super::session::Session;
use super::{resolve, word};

const PHONE: &str = "baton.simulator.v1.Phone";

/// What can be done with phones.
#[derive(Debug, Subcommand)]
pub(crate) enum PhoneCommand {
    /// List phones with what they do when called.
    List,
    /// Remove a phone; the calls it is in go on.
    Delete(ThePhone),
    /// Make a phone, or change what it does when called.
    Put(PutArgs),
    /// Pick up a ringing phone.
    Answer(ThePhone),
    /// Refuse what rings.
    Decline(ThePhone),
    /// Hang up.
    Hangup(ThePhone),
    /// Send silence, or the phone's tone again.
    Mute {
        #[command(flatten)]
        phone: ThePhone,
        /// Unmute.
        #[arg(long)]
        off: bool,
    },
    /// Save what a phone heard on its last call as a WAV file.
    Heard {
        #[command(flatten)]
        phone: ThePhone,
        /// The file, which is replaced if it is there [default: ADDRESS.wav].
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

/// Which phone.
#[derive(Debug, Args)]
pub(crate) struct ThePhone {
    /// The phone's address or number, for example ada or +32470123456.
    address: String,
}

/// What `phone put` takes.
#[derive(Debug, Args)]
pub(crate) struct PutArgs {
    #[command(flatten)]
    phone: ThePhone,
    #[command(flatten)]
    behaviour: BehaviourArgs,
    /// The tone it speaks, Hz; without it the one it has, and for a new phone the next of a list.
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    tone: i32,
}

/// What a phone does when called.
#[derive(Debug, Args)]
#[group(multiple = false)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line, of which one at most is given")]
struct BehaviourArgs {
    /// Rings for so many ms, then answers.
    #[arg(long, value_name = "MS")]
    answers_after: Option<i64>,
    /// Rings for so many ms, then declines.
    #[arg(long, value_name = "MS")]
    declines_after: Option<i64>,
    /// Rings until the caller gives up.
    #[arg(long)]
    never_answers: bool,
    /// Is engaged.
    #[arg(long)]
    busy: bool,
    /// Does not react.
    #[arg(long)]
    unreachable: bool,
    /// Rings until `baton phone answer` or `decline` (the default).
    #[arg(long)]
    manual: bool,
}

impl From<BehaviourArgs> for PhoneBehaviour {
    fn from(args: BehaviourArgs) -> Self {
        let behaviour = if let Some(delay_ms) = args.answers_after {
            Behaviour::AnswersAfter(AnswersAfter { delay_ms })
        } else if let Some(delay_ms) = args.declines_after {
            Behaviour::Declines(Declines { delay_ms })
        } else if args.never_answers {
            Behaviour::NeverAnswers(NeverAnswers {})
        } else if args.busy {
            Behaviour::Busy(Busy {})
        } else if args.unreachable {
            Behaviour::Unreachable(Unreachable {})
        } else {
            Behaviour::Manual(Manual {})
        };
        Self { behaviour: Some(behaviour) }
    }
}

/// Runs it.
pub(crate) async fn run(session: &Session, command: PhoneCommand) -> anyhow::Result<()> {
    let mut simulator = SimulatorServiceClient::new(session.of_phones()?);
    let request_id = session.request_id();
    let legs = match command {
        PhoneCommand::List => return list(session).await,
        PhoneCommand::Put(args) => return put(session, args).await,
        PhoneCommand::Delete(it) => return delete(session, it.address).await,
        PhoneCommand::Heard { phone, out } => return heard(session, phone, out).await,
        PhoneCommand::Answer(it) => {
            simulator.answer_phone(AnswerPhoneRequest { request_id, phone: Some(it.selector()) }).await.told()?.leg_ids
        }
        PhoneCommand::Decline(it) => {
            simulator
                .decline_phone(DeclinePhoneRequest { request_id, phone: Some(it.selector()) })
                .await
                .told()?
                .leg_ids
        }
        PhoneCommand::Hangup(it) => {
            simulator.hang_up_phone(HangUpPhoneRequest { request_id, phone: Some(it.selector()) }).await.told()?.leg_ids
        }
        PhoneCommand::Mute { phone, off } => {
            let request = MutePhoneRequest { request_id, phone: Some(phone.selector()), muted: !off };
            simulator.mute_phone(request).await.told()?.leg_ids
        }
    };
    session.out.value(&json!({ "leg_ids": legs }), &done(legs.len()));
    Ok(())
}

fn done(legs: usize) -> String {
    if legs == 1 { "Done.".to_owned() } else { format!("Done, in {legs} calls.") }
}

impl ThePhone {
    fn selector(self) -> PhoneSelector {
        PhoneSelector { selector: Some(Selector::Address(self.address)) }
    }
}

async fn list(session: &Session) -> anyhow::Result<()> {
    let mut simulator = SimulatorServiceClient::new(session.of_phones()?);
    let request = ListPhonesRequest { page_size: resolve::PAGE, page_token: String::new() };
    let phones = simulator.list_phones(request).await.told()?.phones;
    session.out.list(PHONE, &phones, &["phone", "tone", "when called", "legs"], row)
}

fn row(phone: &Phone) -> Vec<String> {
    let legs: Vec<_> = phone.legs.iter().map(|it| word::phone_leg_state(it.state)).collect();
    vec![phone.address.clone(), format!("{} Hz", phone.tone_hz), does(phone), word::or_dash(legs.join(", "))]
}

fn does(phone: &Phone) -> String {
    match phone.behaviour.as_ref().and_then(|it| it.behaviour.as_ref()) {
        Some(Behaviour::AnswersAfter(it)) => format!("answers after {}", word::seconds(it.delay_ms)),
        Some(Behaviour::NeverAnswers(_)) => "never answers".to_owned(),
        Some(Behaviour::Busy(_)) => "is busy".to_owned(),
        Some(Behaviour::Declines(it)) => format!("declines after {}", word::seconds(it.delay_ms)),
        Some(Behaviour::Unreachable(_)) => "is unreachable".to_owned(),
        Some(Behaviour::Manual(_)) | None => "rings".to_owned(),
    }
}

async fn put(session: &Session, args: PutArgs) -> anyhow::Result<()> {
    let request = PutPhoneRequest {
        request_id: session.request_id(),
        address: args.phone.address,
        tone_hz: args.tone,
        behaviour: Some(args.behaviour.into()),
    };
    let mut simulator = SimulatorServiceClient::new(session.of_phones()?);
    let phone = simulator.put_phone(request).await.told()?.phone.context("the answer is empty")?;
    session.out.one(PHONE, &phone, |it| format!("{}: {}, speaks {} Hz", it.address, does(it), it.tone_hz))
}

async fn delete(session: &Session, address: String) -> anyhow::Result<()> {
    let request = DeletePhoneRequest { request_id: session.request_id(), address: address.clone() };
    let deleted = SimulatorServiceClient::new(session.of_phones()?).delete_phone(request).await.told()?;
    session.out.one("baton.simulator.v1.DeletePhoneResponse", &deleted, |_| format!("The phone {address} is gone."))
}

/// Whether there is such a phone on the simulated switch; `None` if that can't be told, as with a switch that is real.
pub(super) async fn is_there(session: &Session, address: &str) -> anyhow::Result<Option<bool>> {
    let mut simulator = SimulatorServiceClient::new(session.of_phones()?);
    let mut page_token = String::new();
    loop {
        let request = ListPhonesRequest { page_size: resolve::PAGE, page_token };
        let Ok(page) = simulator.list_phones(request).await else { return Ok(None) };
        let page = page.into_inner();
        if page.phones.iter().any(|it| it.address == address) {
            return Ok(Some(true));
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(Some(false));
        }
    }
}

async fn heard(session: &Session, phone: ThePhone, out: Option<PathBuf>) -> anyhow::Result<()> {
    let channel = session.of_phones()?;
    let request = ListHeardRequest { address: phone.address.clone() };
    let heard = SimulatorServiceClient::new(channel.clone()).list_heard(request).await.told()?.heard;
    let last = heard.last().with_context(|| format!("nothing is kept of what {} heard", phone.address))?;
    let file = out.unwrap_or_else(|| format!("{}.wav", phone.address).into());
    save(channel, &last.leg_id, &file).await?;
    let value = json!({ "leg_id": last.leg_id, "file": file });
    session.out.value(&value, &format!("{}", file.display()));
    Ok(())
}

/// Saves what was heard on a leg.
pub(crate) async fn save(channel: GrpcChannel, leg_id: &str, file: &Path) -> anyhow::Result<Vec<u8>> {
    let request = GetHeardRequest { leg_id: leg_id.to_owned() };
    let mut parts = SimulatorServiceClient::new(channel).get_heard(request).await.told()?;
    let mut wav = Vec::new();
    while let Some(part) = parts.message().await.map_err(|status| refusal::of(&status))? {
        if let Some(Part::Data(data)) = part.part {
            wav.extend_from_slice(&data);
        }
    }
    tokio::fs::write(file, &wav).await.with_context(|| file.display().to_string())?;
    Ok(wav)
}
