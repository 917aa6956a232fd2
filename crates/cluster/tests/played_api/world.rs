//! What the played API server knows, and what it refuses.

use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The kinds of objects that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Deployment,
    Autoscaler,
}

/// How open watches end.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Ending {
    /// As after their timeout.
    #[default]
    Clean,
    /// With the connection, in the middle of an event.
    Cut,
}

/// Objects, their history, and what has been asked.
#[derive(Default)]
pub(crate) struct World {
    /// Requests for these kinds get a 403.
    pub(crate) refused: BTreeSet<Kind>,
    /// Every request gets a 500.
    pub(crate) broken: bool,
    /// A watch from before this version gets a 410.
    pub(crate) oldest: u64,
    /// Requests for lists so far, whatever the answer.
    pub(crate) lists: u64,
    /// Watches opened so far.
    pub(crate) watches: u64,
    /// Watches that got a 410 so far.
    pub(crate) expired: u64,
    pub(super) endings: u64,
    pub(super) ending: Ending,
    version: u64,
    objects: BTreeMap<(Kind, String), Value>,
    history: Vec<(u64, Kind, Value)>,
}

impl World {
    /// A Deployment is made or changed.
    pub(crate) fn deployment(&mut self, name: &str, desired: u32, ready: u32) {
        let labels = json!({"app": name});
        self.put(Kind::Deployment, name, |metadata| {
            json!({
                "apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata,
                "spec": {"replicas": desired, "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels},
                    "spec": {"containers": [{"name": "inference", "image": "mlvi:test"}]}}},
                "status": {"replicas": desired, "readyReplicas": ready, "availableReplicas": ready, "observedGeneration": 1},
            })
        });
    }

    /// An autoscaler from 1 to `max` pods is made or changed.
    pub(crate) fn autoscaler(&mut self, name: &str, deployment: &str, max: u32, current: u32) {
        self.put(Kind::Autoscaler, name, |metadata| {
            json!({
                "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": metadata,
                "spec": {"minReplicas": 1, "maxReplicas": max,
                    "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": deployment},
                    "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}}]},
                "status": {"currentReplicas": current, "desiredReplicas": current, "currentMetrics": null,
                    "conditions": [{"type": "AbleToScale", "status": "True", "reason": "ReadyForNewScale",
                        "lastTransitionTime": "2026-01-01T00:00:00Z", "message": "recommended size \
                         matches current size"}]},
            })
        });
    }

    /// An object is deleted.
    pub(crate) fn delete(&mut self, kind: Kind, name: &str) {
        let object =
            self.objects.remove(&(kind, name.to_owned())).expect("only what is there is deleted");
        self.version += 1;
        self.history.push((self.version, kind, json!({"type": "DELETED", "object": object})));
    }

    /// Every open watch ends before it tells of any change that is made together with this.
    pub(crate) fn end_watches(&mut self, ending: Ending) {
        self.endings += 1;
        self.ending = ending;
    }

    /// Forgets the history: whoever wants to go on from an earlier version cannot.
    pub(crate) fn compact(&mut self) {
        self.version += 1;
        self.oldest = self.version;
        self.history.clear();
    }

    fn put(&mut self, kind: Kind, name: &str, make: impl FnOnce(Value) -> Value) {
        self.version += 1;
        let object = make(
            json!({"name": name, "namespace": "video", "uid": name, "resourceVersion": self.version.to_string()}),
        );
        let known = self.objects.insert((kind, name.to_owned()), object.clone()).is_some();
        let change = if known { "MODIFIED" } else { "ADDED" };
        self.history.push((self.version, kind, json!({"type": change, "object": object})));
    }

    /// The list, which a watch does not need, or a `Status` that says why not.
    pub(super) fn answer(
        &mut self,
        path: &str,
        named: Option<&str>,
        watching: bool,
    ) -> Result<(Kind, Value), Value> {
        if !watching {
            self.lists += 1;
        }
        let failure = |code: u16, reason: &str, message: &str| json!({"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": message});
        let (kind, list) = match path {
            "/apis/apps/v1/namespaces/video/deployments" => (Kind::Deployment, "DeploymentList"),
            "/apis/autoscaling/v2/namespaces/video/horizontalpodautoscalers" => {
                (Kind::Autoscaler, "HorizontalPodAutoscalerList")
            }
            _ => {
                return Err(failure(
                    404,
                    "NotFound",
                    "the server could not find the requested resource",
                ));
            }
        };
        if self.broken {
            return Err(failure(500, "InternalError", "etcd is away"));
        }
        // a Role may name the Deployments, which allows only requests that name one
        if self.refused.contains(&kind) || (kind == Kind::Deployment && named.is_none()) {
            let message = format!(
                "{path} is forbidden: User \"system:serviceaccount:video:default\" cannot list it"
            );
            return Err(failure(403, "Forbidden", &message));
        }
        if watching {
            self.watches += 1;
        }
        let of_kind = self
            .objects
            .iter()
            .filter(|((of, name), _)| *of == kind && named.is_none_or(|named| named == name));
        let items: Vec<&Value> = of_kind.map(|(_, object)| object).collect();
        let metadata = json!({"resourceVersion": self.version.to_string()});
        Ok((kind, json!({"kind": list, "apiVersion": "v1", "metadata": metadata, "items": items})))
    }

    /// What has happened after `version`, and the version up to which that is all.
    pub(super) fn events(
        &self,
        kind: Kind,
        named: Option<&str>,
        version: u64,
    ) -> (Vec<Value>, u64) {
        let wanted =
            |event: &Value| named.is_none_or(|named| event["object"]["metadata"]["name"] == named);
        let news = self
            .history
            .iter()
            .filter(|(at, of, event)| *at > version && *of == kind && wanted(event));
        (news.map(|(_, _, event)| event.clone()).collect(), self.version)
    }
}
