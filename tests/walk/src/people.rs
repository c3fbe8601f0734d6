//! What agents, customers and phones do: anything, whether or not it is allowed.

use crate::{
    agenda::{Event, OnSwitch},
    walk::{AGENTS, Walk},
};
use baton_domain::{
    Action, Actor, Command, Input, OutsideSort, StaffRole, StartTransfer, Target, interaction::Party, permit,
};
use baton_proof::{agent, command_of, flow, outside, team};
use baton_telephony::switch::{ExitEnd, FlowEnding, FlowReport, LegEnding, LegProgress, SwitchEventKind};
use baton_words::{InteractionId, TransferKind};

const SECOND_US: i64 = 1_000_000;

impl Walk {
    /// Somebody does something in this interaction, and again later.
    pub(crate) fn person(&mut self, id: InteractionId) {
        let Some(live) = self.live.get(&id) else { return };
        if live.world.interaction.ended() && live.world.interaction.participations.iter().all(|it| it.given.is_some()) {
            return;
        }
        let again_us = self.now_us + self.rng.i64(SECOND_US..15 * SECOND_US);
        self.agenda.plan(again_us, Event::Person(id));
        match self.rng.u32(0..100) {
            0..4 => self.somebody_hangs_up(id, true),
            4..6 => self.somebody_hangs_up(id, false),
            _ => self.command(id),
        }
    }

    fn command(&mut self, id: InteractionId) {
        let actor = self.actor(id);
        let Some(live) = self.live.get(&id) else { return };
        let (i, policy) = (&live.world.interaction, self.watches[live.policy].policy());
        let open = i.transfer.as_ref().map(|transfer| transfer.no);
        let shown: Vec<Action> = permit::allowed(i, policy, &actor).iter().collect();
        // Notes and data can be written at any time; what moves somebody can't.
        let moves =
            |action: &&Action| !matches!(action, Action::Note | Action::SetData | Action::Mute | Action::Unmute);
        let moving: Vec<Action> = shown.iter().filter(moves).copied().collect();
        let action = match self.rng.u32(0..8) {
            0..5 if !moving.is_empty() => moving[self.rng.usize(0..moving.len())],
            0..7 if !shown.is_empty() => shown[self.rng.usize(0..shown.len())],
            _ => Action::ALL[self.rng.usize(0..Action::ALL.len())],
        };
        // Who ends calls at every turn sees little of them.
        if matches!(action, Action::End | Action::Leave) && self.rng.u32(0..4) > 0 {
            return;
        }
        let command = match action {
            Action::Start(kind) => self.start(id, kind),
            other => command_of(policy, other, open),
        };
        self.submit(id, &Input::Command(actor, command));
    }

    /// Mostly somebody who is in it, or is asked to be.
    fn actor(&mut self, id: InteractionId) -> Actor {
        let Some(live) = self.live.get(&id) else { return Actor::System };
        let i = &live.world.interaction;
        let asked = i.search().into_iter().flat_map(|search| search.offers.iter().map(|offer| offer.agent.id));
        let around: Vec<_> = i.agents().filter_map(Party::agent_id).chain(asked).collect();
        match self.rng.u32(0..20) {
            0 => Actor::Staff { role: StaffRole::Supervisor, subject: "supervisor".into(), for_agent: None },
            1 => Actor::Customer,
            2..17 if !around.is_empty() => Actor::Agent(around[self.rng.usize(0..around.len())]),
            _ => Actor::Agent(agent(self.rng.u8(1..=AGENTS)).id),
        }
    }

    fn start(&mut self, id: InteractionId, kind: TransferKind) -> Command {
        let policy = self.live.get(&id).map(|live| self.watches[live.policy].policy());
        let outcome = policy.and_then(|policy| policy.interaction.outcomes.first().cloned()).unwrap_or_default();
        let target = match self.rng.u32(0..8) {
            _ if kind == TransferKind::RoundTrip => flow(self.rng.u32(0..4) == 0),
            0 | 1 => team(),
            2 => flow(self.rng.bool()),
            3 => outside(OutsideSort::Typed),
            4 => outside(OutsideSort::Forwarding),
            _ => Target::Agent(agent(self.rng.u8(1..=AGENTS))),
        };
        Command::Start(StartTransfer { kind, target, message: "as agreed".into(), outcome })
    }

    fn somebody_hangs_up(&mut self, id: InteractionId, outside: bool) {
        let legs = self.switch.legs.iter().filter(|(_, leg)| leg.interaction == id && leg.outside == outside);
        let legs: Vec<_> = legs.map(|(name, _)| name.clone()).collect();
        if !legs.is_empty() {
            let leg = legs[self.rng.usize(0..legs.len())].clone();
            self.on_switch(OnSwitch::HangUp(leg));
        }
    }

