//! Trace files.

use anyhow::Context;
use simulator::{Trace, TraceFormat};
use std::path::Path;

/// Reads a trace; its name is the file's without what follows the last dot.
///
/// # Errors
/// Names the file, and the line that is wrong.
pub(super) fn read(path: &Path, format: Option<&TraceFormat>) -> anyhow::Result<Trace> {
    let text = text::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let file_name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let format = format.cloned().unwrap_or_else(|| TraceFormat::of(&file_name));
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    Trace::parse(name, &text, &format).with_context(|| path.display().to_string())
}

/// An uplink of one speed, in Mbit/s.
///
/// # Errors
/// When nobody has such an uplink.
pub(super) fn steady(mbit_s: f64) -> anyhow::Result<Trace> {
    anyhow::ensure!(
        mbit_s > 0.0 && mbit_s <= 1e6,
        "--mbit-s {mbit_s} must be above 0 and at most 1,000,000"
    );
    Ok(Trace::constant(format!("{mbit_s} Mbit/s"), mbit_s)?)
}

/// Reads every trace of a folder (`.up`, `.down`, `.mahi`, `.txt`, `.csv`), in the order of their
/// names.
///
/// # Errors
/// When there is none, or one cannot be read.
pub(super) fn read_all(dir: &Path) -> anyhow::Result<Vec<Trace>> {
    let entries =
        std::fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))?;
    let mut paths =
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()?;
    let is_trace = |path: &Path| {
        let extension = path.extension().and_then(|extension| extension.to_str());
        path.is_file()
            && extension
                .is_some_and(|extension| ["up", "down", "mahi", "txt", "csv"].contains(&extension))
    };
    paths.retain(|path| is_trace(path));
    paths.sort();
    anyhow::ensure!(
        !paths.is_empty(),
        "{} has no traces (*.up, *.down, *.mahi, *.txt, *.csv)",
        dir.display()
    );
    paths.iter().map(|path| read(path, None)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_line_is_named_with_its_file() {
        let dir = tempfile::tempdir().unwrap();
        assert!(format!("{:#}", read_all(dir.path()).unwrap_err()).contains("has no traces"));
        std::fs::write(dir.path().join("a.txt"), "1\n2\n").unwrap();
        std::fs::write(dir.path().join("b.up"), "1\n2.5\n").unwrap();
        let message = format!("{:#}", read_all(dir.path()).unwrap_err());
        assert!(message.contains("b.up") && message.contains("line 2"), "{message}");
        std::fs::write(dir.path().join("b.up"), "1\n2\n").unwrap();
        std::fs::write(dir.path().join("readme.md"), "no trace").unwrap();
        let names: Vec<String> =
            read_all(dir.path()).unwrap().iter().map(|trace| trace.name().to_owned()).collect();
        assert_eq!(names, ["a", "b"]);
        assert!(read(&dir.path().join("b.up"), Some(&TraceFormat::MbitPerSecond)).is_ok());
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_a_trace() {
        let dir = tempfile::tempdir().unwrap();
        let traces =
            [("a.txt", "5\r\n6\r\n"), ("b.up", "1\n2\n"), ("c.csv", "time_s,mbit_s\n0,5\n1,6\n")];
        for (name, text) in traces {
            std::fs::write(dir.path().join(name), format!("\u{feff}{text}")).unwrap();
        }
        let speeds: Vec<f64> =
            read_all(dir.path()).unwrap().iter().map(Trace::mean_mbit_s).collect();
        assert!(speeds[0] == 5.5 && speeds[1] > 0.0 && speeds[2] == 5.5, "{speeds:?}");
        std::fs::write(dir.path().join("a.txt"), b"\xff\xfe5\0\n\0").unwrap();
        let message = format!("{:#}", read_all(dir.path()).unwrap_err());
        assert!(message.contains("a.txt") && message.contains("UTF-16"), "{message}");
    }
}
