//! What `mlvi export` can be told.

use crate::TableKind;
use clap::Args;
use cli::{ServerArgs, UsageError};
use frame::{CameraId, Destination};
use results_db::{DatabaseUrl, Filter, InvalidDatabaseUrl, database_from_settings};
use settings::Settings;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Examples, below the options.
pub const EXAMPLES: &str = "\
Examples:
  mlvi export --out all.parquet
  mlvi export --out night.csv --class person --from 2026-01-31T22:00:00Z --to 2026-02-01T06:00:00Z
  mlvi export --rows frames --database sqlite:.mlvi/broker/results.sqlite --out frames.parquet

pandas.read_parquet('all.parquet') reads it. --columns tells what each column is.";

/// Where from, what of it, and where to.
#[derive(Args, Clone, Debug)]
pub struct ExportArgs {
    /// The file to write; what its name ends in says how: .parquet or .csv. With - a CSV goes to
    /// standard output
    #[arg(long, short, value_name = "FILE", required_unless_present = "columns")]
    pub(crate) out: Option<PathBuf>,
    /// What is a row
    #[arg(long, value_name = "TABLE", value_enum, default_value_t = TableKind::Detections)]
    pub(crate) rows: TableKind,
    /// Replace a file that is there
    #[arg(long)]
    pub(crate) force: bool,
    /// Print the columns of both tables, and nothing else
    #[arg(long)]
    columns: bool,
    /// Read this database, not a running suite: sqlite:PATH or postgres://USER@HOST:PORT/NAME.
    /// MLVI_DATABASE_PASSWORD_FILE and MLVI_DATABASE_CA_FILE go with it
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
}

/// Which frames, as `GET /history` has it: a frame matches class, zone and confidence when one of
/// its detections matches all of these, and comes with all that it has.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct FilterArgs {
    /// Frames of this camera
    #[arg(long, value_name = "NAME")]
    pub(crate) camera: Option<CameraId>,
    /// Frames with a detection of this class
    #[arg(long, value_name = "NAME")]
    pub(crate) class: Option<String>,
    /// Frames with a detection in this zone
    #[arg(long, value_name = "NAME")]
    pub(crate) zone: Option<String>,
    /// Frames with a detection of at least this confidence, 0 to 1
    #[arg(long, value_name = "SHARE", value_parser = confidence)]
    pub(crate) min_confidence: Option<f32>,
    /// Frames that were sent to this tier: edge or cloud
    #[arg(long, value_name = "TIER")]
    pub(crate) destination: Option<Destination>,
    /// Frames received from this time on (RFC 3339, e.g. 2026-01-31T22:00:00Z)
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) from: Option<u64>,
    /// Frames received before this time
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) to: Option<u64>,
}

fn confidence(text: &str) -> Result<f32, String> {
    let number = text.parse().ok().filter(|number| (0.0..=1.0).contains(number));
    number.ok_or_else(|| "allowed: a number from 0 to 1".into())
}

/// Milliseconds since the epoch.
fn moment(text: &str) -> Result<u64, String> {
    let time = text::rfc3339(text).and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
    time.and_then(|time| u64::try_from(time.as_millis()).ok())
        .ok_or_else(|| "allowed: an RFC 3339 time, e.g. 2026-01-31T22:00:00Z".into())
}

/// How the file is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Form {
    Parquet,
    Csv,
}

impl ExportArgs {
    /// Whether only the columns are asked for.
    #[must_use]
    pub const fn shows_columns(&self) -> bool {
        self.columns
    }

    /// The file, and how it is written; `None`: standard output.
    pub(crate) fn out(&self) -> Result<(Option<&Path>, Form), UsageError> {
        let path = self.out.as_deref().unwrap_or(Path::new("-"));
        if path == Path::new("-") {
            return Ok((None, Form::Csv));
        }
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("parquet") => Ok((Some(path), Form::Parquet)),
            Some("csv") => Ok((Some(path), Form::Csv)),
            _ => Err(UsageError::about(
                format_args!("--out {}", path.display()),
                "let its name end in .parquet or .csv",
            )),
        }
    }

    /// The database with its password's and its authority's file; `None`: a running suite.
    pub(crate) fn database(&self) -> anyhow::Result<Option<DatabaseUrl>> {
        let Some(url) = &self.database else { return Ok(None) };
        // the text may hold a password, and is not shown
        url.parse::<DatabaseUrl>()
            .map_err(|error: InvalidDatabaseUrl| UsageError::about("--database", error))?;
        let mut settings =
            Settings::from_environment()?.with_overrides([("MLVI_DATABASE_URL", url.as_str())]);
        let database = database_from_settings(&mut settings);
        settings.finish()?;
        Ok(database)
    }
}

impl FilterArgs {
    pub(crate) fn filter(&self) -> Result<Filter, UsageError> {
        if self.from.zip(self.to).is_some_and(|(from, to)| from > to) {
            return Err(UsageError::new("--to is before --from"));
        }
        let Self { camera, class, zone, min_confidence, destination, from, to } = self.clone();
        Ok(Filter { camera, class, min_confidence, zone, destination, from_ms: from, to_ms: to })
    }
}
