//! Where the frames of a suite stand, for the message of a test that waits in vain.

use crate::{Admin, Groups, Journey, log};
use mlvi::suite::UnitKind;
use std::fmt::Write as _;

/// How many of the last log lines are told.
const LOG_LINES: usize = 200;

/// Tells what the broker and the units know of the frames.
pub struct Whereabouts {
    admins: [(UnitKind, Admin); UnitKind::COUNT],
    groups: Groups,
}

impl Journey {
    /// Where the frames of this suite stand, whenever somebody asks.
    ///
    /// # Panics
    /// When the settings of the suite are not valid.
    #[must_use]
    pub fn whereabouts(&self) -> Whereabouts {
        let admins = UnitKind::ALL.map(|kind| (kind, Admin(self.suite.admin(kind))));
        Whereabouts { admins, groups: self.groups() }
    }
}

impl Whereabouts {
    /// For each topic how far its readers have come, for each unit its readiness and its counts,
    /// and the last lines of this process's log.
    pub async fn tell(&self) -> String {
        let mut told = String::from("where the frames stand:\n");
        for line in self.groups.standing().await {
            let _ = writeln!(told, "  {line}");
        }
        for (kind, admin) in self.admins {
            let _ = match admin.readyz().await {
                Some((status, text)) => {
                    writeln!(told, "{kind}: {status}; {}", text.trim_end().replace('\n', "; "))
                }
                None => writeln!(told, "{kind}: its admin port does not answer"),
            };
            for sample in admin.samples().await {
                let _ = writeln!(told, "  {sample}");
            }
        }
        let _ = writeln!(told, "the last lines of the log:");
        log::last(LOG_LINES).iter().for_each(|line| told.push_str(line));
        told
    }
}
