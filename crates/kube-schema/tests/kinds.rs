//! The table against the types of `k8s-openapi`. `MLVI_WRITE_KINDS=1` writes it anew.

mod probe;

use k8s_openapi::api::{
    apps, autoscaling, batch, coordination, core, networking, policy, rbac, scheduling, storage,
};
use probe::Probed;

const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/kinds.txt");
const HEAD: &str = "\
# The kinds of objects that a deployment of this suite is made of, and the types of their fields,
# made from the types of k8s-openapi by tests/kinds.rs with MLVI_WRITE_KINDS=1.
";

/// Each kind: `apiVersion`, `kind`, and the type that decodes it.
macro_rules! kinds {
    ($($version:literal $kind:literal $type:ty,)*) => {
        fn probe_all() -> String {
            let mut probed = Probed::default();
            let mut text = HEAD.to_owned();
            $(
                let name = probed.probe::<$type>();
                text += &format!("kind {} {} {name}\n", $version, $kind);
            )*
            text + &probed.text()
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

#[test]
fn the_table_is_that_of_the_api_types() {
    let made = probe_all();
    if std::env::var_os("MLVI_WRITE_KINDS").is_some() {
        std::fs::write(TABLE, &made).expect("the table is a file of this crate");
    }
    let kept = std::fs::read_to_string(TABLE).expect("the table is a file of this crate");
    let differs = made.lines().zip(kept.lines()).position(|(made, kept)| made != kept);
    assert!(
        made == kept,
        "kinds.txt differs from the API's types (line {differs:?}, lengths {} and {}): \
         write it anew with MLVI_WRITE_KINDS=1",
        made.len(),
        kept.len()
    );
}
