//! Voicemail messages (F8): left or not, listed, played and deleted by their owners, and gone when they are old.

use baton_api::common::v1::{Customer, actor};
use baton_api::event::v1::event_data::Data;
use baton_api::event::v1::{VoicemailMessageDeleted, VoicemailMessageHeard, VoicemailMessageLeft, VoicemailNoMessage};
use baton_api::recording::v1 as proto;
use baton_bus::parse_actor;
use baton_runtime::auth::Role;
use baton_store::on;
use tonic::{Code, Status};

use crate::support::{AGENT, STRANGER, TENANT, World, eventually, samples, wav};

const CALL: &str = "0192-a";
const MESSAGE: &str = "0192-a-exit-1";
const DAY_US: i64 = 86_400_000_000;
/// 20 ms; the world keeps what has at least 10.
const SPOKEN: [i16; 160] = [5; 160];

fn header(message_id: &str, mailbox: &str, start_us: i64) -> proto::SegmentHeader {
    proto::SegmentHeader {
        tenant: TENANT.to_owned(),
        interaction_id: message_id.split("-exit").next().unwrap().to_owned(),
        segment_id: message_id.to_owned(),
        started_at_us: start_us,
        ended_at_us: start_us + 20_000,
        voicemail: Some(proto::VoicemailBox {
            mailbox: mailbox.to_owned(),
            customer: Some(Customer { address: "+49170000000".to_owned(), key: "k".to_owned() }),
            number: "+4930123456".to_owned(),
        }),
        ..proto::SegmentHeader::default()
    }
}

/// The messages that an agent, or a supervisor, sees.
async fn listed(world: &World, subject: &str, role: Role) -> Vec<proto::VoicemailMessage> {
    let request = proto::ListMessagesRequest::default();
    world.boxes(TENANT, subject, role).list_messages(request).await.unwrap().into_inner().messages
}

async fn play(world: &World, subject: &str, role: Role, message_id: &str) -> Result<Vec<u8>, Status> {
    let request = proto::DownloadMessageRequest { message_id: message_id.to_owned() };
    let mut stream = world.boxes(TENANT, subject, role).download_message(request).await?.into_inner();
    let mut file = Vec::new();
    while let Some(message) = stream.message().await? {
        file.extend_from_slice(&message.chunk);
    }
    Ok(file)
}

fn delete(message_id: &str) -> proto::DeleteMessageRequest {
    proto::DeleteMessageRequest { request_id: "d1".to_owned(), message_id: message_id.to_owned() }
}

#[tokio::test]
async fn f8_a_message_is_published_listed_played_and_deleted_by_its_owner() {
    let world = World::start().await;
    let start_us = world.clock.now_us() - 30_000_000;
    world.send(header(MESSAGE, AGENT, start_us), &wav(&SPOKEN)).await.unwrap();

    let messages = listed(&world, AGENT, Role::Agent).await;
    assert_eq!(messages.len(), 1);
    let message = &messages[0];
    assert_eq!((message.message_id.as_str(), message.interaction_id.as_str()), (MESSAGE, CALL));
    assert_eq!((message.mailbox.as_str(), message.number.as_str()), (AGENT, "+4930123456"));
    assert_eq!((message.duration_ms, message.heard_time), (20, None));
    assert_eq!(samples(play(&world, AGENT, Role::Agent, MESSAGE).await.unwrap()), SPOKEN);
    play(&world, AGENT, Role::Agent, MESSAGE).await.unwrap();
    assert!(listed(&world, AGENT, Role::Agent).await[0].heard_time.is_some());
    assert!(world.file(CALL, MESSAGE).exists());

    world.boxes(TENANT, AGENT, Role::Agent).delete_message(delete(MESSAGE)).await.unwrap();
    world.boxes(TENANT, AGENT, Role::Agent).delete_message(delete(MESSAGE)).await.unwrap();
    assert!(!world.file(CALL, MESSAGE).exists());
    assert_eq!(listed(&world, AGENT, Role::Agent).await, []);
    assert_eq!(play(&world, AGENT, Role::Agent, MESSAGE).await.unwrap_err().code(), Code::NotFound);

    let customer = Customer { address: "+49170000000".to_owned(), key: "k".to_owned() };
    let (message_id, mailbox) = (MESSAGE.to_owned(), AGENT.to_owned());
    let expected = [
        Data::VoicemailMessageLeft(VoicemailMessageLeft {
            message_id: message_id.clone(),
            mailbox: mailbox.clone(),
            customer: Some(customer),
            number: "+4930123456".to_owned(),
            duration_ms: 20,
        }),
        Data::VoicemailMessageHeard(VoicemailMessageHeard { message_id: message_id.clone(), mailbox }),
        Data::VoicemailMessageDeleted(VoicemailMessageDeleted { message_id, expired: false }),
    ];
    let events = world.published(3).await;
    let types: Vec<_> = events.iter().map(|(envelope, _)| envelope.event_type.as_str()).collect();
    assert_eq!(types, ["voicemail.message_left", "voicemail.message_heard", "voicemail.message_deleted"]);
    assert_eq!(events.iter().map(|(_, data)| data.clone()).collect::<Vec<_>>(), expected);
    let by: Vec<_> = events.iter().map(|(envelope, _)| parse_actor(&envelope.actor).kind()).collect();
    assert_eq!(by, [actor::Kind::System, actor::Kind::Agent, actor::Kind::Agent]);
}

