//! Where the database is.

use settings::Settings;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

const URL: &str = "MLVI_DATABASE_URL";
const PASSWORD_FILE: &str = "MLVI_DATABASE_PASSWORD_FILE";
const CA_FILE: &str = "MLVI_DATABASE_CA_FILE";

/// A database by its address: `postgres://USER@HOST:PORT/NAME` or `sqlite:PATH`.
///
/// Never shows a password.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A PostgreSQL server.
    Postgres {
        /// As `tokio-postgres` reads it, with `sslmode=disable|prefer|require`.
        url: String,
        /// What the server's certificate is checked by, PEM; `None`: no TLS.
        ca_file: Option<PathBuf>,
        /// A file with the password, which wins over one in the address; read at each connection,
        /// so that it may change.
        password_file: Option<PathBuf>,
    },
    /// A file of SQLite's.
    Sqlite(PathBuf),
}

/// A text that is no address of a database.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("it is neither postgres://USER@HOST:PORT/NAME nor sqlite:PATH: {0}")]
pub struct InvalidDatabaseUrl(String);

impl FromStr for DatabaseUrl {
    type Err = InvalidDatabaseUrl;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(path) = text.strip_prefix("sqlite:") {
            if path.is_empty() {
                return Err(InvalidDatabaseUrl("the path is missing".into()));
            }
            return Ok(Self::Sqlite(path.into()));
        }
        if !(text.starts_with("postgres://") || text.starts_with("postgresql://")) {
            return Err(InvalidDatabaseUrl("the scheme is another one".into()));
        }
        let config = tokio_postgres::Config::from_str(text)
            .map_err(|error| InvalidDatabaseUrl(crate::postgres::words(&error)))?;
        if config.get_hosts().is_empty() {
            return Err(InvalidDatabaseUrl("the host is missing".into()));
        }
        if config.get_dbname().is_none() {
            return Err(InvalidDatabaseUrl("the database's name is missing".into()));
        }
        Ok(Self::Postgres { url: text.to_owned(), ca_file: None, password_file: None })
    }
}

impl fmt::Display for DatabaseUrl {
    /// Without user and password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres { url, .. } => {
                let after_scheme = url.split_once("://").map_or("", |(_, rest)| rest);
                let end = after_scheme.find(['?', '#']).unwrap_or(after_scheme.len());
                let place = &after_scheme[..end];
                let host = place.rfind('@').map_or(place, |at| &place[at + 1..]);
                write!(f, "postgres://{host}")
            }
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Reads where results are kept, if anywhere: `MLVI_DATABASE_URL` and what goes with it.
pub fn database_from_settings(settings: &mut Settings) -> Option<DatabaseUrl> {
    let url = settings.optional_text(
        URL,
        "where results are kept: postgres://USER@HOST:PORT/NAME?sslmode=require or sqlite:PATH",
    );
    let password = settings
        .optional_text(PASSWORD_FILE, "a file with PostgreSQL's password; read at each connection")
        .map(PathBuf::from);
    let ca = settings
        .optional_text(
            CA_FILE,
            "the authority that signed PostgreSQL's certificate, PEM; unset: no TLS",
        )
        .map(PathBuf::from);
    match url?.parse() {
        Ok(DatabaseUrl::Postgres { url, .. }) => {
            if ca.is_none() && url.contains("sslmode=require") {
                let allowed = "the authority's file, since the address says sslmode=require";
                settings.refuse(CA_FILE, "(unset)", allowed);
            }
            Some(DatabaseUrl::Postgres { url, ca_file: ca, password_file: password })
        }
        Ok(sqlite) => Some(sqlite),
        Err(error) => {
            // the text may hold a password
            settings.refuse(URL, "(not shown)", error.to_string());
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_shown_without_secrets() {
        let url: DatabaseUrl =
            "postgres://mlvi:s3c@ret@db.example:5433/results?sslmode=require".parse().unwrap();
        assert_eq!(url.to_string(), "postgres://db.example:5433/results");
        assert_eq!(format!("{url:?}"), "postgres://db.example:5433/results");
        let file: DatabaseUrl = "sqlite:/var/lib/mlvi/results.sqlite".parse().unwrap();
        assert_eq!(file, DatabaseUrl::Sqlite("/var/lib/mlvi/results.sqlite".into()));
    }

    #[test]
    fn what_is_no_address_is_refused_without_showing_it() {
        for bad in ["", "sqlite:", "mysql://a/b", "postgres://", "postgres://host", "results.db"] {
            assert!(bad.parse::<DatabaseUrl>().is_err(), "{bad}");
        }
        let mut settings = Settings::from_pairs([(URL, "mysql://root:hunter2@db/x")]);
        assert_eq!(database_from_settings(&mut settings), None);
        let text = settings.finish().unwrap_err().to_string();
        assert!(text.contains(URL) && !text.contains("hunter2"), "{text}");
        let mut settings = Settings::from_pairs([(URL, "postgres://db/x?sslmode=require")]);
        database_from_settings(&mut settings);
        let text = settings.finish().unwrap_err().to_string();
        assert!(text.contains(CA_FILE), "{text}");
    }
}
