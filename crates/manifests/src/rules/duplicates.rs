//! Objects that stand twice, and namespaces that differ.

use crate::finding::Finding;
use crate::object::Object;
use crate::read::is_namespaced;
use crate::world::{World, together};
use std::collections::{BTreeMap, HashMap};

pub(super) const ID: &str = "duplicate-object";
pub(super) const NAMESPACE: &str = "namespace";

pub(super) fn twice(world: &World<'_>) -> Vec<Finding> {
    let mut known: HashMap<(&str, &str, &str), Vec<&Object>> = HashMap::new();
    let mut findings = Vec::new();
    for object in world.objects.iter().filter(|object| !object.name.is_empty()) {
        let before = known.entry((&object.kind, object.group(), &object.name)).or_default();
        if before.iter().any(|other| together(&other.namespace, &object.namespace)) {
            let message =
                format!("{} stands twice: the later one replaces the earlier", object.title());
            findings.push(object.at("metadata.name").error(ID, message));
        }
        before.push(object);
    }
    findings
}

/// A few objects without a namespace, among others that say one, would go wherever `kubectl`
/// happens to point. A namespace that is made here, too, is meant.
pub(super) fn namespaces(world: &World<'_>) -> Vec<Finding> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let inside = || world.objects.iter().filter(|object| is_namespaced(&object.kind));
    for object in inside() {
        *counts.entry(&object.namespace).or_default() += 1;
    }
    let Some((most, _)) = counts.iter().max_by_key(|(_, count)| **count) else { return Vec::new() };
    let named = |name: &str| if name.is_empty() { "none".to_owned() } else { format!("'{name}'") };
    let finding = |object: &Object| {
        let message = format!(
            "its namespace is {}, that of most others is {}",
            named(&object.namespace),
            named(most)
        );
        object.at("metadata.namespace").warning(NAMESPACE, message)
    };
    let is_meant = |object: &&Object| {
        object.namespace == **most
            || world.of_kind("Namespace").any(|namespace| namespace.name == object.namespace)
    };
    inside().filter(|object| !is_meant(object)).map(finding).collect()
}

#[cfg(test)]
mod tests {
    use crate::testing::found;

    fn config(name: &str, namespace: &str) -> String {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: \
             {namespace}}}\n---\n"
        )
    }

    #[test]
    fn an_object_that_stands_twice() {
        assert_eq!(found(&(config("a", "x") + &config("a", "x")), "duplicate-object").len(), 1);
        assert!(found(&(config("a", "x") + &config("a", "z")), "duplicate-object").is_empty());
    }

    fn of(set: &str) -> usize {
        found(set, "namespace").len()
    }

    #[test]
    fn an_object_in_another_namespace_than_most() {
        let set = config("a", "x") + &config("b", "x") + &config("c", "");
        let found = found(&set, "namespace");
        assert!(found.len() == 1 && found[0].contains("none"), "{found:?}");
        let other = config("a", "x") + &config("b", "x") + &config("c", "y");
        assert_eq!(of(&other), 1);
        let made = other + "apiVersion: v1\nkind: Namespace\nmetadata: {name: y}\n";
        assert_eq!(of(&made), 0);
    }
}
