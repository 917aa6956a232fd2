//! Versions of images.

use crate::finding::Finding;
use crate::world::World;

pub(super) const ID: &str = "image";

pub(super) fn check(world: &World<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut ours: Vec<(String, crate::object::Field<'_>)> = Vec::new();
    for (_, container) in world.containers() {
        let field = container.field.get("image");
        let Some(text) = field.text() else { continue };
        if text.contains('@') {
            continue;
        }
        let tag = text.rsplit('/').next().and_then(|name| name.split_once(':')).map(|(_, tag)| tag);
        match tag {
            None | Some("") => findings.push(
                field
                    .warning(ID, format!("'{text}' names no version: what runs changes by itself"))
                    .help("name a tag or a digest"),
            ),
            Some("latest") => findings.push(field.warning(
                ID,
                format!("'{text}' is whatever is newest: what runs changes by itself"),
            )),
            Some(tag) if container.program.is_some() => ours.push((tag.to_owned(), field)),
            Some(_) => {}
        }
    }
    if let Some((first, _)) = ours.first().cloned() {
        let others = ours.iter().filter(|(tag, _)| *tag != first);
        findings.extend(others.map(|(tag, field)| {
            field.warning(ID, format!("this is version {tag}, another unit is {first}"))
        }));
    }
    findings
}

#[cfg(test)]
mod tests {
    use crate::testing::{deployment, found};

    #[test]
    fn an_image_has_a_version() {
        let cases = [
            ("a:1", 0),
            ("registry:5000/a:1", 0),
            ("a@sha256:00", 0),
            ("registry:5000/a", 1),
            ("a:latest", 1),
            ("a", 1),
        ];
        for (image, faults) in cases {
            assert_eq!(
                found(&deployment("plain", &format!("image: '{image}'"), ""), "image").len(),
                faults,
                "{image}"
            );
        }
    }

    #[test]
    fn units_are_of_one_version() {
        let set = deployment("a", "image: worker:1", "") + &deployment("b", "image: worker:2", "");
        assert_eq!(found(&set, "image").len(), 1);
    }
}
