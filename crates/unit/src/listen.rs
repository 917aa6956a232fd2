//! Where a server listens: an address to bind, or a socket that is bound already.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// A place to listen on.
#[derive(Debug)]
pub enum Listen {
    /// Bind this address when the server starts.
    Address(SocketAddr),
    /// Use this socket: its port is known before the server starts, which tests and `mlvi up` need.
    Bound(TcpListener),
}

/// An address that cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} for {purpose}: {source}; is another process using that port?")]
pub struct ListenError {
    address: SocketAddr,
    purpose: String,
    source: io::Error,
}

impl Listen {
    /// A free port on the loopback interface, bound at once.
    ///
    /// # Errors
    /// When the machine has no free port.
    pub fn loopback() -> io::Result<(Self, SocketAddr)> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        Ok((Self::Bound(listener), address))
    }

    /// Binds the address now, so that its errors come early and its port is known.
    ///
    /// # Errors
    /// When the address cannot be bound; `purpose` is part of the message, e.g. `HTTP
    /// (MLVI_HTTP_LISTEN)`.
    pub fn bind_now(self, purpose: &str) -> Result<(Self, SocketAddr), ListenError> {
        let placeholder = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let (listener, address) = match self {
            Self::Bound(listener) => (Ok(listener), placeholder),
            Self::Address(address) => (TcpListener::bind(address), address),
        };
        let refuse = |source| ListenError { address, purpose: purpose.into(), source };
        let listener = listener.map_err(refuse)?;
        let address = listener.local_addr().map_err(refuse)?;
        Ok((Self::Bound(listener), address))
    }

    /// The listener for the async runtime that this is called in.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub fn into_tokio(self, purpose: &str) -> Result<tokio::net::TcpListener, ListenError> {
        let (bound, address) = self.bind_now(purpose)?;
        let Self::Bound(listener) = bound else {
            unreachable!("bind_now always gives a bound socket")
        };
        let listener = listener
            .set_nonblocking(true)
            .and_then(|()| tokio::net::TcpListener::from_std(listener));
        listener.map_err(|source| ListenError { address, purpose: purpose.into(), source })
    }
}
