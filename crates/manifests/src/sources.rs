//! The documents that objects come from, and where in them a field is set.

use crate::finding::Place;
use crate::path::Path;
use crate::yaml::{Content, Node};
use kube_schema::Step;
use serde_json::Value;
use std::path::PathBuf;

/// Every document that was reached.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    documents: Vec<Source>,
}

/// A document, or a part of one that is an object by itself.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) file: PathBuf,
    /// Within the file, from 1.
    pub(crate) document: usize,
    /// Added to the lines of `root`: the text of a patch may stand inside another file.
    pub(crate) lines_before: usize,
    /// How far from the kustomization that is built; what is nearer wins.
    pub(crate) distance: usize,
    pub(crate) form: Form,
    pub(crate) root: Node,
}

/// What a document is to the objects.
#[derive(Debug)]
pub(crate) enum Form {
    /// An object, or a patch of the one of the same kind and name.
    Object,
    /// A patch for what its target selects.
    Patch(Target),
    /// A list of operations for what its target selects.
    Operations(Target),
    /// An entry of a kustomization that makes an object of this kind.
    Generator(&'static str),
}

/// What a patch is for. Empty fits all.
#[derive(Clone, Debug, Default)]
pub(crate) struct Target {
    pub(crate) kind: String,
    pub(crate) name: String,
}

impl Target {
    /// Whether it means an object of this name. Targets are regular expressions: alternatives are
    /// told apart here, and what is more than that is taken to fit.
    fn names(&self, name: &str) -> bool {
        let fits = |own: &str| {
            own.is_empty()
                || own.contains(['*', '[', '.', '+', '?', '('])
                || is_made_from(name, own)
        };
        self.name.split('|').any(fits)
    }
}

/// How well a source explains a field: how many steps of the path it has, whether that is all of
/// them, and the line.
struct Match {
    steps: usize,
    whole: bool,
    line: usize,
}

impl Sources {
    pub(crate) fn add(&mut self, source: Source) -> usize {
        self.documents.push(source);
        self.documents.len() - 1
    }

    /// Where a field of an object is set: in the document that it was read from, or else in the one
    /// that has most of the way to the field. Of those that set it, the nearest to the
    /// kustomization; of those that do not, the farthest, which is the object's own file.
    pub(crate) fn locate(
        &self,
        object: &Value,
        path: &Path,
        read_from: Option<usize>,
    ) -> Option<Place> {
        let candidates: Vec<&Source> = match read_from {
            Some(own) => self.documents.get(own).into_iter().collect(),
            None => self.documents.iter().filter(|source| source.fits(object)).collect(),
        };
        let matches = candidates.into_iter().map(|source| (source, source.find(object, path)));
        let rank = |source: &Source, found: &Match| {
            let distance = i64::try_from(source.distance).unwrap_or(i64::MAX);
            (found.steps, if found.whole { -distance } else { distance })
        };
        let (source, found) = matches.max_by_key(|(source, found)| rank(source, found))?;
        Some(Place {
            file: source.file.clone(),
            document: source.document,
            line: found.line + source.lines_before,
        })
    }
}

impl Source {
    fn fits(&self, object: &Value) -> bool {
        let of =
            |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let (kind, name) = (of("/kind"), of("/metadata/name"));
        match &self.form {
            Form::Object => {
                self.root.text(&["kind"]) == Some(kind)
                    && self
                        .root
                        .text(&["metadata", "name"])
                        .is_some_and(|own| is_made_from(name, own))
            }
            Form::Patch(target) | Form::Operations(target) => {
                (target.kind.is_empty() || target.kind == kind) && target.names(name)
            }
            Form::Generator(made) => {
                *made == kind
                    && self.root.text(&["name"]).is_some_and(|own| is_made_from(name, own))
            }
        }
    }

    fn find(&self, object: &Value, path: &Path) -> Match {
        match &self.form {
            Form::Generator(_) => Match { steps: 1, whole: false, line: self.root.line },
            Form::Operations(_) => self.find_operation(path),
            Form::Object | Form::Patch(_) => self.find_field(object, path),
        }
    }

    fn find_operation(&self, path: &Path) -> Match {
        let best = self.root.items(&[]).iter().filter_map(|operation| {
            let pointer = operation.text(&["path"])?;
            let steps: Vec<String> = pointer
                .split('/')
                .skip(1)
                .map(|step| step.replace("~1", "/").replace("~0", "~"))
                .collect();
            let same = |(step, own): (&String, &Step)| match own {
                Step::Key(key) => step == key,
                Step::Index(index) => step == "-" || *step == index.to_string(),
            };
            let covers = steps.len() <= path.0.len() && steps.iter().zip(&path.0).all(same);
            covers.then_some(Match { steps: steps.len(), whole: true, line: operation.line })
        });
        best.max_by_key(|found| found.steps).unwrap_or(Match {
            steps: 0,
            whole: false,
            line: self.root.line,
        })
    }

