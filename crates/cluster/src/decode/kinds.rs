//! The kinds of objects that a deployment of this suite is made of.

use super::{FieldFault, faults, read_as};
use k8s_openapi::api::{
    apps, autoscaling, batch, coordination, core, networking, policy, rbac, scheduling, storage,
};
use serde_json::Value;

macro_rules! kinds {
    ($($version:literal $kind:literal $type:ty,)*) => {
        /// Every kind that [`strict`] knows: `apiVersion` and `kind`.
        pub const KNOWN_KINDS: &[(&str, &str)] = &[$(($version, $kind)),*];

        /// Reads an object as its kind, and gives every field that is not right; `None` when the kind is not known here.
        #[must_use]
        pub fn strict(api_version: &str, kind: &str, value: &Value) -> Option<Vec<FieldFault>> {
            match (api_version, kind) {
                $(($version, $kind) => Some(faults(value, read_as::<$type>)),)*
                _ => None,
            }
        }
    };
}

kinds! {
    "v1" "ConfigMap" core::v1::ConfigMap,
    "v1" "Endpoints" core::v1::Endpoints,
    "v1" "LimitRange" core::v1::LimitRange,
    "v1" "Namespace" core::v1::Namespace,
    "v1" "PersistentVolume" core::v1::PersistentVolume,
    "v1" "PersistentVolumeClaim" core::v1::PersistentVolumeClaim,
    "v1" "Pod" core::v1::Pod,
    "v1" "ResourceQuota" core::v1::ResourceQuota,
    "v1" "Secret" core::v1::Secret,
    "v1" "Service" core::v1::Service,
    "v1" "ServiceAccount" core::v1::ServiceAccount,
    "apps/v1" "DaemonSet" apps::v1::DaemonSet,
    "apps/v1" "Deployment" apps::v1::Deployment,
    "apps/v1" "ReplicaSet" apps::v1::ReplicaSet,
    "apps/v1" "StatefulSet" apps::v1::StatefulSet,
    "autoscaling/v1" "HorizontalPodAutoscaler" autoscaling::v1::HorizontalPodAutoscaler,
    "autoscaling/v2" "HorizontalPodAutoscaler" autoscaling::v2::HorizontalPodAutoscaler,
    "batch/v1" "CronJob" batch::v1::CronJob,
    "batch/v1" "Job" batch::v1::Job,
    "coordination.k8s.io/v1" "Lease" coordination::v1::Lease,
    "networking.k8s.io/v1" "Ingress" networking::v1::Ingress,
    "networking.k8s.io/v1" "IngressClass" networking::v1::IngressClass,
    "networking.k8s.io/v1" "NetworkPolicy" networking::v1::NetworkPolicy,
    "policy/v1" "PodDisruptionBudget" policy::v1::PodDisruptionBudget,
    "rbac.authorization.k8s.io/v1" "ClusterRole" rbac::v1::ClusterRole,
    "rbac.authorization.k8s.io/v1" "ClusterRoleBinding" rbac::v1::ClusterRoleBinding,
    "rbac.authorization.k8s.io/v1" "Role" rbac::v1::Role,
    "rbac.authorization.k8s.io/v1" "RoleBinding" rbac::v1::RoleBinding,
    "scheduling.k8s.io/v1" "PriorityClass" scheduling::v1::PriorityClass,
    "storage.k8s.io/v1" "StorageClass" storage::v1::StorageClass,
}
