//! The model threads: decode and detect, with a panic or an error kept to the frame that caused it.

use crate::job::{Inference, InferenceEnd, Job, ModelRun, over};
use crate::model::{Model, ModelFailure, ModelSession};
use detector::ImageDetections;
use frame::{Problem, RgbImage, Timestamp};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use unit::{Ends, Tasks};
use vision::Limits;

/// Threads that run the model; they end when the senders of their batches are gone.
#[derive(Clone)]
pub(crate) struct Threads {
    started: Instant,
    /// Per thread: since when it has been at its batch, in milliseconds after `started` plus 1; 0
    /// when idle.
    busy_since: Arc<[AtomicU64]>,
}

/// Why the threads are not started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ThreadsError {
    #[error("the model gives no session")]
    Session(#[from] ModelFailure),
    #[error("cannot start a model thread")]
    Thread(#[from] io::Error),
}

struct Worker {
    model: Arc<dyn Model>,
    limits: Limits,
    session: Box<dyn ModelSession>,
}

impl Threads {
    /// Starts `count` threads, each with a session of its own. They are watched over by `tasks`,
    /// and end when the senders of `batches` are gone.
    ///
    /// # Errors
    /// When the model gives no session, or the system no thread.
    pub(crate) fn start(
        tasks: &Tasks,
        model: &Arc<dyn Model>,
        count: usize,
        max_pixels: u64,
        batches: mpsc::Receiver<Vec<Job>>,
    ) -> Result<Self, ThreadsError> {
        let threads = Self {
            started: Instant::now(),
            busy_since: (0..count).map(|_| AtomicU64::new(0)).collect(),
        };
        let batches = Arc::new(Mutex::new(batches));
        for index in 0..count {
            let mut worker = Worker {
                model: Arc::clone(model),
                limits: Limits { max_pixels },
                session: model.session()?,
            };
            let (batches, threads) = (Arc::clone(&batches), threads.clone());
            let run = move || {
                // the lock is held while waiting, so the other idle threads queue up behind it
                while let Some(batch) =
                    { batches.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv() }
                {
                    threads.busy_since[index].store(threads.now_ms(), Ordering::Relaxed);
                    worker.serve(batch);
                    threads.busy_since[index].store(0, Ordering::Relaxed);
                }
            };
            tasks.spawn_thread(format!("model-{index}"), Ends::WhenDone, run)?;
        }
        Ok(threads)
    }

    /// Whether a thread has been at one batch for longer than `limit`: its model hangs.
    pub(crate) fn any_stuck(&self, limit: Duration) -> bool {
        let limit_ms = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        let now_ms = self.now_ms();
        self.busy_since.iter().any(|since| match since.load(Ordering::Relaxed) {
            0 => false,
            since_ms => now_ms.saturating_sub(since_ms) > limit_ms,
        })
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis())
            .map_or(u64::MAX, |ms| ms.saturating_add(1))
    }
}

/// A job whose image is decoded.
struct Decoded {
    job: Job,
    queue_ms: f64,
    taken_at: Timestamp,
    decode_ms: f64,
    image: RgbImage,
}

impl Worker {
    fn serve(&mut self, batch: Vec<Job>) {
        let decoded: Vec<Decoded> = batch.into_iter().filter_map(|job| self.decode(job)).collect();
        let images: Vec<&RgbImage> = decoded.iter().map(|decoded| &decoded.image).collect();
        let began = Timestamp::now();
        let ends: Vec<InferenceEnd> = match self.detect(&images) {
            Ok(found) if found.len() == images.len() => found
                .into_iter()
                .zip(&images)
                .map(|(found, image)| InferenceEnd::Detected(image.size(), found))
                .collect(),
            Ok(found) => {
                let detail = format!("it gave {} answers to {} images", found.len(), images.len());
                images
                    .iter()
                    .map(|_| InferenceEnd::ModelFailed(Problem::model_failed(&detail)))
                    .collect()
            }
            Err(failure) if images.len() == 1 => {
                vec![InferenceEnd::ModelFailed(Problem::model_failed(failure.to_string()))]
            }
            // one of them is to blame: each alone tells which
            Err(_) => images.iter().map(|image| self.detect_alone(image)).collect(),
        };
        let run = Some(ModelRun { began, ended: Timestamp::now(), frames: images.len() });
        for (decoded, end) in decoded.into_iter().zip(ends) {
            let Decoded { job, queue_ms, taken_at, decode_ms, .. } = decoded;
            reply(job, Inference { queue_ms, taken_at, decode_ms: Some(decode_ms), run, end });
        }
    }

    /// `None` when the job has got its reply already.
    fn decode(&self, job: Job) -> Option<Decoded> {
        let now = Timestamp::now();
        let queue_ms = now.ms_since(job.envelope.sent_at);
        if let Some(end) = over(&job.envelope, now) {
            reply(job, Inference { queue_ms, taken_at: now, decode_ms: None, run: None, end });
            return None;
        }
        let started = Instant::now();
        let decoded =
            catch_unwind(AssertUnwindSafe(|| vision::decode(&job.message.payload, &self.limits)));
        let decode_ms = milliseconds(started.elapsed());
        let problem = match decoded {
            Ok(Ok(image)) => {
                return Some(Decoded { job, queue_ms, taken_at: now, decode_ms, image });
            }
            Ok(Err(error)) => error.problem(),
            Err(panic) => Problem::undecodable(format!(
                "the decoder panicked: {}",
                unit::panic_text(panic.as_ref())
            )),
        };
        reply(
            job,
            Inference {
                queue_ms,
                taken_at: now,
                decode_ms: Some(decode_ms),
                run: None,
                end: InferenceEnd::Undecodable(problem),
            },
        );
        None
    }

    fn detect_alone(&mut self, image: &RgbImage) -> InferenceEnd {
        match self.detect(&[image]).map(|mut found| found.pop()) {
            Ok(Some(found)) => InferenceEnd::Detected(image.size(), found),
            Ok(None) => InferenceEnd::ModelFailed(Problem::model_failed("it gave no answer")),
            Err(failure) => InferenceEnd::ModelFailed(Problem::model_failed(failure.to_string())),
        }
    }

    fn detect(&mut self, images: &[&RgbImage]) -> Result<Vec<ImageDetections>, ModelFailure> {
        if images.is_empty() {
            return Ok(Vec::new());
        }
        match catch_unwind(AssertUnwindSafe(|| self.session.detect(images))) {
            Ok(outcome) => outcome,
            Err(panic) => {
                // scratch buffers may be left half-written: start afresh
                match self.model.session() {
                    Ok(session) => self.session = session,
                    Err(error) => {
                        tracing::error!(%error, "no new session after a panic, going on with the \
                            old one")
                    }
                }
                Err(ModelFailure::Panicked(unit::panic_text(panic.as_ref()).to_owned()))
            }
        }
    }
}

fn reply(job: Job, outcome: Inference) {
    // nobody waits any more when the unit is being torn down; the frame is not committed then and
    // comes again
    let _ = job.reply.send(outcome);
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