#[tokio::test]
async fn f8_who_said_nothing_or_too_little_left_no_message() {
    let world = World::start().await;
    let nothing = proto::SegmentHeader { lost: true, ..header(MESSAGE, AGENT, 1) };
    world.send(nothing.clone(), &[]).await.unwrap();
    world.send(nothing, &[]).await.unwrap();
    world.send(header("0192-b-exit-1", "sales", 1), &wav(&[5; 40])).await.unwrap();

    assert_eq!(listed(&world, "sue", Role::Supervisor).await, []);
    assert!(!world.file("0192-b", "0192-b-exit-1").exists());
    let events = world.published(2).await;
    let none = |mailbox: &str, duration_ms| {
        Data::VoicemailNoMessage(VoicemailNoMessage { mailbox: mailbox.to_owned(), duration_ms })
    };
    assert_eq!(events.into_iter().map(|it| it.1).collect::<Vec<_>>(), [none(AGENT, 0), none("sales", 5)]);
}

#[tokio::test]
async fn f8_a_message_that_comes_twice_is_kept_and_published_once_also_after_it_was_deleted() {
    let world = World::start().await;
    let header = header(MESSAGE, AGENT, world.clock.now_us());
    let first = world.send(header.clone(), &wav(&SPOKEN)).await.unwrap();
    assert_eq!(world.send(header.clone(), &wav(&SPOKEN)).await.unwrap(), first);
    // The switch has deleted it, and telephony did not hear the answer.
    world.send(proto::SegmentHeader { lost: true, ..header.clone() }, &[]).await.unwrap();
    assert_eq!(listed(&world, AGENT, Role::Agent).await.len(), 1);

    world.boxes(TENANT, AGENT, Role::Agent).delete_message(delete(MESSAGE)).await.unwrap();
    world.send(header, &wav(&SPOKEN)).await.unwrap();
    assert_eq!(listed(&world, AGENT, Role::Agent).await, []);
    assert!(!world.file(CALL, MESSAGE).exists());
    world.stored("0192-b", &[1; 80], world.clock.now_us()).await;
    let types: Vec<_> = world.published(3).await.into_iter().map(|it| it.0.event_type).collect();
    assert_eq!(types, ["voicemail.message_left", "voicemail.message_deleted", "recording.stored"]);
}

#[tokio::test]
async fn f8_a_box_is_its_owners() {
    let world = World::start().await;
    let now_us = world.clock.now_us();
    world.send(header(MESSAGE, AGENT, now_us), &wav(&SPOKEN)).await.unwrap();
    world.send(header("0192-b-exit-1", "sales", now_us + 1), &wav(&SPOKEN)).await.unwrap();

    let ids = |messages: Vec<proto::VoicemailMessage>| messages.into_iter().map(|it| it.message_id).collect::<Vec<_>>();
    assert_eq!(ids(listed(&world, "sue", Role::Supervisor).await), ["0192-b-exit-1", MESSAGE]);
    assert_eq!(ids(listed(&world, AGENT, Role::Agent).await), [MESSAGE]);
    assert_eq!(ids(listed(&world, STRANGER, Role::Agent).await), Vec::<String>::new());
    let others = proto::ListMessagesRequest { mailbox: "sales".to_owned(), ..Default::default() };
    let mut agent = world.boxes(TENANT, AGENT, Role::Agent);
    assert_eq!(agent.list_messages(others).await.unwrap_err().code(), Code::PermissionDenied);
    for (subject, id) in [(STRANGER, MESSAGE), (AGENT, "0192-b-exit-1")] {
        let mut agent = world.boxes(TENANT, subject, Role::Agent);
        let get = proto::GetMessageRequest { message_id: id.to_owned() };
        assert_eq!(agent.get_message(get).await.unwrap_err().code(), Code::NotFound);
        assert_eq!(play(&world, subject, Role::Agent, id).await.unwrap_err().code(), Code::NotFound);
        assert_eq!(agent.delete_message(delete(id)).await.unwrap_err().code(), Code::NotFound);
    }
    let mut other_tenant = world.boxes("umbrella", AGENT, Role::Agent);
    let get = proto::GetMessageRequest { message_id: MESSAGE.to_owned() };
    assert_eq!(other_tenant.get_message(get).await.unwrap_err().code(), Code::NotFound);
    let list = proto::ListMessagesRequest::default();
    let mut analyst = world.boxes(TENANT, "ann", Role::Analyst);
    assert_eq!(analyst.list_messages(list).await.unwrap_err().code(), Code::PermissionDenied);
}

