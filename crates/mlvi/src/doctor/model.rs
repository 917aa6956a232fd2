//! The model's description and weights.

use super::finding::Finding;
use crate::models;
use detector::{Description, Detector, LoadOptions};
use std::path::Path;
use std::time::Instant;

pub(super) fn look(dir: &Path, name: &str) -> Finding {
    const WHAT: &str = "model";
    let description = match Description::load(dir, name) {
        Ok(description) => description,
        Err(error) => {
            return Finding::wrong(
                WHAT,
                error.to_string(),
                "run it where `models/` is, or name the folder with --models-dir; `mlvi models \
                 list` shows what it has",
            );
        }
    };
    let weights = description.weights();
    let from = if weights.has_source() { "" } else { " --from FILE" };
    let fetch = format!("mlvi models fetch {name}{from}");
    if !weights.path.exists() {
        let (says, mend) = if weights.has_source() {
            (
                "; `mlvi up` gets them",
                format!("{fetch} (with --from FILE where there is no network)"),
            )
        } else {
            (", and the description names no source", fetch)
        };
        let says = format!("the weights of {name} are not here yet{says}");
        return Finding::doubtful(WHAT, says, mend);
    }
    if weights.sha256.is_some() && !models::in_place(weights).unwrap_or(false) {
        let says = format!("{} is not the file that was promised", weights.path.display());
        return Finding::wrong(WHAT, says, fetch);
    }
    let started = Instant::now();
    match Detector::load(&description, LoadOptions::default()) {
        Ok(detector) => {
            let info = detector.info();
            let ms = started.elapsed().as_millis();
            Finding::fine(WHAT, format!("{name} {} loads in {ms} ms", info.version))
        }
        Err(error) => {
            Finding::wrong(WHAT, text::with_causes(&error), format!("mlvi models check {name}"))
        }
    }
}
