//! Secrets as YAML. Written by hand: the texts are ours, and none needs escaping but by quotes or a
//! block.

/// A Kubernetes Secret.
pub(super) struct Secret {
    namespace: String,
    name: &'static str,
    kind: &'static str,
    entries: Vec<(&'static str, String)>,
}

impl Secret {
    pub(super) fn new(
        namespace: &str,
        name: &'static str,
        entries: &[(&'static str, &str)],
    ) -> Self {
        let entries = entries.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
        Self { namespace: namespace.to_owned(), name, kind: "Opaque", entries }
    }

    pub(super) fn of_type(self, kind: &'static str) -> Self {
        Self { kind, ..self }
    }

    fn yaml(&self) -> String {
        let Self { namespace, name, kind, entries } = self;
        let mut text = format!(
            "apiVersion: v1\nkind: Secret\nmetadata:\n  name: {name}\n  \
             namespace: \"{namespace}\"\n  labels:\n    app.kubernetes.io/part-of: mlvi\n\
             type: {kind}\nstringData:\n"
        );
        for (key, value) in entries {
            text += &match value.strip_suffix('\n') {
                // PEM: lines, and a line break at the end
                Some(lines) => format!("  {key}: |\n{}\n", indented(lines, "    ")),
                None => format!("  {key}: \"{value}\"\n"),
            };
        }
        text
    }
}

/// A list that kubectl takes as one manifest.
pub(super) fn list(secrets: &[&Secret]) -> String {
    let item =
        |secret: &&Secret| format!("- {}\n", indented(secret.yaml().trim_end(), "  ").trim_start());
    format!("apiVersion: v1\nkind: List\nitems:\n{}", secrets.iter().map(item).collect::<String>())
}

/// Documents of one file.
pub(super) fn documents(secrets: &[&Secret]) -> String {
    let texts: Vec<String> = secrets.iter().map(|secret| secret.yaml()).collect();
    texts.join("---\n")
}

fn indented(text: &str, by: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| format!("{by}{line}")).collect();
    lines.join("\n")
}
