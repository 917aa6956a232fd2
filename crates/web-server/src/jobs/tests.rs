//! The store as the routes use it.

use super::*;
use crate::pending::Room;
use frame::FrameResult;
use proptest::prelude::*;

fn expect(store: &Store, room: &Room) -> FrameId {
    let envelope = samples::envelope("gate", 1);
    let id = envelope.frame_id;
    store.expect(envelope, room.enter().unwrap());
    id
}

#[test]
fn a_stream_is_not_resumed_behind_a_result_out_of_order() {
    let store = samples::store(10);
    let old = samples::done("gate", 1);
    store.finish(Finished::new(&old, None), Timestamp::now());
    store.has_caught_up();
    let live = samples::done("gate", 2);
    store.finish(Finished::new(&live, None), Timestamp::now());
    assert_eq!(store.position_after(old.frame_id), None);
    assert_eq!(store.position_after(live.frame_id), Some(2));
    store.has_caught_up();
    assert_eq!(store.position_after(live.frame_id), Some(2), "only the first time counts");
}

#[test]
fn boxes_are_cut_when_that_is_asked_for() {
    let mut result = samples::done("gate", 1);
    let sticks_out = frame::BoundingBox { x: -3.5, y: 470.25, width: 10.0, height: 20.0 };
    result.detections[0].bounding_box = sticks_out;
    let held = Finished::new(&result, None);
    let boxes = |of: &Finished| serde_json::from_str::<FrameResult>(&of.json).unwrap().detections;
    assert_eq!(boxes(&held.clipped_if(false))[0].bounding_box, sticks_out);
    let inside = frame::BoundingBox { x: 0.0, y: 470.25, width: 6.5, height: 9.75 };
    assert_eq!(boxes(&held.clipped_if(true))[0].bounding_box, inside);
    let unknown = Finished::new(&FrameResult { image: None, ..result }, None);
    assert_eq!(unknown.clipped_if(true).json, unknown.json, "nobody knows where it ends");
}

#[test]
fn a_result_ends_the_wait_and_gives_the_place_back() {
    let (store, room) =
        (Arc::new(samples::store(10)), Room::new(1, 100, std::time::Duration::from_secs(2)));
    let id = expect(&store, &room);
    assert!(matches!(store.job(id), Job::Pending { origin: None, .. }));
    let origin = Origin { partition: 2, offset: 40 };
    store.accepted(id, origin);
    assert!(matches!(store.job(id), Job::Pending { origin: Some(_), .. }));
    assert!(room.enter().is_err());

    let result = samples::done_for(id, "gate", 1);
    assert!(matches!(
        store.finish(Finished::new(&result, None), Timestamp::now()),
        Stored::First { received_at: Some(_), .. }
    ));
    assert_eq!(store.finish(Finished::new(&result, None), Timestamp::now()), Stored::Duplicate);
    let Job::Finished(finished) = store.job(id) else { panic!("it is finished") };
    assert_eq!(finished.origin(), Some(origin));
    drop(room.enter().unwrap());
}

#[test]
fn a_result_may_be_faster_than_the_acknowledgement() {
    let (store, room) = (samples::store(10), Room::new(1, 100, std::time::Duration::from_secs(2)));
    let id = expect(&store, &room);
    store.finish(Finished::new(&samples::done_for(id, "gate", 1), None), Timestamp::now());
    let origin = Origin { partition: 0, offset: 1 };
    store.accepted(id, origin);
    let Job::Finished(finished) = store.job(id) else { panic!("it is finished") };
    assert_eq!(finished.origin(), Some(origin));
}

#[test]
fn a_frame_that_was_not_sent_is_not_waited_for() {
    let (store, room) = (samples::store(10), Room::new(1, 100, std::time::Duration::from_secs(2)));
    let id = expect(&store, &room);
    store.withdraw(id);
    assert!(matches!(store.job(id), Job::Unheard));
    drop(room.enter().unwrap());
}

#[test]
fn only_accepted_frames_become_overdue_and_only_once() {
    let (store, room) = (samples::store(10), Room::new(2, 100, std::time::Duration::from_secs(2)));
    let (sent, _unsent) = (expect(&store, &room), expect(&store, &room));
    store.accepted(sent, Origin { partition: 0, offset: 0 });
    assert!(store.overdue(Timestamp::from_micros(0)).is_empty());
    let overdue = store.overdue(Timestamp::now() + std::time::Duration::from_secs(1));
    assert_eq!(overdue.iter().map(|(envelope, _)| envelope.frame_id).collect::<Vec<_>>(), [sent]);
    store.expires(sent);
    assert!(
        store.overdue(Timestamp::now() + std::time::Duration::from_secs(1)).is_empty(),
        "it is said once"
    );
}

