//! What units log: every line of every unit is as `docs/src/log.schema.json` says, panics too, and
//! a frame's lines can be found by its ids.

use journey_tests::{Journey, PANIC, UnitProcess, photo};
use mlvi::suite::UnitKind;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::time::Duration;

const SCHEMA: &str = include_str!("../../../../docs/src/log.schema.json");
const PATIENCE: Duration = Duration::from_secs(60);

/// Lines checked against the schema.
struct Lines {
    schema: Value,
    /// Of which type a field was at first.
    types: BTreeMap<String, &'static str>,
}

impl Lines {
    /// An object as the schema says, whose fields are of the types that they had before.
    fn read(&mut self, line: &str) -> Map<String, Value> {
        let line: Map<String, Value> =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        for name in self.schema["required"].as_array().unwrap() {
            let name = name.as_str().unwrap();
            assert!(line.contains_key(name), "without {name}: {line:?}");
        }
        for (name, value) in &line {
            let is_word = |character: char| character.is_ascii_lowercase() || character == '_';
            let named =
                name.chars().all(|character| is_word(character) || character.is_ascii_digit());
            assert!(named && name.starts_with(is_word), "no name as the schema wants it: {name}");
            self.check(name, value);
        }
        line
    }

    fn check(&mut self, name: &str, value: &Value) {
        let is = match value {
            Value::String(_) => "string",
            Value::Bool(_) => "boolean",
            Value::Number(number) if number.is_f64() => "number",
            Value::Number(_) => "integer",
            Value::Null | Value::Array(_) | Value::Object(_) => {
                panic!("{name} is not flat: {value}")
            }
        };
        let property = &self.schema["properties"][name];
        if let Some(allowed) = property["enum"].as_array() {
            assert!(allowed.contains(value), "{name} is {value}");
        } else if let Some(wanted) = property["type"].as_str() {
            assert!(is == wanted, "{name} is {is}, not {wanted}: {value}");
        }
        let fits = property["pattern"].is_null() || fits(name, value.as_str().unwrap());
        assert!(fits, "{name} is not as its pattern says: {value}");
        // a whole number and a fraction are one type to whoever reads them
        let is = if is == "integer" { "number" } else { is };
        let before = self.types.entry(name.to_owned()).or_insert(is);
        assert_eq!(*before, is, "{name} was of another type before: {value}");
    }
}

/// What the schema's patterns say, in words.
fn fits(name: &str, text: &str) -> bool {
    let is_hex = |text: &str| text.chars().all(|one| matches!(one, '0'..='9' | 'a'..='f'));
    match name {
        "timestamp" => {
            let shape = "0000-00-00T00:00:00.000000Z";
            text.len() == shape.len()
                && text.chars().zip(shape.chars()).all(|(is, wanted)| match wanted {
                    '0' => is.is_ascii_digit(),
                    other => is == other,
                })
        }
        "target" => text.split("::").all(|part| {
            !part.is_empty() && part.chars().all(|one| one.is_ascii_alphanumeric() || one == '_')
        }),
        "unit" => {
            text.chars().all(|one| one.is_ascii_lowercase() || one.is_ascii_digit() || one == '-')
        }
        "frame_id" => text.parse::<frame::FrameId>().is_ok() && text.len() == 36,
        "trace_id" => text.len() == 32 && is_hex(text),
        other => panic!("the pattern of {other} is not checked here"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_of_every_unit_is_as_the_schema_says() {
    let mut journey = Journey::start(|config| config).await;
    let mut units: Vec<UnitProcess> = Vec::new();
    for kind in UnitKind::ALL {
        let pod = format!("{}-7d9f", kind.name());
        let (http, is_door) = (journey.suite.http().to_string(), kind == UnitKind::WebServer);
        let mut further = vec![("MLVI_LOG", "debug"), ("POD_NAME", pod.as_str()), (PANIC, "1")];
        further.extend(is_door.then_some(("MLVI_HTTP_LISTEN", http.as_str())));
        units.push(journey.instead_as_process(kind, &further).await);
    }
    let (good, bad) = journey
        .client_does(|client| {
            let photo = photo("coffee.jpg");
            // the intake sees whole markers, and the decoder that the pixels break off
            let broken = [&photo[..photo.len() / 2], &[0xFF, 0xD9]].concat();
            let post = |image: &[u8]| {
                client.post_until_accepted("/cameras/gate/frames", image, PATIENCE).unwrap()
            };
            let (good, bad) = (post(&photo), post(&broken));
            for id in [good, bad] {
                client.ended(id, PATIENCE).unwrap();
            }
            (good.to_string(), bad.to_string())
        })
        .await;
    let mut lines = Lines { schema: serde_json::from_str(SCHEMA).unwrap(), types: BTreeMap::new() };
    let mut of_frame: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for unit in units {
        let name = unit.kind.name();
        unit.logs(&["planted", "panicked"]).await;
        let log = unit.log();
        assert!(unit.terminate().await.success(), "{name} does not end well");
        for line in log.lines().iter().map(|line| lines.read(line)) {
            let text = |field: &str| line.get(field).and_then(Value::as_str).map(str::to_owned);
            assert_eq!(text("unit").as_deref(), Some(name), "{line:?}");
            assert_eq!(text("pod"), Some(format!("{name}-7d9f")), "{line:?}");
            if let (Some(frame), Some(trace)) = (text("frame_id"), text("trace_id")) {
                of_frame.entry(frame).or_default().push((name.to_owned(), trace));
            }
        }
    }
    for (frame, expected) in [
        (good, ["web-server", "preprocessor", "inference"]),
        (bad, ["web-server", "preprocessor", ""]),
    ] {
        let found = &of_frame[&frame];
        let unit = |wanted: &str| found.iter().find(|(unit, _)| unit.ends_with(wanted));
        let traces: Vec<&String> = expected
            .iter()
            .map(|name| &unit(name).unwrap_or_else(|| panic!("no line of {name}: {found:?}")).1)
            .collect();
        assert!(traces.iter().all(|trace| *trace == traces[0]), "one trace: {found:?}");
    }
    journey.end().await;
}

#[test]
fn the_description_names_every_field_of_the_schema() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let page = include_str!("../../../../docs/src/logs.md");
    for name in schema["properties"].as_object().unwrap().keys() {
        assert!(
            page.contains(&format!("| `{name}` |")),
            "docs/src/logs.md does not explain {name}"
        );
    }
}
