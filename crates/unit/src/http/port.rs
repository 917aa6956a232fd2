//! Where a server takes connections, and what they begin with.

use super::takeover::Duplex;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};

/// A connection, encrypted or not.
pub(super) type AnyStream = Box<dyn Duplex>;

/// What a connection begins with. A trait, so that units without TLS do not have rustls's server
/// in them.
pub(super) trait Handshake: fmt::Debug + Send + Sync {
    fn shake(
        self: Arc<Self>,
        stream: TcpStream,
    ) -> Pin<Box<dyn Future<Output = io::Result<AnyStream>> + Send>>;
}

/// A listener, with or without TLS.
#[derive(Debug)]
pub struct Port {
    pub(super) listener: TcpListener,
    pub(super) handshake: Option<Arc<dyn Handshake>>,
}

impl From<TcpListener> for Port {
    /// Without TLS.
    fn from(listener: TcpListener) -> Self {
        Self { listener, handshake: None }
    }
}

impl Port {
    /// The same with TLS.
    #[must_use]
    pub fn with_tls(self, tls: super::Tls) -> Self {
        Self { handshake: Some(Arc::new(tls)), ..self }
    }
}
