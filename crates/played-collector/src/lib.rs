//! An OpenTelemetry Collector as tests need one: it takes OTLP over HTTP, remembers every span,
//! and answers as it is told to.

mod messages;
mod seen;

pub use seen::SeenSpan;

use prost::Message;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How requests are answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// All spans are taken.
    Taken,
    /// All but so many are.
    Rejecting(i64),
    /// None is, with this status.
    Status(u16),
    /// Not at all: the connection stays open.
    Never,
}

/// A collector that listens until it is dropped.
#[derive(Debug)]
pub struct Collector {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    answer: Answer,
    spans: Vec<SeenSpan>,
    requests: usize,
    /// The heads of requests, as they came.
    heads: Vec<String>,
    is_over: bool,
    /// Connections that get no answer.
    held: Vec<TcpStream>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Collector {
    /// Starts to listen.
    ///
    /// # Errors
    /// When the system gives no port or no thread.
    pub fn start(answer: Answer) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let state = State {
            answer,
            spans: Vec::new(),
            requests: 0,
            heads: Vec::new(),
            is_over: false,
            held: Vec::new(),
        };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let served = Arc::clone(&shared);
        thread::Builder::new().name("collector".into()).spawn(move || serve(&listener, &served))?;
        Ok(Self { address, shared })
    }

    /// What `OTEL_EXPORTER_OTLP_ENDPOINT` is set to.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on it answers so.
    pub fn set(&self, answer: Answer) {
        self.shared.state().answer = answer;
    }

    /// The spans that it has taken.
    #[must_use]
    pub fn spans(&self) -> Vec<SeenSpan> {
        self.shared.state().spans.clone()
    }

    /// How many requests there were, answered or not.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.shared.state().requests
    }

    /// The request line and headers of each request.
    #[must_use]
    pub fn heads(&self) -> Vec<String> {
        self.shared.state().heads.clone()
    }

    /// Waits until the spans that it has taken are as wanted, and gives them.
    ///
    /// # Panics
    /// When they are not within `patience`.
    pub fn wait_for(
        &self,
        patience: Duration,
        wanted: impl Fn(&[SeenSpan]) -> bool,
    ) -> Vec<SeenSpan> {
        let until = Instant::now() + patience;
        let mut state = self.shared.state();
        while !wanted(&state.spans) {
            let left = until.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "the spans are not as wanted: {:#?}", state.spans);
            (state, _) = self
                .shared
                .changed
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.spans.clone()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.shared.state().is_over = true;
        // wakes the thread that accepts
        drop(TcpStream::connect(self.address));
    }
}

fn serve(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming().flatten() {
        if shared.state().is_over {
            return;
        }
        let shared = Arc::clone(shared);
        // a broken connection is the client's matter
        thread::spawn(move || drop(converse(stream, &shared)));
    }
}

fn converse(stream: TcpStream, shared: &Shared) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Ok(());
        }
    }
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body)?;
    let mut stream = reader.into_inner();
    let mut state = shared.state();
    state.requests += 1;
    state.heads.push(head);
    let (status, answer) = match state.answer {
        Answer::Never => {
            state.held.push(stream);
            drop(state);
            shared.changed.notify_all();
            return Ok(());
        }
        Answer::Status(status) => (status, Vec::new()),
        Answer::Taken => (200, Vec::new()),
        Answer::Rejecting(spans) => (200, messages::rejecting(spans).encode_to_vec()),
    };
    let (status, answer) = match messages::Request::decode(body.as_slice()) {
        Ok(request) if status == 200 => {
            state.spans.extend(seen::of(request));
            (status, answer)
        }
        Ok(_) => (status, answer),
        // as the real one answers what it cannot read
        Err(_) => (400, Vec::new()),
    };
    drop(state);
    shared.changed.notify_all();
    write!(
        stream,
        "HTTP/1.1 {status} told\r\ncontent-type: application/x-protobuf\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n",
        answer.len()
    )?;
    stream.write_all(&answer)
}
