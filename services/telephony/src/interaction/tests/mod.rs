//! One interaction, with its database and a switch of the test, driven by hand: the test decides what comes when.

mod switch;

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use baton_api::common::v1::Customer;
use baton_api::recording::v1::SegmentHeader;
use baton_api::transfer::v1::intake_service_client::IntakeServiceClient;
use baton_runtime::Clock;
use baton_runtime::auth::SigningKey;
use baton_runtime::client::{GrpcChannel, ServiceIdentity};
use baton_runtime::lifecycle::Lifecycle;
use baton_store::Db;
use prost::Message as _;

use super::*;
use crate::fact;
use crate::name_registry::{InteractionHandle, SnapshotSlice};
use crate::plan::{Treatment, WantedAnnouncement, WantedDial, WantedExit, WantedLeg, WantedSegment};
use crate::store::{MIGRATIONS, WriteJournal};
use crate::switch::{ClosedRecording, LegOrigin, LegProgress, LegSnapshot, RoomSnapshot, SwitchEvent, SwitchEventKind};
use switch::SpySwitch;

const NOW_US: i64 = 1_700_000_000_000_000;
const ID: &str = "0192f0c1-2d3e-7f00-8000-000000000001";

struct Stage {
    db: Db,
    switch: Arc<SpySwitch>,
    handle: InteractionHandle,
    interaction: InteractionDriver,
    _folder: tempfile::TempDir,
    _link: watch::Sender<LinkState>,
}

/// Time stands still.
async fn stage() -> Stage {
    let folder = tempfile::tempdir().unwrap();
    let db = baton_store::testing::open(folder.path(), "telephony").await;
    db.migrate(&MIGRATIONS).await.unwrap();
    let (clock, _) = Clock::simulated(NOW_US);
    let lifecycle = Lifecycle::new();
    let (journal, writing) = WriteJournal::new(db.clone(), clock.clone(), Arc::default(), lifecycle.soft());
    lifecycle.spawn("journal", writing);
    let nobody = ServiceIdentity::new(SigningKey::generate(), "test");
    let intake = GrpcChannel::internal("http://127.0.0.1:1", nobody, clock.clone()).unwrap();
    let (link, state) = watch::channel(LinkState::Up { generation: 1, boot_id: "boot".to_owned() });
    let switch = Arc::<SpySwitch>::default();
    let context = Arc::new(InteractionContext {
        switch: Arc::<SpySwitch>::clone(&switch),
        report: ReportContext { intake: IntakeServiceClient::new(intake), journal, clock, lifecycle },
        link: state,
        link_requests: LinkRequests::default(),
        logical_clock: LogicalClock::default(),
        names: Arc::default(),
        phones: Arc::default(),
    });
    let (handle, inbox) = InteractionHandle::new(None);
    let interaction =
        InteractionDriver::new(InteractionId::parse(ID).unwrap(), context, inbox, 1, RestoredOperations::default());
    Stage { db, switch, handle, interaction, _folder: folder, _link: link }
}

impl Stage {
    fn push(&self, plan: Plan) {
        self.handle.plans.send_replace(Some(Arc::new(plan)));
    }

    /// The same version once more.
    fn push_again(&self) {
        self.handle.plans.send_modify(|_| {});
    }

    /// Begins a pass, and has the newest plan replaced while it waits for the disk.
    async fn pass_with_a_plan_meanwhile(&mut self, plan: Plan) {
        let disk = self.db.begin().await.unwrap();
        {
            let mut pass = std::pin::pin!(self.interaction.pass());
            assert!(futures::poll!(pass.as_mut()).is_pending(), "nothing is written down");
            self.handle.plans.send_replace(Some(Arc::new(plan)));
            disk.rollback().await.unwrap();
            pass.await;
        }
    }

    /// Waits until all that is queued is on disk.
    async fn written(&self) {
        let last = StoreWrite::Prune { before_us: 0 };
        self.interaction.context.report.journal.write(last).await.unwrap();
    }

    fn last(&self, key: &OperationKey) -> Option<baton_api::transfer::v1::fact::Fact> {
        self.interaction.observed.operations.get(key)?.fact.as_ref()?.fact.clone()
    }
}

