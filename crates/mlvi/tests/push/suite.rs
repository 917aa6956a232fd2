//! A stand-in for the suite: takes streams, and finds a person in every frame.

use frame::{
    BoundingBox, Decision, Destination, Detection, Envelope, ImageFormat, ImageSize, ModelInfo,
    ServedBy,
};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// The size of every frame that the stand-in for ffmpeg writes.
pub(crate) const SIZE: ImageSize = ImageSize { width: 64, height: 48 };

const NO_REGIONS: &str = "{\"masks\":[],\"zones\":[]}";
/// How often it says something where there are no results, in seconds: whoever misses three of that
/// takes it for gone, also when the machine is only busy.
const KEEP_ALIVE: f64 = 10.0;
/// One that vanishes, which is to be noticed soon.
const SHORT_KEEP_ALIVE: f64 = 0.5;

/// Listens until the process ends.
#[derive(Clone)]
pub(crate) struct Suite {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// It shuts down when so many frames have come.
    most: Option<usize>,
    /// When so many frames have come, the connections of before are neither read nor written to any
    /// more, and stay open, as when a cable is pulled.
    mute_at: Option<usize>,
    /// How often it says something, in place of [`KEEP_ALIVE`].
    keep_alive: Option<f64>,
    /// Every camera's regions, as the server tells them; without, it does not know of any.
    regions: Option<String>,
    seen: Mutex<Seen>,
    changed: Condvar,
}

#[derive(Default)]
struct Seen {
    /// Camera and number of each frame.
    frames: Vec<(String, u64)>,
    results: Vec<(String, String)>,
    is_over: bool,
}

impl Suite {
    pub(crate) fn start() -> Self {
        Self::ending_after(None)
    }

    /// One that shuts down at the frame with that number.
    pub(crate) fn ending_after(most: Option<usize>) -> Self {
        Self::with(State { most, ..State::default() })
    }

    /// One that vanishes at the frame with that number, and is there again for whoever connects
    /// anew.
    pub(crate) fn vanishing_after(frames: usize) -> Self {
        let keep_alive = Some(SHORT_KEEP_ALIVE);
        Self::with(State { mute_at: Some(frames), keep_alive, ..State::default() })
    }

    /// One with these regions for every camera.
    pub(crate) fn with_regions(json: &str) -> Self {
        Self::with(State { regions: Some(json.into()), ..State::default() })
    }

    fn with(state: State) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State { regions: state.regions.or(Some(NO_REGIONS.into())), ..state });
        let suite = Self { address, state: state.clone() };
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let state = state.clone();
                std::thread::spawn(move || answer(stream.unwrap(), &state));
            }
        });
        suite
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Camera and number of each frame that has come.
    pub(crate) fn frames(&self) -> Vec<(String, u64)> {
        self.state.seen.lock().unwrap().frames.clone()
    }

    /// Waits until so many frames have come.
    pub(crate) fn until(&self, frames: usize) {
        let seen = self.state.seen.lock().unwrap();
        drop(self.state.changed.wait_while(seen, |seen| seen.frames.len() < frames).unwrap());
    }
}

fn answer(stream: TcpStream, state: &State) {
    let mut input = BufReader::new(stream.try_clone().unwrap());
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if input.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        if line.trim().is_empty() {
            break;
        }
        head.push(line.trim().to_owned());
    }
    let path = head[0].split(' ').nth(1).unwrap().to_owned();
    if path.ends_with("/regions") {
        let _ = send_regions(stream, state);
        return;
    }
    // whoever asks may be gone
    let _ = match path.split_once("/results?camera=") {
        Some((_, camera)) => send_results(stream, state, camera),
        None => {
            assert!(head.iter().any(|line| line.contains("multipart/x-mixed-replace")), "{head:?}");
            let camera = path.split('/').nth(2).unwrap().to_owned();
            take_frames(stream, input, state, &camera)
        }
    };
}

impl State {
    /// Whether a connection that was there when `born` frames had come goes on no further.
    fn is_mute(&self, born: usize, seen: &Seen) -> bool {
        self.mute_at.is_some_and(|at| born < at && seen.frames.len() >= at)
    }
}

/// Holds a connection for ever.
fn vanish() -> ! {
    loop {
        std::thread::park();
    }
}

fn send_regions(mut stream: TcpStream, state: &State) -> std::io::Result<()> {
    let json = state.regions.as_deref().unwrap_or_default();
    let (status, length) =
        if json.is_empty() { ("404 Not Found", 0) } else { ("200 OK", json.len()) };
    let head =
        format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all(&[head.as_bytes(), json.as_bytes()].concat())
}

