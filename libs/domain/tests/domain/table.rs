//! The state × input table: what each input leads to in each state of a transfer. The text is read by people and compared by the test.

use crate::world::{World, agent, flow, supervisor};
use baton_domain::{
    Command, Fact, Input,
    input::FlowEnd,
    interaction::{ExitTo, Leg, LegSource, LegState, Party, PartyNo, Stage, Who},
};
use baton_words::{ClaimNo, LegNo, Phase, Reason, TransferKind};

/// The states that a person would name, as a way to get there.
const STATES: [&str; 14] = [
    "talking",
    "claiming",
    "ringing",
    "resumed",
    "consulting",
    "joined",
    "completed",
    "cold, claiming",
    "cold, ringing",
    "cold, in voicemail",
    "accepted",
    "ringing, with a bystander",
    "away in a flow",
    "cold, in a flow",
];

/// None: the policy has no way there.
fn reach(profile: &str, state: &str) -> Option<World> {
    let mut world = World::talking(profile);
    match state {
        "talking" => {}
        "cold, claiming" => begin(&mut world, TransferKind::Cold),
        "cold, ringing" => ring(&mut world, TransferKind::Cold),
        "cold, in voicemail" => {
            ring(&mut world, TransferKind::Cold);
            world.no_answer(2);
        }
        "claiming" => begin(&mut world, TransferKind::Warm),
        "ringing" => ring(&mut world, TransferKind::Warm),
        "resumed" => {
            ring(&mut world, TransferKind::Warm);
            world.command(1, Command::Resume).ok()?;
            world.place();
        }
        // Agent 3, who handed over to 1 before and stayed.
        "away in a flow" => into_a_flow(&mut world, TransferKind::RoundTrip)?,
        "cold, in a flow" => into_a_flow(&mut world, TransferKind::Cold)?,
        "ringing, with a bystander" => world = with_a_bystander(profile),
        _ => return consult(world, state),
    }
    Some(world)
}

fn begin(world: &mut World, kind: TransferKind) {
    world.start(1, kind, 2).expect("permitted");
}

fn ring(world: &mut World, kind: TransferKind) {
    begin(world, kind);
    world.grant();
}

fn into_a_flow(world: &mut World, kind: TransferKind) -> Option<()> {
    world.start_to(1, kind, flow(false)).ok()?;
    world.place();
    Some(())
}

fn consult(mut world: World, state: &str) -> Option<World> {
    ring(&mut world, TransferKind::Warm);
    world.answer(2);
    let accepted = world.phase() == Phase::Accepted;
    match state {
        "accepted" | "consulting" => return Some(world).filter(|_| accepted == (state == "accepted")),
        _ => {}
    }
    let joins = world.command(1, Command::Resume).is_ok();
    world.place();
    match state {
        "completed" => world.hang_up(1),
        _ if !joins => return None,
        _ => {}
    }
    Some(world)
}

fn with_a_bystander(profile: &str) -> World {
    let mut world = World::talking(profile);
    world.i.parties.push(Party {
        no: PartyNo(9),
        who: Who::Agent { agent: agent(3), claim: ClaimNo(9) },
        leg: Leg { no: LegNo(9), origin: LegSource::Phone("phone-3".into()), state: LegState::Up { seen_in: None } },
        muted: false,
        since_us: world.now,
        from_queue: None,
    });
    ring(&mut world, TransferKind::Warm);
    world
}

