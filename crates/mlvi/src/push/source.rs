//! What can be sent, and how ffmpeg reads it.

use super::address::redacted;
use super::device;
use anyhow::Context;
use frame::ImageFormat;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// What one word of the command line stands for.
#[derive(Debug, PartialEq)]
pub(super) enum Source {
    /// A photo, or all photos of a folder in the order of their names.
    Photos(Vec<PathBuf>),
    /// What ffmpeg has to read.
    Video(Video),
}

/// What ffmpeg reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Video {
    File(PathBuf),
    Rtsp(String),
    Http(String),
    /// A webcam.
    Device(PathBuf),
    /// A moving test picture of this width and height.
    Synthetic(u32, u32),
}

impl Source {
    pub(super) fn of(text: &str) -> anyhow::Result<Self> {
        if let Some(size) = text.strip_prefix("synthetic:") {
            let (width, height) = size.split_once('x').context("synthetic:WIDTHxHEIGHT")?;
            let number = |text: &str| text.parse::<u32>().ok().filter(|n| (16..=8192).contains(n));
            let size = number(width).zip(number(height));
            let (width, height) = size.context("WIDTH and HEIGHT are from 16 to 8192")?;
            return Ok(Self::Video(Video::Synthetic(width, height)));
        }
        match text.split_once("://") {
            Some(("rtsp" | "rtsps", _)) => return Ok(Self::Video(Video::Rtsp(text.into()))),
            Some(("http" | "https", _)) => return Ok(Self::Video(Video::Http(text.into()))),
            Some((scheme, _)) => anyhow::bail!("addresses are rtsp:// or http://, not {scheme}://"),
            None => {}
        }
        let path = Path::new(text);
        if path.starts_with("/dev") {
            device::check(path)?;
            return Ok(Self::Video(Video::Device(path.into())));
        }
        if path.is_dir() {
            let mut photos = Vec::new();
            for entry in std::fs::read_dir(path)? {
                let path = entry?.path();
                if path.is_file() && is_photo(&path)? {
                    photos.push(path);
                }
            }
            photos.sort();
            anyhow::ensure!(!photos.is_empty(), "there is no photo in this folder");
            return Ok(Self::Photos(photos));
        }
        if is_photo(path)? {
            return Ok(Self::Photos(vec![path.into()]));
        }
        Ok(Self::Video(Video::File(path.into())))
    }
}

fn is_photo(path: &Path) -> anyhow::Result<bool> {
    let mut start = Vec::new();
    File::open(path)?.take(16).read_to_end(&mut start)?;
    Ok(ImageFormat::sniff(&start).is_ok())
}

impl Video {
    /// Whether it has no end of its own, and frames that are not taken in time are worth nothing.
    pub(super) fn is_live(&self) -> bool {
        match self {
            Self::Rtsp(_) | Self::Http(_) | Self::Device(_) => true,
            Self::File(_) | Self::Synthetic(..) => false,
        }
    }

    /// Whether it ends by itself.
    pub(super) fn has_end(&self) -> bool {
        matches!(self, Self::File(_))
    }

    /// What ffmpeg is told, to write JPEGs to its standard output.
    pub(super) fn arguments(&self, rate: Option<f64>, frames: Option<u64>) -> Vec<String> {
        let mut list: Vec<String> = Vec::new();
        let mut say = |words: &[&str]| list.extend(words.iter().map(|word| (*word).to_owned()));
        if rate.is_some() && !self.is_live() {
            say(&["-re"]);
        }
        match self {
            // by its protocol: a name may look like an option or an address
            Self::File(path) => say(&["-i", &format!("file:{}", path.display())]),
            Self::Rtsp(url) => say(&["-rtsp_transport", "tcp", "-i", url]),
            Self::Http(url) => say(&["-i", url]),
            Self::Device(path) => say(&["-f", "v4l2", "-i", &path.display().to_string()]),
            Self::Synthetic(width, height) => {
                let rate = rate.unwrap_or(25.0);
                let picture = format!("testsrc2=size={width}x{height}:rate={rate}");
                say(&["-f", "lavfi", "-i", &picture]);
            }
        }
        if let Some(rate) = rate {
            say(&["-vf", &format!("fps={rate}")]);
        }
        if let Some(frames) = frames {
            say(&["-frames:v", &frames.to_string()]);
        }
        say(&["-an", "-q:v", "4", "-f", "mpjpeg", "pipe:1"]);
        list
    }
}

impl fmt::Display for Video {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) | Self::Device(path) => path.display().fmt(f),
            Self::Rtsp(url) | Self::Http(url) => f.write_str(&redacted(url)),
            Self::Synthetic(width, height) => write!(f, "synthetic:{width}x{height}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn video(text: &str) -> Video {
        match Source::of(text).unwrap() {
            Source::Video(video) => video,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn words_and_what_they_stand_for() {
        let dir = tempfile::tempdir().unwrap();
        let (photo, clip) = (dir.path().join("b"), dir.path().join("clip.mp4"));
        std::fs::write(&photo, b"\xFF\xD8\xFF\xE0").unwrap();
        std::fs::write(dir.path().join("a"), b"\x89PNG\r\n\x1a\n").unwrap();
        std::fs::write(&clip, b"a video").unwrap();
        let of = |path: &Path| Source::of(path.to_str().unwrap()).unwrap();
        let both = vec![dir.path().join("a"), photo.clone()];
        assert_eq!(of(dir.path()), Source::Photos(both));
        assert_eq!(of(&photo), Source::Photos(vec![photo]));
        assert_eq!(of(&clip), Source::Video(Video::File(clip)));
        assert_eq!(video("synthetic:64x48"), Video::Synthetic(64, 48));
        for (text, is_live) in [
            ("rtsp://user:secret@host/1", true),
            ("http://host/stream.mjpeg", true),
            ("synthetic:64x48", false),
        ] {
            let video = video(text);
            assert_eq!(video.is_live(), is_live, "{text}");
            assert!(!video.to_string().contains("secret"));
        }
        for text in
            ["synthetic:", "synthetic:1x1", "ftp://u:secret@host/x", "/no/such/file", "/dev/mlvi0"]
        {
            let error = Source::of(text).unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn ffmpeg_is_told_the_rate_and_the_count() {
        let words = video("synthetic:64x48").arguments(Some(5.0), Some(7)).join(" ");
        for part in ["-re ", "size=64x48:rate=5 ", "-vf fps=5 ", "-frames:v 7 ", "-f mpjpeg pipe:1"]
        {
            assert!(words.contains(part), "{part}: {words}");
        }
        let words = Video::File("-y.mp4".into()).arguments(None, None).join(" ");
        assert!(words.contains("-i file:-y.mp4 ") && !words.contains("-re"), "{words}");
    }
}
