//! A camera on a WebSocket: frames come in, results go out.
//!
//! Every binary message is one frame, every answer a text message with a JSON object. The text
//! `end` asks for the summary. What waits to be sent is bounded: a client that does not read is
//! disconnected.

use crate::app::App;
use crate::jobs::Finished;
use crate::pending::Hold;
use crate::streams::counted::{Counted, Incoming};
use crate::streams::open::Open;
use crate::streams::options::Options;
use crate::streams::session::{Cut, Event, Session};
use crate::streams::tally::{Ending, Length, Reason};
use bytes::Bytes;
use frame::{CameraId, FrameId, MAX_FRAME_BYTES, Timestamp, TraceParent};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use std::collections::HashMap;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::{MissedTickBehavior, interval_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};
use unit::http::{Connection, Duplex};

/// What may wait to be sent: some seconds of results.
const MAX_OUTGOING: usize = 256;
/// Below the 30 to 60 s after which proxies drop a silent connection.
const PING_EVERY: Duration = Duration::from_secs(15);
/// A client that has not even answered pings for so long is gone.
const SILENCE: Duration = Duration::from_secs(60);
/// How long the two ends may take to say goodbye.
const LINGER: Duration = Duration::from_secs(2);
/// What the end of a stream is asked for with.
const END: &str = "end";

type Socket = WebSocketStream<Counted>;

/// Why a conversation is over.
enum Over {
    /// The server says so, with this code.
    Closes(CloseCode, &'static str),
    /// The client has closed it, or is gone.
    Gone,
}

struct Conversation {
    app: Arc<App>,
    camera: CameraId,
    session: Session,
    hold: Hold,
    /// The message that is coming in.
    incoming: Incoming,
    outgoing: mpsc::Sender<Message>,
    /// The frames in flight, with their numbers and whether a provisional result was told.
    flying: HashMap<FrameId, (u64, bool)>,
    number: u64,
    bytes: u64,
    began: Instant,
    wait: Duration,
    open: Open,
}

/// Serves the WebSocket to its end.
pub(crate) async fn converse(
    app: Arc<App>,
    camera: CameraId,
    options: Options,
    trace: TraceParent,
    connection: Connection,
    open: Open,
) -> Option<Box<dyn Duplex>> {
    let limits = WebSocketConfig::default()
        .max_message_size(Some(MAX_FRAME_BYTES))
        .max_frame_size(Some(MAX_FRAME_BYTES))
        // what is sent is small, and at once
        .write_buffer_size(0);
    let Connection { stream, read } = connection;
    let (stream, incoming) = Counted::new(stream, app.room.hold());
    let socket =
        WebSocketStream::from_partially_read(stream, read.into(), Role::Server, Some(limits)).await;
    let (sink, messages) = socket.split();
    let (outgoing, queue) = mpsc::channel(MAX_OUTGOING);
    let write_timeout = app.limits.write_timeout;
    let conversation = Conversation {
        hold: app.room.hold(),
        incoming,
        wait: options.wait,
        session: Session::new(app.clone(), options, trace),
        app,
        camera,
        outgoing,
        flying: HashMap::new(),
        number: 0,
        bytes: 0,
        began: Instant::now(),
        open,
    };
    // whoever ends first ends the other: the writer by its queue, the reader by the sender
    let (messages, sink) =
        tokio::join!(conversation.run(messages), write(sink, queue, write_timeout));
    sink.reunite(messages).ok().map(|socket| socket.into_inner().into_inner())
}

/// Sends what is queued; ends when the client does not take it.
async fn write(
    mut sink: SplitSink<Socket, Message>,
    mut queue: mpsc::Receiver<Message>,
    timeout: Duration,
) -> SplitSink<Socket, Message> {
    while let Some(message) = queue.recv().await {
        let is_last = matches!(message, Message::Close(_));
        let sent = tokio::time::timeout(timeout, sink.send(message)).await;
        if is_last || !matches!(sent, Ok(Ok(()))) {
            break;
        }
    }
    // answers a client's own end
    let _ = tokio::time::timeout(LINGER, sink.close()).await;
    sink
}

impl Conversation {
    async fn run(mut self, mut messages: SplitStream<Socket>) -> SplitStream<Socket> {
        let over = self.talk(&mut messages).await;
        if let Over::Closes(code, reason) = over {
            let frame = CloseFrame { code, reason: reason.into() };
            // no room: the client does not read, and has to do without
            let _ = self.outgoing.try_send(Message::Close(Some(frame)));
            // what the client still sends is read, or the kernel would take back what it has not
            // read yet
            let rest = async { while let Some(Ok(_)) = messages.next().await {} };
            let _ = tokio::time::timeout(LINGER, rest).await;
        }
        messages
    }

