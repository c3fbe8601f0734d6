//! The message that a customer may leave in an exit (F8). That it has to be brought to the archive is written down before the leg goes
//! there, and is due when the exit is over, however that became known; the uploader then finds a message on the switch, or that there is
//! none.

use std::time::Duration;

use baton_api::recording::v1::{SegmentHeader, VoicemailBox};
use baton_runtime::clock::micros;
use prost::Message as _;

use super::InteractionDriver;
use crate::operation::{Operation, OperationKind};
use crate::plan::WantedExit;
use crate::store::{StoreWrite, UploadRow};

/// When it is looked for although nobody saw the exit end. Longer than any message.
const AT_THE_LATEST: Duration = Duration::from_hours(24);

impl InteractionDriver {
    /// Before the switch is asked.
    pub(super) async fn expect_message(&mut self, exit: WantedExit) {
        let header = SegmentHeader {
            tenant: self.tenant(),
            interaction_id: self.id.to_string(),
            voicemail: Some(VoicemailBox { mailbox: exit.mailbox, customer: Some(exit.customer), number: exit.number }),
            segment_id: exit.id.clone(),
            ..SegmentHeader::default()
        };
        let upload = UploadRow {
            segment: self.context.switch.message_of(&exit.id),
            header: header.encode_to_vec(),
            next_try_at_us: self.now_us() + micros(AT_THE_LATEST),
            ..UploadRow::default()
        };
        // The journal writes in order: it is on disk when the exit's request is.
        self.context.report.journal.post(StoreWrite::Upload(upload)).await;
    }

    /// The exit is over.
    pub(super) fn message_is_due(&mut self, exit: &str) {
        let segment = self.context.switch.message_of(exit);
        self.writes.push(StoreWrite::UploadDue { segment });
    }

    /// After a restart: the end of an exit may have been written down, and not that its message is due.
    pub(super) fn messages_are_due(&mut self) {
        let exits = self
            .observed
            .operations
            .iter()
            .filter(|(key, it)| key.kind == OperationKind::Exit && it.is_over() && it.detail != Operation::FLOW);
        for exit in exits.map(|(key, _)| key.id.clone()).collect::<Vec<_>>() {
            self.message_is_due(&exit);
        }
    }
}
