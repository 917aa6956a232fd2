//! Both databases do the same: SQLite always, PostgreSQL where there is a server.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

#[macro_use]
mod place;

use frame::{
    BoundingBox, CameraId, Decision, Destination, Detection, FrameId, FrameResult, Status,
};
use place::Place;
use results_db::{
    Access, Batch, Bucket, Database, DbError, Filter, Page, Pictured, Stored, Thumbnail,
};

const DAY_MS: u64 = 86_400_000;

/// A frame received that many milliseconds after midnight of yesterday.
fn id(ms: u64, number: u8) -> FrameId {
    let now = frame::Timestamp::now().as_micros() / 1000;
    let mut bytes = *FrameId::from_then_on((now / DAY_MS - 1) * DAY_MS + ms).as_bytes();
    (bytes[6], bytes[8], bytes[15]) = (0x70, 0x80, number);
    FrameId::from_bytes(bytes)
}

fn yesterday_ms() -> u64 {
    id(0, 0).made_at_ms().unwrap()
}

fn detection(class: &str, confidence: f32) -> Detection {
    let bounding_box = BoundingBox { x: -1.5, y: 2.0, width: 30.0, height: 40.0 };
    Detection { class: class.into(), class_id: 3, confidence, bounding_box, zones: None }
}

fn result(frame_id: FrameId, camera: &str, status: Status, found: &[(&str, f32)]) -> FrameResult {
    FrameResult {
        detections: found.iter().map(|(class, confidence)| detection(class, *confidence)).collect(),
        decision: Some(Decision::new(Destination::Edge, "in-time", "deadline")),
        ..FrameResult::new(frame_id, camera.parse().unwrap(), 7, status)
    }
}

const fn page(limit: u32) -> Page {
    Page { limit, after: None }
}

async fn ids(database: &Database, filter: Filter) -> Vec<FrameId> {
    let rows = database.history(filter, page(100)).await.unwrap();
    rows.into_iter().map(|(id, _)| id).collect()
}

/// What is found of each class, by day: class, detections, frames.
async fn days(database: &Database) -> Vec<(String, u64, u64)> {
    let counts = database.counts(Filter::default(), Bucket::Day, 100).await.unwrap();
    counts.into_iter().map(|count| (count.class, count.detections, count.frames)).collect()
}

async fn each_frame_is_there_once(place: Place) {
    let database = place.open().await;
    let (a, b, c) = (id(1_000, 1), id(2_000, 2), id(3_000, 3));
    let provisional = result(a, "gate", Status::Provisional, &[("cup", 0.4), ("cup", 0.3)]);
    let done = result(a, "gate", Status::Done, &[("dog", 0.9)]);
    let other = result(b, "gate", Status::Done, &[("dog", 0.8)]);
    let odd = result(FrameId::from_bytes([1; 16]), "gate", Status::Done, &[]);

    let first =
        database.store(&Batch::of([provisional.clone(), other.clone(), odd])).await.unwrap();
    assert_eq!(first, Stored { new: 2, replaced: 0, repeated: 0, foreign: 1 });
    assert_eq!(days(&database).await, [("cup".into(), 2, 1), ("dog".into(), 1, 1)]);

    // what was stored comes again, with the final answer behind it
    let again =
        database.store(&Batch::of([provisional.clone(), other, done.clone()])).await.unwrap();
    assert_eq!(again, Stored { new: 0, replaced: 1, repeated: 2, foreign: 0 });
    assert_eq!(days(&database).await, [("dog".into(), 2, 2)]);
    let rows = database.history(Filter::default(), page(9)).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.0).collect::<Vec<_>>(), [b, a]);
    assert_eq!(serde_json::from_str::<FrameResult>(&rows[1].1).unwrap(), done);

    // an answer that is final stays
    let late =
        database.store(&Batch::of([provisional, result(a, "gate", Status::Failed, &[])])).await;
    assert_eq!(late.unwrap(), Stored { repeated: 2, ..Stored::default() });

    // a final error leaves what the edge has found
    let seen = result(c, "gate", Status::Provisional, &[("cup", 0.5)]);
    database.store(&Batch::of([seen.clone()])).await.unwrap();
    let replaced =
        database.store(&Batch::of([result(c, "gate", Status::Expired, &[])])).await.unwrap();
    assert_eq!(replaced.replaced, 1);
    let rows = database.history(Filter::default(), page(1)).await.unwrap();
    let held: FrameResult = serde_json::from_str(&rows[0].1).unwrap();
    assert_eq!(held, FrameResult { status: Status::Done, ..seen });
    assert_eq!(database.store(&Batch::default()).await.unwrap(), Stored::default());
}

