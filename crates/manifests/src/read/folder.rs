//! Reads a folder: built where it has a kustomization, file by file where it has none.

use super::kustomization::{Kustomization, find};
use super::reach::tidy;
use super::tool::{Built, Tools, build};
use super::{ReadError, Set};
use crate::finding::{Finding, Place};
use crate::object::Object;
use crate::yaml;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

impl Set {
    pub(super) fn read_folder(&mut self, dir: &Path, tools: &Tools) -> Result<(), ReadError> {
        match find(dir) {
            Some(file) => self.read_built(dir, &file, tools),
            None => self.read_plain(dir),
        }
    }

    fn read_built(&mut self, dir: &Path, file: &Path, tools: &Tools) -> Result<(), ReadError> {
        let before = self.findings.len();
        let beyond = self.reach(dir)?;
        let place = Place { file: file.to_owned(), document: 1, line: 1 };
        match build(dir, tools) {
            Built::Text(text) => match yaml::read(&text) {
                Ok(documents) => {
                    let objects = documents
                        .into_iter()
                        .map(|document| Object::of(document.root.to_json(), None));
                    self.objects.extend(objects);
                }
                Err(error) => {
                    let message = format!(
                        "the build is not YAML at its line {}: {}",
                        error.line, error.reason
                    );
                    self.findings.push(Finding::of_file("kustomize", place, message));
                }
            },
            // a fault in a file that was reached is the reason, and is told already
            Built::Refused(_) if self.findings.len() > before => {}
            Built::Refused(reason) => {
                self.findings.push(Finding::of_file(
                    "kustomize",
                    place,
                    format!("this cannot be built: {reason}"),
                ));
            }
            Built::NoTool => match beyond {
                Some((path, fields)) => return Err(ReadError::NoTool { path, fields }),
                None => self.resolve(dir, None, &mut Vec::new())?,
            },
        }
        Ok(())
    }

    /// A kustomization that only lists resources, without any program. `way` holds the
    /// kustomizations that have led here.
    fn resolve(
        &mut self,
        dir: &Path,
        outer: Option<&str>,
        way: &mut Vec<PathBuf>,
    ) -> Result<(), ReadError> {
        let Some(file) = find(dir) else { return Ok(()) };
        let Some(kustomization) = Kustomization::read(&file)? else { return Ok(()) };
        let real = std::fs::canonicalize(&file)
            .map_err(|source| ReadError::Unreadable { path: file.clone(), source })?;
        if way.contains(&real) {
            let place = Place { file, document: 1, line: 1 };
            self.findings.push(Finding::of_file(
                "kustomize",
                place,
                "its resources lead back to itself",
            ));
            return Ok(());
        }
        way.push(real);
        let namespace = outer.or(kustomization.namespace());
        for resource in kustomization.resources() {
            let path = dir.join(&resource);
            if path.is_dir() {
                self.resolve(&path, namespace, way)?;
                continue;
            }
            let path = tidy(&path);
            let first = self.objects.len();
            self.read_file(&path)?;
            for object in &mut self.objects[first..] {
                if let Some(namespace) = namespace.filter(|_| is_namespaced(&object.kind)) {
                    object.value["metadata"]["namespace"] = namespace.into();
                    object.namespace = namespace.to_owned();
                }
            }
        }
        way.pop();
        Ok(())
    }

    fn read_plain(&mut self, dir: &Path) -> Result<(), ReadError> {
        let mut files = Vec::new();
        let mut parts = BTreeSet::new();
        list(dir, &mut files, &mut parts)?;
        for file in files.iter().filter(|file| !parts.contains(*file)) {
            self.read_file(file)?;
        }
        Ok(())
    }
}

/// The manifests of a folder and below in order; `parts` are those that are patches or contents of
/// what a kustomization makes.
fn list(
    dir: &Path,
    files: &mut Vec<PathBuf>,
    parts: &mut BTreeSet<PathBuf>,
) -> Result<(), ReadError> {
    let unreadable = |source| ReadError::Unreadable { path: dir.to_owned(), source };
    let mut entries = std::fs::read_dir(dir)
        .map_err(unreadable)?
        .collect::<Result<Vec<_>, _>>()
        .map_err(unreadable)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    let kustomization = find(dir);
    if let Some(kustomization) =
        kustomization.as_deref().map(Kustomization::read).transpose()?.flatten()
    {
        parts.extend(kustomization.parts().into_iter().map(|part| dir.join(part)));
    }
    for entry in entries {
        let path = entry.path();
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        let is_manifest = path
            .extension()
            .is_some_and(|extension| ["yml", "yaml", "json"].iter().any(|own| extension == *own));
        if path.is_dir() && !hidden {
            list(&path, files, parts)?;
        } else if is_manifest && !hidden && kustomization.as_ref() != Some(&path) {
            files.push(path);
        }
    }
    Ok(())
}

/// Whether objects of this kind are in a namespace.
pub(crate) fn is_namespaced(kind: &str) -> bool {
    const CLUSTER_WIDE: [&str; 9] = [
        "Namespace",
        "ClusterRole",
        "ClusterRoleBinding",
        "PriorityClass",
        "StorageClass",
        "PersistentVolume",
        "IngressClass",
        "CustomResourceDefinition",
        "ClusterTriggerAuthentication",
    ];
    !CLUSTER_WIDE.contains(&kind)
}
