//! What Kubernetes manifests say, and where they do not fit each other or the units.
//!
//! [`Set`] reads objects, from files or from a cluster, and remembers where each field is set.
//! [`check`] applies [`RULES`] to them: pure functions, each of which finds one kind of mistake.
//! What the programs know about themselves comes in as a table, [`Knowledge`].

mod autoscaler;
mod broker;
mod destination;
mod documents;
mod environment;
mod error;
mod files;
mod finding;
mod knowledge;
mod labels;
mod object;
mod path;
mod quantity;
mod read;
mod report;
mod rules;
mod sources;
#[cfg(test)]
mod testing;
mod world;
mod yaml;

pub use autoscaler::{Autoscaler, AutoscalerKind};
pub use documents::documents;
pub use error::ManifestError;
pub use finding::{Finding, Place, Severity};
pub use knowledge::{
    ExpectedSecret, Given, Input, Knowledge, KnownVariable, Program, Refuse, RefusedSetting,
};
pub use quantity::{cores, number};
pub use read::{ReadError, Set, Tools};
pub use report::Report;
pub use rules::{RULES, Rule};
pub use world::{Container, Workload, World};

use std::collections::HashMap;

/// Applies every rule to a set. One that was read from a cluster, where Secrets are not read, comes
/// with the plural names of the kinds that the cluster did not show.
#[must_use]
pub fn check(set: &Set, knowledge: &Knowledge, refused: Option<&[String]>) -> Report {
    let world = World::of(set, knowledge, refused);
    let mut findings = set.findings.clone();
    for rule in RULES {
        findings.extend((rule.check)(&world));
    }
    let mut titled = HashMap::new();
    for object in &set.objects {
        titled.entry((object.title(), object.source)).or_insert(object);
    }
    for finding in &mut findings {
        if finding.place.is_none() {
            let object = titled.get(&(finding.object.clone(), finding.source));
            finding.place = object.and_then(|object| {
                set.sources.locate(&object.value, &finding.path, finding.source)
            });
        }
    }
    Report::of(set.len(), findings)
}