/// What the tests below do to one of a few frames.
#[derive(Clone, Copy, Debug)]
struct Event {
    frame: usize,
    status: Status,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let statuses =
        [Status::Provisional, Status::Done, Status::Failed, Status::Expired, Status::Skipped];
    let event = (0..FRAMES, prop::sample::select(statuses.to_vec()))
        .prop_map(|(frame, status)| Event { frame, status });
    prop::collection::vec(event, 1..80)
}

const FRAMES: usize = 12;

/// Frames of two cameras, which stand for two partitions.
fn frames() -> Vec<FrameId> {
    (0..FRAMES).map(|_| FrameId::fresh()).collect()
}

fn take(store: &Store, ids: &[FrameId], Event { frame, status }: Event) {
    let (camera, sequence) = (["gate", "yard"][frame % 2], frame as u64);
    let result = match status {
        Status::Failed | Status::Expired => {
            FrameResult { status, ..samples::failed_for(ids[frame], camera, sequence) }
        }
        _ => FrameResult { status, ..samples::done_for(ids[frame], camera, sequence) },
    };
    let held = Finished::new(&result, None);
    if status.is_final() {
        store.finish(held, Timestamp::now())
    } else {
        store.hold(held, Timestamp::now())
    };
}

/// What a store says about each frame.
fn state(store: &Store, ids: &[FrameId]) -> Vec<Option<String>> {
    let state = |id: &FrameId| match store.job(*id) {
        Job::Finished(finished) => Some(finished.json.clone()),
        Job::Pending { provisional, .. } => provisional.map(|provisional| provisional.json.clone()),
        Job::Forgotten | Job::Unheard => None,
    };
    ids.iter().map(state).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn the_better_of_provisional_and_final_result_stays(events in events()) {
        let (store, ids) = (samples::store(2 * FRAMES), frames());
        let mut expected: Vec<(u64, Status)> = Vec::new();
        for event in &events {
            take(&store, &ids, *event);
            let number = event.frame as u64;
            let mut of_frame = expected.iter().filter(|(frame, _)| *frame == number).map(|(_, status)| *status);
            let status = match (of_frame.next(), of_frame.next()) {
                (None, _) => event.status,
                (Some(Status::Provisional), None) if event.status.is_final() => match event.status {
                    Status::Failed | Status::Expired => Status::Done,
                    better => better,
                },
                _ => continue,
            };
            expected.push((number, status));
        }
        let shown: Vec<_> = store.read(0, None, 100).results.iter().map(|result| (result.sequence, result.status)).collect();
        prop_assert_eq!(shown, expected);
    }

    #[test]
    fn no_bound_is_exceeded_and_nothing_comes_after_the_final_answer(events in events(), count in 3usize..8) {
        let (store, ids) = (samples::store(count), frames());
        let (mut shown, mut position) = (Vec::new(), 0);
        for event in events {
            take(&store, &ids, event);
            prop_assert!(store.len() <= count && store.finals() <= store.len());
            let slice = store.read(position, None, 100);
            position = slice.next;
            for result in slice.results {
                prop_assert!(!shown.contains(&(result.frame_id, true)), "{} came after its final \
                    result", result.frame_id);
                shown.push((result.frame_id, result.status.is_final()));
            }
        }
    }

    #[test]
    fn replicas_that_read_the_partitions_differently_say_the_same(events in events(), turns in prop::collection::vec(any::<bool>(), 80)) {
        let ids = frames();
        let [live, restarted, mixed] = [(); 3].map(|()| samples::store(2 * FRAMES));
        let [gate, yard]: [Vec<Event>; 2] = [0, 1].map(|camera| events.iter().filter(|event| event.frame % 2 == camera).copied().collect());
        events.iter().for_each(|event| take(&live, &ids, *event));
        yard.iter().chain(&gate).for_each(|event| take(&restarted, &ids, *event));
        let (mut gate, mut yard) = (gate.into_iter(), yard.into_iter());
        for turn in turns {
            let next = if turn { gate.next() } else { yard.next() };
            next.into_iter().for_each(|event| take(&mixed, &ids, event));
        }
        gate.chain(yard).for_each(|event| take(&mixed, &ids, event));
        prop_assert_eq!(state(&live, &ids), state(&restarted, &ids));
        prop_assert_eq!(state(&live, &ids), state(&mixed, &ids));
    }
}

