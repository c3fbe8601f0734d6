//! `baton phone`: acts for the people at the phones of the simulated switch.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use baton_api::simulator::v1::get_heard_response::Part;
use baton_api::simulator::v1::phone_behaviour::Behaviour;
use baton_api::simulator::v1::phone_selector::Selector;
use baton_api::simulator::v1::simulator_service_client::SimulatorServiceClient;
use baton_api::simulator::v1::{
    AnswerPhoneRequest, AnswersAfter, Busy, DeclinePhoneRequest, Declines, DeletePhoneRequest, GetHeardRequest,
    HangUpPhoneRequest, ListHeardRequest, ListPhonesRequest, Manual, MutePhoneRequest, NeverAnswers, Phone,
    PhoneBehaviour, PhoneSelector, PressKeysRequest, PutPhoneRequest, Unreachable,
};
use baton_runtime::client::GrpcChannel;
use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};
use serde_json::json;

use super::destination::{self, Destination};
use super::output::Column;
use super::refusal::{self, OrRefusal};
use super::session::ClientSession;
use super::{resolve, word};
use crate::failure::KnownFailure;

const PHONE: &str = "baton.simulator.v1.Phone";

#[derive(Debug, Subcommand)]
pub(crate) enum PhoneCommand {
    /// List phones with what they do when called.
    #[command(visible_alias = "ls")]
    List,
    /// Remove a phone; the calls it is in go on.
    #[command(visible_alias = "rm")]
    Delete(PhoneArgs),
    /// Make a phone, or change what it does when called.
    Put(PhonePutArgs),
    /// Pick up a ringing phone.
    Answer(PhoneArgs),
    /// Refuse what rings.
    Decline(PhoneArgs),
    /// Hang up.
    Hangup(PhoneArgs),
    /// Press keys in a call, for an IVR flow.
    Press {
        #[command(flatten)]
        phone: PhoneArgs,
        /// Of 0 to 9, * and #, one after the other.
        keys: String,
    },
    /// Send silence, or the phone's tone again.
    Mute {
        #[command(flatten)]
        phone: PhoneArgs,
        /// Unmute.
        #[arg(long)]
        off: bool,
    },
    /// Save what a phone heard on its last call as a WAV file.
    Heard {
        #[command(flatten)]
        phone: PhoneArgs,
        /// The file, which is replaced if it is there, or - for standard output [default: ADDRESS.wav].
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct PhoneArgs {
    /// The phone's address or number, for example ada or +32470123456.
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    address: String,
}

#[derive(Debug, Args)]
pub(crate) struct PhonePutArgs {
    #[command(flatten)]
    phone: PhoneArgs,
    #[command(flatten)]
    behaviour: PhoneBehaviourArgs,
    /// The tone it speaks, Hz; without it the one it has, and for a new phone the next of a list.
    #[arg(long, default_value_t = 0, hide_default_value = true, value_parser = word::parse_count::<i32>)]
    tone: i32,
}

#[derive(Debug, Args)]
#[group(multiple = false)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line, of which one at most is given")]
struct PhoneBehaviourArgs {
    /// Rings for so many ms, then answers.
    #[arg(long, value_name = "MS", value_parser = word::parse_count::<i64>)]
    answers_after: Option<i64>,
    /// Rings for so many ms, then declines.
    #[arg(long, value_name = "MS", value_parser = word::parse_count::<i64>)]
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

impl From<PhoneBehaviourArgs> for PhoneBehaviour {
    fn from(args: PhoneBehaviourArgs) -> Self {
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

pub(crate) async fn run(session: &ClientSession, command: PhoneCommand) -> anyhow::Result<()> {
    let mut simulator = SimulatorServiceClient::new(session.simulator_channel()?);
    let request_id = session.request_id();
    let legs = match command {
        PhoneCommand::List => return list(session).await,
        PhoneCommand::Put(args) => return put(session, args).await,
        PhoneCommand::Delete(it) => return delete(session, it.address).await,
        PhoneCommand::Heard { phone, out } => return heard(session, phone, out).await,
        PhoneCommand::Answer(it) => {
            simulator
                .answer_phone(AnswerPhoneRequest { request_id, phone: Some(it.selector()) })
                .await
                .or_refusal()?
                .leg_ids
        }
        PhoneCommand::Decline(it) => {
            simulator
                .decline_phone(DeclinePhoneRequest { request_id, phone: Some(it.selector()) })
                .await
                .or_refusal()?
                .leg_ids
        }
        PhoneCommand::Press { phone, keys } => {
            simulator
                .press_keys(PressKeysRequest { request_id, phone: Some(phone.selector()), keys })
                .await
                .or_refusal()?
                .leg_ids
        }
        PhoneCommand::Hangup(it) => {
            simulator
                .hang_up_phone(HangUpPhoneRequest { request_id, phone: Some(it.selector()) })
                .await
                .or_refusal()?
                .leg_ids
        }
        PhoneCommand::Mute { phone, off } => {
            let request = MutePhoneRequest { request_id, phone: Some(phone.selector()), muted: !off };
            simulator.mute_phone(request).await.or_refusal()?.leg_ids
        }
    };
    session.out.value(&json!({ "leg_ids": legs }), &done(legs.len()))
}

fn done(legs: usize) -> String {
    if legs == 1 { "Done.".to_owned() } else { format!("Done, in {legs} calls.") }
}

impl PhoneArgs {
    fn selector(self) -> PhoneSelector {
        PhoneSelector { selector: Some(Selector::Address(self.address)) }
    }
}

const PHONES: [Column; 4] =
    [Column::id("phone"), Column::always("tone"), Column::always("when called"), Column::always("legs")];

async fn list(session: &ClientSession) -> anyhow::Result<()> {
    let mut simulator = SimulatorServiceClient::new(session.simulator_channel()?);
    let phones = resolve::all_pages!(simulator, list_phones, ListPhonesRequest {}, phones)?;
    session.out.list(PHONE, &phones, &PHONES, row)
}

fn row(phone: &Phone) -> Vec<String> {
    let legs: Vec<_> = phone.legs.iter().map(|it| word::phone_leg_state(it.state)).collect();
    vec![phone.address.clone(), format!("{} Hz", phone.tone_hz), behaviour_text(phone), word::or_dash(legs.join(", "))]
}

fn behaviour_text(phone: &Phone) -> String {
    match phone.behaviour.as_ref().and_then(|it| it.behaviour.as_ref()) {
        Some(Behaviour::AnswersAfter(it)) => format!("answers after {}", word::seconds(it.delay_ms)),
        Some(Behaviour::NeverAnswers(_)) => "never answers".to_owned(),
        Some(Behaviour::Busy(_)) => "is busy".to_owned(),
        Some(Behaviour::Declines(it)) => format!("declines after {}", word::seconds(it.delay_ms)),
        Some(Behaviour::Unreachable(_)) => "is unreachable".to_owned(),
        Some(Behaviour::Manual(_)) | None => "rings".to_owned(),
    }
}

async fn put(session: &ClientSession, args: PhonePutArgs) -> anyhow::Result<()> {
    let request = PutPhoneRequest {
        request_id: session.request_id(),
        address: args.phone.address,
        tone_hz: args.tone,
        behaviour: Some(args.behaviour.into()),
    };
    let mut simulator = SimulatorServiceClient::new(session.simulator_channel()?);
    let phone = simulator.put_phone(request).await.or_refusal()?.phone.context("the answer is empty")?;
    session.out.one(PHONE, &phone, |it| format!("{}: {}, speaks {} Hz", it.address, behaviour_text(it), it.tone_hz))
}

async fn delete(session: &ClientSession, address: String) -> anyhow::Result<()> {
    let request = DeletePhoneRequest { request_id: session.request_id(), address: address.clone() };
    let deleted = SimulatorServiceClient::new(session.simulator_channel()?).delete_phone(request).await.or_refusal()?;
    session.out.one("baton.simulator.v1.DeletePhoneResponse", &deleted, |_| format!("The phone {address} is gone."))
}

/// Whether the simulated switch has this phone; `None` if that is unknown, as with a real switch.
pub(super) async fn exists(session: &ClientSession, address: &str) -> anyhow::Result<Option<bool>> {
    let mut simulator = SimulatorServiceClient::new(session.simulator_channel()?);
    let mut page_token = String::new();
    loop {
        let request = ListPhonesRequest { page_size: resolve::PAGE_SIZE, page_token };
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

async fn heard(session: &ClientSession, phone: PhoneArgs, out: Option<PathBuf>) -> anyhow::Result<()> {
    let to_stdout = destination::is_stdout(session, out.as_deref())?;
    let channel = session.simulator_channel()?;
    let request = ListHeardRequest { address: phone.address.clone() };
    let heard = SimulatorServiceClient::new(channel.clone()).list_heard(request).await.or_refusal()?.heard;
    let nothing = || KnownFailure::not_found(format!("nothing is kept of what {} heard", phone.address));
    let last = heard.last().ok_or_else(nothing)?;
    let file = out.unwrap_or_else(|| format!("{}.wav", phone.address).into());
    save(channel, &last.leg_id, &file).await?;
    if to_stdout {
        return Ok(());
    }
    let value = json!({ "leg_id": last.leg_id, "file": file });
    session.out.value(&value, &format!("{}", file.display()))
}

/// Saves the audio that a leg heard, and returns it; the file appears only when it is complete.
pub(crate) async fn save(channel: GrpcChannel, leg_id: &str, file: &Path) -> anyhow::Result<Vec<u8>> {
    let destination = Destination::open(file).await?;
    let request = GetHeardRequest { leg_id: leg_id.to_owned() };
    let mut parts = SimulatorServiceClient::new(channel).get_heard(request).await.or_refusal()?;
    let mut wav = Vec::new();
    while let Some(part) = parts.message().await.map_err(|status| refusal::of(&status))? {
        if let Some(Part::Data(data)) = part.part {
            wav.extend_from_slice(&data);
        }
    }
    destination.fill(tokio_stream::once(Ok(wav.clone().into()))).await?;
    Ok(wav)
}