    async fn talk(&mut self, messages: &mut SplitStream<Socket>) -> Over {
        let app = self.app.clone();
        let mut head = app.store.head();
        let mut beat = interval_at(tokio::time::Instant::now() + PING_EVERY, PING_EVERY);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut heard = Instant::now();
        loop {
            // fewer than before, or as many as the message that has just come
            let _ = self.hold.set(self.session.waiting_bytes());
            let reads = self.session.takes_more();
            if !reads {
                // nobody listens meanwhile
                heard = Instant::now();
            }
            // the writer is in the same task: what is told has to get out
            if self.outgoing.capacity() < MAX_OUTGOING / 2 {
                tokio::task::yield_now().await;
            }
            let outcome = tokio::select! {
                () = app.shutdown.cancelled() => {
                    let told = self.sum_up(Ending::Shutdown);
                    told.and(Err(Over::Closes(CloseCode::Away, "the server is shutting down")))
                }
                () = self.open.lapsed() => {
                    let told = self.sum_up(Ending::RightOver);
                    told.and(Err(Over::Closes(CloseCode::Policy, "the right to send is over")))
                }
                event = self.session.next() => self.tell(event),
                Ok(()) = head.changed() => self.tell_provisional(),
                _ = beat.tick() => {
                    if reads && heard.elapsed() > SILENCE {
                        return Over::Gone;
                    }
                    self.send(Message::Ping(Bytes::new()))
                }
                () = self.outgoing.closed() => return Over::Gone,
                message = messages.next(), if reads => {
                    heard = Instant::now();
                    if matches!(message, Some(Ok(Message::Binary(_) | Message::Text(_)))) {
                        self.incoming.is_whole();
                    }
                    match message {
                        Some(Ok(Message::Binary(bytes))) => self.take(bytes),
                        Some(Ok(Message::Text(text))) if text.trim() == END => {
                            return self.end().await.err().unwrap_or(Over::Gone);
                        }
                        Some(Ok(Message::Text(_))) => {
                            let allowed = "frames are binary messages; the text 'end' ends them";
                            Err(Over::Closes(CloseCode::Unsupported, allowed))
                        }
                        Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Ok(()),
                        Some(Err(Error::Capacity(_))) => {
                            Err(Over::Closes(CloseCode::Size, "a frame has at most 8 MiB"))
                        }
                        Some(Err(Error::Io(error))) if error.kind() == ErrorKind::OutOfMemory => {
                            Err(Over::Closes(CloseCode::Again, "there is no room for the message"))
                        }
                        Some(Err(Error::Protocol(_) | Error::Utf8(_))) => {
                            Err(Over::Closes(CloseCode::Protocol, "this is no WebSocket"))
                        }
                        Some(Ok(Message::Close(_)) | Err(_)) | None => return Over::Gone,
                    }
                }
            };
            if let Err(over) = outcome {
                return over;
            }
        }
    }

    /// Takes a message that is a frame.
    fn take(&mut self, bytes: Bytes) -> Result<(), Over> {
        let (received_at, started) = (Timestamp::now(), Instant::now());
        let number = self.number;
        self.number += 1;
        self.bytes += bytes.len() as u64;
        let dropped = match self.hold.set(self.session.waiting_bytes() + bytes.len()) {
            Ok(()) => {
                self.session.offer(Cut { number, sequence: None, bytes, received_at, started })
            }
            Err(full) => Some(self.session.drop_frame(number, Reason::of(&full.into()))),
        };
        dropped.map_or(Ok(()), |event| self.tell(event))
    }

    /// Tells what became of a frame.
    fn tell(&mut self, event: Event) -> Result<(), Over> {
        match event {
            Event::Accepted { number, frame_id } => {
                self.flying.insert(frame_id, (number, false));
                let accepted = json!({"type": "accepted", "frame": number, "frame_id": frame_id});
                self.send(Message::text(accepted.to_string()))?;
                self.tell_provisional()
            }
            Event::Dropped { number, reason } => {
                let dropped =
                    json!({"type": "dropped", "frame": number, "reason": reason.as_str()});
                self.send(Message::text(dropped.to_string()))
            }
            Event::Finished { number, result } => {
                self.flying.remove(&result.frame_id);
                self.send(result_message("result", number, &result))
            }
            Event::Lost { frame_id } => {
                self.flying.remove(&frame_id);
                Ok(())
            }
        }
    }

    /// Tells what the edge has found since it was last asked.
    fn tell_provisional(&mut self) -> Result<(), Over> {
        let store = &self.app.store;
        let untold = self.flying.iter_mut().filter(|(_, (_, is_told))| !is_told);
        let found = untold.filter_map(|(id, (number, is_told))| {
            let provisional = store.provisional(*id)?;
            *is_told = true;
            Some(result_message("provisional", *number, &provisional))
        });
        let found: Vec<Message> = found.collect();
        found.into_iter().try_for_each(|message| self.send(message))
    }

    /// The client has sent everything: waits for the last results.
    async fn end(&mut self) -> Result<(), Over> {
        let app = self.app.clone();
        let mut head = app.store.head();
        let limit = tokio::time::sleep(self.wait);
        tokio::pin!(limit);
        let mut ended_by = Ending::Complete;
        while !self.session.is_idle() {
            tokio::select! {
                event = self.session.next() => self.tell(event)?,
                Ok(()) = head.changed() => self.tell_provisional()?,
                () = self.outgoing.closed() => return Err(Over::Gone),
                () = &mut limit => break,
                () = app.shutdown.cancelled() => {
                    ended_by = Ending::Shutdown;
                    break;
                }
            }
        }
        self.sum_up(ended_by)?;
        Err(Over::Closes(CloseCode::Normal, "that is all"))
    }

    fn sum_up(&mut self, ended_by: Ending) -> Result<(), Over> {
        self.session.give_up();
        let length = Length { duration: self.began.elapsed(), bytes: self.bytes, skipped_bytes: 0 };
        let summary = self.session.tally().summary(self.camera.clone(), ended_by, length);
        let end = json!({"type": "end", "summary": summary});
        self.send(Message::text(end.to_string()))
    }

    fn send(&self, message: Message) -> Result<(), Over> {
        self.outgoing.try_send(message).map_err(|error| match error {
            TrySendError::Full(_) => {
                tracing::info!(camera = %self.camera, "a websocket's client does not read");
                Over::Gone
            }
            TrySendError::Closed(_) => Over::Gone,
        })
    }
}

/// The result is JSON already.
fn result_message(kind: &str, number: u64, result: &Finished) -> Message {
    let json = &result.json;
    Message::text(format!(r#"{{"type":"{kind}","frame":{number},"result":{json}}}"#))
}
