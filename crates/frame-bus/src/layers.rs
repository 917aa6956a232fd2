//! Holds the folders of this crate to an order: none imports from another that imports from it,
//! directly or by way of others.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// For each folder (or single file) of `src`, those that it imports from.
type Imports = BTreeMap<String, BTreeSet<String>>;

#[test]
fn no_circle_of_imports_between_folders() {
    let imports = read_imports(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    assert!(imports.contains_key("health") && imports.len() > 10, "the sources: {imports:?}");
    for (folder, from) in &imports {
        // what lib.rs exports is written with the path of its folder, so that nothing hides here
        let unknown: Vec<_> = from.iter().filter(|name| !imports.contains_key(*name)).collect();
        assert!(unknown.is_empty(), "{folder} imports {unknown:?} from the root of the crate");
    }
    assert_eq!(find_circle(&imports), None);
}

#[test]
fn a_planted_circle_is_found() {
    let source =
        "use crate::health::Health;\n//! use crate::work::Lanes;\nuse crate::{send::A, c::B};";
    assert_eq!(imports_of(source), BTreeSet::from(["c", "health", "send"].map(String::from)));
    let edge = |from: &str, to: &[&str]| {
        (from.to_owned(), to.iter().map(|name| (*name).to_owned()).collect())
    };
    let mut imports = Imports::from([edge("a", &["b"]), edge("b", &["c"]), edge("c", &[])]);
    assert_eq!(find_circle(&imports), None);
    imports.extend([edge("c", &["a"])]);
    assert_eq!(find_circle(&imports), Some(["a", "b", "c", "a"].map(String::from).to_vec()));
}

fn read_imports(src: &Path) -> Imports {
    let mut imports = Imports::new();
    for entry in fs::read_dir(src).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if ["lib", "layers"].contains(&name.as_str()) {
            continue;
        }
        let mut from = BTreeSet::new();
        read_folder(&path, &mut from);
        from.remove(&name);
        imports.insert(name, from);
    }
    imports
}

fn read_folder(path: &Path, from: &mut BTreeSet<String>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            read_folder(&entry.unwrap().path(), from);
        }
    } else {
        from.extend(imports_of(&fs::read_to_string(path).unwrap()));
    }
}

/// The first names of all paths that begin with `crate::`, outside of comments.
fn imports_of(source: &str) -> BTreeSet<String> {
    let code: String = source.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    assert!(!code.contains("super::super::"), "such a path may leave its folder unseen");
    let mut found = BTreeSet::new();
    for (at, prefix) in code.match_indices("crate::") {
        let rest = &code[at + prefix.len()..];
        match rest.strip_prefix('{') {
            None => drop(found.insert(first_name(rest))),
            Some(group) => {
                let group = group.split_once('}').map_or(group, |(group, _)| group);
                assert!(!group.contains('{'), "a group within a group is not read: {group}");
                found.extend(group.split(',').map(first_name).filter(|name| !name.is_empty()));
            }
        }
    }
    found
}

fn first_name(path: &str) -> String {
    path.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// The folders of a circle, in order, the first one also at the end.
fn find_circle(imports: &Imports) -> Option<Vec<String>> {
    fn visit(
        folder: &str,
        imports: &Imports,
        path: &mut Vec<String>,
        done: &mut BTreeSet<String>,
    ) -> Option<Vec<String>> {
        if let Some(at) = path.iter().position(|name| name == folder) {
            return Some(path[at..].iter().cloned().chain([folder.to_owned()]).collect());
        }
        if !done.insert(folder.to_owned()) {
            return None;
        }
        path.push(folder.to_owned());
        let from = imports.get(folder).into_iter().flatten();
        let circle = from.into_iter().find_map(|next| visit(next, imports, path, done));
        path.pop();
        circle
    }
    let mut done = BTreeSet::new();
    imports.keys().find_map(|folder| visit(folder, imports, &mut Vec::new(), &mut done))
}
