//! The embedded broker's folder.

use super::finding::Finding;
use std::path::Path;

const GIB: u64 = 1 << 30;

pub(super) fn look(dir: &Path) -> Vec<Finding> {
    const WHAT: &str = "data folder";
    let mend = "name another one with --data-dir";
    // the nearest folder that is there tells of the disk and of the right to write
    let absolute = std::path::absolute(dir).unwrap_or_else(|_| dir.into());
    let Some(there) = absolute.ancestors().find(|folder| folder.exists()) else {
        return vec![Finding::wrong(WHAT, format!("{} has no place", dir.display()), mend)];
    };
    if let Err(error) = tempfile::tempfile_in(there) {
        let says = format!("nobody can write to {}: {error}", there.display());
        return vec![Finding::wrong(WHAT, says, mend)];
    }
    match rustix::fs::statvfs(there) {
        Ok(disk) => {
            let free = disk.f_bavail.saturating_mul(disk.f_frsize);
            let says = format!("{}: {:.1} GiB free", dir.display(), free as f64 / GIB as f64);
            vec![match free < GIB {
                true => Finding::doubtful(
                    WHAT,
                    format!("{says}, which frames fill soon"),
                    format!("free some, or {mend}"),
                ),
                false => Finding::fine(WHAT, says),
            }]
        }
        Err(error) => {
            let says = format!("the room in {} is not known: {error}", there.display());
            vec![Finding::doubtful(WHAT, says, mend)]
        }
    }
}
