//! Frames that go through one tier: done, failed, expired, in order, and again after a shutdown.

use crate::stage::{BLUE, GREEN, Moody, PATIENCE, RED, Stage, envelope, jpeg, next};
use frame::{
    BoundingBox, Decision, ImageFormat, ImageSize, ModelInfo, RgbImage, Status, Timestamp,
};
use frame_bus::Outgoing;
use std::sync::atomic::Ordering;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_gets_its_detections_and_every_time() {
    let mut stage = Stage::set().await;
    let (unit, shutdown) = stage.run(&Moody::new(), &[]);
    let mut sent = envelope("gate", 7);
    // the upload was twice as large as what was sent on
    sent.prepared.as_mut().unwrap().image = ImageSize { width: 32, height: 32 };
    stage.send(&sent, jpeg(BLUE)).await;
    let result = stage.results(1).await.remove(0);
    assert_eq!((result.frame_id, result.sequence, result.status), (sent.frame_id, 7, Status::Done));
    assert_eq!(
        result.detections[0].bounding_box,
        BoundingBox { x: 2.0, y: 4.0, width: 6.0, height: 8.0 }
    );
    assert_eq!(
        (result.model.unwrap().name.as_str(), result.served_by.unit.as_str()),
        ("moody", "edge-inference")
    );
    let decision = result.decision.unwrap();
    assert!(decision.took_ms.is_some_and(|took_ms| took_ms >= 0.0), "{decision:?}");
    assert_eq!(
        Some(Decision { took_ms: None, ..decision }),
        sent.prepared.map(|prepared| prepared.decision)
    );
    assert_eq!(result.attempt, Some(1));
    let times = result.timings_ms;
    assert_eq!(
        (times.upload, times.queue_frames, times.preprocess),
        (Some(1.0), Some(2.0), Some(3.0))
    );
    assert!(
        times.queue_inference.is_some() && times.decode.is_some() && times.end_to_end.is_some(),
        "{times:?}"
    );
    shutdown.cancel();
    unit.await.unwrap().unwrap();
}