async fn frames_are_found_by_what_is_asked_for(place: Place) {
    let database = place.open().await;
    let found = |n: u8, camera: &str, detections: &[(&str, f32)]| {
        result(id(u64::from(n) * 1_000, n), camera, Status::Done, detections)
    };
    let cloud = FrameResult {
        decision: Some(Decision::new(Destination::Cloud, "in-time", "deadline")),
        ..found(4, "gate", &[("dog", 0.95)])
    };
    let all = vec![
        found(1, "gate", &[("dog", 0.9), ("cup", 0.3)]),
        found(2, "yard", &[("dog", 0.4)]),
        found(3, "gate", &[]),
        cloud,
    ];
    let at = |n: usize| all[n - 1].frame_id;
    database.store(&Batch::of(all.clone())).await.unwrap();
    let any = Filter::default;
    let dog = || Filter { class: Some("dog".into()), ..any() };
    let gate = Some("gate".parse::<CameraId>().unwrap());

    assert_eq!(ids(&database, any()).await, [at(4), at(3), at(2), at(1)]);
    assert_eq!(ids(&database, dog()).await, [at(4), at(2), at(1)]);
    assert_eq!(ids(&database, Filter { camera: gate.clone(), ..dog() }).await, [at(4), at(1)]);
    let sure = Filter { min_confidence: Some(0.5), ..any() };
    assert_eq!(ids(&database, sure.clone()).await, [at(4), at(1)]);
    // one detection matches class and confidence together
    let sure_cup = Filter { class: Some("cup".into()), ..sure };
    assert_eq!(ids(&database, sure_cup).await, []);
    let edge = Filter { destination: Some(Destination::Edge), ..dog() };
    assert_eq!(ids(&database, edge).await, [at(2), at(1)]);
    let (from_ms, to_ms) = (Some(yesterday_ms() + 2_000), Some(yesterday_ms() + 4_000));
    assert_eq!(ids(&database, Filter { from_ms, to_ms, ..any() }).await, [at(3), at(2)]);

    let in_zone = |zone: &str, filter: Filter| Filter { zone: Some(zone.into()), ..filter };
    let door = FrameResult {
        detections: vec![
            Detection { zones: Some(vec!["door".into(), "path".into()]), ..detection("dog", 0.9) },
            Detection { zones: Some(Vec::new()), ..detection("cat", 0.8) },
        ],
        ..found(5, "yard", &[])
    };
    database.store(&Batch::of([door.clone()])).await.unwrap();
    assert_eq!(ids(&database, in_zone("door", any())).await, [door.frame_id]);
    assert_eq!(ids(&database, in_zone("path", dog())).await, [door.frame_id]);
    // one detection matches class and zone together
    let cat = Filter { class: Some("cat".into()), ..any() };
    assert_eq!(ids(&database, in_zone("door", cat)).await, []);
    let sure = |min| Filter { min_confidence: Some(min), ..any() };
    assert_eq!(ids(&database, in_zone("door", sure(0.85))).await, [door.frame_id]);
    assert_eq!(ids(&database, in_zone("door", sure(0.95))).await, []);
    let seen = database.sightings(in_zone("door", any()), page(10)).await.unwrap();
    assert_eq!(seen.len(), 1, "{seen:?}");
    let replacing = vec![FrameResult { detections: Vec::new(), ..door.clone() }];
    assert_eq!(database.store(&Batch::of(replacing)).await.unwrap().repeated, 1);

    // pages follow each other without gap or repetition
    let mut pages = Vec::new();
    let mut after = None;
    loop {
        let rows = database.history(dog(), Page { limit: 2, after }).await.unwrap();
        let Some(last) = rows.last() else { break };
        after = Some(last.0);
        pages.push(rows.len());
    }
    assert_eq!(pages, [2, 2]);

    let seen = database.sightings(Filter { camera: gate, ..any() }, page(10)).await.unwrap();
    let seen: Vec<_> = seen.iter().map(|seen| (seen.frame_id, &*seen.class)).collect();
    assert_eq!(seen, [(at(4), "dog"), (at(1), "cup"), (at(1), "dog")]);
}