fn send_results(mut stream: TcpStream, state: &State, camera: &str) -> std::io::Result<()> {
    let keep_alive = state.keep_alive.unwrap_or(KEEP_ALIVE);
    stream.write_all(
        format!(
            "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: text/event-stream\r\n\
             mlvi-keep-alive: {keep_alive}\r\n\r\n: hello\n"
        )
        .as_bytes(),
    )?;
    let (mut sent, born) = (0, state.seen.lock().unwrap().frames.len());
    loop {
        let seen = state.seen.lock().unwrap();
        let waits = |seen: &mut Seen| seen.results.len() <= sent && !seen.is_over;
        let every = Duration::from_secs_f64(keep_alive);
        let (seen, _) = state.changed.wait_timeout_while(seen, every, waits).unwrap();
        let (fresh, is_over) = (seen.results[sent..].to_vec(), seen.is_over);
        let is_mute = state.is_mute(born, &seen);
        drop(seen);
        if is_mute {
            vanish();
        }
        if fresh.is_empty() {
            stream.write_all(b":\n\n")?;
        }
        sent += fresh.len();
        for (_, json) in fresh.iter().filter(|(of, _)| of == camera) {
            stream.write_all(format!("event: result\nid: x\ndata: {json}\n\n").as_bytes())?;
        }
        if is_over && fresh.is_empty() {
            return Ok(());
        }
    }
}

fn take_frames(
    mut stream: TcpStream,
    input: BufReader<TcpStream>,
    state: &State,
    camera: &str,
) -> std::io::Result<()> {
    let mut body = BufReader::new(Chunks { input, left: 0 });
    let (mut is_over, mut seen_any) = (false, false);
    let born = state.seen.lock().unwrap().frames.len();
    while let Some((number, jpeg)) = part(&mut body)? {
        assert!(jpeg.starts_with(b"\xFF\xD8"));
        seen_any = true;
        let mut seen = state.seen.lock().unwrap();
        seen.frames.push((camera.to_owned(), number));
        seen.results.push((camera.to_owned(), result(camera, number)));
        is_over = state.most == Some(seen.frames.len());
        seen.is_over |= is_over;
        state.changed.notify_all();
        let is_mute = state.is_mute(born, &seen);
        drop(seen);
        if is_mute {
            vanish();
        }
        if is_over {
            break;
        }
    }
    if !seen_any {
        return stream.write_all(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\nempty");
    }
    let ended_by = if is_over { "shutdown" } else { "complete" };
    let text = format!("{{\"ended_by\":\"{ended_by}\"}}");
    let length = text.len();
    stream.write_all(
        format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{text}")
            .as_bytes(),
    )
}

/// A frame with its number.
fn part(body: &mut impl BufRead) -> std::io::Result<Option<(u64, Vec<u8>)>> {
    let (mut number, mut length) = (None, None);
    loop {
        let mut line = String::new();
        if body.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let told = |name| line.strip_prefix(name).map(|value: &str| value.trim().parse().unwrap());
        number = number.or_else(|| told("MLVI-Sequence:"));
        length = length.or_else(|| told("Content-Length:"));
        if let (true, Some(number), Some(length)) = (line.trim().is_empty(), number, length) {
            let mut jpeg = vec![0; usize::try_from(length).unwrap()];
            body.read_exact(&mut jpeg)?;
            return Ok(Some((number, jpeg)));
        }
    }
}

fn result(camera: &str, sequence: u64) -> String {
    let bounding_box = BoundingBox { x: 8.0, y: 6.0, width: 20.0, height: 30.0 };
    let person = Detection {
        class: "person".into(),
        class_id: 0,
        confidence: 0.75,
        bounding_box,
        zones: None,
    };
    let camera = camera.parse().unwrap();
    let envelope = Envelope::received_now(camera, sequence, ImageFormat::Jpeg);
    let (name, version, input) = ("none".into(), String::new(), "1x1".into());
    let model = ModelInfo { name, version, input, resize: None };
    let timings = envelope.timings();
    let mut result = envelope.done(vec![person], model, ServedBy::default(), timings);
    result.image = Some(SIZE);
    result.decision = Some(Decision::new(Destination::Edge, "r", "p"));
    String::from_utf8(result.to_json()).unwrap()
}

/// A body in chunks.
struct Chunks<R> {
    input: R,
    left: usize,
}

impl<R: BufRead> Read for Chunks<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while self.left == 0 {
            let mut line = String::new();
            if self.input.read_line(&mut line)? == 0 {
                return Ok(0);
            }
            match (line.trim(), usize::from_str_radix(line.trim(), 16)) {
                // behind the chunk before
                ("", _) => {}
                (_, Ok(0)) => return Ok(0),
                (_, length) => self.left = length.unwrap(),
            }
        }
        let most = buffer.len().min(self.left);
        let count = self.input.read(&mut buffer[..most])?;
        self.left -= count;
        Ok(count)
    }
}
