//! Which models a folder describes.

use std::path::Path;

/// The names of the models that a folder describes, sorted, when `name` is none of them; `None`
/// when it is one. What a description says is read when the model is loaded.
pub(crate) fn others_than(dir: &Path, name: &str) -> Option<Vec<String>> {
    // a name is a file's name and never a path that leads out of the folder
    let plain = !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
    if plain && dir.join(format!("{name}.toml")).is_file() {
        return None;
    }
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect();
    names.sort_unstable();
    Some(names)
}