async fn detections_are_counted_by_spans_of_time(place: Place) {
    let database = place.open().await;
    let found = |ms: u64, n: u8, camera: &str, detections: &[(&str, f32)]| {
        result(id(ms, n), camera, Status::Done, detections)
    };
    let all = vec![
        found(0, 1, "gate", &[("dog", 0.9), ("dog", 0.8)]),
        found(59_999, 2, "gate", &[("dog", 0.9)]),
        found(60_000, 3, "gate", &[("dog", 0.9)]),
        found(3_600_000, 4, "yard", &[("cup", 0.9)]),
    ];
    database.store(&Batch::of(all)).await.unwrap();
    let counts = |filter: Filter, by| {
        let database = database.clone();
        async move {
            let counts = database.counts(filter, by, 100).await.unwrap();
            let start = yesterday_ms();
            counts
                .into_iter()
                .map(|c| ((c.start_ms - start) / 60_000, c.class, c.detections, c.frames))
                .collect::<Vec<_>>()
        }
    };
    let (dog, cup) = (|| "dog".to_owned(), || "cup".to_owned());
    let by_minute = counts(Filter::default(), Bucket::Minute).await;
    assert_eq!(by_minute, [(60, cup(), 1, 1), (1, dog(), 1, 1), (0, dog(), 3, 2)]);
    let by_hour = counts(Filter::default(), Bucket::Hour).await;
    assert_eq!(by_hour, [(60, cup(), 1, 1), (0, dog(), 4, 3)]);
    let before = Filter { to_ms: Some(yesterday_ms() + 60_000), ..Filter::default() };
    assert_eq!(counts(before, Bucket::Hour).await, [(0, dog(), 3, 2)]);
    let yard = Filter { camera: Some("yard".parse().unwrap()), ..Filter::default() };
    assert_eq!(counts(yard, Bucket::Day).await, [(0, cup(), 1, 1)]);
}

async fn what_is_too_old_goes(place: Place) {
    let database = place.open().await;
    let old = result(id(1_000, 1), "gate", Status::Done, &[("dog", 0.9)]);
    let new = result(id(DAY_MS + 1_000, 2), "gate", Status::Done, &[("dog", 0.9)]);
    database.store(&Batch::of([old.clone(), new.clone()])).await.unwrap();
    let today = yesterday_ms() + DAY_MS;
    let forgotten = database.forget_before(today, 100).await.unwrap();
    assert_eq!((forgotten.frames, forgotten.is_all), (1, true));
    assert_eq!(ids(&database, Filter::default()).await, [new.frame_id]);
    assert_eq!(days(&database).await, [("dog".into(), 1, 1)]);
    assert_eq!(database.forget_before(today, 100).await.unwrap().frames, 0);
    // its day is made again when more of it comes
    assert_eq!(database.store(&Batch::of([old])).await.unwrap().new, 1);
}

async fn readers_read_and_no_more(place: Place) {
    let empty = Database::open(&place.url, Access::Read).await.err().unwrap();
    assert!(matches!(empty, DbError::Empty { .. }) && empty.is_transient(), "{empty}");
    let writer = place.open().await;
    let reader = Database::open(&place.url, Access::Read).await.unwrap();
    let row = result(id(5, 1), "gate", Status::Done, &[]);
    writer.store(&Batch::of([row.clone()])).await.unwrap();
    assert_eq!(ids(&reader, Filter::default()).await, [row.frame_id]);
    assert!(reader.store(&Batch::of([result(id(6, 2), "gate", Status::Done, &[])])).await.is_err());
}

async fn what_a_later_program_has_made_is_refused(place: Place) {
    drop(place.open().await);
    place.set_version(results_db::SCHEMA_VERSION + 1).await;
    for access in [Access::Write, Access::Read] {
        let error = Database::open(&place.url, access).await.err().unwrap();
        assert!(matches!(error, DbError::Newer { .. }) && !error.is_transient(), "{error}");
    }
}

async fn what_another_program_has_made_is_left_alone(place: Place) {
    place.make_anothers().await;
    for access in [Access::Write, Access::Read] {
        let error = Database::open(&place.url, access).await.err().unwrap();
        assert!(matches!(error, DbError::Foreign { .. }), "{error}");
    }
}

/// A frame of the databases as they were released, received that long after 14:00 on 31 January 2026.
fn released_id(ms: u64, number: u8) -> FrameId {
    let mut bytes = *FrameId::from_then_on(1_769_868_000_000 + ms).as_bytes();
    (bytes[6], bytes[8], bytes[15]) = (0x70, 0x80, number);
    FrameId::from_bytes(bytes)
}

