//! What makes pods.

use super::container::Container;
use crate::labels::Labels;
use crate::object::{Field, Object};

/// The label that Kubernetes gives each pod of a StatefulSet: its name.
pub(super) const POD_NAME: &str = "statefulset.kubernetes.io/pod-name";

/// Something that makes pods.
#[derive(Debug)]
pub struct Workload<'a> {
    pub(crate) object: &'a Object,
    /// The pods' own description, with their metadata.
    pub(crate) template: Field<'a>,
    /// Their specification.
    pub(crate) pod: Field<'a>,
    pub(crate) labels: Labels,
    pub(crate) containers: Vec<Container<'a>>,
}

impl<'a> Workload<'a> {
    /// Its containers that run side by side, without those that only prepare.
    pub fn main_containers(&self) -> impl Iterator<Item = &Container<'a>> {
        self.containers.iter().filter(|container| !container.is_init)
    }

    /// How long a pod sleeps before it is asked to stop, in seconds: the longest `preStop.sleep`.
    #[must_use]
    pub fn pre_stop_s(&self) -> f64 {
        let seconds = |container: &Container<'_>| {
            container.field.at("lifecycle.preStop.sleep.seconds").value?.as_f64()
        };
        self.main_containers().filter_map(seconds).fold(0.0, f64::max)
    }

    /// How many pods it asks for; one when it does not say.
    pub(crate) fn replicas(&self) -> i64 {
        self.object.at("spec.replicas").integer().unwrap_or(1)
    }

    /// Whether a pod of a StatefulSet has this name.
    pub(crate) fn has_pod(&self, name: &str) -> bool {
        let ordinal = name.strip_prefix(&self.object.name).and_then(|rest| rest.strip_prefix('-'));
        let ordinal = ordinal
            .filter(|text| *text == "0" || !text.starts_with('0'))
            .and_then(|text| text.parse::<u32>().ok());
        self.object.kind == "StatefulSet"
            && ordinal.is_some_and(|ordinal| i64::from(ordinal) < self.replicas())
    }

    /// Its pods' labels. A StatefulSet's pods also have their own name as one: that of `pod`, if it
    /// is one of them.
    pub(super) fn labels_with(&self, pod: &str) -> Labels {
        let mut labels = self.labels.clone();
        if self.has_pod(pod) {
            labels.insert(POD_NAME.to_owned(), pod.to_owned());
        }
        labels
    }
}
