//! One thread's way to run a model.

use crate::DetectError;
use crate::detector::Model;
use crate::letterbox::{Letterbox, Letterboxer};
use crate::nms::{self, Candidate};
use crate::outputs::View;
use crate::prepared::Run;
use engine::OperatorTime;
use frame::{Detection, RgbImage};
use std::sync::Arc;
use std::time::Instant;

/// Runs a model on one thread; owns its scratch buffers.
pub struct Session {
    model: Arc<Model>,
    letterboxer: Letterboxer,
    single: Run,
    batch: Option<Run>,
}

/// What was found in one image.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageDetections {
    /// Boxes in pixels of the image given, most confident first; one per box and class above the
    /// threshold, as Darknet lists them.
    pub detections: Vec<Detection>,
    /// What was found with less confidence than a detection needs, above the description's `weak`,
    /// most confident first; empty when it has none. Asking for them changes nothing in
    /// `detections`.
    pub weak: Vec<Detection>,
    /// Letterbox and network, milliseconds; for images that ran together, the time of the whole
    /// run, which each of them waited for.
    pub inference_ms: f64,
    /// Reading the boxes off the outputs and suppressing duplicates, milliseconds.
    pub postprocess_ms: f64,
}

/// An output of the network as it is, for one image.
#[derive(Clone, Debug, PartialEq)]
pub struct RawOutput {
    /// Sides, outermost first, without the batch.
    pub shape: Vec<usize>,
    /// Values, row by row.
    pub values: Vec<f32>,
}

impl Session {
    pub(crate) fn new(model: &Arc<Model>) -> Result<Self, DetectError> {
        let single = Run::new(&model.single)?;
        let batch = model.batch.as_ref().map(Run::new).transpose()?;
        Ok(Self {
            model: model.clone(),
            letterboxer: Letterboxer::new(model.resize),
            single,
            batch,
        })
    }

    /// Detects objects in images; the results are in the same order.
    ///
    /// As many at once as the model was loaded for run together, what remains runs one by one, and
    /// so does a group whose run failed.
    ///
    /// # Errors
    /// When the network fails on an image by itself; then nothing is returned for the others, and
    /// the session stays usable.
    pub fn detect(&mut self, images: &[&RgbImage]) -> Result<Vec<ImageDetections>, DetectError> {
        let mut found = Vec::with_capacity(images.len());
        let mut rest = images;
        if let Some(run) = &mut self.batch {
            let size = run.batch();
            while let Some((group, others)) = rest.split_at_checked(size) {
                match detect_together(&self.model, &mut self.letterboxer, run, group) {
                    Ok(batch) => found.extend(batch),
                    Err(error) => {
                        tracing::warn!(
                            %error,
                            images = size,
                            "batch failed, its images run one by one"
                        );
                        for image in group {
                            found.extend(detect_together(
                                &self.model,
                                &mut self.letterboxer,
                                &mut self.single,
                                &[image],
                            )?);
                        }
                    }
                }
                rest = others;
            }
        }
        for image in rest {
            found.extend(detect_together(
                &self.model,
                &mut self.letterboxer,
                &mut self.single,
                &[image],
            )?);
        }
        Ok(found)
    }

    /// The image as the network sees it: letterboxed or stretched, `[3, height, width]`, red,
    /// green, blue, from 0 to 1. For comparing and measuring.
    ///
    /// # Errors
    /// When the tensor cannot be written.
    pub fn input_tensor(&mut self, image: &RgbImage) -> Result<Vec<f32>, DetectError> {
        let (letterboxer, input) = (&mut self.letterboxer, self.model.input);
        let mut tensor = Vec::new();
        self.single.runner().fill(&mut |values| {
            letterboxer.fill(image, input, values);
            tensor = values.to_vec();
        })?;
        Ok(tensor)
    }

    /// How long each operator of the network takes on an image, in the order of running. For
    /// measuring.
    ///
    /// # Errors
    /// When the network fails.
    pub fn profile(&mut self, image: &RgbImage) -> Result<Vec<OperatorTime>, DetectError> {
        let (letterboxer, input) = (&mut self.letterboxer, self.model.input);
        let runner = self.single.runner();
        runner.fill(&mut |values| {
            letterboxer.fill(image, input, values);
        })?;
        Ok(runner.profile()?)
    }

