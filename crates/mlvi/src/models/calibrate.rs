//! `mlvi models calibrate`: what int8 needs to know of a network.

use super::ensure;
use crate::simulate::detections::images_in;
use anyhow::Context;
use detector::{Calibrator, RangeRule};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;
use vision::Limits;

/// Fewer photos leave much of what a network can see unseen.
const FEW: usize = 20;
/// What "percentile" keeps.
const SHARE: f64 = 0.99999;

/// The rule of a name that the command line has checked.
pub(super) fn rule(name: &str) -> RangeRule {
    match name {
        "percentile" => RangeRule::Percentile(SHARE),
        "least-error" => RangeRule::LeastError,
        _ => RangeRule::Extremes,
    }
}

/// Runs a model over the photos of a folder and writes its calibration.
pub(super) fn calibrate(
    dir: &Path,
    name: &str,
    images: &Path,
    out: Option<PathBuf>,
    rule: RangeRule,
) -> anyhow::Result<()> {
    let paths = images_in(images)?;
    let description = ensure(dir, name)?;
    let out = out.unwrap_or_else(|| description.calibration().to_path_buf());
    let writing = || format!("cannot write {}", out.display());
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty());
    // opened before the work, put in place after it
    let mut file = NamedTempFile::new_in(folder.unwrap_or(Path::new("."))).with_context(writing)?;
    let mut calibrator = Calibrator::new(&description)?;
    let bar = ProgressBar::new(paths.len() as u64).with_style(
        ProgressStyle::with_template("{bar:40} {pos} of {len} photos, {eta} left")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    for path in &paths {
        let named = || path.display().to_string();
        let bytes = std::fs::read(path).with_context(named)?;
        let photo = vision::decode(&bytes, &Limits::default()).with_context(named)?;
        calibrator.observe(&photo).with_context(named)?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    let calibration = calibrator.calibration(rule);
    file.write_all(calibration.to_text().as_bytes()).with_context(writing)?;
    // temporary files are private
    file.as_file().set_permissions(PermissionsExt::from_mode(0o644)).with_context(writing)?;
    file.persist(&out).with_context(writing)?;
    println!("{name}: calibrated on {} photos, {}", calibration.photos(), out.display());
    if calibration.photos() < FEW {
        println!("  - these are few: take {FEW} or more that look like the frames to come");
    }
    Ok(())
}
