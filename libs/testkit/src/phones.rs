//! The phones of the simulated switch, and the actions of the people at them.

use anyhow::{Context as _, bail};
use baton_api::simulator::v1 as proto;
use baton_api::simulator::v1::get_heard_response::Part;
use baton_api::simulator::v1::phone_behaviour::Behaviour as ProtoBehaviour;
use baton_api::simulator::v1::phone_selector::Selector;
use baton_api::simulator::v1::simulator_service_client::SimulatorServiceClient;
use baton_runtime::client::GrpcChannel;
use tonic::Status;

use crate::names::fresh;
use crate::sound::Sound;
use crate::wait::{BOUND, eventually};

pub const MUSIC_HZ: u32 = 600;
/// A customer's tone.
pub const CUSTOMER_HZ: u32 = 440;

/// What a phone does when it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PhoneBehaviour {
    /// Rings for so many milliseconds, then answers.
    AnswersAfter(i64),
    /// Rings until the caller gives up.
    NeverAnswers,
    Busy,
    /// Rings for so many milliseconds, then refuses.
    Declines(i64),
    /// Rings until [`Phones::answer`] or [`Phones::decline`].
    Manual,
    /// As a phone that does not exist.
    Unreachable,
}

impl From<PhoneBehaviour> for proto::PhoneBehaviour {
    fn from(behaviour: PhoneBehaviour) -> Self {
        let behaviour = match behaviour {
            PhoneBehaviour::AnswersAfter(delay_ms) => ProtoBehaviour::AnswersAfter(proto::AnswersAfter { delay_ms }),
            PhoneBehaviour::NeverAnswers => ProtoBehaviour::NeverAnswers(proto::NeverAnswers {}),
            PhoneBehaviour::Busy => ProtoBehaviour::Busy(proto::Busy {}),
            PhoneBehaviour::Declines(delay_ms) => ProtoBehaviour::Declines(proto::Declines { delay_ms }),
            PhoneBehaviour::Manual => ProtoBehaviour::Manual(proto::Manual {}),
            PhoneBehaviour::Unreachable => ProtoBehaviour::Unreachable(proto::Unreachable {}),
        };
        Self { behaviour: Some(behaviour) }
    }
}

/// The phones of one tenant.
#[derive(Debug, Clone)]
pub struct Phones {
    client: SimulatorServiceClient<GrpcChannel>,
}

impl Phones {
    /// Over a channel with a token of role `simulator`.
    pub fn new(channel: GrpcChannel) -> Self {
        Self { client: SimulatorServiceClient::new(channel) }
    }

    /// The generated client, for what is not here.
    pub fn client(&self) -> SimulatorServiceClient<GrpcChannel> {
        self.client.clone()
    }

    /// Creates or changes a phone. Without a tone of its own it gets the next: 1000, 1700, 2300 Hz and so on.
    pub async fn put(&self, address: &str, behaviour: PhoneBehaviour) -> anyhow::Result<proto::Phone> {
        self.put_with_tone(address, 0, behaviour).await
    }

    pub async fn put_with_tone(
        &self,
        address: &str,
        tone_hz: i32,
        behaviour: PhoneBehaviour,
    ) -> anyhow::Result<proto::Phone> {
        let behaviour = Some(behaviour.into());
        let request = proto::PutPhoneRequest { request_id: fresh(), address: address.to_owned(), tone_hz, behaviour };
        let answer = self.client().put_phone(request).await.with_context(|| format!("making the phone {address}"))?;
        answer.into_inner().phone.context("the answer has no phone")
    }

    /// A customer calls a number; the leg's id.
    pub async fn call(&self, from: &str, to: &str) -> anyhow::Result<String> {
        self.call_with_tone(from, to, 0).await
    }

    /// A customer with a tone of their own calls a number; the leg's id.
    pub async fn call_with_tone(&self, from: &str, to: &str, tone_hz: i32) -> anyhow::Result<String> {
        let request =
            proto::PlaceCallRequest { request_id: fresh(), from: from.to_owned(), to: to.to_owned(), tone_hz };
        let answer = self.client().place_call(request).await.with_context(|| format!("{from} calls {to}"))?;
        Ok(answer.into_inner().leg_id)
    }

