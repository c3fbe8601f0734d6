//! Changes of one recording that come at the same time.

use std::sync::Arc;

use baton_api::recording::v1::recording::State;
use baton_runtime::lifecycle::spawn;
use futures::future::join_all;

use crate::support::{World, header, wav};

/// R4: whichever of them sees that it is the last, the recording is complete, and that is published once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn r4_of_the_last_segments_that_are_stored_at_once_one_completes_the_recording() {
    let world = Arc::new(World::start().await);
    let now_us = world.clock.now_us();
    let calls: Vec<_> = (0..8).map(|n| format!("0192-{n}")).collect();
    let mut recordings = Vec::new();
    for call in &calls {
        let segments: Vec<_> = (1..=4).map(|n| format!("{call}-segment-{n}")).collect();
        let segments: Vec<_> = segments.iter().map(String::as_str).collect();
        let recording = world.tenure(call, &segments, now_us).await;
        world.heard_of(&recording).await;
        recordings.push(recording);
    }
    let sent = calls.iter().flat_map(|call| (1..=4).map(move |n| (call.clone(), format!("{call}-segment-{n}"))));
    let sent = sent.map(|(call, segment)| {
        let world = Arc::clone(&world);
        spawn(async move { world.send(header(&call, &segment), &wav(&[1; 80])).await })
    });
    for stored in join_all(sent.collect::<Vec<_>>()).await {
        stored.unwrap().unwrap();
    }
    for recording in &recordings {
        world.in_state(recording, State::Stored).await;
    }
    assert_eq!(world.published(calls.len()).await.len(), calls.len());
}
