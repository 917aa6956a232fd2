//! The objects as one picture: pods, their containers, what runs in them, and what scales them.

mod container;
mod scaler;
mod workload;

pub use container::Container;
pub(crate) use container::Setting;
pub(crate) use scaler::Scaler;
pub use workload::Workload;

use crate::Set;
use crate::environment::Environment;
use crate::files::Files;
use crate::knowledge::{Knowledge, Program};
use crate::labels::{self, Selector};
use crate::object::{Field, Object};
use std::collections::HashMap;
use workload::POD_NAME;

/// The objects of a set as one picture: what makes pods, their containers, and what scales them.
#[derive(Debug)]
pub struct World<'a> {
    pub(crate) objects: &'a [Object],
    pub(crate) knowledge: &'a Knowledge,
    pub(crate) workloads: Vec<Workload<'a>>,
    pub(crate) scalers: Vec<Scaler<'a>>,
    index: Index<'a>,
    /// Of a running cluster the plural names of the kinds that it did not show.
    refused: Option<&'a [String]>,
}

/// Where things are, by what rules ask for: a cluster's export has thousands of objects, and each
/// may name some of the others.
#[derive(Debug, Default)]
struct Index<'a> {
    /// Objects by kind,
    kinds: HashMap<&'a str, Vec<&'a Object>>,
    /// and by kind and name.
    objects: HashMap<&'a str, HashMap<&'a str, Vec<&'a Object>>>,
    /// The places of workloads by name.
    workloads: HashMap<&'a str, Vec<usize>>,
    /// The places of workloads by each label of their pods.
    labelled: HashMap<String, HashMap<String, Vec<usize>>>,
    /// The places of scalers by the name of what they scale.
    scalers: HashMap<&'a str, Vec<usize>>,
}

impl<'a> World<'a> {
    /// Puts the objects of a set together. `knowledge` says what the programs in their containers
    /// are, and `refused`, for a running cluster, which kinds it did not show.
    #[must_use]
    pub fn of(set: &'a Set, knowledge: &'a Knowledge, refused: Option<&'a [String]>) -> Self {
        let objects = set.objects.as_slice();
        let (workloads, scalers, index) = (Vec::new(), Vec::new(), Index::default());
        let mut world = Self { objects, knowledge, workloads, scalers, index, refused };
        for object in objects {
            world.index.kinds.entry(&object.kind).or_default().push(object);
            let named = world.index.objects.entry(&object.kind).or_default();
            named.entry(&object.name).or_default().push(object);
        }
        world.workloads = objects.iter().filter_map(|object| world.make_workload(object)).collect();
        world.scalers = objects.iter().filter_map(Scaler::of).collect();
        for (place, workload) in world.workloads.iter().enumerate() {
            world.index.workloads.entry(&workload.object.name).or_default().push(place);
            for (key, value) in &workload.labels {
                let values = world.index.labelled.entry(key.clone()).or_default();
                values.entry(value.clone()).or_default().push(place);
            }
        }
        for (place, scaler) in world.scalers.iter().enumerate() {
            world
                .index
                .scalers
                .entry(scaler.target.text().unwrap_or_default())
                .or_default()
                .push(place);
        }
        world
    }

    fn make_workload(&self, object: &'a Object) -> Option<Workload<'a>> {
        let template = object.at(match object.kind.as_str() {
            "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "Job" => "spec.template",
            "CronJob" => "spec.jobTemplate.spec.template",
            "Pod" => return Some(self.workload_of(object, object.root())),
            _ => return None,
        });
        Some(self.workload_of(object, template))
    }

    fn workload_of(&self, object: &'a Object, template: Field<'a>) -> Workload<'a> {
        let pod = template.get("spec");
        let list = |key: &str, is_init| {
            pod.get(key).items().into_iter().map(move |field| (field, is_init)).collect::<Vec<_>>()
        };
        let fields = [list("initContainers", true), list("containers", false)].concat();
        let containers = fields.into_iter().map(|(field, is_init)| {
            let environment = Environment::of(self, &field);
            let files = Files::of(self, &pod, &field);
            let program = self.program_of(&field);
            Container {
                name: field.get("name").text().unwrap_or_default(),
                field,
                is_init,
                program,
                environment,
                files,
            }
        });
        let containers = containers.collect();
        Workload {
            object,
            labels: labels::of(&template.at("metadata.labels")),
            template,
            pod,
            containers,
        }
    }

    /// By the command, or else the image, or else the container's name: images may be renamed, and
    /// one image has all programs.
    fn program_of(&self, container: &Field<'a>) -> Option<&'a Program> {
        let image = container.get("image").text().unwrap_or_default();
        let image =
            image.split(['@']).next().unwrap_or_default().rsplit('/').next().unwrap_or_default();
        let image = image.split(':').next().unwrap_or_default();
        let command =
            container.get("command").items().first().and_then(Field::text).unwrap_or_default();
        let command = command.rsplit('/').next().unwrap_or_default();
        let names = if command.is_empty() {
            vec![image, container.get("name").text().unwrap_or_default()]
        } else {
            vec![command]
        };
        names
            .iter()
            .find_map(|name| self.knowledge.programs.iter().find(|program| program.name == *name))
    }

    /// Whether the objects are those of a running cluster, where Secrets were not read.
    pub(crate) const fn is_live(&self) -> bool {
        self.refused.is_some()
    }

    /// Whether objects of this kind may be there all the same: the cluster did not show them.
    pub(crate) fn is_hidden(&self, kind: &str) -> bool {
        let plural = kind.to_lowercase() + if kind.ends_with('s') { "es" } else { "s" };
        self.refused.is_some_and(|refused| refused.contains(&plural))
    }

    /// The object of a kind and name that something in `namespace` means.
    pub(crate) fn find(&self, kind: &str, name: &str, namespace: &str) -> Option<&'a Object> {
        let named = self.index.objects.get(kind)?.get(name)?;
        named.iter().copied().find(|object| together(&object.namespace, namespace))
    }

