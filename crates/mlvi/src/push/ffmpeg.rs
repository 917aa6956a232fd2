//! Runs ffmpeg: it ends with whoever started it, and what it says is read while it runs.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Before every other argument. Lines have their level in them: `[error] …`.
pub(super) const QUIET: [&str; 5] =
    ["-nostdin", "-hide_banner", "-nostats", "-loglevel", "level+info"];
/// Of its last words, for the message if it fails.
const KEPT_LINES: usize = 8;
/// A longer line is cut in two.
const LONGEST_LINE: u64 = 4096;
/// How often its end is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Why ffmpeg does not run.
#[derive(Debug, thiserror::Error)]
pub(super) enum FfmpegError {
    #[error(
        "ffmpeg is not there: it reads and writes videos; apt-get install ffmpeg, or your \
         system's package of that name"
    )]
    Absent,
    #[error("ffmpeg cannot be started")]
    Unstartable(#[source] std::io::Error),
    #[error("ffmpeg: {0}")]
    Failed(String),
}

/// A running ffmpeg, which is killed with this.
pub(super) struct Ffmpeg {
    child: Mutex<Child>,
    said: Arc<Said>,
}

/// What it has said.
#[derive(Default)]
struct Said {
    heard: Mutex<Heard>,
    more: Condvar,
}

#[derive(Default)]
struct Heard {
    /// It says no more.
    is_all: bool,
    errors: VecDeque<String>,
    /// It has come to what it writes, in its list of streams.
    is_at_output: bool,
    rate: Option<f64>,
}

impl Ffmpeg {
    /// Starts it to write to a pipe.
    pub(super) fn reader(arguments: &[String]) -> Result<(Self, ChildStdout), FfmpegError> {
        let mut this = Self::start(arguments, Stdio::null(), Stdio::piped())?;
        let output = this.child_mut().stdout.take().ok_or_else(no_pipe)?;
        Ok((this, output))
    }

    /// Starts it to read from a pipe.
    pub(super) fn writer(arguments: &[String]) -> Result<(Self, ChildStdin), FfmpegError> {
        let mut this = Self::start(arguments, Stdio::piped(), Stdio::null())?;
        let input = this.child_mut().stdin.take().ok_or_else(no_pipe)?;
        Ok((this, input))
    }

    fn start(arguments: &[String], input: Stdio, output: Stdio) -> Result<Self, FfmpegError> {
        let child = Command::new("ffmpeg")
            .args(QUIET)
            .args(arguments)
            .stdin(input)
            .stdout(output)
            .stderr(Stdio::piped())
            // Ctrl-C is for us: it must not end what writes the last frames of a file
            .process_group(0)
            .spawn();
        let mut child = child.map_err(|error| match error.kind() {
            ErrorKind::NotFound => FfmpegError::Absent,
            _ => FfmpegError::Unstartable(error),
        })?;
        let said = Arc::new(Said::default());
        let errors = child.stderr.take().ok_or_else(no_pipe)?;
        let heard = Arc::clone(&said);
        std::thread::spawn(move || heard.listen(errors));
        Ok(Self { child: Mutex::new(child), said })
    }

    /// Ends it at once.
    pub(super) fn kill(&self) {
        // it may have ended by itself
        let _ = self.child().kill();
    }

    /// Waits for its end, at most so long; then it is killed.
    ///
    /// # Errors
    /// When it did not end well.
    pub(super) fn end(&self, at_most: Duration) -> Result<(), FfmpegError> {
        let started = Instant::now();
        let status = loop {
            let status = self.child().try_wait().map_err(FfmpegError::Unstartable)?;
            match status {
                Some(status) => break status,
                None if started.elapsed() < at_most => std::thread::sleep(LOOK_EVERY),
                None => {
                    self.kill();
                    let seconds = at_most.as_secs();
                    return Err(FfmpegError::Failed(format!("it did not end within {seconds} s")));
                }
            }
        };
        if status.success() {
            return Ok(());
        }
        Err(FfmpegError::Failed(self.last_words(status)))
    }

    /// Frames a second of what it writes, as it says before the first frame; waits for that.
    pub(super) fn rate(&self, at_most: Duration) -> Option<f64> {
        let heard = self.said.until(at_most, |heard| heard.rate.is_some());
        heard.rate
    }

    fn last_words(&self, status: ExitStatus) -> String {
        // its last words are read a moment after its end, if no child of its own keeps the pipe
        let heard = self.said.until(Duration::from_secs(1), |heard| heard.is_all);
        let ended = match (status.signal(), status.code()) {
            (Some(signal), _) => format!("it was ended by signal {signal}"),
            (None, code) => format!("it ended with code {}", code.unwrap_or_default()),
        };
        match heard.errors.back() {
            Some(error) => format!("{error} ({ended})"),
            None => ended,
        }
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn child_mut(&mut self) -> &mut Child {
        self.child.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Ffmpeg {
    fn drop(&mut self) {
        self.kill();
        // one that has ended is only waited for
        let _ = self.child().wait();
    }
}

impl Said {
    /// Reads to the end: what is not read would hold ffmpeg up one day.
    fn listen(&self, errors: ChildStderr) {
        let mut errors = BufReader::new(errors);
        let mut line = Vec::new();
        loop {
            line.clear();
            match errors.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => break,
                Ok(_) => self.lock().hear(String::from_utf8_lossy(&line).trim_end()),
            }
            self.more.notify_all();
        }
        self.lock().is_all = true;
        self.more.notify_all();
    }

    fn until(
        &self,
        at_most: Duration,
        is_enough: impl Fn(&Heard) -> bool,
    ) -> MutexGuard<'_, Heard> {
        let waits = |heard: &mut Heard| !heard.is_all && !is_enough(heard);
        let waited = self.more.wait_timeout_while(self.lock(), at_most, waits);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    fn lock(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Heard {
    fn hear(&mut self, line: &str) {
        for level in ["[error] ", "[fatal] ", "[panic] "] {
            let Some((_, words)) = line.split_once(level) else { continue };
            if self.errors.len() == KEPT_LINES {
                self.errors.pop_front();
            }
            self.errors.push_back(super::address::redacted(words.trim()));
        }
        self.is_at_output |= line.starts_with("[info] Output #0");
        if self.is_at_output && self.rate.is_none() && line.contains("Video: ") {
            self.rate = line.split(", ").find_map(|part| part.strip_suffix(" fps")?.parse().ok());
        }
    }
}

fn no_pipe() -> FfmpegError {
    FfmpegError::Failed("it has no pipe".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_output() {
        let mut heard = Heard::default();
        let stream = |rate: &str| {
            format!("[info]   Stream #0:0(eng): Video: mjpeg, yuvj420p(pc), 768x432, {rate} fps, x")
        };
        heard.hear(&stream("25"));
        heard.hear("[info] Output #0, mpjpeg, to 'pipe:1':");
        assert_eq!(heard.rate, None);
        heard.hear(&stream("12.50"));
        heard.hear(&stream("7"));
        assert_eq!(heard.rate, Some(12.5));
    }

    #[test]
    fn the_last_errors_are_kept_without_passwords() {
        let mut heard = Heard::default();
        for n in 0..20 {
            heard.hear(&format!("[tcp @ 0x5] [error] attempt {n}"));
        }
        heard.hear("[warning] a warning");
        heard.hear("[error] rtsp://u:secret@host/1: Connection refused");
        assert_eq!(heard.errors.len(), KEPT_LINES);
        assert_eq!(heard.errors.back().unwrap(), "rtsp://host/1: Connection refused");
    }
}
