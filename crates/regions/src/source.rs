//! The settings about regions, and the file that is read again when it changes.

use crate::{Book, RegionsFile};
use settings::Settings;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tracing::{error, info};
use unit::WatchedFiles;

/// Where masks and zones come from, besides the settings topic.
#[derive(Clone, Debug)]
pub struct RegionsSource {
    file: Option<WatchedFiles>,
    /// What it said at the start.
    first: RegionsFile,
    reload: Duration,
}

impl RegionsSource {
    /// Reads the settings. A file that cannot be used is a problem at the start.
    pub fn from_settings(settings: &mut Settings) -> Self {
        let name = "MLVI_REGIONS_FILE";
        let path = settings.optional_text(
            name,
            "the masks and zones of cameras, in TOML; the same for web-server, preprocessor and \
             results-store; read again when it changes; what is set at \
             /cameras/{camera}/regions wins",
        );
        let reload = settings.duration(
            "MLVI_REGIONS_RELOAD",
            Duration::from_secs(2),
            Duration::from_millis(10)..=Duration::from_secs(3600),
            "how often the regions file is read",
        );
        let file = path.map(|path| WatchedFiles::read([PathBuf::from(path)]));
        let read = file.as_ref().map(read);
        let first = match read.unwrap_or_else(|| Ok(RegionsFile::default())) {
            Ok(first) => first,
            Err(problem) => {
                let path = file.as_ref().map(shown).unwrap_or_default();
                settings.refuse(name, path, format!("a regions file that can be used: {problem}"));
                RegionsFile::default()
            }
        };
        Self { file, first, reload }
    }

    /// What holds at the start.
    #[must_use]
    pub fn book(&self) -> Arc<Book> {
        Arc::new(Book::new(self.first.clone()))
    }

    /// Whether there is a file to be watched.
    #[must_use]
    pub fn has_file(&self) -> bool {
        self.file.is_some()
    }

    /// Reads the file again and again, if there is one. One that cannot be used changes nothing and
    /// is named in the log once. `told` gets whether it could.
    pub async fn watch(self, book: Arc<Book>, told: impl Fn(bool)) {
        let Some(mut file) = self.file else { return };
        loop {
            file.changed(self.reload).await;
            let seen = file.clone();
            // a large one takes milliseconds
            let reading = tokio::task::spawn_blocking(move || read(&seen)).await;
            let path = shown(&file);
            let outcome = reading.unwrap_or_else(|error| Err(error.to_string()));
            told(outcome.is_ok());
            match outcome {
                Ok(regions) => {
                    let cameras = regions.cameras.len();
                    info!(path, cameras, "the regions file has changed, it holds now");
                    book.exchange_file(regions);
                }
                Err(problem) => {
                    error!(
                        path,
                        error = problem,
                        "the regions file cannot be used, the one before holds"
                    );
                }
            }
        }
    }
}

fn read(files: &WatchedFiles) -> Result<RegionsFile, String> {
    let seen = files.seen().map_err(ToString::to_string)?;
    let bytes = seen.first().map_or(&[][..], Vec::as_slice);
    RegionsFile::from_toml(bytes).map_err(|error| error.to_string())
}

fn shown(files: &WatchedFiles) -> String {
    files.paths().first().map(|path| path.display().to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MASK: &str = "[[cameras.gate.masks]]\npoints = [[0, 0], [1, 0], [1, 1]]";

    #[tokio::test]
    async fn a_file_is_read_again_and_a_broken_one_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("regions.toml");
        std::fs::write(&path, MASK).unwrap();
        let pairs =
            [("MLVI_REGIONS_FILE", path.to_str().unwrap()), ("MLVI_REGIONS_RELOAD", "10ms")];
        let mut settings = Settings::from_pairs(pairs);
        let source = RegionsSource::from_settings(&mut settings);
        settings.finish().unwrap();
        let (book, gate) = (source.book(), "gate".parse().unwrap());
        assert!(book.is_masked(&gate) && source.has_file());
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let watching = tokio::spawn(source.watch(book.clone(), move |used| {
            let _ = tell.send(used);
        }));
        std::fs::write(&path, "nonsense").unwrap();
        assert_eq!(told.recv().await, Some(false));
        assert!(book.is_masked(&gate));
        let exchanged = dir.path().join("new");
        std::fs::write(&exchanged, "").unwrap();
        std::fs::rename(exchanged, &path).unwrap();
        assert_eq!(told.recv().await, Some(true));
        assert!(!book.is_masked(&gate));
        watching.abort();
    }

    #[test]
    fn a_file_that_cannot_be_used_is_a_problem_at_the_start() {
        let mut settings = Settings::from_pairs([("MLVI_REGIONS_FILE", "/nonexistent.toml")]);
        RegionsSource::from_settings(&mut settings);
        let problem = settings.finish().unwrap_err().to_string();
        assert!(problem.contains("MLVI_REGIONS_FILE") && problem.contains("No such file"));
    }
}