/// What the preprocessor makes of a picture for a network that tells its input's size.
fn reduced(colour: [u8; 3], size: ImageSize) -> Vec<u8> {
    let pixels = colour.repeat((size.width * size.height) as usize);
    vision::encode_png(&RgbImage::new(size, pixels).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reduced_picture_gets_boxes_in_the_pixels_of_the_upload() {
    let mut stage = Stage::set().await;
    // of a larger input than the picture was reduced for, as after a change of the model
    let model =
        Moody { info: ModelInfo { input: "64x64".into(), ..Moody::new().info }, ..Moody::new() };
    let (unit, shutdown) = stage.run(&model, &[("MLVI_MAX_PIXELS", "300")]);
    let mut sent = envelope("gate", 0);
    sent.format = ImageFormat::Png;
    sent.prepared.as_mut().unwrap().image = ImageSize { width: 160, height: 48 };
    let (size, over) = (ImageSize { width: 16, height: 16 }, ImageSize { width: 20, height: 16 });
    let whole = reduced(BLUE, size);
    let mut flipped = whole.clone();
    // in the middle of the pixels
    flipped[whole.len() / 2] ^= 1;
    let frames =
        [whole.clone(), whole[..whole.len() / 2].to_vec(), flipped, reduced(BLUE, over), vec![]];
    for (sequence, payload) in (0..).zip(&frames) {
        sent.sequence = sequence;
        stage.send(&sent, payload.clone()).await;
    }
    let results = stage.results(5).await;
    assert_eq!(
        results[0].detections[0].bounding_box,
        BoundingBox { x: 10.0, y: 6.0, width: 30.0, height: 12.0 }
    );
    assert_eq!(results[0].image, Some(ImageSize { width: 160, height: 48 }));
    let problems: Vec<_> =
        results[1..].iter().map(|result| result.error.as_ref().unwrap().status).collect();
    assert_eq!(problems, [422, 422, 422, 415], "{results:?}");
    let letters = next(&mut stage.dead_letters, 4).await;
    assert!(letters.iter().zip(&frames[1..]).all(|(letter, frame)| letter.payload == *frame));
    shutdown.cancel();
    unit.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_frames_fail_alone_and_leave_a_dead_letter() {
    let mut stage = Stage::set().await;
    let model = Moody::new();
    // all five are there before the model may run, so that they come in one batch
    let (unit, shutdown) = stage.run(
        &model,
        &[("MLVI_MAX_BATCH", "5"), ("MLVI_BATCH_WAIT", "2s"), ("MLVI_MODEL_THREADS", "1")],
    );
    let frames = [jpeg(BLUE), jpeg(RED), jpeg(GREEN), b"no image at all".to_vec(), jpeg(BLUE)];
    for (index, payload) in frames.iter().enumerate() {
        stage.send(&envelope("gate", index as u64), payload.clone()).await;
    }
    let results = stage.results(5).await;
    let ends: Vec<(u64, Status)> =
        results.iter().map(|result| (result.sequence, result.status)).collect();
    let expected = [Status::Done, Status::Failed, Status::Failed, Status::Failed, Status::Done];
    assert_eq!(ends, (0..).zip(expected).collect::<Vec<_>>(), "each frame for itself, in order");
    let problem = |index: usize| results[index].error.clone().unwrap();
    assert!(problem(1).detail.contains("red makes me panic"), "{:?}", problem(1));
    assert!(problem(2).detail.contains("green makes me fail"), "{:?}", problem(2));
    assert_eq!((problem(1).status, problem(2).status), (500, 500));
    assert!(matches!(problem(3).status, 415 | 422), "{:?}", problem(3));
    assert!(model.largest_batch.load(Ordering::Relaxed) > 1, "they came together");
    assert!(model.sessions.load(Ordering::Relaxed) > 2, "a panicked session is not used again");

    let letters = next(&mut stage.dead_letters, 3).await;
    for (letter, index) in letters.iter().zip([1, 2, 3]) {
        assert_eq!(letter.payload, frames[index], "the original bytes");
        assert_eq!(
            letter.envelope().unwrap().frame_id,
            results[index].frame_id,
            "the original headers"
        );
        assert!(letter.headers.iter().any(|(name, _)| name == frame::headers::ERROR));
    }
    shutdown.cancel();
    unit.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_no_frame_becomes_a_dead_letter() {
    let mut stage = Stage::set().await;
    let (unit, shutdown) = stage.run(&Moody::new(), &[]);
    let foreign = Outgoing {
        topic: stage.topics.frames_edge.clone(),
        key: "gate".into(),
        headers: vec![],
        payload: b"?".to_vec(),
    };
    stage.bus.send(foreign).await.unwrap();
    stage.send(&envelope("gate", 0), jpeg(BLUE)).await;
    assert_eq!(stage.results(1).await[0].status, Status::Done);
    let letter = next(&mut stage.dead_letters, 1).await.remove(0);
    let reason = letter.headers.iter().find(|(name, _)| name == frame::headers::ERROR).unwrap();
    assert!(String::from_utf8_lossy(&reason.1).contains("mlvi-frame-id"), "{reason:?}");
    shutdown.cancel();
    unit.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_tells_only_its_frame_gets_a_failed_result() {
    let mut stage = Stage::set().await;
    let (unit, shutdown) = stage.run(&Moody::new(), &[]);
    let known = envelope("gate", 0);
    let headers =
        vec![(frame::headers::FRAME_ID.to_owned(), known.frame_id.to_string().into_bytes())];
    let broken = Outgoing {
        topic: stage.topics.frames_edge.clone(),
        key: "gate".into(),
        headers,
        payload: jpeg(BLUE),
    };
    stage.bus.send(broken).await.unwrap();
    let result = stage.results(1).await.remove(0);
    assert_eq!((result.frame_id, result.status), (known.frame_id, Status::Failed));
    assert!(result.error.unwrap().detail.contains("mlvi-camera"));
    next(&mut stage.dead_letters, 1).await;
    shutdown.cancel();
    unit.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_frame_never_reaches_the_model() {
    let mut stage = Stage::set().await;
    let (unit, shutdown) = stage.run(&Moody::new(), &[]);
    let mut late = envelope("gate", 0);
    late.deadline = Some(Timestamp::from_micros(1));
    stage.send(&late, jpeg(RED)).await;
    let result = stage.results(1).await.remove(0);
    assert_eq!(result.status, Status::Expired);
    assert_eq!((result.error.unwrap().status, result.timings_ms.inference), (504, None));
    shutdown.cancel();
    unit.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_keeps_its_order_over_several_threads() {
    let mut stage = Stage::set().await;
    let (unit, shutdown) =
        stage.run(&Moody::new(), &[("MLVI_MODEL_THREADS", "4"), ("MLVI_MAX_IN_FLIGHT", "16")]);
    for sequence in 0..100 {
        stage.send(&envelope(["a", "b", "c"][sequence as usize % 3], sequence), jpeg(BLUE)).await;
    }
    let results = stage.results(100).await;
    for camera in ["a", "b", "c"] {
        let order: Vec<u64> =
            results.iter().filter(|r| r.camera.as_str() == camera).map(|r| r.sequence).collect();
        assert!(order.is_sorted(), "{camera}: {order:?}");
    }
    shutdown.cancel();
    unit.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_that_hang_at_shutdown_are_handed_back_and_come_again() {
    let mut stage = Stage::set().await;
    let hanging = Moody::new();
    let (unit, shutdown) =
        stage.run(&hanging, &[("MLVI_DRAIN", "100ms"), ("MLVI_KAFKA_SESSION_TIMEOUT", "6s")]);
    stage.send(&envelope("gate", 0), jpeg(BLUE)).await;
    assert_eq!(stage.results(1).await[0].sequence, 0, "it works at first");
    hanging.gate.set_closed(true);
    let came = hanging.gate.came.load(Ordering::Relaxed);
    stage.send(&envelope("gate", 1), jpeg(BLUE)).await;
    while hanging.gate.came.load(Ordering::Relaxed) == came {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    shutdown.cancel();
    unit.await.unwrap().unwrap();

    let (unit, shutdown) = stage.run(&Moody::new(), &[]);
    stage.send(&envelope("gate", 2), jpeg(BLUE)).await;
    let sequences: Vec<u64> = stage.results(2).await.iter().map(|result| result.sequence).collect();
    assert_eq!(sequences, [1, 2], "what was not finished comes again, and only that");
    shutdown.cancel();
    unit.await.unwrap().unwrap();
    hanging.gate.set_closed(false);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_always_fails_stops_the_unit() {
    let mut stage = Stage::set().await;
    let (unit, _shutdown) = stage.run(&Moody::new(), &[("MLVI_MAX_MODEL_FAILURES", "3")]);
    for sequence in 0..3 {
        stage.send(&envelope("gate", sequence), jpeg(GREEN)).await;
    }
    stage.results(3).await;
    let error =
        tokio::time::timeout(PATIENCE, unit).await.unwrap().unwrap().unwrap_err().to_string();
    assert!(error.contains("could not go on"), "{error}");
}
