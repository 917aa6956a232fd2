//! Gathers jobs into batches: up to N of them, or what has come within T. While the model threads
//! are busy, cameras get the next places by their weights.

use crate::job::{Inference, InferenceEnd, Job, is_newest_first, over};
use frame::{FrameId, Newest, Timestamp};
use offload::FairQueue;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

/// How batches are made.
pub(crate) struct Gathering {
    /// A batch has no more jobs than this.
    pub(crate) max: usize,
    /// How long a batch that is not full waits for others.
    pub(crate) wait: Duration,
    /// So many jobs wait here; those behind them wait where they are.
    pub(crate) max_waiting: usize,
    /// Which frames are the newest of their cameras here.
    pub(crate) newest: Arc<Newest>,
}

impl Gathering {
    /// Hands batches on until the senders of `jobs` are gone. Everything is bounded, so a busy
    /// model holds the frames back.
    pub(crate) async fn run(self, mut jobs: mpsc::Receiver<Job>, batches: mpsc::Sender<Vec<Job>>) {
        let mut waiting = FairQueue::new(self.max_waiting.max(self.max));
        let mut are_more = true;
        // since when the next batch is gathered
        let mut since = Instant::now();
        while are_more || !waiting.is_empty() {
            if waiting.is_empty() {
                match jobs.recv().await {
                    Some(job) => put(&mut waiting, job),
                    None => return,
                }
                since = Instant::now();
            }
            let place = loop {
                tokio::select! {
                    place = batches.reserve() => break place,
                    job = jobs.recv(), if are_more && !waiting.is_full() => match job {
                        Some(job) => put(&mut waiting, job),
                        None => are_more = false,
                    },
                }
            };
            let Ok(place) = place else { return };
            let deadline = since + self.wait;
            while are_more && waiting.len() < self.max {
                match timeout_at(deadline, jobs.recv()).await {
                    Ok(Some(job)) => put(&mut waiting, job),
                    Ok(None) => are_more = false,
                    Err(_) => break,
                }
            }
            let batch = self.next(&mut waiting);
            since = Instant::now();
            if !batch.is_empty() {
                place.send(batch);
            }
        }
    }

    /// The next batch; jobs that no thread works on have their end.
    fn next(&self, waiting: &mut FairQueue<Job>) -> Vec<Job> {
        let (mut batch, mut left_out) = (Vec::new(), Vec::new());
        let now = Timestamp::now();
        while batch.len() < self.max {
            let job = waiting.pop(|job| self.end_of(job, now).is_some(), &mut left_out);
            let Some(job) = job else { break };
            batch.push(job);
        }
        for job in left_out {
            let Some(end) = self.end_of(&job, now) else {
                // which newer frame there was has been forgotten meanwhile
                batch.push(job);
                continue;
            };
            let queue_ms = now.ms_since(job.envelope.sent_at);
            // nobody waits any more when the unit is being torn down
            let inference = Inference { queue_ms, taken_at: now, decode_ms: None, run: None, end };
            let _ = job.reply.send(inference);
        }
        batch
    }

    /// How a job ends that no thread works on: it costs its camera nothing.
    fn end_of(&self, job: &Job, now: Timestamp) -> Option<InferenceEnd> {
        if let Some(newer) = self.overtook(job) {
            return Some(InferenceEnd::Overtaken(newer));
        }
        over(&job.envelope, now)
    }

    /// The frame that is served in place of this one.
    fn overtook(&self, job: &Job) -> Option<FrameId> {
        let envelope = job.envelope.as_ref();
        if !is_newest_first(envelope) {
            return None;
        }
        self.newest.overtook(&envelope.camera, envelope.received_at, envelope.frame_id)
    }
}

