//! One interaction, with its disk and a switch of the test's, driven by hand: the test says what comes between two moments.

mod switch;

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use baton_api::transfer::v1::intake_service_client::IntakeServiceClient;
use baton_runtime::Clock;
use baton_runtime::auth::SigningKey;
use baton_runtime::client::{GrpcChannel, ServiceIdentity};
use baton_runtime::lifecycle::Lifecycle;
use baton_store::Db;

use super::*;
use crate::book::{Share, Slot};
use crate::fact;
use crate::plan::{Announcement, Dial, Exit, Leg, Segment, Treatment};
use crate::store::{Journal, MIGRATOR};
use crate::switch::{ClosedRecording, Event, LegInSight, LegOrigin, LegState, RoomInSight, What};
use switch::Noting;

const NOW_US: i64 = 1_700_000_000_000_000;
const ID: &str = "0192f0c1-2d3e-7f00-8000-000000000001";

struct Stage {
    db: Db,
    switch: Arc<Noting>,
    slot: Slot,
    interaction: Interaction,
    _folder: tempfile::TempDir,
    _link: watch::Sender<LinkState>,
}

/// Time stands still.
async fn stage() -> Stage {
    let folder = tempfile::tempdir().unwrap();
    let db = Db::open(folder.path().join("telephony.db")).await.unwrap();
    db.migrate(&MIGRATOR).await.unwrap();
    let (clock, _) = Clock::simulated(NOW_US);
    let lifecycle = Lifecycle::new();
    let (journal, writing) = Journal::new(db.clone(), clock.clone(), Arc::default(), lifecycle.soft());
    lifecycle.spawn("journal", writing);
    let nobody = ServiceIdentity::new(SigningKey::generate(), "test");
    let intake = GrpcChannel::internal("http://127.0.0.1:1", nobody, clock.clone()).unwrap();
    let (link, state) = watch::channel(LinkState::Up { generation: 1, boot_id: "boot".to_owned() });
    let switch = Arc::<Noting>::default();
    let ways = Arc::new(Ways {
        switch: Arc::<Noting>::clone(&switch),
        report: ReportWays { intake: IntakeServiceClient::new(intake), journal, clock, lifecycle },
        link: state,
        orders: LinkOrders::default(),
        moments: Moments::default(),
        book: Arc::default(),
    });
    let (slot, inlets) = Slot::new(None);
    let interaction = Interaction::new(InteractionId::parse(ID).unwrap(), ways, inlets, 1, Restored::default());
    Stage { db, switch, slot, interaction, _folder: folder, _link: link }
}

impl Stage {
    fn push(&self, plan: Plan) {
        self.slot.plans.send_replace(Some(Arc::new(plan)));
    }

    /// The same version once more.
    fn push_again(&self) {
        self.slot.plans.send_modify(|_| {});
    }

    /// Begins a pass, and has the newest plan replaced while it waits for the disk.
    async fn pass_with_a_plan_meanwhile(&mut self, plan: Plan) {
        let disk = self.db.begin().await.unwrap();
        {
            let mut pass = std::pin::pin!(self.interaction.pass());
            assert!(futures::poll!(pass.as_mut()).is_pending(), "nothing is written down");
            self.slot.plans.send_replace(Some(Arc::new(plan)));
            disk.rollback().await.unwrap();
            pass.await;
        }
    }

    fn last(&self, key: &Key) -> Option<baton_api::transfer::v1::fact::Fact> {
        self.interaction.world.things.get(key)?.fact.as_ref()?.fact.clone()
    }
}

/// A plan with the customer, whose call came in, in `talk`.
fn plan(version: u64) -> Plan {
    let customer =
        Leg { id: "c".into(), origin: Origin::Inbound("in-1".into()), room: Some("talk".into()), muted: false };
    Plan {
        tenant: "acme".into(),
        interaction: InteractionId::parse(ID).unwrap(),
        version,
        rooms: BTreeMap::from([("talk".into(), Treatment::Conversation)]),
        legs: vec![customer],
        announcements: vec![],
        exit: None,
        segment: None,
        ended: false,
        awaited_segments: vec![],
        trace: None,
    }
}

fn calling(version: u64, caller: &str) -> Plan {
    let dial = Dial { phone: "ben".into(), ring_until_us: NOW_US + 1, caller: caller.into(), allowed_by: None };
    let ben = Leg { id: "b".into(), origin: Origin::Dial(dial), room: Some("talk".into()), muted: false };
    let mut plan = plan(version);
    plan.legs.push(ben);
    plan
}

/// A look that shows the customer, in this room.
fn customer_in(room: Option<String>) -> Share {
    let leg =
        LegInSight { name: "in-1".into(), state: LegState::Up, room, muted: Some(false), origin: LegOrigin::Foreign };
    let talk = RoomInSight { name: format!("{ID}-talk"), treatment: Some(Treatment::Conversation), empty: false };
    Share { generation: 1, boot_id: "boot".into(), legs: vec![leg], rooms: vec![talk], ..Share::default() }
}

