//! What a kustomization file names.

use super::{ReadError, read_text};
use crate::yaml::{self, Content, Node};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// A kustomization file that could be read.
#[derive(Debug)]
pub(super) struct Kustomization {
    pub(super) root: Node,
}

/// The names that kustomize knows for its file.
const NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// The kustomization file of a folder.
pub(super) fn find(dir: &Path) -> Option<PathBuf> {
    NAMES.iter().map(|name| dir.join(name)).find(|path| path.is_file())
}

impl Kustomization {
    /// `None` when it is not YAML, or empty.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, ReadError> {
        let text = read_text(path)?;
        let root = yaml::read(&text).ok().and_then(|documents| documents.into_iter().next());
        Ok(root.map(|document| Self { root: document.root }))
    }

    /// What is put on all objects.
    pub(super) fn namespace(&self) -> Option<&str> {
        self.root.text(&["namespace"])
    }

    /// Files and folders of objects, by their paths from here; what is fetched from elsewhere is
    /// not among them.
    pub(super) fn resources(&self) -> Vec<String> {
        ["resources", "bases", "components"]
            .iter()
            .flat_map(|field| texts(&self.root, field))
            .filter(|path| !path.contains("://"))
            .collect()
    }

    /// The fields that only kustomize itself can carry out.
    pub(super) fn beyond_us(&self) -> Vec<String> {
        const PLAIN: [&str; 7] = [
            "apiVersion",
            "kind",
            "metadata",
            "resources",
            "namespace",
            "buildMetadata",
            "sortOptions",
        ];
        match &self.root.content {
            Content::Map(entries) => entries
                .iter()
                .map(|entry| entry.key.clone())
                .filter(|key| !PLAIN.contains(&key.as_str()))
                .collect(),
            _ => Vec::new(),
        }
    }

    /// The files that are patches, or contents of objects that are made here.
    pub(super) fn parts(&self) -> Vec<String> {
        let mut parts: Vec<String> = texts(&self.root, "patchesStrategicMerge").collect();
        for field in
            ["patches", "patchesJson6902", "replacements", "configurations", "transformers"]
        {
            let entries = self.root.items(&[field]).iter();
            parts.extend(entries.filter_map(|entry| entry.text(&["path"])).map(str::to_owned));
        }
        for field in ["configurations", "transformers", "generators"] {
            parts.extend(texts(&self.root, field));
        }
        for generator in ["configMapGenerator", "secretGenerator"] {
            for entry in self.root.items(&[generator]) {
                // `key=path`, or only the path
                let files = texts(entry, "files")
                    .map(|file| file.rsplit('=').next().unwrap_or_default().to_owned());
                parts.extend(files.chain(texts(entry, "envs")));
            }
        }
        parts
    }
}

fn texts<'a>(node: &'a Node, field: &'a str) -> impl Iterator<Item = String> + 'a {
    node.items(&[field]).iter().filter_map(|item| match &item.content {
        Content::Scalar(Value::String(text)) => Some(text.clone()),
        _ => None,
    })
}
