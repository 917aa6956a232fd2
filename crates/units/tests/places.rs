//! What lies beside the Rust code names the same units as the table.

use anyhow::{Context, ensure};
use manifests::documents;
use serde_json::{Value, json};
use std::path::PathBuf;
use units::UnitKind;

const VERSION: &str = env!("CARGO_PKG_VERSION");

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> anyhow::Result<String> {
    std::fs::read_to_string(repository().join(path)).with_context(|| path.to_owned())
}

/// The words between two parts of a text.
fn words<'a>(text: &'a str, before: &str, after: &str) -> anyhow::Result<Vec<&'a str>> {
    let (_, rest) = text.split_once(before).with_context(|| format!("no '{before}'"))?;
    let (between, _) = rest.split_once(after).with_context(|| format!("no '{after}' behind it"))?;
    Ok(between.split_whitespace().collect())
}

fn names() -> Vec<&'static str> {
    UnitKind::ALL.map(UnitKind::name).to_vec()
}

/// Those that a suite is not whole without.
fn needed() -> Vec<&'static str> {
    UnitKind::ALL.into_iter().filter(|kind| !kind.about().is_add_on).map(UnitKind::name).collect()
}

#[test]
fn the_images_are_those_of_the_units() -> anyhow::Result<()> {
    let dockerfile = read("Dockerfile")?;
    let mut built = words(&dockerfile, "for unit in ", ";")?;
    // the command line has its binaries in its own image
    built.retain(|name| *name != "mlvi" && !name.starts_with("mlvi-"));
    ensure!(built == names(), "Dockerfile: {built:?}");
    let versions = dockerfile.matches(&format!("ARG VERSION={VERSION}\n")).count();
    ensure!(versions == dockerfile.matches("ARG VERSION=").count(), "Dockerfile: version");
    let image = format!("image: mlvi/camera:{VERSION}\n");
    for path in ["deploy/camera/deployment.yml", "docker-compose.yml"] {
        ensure!(read(path)?.contains(&image), "{path}: the image of the cameras");
    }
    let script = read(".ci/images")?;
    let units = words(&script, "readonly units=(", ")")?;
    ensure!(units == needed(), ".ci/images: {units:?}");
    let add_ons = words(&script, "readonly add_ons=(", ")")?;
    ensure!([units, add_ons].concat() == names(), ".ci/images: its add-ons");
    ensure!(script.contains(&format!("readonly version={VERSION}\n")), ".ci/images: version");
    Ok(())
}

#[test]
fn the_images_are_built_with_the_toolchain_of_the_repository() -> anyhow::Result<()> {
    let toolchain = read("rust-toolchain.toml")?;
    let version = words(&toolchain, "channel = \"", "\"")?.concat();
    let from = format!("FROM rust:{version}-bookworm AS build\n");
    ensure!(read("Dockerfile")?.contains(&from), "the Dockerfile has no '{from}'");
    Ok(())
}

#[test]
fn compose_runs_every_unit() -> anyhow::Result<()> {
    let compose = documents(&read("docker-compose.yml")?)?.remove(0);
    let services = compose["services"].as_object().context("services")?;
    let mut built: Vec<&str> = Vec::new();
    for (name, service) in services {
        let Some(unit) = service["build"]["args"]["UNIT"].as_str() else { continue };
        ensure!(name == unit, "{name} is built as {unit}");
        ensure!(service["image"] == format!("mlvi/{unit}:{VERSION}"), "{name}: its image");
        ensure!(service["healthcheck"]["test"] == json!(["CMD", unit, "--ready"]), "{name}");
        built.push(unit);
    }
    let mut expected = names();
    expected.sort_unstable();
    built.sort_unstable();
    ensure!(built == expected, "{built:?}");
    Ok(())
}

/// A container's ports by name.
fn ports(container: &Value) -> Vec<(&str, u64)> {
    let ports = container["ports"].as_array().into_iter().flatten();
    ports
        .filter_map(|port| Some((port["name"].as_str()?, port["containerPort"].as_u64()?)))
        .collect()
}

#[test]
fn deploy_has_a_folder_for_every_unit() -> anyhow::Result<()> {
    for kind in UnitKind::ALL {
        let name = kind.name();
        let path = format!("deploy/{name}/deployment.yml");
        let deployment = documents(&read(&path)?)?.remove(0);
        ensure!(deployment["metadata"]["name"] == name, "{path}: {}", deployment["metadata"]);
        let containers = deployment.pointer("/spec/template/spec/containers");
        let containers = containers.and_then(Value::as_array).context(path.clone())?;
        let [container] = containers.as_slice() else { anyhow::bail!("{path}: one container") };
        ensure!(container["name"] == name, "{path}: {}", container["name"]);
        ensure!(container["image"] == format!("mlvi/{name}:{VERSION}"), "{path}: its image");
        let default = |variable: &str| -> Option<u64> {
            kind.about().default_of(variable)?.rsplit(':').next()?.parse().ok()
        };
        let mut listens = vec![("admin", default("MLVI_ADMIN_LISTEN").context("admin port")?)];
        listens.extend(default("MLVI_HTTP_LISTEN").map(|port| ("http", port)));
        let mut declared = ports(container);
        declared.sort_unstable();
        ensure!(declared == listens, "{path}: ports {declared:?}, the unit has {listens:?}");
    }
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(repository().join("deploy"))? {
        let entry = entry?;
        if entry.path().join("deployment.yml").exists() {
            folders.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    folders.sort_unstable();
    let mut expected = names();
    // no unit of the suite: the command line, which reads cameras
    expected.push("camera");
    expected.sort_unstable();
    ensure!(folders == expected, "folders with a Deployment: {folders:?}");
    Ok(())
}

#[test]
fn the_suite_deploys_and_scales_every_unit_that_it_needs() -> anyhow::Result<()> {
    let suite = documents(&read("deploy/suite/Kustomization")?)?.remove(0);
    let resources = suite["resources"].as_array().context("resources")?;
    let scaled: Vec<Value> = documents(&read("deploy/suite/autoscale.yml")?)?
        .into_iter()
        .map(|autoscaler| autoscaler["spec"]["scaleTargetRef"]["name"].clone())
        .collect();
    for name in needed() {
        ensure!(resources.contains(&json!(format!("../{name}"))), "{name} is not in the suite");
        ensure!(scaled.iter().filter(|target| **target == name).count() == 1, "{name}: {scaled:?}");
    }
    ensure!(scaled.len() == needed().len(), "{scaled:?}");
    Ok(())
}
