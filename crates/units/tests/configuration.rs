//! `docs/src/configuration.md` has every variable of every unit, as the code reads them.
//!
//! `MLVI_WRITE=1 cargo test --release -p units --test configuration` writes it anew.

use settings::{Settings, Variable};
use std::path::Path;
use unit::Telemetry;
use units::UnitKind;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/src/configuration.md");
/// Whose defaults follow from the machine, and from what.
const BY_THE_MACHINE: [(&str, &str); 4] = [
    ("MLVI_MEMORY_MIB", "the limit of the control group, or the machine's memory"),
    ("MLVI_MODEL_THREADS", "one per core"),
    ("MLVI_WORKERS", "one per core"),
    ("MLVI_MAX_IN_FLIGHT", "twice as many as are worked on at a time"),
];
const EVERY_UNIT: &str = "Every unit";
/// The memory for which defaults are shown that follow from it.
const MEMORY_MIB: &str = "1024";

const HEAD: &str = "# Configuration

Every unit is configured by environment variables, or by lines `VARIABLE = value` in the TOML file that
`MLVI_CONFIG` names; a variable wins over the file, and an empty one counts as unset. A value that is not
allowed ends the process with exit code 64; all problems are reported at once. `UNIT --help` prints what is
here, with the defaults of the machine that it runs on.

This page is made from the code. Defaults that follow from the available memory are those for 1 GiB.
";

/// The variables of a unit, with the defaults for a known memory.
fn variables(kind: UnitKind) -> Vec<Variable> {
    let mut settings = Settings::from_pairs([("MLVI_MEMORY_MIB", MEMORY_MIB)]);
    (kind.about().read_settings)(&mut settings);
    settings.variables().to_vec()
}

fn page() -> String {
    let units: Vec<(UnitKind, Vec<Variable>)> =
        UnitKind::ALL.into_iter().map(|kind| (kind, variables(kind))).collect();
    // every process reads these before the unit begins
    let mut log = Settings::from_pairs([("", "")]);
    Telemetry::from_settings(&mut log);
    let mut sections = vec![(EVERY_UNIT.to_owned(), log.variables().to_vec())];
    for (_, variables) in &units {
        for variable in variables {
            let readers: Vec<&str> = units
                .iter()
                .filter(|(_, others)| others.contains(variable))
                .map(|(kind, _)| kind.name())
                .collect();
            let title = if readers.len() == UnitKind::COUNT {
                EVERY_UNIT.to_owned()
            } else {
                readers.join(", ")
            };
            match sections.iter_mut().find(|(known, _)| *known == title) {
                Some((_, section)) if section.contains(variable) => {}
                Some((_, section)) => section.push(variable.clone()),
                None => sections.push((title, vec![variable.clone()])),
            }
        }
    }
    let mut page = HEAD.to_owned();
    for (title, variables) in sections {
        page += &format!("\n## {title}\n\n| variable | default | what it is |\n|---|---|---|\n");
        for Variable { name, default, allowed, help } in variables {
            let by_the_machine = BY_THE_MACHINE.iter().find(|(known, _)| *known == name);
            let default = match by_the_machine {
                Some((_, rule)) => (*rule).to_owned(),
                None if default.is_empty() => "unset".to_owned(),
                None => format!("`{}`", cell(&default)),
            };
            let (help, allowed) = (cell(help), cell(&allowed));
            page += &format!("| `{name}` | {default} | {help} ({allowed}) |\n");
        }
    }
    page
}

/// What stays in a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ").replace('<', "&lt;")
}

#[test]
fn the_page_has_every_variable() {
    let page = page();
    if std::env::var_os("MLVI_WRITE").is_some() {
        std::fs::write(Path::new(PAGE), &page).unwrap();
    }
    let written = std::fs::read_to_string(PAGE).unwrap_or_default();
    let (written, wanted) = (written.lines(), page.lines());
    for (number, (written, wanted)) in (1..).zip(written.clone().zip(wanted.clone())) {
        assert_eq!(written, wanted, "line {number}: write the page anew with MLVI_WRITE=1");
    }
    assert_eq!(written.count(), wanted.count(), "write the page anew with MLVI_WRITE=1");
}

#[test]
fn every_variable_of_one_name_means_the_same() {
    // two lines about one variable would contradict each other
    let page = page();
    for kind in UnitKind::ALL {
        for variable in variables(kind) {
            let row = format!("| `{}` |", variable.name);
            assert!(page.contains(&row), "{}", variable.name);
        }
    }
}
