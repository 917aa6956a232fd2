//! The kinds that are listed, and the list of one.

use cluster::ApiError;
use kube::api::{ApiResource, DynamicObject, ListParams};
use kube::{Api, Client};
use serde_json::Value;
use std::time::Duration;
use tokio::time::timeout;

/// A kind of objects.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    pub(crate) plural: &'static str,
}

/// Whose objects are listed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scope<'a> {
    /// Those of a namespace.
    Namespace(&'a str),
    /// Those of the whole cluster.
    Cluster,
}

impl Kind {
    pub(crate) const fn new(
        group: &'static str,
        version: &'static str,
        kind: &'static str,
        plural: &'static str,
    ) -> Self {
        Self { group, version, kind, plural }
    }

    fn api_version(self) -> String {
        if self.group.is_empty() {
            self.version.to_owned()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// Every object of this kind as JSON; `None` when the cluster has no such kind.
    pub(crate) async fn list(
        self,
        client: &Client,
        scope: Scope<'_>,
        answer: Duration,
    ) -> Result<Option<Vec<Value>>, ApiError> {
        let resource = ApiResource {
            group: self.group.into(),
            version: self.version.into(),
            api_version: self.api_version(),
            kind: self.kind.into(),
            plural: self.plural.into(),
        };
        let api: Api<DynamicObject> = match scope {
            Scope::Namespace(namespace) => {
                Api::namespaced_with(client.clone(), namespace, &resource)
            }
            Scope::Cluster => Api::all_with(client.clone(), &resource),
        };
        match timeout(answer, api.list(&ListParams::default())).await {
            Ok(Ok(list)) => {
                Ok(Some(list.items.into_iter().map(|object| self.plain(object)).collect()))
            }
            Ok(Err(kube::Error::Api(status))) if status.code == 404 => Ok(None),
            Ok(Err(error)) => Err(ApiError::asking(&error)),
            Err(_) => {
                Err(ApiError::Unreachable(format!("no answer within {} s", answer.as_secs())))
            }
        }
    }

    /// An object of a list, which does not repeat its type, as one by itself, without what the
    /// cluster keeps for its own use.
    fn plain(self, object: DynamicObject) -> Value {
        let mut value = object.data;
        value["apiVersion"] = self.api_version().into();
        value["kind"] = self.kind.into();
        let mut metadata = serde_json::to_value(object.metadata).unwrap_or_default();
        if let Some(metadata) = metadata.as_object_mut() {
            metadata.remove("managedFields");
        }
        value["metadata"] = metadata;
        value
    }
}

/// The text at a pointer.
pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer).and_then(Value::as_str)
}

/// The number of pods at a pointer.
pub(crate) fn count(value: &Value, pointer: &str) -> Option<u32> {
    value.pointer(pointer).and_then(Value::as_u64).and_then(|count| u32::try_from(count).ok())
}
