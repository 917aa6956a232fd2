//! In which form each tier gets a picture, by what the edge's answers tell of its network.

use crate::{Running, Stage, envelope, jpeg, next};
use frame::{
    Destination, Envelope, FrameResult, ImageFormat, ImageSize, ModelInfo, Resize, ResultMessage,
    ServedBy,
};
use frame_bus::Message;
use std::time::Instant;
use vision::Limits;

const UPLOADED: ImageSize = ImageSize { width: 64, height: 48 };

/// An answer of the edge's to a frame, with a network of this input.
fn answer(message: &Message, input: &str, resize: Option<Resize>) -> ResultMessage {
    let envelope = message.envelope().unwrap();
    let model = ModelInfo { name: "m".into(), version: "1".into(), input: input.into(), resize };
    let served_by = ServedBy { unit: "edge-inference".into(), ..ServedBy::default() };
    let result: FrameResult = envelope.done(vec![], model, served_by, envelope.timings());
    ResultMessage::of(&envelope, result)
}

impl Stage {
    async fn tells(&self, message: &Message, input: &str, resize: Option<Resize>) {
        let answer = answer(message, input, resize);
        self.bus.send_result(&self.topics.results, answer, &Default::default()).await.unwrap();
    }

    /// The next frame of a camera that goes to the edge.
    async fn send_one(&mut self) -> Message {
        self.send(&envelope("gate", 1), jpeg(UPLOADED.width, UPLOADED.height)).await;
        next(&mut self.edge).await
    }

    /// Sends frames until the edge gets one in this form.
    async fn until_the_edge_gets(&mut self, format: ImageFormat) -> Message {
        let started = Instant::now();
        loop {
            let message = self.send_one().await;
            if message.envelope().unwrap().format == format {
                return message;
            }
            assert!(started.elapsed() < crate::PATIENCE, "{format} does not come");
        }
    }

    async fn edge_only(&mut self, form: &str) -> (Running, Message) {
        let unit = self.run(&[("MLVI_POLICY", "edge-only"), ("MLVI_EDGE_FORM", form)]);
        let first = self.send_one().await;
        assert_eq!(first.envelope().unwrap().format, ImageFormat::Jpeg, "nothing is known yet");
        (unit, first)
    }
}