    /// What the network makes of an input tensor, before any box is read off it. For comparing and
    /// measuring.
    ///
    /// # Errors
    /// When the tensor has another length than [`Session::input_tensor`] gives, or the network
    /// fails.
    pub fn raw_outputs(&mut self, tensor: &[f32]) -> Result<Vec<RawOutput>, DetectError> {
        let mut wanted = 0;
        self.single.runner().fill(&mut |values| {
            wanted = values.len();
            if values.len() == tensor.len() {
                values.copy_from_slice(tensor);
            }
        })?;
        if tensor.len() != wanted {
            return Err(DetectError::Input { values: tensor.len(), wanted });
        }
        let outputs = self.single.run()?;
        let raw = outputs.iter().map(|output| RawOutput {
            shape: output.shape.to_vec(),
            values: output.image(0).to_vec(),
        });
        Ok(raw.collect())
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("info", &self.model.info).finish_non_exhaustive()
    }
}

/// One run: as many images as the run's plan takes.
fn detect_together(
    model: &Model,
    letterboxer: &mut Letterboxer,
    run: &mut Run,
    images: &[&RgbImage],
) -> Result<Vec<ImageDetections>, DetectError> {
    let started = Instant::now();
    let mut letterboxes: Vec<Letterbox> = Vec::with_capacity(images.len());
    run.runner().fill(&mut |values| {
        let per_image = values.len() / run_size(images);
        for (image, planes) in images.iter().zip(values.chunks_exact_mut(per_image)) {
            letterboxes.push(letterboxer.fill(image, model.input, planes));
        }
    })?;
    let outputs = run.run()?;
    let inference_ms = milliseconds_since(started);
    let mut found = Vec::with_capacity(images.len());
    for (index, letterbox) in letterboxes.into_iter().enumerate() {
        let started = Instant::now();
        let view = View {
            input: model.input,
            letterbox,
            confidence: model.weak.unwrap_or(model.confidence),
        };
        let mut proposals = Vec::new();
        for output in &outputs {
            output.reader.read(output.image(index), &view, &mut proposals);
        }
        let kept = nms::suppress(proposals, model.nms, model.nms_iou);
        // the most confident come first, and weaker boxes never suppress stronger ones
        let (strong, weak) =
            kept.split_at(kept.partition_point(|found| found.confidence > model.confidence));
        let all_named =
            |found: &[Candidate]| found.iter().map(|found| named(model, found)).collect();
        found.push(ImageDetections {
            detections: all_named(strong),
            weak: all_named(weak),
            inference_ms,
            postprocess_ms: milliseconds_since(started),
        });
    }
    Ok(found)
}

/// Never 0, so that it divides.
fn run_size(images: &[&RgbImage]) -> usize {
    images.len().max(1)
}

fn named(model: &Model, found: &Candidate) -> Detection {
    // the number of names was compared with the number of classes when the model was loaded
    let class = model.names.get(found.class as usize).cloned().unwrap_or_default();
    Detection {
        class,
        class_id: found.class,
        confidence: found.confidence,
        bounding_box: found.bounding_box,
        zones: None,
    }
}

