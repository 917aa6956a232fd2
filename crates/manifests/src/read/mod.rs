//! Reads objects from files, folders, a text or a list.

mod folder;
pub(crate) use folder::is_namespaced;
mod kustomization;
mod reach;
mod tool;

pub use tool::Tools;

use crate::finding::{Finding, Place};
use crate::object::Object;
use crate::sources::{Form, Source, Sources};
use crate::yaml::{self, Document, Node};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Objects, where they come from, and what was wrong with reading them.
#[derive(Debug, Default)]
pub struct Set {
    pub(crate) objects: Vec<Object>,
    pub(crate) sources: Sources,
    pub(crate) findings: Vec<Finding>,
}

/// Why there is nothing to check.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A path that is not there, or cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A kustomization needs a program that is not there.
    #[error(
        "{} uses {}, which only kustomize itself can build: neither 'kubectl' nor 'kustomize' is \
         on the PATH; install one of them, \
         or give the output of a build on standard input: kubectl kustomize DIR | mlvi check -",
        path.display(), fields.join(", ")
    )]
    NoTool {
        /// The kustomization file.
        path: PathBuf,
        /// Its fields that cannot be read without.
        fields: Vec<String>,
    },
    /// No objects at all.
    #[error(
        "there are no manifests in {0}: no *.yml, *.yaml or *.json with an apiVersion and a kind"
    )]
    Empty(String),
}

impl Set {
    /// Reads files and folders. A folder with a kustomization is built, any other is read file by
    /// file, with all below it.
    ///
    /// # Errors
    /// When a path cannot be read, there are no objects, or a kustomization needs a program that is
    /// not there. What is wrong with the text of a file is a finding.
    pub fn read(paths: &[PathBuf], tools: &Tools) -> Result<Self, ReadError> {
        let mut set = Self::default();
        for path in paths {
            let about = std::fs::metadata(path)
                .map_err(|source| ReadError::Unreadable { path: path.clone(), source })?;
            if about.is_dir() {
                set.read_folder(path, tools)?;
            } else {
                set.read_file(path)?;
            }
        }
        if set.objects.is_empty() && set.findings.is_empty() {
            let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
            return Err(ReadError::Empty(names.join(", ")));
        }
        Ok(set)
    }

    /// Reads one text, such as standard input; `name` stands for the file in findings.
    ///
    /// # Errors
    /// When there are no objects in it.
    pub fn of_text(text: &str, name: &str) -> Result<Self, ReadError> {
        let mut set = Self::default();
        set.take_text(text, Path::new(name));
        if set.objects.is_empty() && set.findings.is_empty() {
            Err(ReadError::Empty(name.into()))
        } else {
            Ok(set)
        }
    }

    /// Takes objects as a cluster gives them. They have no files.
    #[must_use]
    pub fn of_objects(objects: Vec<Value>) -> Self {
        Self {
            objects: objects.into_iter().map(|value| Object::of(value, None)).collect(),
            ..Self::default()
        }
    }

    /// How many objects there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    fn read_file(&mut self, path: &Path) -> Result<(), ReadError> {
        let text = read_text(path)?;
        self.take_text(&text, path);
        Ok(())
    }

    fn take_text(&mut self, text: &str, file: &Path) {
        for document in self.documents(text, file, 0) {
            let items = match document.root.text(&["kind"]) {
                Some("List") => document.root.items(&["items"]).to_vec(),
                _ => vec![document.root],
            };
            for root in items {
                self.take_object(root, file, document.number);
            }
        }
    }

    fn take_object(&mut self, root: Node, file: &Path, document: usize) {
        let is_object = root.text(&["apiVersion"]).is_some() && root.text(&["kind"]).is_some();
        let place = Place { file: file.to_owned(), document, line: root.line };
        if !is_object {
            // beside manifests there may be other JSON, e.g. dashboards
            if file.extension().is_none_or(|extension| extension != "json") {
                let message =
                    "this document is not an object of Kubernetes: it has no apiVersion and kind";
                self.findings.push(Finding::of_file("not-an-object", place, message));
            }
            return;
        }
        let value = root.to_json();
        let source = Source {
            file: file.to_owned(),
            document,
            lines_before: 0,
            distance: 0,
            form: Form::Object,
            root,
        };
        let source = self.sources.add(source);
        self.objects.push(Object::of(value, Some(source)));
    }

    /// The documents of a text; what is wrong with it becomes findings.
    fn documents(&mut self, text: &str, file: &Path, lines_before: usize) -> Vec<Document> {
        match yaml::read(text) {
            Ok(documents) => {
                for document in &documents {
                    for (path, line) in &document.duplicates {
                        let place = Place {
                            file: file.to_owned(),
                            document: document.number,
                            line: lines_before + line,
                        };
                        let message = format!(
                            "the key {path} stands twice in its map; only one of the two counts"
                        );
                        self.findings.push(Finding::of_file("duplicate-key", place, message));
                    }
                }
                documents
            }
            Err(error) => {
                let place =
                    Place { file: file.to_owned(), document: 1, line: lines_before + error.line };
                self.findings.push(Finding::of_file(
                    "yaml",
                    place,
                    format!("this is not YAML: {}", error.reason),
                ));
                Vec::new()
            }
        }
    }
}

fn read_text(path: &Path) -> Result<String, ReadError> {
    text::read(path).map_err(|source| ReadError::Unreadable { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests;