/// The uploaded picture, decoded and sharpened.
fn sharpened() -> frame::RgbImage {
    let uploaded = vision::decode(&jpeg(UPLOADED.width, UPLOADED.height), &Limits::default());
    vision::sharpen(uploaded.unwrap(), 1.2)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edge_that_tells_its_input_gets_pixels_of_that_size() {
    let mut stage = Stage::set().await;
    let (unit, first) = stage.edge_only("auto").await;
    stage.tells(&first, "32x32", Some(Resize::Letterbox)).await;
    let message = stage.until_the_edge_gets(ImageFormat::Png).await;
    let reduced = ImageSize { width: 32, height: 24 };
    assert_eq!(
        vision::decode(&message.payload, &Limits::default()).unwrap(),
        vision::resize(&sharpened(), reduced)
    );
    // boxes are still in the pixels of the upload
    let prepared = message.envelope().unwrap().prepared.unwrap();
    assert_eq!(prepared.image, UPLOADED);
    let counted = stage.metrics(&unit).await;
    let line = "mlvi_preprocessor_sent_frames_total{tier=\"edge\",format=\"image/png\"} 1";
    assert!(counted.contains(line), "{counted}");
    unit.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_of_two_networks_and_of_an_earlier_release_get_jpegs() {
    let others = [("48x48", Some(Resize::Letterbox)), ("32x32", Some(Resize::Stretch))];
    for (input, resize) in others.into_iter().chain([("32x32", None)]) {
        let mut stage = Stage::set().await;
        let (unit, first) = stage.edge_only("auto").await;
        stage.tells(&first, "32x32", Some(Resize::Letterbox)).await;
        let reduced = stage.until_the_edge_gets(ImageFormat::Png).await;
        stage.tells(&reduced, input, resize).await;
        let whole = stage.until_the_edge_gets(ImageFormat::Jpeg).await;
        let jpeg = vision::encode_jpeg(&sharpened(), 90).unwrap();
        assert_eq!(whole.payload, jpeg, "{input} {resize:?}");
        for _ in 0..3 {
            let message = stage.send_one().await;
            assert_eq!(message.envelope().unwrap().format, ImageFormat::Jpeg);
        }
        unit.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cloud_and_what_may_go_on_to_it_get_the_whole_picture() {
    let jpeg_of = |message: &Message| (message.envelope().unwrap().format, message.payload.clone());
    let whole = (ImageFormat::Jpeg, vision::encode_jpeg(&sharpened(), 90).unwrap());
    // an edge that was known before the unit began
    let mut stage = Stage::set().await;
    let (unit, first) = stage.edge_only("auto").await;
    stage.tells(&first, "32x32", Some(Resize::Letterbox)).await;
    stage.until_the_edge_gets(ImageFormat::Png).await;
    unit.stop().await;

    let unit = stage.run(&[("MLVI_POLICY", "cascade")]);
    for _ in 0..3 {
        let message = stage.send_one().await;
        assert_eq!(jpeg_of(&message), whole);
        assert!(message.envelope().unwrap().prepared.unwrap().escalation.is_some());
    }
    unit.stop().await;

    let policy = stage.policy_file("policy = 'cloud-only'\n[redispatch]\nafter_ms = 300");
    let unit = stage.run(&[("MLVI_POLICY_FILE", &policy)]);
    stage.send(&envelope("gate", 2), jpeg(UPLOADED.width, UPLOADED.height)).await;
    assert_eq!(jpeg_of(&next(&mut stage.cloud).await), whole);
    // what the cloud does not answer goes to the edge as it is
    assert_eq!(jpeg_of(&next(&mut stage.edge).await), whole);
    unit.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_of_a_camera_that_come_together_keep_their_order_in_every_form() {
    const FRAMES: u64 = 24;
    let mut stage = Stage::set().await;
    let (unit, first) = stage.edge_only("auto").await;
    stage.tells(&first, "32x32", Some(Resize::Letterbox)).await;
    stage.until_the_edge_gets(ImageFormat::Png).await;
    unit.stop().await;
    let (large, small) = (jpeg(800, 600), jpeg(80, 60));
    for sequence in 0..FRAMES {
        let bytes = if sequence % 3 == 0 { &large } else { &small };
        stage.send(&envelope("yard", sequence), bytes.clone()).await;
    }
    let settings = [("MLVI_WORKERS", "4"), ("MLVI_MAX_IN_FLIGHT", "16")];
    let unit = stage.run(&[&[("MLVI_POLICY", "alternate")], &settings[..]].concat());
    for tier in Destination::ALL {
        let tail = match tier {
            Destination::Edge => &mut stage.edge,
            Destination::Cloud => &mut stage.cloud,
        };
        for index in 0..FRAMES / 2 {
            let envelope: Envelope = next(tail).await.envelope().unwrap();
            let first = u64::from(tier == Destination::Cloud);
            assert_eq!(envelope.sequence, 2 * index + first, "{tier}");
            if tier == Destination::Cloud {
                assert_eq!(envelope.format, ImageFormat::Jpeg);
            }
        }
    }
    unit.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edge_that_shall_get_jpegs_gets_them() {
    let mut stage = Stage::set().await;
    let (unit, first) = stage.edge_only("jpeg").await;
    stage.tells(&first, "32x32", Some(Resize::Letterbox)).await;
    // read by then, as the unit's own figures show
    let read = "mlvi_preprocessor_answer_seconds_count{tier=\"edge\"} 1";
    let started = Instant::now();
    while !stage.metrics(&unit).await.contains(read) {
        assert!(started.elapsed() < crate::PATIENCE, "the answer is not read");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(stage.send_one().await.envelope().unwrap().format, ImageFormat::Jpeg);
    unit.stop().await;
}