#[test]
fn a_provisional_answer_does_not_end_the_job_and_keeps_its_place() {
    let (store, room) =
        (Arc::new(samples::store(10)), Room::new(1, 100, std::time::Duration::from_secs(2)));
    let id = expect(&store, &room);
    let origin = Origin { partition: 1, offset: 5 };
    store.accepted(id, origin);
    let provisional = samples::provisional_for(id, "gate", 1);
    let outcome = store.hold(Finished::new(&provisional, None), Timestamp::now());
    assert!(
        matches!(outcome, Stored::First { status: Status::Provisional, received_at: Some(_) }),
        "{outcome:?}"
    );
    assert!(room.enter().is_err(), "the frame is still on its way");
    assert!(
        matches!(store.subscribe(id), Subscription::Waiting(_)),
        "who waits, waits for the final one"
    );
    let Job::Pending { provisional: Some(held), .. } = store.job(id) else {
        panic!("it is pending")
    };
    assert_eq!((held.status, held.origin()), (Status::Provisional, Some(origin)));
    let overdue = store.overdue(Timestamp::now() + std::time::Duration::from_secs(1));
    assert_eq!(overdue.len(), 1, "it may expire");

    store.finish(Finished::new(&samples::done_for(id, "gate", 1), None), Timestamp::now());
    assert!(matches!(store.job(id), Job::Finished(finished) if finished.status == Status::Done));
    assert!(store.provisional(id).is_none());
    drop(room.enter().unwrap());
}

#[test]
fn a_provisional_answer_takes_the_place_of_a_failed_final_one() {
    let store = samples::store(10);
    let (id, origin) = (FrameId::fresh(), Origin { partition: 0, offset: 9 });
    let provisional = samples::provisional_for(id, "gate", 1);
    store.hold(Finished::new(&provisional, Some(origin)), Timestamp::now());
    let outcome =
        store.finish(Finished::new(&samples::failed_for(id, "gate", 1), None), Timestamp::now());
    assert_eq!(outcome, Stored::First { status: Status::Done, received_at: None });
    let Job::Finished(finished) = store.job(id) else { panic!("it is finished") };
    let shown: FrameResult = serde_json::from_str(&finished.json).unwrap();
    assert_eq!(
        shown,
        FrameResult { status: Status::Done, ..provisional },
        "the detections of the edge, and no error"
    );
    assert_eq!(finished.origin(), Some(origin));
}

#[test]
fn an_unwritable_provisional_result_is_not_promoted() {
    let (store, id) = (samples::store(10), FrameId::fresh());
    let mut provisional = samples::provisional_for(id, "gate", 1);
    provisional.detections[0].confidence = f32::INFINITY;
    store.hold(Finished::new(&provisional, None), Timestamp::now());
    let outcome =
        store.finish(Finished::new(&samples::failed_for(id, "gate", 1), None), Timestamp::now());
    assert_eq!(outcome, Stored::First { status: Status::Failed, received_at: None });
}

#[test]
fn a_new_replica_promotes_old_provisional_results_only() {
    let (store, now) = (samples::store(10), Timestamp::now());
    // the samples' store keeps results for an hour
    let before = |minutes: u64| Timestamp::from_micros(now.as_micros() - minutes * 60_000_000);
    let (hard, old) = (FrameId::fresh(), FrameId::fresh());
    store.hold(Finished::new(&samples::provisional_for(hard, "gate", 1), None), before(65));
    assert_eq!(
        store.finish(Finished::new(&samples::done_for(old, "gate", 2), None), before(61)),
        Stored::TooOld
    );
    assert!(matches!(store.job(old), Job::Forgotten));
    store.forget_old(now);
    let outcome =
        store.finish(Finished::new(&samples::failed_for(hard, "gate", 1), None), before(59));
    assert_eq!(outcome, Stored::First { status: Status::Done, received_at: None });

    store.has_caught_up();
    store.forget_old(now);
    assert_eq!((store.len(), store.finals()), (1, 1), "the provisional one has done its work");
    // from now on a sender whose clock is behind is believed
    let late = samples::done("gate", 3);
    assert_ne!(store.finish(Finished::new(&late, None), before(61)), Stored::TooOld);
}
