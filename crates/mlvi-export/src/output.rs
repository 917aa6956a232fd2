//! The file: it has its name only when it is whole.

use crate::args::Form;
use crate::column::Row;
use crate::csv::Csv;
use crate::parquet::Parquet;
use crate::{ExportArgs, TableKind};
use anyhow::Context;
use cli::UsageError;
use std::fs::{File, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use tempfile::{NamedTempFile, TempPath};
use tokio::signal::unix::{SignalKind, signal};

/// Where rows go.
pub(crate) struct Output {
    writer: Writer,
    file: Option<Unfinished>,
}

/// A file under another name in the same folder, which is removed unless it is finished.
struct Unfinished {
    temporary: TempPath,
    path: PathBuf,
    force: bool,
}

enum Writer {
    Csv(Csv<BufWriter<Sink>>),
    Parquet(Box<Parquet<Sink>>),
}

/// A file, or standard output.
#[derive(Debug)]
enum Sink {
    File(File),
    Stdout(io::Stdout),
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.write(bytes),
            Self::Stdout(stdout) => stdout.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File(file) => file.flush(),
            Self::Stdout(stdout) => stdout.flush(),
        }
    }
}

impl Output {
    /// Refuses to replace a file unless `--force` is given.
    pub(crate) fn begin(args: &ExportArgs) -> anyhow::Result<Self> {
        let (path, form) = args.out()?;
        let (sink, file) = match path {
            None => (Sink::Stdout(io::stdout()), None),
            Some(path) => {
                let (file, unfinished) = Unfinished::beside(path, args.force)?;
                (Sink::File(file), Some(unfinished))
            }
        };
        Ok(Self { writer: Writer::begin(form, args.rows, sink)?, file })
    }

    pub(crate) fn row(&mut self, row: Row<'_>) -> anyhow::Result<()> {
        match &mut self.writer {
            Writer::Csv(csv) => csv.row(row)?,
            Writer::Parquet(parquet) => parquet.row(row)?,
        }
        Ok(())
    }

    /// Gives the file its name. How many bytes it has; `None` for standard output.
    pub(crate) fn end(self) -> anyhow::Result<Option<u64>> {
        let sink = match self.writer {
            Writer::Csv(csv) => csv.end()?.into_inner().map_err(io::IntoInnerError::into_error)?,
            Writer::Parquet(parquet) => parquet.end()?,
        };
        let (Sink::File(file), Some(unfinished)) = (sink, self.file) else { return Ok(None) };
        file.sync_all()?;
        let bytes = file.metadata()?.len();
        unfinished.finish()?;
        Ok(Some(bytes))
    }
}

impl Writer {
    fn begin(form: Form, table: TableKind, sink: Sink) -> anyhow::Result<Self> {
        Ok(match form {
            Form::Csv => Self::Csv(Csv::begin(table, BufWriter::new(sink))?),
            Form::Parquet => Self::Parquet(Box::new(Parquet::begin(table, sink)?)),
        })
    }
}

impl Unfinished {
    fn beside(path: &Path, force: bool) -> anyhow::Result<(File, Self)> {
        let about = || format!("--out {}", path.display());
        if path.is_dir() {
            return Err(UsageError::about(about(), "it is a folder").into());
        }
        if path.exists() && !force {
            let there = "it is there already: --force replaces it";
            return Err(UsageError::about(about(), there).into());
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let (file, temporary) = tempfile::Builder::new()
            .prefix(".mlvi-export-")
            // what the process's mask leaves of it
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(folder.unwrap_or(Path::new(".")))
            .map(NamedTempFile::into_parts)
            .with_context(about)?;
        remove_when_interrupted(temporary.to_path_buf())?;
        Ok((file, Self { temporary, path: path.to_owned(), force }))
    }

    fn finish(self) -> anyhow::Result<()> {
        let Self { temporary, path, force } = self;
        let named = if force {
            temporary.persist(&path)
        } else {
            // somebody else may have made it meanwhile
            temporary.persist_noclobber(&path)
        };
        named.with_context(|| format!("--out {}", path.display()))
    }
}

/// Ctrl-C leaves no part of a file behind.
fn remove_when_interrupted(path: PathBuf) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let entered = runtime.enter();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    drop(entered);
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        });
        drop(std::fs::remove_file(path));
        eprintln!("mlvi export: interrupted: nothing was written");
        std::process::exit(1);
    })?;
    Ok(())
}
