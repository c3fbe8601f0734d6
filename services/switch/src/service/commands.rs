//! Commands of the controller: read from the contract's messages, and carried out on the engine.

use baton_api::simulator::v1 as proto;
use baton_api::simulator::v1::command::Command;
use tonic::Status;

use super::convert;
use crate::engine::ids::{ExitId, LegId, PlaybackId, RecordingId, RoomId};
use crate::engine::model::PlayTarget;
use crate::engine::{DialRequest, Engine, PlaybackRequest, SwitchError};

/// What a command has led to, as far as its answer says so; the rest is empty.
#[derive(Debug, Default)]
pub(super) struct CommandAnswer {
    /// Of a recording: its first sample, or the time after its last.
    pub(super) at_us: i64,
    /// Of an announcement.
    pub(super) duration_ms: i64,
    /// That a voicemail is kept under.
    pub(super) recording_id: String,
}

impl From<()> for CommandAnswer {
    fn from((): ()) -> Self {
        Self::default()
    }
}

type Act = Box<dyn FnOnce(&mut Engine) -> Result<CommandAnswer, SwitchError> + Send>;

/// A command whose fields are valid.
pub(super) struct ReadCommand {
    epoch: i64,
    name: &'static str,
    act: Act,
}

impl ReadCommand {
    fn new<R: Into<CommandAnswer>>(
        (epoch, name): (i64, &'static str),
        act: impl FnOnce(&mut Engine) -> Result<R, SwitchError> + Send + 'static,
    ) -> Self {
        Self { epoch, name, act: Box::new(move |engine| act(engine).map(Into::into)) }
    }

    /// If its epoch is the latest controller's.
    pub(super) fn execute(self, engine: &mut Engine) -> Result<CommandAnswer, SwitchError> {
        engine.controlled(self.epoch, self.name, self.act)
    }
}

/// Carries them out until one is refused.
pub(super) fn execute_all(engine: &mut Engine, commands: Vec<proto::Command>) -> Vec<proto::CommandOutcome> {
    let mut outcomes = Vec::new();
    for proto::Command { command } in commands {
        let missing = || SwitchError::invalid("commands.command", "must be given");
        let answer = command.ok_or_else(missing).and_then(read).and_then(|command| command.execute(engine));
        let is_refused = answer.is_err();
        outcomes.push(match answer {
            Ok(CommandAnswer { at_us, .. }) => proto::CommandOutcome { at_us, ..Default::default() },
            Err(error) => {
                let status = Status::from(error);
                let (code, message) = (status.code().into(), status.message().to_owned());
                proto::CommandOutcome { code, message, at_us: 0 }
            }
        });
        if is_refused {
            break;
        }
    }
    outcomes
}

pub(super) fn read(command: Command) -> Result<ReadCommand, SwitchError> {
    Ok(match command {
        Command::Dial(it) => {
            let dial = DialRequest {
                leg_id: LegId::parse(&it.leg_id)?,
                tenant: it.tenant,
                address: it.address,
                caller_id: it.caller_id,
                ring_timeout_ms: it.ring_timeout_ms,
                variables: it.variables.into_iter().collect(),
            };
            ReadCommand::new((it.epoch, "Dial"), |engine| engine.dial(dial))
        }
        Command::Answer(it) => {
            let leg = LegId::parse(&it.leg_id)?;
            ReadCommand::new((it.epoch, "Answer"), move |engine| engine.answer(&leg))
        }
        Command::Hangup(it) => {
            let (leg, cause) = (LegId::parse(&it.leg_id)?, convert::end_cause(it.cause)?);
            ReadCommand::new((it.epoch, "Hangup"), move |engine| engine.hang_up(&leg, cause))
        }
        Command::Move(it) => {
            let (leg, room) = (LegId::parse(&it.leg_id)?, RoomId::parse(&it.room_id)?);
            ReadCommand::new((it.epoch, "Move"), move |engine| engine.move_leg(&leg, &room))
        }
        Command::Remove(it) => {
            let leg = LegId::parse(&it.leg_id)?;
            ReadCommand::new((it.epoch, "Remove"), move |engine| engine.remove_leg(&leg))
        }
        Command::SetMute(it) => {
            let leg = LegId::parse(&it.leg_id)?;
            ReadCommand::new((it.epoch, "SetMute"), move |engine| engine.set_mute(&leg, it.muted))
        }
        Command::EnsureRoom(it) => {
            let (room, treatment) = (RoomId::parse(&it.room_id)?, convert::treatment(it.treatment)?);
            ReadCommand::new((it.epoch, "EnsureRoom"), move |engine| engine.ensure_room(&room, &it.tenant, treatment))
        }
        Command::DestroyRoom(it) => {
            let room = RoomId::parse(&it.room_id)?;
            ReadCommand::new((it.epoch, "DestroyRoom"), move |engine| engine.destroy_room(&room))
        }
        Command::Play(it) => {
            use proto::play_request::Target;
            let target = match it.target {
                Some(Target::RoomId(id)) => PlayTarget::Room(RoomId::parse(&id)?),
                Some(Target::LegId(id)) => PlayTarget::Leg(LegId::parse(&id)?),
                None => return Err(SwitchError::invalid("target", "must be a room or a leg")),
            };
            let playback_id = PlaybackId::parse(&it.playback_id)?;
            let request = PlaybackRequest { playback_id, target, announcement: it.announcement };
            let lasts = |duration_ms| CommandAnswer { duration_ms, ..CommandAnswer::default() };
            ReadCommand::new((it.epoch, "Play"), move |engine| engine.play(request).map(lasts))
        }
        Command::StopPlayback(it) => {
            let playback = PlaybackId::parse(&it.playback_id)?;
            ReadCommand::new((it.epoch, "StopPlayback"), move |engine| engine.stop_playback(&playback))
        }
        Command::StartRecording(it) => {
            let (recording, room) = (RecordingId::parse(&it.recording_id)?, RoomId::parse(&it.room_id)?);
            let start = move |engine: &mut Engine| engine.start_recording(&recording, &room, &it.tenant).map(at);
            ReadCommand::new((it.epoch, "StartRecording"), start)
        }
        Command::StopRecording(it) => {
            let recording = RecordingId::parse(&it.recording_id)?;
            ReadCommand::new((it.epoch, "StopRecording"), move |engine| engine.stop_recording(&recording).map(at))
        }
        Command::Exit(it) => {
            let (leg, exit) = (LegId::parse(&it.leg_id)?, ExitId::parse(&it.exit_id)?);
            match it.kind {
                Some(proto::exit_request::Kind::Voicemail(voicemail)) => {
                    let kept =
                        |id: RecordingId| CommandAnswer { recording_id: id.to_string(), ..CommandAnswer::default() };
                    ReadCommand::new((it.epoch, "Exit"), move |engine| {
                        engine.exit_to_voicemail(&leg, &exit, &voicemail.mailbox, voicemail.max_message_ms).map(kept)
                    })
                }
                Some(proto::exit_request::Kind::Flow(flow)) => {
                    ReadCommand::new((it.epoch, "Exit"), move |engine| engine.exit_to_flow(&leg, &exit, flow.elements))
                }
                None => return Err(SwitchError::invalid("kind", "must be voicemail or a flow")),
            }
        }
        Command::RecallExit(it) => {
            let exit = ExitId::parse(&it.exit_id)?;
            ReadCommand::new((it.epoch, "RecallExit"), move |engine| engine.recall(&exit))
        }
    })
}

fn at(at_us: i64) -> CommandAnswer {
    CommandAnswer { at_us, ..CommandAnswer::default() }
}
