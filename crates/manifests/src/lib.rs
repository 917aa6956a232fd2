//! What Kubernetes manifests say, and where they do not fit each other or the units.