/// A plan with the customer, whose call came in, in `talk`.
fn plan(version: u64) -> Plan {
    let customer = WantedLeg {
        id: "c".into(),
        origin: WantedOrigin::Inbound("in-1".into()),
        room: Some("talk".into()),
        muted: false,
    };
    Plan {
        tenant: "acme".into(),
        interaction: InteractionId::parse(ID).unwrap(),
        switch: baton_words::SwitchId::default(),
        version,
        rooms: BTreeMap::from([("talk".into(), Treatment::Conversation)]),
        legs: vec![customer],
        announcements: vec![],
        exit: None,
        segment: None,
        ended: false,
        awaited_segments: vec![],
        trace: None,
        is_doubtful: false,
    }
}

fn calling(version: u64, caller: &str) -> Plan {
    let dial = WantedDial { phone: "ben".into(), ring_until_us: NOW_US + 1, caller: caller.into(), allowed_by: None };
    let ben = WantedLeg { id: "b".into(), origin: WantedOrigin::Dial(dial), room: Some("talk".into()), muted: false };
    let mut plan = plan(version);
    plan.legs.push(ben);
    plan
}

/// A snapshot slice that shows the customer in this room.
fn customer_in(room: Option<String>) -> SnapshotSlice {
    let leg = LegSnapshot {
        name: "in-1".into(),
        tenant: "acme".into(),
        address: "+15550100".into(),
        progress: LegProgress::Up,
        room,
        muted: Some(false),
        origin: LegOrigin::Foreign,
    };
    let talk = RoomSnapshot { name: format!("{ID}-talk"), treatment: Some(Treatment::Conversation), empty: false };
    SnapshotSlice {
        generation: 1,
        boot_id: "boot".into(),
        legs: vec![leg],
        rooms: vec![talk],
        ..SnapshotSlice::default()
    }
}

/// The customer is in `talk`, as the plan wants.
async fn talking() -> Stage {
    let mut stage = stage().await;
    stage.push(plan(1));
    stage.interaction.pass().await;
    stage.interaction.apply_snapshot(&customer_in(None));
    stage.interaction.pass().await;
    assert_eq!(stage.switch.commands().last().unwrap(), "move in-1");
    stage
}

fn wanted_exit() -> WantedExit {
    let customer = Customer { address: "+491".into(), key: "k".into() };
    WantedExit {
        id: "x".into(),
        leg_id: "c".into(),
        mailbox: "anna".into(),
        flow: vec![],
        customer,
        number: "+492".into(),
    }
}

/// The uploads that are stored: each with whether it is due now.
async fn uploads(stage: &Stage) -> Vec<(String, bool)> {
    let due = crate::store::due_uploads(&stage.db, i64::MAX, 10).await.unwrap();
    due.into_iter().map(|it| (it.segment, it.next_try_at_us <= NOW_US)).collect()
}

/// A leg that leaves for a box, and the exit's end as the switch reports it.
#[tokio::test]
async fn f8_a_message_is_looked_for_when_its_exit_is_over() {
    let mut stage = talking().await;
    stage.push(Plan { exit: Some(wanted_exit()), ..plan(2) });
    stage.interaction.pass().await;
    assert_eq!(stage.switch.commands().last().unwrap(), "exit x");
    assert_eq!(uploads(&stage).await, [("message x".to_owned(), false)]);
    let header = crate::store::due_uploads(&stage.db, i64::MAX, 10).await.unwrap().remove(0).header;
    let header = SegmentHeader::decode(header.as_slice()).unwrap();
    let left_in = header.voicemail.unwrap();
    assert_eq!((header.segment_id.as_str(), left_in.mailbox.as_str()), ("x", "anna"));
    assert_eq!((left_in.customer.unwrap().address.as_str(), left_in.number.as_str()), ("+491", "+492"));

    stage.interaction.handle_message(InteractionMessage::Event(SwitchEvent {
        sequence: 1,
        at_us: NOW_US,
        kind: SwitchEventKind::ExitOver { exit: "x".into(), leg: "in-1".into(), end: crate::switch::ExitEnd::Left },
    }));
    stage.interaction.pass().await;
    stage.written().await;
    assert_eq!(uploads(&stage).await, [("message x".to_owned(), true)]);
}

