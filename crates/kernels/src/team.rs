//! Threads that share the work on one input.

use std::sync::Arc;

/// One thread or several; clones share the threads.
#[derive(Clone)]
pub struct Team(Option<Arc<rayon::ThreadPool>>);

impl Team {
    /// The calling thread by itself.
    #[must_use]
    pub const fn alone() -> Self {
        Self(None)
    }

    /// So many threads, at least one; the calling thread waits for them.
    ///
    /// # Errors
    /// When the system gives no more threads.
    pub fn of(threads: usize) -> std::io::Result<Self> {
        if threads <= 1 {
            return Ok(Self::alone());
        }
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|index| format!("model-team-{index}"))
            .build()
            .map_err(std::io::Error::other)?;
        Ok(Self(Some(Arc::new(pool))))
    }

    /// How many threads there are.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.0.as_ref().map_or(1, |pool| pool.current_num_threads())
    }

    /// How many of `all` pieces to hand out at a time: several times to each thread, so that one
    /// that is held up does not hold up the others.
    #[must_use]
    pub fn share(&self, all: usize) -> usize {
        let times = if self.0.is_some() { 4 * self.threads() } else { 1 };
        all.div_ceil(times).max(1)
    }

    /// Does work on one of the threads, from where the others can join in without a wait.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        match &self.0 {
            None => work(),
            Some(pool) => pool.install(work),
        }
    }

    /// Does work on each of the items, in any order and at the same time.
    pub fn each<T: Send>(&self, items: Vec<T>, work: impl Fn(T) + Sync + Send) {
        match &self.0 {
            Some(pool) if items.len() > 1 => pool.install(|| {
                use rayon::prelude::*;
                items.into_par_iter().for_each(work);
            }),
            _ => items.into_iter().for_each(work),
        }
    }
}

impl std::fmt::Debug for Team {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Team({})", self.threads())
    }
}
