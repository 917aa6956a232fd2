//! A unit asks the process of the same unit how it is: a health check for images that have no shell
//! and no HTTP client.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// The admin port answers from memory: one that takes longer than this does not answer at all.
const PATIENCE: Duration = Duration::from_secs(5);
/// An answer is some lines of text; more than this is not ours.
const LONGEST_ANSWER_BYTES: u64 = 64 * 1024;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    /// Does it take work: `/readyz`.
    Ready,
    /// Do its loops go on: `/livez`.
    Live,
}

impl Question {
    fn path(self) -> &'static str {
        match self {
            Self::Ready => "/readyz",
            Self::Live => "/livez",
        }
    }
}

/// What the admin port said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) yes: bool,
    /// The lines that explain it.
    pub(crate) text: String,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) struct NoAnswer {
    address: SocketAddr,
    source: io::Error,
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the admin port {} (MLVI_ADMIN_LISTEN) does not answer: {}",
            self.address, self.source
        )
    }
}

/// Asks the process that listens on `admin`.
pub(crate) fn ask(admin: SocketAddr, question: Question) -> Result<Answer, NoAnswer> {
    let address = reachable(admin);
    exchange(address, question).map_err(|source| NoAnswer { address, source })
}

/// A listener on every interface is asked on the loopback one.
fn reachable(admin: SocketAddr) -> SocketAddr {
    let ip = match admin.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, admin.port())
}

fn exchange(address: SocketAddr, question: Question) -> io::Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "GET {} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n",
        question.path()
    )?;
    let mut bytes = Vec::new();
    stream.take(LONGEST_ANSWER_BYTES).read_to_end(&mut bytes)?;
    let answer = String::from_utf8_lossy(&bytes);
    let unexpected =
        || io::Error::new(io::ErrorKind::InvalidData, "what came is not an HTTP answer");
    let (head, text) = answer.split_once("\r\n\r\n").ok_or_else(unexpected)?;
    let status = head
        .strip_prefix("HTTP/1.")
        .and_then(|rest| rest.split(' ').nth(1))
        .ok_or_else(unexpected)?;
    Ok(Answer { yes: status == "200", text: text.trim_end().to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Faults, Listen, Shell, ShellConfig};
    use frame::ServedBy;
    use tokio_util::sync::CancellationToken;

    async fn asked(admin: SocketAddr, question: Question) -> Result<Answer, NoAnswer> {
        tokio::task::spawn_blocking(move || ask(admin, question)).await.unwrap()
    }

    #[tokio::test]
    async fn it_hears_what_the_admin_port_says() {
        let (admin, address) = Listen::loopback().unwrap();
        let config = ShellConfig {
            identity: ServedBy::default(),
            admin,
            drain: Duration::ZERO,
            faults: Faults::default(),
            traces: None,
        };
        let shell = Shell::start(config, &CancellationToken::new()).await.unwrap();
        let model = shell.health.condition("model");
        shell.conditions_added();
        let answer = asked(address, Question::Ready).await.unwrap();
        assert!(!answer.yes && answer.text.contains("not ready  model: starting"), "{answer:?}");
        model.ready();
        let everywhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port()));
        assert!(asked(everywhere, Question::Ready).await.unwrap().yes);
        let _stalled = shell.health.heartbeat("loop", Duration::ZERO);
        // overdue as soon as the clock has moved
        while asked(address, Question::Live).await.unwrap().yes {}
        assert!(
            asked(address, Question::Ready).await.unwrap().yes,
            "to be ready is another question"
        );
    }

    #[test]
    fn a_port_where_nothing_listens_is_named() {
        let (listen, address) = Listen::loopback().unwrap();
        drop(listen);
        let error = ask(address, Question::Live).unwrap_err().to_string();
        assert!(
            error.contains(&address.to_string()) && error.contains("MLVI_ADMIN_LISTEN"),
            "{error}"
        );
    }
}
