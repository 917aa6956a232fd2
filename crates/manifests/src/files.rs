//! The files that a container's program finds.

use crate::object::Field;
use crate::world::World;
use std::collections::BTreeMap;

/// What is mounted, and which files of it are known.
#[derive(Debug, Default)]
pub(crate) struct Files<'a> {
    /// The content by absolute path; `None` where it is not known.
    pub(crate) known: BTreeMap<String, Option<String>>,
    /// The folders of which nobody can say what is in them: empty at first, or kept by a disk.
    pub(crate) open: Vec<String>,
    /// Every mount: its path, and the volume's name.
    pub(crate) mounts: Vec<(String, Field<'a>)>,
}

impl<'a> Files<'a> {
    pub(crate) fn of(world: &World<'a>, pod: &Field<'a>, container: &Field<'a>) -> Self {
        let mut files = Self::default();
        for mount in container.get("volumeMounts").items() {
            let (Some(name), Some(path)) =
                (mount.get("name").text(), mount.get("mountPath").text())
            else {
                continue;
            };
            let path = path.trim_end_matches('/');
            files.mounts.push((path.to_owned(), mount.get("name")));
            let volumes = pod.get("volumes").items();
            let Some(volume) =
                volumes.iter().find(|volume| volume.get("name").text() == Some(name))
            else {
                continue;
            };
            let part = mount.get("subPath").text();
            let mut whole = true;
            for source in [vec![volume.clone()], volume.at("projected.sources").items()].concat() {
                whole &= !files.take(world, &source, path, part);
            }
            if whole {
                files.open.push(path.to_owned());
            }
        }
        files
    }

    /// Takes in the files of a ConfigMap or a Secret; false when the volume is something else, or
    /// is not known.
    fn take(
        &mut self,
        world: &World<'a>,
        volume: &Field<'a>,
        path: &str,
        part: Option<&str>,
    ) -> bool {
        let (config, secret) = (volume.get("configMap"), volume.get("secret"));
        let namespace = &volume.object.namespace;
        let named = |field: &Field<'a>| field.get("name").text().or(field.get("secretName").text());
        let (source, contents) = if let Some(name) = named(&config) {
            let Some(object) = world.find("ConfigMap", name, namespace) else { return false };
            let contents = object
                .at("data")
                .entries()
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value.scalar()));
            (config, contents.collect::<BTreeMap<_, _>>())
        } else if let Some(name) = named(&secret) {
            let keys = secret_keys(world, name, namespace);
            let Some(keys) = keys else { return false };
            (secret, keys.into_iter().map(|key| (key, None)).collect())
        } else {
            return false;
        };
        let items = source.get("items").items();
        let placed: Vec<(String, String)> = if items.is_empty() {
            contents.keys().map(|key| (key.clone(), key.clone())).collect()
        } else {
            let text =
                |item: &Field<'a>, key: &str| item.get(key).text().unwrap_or_default().to_owned();
            items.iter().map(|item| (text(item, "key"), text(item, "path"))).collect()
        };
        for (key, file) in placed {
            let Some(content) = contents.get(&key) else { continue };
            match part {
                None => drop(self.known.insert(format!("{path}/{file}"), content.clone())),
                Some(part) if part == file => {
                    drop(self.known.insert(path.to_owned(), content.clone()))
                }
                Some(_) => {}
            }
        }
        true
    }

    /// Whether a path is somewhere below a mount.
    pub(crate) fn is_mounted(&self, path: &str) -> bool {
        self.mounts.iter().any(|(mount, _)| is_below(path, mount))
    }

    /// Whether a path is in a folder of which nobody can say what is in it.
    pub(crate) fn is_open(&self, path: &str) -> bool {
        self.open.iter().any(|open| is_below(path, open))
    }
}

/// The keys of a Secret, of one that stands among the objects or of one that is expected; `None`
/// when neither is so.
pub(crate) fn secret_keys(world: &World<'_>, name: &str, namespace: &str) -> Option<Vec<String>> {
    if let Some(secret) = world.find("Secret", name, namespace) {
        let keys =
            ["data", "stringData"].map(|part| secret.at(part).entries()).into_iter().flatten();
        return Some(keys.map(|(key, _)| key.to_owned()).collect());
    }
    let expected = world.knowledge.secrets.iter().find(|secret| secret.name == name)?;
    Some(expected.keys.iter().map(|key| (*key).to_owned()).collect())
}

fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
