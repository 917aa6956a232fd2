//! From a source into a file, page by page.

use crate::ExportArgs;
use crate::database::FromDatabase;
use crate::output::Output;
use crate::progress::Progress;
use crate::server::FromServer;
use frame::FrameResult;
use std::io;

enum Source {
    Database(Box<FromDatabase>),
    Server(Box<FromServer>),
}

impl Source {
    fn page(&mut self) -> anyhow::Result<Vec<FrameResult>> {
        match self {
            Self::Database(database) => database.page(),
            Self::Server(server) => server.page(),
        }
    }
}

/// Writes the file; says on standard error what is in it.
///
/// # Errors
/// When an option cannot be used, the source cannot be read, or the file cannot be written; no
/// part of a file is left behind.
pub fn run(args: &ExportArgs) -> anyhow::Result<()> {
    let filter = args.filter.filter()?;
    let database = args.database()?;
    let mut output = Output::begin(args)?;
    let (mut source, oldest_ms) = match database {
        Some(url) => {
            let from_ms = filter.from_ms;
            let database = FromDatabase::open(&url, filter)?;
            let oldest_ms = database.oldest_ms()?.max(from_ms);
            (Source::Database(Box::new(database)), oldest_ms)
        }
        None => {
            let server = FromServer::new(&args.server, &args.filter)?;
            (Source::Server(Box::new(server)), args.filter.from)
        }
    };
    let mut progress = Progress::new(oldest_ms);
    let written = write(args, &mut source, &mut output, &mut progress);
    let (frames, rows) = (progress.frames, progress.rows);
    drop(progress);
    // a small table is written at the end alone
    let ended = written.and_then(|()| output.end());
    if ended.as_ref().is_err_and(is_closed_pipe) {
        return Ok(());
    }
    let Some(bytes) = ended? else { return Ok(()) };
    let path = args.out.as_deref().map(std::path::Path::display);
    if let Some(path) = path {
        let mb = bytes as f64 / 1e6;
        eprintln!("{path}: {rows} rows of {frames} frames, {mb:.1} MB");
    }
    Ok(())
}

fn write(
    args: &ExportArgs,
    source: &mut Source,
    output: &mut Output,
    progress: &mut Progress,
) -> anyhow::Result<()> {
    loop {
        let page = source.page()?;
        if page.is_empty() {
            return Ok(());
        }
        for result in &page {
            progress.frames += 1;
            for row in args.rows.rows(result) {
                output.row(row)?;
                progress.rows += 1;
            }
        }
        progress.page(&page);
    }
}

/// Whoever reads standard output has had enough, as `head` has.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let of = error.downcast_ref::<io::Error>();
    of.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
