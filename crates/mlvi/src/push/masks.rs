//! What of a camera's pictures nobody may see, as the server tells it: for the pictures and videos
//! that are saved here.

use crate::server::ServerArgs;
use anyhow::Context;
use frame::CameraId;
use regions::Mask;
use serde::Deserialize;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use ureq::Agent;

/// How often they are read again: a mask that is set meanwhile holds from then on.
const READ_AGAIN: Duration = Duration::from_secs(5);
/// How long the server may take.
const ANSWER: Duration = Duration::from_secs(5);

/// One camera's masks. What was read last holds while the server is away. They are read on a thread
/// of their own, for no frame waits for a server that does not answer.
pub(super) struct Masks {
    read: Arc<Mutex<Arc<Vec<Mask>>>>,
    /// When it goes, the thread ends.
    _until: Sender<()>,
}

/// What asks the server.
struct Asking {
    agent: Agent,
    url: String,
    server: ServerArgs,
}

/// What the server says of a camera's regions, as far as it matters here.
#[derive(Deserialize)]
struct Told {
    masks: Vec<Mask>,
}

impl Masks {
    /// Reads them for the first time.
    ///
    /// # Errors
    /// When they cannot be read: then nobody knows what is to be hidden.
    pub(super) fn read(server: &ServerArgs, camera: &CameraId) -> anyhow::Result<Self> {
        Self::read_every(READ_AGAIN, server, camera)
    }

    fn read_every(pause: Duration, server: &ServerArgs, camera: &CameraId) -> anyhow::Result<Self> {
        let url = server.url(format_args!("/cameras/{camera}/regions"));
        let config = Agent::config_builder().timeout_global(Some(ANSWER));
        let asking = Asking { agent: server.agent(config)?, url, server: server.clone() };
        let masks = asking.ask().context(
            "nothing is saved, for nobody knows what is masked: --unmasked saves all the same",
        )?;
        let read = Arc::new(Mutex::new(Arc::new(masks)));
        let (until, over) = channel();
        let kept = Arc::clone(&read);
        std::thread::spawn(move || asking.go_on(pause, &over, &kept));
        Ok(Self { read, _until: until })
    }

    /// Those that hold now.
    pub(super) fn now(&self) -> Arc<Vec<Mask>> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Asking {
    /// Reads them again and again, until nobody wants to know.
    fn go_on(&self, pause: Duration, over: &Receiver<()>, kept: &Mutex<Arc<Vec<Mask>>>) {
        while let Err(RecvTimeoutError::Timeout) = over.recv_timeout(pause) {
            if let Ok(masks) = self.ask() {
                *kept.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(masks);
            }
        }
    }

    fn ask(&self) -> anyhow::Result<Vec<Mask>> {
        let Self { agent, url, server } = self;
        let asked = server.with_token(agent.get(url)).call();
        let mut answer = asked.map_err(|error| match error {
            ureq::Error::StatusCode(401 | 403) => anyhow::anyhow!(
                "{url}: masks are read, which needs a token with the right 'read' (mlvi token new \
                 --read)"
            ),
            ureq::Error::StatusCode(status) => anyhow::anyhow!("{url}: status {status}"),
            error => server.away(error, url),
        })?;
        let text = answer.body_mut().read_to_string().with_context(|| url.clone())?;
        let Told { masks } = serde_json::from_str(&text).with_context(|| url.clone())?;
        Ok(masks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};

    fn tell(mut stream: TcpStream, masks: &str) {
        let json = format!("{{\"masks\":[{masks}],\"zones\":[]}}");
        let length = json.len();
        assert!(stream.read(&mut [0; 4096]).unwrap() > 0);
        let head = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length:";
        stream.write_all(format!("{head} {length}\r\n\r\n{json}").as_bytes()).unwrap();
    }

    #[test]
    fn no_frame_waits_for_a_server_that_does_not_answer() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = ServerArgs::of(format!("http://{}/", listener.local_addr().unwrap()));
        let (told, asked) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            tell(listener.accept().unwrap().0, "");
            told.send(listener.accept().unwrap().0).unwrap();
            // whoever asks after that
            while let Ok((stream, _)) = listener.accept() {
                let _ = told.send(stream);
            }
        });
        let masks =
            Masks::read_every(Duration::from_millis(1), &server, &CameraId::unnamed()).unwrap();
        // it is asked again though no frame came, and does not answer yet
        let unanswered = asked.recv().unwrap();
        assert!(masks.now().is_empty());
        tell(unanswered, "{\"points\":[[0,0],[1,0],[1,1]]}");
        // the answer was taken in before the next question
        let _next = asked.recv().unwrap();
        assert_eq!(masks.now().len(), 1);
    }
}