/// An input as a person would say it, and what it does to a world; false when it can't be said there.
type Saying = (&'static str, fn(&mut World) -> bool);

const INPUTS: [Saying; 19] = [
    ("initiator resumes", |w| w.command(1, Command::Resume).is_ok()),
    ("initiator holds", |w| w.command(1, Command::Hold).is_ok()),
    ("initiator completes", |w| {
        let command = w.complete();
        w.command(1, command).is_ok()
    }),
    ("initiator cancels", |w| {
        let command = w.cancel();
        w.command(1, command).is_ok()
    }),
    ("initiator mutes", |w| w.command(1, Command::SetMute(true)).is_ok()),
    ("initiator hangs up", |w| w.leg(1).map(|leg| w.fact(Fact::LegEnded(leg, Reason::HungUp))).is_some()),
    ("supervisor cancels", |w| staff(w, World::cancel)),
    ("supervisor completes", |w| staff(w, World::complete)),
    ("recipient holds", |w| w.command(2, Command::Hold).is_ok()),
    ("recipient mutes", |w| w.command(2, Command::SetMute(true)).is_ok()),
    ("recipient declines", |w| {
        let command = w.decline();
        w.command(2, command).is_ok()
    }),
    ("recipient resumes", |w| w.command(2, Command::Resume).is_ok()),
    ("recipient answers", |w| w.leg(2).is_some_and(|leg| w.fact(Fact::LegUp(leg, None)).changed)),
    ("recipient hangs up", |w| w.leg(2).map(|leg| w.fact(Fact::LegEnded(leg, Reason::HungUp))).is_some()),
    ("customer hangs up", |w| w.fact(Fact::LegEnded(LegNo(1), Reason::HungUp)).changed),
    ("the flow returns", |w| flow_over(w, FlowEnd::Returned)),
    ("the flow ends", |w| flow_over(w, FlowEnd::Ended)),
    ("the flow is lost", |w| flow_over(w, FlowEnd::Unknown)),
    ("the deadline passes", |w| {
        w.tick_at_deadline();
        true
    }),
];

fn flow_over(world: &mut World, end: FlowEnd) -> bool {
    let exit = world.plan().exit.filter(|exit| exit.flow.is_some());
    exit.is_some_and(|exit| world.fact(Fact::FlowOver(exit.exit, end, vec![])).changed)
}

fn staff(world: &mut World, command: fn(&World) -> Command) -> bool {
    let command = command(world);
    world.input(Input::Command(supervisor(), command)).is_ok()
}

fn describe(world: &World) -> String {
    let transfer = world.last_transfer().map(|transfer| {
        let reason = transfer.reason.filter(|_| !transfer.phase.is_open());
        format!("{:?}{}", transfer.phase, reason.map_or(String::new(), |reason| format!("({reason:?})")))
    });
    let stage = match &world.i.stage {
        Stage::Served(service) if service.away.is_some() => "away".into(),
        Stage::Served(service) if service.hold.is_some() => "held".into(),
        Stage::Served(_) => "served".into(),
        Stage::Seeking(_) => "seeking".into(),
        Stage::Farewell { .. } => "farewell".into(),
        Stage::Exiting(exit) if matches!(exit.to, ExitTo::Flow(_)) => "flow".into(),
        Stage::Exiting(_) => "voicemail".into(),
        Stage::Ended(reason) => format!("ended({reason:?})").to_lowercase(),
    };
    let agents = world.agents_in().iter().map(ToString::to_string).collect::<Vec<_>>().join("+");
    format!("{} {stage} [{agents}]", transfer.unwrap_or_else(|| "-".into()))
}

fn table(profile: &str) -> String {
    let mut lines =
        vec![format!("# {profile}: a transfer of agent 1 to agent 2, warm unless said; [agents still connected]")];
    for state in STATES {
        let Some(there) = reach(profile, state) else {
            lines.push(format!("\n## {state}: never"));
            continue;
        };
        lines.push(format!("\n## {state}: {}", describe(&there)));
        for (name, act) in INPUTS {
            let mut world = there.clone();
            let outcome = if act(&mut world) {
                world.place();
                describe(&world)
            } else {
                "refused".into()
            };
            lines.push(format!("{name:<22} {outcome}"));
        }
    }
    lines.join("\n") + "\n"
}

fn compare(profile: &str) {
    let path = format!("{}/tests/domain/table_{profile}.txt", env!("CARGO_MANIFEST_DIR"));
    let now = table(profile);
    #[expect(clippy::disallowed_methods, reason = "a test that can write its own expectation, on request")]
    if std::env::var_os("UPDATE_TABLES").is_some() {
        std::fs::write(&path, &now).expect("the table can be written");
    }
    let known = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(known == now, "the table of {profile} has changed; look at it with UPDATE_TABLES=1 and git diff:\n{now}");
}

#[test]
fn lead_center_behaves_as_tabled() {
    compare("lead_center");
}

#[test]
fn user_transfer_behaves_as_tabled() {
    compare("user_transfer");
}

#[test]
fn engagement_behaves_as_tabled() {
    compare("engagement");
}

#[test]
fn aicc_behaves_as_tabled() {
    compare("aicc");
}

#[test]
fn helpdesk_behaves_as_tabled() {
    compare("helpdesk");
}