    /// Picks up a phone that rings.
    pub async fn answer(&self, address: &str) -> Result<Vec<String>, Status> {
        let request = proto::AnswerPhoneRequest { request_id: fresh(), phone: Some(phone(address)) };
        Ok(self.client().answer_phone(request).await?.into_inner().leg_ids)
    }

    /// Refuses at a phone that rings.
    pub async fn decline(&self, address: &str) -> Result<Vec<String>, Status> {
        let request = proto::DeclinePhoneRequest { request_id: fresh(), phone: Some(phone(address)) };
        Ok(self.client().decline_phone(request).await?.into_inner().leg_ids)
    }

    /// Hangs up a phone, with all its legs.
    pub async fn hang_up(&self, address: &str) -> Result<Vec<String>, Status> {
        let request = proto::HangUpPhoneRequest { request_id: fresh(), phone: Some(phone(address)) };
        Ok(self.client().hang_up_phone(request).await?.into_inner().leg_ids)
    }

    /// Hangs up one leg.
    pub async fn hang_up_leg(&self, leg_id: &str) -> Result<(), Status> {
        let selector = proto::PhoneSelector { selector: Some(Selector::LegId(leg_id.to_owned())) };
        let request = proto::HangUpPhoneRequest { request_id: fresh(), phone: Some(selector) };
        self.client().hang_up_phone(request).await.map(|_| ())
    }

    /// Presses keys at a phone, one after the other.
    pub async fn press(&self, address: &str, keys: &str) -> Result<Vec<String>, Status> {
        self.press_at(phone(address), keys).await
    }

    /// Presses keys on one leg, for example a customer's.
    pub async fn press_on(&self, leg_id: &str, keys: &str) -> Result<Vec<String>, Status> {
        self.press_at(proto::PhoneSelector { selector: Some(Selector::LegId(leg_id.to_owned())) }, keys).await
    }

    async fn press_at(&self, phone: proto::PhoneSelector, keys: &str) -> Result<Vec<String>, Status> {
        let request = proto::PressKeysRequest { request_id: fresh(), phone: Some(phone), keys: keys.to_owned() };
        Ok(self.client().press_keys(request).await?.into_inner().leg_ids)
    }

    /// The phone itself sends silence, or its tone again.
    pub async fn mute(&self, address: &str, muted: bool) -> Result<(), Status> {
        let request = proto::MutePhoneRequest { request_id: fresh(), phone: Some(phone(address)), muted };
        self.client().mute_phone(request).await.map(|_| ())
    }

    /// The live legs of a phone that was made. A customer's phone is not listed: see [`until_ended`](Self::until_ended).
    pub async fn legs(&self, address: &str) -> Result<Vec<proto::Leg>, Status> {
        Ok(self.all().await?.into_iter().filter(|it| it.address == address).flat_map(|it| it.legs).collect())
    }