fn milliseconds_since(started: Instant) -> f64 {
    started.elapsed().as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Resize;
    use crate::nms::Rule;
    use crate::outputs::Outputs;
    use crate::prepared::Prepared;
    use crate::yolo::YoloHead;
    use engine::{EngineError, OpenNetwork, Program, Runner};
    use frame::{ImageSize, ModelInfo};
    use std::sync::atomic::{AtomicUsize, Ordering};

    const SIDE: usize = 8;
    const INPUT: ImageSize = ImageSize { width: SIDE as u32, height: SIDE as u32 };

    /// An engine's network that is sure of every cell, and fails as long as its counter is above 0.
    #[derive(Clone)]
    struct Faulty {
        failures: Arc<AtomicUsize>,
        batch: usize,
        outputs: Vec<Vec<usize>>,
    }

    impl OpenNetwork for Faulty {
        fn data_files(&self) -> &[String] {
            &[]
        }

        fn remarks(&self) -> Result<&[String], EngineError> {
            Ok(&[])
        }

        fn program(&self, batch: usize) -> Result<Arc<dyn Program>, EngineError> {
            Ok(Arc::new(Self { batch, ..self.clone() }))
        }
    }

    impl Program for Faulty {
        fn batch(&self) -> usize {
            self.batch
        }

        fn outputs(&self) -> &[Vec<usize>] {
            &self.outputs
        }

        fn runner(self: Arc<Self>) -> Result<Box<dyn Runner>, EngineError> {
            let input = vec![0.0; self.batch * 3 * SIDE * SIDE];
            let output = vec![9.0; self.batch * 6 * SIDE * SIDE];
            Ok(Box::new(FaultyRunner { program: self, input, output }))
        }
    }

    struct FaultyRunner {
        program: Arc<Faulty>,
        input: Vec<f32>,
        output: Vec<f32>,
    }

    impl Runner for FaultyRunner {
        fn fill(&mut self, write: &mut dyn FnMut(&mut [f32])) -> Result<(), EngineError> {
            write(&mut self.input);
            Ok(())
        }

        fn run(&mut self) -> Result<Vec<&[f32]>, EngineError> {
            let failures = &self.program.failures;
            let fails = failures.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |failures| {
                failures.checked_sub(1)
            });
            if fails.is_ok() {
                return Err(EngineError::Run("it was told to fail".into()));
            }
            Ok(vec![&self.output])
        }

        fn profile(&mut self) -> Result<Vec<OperatorTime>, EngineError> {
            self.run()?;
            Ok(Vec::new())
        }
    }

    fn prepared(batch: usize, failures: usize, shape: [usize; 3]) -> Prepared {
        let outputs = Outputs::Heads(vec![YoloHead {
            anchors: vec![[1.0, 1.0]],
            classes: 1,
            scale_x_y: 1.0,
        }]);
        let failures = Arc::new(AtomicUsize::new(failures));
        let network = Faulty { failures, batch, outputs: vec![shape.to_vec()] };
        Prepared::new(&network, batch, &outputs).unwrap()
    }

    fn session(single_faults: usize, batch_faults: usize) -> Session {
        let shape = [6, SIDE, SIDE];
        session_of(prepared(1, single_faults, shape), prepared(2, batch_faults, shape))
    }

    fn session_of(single: Prepared, batch: Prepared) -> Session {
        let model = Model {
            info: ModelInfo {
                name: "faulty".into(),
                version: String::new(),
                input: String::new(),
                resize: None,
            },
            input: INPUT,
            resize: Resize::Letterbox,
            remarks: Vec::new(),
            names: vec!["thing".into()],
            confidence: 0.25,
            weak: None,
            nms: Rule::Class,
            nms_iou: 0.45,
            single,
            batch: Some(batch),
        };
        Session::new(&Arc::new(model)).unwrap()
    }

    fn image() -> RgbImage {
        RgbImage::new(INPUT, vec![0; SIDE * SIDE * 3]).unwrap()
    }

    #[test]
    fn images_of_a_failed_batch_run_one_by_one() {
        let image = image();
        let found = session(0, 1).detect(&[&image, &image, &image]).unwrap();
        assert_eq!(found.len(), 3);
        assert!(
            found.iter().all(
                |other| other.detections == found[0].detections && !other.detections.is_empty()
            )
        );
    }

    #[test]
    fn a_session_works_again_after_a_failure() {
        let image = image();
        let mut session = session(1, 0);
        assert!(matches!(
            session.detect(&[&image]),
            Err(DetectError::Network(reason)) if reason.contains("told to fail")
        ));
        assert_eq!(session.detect(&[&image]).unwrap().len(), 1);
        assert_eq!(session.detect(&[&image, &image]).unwrap().len(), 2);
    }

    #[test]
    fn an_output_of_another_length_is_an_error() {
        let (single, batch) =
            (prepared(1, 0, [6, SIDE, 2 * SIDE]), prepared(2, 0, [6, SIDE, SIDE]));
        let answer = session_of(single, batch).detect(&[&image()]);
        assert!(matches!(answer, Err(DetectError::Output { index: 0, .. })), "{answer:?}");
    }
}
