//! Voicemail, as the owners of boxes use it.

use anyhow::Context as _;
use baton_api::recording::v1::voicemail_service_client::VoicemailServiceClient;
use baton_api::recording::v1::{DownloadMessageRequest, ListMessagesRequest, VoicemailMessage};
use baton_runtime::client::GrpcChannel;

use crate::sound::Sound;
use crate::tenant::Call;
use crate::wait::{BOUND, eventually};

/// What somebody may play.
#[derive(Debug, Clone)]
pub struct Voicemail(GrpcChannel);

impl Voicemail {
    pub(crate) fn new(channel: GrpcChannel) -> Self {
        Self(channel)
    }

    pub fn client(&self) -> VoicemailServiceClient<GrpcChannel> {
        VoicemailServiceClient::new(self.0.clone())
    }

    /// The messages, the newest first.
    pub async fn messages(&self) -> anyhow::Result<Vec<VoicemailMessage>> {
        let request = ListMessagesRequest { page_size: 500, ..ListMessagesRequest::default() };
        Ok(self.client().list_messages(request).await?.into_inner().messages)
    }

    /// Waits for the message that was left in this call.
    pub async fn until_message(&self, call: &Call) -> anyhow::Result<VoicemailMessage> {
        eventually("the message can be played", BOUND, async || {
            let messages = self.messages().await.map_err(|error| format!("{error:#}"))?;
            let of_call = messages.iter().find(|it| it.interaction_id == call.interaction_id).cloned();
            of_call.ok_or_else(|| format!("{messages:#?}"))
        })
        .await
    }

    /// The sound of a message.
    pub async fn sound_of(&self, message_id: &str) -> anyhow::Result<Sound> {
        let context = || format!("playing {message_id}");
        let request = DownloadMessageRequest { message_id: message_id.to_owned() };
        let mut stream = self.client().download_message(request).await.with_context(context)?.into_inner();
        let mut file = Vec::new();
        while let Some(part) = stream.message().await.with_context(context)? {
            file.extend_from_slice(&part.chunk);
        }
        Sound::of_wav(&file, 0)
    }
}
