//! Where in a policy file something is wrong.

use crate::PolicyError;

/// Where in a policy file something is wrong, as far as that is known.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Place {
    /// The line, counted from 1.
    pub line: Option<usize>,
    /// The column, counted from 1.
    pub column: Option<usize>,
    /// The key with its section, e.g. `ratio.cloud_share`.
    pub key: Option<String>,
}

impl PolicyError {
    /// What the parser says of a file.
    pub(crate) fn form(error: &toml::de::Error, text: &str) -> Self {
        let at = error.span().and_then(|span| text.get(..span.start)).map(|before| {
            let line = before.rsplit('\n').next().unwrap_or_default();
            (before.matches('\n').count() + 1, line.chars().count() + 1)
        });
        Self::Form { problem: error.to_string().trim_end().to_owned(), at }
    }

    /// Where this is in the file's text.
    #[must_use]
    pub fn place(&self, text: &str) -> Place {
        match self {
            Self::Form { at, .. } => {
                let (line, column) = at.unzip();
                Place { line, column, key: line.and_then(|line| key_in(text, line)) }
            }
            Self::Unknown { .. } => found(text, "", "policy"),
            Self::Range { field, .. } => {
                let (section, key) = field.split_once("] ").unwrap_or(("", field));
                found(text, section.trim_start_matches('['), key)
            }
            Self::Contract { number, key, .. } => in_contract(text, *number, key),
            Self::Rule { .. } => found(text, "expression", "rule"),
        }
    }
}

/// The section that a line opens.
fn opened(line: &str) -> Option<&str> {
    let rest = line.trim().strip_prefix('[')?.trim_start_matches('[');
    rest.split(']').next().map(str::trim)
}

fn key_of(line: &str) -> Option<&str> {
    line.split_once('=').map(|(key, _)| key.trim()).filter(|key| !key.is_empty())
}

fn full(section: &str, key: &str) -> String {
    if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") }
}

/// The key, or else the section, of a line.
fn key_in(text: &str, line: usize) -> Option<String> {
    let before: Vec<&str> = text.lines().take(line).collect();
    let this = before.last()?;
    match (opened(this), key_of(this)) {
        (Some(section), _) => Some(section.to_owned()),
        (None, Some(key)) => {
            let section = before.iter().rev().find_map(|line| opened(line)).unwrap_or_default();
            Some(full(section, key))
        }
        (None, None) => None,
    }
}

/// The line of a key. A section such as `prior` has sections of its own, of which the first that
/// has the key counts.
fn found(text: &str, section: &str, key: &str) -> Place {
    let mut inside = "";
    for (number, line) in (1..).zip(text.lines()) {
        if let Some(opened) = opened(line) {
            inside = opened;
        } else if inside.split('.').next() == Some(section) && key_of(line) == Some(key) {
            return Place { line: Some(number), column: None, key: Some(full(inside, key)) };
        }
    }
    Place { line: None, column: None, key: Some(full(section, key)) }
}

/// The line of a key of a contract; of the contract itself where the key is not there.
fn in_contract(text: &str, number: usize, key: &str) -> Place {
    let (section, key) = key.split_once('.').map_or(("", key), |(section, key)| (section, key));
    let (mut contracts, mut inside, mut line) = (0, "", None);
    for (at, read) in (1..).zip(text.lines()) {
        match opened(read) {
            Some("contract") if read.trim().starts_with("[[") => {
                contracts += 1;
                inside = "contract";
            }
            Some(section) => inside = section,
            None => {}
        }
        let is_this = contracts == number + 1 && inside.split('.').next() == Some("contract");
        if !is_this {
            continue;
        }
        line = line.or(Some(at));
        let its_own = inside.strip_prefix("contract").unwrap_or(inside).trim_start_matches('.');
        let of_line = key_of(read);
        if of_line == Some(key) && its_own == section
            || of_line == Some(section) && its_own.is_empty()
            || of_line.is_some_and(|of| of.split_once('.') == Some((section, key)))
        {
            line = Some(at);
            break;
        }
    }
    // an array in one line
    let line = line.or_else(|| found(text, "", "contract").line);
    let key = if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") };
    Place { line, column: None, key: Some(format!("contract.{key}")) }
}

#[cfg(test)]
mod tests {
    use crate::PolicyConfig;

    #[test]
    fn line_and_key_of_what_is_wrong_are_told() {
        for (text, line, key) in [
            ("policy = 'coin'", 1, "policy"),
            ("policy = 'ratio'\n[ratio]\ncloud_share = 1.3", 3, "ratio.cloud_share"),
            ("policy = 'ratio'\n\n[ratio]\nshare = 1", 4, "ratio.share"),
            ("policy = 'ratio'\n[ratios]\nshare = 1", 2, "ratios"),
            ("policy = 'ratio'\n[ratio]\ncloud_share = 'half'", 3, "ratio.cloud_share"),
            ("policy = 'ratio'\n[[contract]]\nname = 'x'\nshares = 1", 4, "contract.shares"),
            (
                "policy = 'ratio'\n[[contract]]\nname = 'a'\ncameras = ['a']\n\n[[contract]]\n\
                 name = 'b'\ncameras = ['b']\nshare = 0.9",
                9,
                "contract.share",
            ),
            (
                "policy = 'ratio'\n[[contract]]\nname = 'a'\ncameras = ['a']\n[contract.budget]\n\
                 unit = 'share'\nrate = 7\nburst = 1",
                7,
                "contract.budget.rate",
            ),
            ("policy = 'ratio'\ncontract = [{ name = 'a', cameras = [] }]", 2, "contract.cameras"),
            ("policy = 'ratio'\n[prior.cloud]\nworkers = 0", 3, "prior.cloud.workers"),
            ("policy = 'expression'\n[expression]\nrule = 'edge.backlog >'", 3, "expression.rule"),
        ] {
            let place = PolicyConfig::from_toml(text).unwrap_err().place(text);
            assert_eq!((place.line, place.key.as_deref()), (Some(line), Some(key)), "{text}");
        }
    }
}
