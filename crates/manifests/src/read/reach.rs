//! Every document that a kustomization reaches: objects, patches and what makes objects, near and
//! far.

use super::kustomization::{Kustomization, find};
use super::{ReadError, Set, read_text};
use crate::sources::{Form, Source, Target};
use crate::yaml::{self, Content, Node};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A kustomization file with its fields that cannot be carried out here.
pub(super) type Beyond = Option<(PathBuf, Vec<String>)>;

impl Set {
    /// Takes in every document below `dir`, and tells which kustomization, if any, needs kustomize
    /// itself.
    pub(super) fn reach(&mut self, dir: &Path) -> Result<Beyond, ReadError> {
        let mut walk = Walk { set: self, seen: BTreeSet::new(), beyond: None };
        walk.folder(dir, 0)?;
        Ok(walk.beyond)
    }
}

struct Walk<'a> {
    set: &'a mut Set,
    seen: BTreeSet<PathBuf>,
    beyond: Beyond,
}

impl Walk<'_> {
    fn folder(&mut self, dir: &Path, distance: usize) -> Result<(), ReadError> {
        let Some(file) = find(dir) else { return Ok(()) };
        if !self.seen.insert(tidy(&file)) {
            return Ok(());
        }
        let text = read_text(&file)?;
        let Some(document) = self.set.documents(&text, &file, 0).into_iter().next() else {
            return Ok(());
        };
        let kustomization = Kustomization { root: document.root };
        let beyond = kustomization.beyond_us();
        if self.beyond.is_none() && !beyond.is_empty() {
            self.beyond = Some((file.clone(), beyond));
        }
        self.patches(&kustomization.root, dir, &file, distance)?;
        self.generators(&kustomization.root, &file, distance);
        for resource in kustomization.resources() {
            let path = dir.join(&resource);
            if path.is_dir() {
                self.folder(&tidy(&path), distance + 2)?;
            } else if path.is_file() {
                self.objects(&path, distance + 1)?;
            }
            // what is not there makes the build fail, and is told by it
        }
        Ok(())
    }

    fn objects(&mut self, path: &Path, distance: usize) -> Result<(), ReadError> {
        let path = tidy(path);
        if self.seen.insert(path.clone()) {
            let text = read_text(&path)?;
            self.documents(&text, &path, 0, distance, |_| Form::Object);
        }
        Ok(())
    }

    fn patches(
        &mut self,
        root: &Node,
        dir: &Path,
        file: &Path,
        distance: usize,
    ) -> Result<(), ReadError> {
        for field in ["patches", "patchesJson6902"] {
            for entry in root.items(&[field]) {
                let of = |key| entry.text(&["target", key]).unwrap_or_default().to_owned();
                let target =
                    entry.at(&["target"]).map(|_| Target { kind: of("kind"), name: of("name") });
                let form = |root: &Node| match (&root.content, &target) {
                    (Content::List(_), target) => {
                        Form::Operations(target.clone().unwrap_or_default())
                    }
                    (_, Some(target)) => Form::Patch(target.clone()),
                    (_, None) => Form::Object,
                };
                if let Some(path) =
                    entry.text(&["path"]).map(|path| dir.join(path)).filter(|path| path.is_file())
                {
                    let text = read_text(&path)?;
                    self.documents(&text, &tidy(&path), 0, distance, form);
                } else if let Some((text, line)) = inline(entry, "patch") {
                    self.documents(&text, file, line, distance, form);
                }
            }
        }
        for entry in root.items(&["patchesStrategicMerge"]) {
            let Content::Scalar(Value::String(text)) = &entry.content else { continue };
            let path = dir.join(text);
            if path.is_file() {
                self.documents(&read_text(&path)?, &tidy(&path), 0, distance, |_| Form::Object);
            } else if text.contains('\n') {
                self.documents(text, file, entry.line, distance, |_| Form::Object);
            }
        }
        Ok(())
    }

    fn generators(&mut self, root: &Node, file: &Path, distance: usize) {
        for (field, kind) in [("configMapGenerator", "ConfigMap"), ("secretGenerator", "Secret")] {
            for entry in root.items(&[field]) {
                self.set.sources.add(Source {
                    file: file.to_owned(),
                    document: 1,
                    lines_before: 0,
                    distance,
                    form: Form::Generator(kind),
                    root: entry.clone(),
                });
            }
        }
    }

    fn documents(
        &mut self,
        text: &str,
        file: &Path,
        lines_before: usize,
        distance: usize,
        form: impl Fn(&Node) -> Form,
    ) {
        for document in self.set.documents(text, file, lines_before) {
            let roots = match document.root.text(&["kind"]) {
                Some("List") => document.root.items(&["items"]).to_vec(),
                _ => vec![document.root],
            };
            // what a patch takes away is set by nobody
            for root in roots.into_iter().filter(|root| root.text(&["$patch"]) != Some("delete")) {
                let form = form(&root);
                let number = document.number;
                self.set.sources.add(Source {
                    file: file.to_owned(),
                    document: number,
                    lines_before,
                    distance,
                    form,
                    root,
                });
            }
        }
    }
}

/// A text inside a kustomization, and the number of lines above its first one.
fn inline(entry: &Node, key: &str) -> Option<(String, usize)> {
    let entry = entry.entry(key)?;
    let Content::Scalar(Value::String(text)) = &entry.value.content else { return None };
    // a block begins on the line below its key
    let above = if text.contains('\n') { entry.line } else { entry.line - 1 };
    yaml::read(text).is_ok().then(|| (text.clone(), above))
}

/// Without `x/../`, so that people recognise the path and files are seen once.
pub(super) fn tidy(path: &Path) -> PathBuf {
    let mut parts: Vec<std::path::Component<'_>> = Vec::new();
    for part in path.components() {
        match (part, parts.last()) {
            (std::path::Component::ParentDir, Some(std::path::Component::Normal(_))) => {
                _ = parts.pop()
            }
            (std::path::Component::CurDir, _) => {}
            _ => parts.push(part),
        }
    }
    parts.iter().collect()
}