async fn what_a_release_has_stored_is_there_after_the_upgrade(place: Place) {
    // the newest one was made by this very schema, and holds that its steps were never edited
    for version in 1..=place::RELEASED.len() {
        let (old, fresh) = (place.another().await, place.another().await);
        old.as_released(version).await;
        let database = old.open().await;
        drop(fresh.open().await);
        assert_eq!(old.tables().await, fresh.tables().await, "version {version}");
        let [done, failed, provisional, next_day] =
            [(1_000, 1), (2_000, 2), (3_000, 3), (DAY_MS, 4)].map(|(ms, n)| released_id(ms, n));
        assert_eq!(ids(&database, Filter::default()).await, [next_day, provisional, failed, done]);
        let in_path = Filter { zone: Some("path".into()), ..Filter::default() };
        let rows = database.history(in_path, page(9)).await.unwrap();
        assert_eq!(rows.len(), 1);
        let held: FrameResult = serde_json::from_str(&rows[0].1).unwrap();
        assert_eq!((held.frame_id, held.detections.len()), (done, 2));
        assert_eq!(held.timings_ms.end_to_end, Some(50.25));

        // what was stored comes again, and the answer that was waited for
        let repeated = result(next_day, "gate", Status::Done, &[("dog", 0.8)]);
        let answer = result(provisional, "gate", Status::Done, &[("cup", 0.9)]);
        let stored = database.store(&Batch::of([repeated, answer])).await.unwrap();
        assert_eq!(stored, Stored { new: 0, replaced: 1, repeated: 1, foreign: 0 });
        let day = |class: &str, n| (class.to_owned(), n, n);
        let wanted = [day("dog", 1), day("cup", 1), day("dog", 1), day("person", 1)];
        assert_eq!(days(&database).await, wanted);
        let forgotten = database.forget_before(1_769_904_000_000, 100).await.unwrap();
        assert_eq!((forgotten.frames, forgotten.is_all), (3, true));
        assert_eq!(ids(&database, Filter::default()).await, [next_day]);
    }
}

async fn sightings_come_a_page_at_a_time_each_once(place: Place) {
    let database = place.open().await;
    let found = [("dog", 0.9), ("cup", 0.8), ("dog", 0.7)];
    let frames = (1..=5).map(|n| {
        let of = if n == 3 { &[][..] } else { &found[..] };
        result(id(u64::from(n) * 1_000, n), "gate", Status::Done, of)
    });
    database.store(&Batch::of(frames)).await.unwrap();
    let seen = |filter: Filter, limit, after| {
        let (database, page) = (database.clone(), Page { limit, after });
        async move {
            let seen = database.sightings(filter, page).await.unwrap();
            seen.into_iter()
                .map(|s| (s.frame_id, s.class, s.detections, s.confidence))
                .collect::<Vec<_>>()
        }
    };
    let of = |n: u8| {
        let id = id(u64::from(n) * 1_000, n);
        [(id, "cup".to_owned(), 1, 0.8), (id, "dog".to_owned(), 2, 0.9)]
    };
    let all: Vec<_> = [5, 4, 2, 1].into_iter().flat_map(of).collect();
    assert_eq!(seen(Filter::default(), 100, None).await, all);
    for limit in 1..=8 {
        let page = seen(Filter::default(), limit, None).await;
        assert_eq!(page, all[..limit as usize], "a page of {limit} is full");
    }
    assert_eq!(seen(Filter::default(), 3, Some(all[3].0)).await, all[4..7]);
    assert_eq!(seen(Filter::default(), 3, Some(all[7].0)).await, []);
    let sure = Filter { min_confidence: Some(0.85), ..Filter::default() };
    assert_eq!(seen(sure, 2, None).await.len(), 2);
    let oldest = database.oldest(Filter::default()).await.unwrap();
    assert_eq!(oldest, Some(all[7].0));
    let later = Filter { from_ms: Some(yesterday_ms() + 2_500), ..Filter::default() };
    assert_eq!(database.oldest(later).await.unwrap(), Some(id(3_000, 3)));
}

