//! What the units know about themselves, gathered for the rules of `manifests`.

use frame::{MAX_MESSAGE_BYTES, Topics};
use frame_bus::BusConfig;
use manifests::{ExpectedSecret, Given, Input, Knowledge, KnownVariable, Program, RefusedSetting};
use settings::{CONFIG_FILE_VARIABLE, ConfigError, Settings};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use unit::{About, Telemetry};
use units::UnitKind;

/// Where the images have the descriptions of models.
const IMAGE_MODELS_DIR: &str = "/usr/share/mlvi/models";
const MODELS_DIR: &str = "MLVI_MODELS_DIR";

/// Reads a program's settings, for their names or for what is wrong with them.
type Parse = fn(&mut Settings);

/// Everything that the rules are told. `models_dir` holds the descriptions of models, if it is
/// there.
#[must_use]
pub fn knowledge(models_dir: &Path) -> Knowledge {
    let mut programs: Vec<Program> =
        UnitKind::ALL.into_iter().map(|kind| unit_of(kind.about(), models_dir)).collect();
    programs.push(command_line(models_dir));
    let prefix = "x";
    let topics = Topics::with_prefix(prefix).expect("a letter can begin a topic's name");
    let credentials = [
        ("edge-broker-users", vec!["admin-password", "site-password", "cloud-password"]),
        ("edge-broker-tls", vec!["tls.crt", "tls.key", "ca.crt"]),
        ("broker-login-site", vec!["username", "password"]),
        ("broker-login-cloud", vec!["username", "password", "ca.crt"]),
    ];
    let of_credentials = credentials.into_iter().map(|(name, keys)| ExpectedSecret {
        name,
        keys,
        command: "mlvi credentials | kubectl apply -f -",
    });
    let of_grafana = ExpectedSecret {
        name: "grafana-admin",
        keys: vec!["password"],
        command: "kubectl -n mlvi-observability create secret generic grafana-admin \
                  --from-literal=password=\"$(openssl rand -hex 16)\"",
    };
    Knowledge {
        programs,
        topics: topics.all().iter().map(|name| name[prefix.len() + 1..].to_owned()).collect(),
        compacted_topic: "settings",
        max_message_bytes: MAX_MESSAGE_BYTES as u64,
        secrets: of_credentials.chain([of_grafana]).collect(),
        image_models_dir: IMAGE_MODELS_DIR,
    }
}

fn unit_of(about: &About, models_dir: &Path) -> Program {
    let (parse, models_dir) = (about.read_settings, models_dir.to_owned());
    Program {
        name: about.name,
        is_unit: true,
        variables: variables(parse),
        input: about.input.map(|input| Input { group: input.group, topic: input.topic }),
        refuse: Box::new(move |given| refusals(parse, given, &models_dir)),
    }
}

/// `mlvi` itself, which makes the topics and fetches models.
fn command_line(models_dir: &Path) -> Program {
    let parse: Parse = |settings| {
        drop(BusConfig::from_settings(settings, "mlvi"));
        frame_bus::topics_from_settings(settings);
        frame_bus::partitions_from_settings(settings);
        settings.text(MODELS_DIR, "models", "the folder of model descriptions");
    };
    let models_dir = models_dir.to_owned();
    let on_the_bus =
        |given: &Given| given.arguments.first().is_some_and(|command| command == "topics");
    Program {
        name: "mlvi",
        is_unit: false,
        variables: variables(parse),
        input: None,
        refuse: Box::new(move |given| {
            if on_the_bus(given) { refusals(parse, given, &models_dir) } else { Vec::new() }
        }),
    }
}

/// The variables that a program reads, with their defaults.
fn variables(parse: Parse) -> Vec<KnownVariable> {
    let mut settings = Settings::from_pairs([("", "")]);
    Telemetry::from_settings(&mut settings);
    parse(&mut settings);
    let own = settings
        .variables()
        .iter()
        .map(|known| KnownVariable { name: known.name.into(), default: known.default.clone() });
    let file = KnownVariable { name: CONFIG_FILE_VARIABLE.into(), default: String::new() };
    own.chain(std::iter::once(file)).collect()
}

