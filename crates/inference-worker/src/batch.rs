//! Gathers jobs into batches: up to N of them, or what has come within T.

use crate::job::Job;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

/// Hands batches on until the senders of `jobs` are gone. Both channels are bounded, so a busy
/// model holds the frames back.
pub(crate) async fn gather(
    mut jobs: mpsc::Receiver<Job>,
    batches: mpsc::Sender<Vec<Job>>,
    max: usize,
    wait: Duration,
) {
    while let Some(first) = jobs.recv().await {
        let deadline = Instant::now() + wait;
        let mut batch = vec![first];
        while batch.len() < max {
            match timeout_at(deadline, jobs.recv()).await {
                Ok(Some(job)) => batch.push(job),
                Ok(None) | Err(_) => break,
            }
        }
        if batches.send(batch).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Inference;
    use frame::{CameraId, Envelope, ImageFormat};
    use frame_bus::Message;
    use std::sync::Arc;
    use tokio::sync::oneshot;

    fn job(sequence: u64) -> (Job, oneshot::Receiver<Inference>) {
        let envelope = Envelope::received_now(CameraId::unnamed(), sequence, ImageFormat::Jpeg);
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
        tokio::spawn(gather(incoming, outgoing, 3, wait));
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
}
