//! The threads that make pictures.

use crate::problem::RequestError;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{mpsc, oneshot};
use unit::panic_text;

/// Their names. Two, so that a picture that takes long does not hold up all others.
const NAMES: [&str; 2] = ["picture-0", "picture-1"];

type Work = Box<dyn FnOnce() + Send>;

/// The threads, which end when this is dropped.
pub(super) struct Threads {
    sender: mpsc::Sender<Work>,
    /// Taken by the threads when they start.
    receiver: Mutex<Option<mpsc::Receiver<Work>>>,
}

impl Threads {
    /// Threads of which at most `waiting` pictures wait at once.
    pub(super) fn new(waiting: usize) -> Self {
        let (sender, receiver) = mpsc::channel(waiting);
        Self { sender, receiver: Mutex::new(Some(receiver)) }
    }

    pub(super) fn start(
        &self,
        start: impl Fn(&'static str, Box<dyn FnOnce() + Send>) -> io::Result<()>,
    ) -> io::Result<()> {
        let receiver = self.receiver.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(receiver) = receiver else { return Ok(()) };
        let receiver = Arc::new(Mutex::new(receiver));
        for name in NAMES {
            let receiver = Arc::clone(&receiver);
            let run = move || {
                // the lock is held while waiting, so the other idle thread queues up behind it
                while let Some(work) =
                    { receiver.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv() }
                {
                    work();
                }
            };
            start(name, Box::new(run))?;
        }
        Ok(())
    }

    /// Does some work on one of the threads, unless whoever wants it has gone meanwhile. A panic is
    /// an error of this work alone.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, RequestError> {
        let (reply, outcome) = oneshot::channel();
        let work = Box::new(move || {
            if !reply.is_closed() {
                let done = catch_unwind(AssertUnwindSafe(work));
                // who has gone needs no answer
                let _ = reply.send(done.map_err(|panic| panic_text(panic.as_ref()).to_owned()));
            }
        });
        let stopped = || RequestError::ShuttingDown;
        self.sender.send(work).await.map_err(|_| stopped())?;
        outcome.await.map_err(|_| stopped())?.map_err(|panic| {
            RequestError::Internal(format!("making the picture panicked: {panic}"))
        })
    }
}

impl fmt::Debug for Threads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Threads").field("free", &self.sender.capacity()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread::JoinHandle;

    #[tokio::test]
    async fn a_panic_costs_one_picture_and_the_threads_end_with_their_owner() {
        let threads = Threads::new(4);
        let handles: Mutex<Vec<JoinHandle<()>>> = Mutex::default();
        threads
            .start(|name, run| {
                let thread = std::thread::Builder::new().name(name.into()).spawn(run)?;
                handles.lock().unwrap().push(thread);
                Ok(())
            })
            .unwrap();
        for _ in 0..2 * NAMES.len() {
            let refusal = threads
                .run(|| {
                    if true {
                        panic!("on purpose")
                    }
                })
                .await
                .unwrap_err();
            assert!(refusal.to_string().contains("on purpose"), "{refusal}");
        }
        let name = || std::thread::current().name().map(str::to_owned);
        let name = threads.run(name).await.unwrap().unwrap();
        assert!(NAMES.contains(&name.as_str()), "{name}");
        drop(threads);
        for handle in handles.into_inner().unwrap() {
            handle.join().unwrap();
        }
    }
}