    /// A phone has begun to ring: what becomes of it.
    pub(crate) fn phone_rings(&mut self, leg: String) {
        let (after_us, what) = match self.rng.u32(0..100) {
            0..65 => (self.rng.i64(SECOND_US..25 * SECOND_US), OnSwitch::Answer(leg)),
            65..78 => (self.rng.i64(SECOND_US..10 * SECOND_US), OnSwitch::Decline(leg)),
            78..82 => (20_000, OnSwitch::Busy(leg)),
            82..86 => (20_000, OnSwitch::Unreachable(leg)),
            _ => return,
        };
        self.agenda.plan(self.now_us + after_us, Event::OnSwitch(what));
    }

    pub(crate) fn on_switch(&mut self, what: OnSwitch) {
        match what {
            OnSwitch::Answer(name) => {
                let Some(leg) = self.switch.legs.get_mut(&name) else { return };
                if leg.progress == LegProgress::Ringing {
                    (leg.progress, leg.up_since_us) = (LegProgress::Up, Some(self.now_us));
                    let id = leg.interaction;
                    self.tell_telephony(id, SwitchEventKind::Answered { leg: name });
                }
            }
            OnSwitch::Decline(name) => self.leg_ends(name, LegEnding::Declined, true),
            OnSwitch::Busy(name) => self.leg_ends(name, LegEnding::Busy, true),
            OnSwitch::Unreachable(name) => self.leg_ends(name, LegEnding::Unreachable, true),
            OnSwitch::HangUp(name) => {
                let why = match self.switch.legs.get(&name).map(|leg| (&leg.progress, leg.outside)) {
                    Some((LegProgress::Ringing, false)) => LegEnding::Declined,
                    _ => LegEnding::HungUp,
                };
                self.leg_ends(name, why, false);
            }
            OnSwitch::ExitOver { leg: name, exit, returned } => {
                let Some(leg) = self.switch.legs.get_mut(&name) else { return };
                if leg.progress != LegProgress::Exited(exit.clone()) {
                    return;
                }
                leg.progress = LegProgress::Up;
                let (id, end) = (leg.interaction, if returned { ExitEnd::Returned } else { ExitEnd::Left });
                self.tell_telephony(id, SwitchEventKind::ExitOver { exit, leg: name.clone(), end });
                if !returned {
                    self.leg_ends(name, LegEnding::HungUp, false);
                }
            }
            OnSwitch::FlowOver { leg: name, exit, end } => {
                let Some(leg) = self.switch.legs.get_mut(&name) else { return };
                if leg.progress == LegProgress::Exited(exit.clone()) {
                    leg.progress = LegProgress::Up;
                    let report = FlowReport { exit, leg: name, end: Some(end), data: Vec::new() };
                    let id = leg.interaction;
                    self.tell_telephony(id, SwitchEventKind::Flow(report));
                }
            }
            OnSwitch::PlaybackOver { interaction, playback } => {
                if self.switch.playbacks.remove(&playback).is_some() {
                    self.tell_telephony(interaction, SwitchEventKind::PlaybackOver { playback });
                }
            }
        }
    }

    fn leg_ends(&mut self, name: String, why: LegEnding, while_ringing: bool) {
        if self.switch.legs.get(&name).is_none_or(|leg| while_ringing && leg.progress != LegProgress::Ringing) {
            return;
        }
        let Some(leg) = self.switch.legs.remove(&name) else { return };
        let exit = match leg.progress {
            LegProgress::Exited(exit) => Some(exit),
            _ => None,
        };
        if let Some(exit) = exit {
            self.exit_left(leg.interaction, exit, name.clone());
        }
        self.tell_telephony(leg.interaction, SwitchEventKind::Ended { leg: name, why });
        self.phone_is_free();
    }

    /// Whoever was in a mailbox or in a flow has hung up there.
    pub(crate) fn exit_left(&mut self, id: InteractionId, exit: String, leg: String) {
        let over = if self.switch.flows.contains(&exit) {
            SwitchEventKind::Flow(FlowReport { exit, leg, end: Some(FlowEnding::Left), data: Vec::new() })
        } else {
            SwitchEventKind::ExitOver { exit, leg, end: ExitEnd::Left }
        };
        self.tell_telephony(id, over);
    }

    /// An agent goes, comes, or says how they are.
    pub(crate) fn agent_life(&mut self, no: u8) {
        let id = agent(no).id.0;
        match self.rng.u32(0..10) {
            _ if self.presence.is_not_responding(id) => self.presence.request(id, true, self.now_us),
            0..5 => self.presence.request(id, true, self.now_us),
            5..6 => self.presence.request(id, false, self.now_us),
            6..7 => self.presence.connect(id, false, self.now_us),
            _ => self.presence.connect(id, true, self.now_us),
        }
        self.presence_changed();
        if !self.is_closing() {
            let after_us = self.rng.i64(5 * SECOND_US..40 * SECOND_US);
            self.agenda.plan(self.now_us + after_us, Event::AgentLife(no));
        }
    }
}