/// What a program would refuse. Its files are laid out below a folder that stands for the
/// container's root, so that the program can read them, and nothing of this machine.
fn refusals(parse: Parse, given: &Given, models_dir: &Path) -> Vec<RefusedSetting> {
    let Ok(root) = Root::of(&given.files) else { return Vec::new() };
    let known_models = models_dir.is_dir();
    let mut pairs: Vec<(String, String)> = given
        .variables
        .iter()
        .map(|(name, value)| (name.clone(), root.path_of(value).unwrap_or_else(|| value.clone())))
        .collect();
    // later pairs win: the descriptions are those of this machine, wherever the container has them
    pairs.push((MODELS_DIR.into(), models_dir.display().to_string()));
    let mut settings = Settings::from_pairs(pairs);
    Telemetry::from_settings(&mut settings);
    parse(&mut settings);
    let Err(ConfigError::Invalid(problems)) = settings.finish() else { return Vec::new() };
    let models = given.variables.get(MODELS_DIR).cloned().unwrap_or_else(|| "models".into());
    let own_words =
        |text: &str| root.strip(text).replace(&models_dir.display().to_string(), &models);
    let problems =
        problems.into_iter().filter(|problem| known_models || problem.name != "MLVI_MODEL");
    problems
        .map(|problem| RefusedSetting {
            variable: problem.name.to_owned(),
            value: own_words(&problem.value),
            allowed: own_words(&problem.allowed),
        })
        .collect()
}

/// A folder that stands for a container's root.
struct Root(tempfile::TempDir);

impl Root {
    fn of(files: &BTreeMap<String, String>) -> std::io::Result<Self> {
        let root = Self(tempfile::tempdir()?);
        for (path, text) in files {
            // a ConfigMap's key is a name, but what mounts it may say anything
            let inside = path.split('/').all(|part| part != "..");
            if let Some(path) = root.path_of(path).filter(|_| inside).map(PathBuf::from) {
                std::fs::create_dir_all(path.parent().unwrap_or(&path))?;
                std::fs::write(&path, text)?;
            }
        }
        Ok(root)
    }

    /// Where an absolute path of the container is on this machine.
    fn path_of(&self, path: &str) -> Option<String> {
        path.starts_with('/').then(|| format!("{}{path}", self.0.path().display()))
    }

    fn strip(&self, text: &str) -> String {
        text.replace(&self.0.path().display().to_string(), "")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn models() -> PathBuf {
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../models").into()
    }

    fn refused(
        program: &str,
        variables: &[(&str, &str)],
        files: &[(&str, &str)],
    ) -> Vec<RefusedSetting> {
        let own = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let given = Given { variables: own(variables), files: own(files), arguments: Vec::new() };
        let knowledge = knowledge(&models());
        let program = knowledge.programs.iter().find(|own| own.name == program).unwrap();
        (program.refuse)(&given)
    }

    #[test]
    fn every_unit_knows_its_variables() {
        let knowledge = knowledge(&models());
        assert_eq!(
            knowledge.topics,
            ["frames", "frames.edge", "frames.cloud", "results", "dead-letter", "settings"]
        );
        for program in &knowledge.programs {
            assert!(
                program.knows("MLVI_BROKERS") && program.knows("MLVI_TOPIC_PREFIX"),
                "{}",
                program.name
            );
        }
        assert_eq!(knowledge.programs[2].default_of("MLVI_GROUP"), Some("mlvi-edge-inference"));
    }

    #[test]
    fn a_policy_in_a_config_map_is_read_by_the_unit_itself() {
        let file = [("MLVI_POLICY_FILE", "/etc/mlvi/policy/policy.toml")];
        let read =
            |text: &str| refused("preprocessor", &file, &[("/etc/mlvi/policy/policy.toml", text)]);
        assert_eq!(read("policy = \"edge-only\"\n"), []);
        let refusals = read("policy = \"coin\"\n");
        assert_eq!(
            (refusals.len(), refusals[0].value.as_str()),
            (1, "/etc/mlvi/policy/policy.toml")
        );
        assert_eq!(refused("preprocessor", &file, &[]).len(), 1, "a file that nothing mounts");
    }

    #[test]
    fn regions_in_a_config_map_are_read_by_both_units_that_need_them() {
        let path = "/etc/mlvi/regions/regions.toml";
        for unit in ["preprocessor", "web-server"] {
            let read = |text: &str| refused(unit, &[("MLVI_REGIONS_FILE", path)], &[(path, text)]);
            let mask = "[[cameras.gate.masks]]\npoints = [[0, 0], [1, 0], [1, 1]]\n";
            assert_eq!(read(mask), []);
            let refusals = read(&mask.replace("[1, 1]", "[1, 2]"));
            assert_eq!((refusals.len(), refusals[0].value.as_str()), (1, path), "{unit}");
            assert!(refusals[0].allowed.contains("outside of the picture"), "{refusals:?}");
        }
    }

    #[test]
    fn a_model_is_one_that_is_described() {
        let model = |name| {
            refused("edge-inference", &[("MLVI_MODEL", name), ("MLVI_MODELS_DIR", "/models")], &[])
        };
        assert_eq!(model("yolov3-tiny"), []);
        assert!(model("yolov9000")[0].allowed.contains("yolov3-tiny"));
    }
}