async fn writers_side_by_side_store_each_frame_once(place: Place) {
    let all: Vec<FrameResult> = (0..200u8)
        .map(|n| result(id(u64::from(n), n), "gate", Status::Done, &[("dog", 0.9)]))
        .collect();
    drop(place.open().await);
    let mut writers = Vec::new();
    for part in 0..4 {
        let (database, mut rows) = (place.open().await, all.clone());
        rows.rotate_left(part * 50);
        writers.push(tokio::spawn(async move {
            let mut stored = Stored::default();
            for batch in rows.chunks(20) {
                stored += loop {
                    match database.store(&Batch::of(batch.to_vec())).await {
                        Ok(stored) => break stored,
                        Err(error) => assert!(error.is_transient(), "{error}"),
                    }
                };
            }
            stored
        }));
    }
    let mut stored = Stored::default();
    for writer in writers {
        stored += writer.await.unwrap();
    }
    assert_eq!(stored, Stored { new: 200, repeated: 600, ..Stored::default() });
    let database = place.open().await;
    assert_eq!(days(&database).await, [("dog".into(), 200, 200)]);
}

fn picture(frame_id: FrameId, camera: &str, size: usize) -> Thumbnail {
    Thumbnail { frame_id, camera: camera.parse().unwrap(), jpeg: vec![7; size] }
}

async fn pictures_are_kept_within_a_budget_and_the_oldest_go(place: Place) {
    let database = place.open().await;
    let (a, b, c) = (id(1_000, 1), id(2_000, 2), id(3_000, 3));
    let both = vec![picture(a, "gate", 400), picture(b, "yard", 300)];
    let first = database.keep_thumbnails(both.clone(), 1_000).await.unwrap();
    assert_eq!(first, Pictured { new: 2, removed: 0, bytes: 700 });
    // what comes again is there once
    let again = database.keep_thumbnails(both, 1_000).await.unwrap();
    assert_eq!(again, Pictured { new: 0, removed: 0, bytes: 700 });
    assert_eq!(database.thumbnail(a).await.unwrap(), Some(picture(a, "gate", 400)));
    assert_eq!(database.thumbnail(c).await.unwrap(), None);

    let reader = Database::open(&place.url, Access::Read).await.unwrap();
    let gate = Filter { camera: Some("gate".parse().unwrap()), ..Filter::default() };
    assert_eq!(reader.thumbnails(gate.clone(), page(9)).await.unwrap(), [a]);
    assert_eq!(reader.thumbnails(Filter::default(), page(9)).await.unwrap(), [b, a]);
    assert_eq!(reader.thumbnails(Filter::default(), page(1)).await.unwrap(), [b]);
    assert_eq!(reader.pictured(vec![a, c]).await.unwrap(), [a].into());
    assert!(reader.pictured(Vec::new()).await.unwrap().is_empty());

    let more = database.keep_thumbnails(vec![picture(c, "gate", 500)], 1_000).await.unwrap();
    assert_eq!(more, Pictured { new: 1, removed: 1, bytes: 800 });
    assert_eq!(reader.thumbnails(Filter::default(), page(9)).await.unwrap(), [c, b]);
    assert_eq!(reader.thumbnail(a).await.unwrap(), None);
    // one that does not fit leaves nothing
    let none = database.keep_thumbnails(Vec::new(), 100).await.unwrap();
    assert_eq!(none, Pictured { new: 0, removed: 2, bytes: 0 });
}

async fn pictures_go_with_their_results(place: Place) {
    let database = place.open().await;
    let (old, new) = (id(0, 1), id(DAY_MS, 2));
    let rows = [old, new].map(|id| result(id, "gate", Status::Done, &[("dog", 0.5)]));
    database.store(&Batch::of(rows)).await.unwrap();
    let pictures = vec![picture(old, "gate", 10), picture(new, "gate", 10)];
    database.keep_thumbnails(pictures, 1_000).await.unwrap();
    database.forget_before(yesterday_ms() + DAY_MS, 100).await.unwrap();
    assert_eq!(ids(&database, Filter::default()).await, [new]);
    assert_eq!(database.thumbnails(Filter::default(), page(9)).await.unwrap(), [new]);
}

async fn tables_of_the_release_before_have_no_pictures_until_they_are_brought_up_to_date(
    place: Place,
) {
    let (a, dog) = (id(1_000, 1), &[("dog", 0.5)][..]);
    let database = place.open().await;
    database.store(&Batch::of([result(a, "gate", Status::Done, dog)])).await.unwrap();
    drop(database);
    place.undo_second_step().await;
    let reader = Database::open(&place.url, Access::Read).await.unwrap();
    assert_eq!(reader.thumbnail(a).await.unwrap(), None);
    assert!(reader.pictured(vec![a]).await.unwrap().is_empty());
    assert!(reader.thumbnails(Filter::default(), page(9)).await.unwrap().is_empty());
    // a reader that was there before sees what the writer has made
    let database = place.open().await;
    database.keep_thumbnails(vec![picture(a, "gate", 10)], 1_000).await.unwrap();
    assert_eq!(reader.thumbnail(a).await.unwrap(), Some(picture(a, "gate", 10)));
    assert_eq!(ids(&database, Filter::default()).await, [a]);
}

