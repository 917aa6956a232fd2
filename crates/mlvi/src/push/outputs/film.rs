//! A video of annotated frames, which ffmpeg writes.

use crate::push::ffmpeg::Ffmpeg;
use anyhow::Context;
use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ChildStdin;
use std::time::Duration;
use tempfile::TempPath;

/// How long ffmpeg may take to write the end of the file.
const ENDING: Duration = Duration::from_secs(60);

/// The video of one camera. It gets its name when it is complete, and is nothing until then.
pub(crate) struct Film {
    path: PathBuf,
    writer: Option<Writer>,
    /// The last frame, which is shown again where one was dropped: the time goes on.
    last: Vec<u8>,
}

struct Writer {
    input: ChildStdin,
    ffmpeg: Ffmpeg,
    file: TempPath,
}

impl Film {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, writer: None, last: Vec::new() }
    }

    /// Adds a frame, or for `None` the last one once more.
    pub(super) fn show(
        &mut self,
        jpeg: Option<Vec<u8>>,
        rate: impl FnOnce() -> f64,
    ) -> anyhow::Result<()> {
        if let Some(jpeg) = jpeg {
            self.last = jpeg;
        }
        if self.last.is_empty() {
            return Ok(());
        }
        let writer = match &mut self.writer {
            Some(writer) => writer,
            none => none.insert(Writer::start(&self.path, rate())?),
        };
        if writer.input.write_all(&self.last).is_err() {
            // it says why
            writer.ffmpeg.end(Duration::from_secs(2)).with_context(|| shown(&self.path))?;
            anyhow::bail!("{}: ffmpeg reads no further", shown(&self.path));
        }
        Ok(())
    }

    /// Writes the end, and gives the file its name.
    pub(super) fn finish(self) -> anyhow::Result<()> {
        let Some(Writer { input, ffmpeg, file }) = self.writer else { return Ok(()) };
        drop(input);
        ffmpeg.end(ENDING).with_context(|| shown(&self.path))?;
        file.persist(&self.path).with_context(|| shown(&self.path))
    }
}

impl Writer {
    fn start(path: &Path, rate: f64) -> anyhow::Result<Self> {
        let extension = path.extension().unwrap_or_default().to_string_lossy();
        let suffix = format!(".{extension}");
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let file = tempfile::Builder::new()
            .prefix(".mlvi-")
            .suffix(&suffix)
            // as any file that is made here
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(folder)
            .with_context(|| shown(folder))?
            .into_temp_path();
        let (ffmpeg, input) = Ffmpeg::writer(&arguments(&extension, rate, &file))?;
        Ok(Self { input, ffmpeg, file })
    }
}

fn arguments(extension: &str, rate: f64, file: &Path) -> Vec<String> {
    let mut list: Vec<String> = Vec::new();
    let mut say = |words: &[&str]| list.extend(words.iter().map(|word| (*word).to_owned()));
    say(&["-y", "-f", "mjpeg", "-framerate", &rate.to_string(), "-i", "pipe:0", "-an"]);
    // the colours that every player shows have them in pairs
    say(&["-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2", "-pix_fmt", "yuv420p"]);
    // of the others ffmpeg knows a usual coding, too
    if matches!(extension, "mp4" | "m4v" | "mov" | "mkv") {
        say(&["-c:v", "libx264", "-preset", "veryfast"]);
    }
    // by its protocol: a name may look like an option or an address
    say(&[&format!("file:{}", file.display())]);
    list
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