/// There is room: whoever calls has looked. A job without a place would lose its reply, and its
/// frame would come again.
fn put(waiting: &mut FairQueue<Job>, job: Job) {
    let (envelope, weight) = (Arc::clone(&job.envelope), job.weight());
    if waiting.push(&envelope.camera, weight, job).is_err() {
        tracing::error!("no room for a job where there was room");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use frame::{
        CameraId, Decision, Destination, Envelope, ImageFormat, ImageSize, Order, Prepared,
    };
    use frame_bus::Message;
    use tokio::sync::oneshot;

    fn gathering(max: usize, wait: Duration, newest: &Arc<Newest>) -> Gathering {
        Gathering { max, wait, max_waiting: 16, newest: Arc::clone(newest) }
    }

    fn job(sequence: u64) -> (Job, oneshot::Receiver<Inference>) {
        let unnamed = CameraId::unnamed();
        job_of(Envelope::received_now(unnamed, sequence, ImageFormat::Jpeg))
    }

    fn envelope(camera: &str, sequence: u64, weight: u32, order: Order) -> Envelope {
        let decision = Decision::new(Destination::Edge, "test", "test");
        let size = ImageSize { width: 8, height: 8 };
        let prepared = Prepared { weight, order, ..Prepared::now(size, decision) };
        Envelope {
            prepared: Some(prepared),
            received_at: Timestamp::from_micros(1_000_000 + sequence),
            ..Envelope::received_now(camera.parse().unwrap(), sequence, ImageFormat::Jpeg)
        }
    }

    fn job_of(envelope: Envelope) -> (Job, oneshot::Receiver<Inference>) {
        let (reply, outcome) = oneshot::channel();
        let message = Message {
            topic: String::new(),
            partition: 0,
            offset: 0,
            key: None,
            payload: Vec::new(),
            headers: Vec::new(),
            timestamp_ms: None,
        };
        (Job { envelope: Arc::new(envelope), message: Arc::new(message), reply }, outcome)
    }

    #[tokio::test]
    async fn a_full_batch_goes_at_once_and_a_part_of_one_after_the_wait() {
        let (jobs, incoming) = mpsc::channel(16);
        let (outgoing, mut batches) = mpsc::channel(1);
        let wait = Duration::from_millis(50);
        tokio::spawn(gathering(3, wait, &Arc::default()).run(incoming, outgoing));
        for sequence in 0..4 {
            jobs.send(job(sequence).0).await.unwrap_or_else(|_| panic!("the gatherer has ended"));
        }
        let numbers =
            |batch: Vec<Job>| batch.iter().map(|job| job.envelope.sequence).collect::<Vec<_>>();
        assert_eq!(numbers(batches.recv().await.unwrap()), [0, 1, 2]);
        let full_at = Instant::now();
        assert_eq!(numbers(batches.recv().await.unwrap()), [3]);
        // the wait began when the fourth job was taken up, at the latest when the full batch was
        // received
        assert!(full_at.elapsed() >= wait / 2, "it waited for others: {:?}", full_at.elapsed());
        drop(jobs);
        assert!(batches.recv().await.is_none());
    }

    #[tokio::test]
    async fn while_the_model_is_busy_cameras_take_turns_by_their_weights() {
        let (jobs, incoming) = mpsc::channel(16);
        let (outgoing, mut batches) = mpsc::channel(1);
        let gathering = gathering(1, Duration::ZERO, &Arc::default());
        let running = tokio::spawn(gathering.run(incoming, outgoing));
        for sequence in 0..8 {
            let job = job_of(envelope("flood", sequence, 1, Order::InOrder)).0;
            jobs.send(job).await.unwrap_or_else(|_| panic!("the gatherer has ended"));
        }
        for sequence in 0..4 {
            let job = job_of(envelope("gate", sequence, 2, Order::InOrder)).0;
            jobs.send(job).await.unwrap_or_else(|_| panic!("the gatherer has ended"));
        }
        drop(jobs);
        // the first has the place of the batch, the others wait until all have come
        while !running.is_finished() && batches.is_empty() {
            tokio::task::yield_now().await;
        }
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        let mut served = Vec::new();
        while let Some(batch) = batches.recv().await {
            served.extend(batch.iter().map(|job| job.envelope.camera.to_string()));
        }
        assert_eq!(served.len(), 12);
        let gates = served[..7].iter().filter(|camera| *camera == "gate").count();
        assert!(gates >= 3, "{served:?}");
    }

    #[tokio::test]
    async fn a_job_that_waits_is_overtaken_and_told_by_whom() {
        let (jobs, incoming) = mpsc::channel(16);
        let (outgoing, mut batches) = mpsc::channel(1);
        let newest = Arc::new(Newest::default());
        let mut replies = Vec::new();
        for sequence in 0..4 {
            let order = if sequence == 3 { Order::InOrder } else { Order::Newest };
            let camera = if sequence == 3 { "yard" } else { "gate" };
            let envelope = envelope(camera, sequence, 1, order);
            newest.came(&envelope.camera, envelope.received_at, envelope.frame_id);
            let id = envelope.frame_id;
            let (job, reply) = job_of(envelope);
            replies.push((id, reply));
            jobs.send(job).await.unwrap_or_else(|_| panic!("the queue is closed"));
        }
        drop(jobs);
        tokio::spawn(gathering(4, Duration::ZERO, &newest).run(incoming, outgoing));
        let batch = batches.recv().await.unwrap();
        let mut served: Vec<u64> = batch.iter().map(|job| job.envelope.sequence).collect();
        served.sort_unstable();
        assert_eq!(served, [2, 3]);
        let newer = replies[2].0;
        for (_, reply) in replies.into_iter().take(2) {
            let end = reply.await.unwrap().end;
            assert!(matches!(end, InferenceEnd::Overtaken(by) if by == newer));
        }
    }
}