/// Who looks after an agent's box does not take the news away, and leaves a trace.
#[tokio::test]
async fn f8_a_supervisor_hears_a_message_and_it_stays_new_for_its_owner() {
    let world = World::start().await;
    let now_us = world.clock.now_us();
    world.send(header(MESSAGE, AGENT, now_us), &wav(&SPOKEN)).await.unwrap();
    world.send(header("0192-b-exit-1", "sales", now_us + 1), &wav(&SPOKEN)).await.unwrap();
    play(&world, "sue", Role::Supervisor, MESSAGE).await.unwrap();
    play(&world, "sue", Role::Supervisor, "0192-b-exit-1").await.unwrap();

    let unheard = proto::ListMessagesRequest { unheard_only: true, ..Default::default() };
    let unheard = world.boxes(TENANT, "sue", Role::Supervisor).list_messages(unheard).await.unwrap().into_inner();
    assert_eq!(unheard.messages.iter().map(|it| it.message_id.as_str()).collect::<Vec<_>>(), [MESSAGE]);
    let request = proto::ListAccessesRequest { recording_id: MESSAGE.to_owned(), ..Default::default() };
    let accesses = world.client(TENANT, "adam", Role::Admin).list_accesses(request).await.unwrap().into_inner();
    let who: Vec<_> = accesses.accesses.iter().map(|it| it.actor.clone().unwrap().id).collect();
    assert_eq!(who, ["sue"]);
}

#[tokio::test]
async fn f8_messages_come_in_pages_the_newest_first() {
    let world = World::start().await;
    let now_us = world.clock.now_us();
    for number in 1..=5 {
        let header = header(&format!("0192-{number}-exit-1"), AGENT, now_us + number / 2);
        world.send(header, &wav(&SPOKEN)).await.unwrap();
    }
    let (mut ids, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = proto::ListMessagesRequest { page_size: 2, page_token, ..Default::default() };
        let page = world.boxes(TENANT, AGENT, Role::Agent).list_messages(request).await.unwrap().into_inner();
        assert!(page.messages.len() <= 2);
        ids.extend(page.messages.into_iter().map(|it| it.message_id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(ids, [5, 4, 3, 2, 1].map(|it| format!("0192-{it}-exit-1")));
}

#[tokio::test]
async fn f8_an_old_message_goes_by_itself() {
    let world = World::start().await;
    let start_us = world.clock.now_us() - 31 * DAY_US;
    world.send(header(MESSAGE, AGENT, start_us), &wav(&SPOKEN)).await.unwrap();
    let events = world.published(2).await;
    let deleted = VoicemailMessageDeleted { message_id: MESSAGE.to_owned(), expired: true };
    assert_eq!(events[1].1, Data::VoicemailMessageDeleted(deleted));
    assert!(!world.file(CALL, MESSAGE).exists());
    let db = baton_store::testing::open(world.folder.path(), "recording").await;
    let mut reader = db.read().await.unwrap();
    let kept: String =
        on!(reader, conn => sqlx::query_scalar("SELECT customer FROM messages").fetch_one(conn).await).unwrap();
    assert_eq!(kept, "", "who left it is not kept for longer than what they said");
}

#[tokio::test]
async fn f8_what_is_known_of_an_old_visit_goes_with_the_calls() {
    let world = World::start().await;
    let start_us = world.clock.now_us() - 401 * DAY_US;
    world.send(header(MESSAGE, AGENT, start_us), &wav(&SPOKEN)).await.unwrap();
    world.published(2).await;
    let db = baton_store::testing::open(world.folder.path(), "recording").await;
    eventually("nothing is known of the message", async || {
        let mut reader = db.read().await.unwrap();
        let left: (i64, i64) = on!(reader, conn => sqlx::query_as(
            "SELECT (SELECT COUNT(*) FROM messages), (SELECT COUNT(*) FROM store_sequences WHERE aggregate LIKE 'interaction/%')")
            .fetch_one(conn)
            .await)
        .unwrap();
        (left == (0, 0)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn f8_a_customer_who_is_forgotten_has_no_message_left() {
    let world = World::start().await;
    world.send(header(MESSAGE, AGENT, world.clock.now_us()), &wav(&SPOKEN)).await.unwrap();
    let request = proto::ForgetCustomerRequest {
        tenant: TENANT.to_owned(),
        customer_key: "k".to_owned(),
        actor: Some(parse_actor("admin/adam")),
        request_id: "f1".to_owned(),
    };
    let forgotten = world.archive().forget_customer(request).await.unwrap().into_inner();
    assert_eq!((forgotten.recordings, forgotten.messages), (0, 1));
    assert!(!world.file(CALL, MESSAGE).exists());
    assert_eq!(listed(&world, "sue", Role::Supervisor).await, []);
}