    fn find_field(&self, object: &Value, path: &Path) -> Match {
        let (mut node, mut built, mut line) = (&self.root, Some(object), self.root.line);
        for (steps, step) in path.0.iter().enumerate() {
            let next = match step {
                Step::Key(key) => {
                    built = built.and_then(|value| value.get(key));
                    node.entry(key).map(|entry| (&entry.value, entry.line))
                }
                Step::Index(index) => {
                    built = built.and_then(|value| value.get(index));
                    element(node, built, *index).map(|element| (element, element.line))
                }
            };
            match next {
                Some(found) => (node, line) = found,
                None => return Match { steps, whole: false, line },
            }
        }
        Match { steps: path.0.len(), whole: true, line }
    }
}

/// Whether the built name is that of the source, with the hash that a generator appends.
fn is_made_from(built: &str, own: &str) -> bool {
    let hash = |rest: &str| {
        rest.strip_prefix('-')
            .is_some_and(|hash| hash.len() == 10 && hash.bytes().all(|b| b.is_ascii_alphanumeric()))
    };
    built.strip_prefix(own).is_some_and(|rest| rest.is_empty() || hash(rest))
}

/// The element of a source's list that became this one: lists are merged by what names their
/// elements, so that places differ.
fn element<'a>(list: &'a Node, built: Option<&Value>, index: usize) -> Option<&'a Node> {
    const NAMES: [&str; 6] = ["name", "mountPath", "containerPort", "port", "key", "topologyKey"];
    let Content::List(items) = &list.content else { return None };
    let Some(built) = built else { return items.get(index) };
    if let Some(name) = NAMES.iter().find(|name| built.get(name).is_some()) {
        let same =
            |item: &&Node| item.at(&[name]).is_some_and(|node| node.to_json() == built[*name]);
        return items.iter().find(same);
    }
    items.iter().find(|item| item.to_json() == *built).or_else(|| items.get(index))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::read;
    use serde_json::json;

    fn source(text: &str, file: &str, distance: usize, form: Form) -> Source {
        let root = read(text).unwrap().remove(0).root;
        Source { file: file.into(), document: 1, lines_before: 0, distance, form, root }
    }

    fn sources() -> Sources {
        let base = "kind: A\nmetadata: {name: x}\nspec:\n  list:\n    - name: p\n      size: \
            1\n    - name: q\n      size: 2\n";
        let patch = "kind: A\nmetadata: {name: x}\nspec:\n  list:\n    - name: q\n      size: 3\n";
        let operations = "- {op: add, path: /spec/flag, value: 1}\n";
        let mut sources = Sources::default();
        sources.add(source(base, "base", 2, Form::Object));
        sources.add(source(patch, "patch", 0, Form::Object));
        let target = Target { kind: "A".into(), name: "x".into() };
        sources.add(source(operations, "operations", 0, Form::Operations(target)));
        sources
    }

    #[test]
    fn the_patch_that_sets_a_field_wins_over_the_base() {
        let object = json!({"kind": "A", "metadata": {"name": "x"},
            "spec": {"list": [{"name": "p", "size": 1}, {"name": "q", "size": 3}], "flag": 1}});
        let list = Path::default().key("spec").key("list");
        let cases = [
            (list.index(1).key("size"), "patch", 6),
            (list.index(0).key("size"), "base", 6),
            (Path::default().key("spec").key("flag"), "operations", 1),
            (Path::default().key("spec").key("missing"), "base", 3),
        ];
        for (path, file, line) in cases {
            let place = sources().locate(&object, &path, None).unwrap();
            assert_eq!((place.file.to_str(), place.line), (Some(file), line), "{path}");
        }
    }

    #[test]
    fn an_object_that_was_read_from_a_document_stays_there() {
        let object = json!({"kind": "A", "metadata": {"name": "x"}, "spec": {"list": []}});
        let path = Path::default().key("spec").key("list");
        let place = sources().locate(&object, &path, Some(0)).unwrap();
        assert_eq!((place.file.to_str(), place.line), (Some("base"), 4));
    }

    #[test]
    fn a_target_names_one_or_several() {
        let target = |name: &str| Target { kind: String::new(), name: name.into() };
        assert!(target("").names("a") && target("b|a").names("a") && target("a.*").names("abc"));
        assert!(!target("b|c").names("a"));
    }

    #[test]
    fn a_generated_name_carries_a_hash() {
        assert!(is_made_from("policy-5f7g8h9k2m", "policy"));
        assert!(!is_made_from("policy-other", "policy"));
    }
}