async fn sightings_are_narrowed_by_tier(place: Place) {
    let database = place.open().await;
    let cloud = Some(Decision::new(Destination::Cloud, "in-time", "deadline"));
    let edge = result(id(1_000, 1), "gate", Status::Done, &[("dog", 0.5)]);
    let cloud = FrameResult { frame_id: id(2_000, 2), decision: cloud, ..edge.clone() };
    database.store(&Batch::of([edge.clone(), cloud.clone()])).await.unwrap();
    for (destination, frame_id) in
        [(Destination::Edge, edge.frame_id), (Destination::Cloud, cloud.frame_id)]
    {
        let filter = Filter { destination: Some(destination), ..Filter::default() };
        let seen = database.sightings(filter, page(9)).await.unwrap();
        assert_eq!(seen.iter().map(|seen| seen.frame_id).collect::<Vec<_>>(), [frame_id]);
    }
}

on_both! {
    pictures_are_kept_within_a_budget_and_the_oldest_go,
    pictures_go_with_their_results,
    tables_of_the_release_before_have_no_pictures_until_they_are_brought_up_to_date,
    sightings_are_narrowed_by_tier,
    each_frame_is_there_once,
    frames_are_found_by_what_is_asked_for,
    detections_are_counted_by_spans_of_time,
    what_is_too_old_goes,
    readers_read_and_no_more,
    what_a_later_program_has_made_is_refused,
    what_another_program_has_made_is_left_alone,
    what_a_release_has_stored_is_there_after_the_upgrade,
    sightings_come_a_page_at_a_time_each_once,
    writers_side_by_side_store_each_frame_once,
}

/// A result with a lot in it, in its own minute.
fn long(minute: u64) -> FrameResult {
    let found: Vec<(&str, f32)> = (0..60).map(|_| ("a class with a long name", 0.5)).collect();
    result(id(minute * 60_000, 0), "gate", Status::Done, &found)
}

#[tokio::test]
async fn beyond_its_bound_the_oldest_of_a_file_go_and_the_file_shrinks() {
    const BOUND: u64 = 4 << 20;
    let place = Place::sqlite();
    let database = place.open().await;
    database.store(&Batch::of((0..1_000).map(long))).await.unwrap();
    let before = database.bytes().await.unwrap();
    assert!(before > 2 * BOUND, "{before}");
    assert_eq!(database.forget_beyond(before * 2, 100).await.unwrap().frames, 0);
    let some = database.forget_beyond(BOUND, 100).await.unwrap();
    assert_eq!((some.frames, some.is_all), (100, false));
    let mut gone = some.frames;
    loop {
        let forgotten = database.forget_beyond(BOUND, 100).await.unwrap();
        gone += forgotten.frames;
        if forgotten.is_all {
            break;
        }
    }
    let held = || async {
        let rows = database.history(Filter::default(), page(10_000)).await.unwrap();
        rows.into_iter().map(|(id, _)| id).collect::<Vec<_>>()
    };
    let left = held().await;
    assert_eq!(left.len() as u64, 1_000 - gone);
    assert!((100..900).contains(&gone), "{gone}");
    assert_eq!(left.first(), Some(&long(999).frame_id), "the newest is still there");
    let bytes = database.bytes().await.unwrap();
    assert!(bytes <= BOUND, "{bytes}");
    // what is kept is counted, and nothing else
    let minutes = database.counts(Filter::default(), Bucket::Minute, 10_000).await.unwrap();
    assert!((left.len()..=left.len() + 1).contains(&minutes.len()), "{}", minutes.len());
    // more fits, and the file stays within its bound
    for first in [1_000, 1_020, 1_040] {
        database.store(&Batch::of((first..first + 20).map(long))).await.unwrap();
        while !database.forget_beyond(BOUND, 100).await.unwrap().is_all {}
    }
    assert!(database.bytes().await.unwrap() <= BOUND);
    assert_eq!(held().await[0], long(1_059).frame_id);
}
