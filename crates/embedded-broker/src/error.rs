//! Why a broker does not start or stop as it should.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// What keeps a broker from starting, or from writing everything down when it stops.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// The configuration cannot work.
    #[error("broker configuration: {0}")]
    Config(String),
    /// Another broker, in this process or another one, is using the directory.
    #[error("another broker is using {}", dir.display())]
    DirInUse {
        /// The directory.
        dir: PathBuf,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address as configured.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// A file of the directory cannot be read or written.
    #[error("{}: {source}", path.display())]
    Storage {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file of the directory is not what the broker writes.
    #[error("{}: {reason}; nothing has been changed. To go on: {advice}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
        /// What to do.
        advice: String,
    },
}

impl BrokerError {
    /// For `map_err` on file operations.
    pub(crate) fn storage(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        |source| Self::Storage { path, source }
    }
}