    /// All phones with their live legs.
    pub async fn all(&self) -> Result<Vec<proto::Phone>, Status> {
        let (mut phones, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = proto::ListPhonesRequest { page_size: 1_000, page_token };
            let page = self.client().list_phones(request).await?.into_inner();
            phones.extend(page.phones);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(phones);
            }
        }
    }

    /// Waits until the phone rings; its leg.
    pub async fn until_ringing(&self, address: &str) -> anyhow::Result<proto::Leg> {
        self.until_leg(address, "rings", |leg| leg.state() == proto::LegState::Ringing).await
    }

    /// Waits until the phone is connected; its leg.
    pub async fn until_up(&self, address: &str) -> anyhow::Result<proto::Leg> {
        self.until_leg(address, "is connected", |leg| leg.state() == proto::LegState::Up).await
    }

    /// Waits until the phone has no leg.
    pub async fn until_idle(&self, address: &str) -> anyhow::Result<()> {
        eventually(&format!("{address} has no leg"), BOUND, async || {
            let legs = self.legs(address).await.map_err(|status| status.to_string())?;
            if legs.is_empty() { Ok(()) } else { Err(legs_in_words(&legs)) }
        })
        .await
    }

    /// Waits until a leg, for example a customer's, has ended; the entry of its end.
    pub async fn until_ended(&self, leg_id: &str) -> anyhow::Result<proto::LedgerEntry> {
        eventually(&format!("leg {leg_id} has ended"), BOUND, async || {
            let ledger = self.ledger().await.map_err(|status| status.to_string())?;
            let ended = |it: &proto::LedgerEntry| it.action() == proto::LedgerAction::LegEnded && it.leg_id == leg_id;
            ledger.into_iter().find(ended).ok_or_else(|| "it lives".to_owned())
        })
        .await
    }

    async fn until_leg(
        &self,
        address: &str,
        what: &str,
        is_it: impl Fn(&proto::Leg) -> bool,
    ) -> anyhow::Result<proto::Leg> {
        eventually(&format!("{address} {what}"), BOUND, async || {
            let legs = self.legs(address).await.map_err(|status| status.to_string())?;
            legs.iter().find(|leg| is_it(leg)).cloned().ok_or_else(|| legs_in_words(&legs))
        })
        .await
    }

    /// The sound that was heard on a leg up to now.
    pub async fn heard(&self, leg_id: &str) -> anyhow::Result<Sound> {
        let request = proto::GetHeardRequest { leg_id: leg_id.to_owned() };
        let context = || format!("what was heard on leg {leg_id}");
        let mut parts = self.client().get_heard(request).await.with_context(context)?.into_inner();
        let (mut file, mut started_at_us) = (Vec::new(), None);
        while let Some(message) = parts.message().await.with_context(context)? {
            match message.part {
                Some(Part::Heard(heard)) => started_at_us = Some(heard.started_at_us),
                Some(Part::Data(bytes)) => file.extend_from_slice(&bytes),
                None => bail!("a message without content in {}", context()),
            }
        }
        Sound::of_wav(&file, started_at_us.with_context(context)?)
    }

    /// The sound that was heard at a phone, on its last leg.
    pub async fn heard_at(&self, address: &str) -> anyhow::Result<Sound> {
        let request = proto::ListHeardRequest { address: address.to_owned() };
        let heard = self.client().list_heard(request).await?.into_inner().heard;
        let last = heard.last().with_context(|| format!("nothing was heard at {address}"))?;
        self.heard(&last.leg_id).await
    }

    /// Waits until the last `ms` milliseconds on a leg are as expected, by `is_it`; the sound on the leg.
    pub async fn until_hears(
        &self,
        leg_id: &str,
        ms: i64,
        what: &str,
        is_it: impl Fn(&Sound) -> bool,
    ) -> anyhow::Result<Sound> {
        const ALL: [u32; 6] = [CUSTOMER_HZ, MUSIC_HZ, 350, 1_000, 1_700, 2_300];
        eventually(&format!("leg {leg_id} hears {what}"), BOUND, async || {
            let sound = self.heard(leg_id).await.map_err(|error| format!("{error:#}"))?.last_ms(ms);
            if sound.duration_ms() >= ms && is_it(&sound) { Ok(()) } else { Err(sound.in_words(&ALL)) }
        })
        .await?;
        self.heard(leg_id).await
    }

    /// All ledger entries of this tenant.
    pub async fn ledger(&self) -> Result<Vec<proto::LedgerEntry>, Status> {
        let (mut entries, mut after_sequence) = (Vec::new(), 0);
        loop {
            let request = proto::GetLedgerRequest { after_sequence, page_size: 10_000 };
            let page = self.client().get_ledger(request).await?.into_inner();
            entries.extend(page.entries);
            after_sequence = page.next_after_sequence;
            if !page.more {
                return Ok(entries);
            }
        }
    }
}

fn phone(address: &str) -> proto::PhoneSelector {
    proto::PhoneSelector { selector: Some(Selector::Address(address.to_owned())) }
}

fn legs_in_words(legs: &[proto::Leg]) -> String {
    let words: Vec<_> = legs.iter().map(|it| format!("{} is {}", it.leg_id, it.state().as_str_name())).collect();
    if words.is_empty() { "no leg".to_owned() } else { words.join(", ") }
}