/// The customer is in `talk`, as the plan wants.
async fn talking() -> Stage {
    let mut stage = stage().await;
    stage.push(plan(1));
    stage.interaction.pass().await;
    stage.interaction.see(&customer_in(None));
    stage.interaction.pass().await;
    assert_eq!(stage.switch.asked().last().unwrap(), "move in-1");
    stage
}

#[tokio::test]
async fn what_is_withdrawn_while_it_is_written_down_is_not_asked_for() {
    let segment = Segment { id: "s".into(), room: "talk".into(), recording_id: "r".into() };
    let sound = Announcement { id: "n".into(), room: "talk".into(), name: "beep".into() };
    let exit = Exit { id: "x".into(), leg_id: "c".into(), mailbox: "anna".into() };
    let cases = [
        (calling(2, ""), Key::leg("b"), fact::ended("b", Ending::HungUp)),
        (Plan { segment: Some(segment), ..plan(2) }, Key::segment("s"), fact::segment_never_begun("s")),
        (Plan { announcements: vec![sound], ..plan(2) }, Key::announcement("n"), fact::announcement_over("n")),
        (Plan { exit: Some(exit), ..plan(2) }, Key::exit("x"), fact::exit_over("x", crate::switch::ExitEnd::Unknown)),
    ];
    for (plan_2, key, expected) in cases {
        let mut stage = talking().await;
        let before = stage.switch.asked();
        stage.push(plan_2);
        stage.pass_with_a_plan_meanwhile(plan(3)).await;
        assert_eq!(stage.switch.asked(), before, "{key:?}");
        assert_eq!(stage.last(&key), Some(expected));
    }
}

#[tokio::test]
async fn what_is_wanted_in_another_way_while_it_is_written_down_is_asked_for_in_that_way_and_once() {
    let mut stage = talking().await;
    stage.push(calling(2, "old"));
    stage.pass_with_a_plan_meanwhile(calling(3, "new")).await;
    let dials: Vec<_> = stage.switch.asked().into_iter().filter(|it| it.starts_with("dial")).collect();
    assert_eq!(dials, ["dial ben as new"]);
}

#[tokio::test]
async fn a_step_that_failed_waits_for_its_time_or_for_something_new() {
    let mut stage = talking().await;
    stage.switch.fails.store(true, Ordering::SeqCst);
    let tries = |stage: &Stage| stage.switch.asked().iter().filter(|it| *it == "move in-1").count();
    let mut expected = tries(&stage) + 1;
    stage.interaction.see(&customer_in(None));
    stage.interaction.pass().await;
    assert_eq!(tries(&stage), expected);
    for _ in 0..3 {
        stage.interaction.see(&customer_in(None));
        stage.interaction.pass().await;
        stage.push_again();
        stage.interaction.pass().await;
    }
    assert_eq!(tries(&stage), expected, "nothing is new, and it is not time");

    stage.push(plan(2));
    stage.interaction.pass().await;
    expected += 1;
    assert_eq!(tries(&stage), expected, "a newer plan");
    stage.interaction.hear(Message::Event(Event { sequence: 1, at_us: NOW_US, what: What::Other }));
    stage.interaction.pass().await;
    expected += 1;
    assert_eq!(tries(&stage), expected, "an event");
    stage.interaction.retry_at_us = Some(NOW_US);
    stage.interaction.pass().await;
    expected += 1;
    assert_eq!(tries(&stage), expected, "it is time");
    assert_eq!(stage.interaction.failures, 4);
}

#[tokio::test]
async fn a_leg_in_a_room_that_is_not_ours_is_reported_in_none_and_fetched() {
    let mut stage = talking().await;
    stage.interaction.see(&customer_in(Some("elsewhere".into())));
    stage.interaction.observe_legs();
    assert_eq!(stage.last(&Key::leg("c")), Some(fact::up("c", "")));
    stage.interaction.pass().await;
    assert_eq!(stage.switch.asked().last().unwrap(), "move in-1");
    assert_eq!(stage.last(&Key::leg("c")), Some(fact::up("c", "talk")));
}

#[tokio::test]
async fn a_segment_is_the_uploaders_only_when_it_is_on_the_list() {
    let mut stage = talking().await;
    let segment = Segment { id: "s".into(), room: "talk".into(), recording_id: "r".into() };
    stage.push(Plan { segment: Some(segment), ..plan(2) });
    stage.interaction.pass().await;
    let closed =
        ClosedRecording { recording: "s".into(), started_at_us: 1, ended_at_us: 2, sha256: String::new(), torn: false };
    let disk = stage.db.begin().await.unwrap();
    stage.interaction.hear(Message::Event(Event { sequence: 1, at_us: 2, what: What::RecordingClosed(closed) }));
    stage.interaction.pass().await;
    assert!(stage.interaction.world.awaits_file(&Key::segment("s")), "it is not committed");
    disk.rollback().await.unwrap();
    let (key, listed) = stage.interaction.listing.next().await.unwrap();
    stage.interaction.segment_listed(&key, listed);
    assert!(!stage.interaction.world.awaits_file(&Key::segment("s")));
    assert_eq!(crate::store::uploads(&stage.db).await.unwrap(), 1);
}
