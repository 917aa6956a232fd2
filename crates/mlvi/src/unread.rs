//! Variables in the environment, or in the file that `MLVI_CONFIG` names, that neither a unit nor the
//! command line reads: one that is misspelt shall not be passed over in silence.

use crate::command::Cli;
use crate::suite::UnitKind;
use clap::{Command, CommandFactory};
use settings::{Settings, UnreadVariable};
use unit::Telemetry;

/// Those that are set and not read; none where the settings cannot be read at all, which whoever
/// needs them says.
pub(crate) fn unread() -> Vec<UnreadVariable> {
    Settings::from_environment().map_or_else(|_| Vec::new(), |settings| of(&settings))
}

/// Those of these settings.
pub(crate) fn of(settings: &Settings) -> Vec<UnreadVariable> {
    // most environments have none, and need no names
    if settings.unread(&[]).is_empty() {
        return Vec::new();
    }
    let known = known();
    settings.unread(&known.iter().map(String::as_str).collect::<Vec<_>>())
}

fn known() -> Vec<String> {
    let mut units = Settings::from_pairs([("", "")]);
    Telemetry::from_settings(&mut units);
    for kind in UnitKind::ALL {
        (kind.about().read_settings)(&mut units);
    }
    let mut known: Vec<String> =
        units.variables().iter().map(|variable| variable.name.to_owned()).collect();
    options(&Cli::command(), &mut known);
    known
}

/// The variables of a command's options and of those below it.
fn options(command: &Command, known: &mut Vec<String>) {
    let variables = command.get_arguments().filter_map(|argument| argument.get_env()?.to_str());
    known.extend(variables.map(str::to_owned));
    command.get_subcommands().for_each(|command| options(command, known));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_unit_or_an_option_reads_is_known_and_what_is_misspelt_is_told() {
        let set = [
            ("MLVI_POLICY", "ratio"),
            ("MLVI_MAX_JOBS", "9"),
            ("MLVI_LOG", "info"),
            ("MLVI_CA_FILE", "ca.pem"),
            ("MLVI_MODEL_THREADS", "1"),
            ("MLVI_POLICI", "ratio"),
        ];
        let unread = of(&Settings::from_pairs(set));
        assert_eq!(unread.len(), 1, "{unread:?}");
        assert_eq!(unread[0].nearest.as_deref(), Some("MLVI_POLICY"));
        assert!(of(&Settings::from_pairs([("PATH", "/bin")])).is_empty());
    }
}