#[tokio::test]
async fn an_operation_that_is_withdrawn_while_it_is_written_down_is_not_requested() {
    let segment = WantedSegment { id: "s".into(), room: "talk".into(), recording_id: "r".into() };
    let sound = WantedAnnouncement { id: "n".into(), room: "talk".into(), name: "beep".into() };
    let exit = wanted_exit();
    let cases = [
        (calling(2, ""), OperationKey::leg("b"), fact::ended("b", LegEnding::HungUp)),
        (Plan { segment: Some(segment), ..plan(2) }, OperationKey::segment("s"), fact::segment_never_begun("s")),
        (Plan { announcements: vec![sound], ..plan(2) }, OperationKey::announcement("n"), fact::announcement_over("n")),
        (
            Plan { exit: Some(exit), ..plan(2) },
            OperationKey::exit("x"),
            fact::exit_over("x", crate::switch::ExitEnd::Unknown),
        ),
    ];
    for (plan_2, key, expected) in cases {
        let mut stage = talking().await;
        let before = stage.switch.commands();
        stage.push(plan_2);
        stage.pass_with_a_plan_meanwhile(plan(3)).await;
        assert_eq!(stage.switch.commands(), before, "{key:?}");
        assert_eq!(stage.last(&key), Some(expected));
    }
}

#[tokio::test]
async fn an_operation_that_changes_while_it_is_written_down_is_requested_once_and_as_changed() {
    let mut stage = talking().await;
    stage.push(calling(2, "old"));
    stage.pass_with_a_plan_meanwhile(calling(3, "new")).await;
    let dials: Vec<_> = stage.switch.commands().into_iter().filter(|it| it.starts_with("dial")).collect();
    assert_eq!(dials, ["dial ben as new"]);
}

#[tokio::test]
async fn a_step_that_failed_waits_for_its_time_or_for_something_new() {
    let mut stage = talking().await;
    stage.switch.fails.store(true, Ordering::SeqCst);
    let tries = |stage: &Stage| stage.switch.commands().iter().filter(|it| *it == "move in-1").count();
    let mut expected = tries(&stage) + 1;
    stage.interaction.apply_snapshot(&customer_in(None));
    stage.interaction.pass().await;
    assert_eq!(tries(&stage), expected);
    for _ in 0..3 {
        stage.interaction.apply_snapshot(&customer_in(None));
        stage.interaction.pass().await;
        stage.push_again();
        stage.interaction.pass().await;
    }
    assert_eq!(tries(&stage), expected, "nothing is new, and it is not time");

    stage.push(plan(2));
    stage.interaction.pass().await;
    expected += 1;
    assert_eq!(tries(&stage), expected, "a newer plan");
    stage.interaction.handle_message(InteractionMessage::Event(SwitchEvent {
        sequence: 1,
        at_us: NOW_US,
        kind: SwitchEventKind::Other,
    }));
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
    stage.interaction.apply_snapshot(&customer_in(Some("elsewhere".into())));
    stage.interaction.observe_legs();
    assert_eq!(stage.last(&OperationKey::leg("c")), Some(fact::up("c", "")));
    stage.interaction.pass().await;
    assert_eq!(stage.switch.commands().last().unwrap(), "move in-1");
    assert_eq!(stage.last(&OperationKey::leg("c")), Some(fact::up("c", "talk")));
}

#[tokio::test]
async fn a_segment_awaits_its_file_until_the_upload_is_committed() {
    let mut stage = talking().await;
    let segment = WantedSegment { id: "s".into(), room: "talk".into(), recording_id: "r".into() };
    stage.push(Plan { segment: Some(segment), ..plan(2) });
    stage.interaction.pass().await;
    let closed =
        ClosedRecording { recording: "s".into(), started_at_us: 1, ended_at_us: 2, sha256: String::new(), torn: false };
    let disk = stage.db.begin().await.unwrap();
    stage.interaction.handle_message(InteractionMessage::Event(SwitchEvent {
        sequence: 1,
        at_us: 2,
        kind: SwitchEventKind::RecordingClosed(closed),
    }));
    stage.interaction.pass().await;
    assert!(stage.interaction.observed.awaits_file(&OperationKey::segment("s")), "it is not committed");
    disk.rollback().await.unwrap();
    let (key, committed) = stage.interaction.pending_uploads.next().await.unwrap();
    stage.interaction.upload_committed(&key, committed);
    assert!(!stage.interaction.observed.awaits_file(&OperationKey::segment("s")));
    assert_eq!(crate::store::uploads(&stage.db).await.unwrap(), 1);
}

