//! What the contract says of a method: whether it changes something, and whether it takes one message or many. And which of those that
//! change nothing for their caller are stored all the same.

use std::collections::HashMap;
use std::sync::LazyLock;

use baton_api::FILE_DESCRIPTOR_SET;
use prost::Message as _;
use prost_types::{DescriptorProto, FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto};

use super::received::Messages;

/// Every change has it, and nothing else has.
const OF_CHANGES: &str = "request_id";
/// They have no request id: a session that begins or ends is in the events, and whoever is given audio is in the access log.
const STORED: [&str; 5] = [
    "/baton.presence.v1.PresenceService/Connect",
    "/baton.presence.v1.PresenceService/RenewSession",
    "/baton.presence.v1.PresenceService/CloseSession",
    "/baton.recording.v1.RecordingService/DownloadRecording",
    "/baton.recording.v1.VoicemailService/DownloadMessage",
];
const REFLECTION: &str = "/grpc.reflection.";

static METHODS: LazyLock<HashMap<String, MethodKind>> = LazyLock::new(|| {
    // A test reads it; without it every method would be an unary read.
    let files = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap_or_default().file;
    let requests: HashMap<_, _> = files.iter().flat_map(messages).collect();
    files.iter().flat_map(|file| methods(file, &requests)).collect()
});

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MethodKind {
    pub(super) is_change: bool,
    /// It makes Baton write something: a change does, and so do some others.
    pub(super) is_stored: bool,
    pub(super) messages: Messages,
}

/// Of the method at this path; of one that there is not: a read.
pub(super) fn kind(path: &str) -> MethodKind {
    let messages = if path.starts_with(REFLECTION) { Messages::Many } else { Messages::One };
    METHODS.get(path).copied().unwrap_or(MethodKind { is_change: false, is_stored: false, messages })
}

fn messages(file: &FileDescriptorProto) -> impl Iterator<Item = (String, &DescriptorProto)> {
    file.message_type.iter().map(|message| (format!(".{}.{}", file.package(), message.name()), message))
}

fn methods<'a>(
    file: &'a FileDescriptorProto,
    requests: &'a HashMap<String, &DescriptorProto>,
) -> impl Iterator<Item = (String, MethodKind)> + 'a {
    file.service.iter().flat_map(move |service| {
        let path =
            move |method: &MethodDescriptorProto| format!("/{}.{}/{}", file.package(), service.name(), method.name());
        service.method.iter().map(move |method| {
            let request = requests.get(method.input_type());
            let is_change = request.is_some_and(|it| it.field.iter().any(|field| field.name() == OF_CHANGES));
            let messages = if method.client_streaming() { Messages::Many } else { Messages::One };
            let path = path(method);
            let is_stored = is_change || STORED.contains(&path.as_str());
            (path, MethodKind { is_change, is_stored, messages })
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_and_streams_are_told_from_the_rest() {
        let (change, read) = (true, false);
        for (path, is_change, messages) in [
            ("/baton.transfer.v1.TransferService/StartTransfer", change, Messages::One),
            ("/baton.transfer.v1.InteractionService/SetMute", change, Messages::One),
            ("/baton.transfer.v1.InteractionService/ListInteractions", read, Messages::One),
            ("/baton.presence.v1.PresenceService/Connect", read, Messages::Many),
            ("/baton.presence.v1.PresenceService/WatchTargets", read, Messages::One),
            ("/grpc.health.v1.Health/Watch", read, Messages::One),
            ("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", read, Messages::Many),
            ("/nothing", read, Messages::One),
        ] {
            let kind = kind(path);
            assert_eq!((kind.is_change, kind.messages), (is_change, messages), "{path}");
        }
        assert!(METHODS.values().filter(|kind| kind.is_change).count() > 30);
    }

    #[test]
    fn s2_what_is_stored_without_being_a_change_counts_as_one() {
        for path in STORED {
            assert!(METHODS.contains_key(path) && kind(path).is_stored && !kind(path).is_change, "{path}");
        }
        assert!(METHODS.values().all(|kind| kind.is_stored || !kind.is_change));
        assert!(!kind("/baton.recording.v1.RecordingService/GetRecording").is_stored);
    }
}
