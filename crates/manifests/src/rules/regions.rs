//! Masks and zones of cameras: what one unit hides, another one must not show.

use crate::finding::Finding;
use crate::world::{Container, World};

pub(super) const ID: &str = "regions";

const VARIABLE: &str = "MLVI_REGIONS_FILE";

pub(super) fn check(world: &World<'_>) -> Vec<Finding> {
    let readers: Vec<_> = world.units().filter(|(.., program)| program.knows(VARIABLE)).collect();
    let mut findings = Vec::new();
    for (workload, container, _) in &readers {
        let Some(own) = container.environment.get(VARIABLE) else { continue };
        for (other, without, program) in &readers {
            let title = other.object.title();
            let message = match without.environment.get(VARIABLE) {
                None => format!(
                    "{} has masks and zones in a file, and {title} has none: it would show or \
                     infer what the other one hides",
                    workload.object.title()
                ),
                Some(_) if differ(text(container), text(without)) => format!(
                    "the regions file of {} is not that of {title}: each would show or infer what \
                     the other one hides",
                    workload.object.title()
                ),
                Some(_) => continue,
            };
            let help =
                format!("mount the same ConfigMap in both, and set {VARIABLE} of {}", program.name);
            findings.push(own.field.error(ID, message).help(help));
        }
    }
    findings
}

/// What the file says, as far as the manifests tell.
fn text<'a>(container: &'a Container<'_>) -> Option<&'a String> {
    let path = container.environment.get(VARIABLE)?.value.as_ref()?;
    container.files.known.get(path)?.as_ref()
}

fn differ(one: Option<&String>, other: Option<&String>) -> bool {
    one.zip(other).is_some_and(|(one, other)| one != other)
}

#[cfg(test)]
mod tests {
    use crate::testing::{deployment, found};

    fn worker(name: &str, map: &str) -> String {
        let env = "image: 'worker:1', env: [{name: MLVI_REGIONS_FILE, value: /regions/r.toml}], \
                   volumeMounts: [{name: r, mountPath: /regions}]";
        deployment(name, env, &format!("volumes: [{{name: r, configMap: {{name: {map}}}}}]"))
    }

    #[test]
    fn units_that_do_not_know_the_same_regions() {
        let map = |name: &str, text: &str| {
            format!(
                "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n\
                 data: {{r.toml: '{text}'}}\n"
            )
        };
        let maps = map("one", "# a") + &map("other", "# b") + &map("same", "# a");
        let of = |other: String| found(&(maps.clone() + &worker("web", "one") + &other), "regions");
        assert!(of(worker("pre", "one")).is_empty() && of(worker("pre", "same")).is_empty());
        let different = of(worker("pre", "other"));
        assert!(different.len() == 2 && different[0].contains("is not that of"), "{different:?}");
        let without = of(deployment("pre", "image: 'worker:1'", ""));
        assert!(without.len() == 1 && without[0].contains("has none"), "{without:?}");
        assert!(of(deployment("pre", "image: 'plain:1'", "")).is_empty(), "no unit");
    }
}