#[tokio::test]
async fn r11_a_phone_is_dialled_when_its_last_leg_is_gone() {
    let mut stage = talking().await;
    let phones = Arc::clone(&stage.interaction.context.phones);
    assert!(phones.take("acme", "ben", "another", Stamp::default()));
    stage.push(calling(2, ""));
    stage.interaction.pass().await;
    let dials = |stage: &Stage| stage.switch.commands().iter().filter(|it| it.starts_with("dial")).count();
    assert_eq!(dials(&stage), 0);
    assert!(stage.interaction.wake_at_us() < i64::MAX);
    phones.free("another", Stamp::default());
    stage.interaction.pass().await;
    assert_eq!(dials(&stage), 1);
}

#[tokio::test]
async fn s2_a_doubtful_plan_is_carried_out_when_it_is_trusted() {
    let mut stage = stage().await;
    stage.push(Plan { is_doubtful: true, ..plan(1) });
    stage.interaction.pass().await;
    stage.interaction.apply_snapshot(&customer_in(None));
    stage.interaction.pass().await;
    assert_eq!(stage.switch.commands(), [""; 0]);
    assert_eq!(stage.last(&OperationKey::leg("c")), Some(fact::up("c", "")), "what is seen is reported all the same");

    assert!(crate::doubt::trust(&stage.handle) && !crate::doubt::trust(&stage.handle));
    stage.interaction.pass().await;
    assert_eq!(stage.switch.commands(), ["move in-1"]);
}

#[tokio::test]
async fn steps_that_follow_each_other_are_one_request_and_an_operation_begins_another() {
    let mut stage = talking().await;
    let before = stage.switch.requests().len();
    let mut on_hold = calling(2, "");
    on_hold.rooms = BTreeMap::from([("hold".into(), Treatment::HoldMusic)]);
    on_hold.legs[0].room = Some("hold".into());
    on_hold.legs[1].room = Some("hold".into());
    stage.push(on_hold.clone());
    stage.interaction.pass().await;
    let expected = [format!("ensure {ID}-hold"), "move in-1".to_owned()];
    assert_eq!(
        stage.switch.requests()[before..],
        [expected.to_vec(), vec!["dial ben as ".into(), format!("destroy {ID}-talk")]]
    );
    assert_eq!(stage.last(&OperationKey::leg("c")), Some(fact::up("c", "hold")));

    // Whoever is not to be heard is muted once more after each move, before anything else happens.
    on_hold.version = 3;
    on_hold.rooms = plan(3).rooms;
    on_hold.legs[0].room = Some("talk".into());
    on_hold.legs[0].muted = true;
    stage.push(on_hold);
    let before = stage.switch.requests().len();
    stage.interaction.pass().await;
    let muted = "mute in-1 true".to_owned();
    let expected = [muted.clone(), format!("ensure {ID}-talk"), "move in-1".to_owned()];
    assert_eq!(stage.switch.requests()[before..], [expected.to_vec(), vec![muted, format!("destroy {ID}-hold")]]);
}

#[tokio::test]
async fn a_step_that_is_refused_ends_its_request() {
    let mut stage = talking().await;
    let before = stage.switch.requests().len();
    stage.switch.fails.store(true, Ordering::SeqCst);
    let mut elsewhere = plan(2);
    elsewhere.rooms = BTreeMap::from([("hold".into(), Treatment::HoldMusic)]);
    elsewhere.legs[0].room = Some("hold".into());
    stage.push(elsewhere);
    stage.interaction.pass().await;
    assert_eq!(stage.switch.requests()[before..], [vec![format!("ensure {ID}-hold")]]);
    assert_eq!(stage.last(&OperationKey::leg("c")), Some(fact::up("c", "talk")), "nobody was moved");
}