    pub(crate) fn of_kind(&self, kind: &str) -> impl Iterator<Item = &'a Object> + use<'_, 'a> {
        self.index.kinds.get(kind).into_iter().flatten().copied()
    }

    /// Every container with its workload.
    pub(crate) fn containers(&self) -> impl Iterator<Item = (&Workload<'a>, &Container<'a>)> {
        self.workloads.iter().flat_map(|workload| {
            workload.containers.iter().map(move |container| (workload, container))
        })
    }

    /// Every container in which one of our units runs.
    pub(crate) fn units(
        &self,
    ) -> impl Iterator<Item = (&Workload<'a>, &Container<'a>, &'a Program)> {
        let unit = |program: &&Program| program.is_unit;
        self.containers().filter_map(move |(workload, container)| {
            Some((workload, container, container.program.filter(unit)?))
        })
    }

    /// Every container in which one of our programs reads the settings of the bus.
    pub(crate) fn on_the_bus(
        &self,
    ) -> impl Iterator<Item = (&Workload<'a>, &Container<'a>, &'a Program)> {
        self.containers().filter_map(|(workload, container)| {
            let program = container.program?;
            (program.is_unit || container.runs(&["topics"]))
                .then_some((workload, container, program))
        })
    }

    /// The workloads whose pods a selector fits.
    pub(crate) fn selected(&self, selector: &Field<'_>, namespace: &str) -> Vec<&Workload<'a>> {
        let selector = Selector::of(selector);
        let pod = selector.equal.get(POD_NAME);
        let fits = |workload: &&Workload<'a>| {
            together(&workload.object.namespace, namespace)
                && match pod {
                    Some(pod) => selector.fits(&workload.labels_with(pod)),
                    None => selector.fits(&workload.labels),
                }
        };
        match selector.equal.iter().find(|(key, _)| *key != POD_NAME) {
            // only those that have one of the labels can have all of them
            Some((key, value)) => {
                let places = self.index.labelled.get(key).and_then(|values| values.get(value));
                places
                    .into_iter()
                    .flatten()
                    .map(|place| &self.workloads[*place])
                    .filter(fits)
                    .collect()
            }
            None => self.workloads.iter().filter(fits).collect(),
        }
    }

    /// Each port of each Service that selects pods, with what makes those pods.
    pub(crate) fn service_ports(&self) -> Vec<(Field<'a>, &Workload<'a>)> {
        let mut pairs = Vec::new();
        for service in self.of_kind("Service") {
            let selector = service.at("spec.selector");
            if !selector.exists() {
                continue;
            }
            let pods = self.selected(&selector, &service.namespace);
            for entry in service.at("spec.ports").items() {
                pairs.extend(pods.iter().map(|workload| (entry.clone(), *workload)));
            }
        }
        pairs
    }

    /// What makes pods under this kind and name, if there is such an object.
    #[must_use]
    pub fn workload(&self, kind: &str, name: &str) -> Option<&Workload<'a>> {
        let mut named = self.index.workloads.get(name)?.iter().map(|place| &self.workloads[*place]);
        named.find(|workload| workload.object.kind == kind)
    }

    /// What scales a workload.
    pub(crate) fn scaler_of(&self, object: &Object) -> Option<&Scaler<'a>> {
        self.scalers_of(object).next()
    }

    /// Everything that scales a workload, in the order of the objects.
    pub(crate) fn scalers_of(&self, object: &Object) -> impl Iterator<Item = &Scaler<'a>> {
        let places = self.index.scalers.get(object.name.as_str()).into_iter().flatten();
        places.map(|place| &self.scalers[*place]).filter(move |scaler| scaler.scales(object))
    }
}

/// Whether two namespaces are the same one; an object that does not say goes where the others go.
pub(crate) fn together(one: &str, other: &str) -> bool {
    one == other || one.is_empty() || other.is_empty()
}

#[cfg(test)]
mod tests {
    use crate::testing::{deployment, found, hpa};

    /// As many objects as a large cluster's export has, each with what belongs to it. A rule that
    /// compares each with each takes minutes here.
    #[test]
    fn among_thousands_each_object_finds_its_own() {
        let with = "resources: {requests: {cpu: 1}}";
        let of = |number: usize| {
            let name = format!("worker-{number}");
            let selects = if number == 1234 { "nobody" } else { &name };
            deployment(&name, with, "")
                + &hpa(&name, &name, 1, 3).replace("name: scaler", &format!("name: {name}"))
                + &format!(
                    "---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\n\
                     spec: {{selector: {{app: {selects}}}, ports: [{{port: 80}}]}}\n"
                )
        };
        let set: String = (0..2000).map(of).collect();
        for rule in ["duplicate-object", "scale-target", "scale-metric"] {
            assert_eq!(found(&set, rule), Vec::<String>::new(), "{rule}");
        }
        let astray = found(&set, "selector");
        assert!(
            astray.len() == 1 && astray[0].contains("no pods among these objects"),
            "{astray:?}"
        );
        let twice = found(&(set + &of(77)), "duplicate-object");
        assert_eq!(twice.len(), 3, "{twice:?}");
    }
}
