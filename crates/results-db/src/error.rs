//! What can go wrong with a database.

/// Why a database did not do what it was asked for.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DbError {
    /// It does not answer, refuses the login, or went away: waiting may help.
    #[error("the database is away: {reason}")]
    Away {
        /// As the database or the network says it.
        reason: String,
    },
    /// Its disk is full, or it may not write: waiting may help.
    #[error("the database cannot write: {reason}")]
    Full {
        /// As the database says it.
        reason: String,
    },
    /// It has tables, but not ours.
    #[error(
        "{place} belongs to another program: name an empty database, or one that \
         results-store has made"
    )]
    Foreign {
        /// The file, or the database's name.
        place: String,
    },
    /// There is nothing to read yet.
    #[error("{place} holds no results yet: results-store makes its tables when it starts")]
    Empty {
        /// The file, or the database's name.
        place: String,
    },
    /// A later MLVI has changed its tables.
    #[error(
        "its tables are of version {found}, and this program knows versions up to {known}: run \
         the newer MLVI"
    )]
    Newer {
        /// The database's.
        found: u32,
        /// The newest that is known here.
        known: u32,
    },
    /// A statement took longer than one may ([`crate::READ_LIMIT`] for a reader's): a narrower one
    /// may be answered.
    #[error("the database took too long")]
    TooSlow,
    /// It refuses a statement: a fault of this program, or rights that are missing.
    #[error("the database refuses: {reason}")]
    Refused {
        /// As the database says it.
        reason: String,
    },
}

impl DbError {
    /// Whether the same may succeed later without anybody's help but the database's.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Away { .. } | Self::Full { .. } | Self::Empty { .. } | Self::TooSlow => true,
            Self::Foreign { .. } | Self::Newer { .. } | Self::Refused { .. } => false,
        }
    }
}
