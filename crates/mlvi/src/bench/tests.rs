//! What a user sees of the benchmarks, and the peers themselves.

use super::BenchCommand;
use clap::{CommandFactory, Parser};

#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    bench: BenchCommand,
}

#[test]
fn the_help_teaches() {
    let help = |command: &str| {
        let mut cli = Cli::command();
        let found = cli.find_subcommand_mut(command).unwrap();
        found.render_long_help().to_string()
    };
    for (command, words) in [
        (
            "detector",
            ["--with-peers", "--profile", "Example: mlvi bench detector", "requirements.txt"],
        ),
        ("pipeline", ["--against", "python", "Example: mlvi bench pipeline", "--cameras"]),
        ("report", ["--out", "report.md", "Example: mlvi bench report", "--images"]),
        ("unit", ["--starts", "--json", "--model-threads", "--frames"]),
    ] {
        let help = help(command);
        words.iter().for_each(|word| assert!(help.contains(word), "{command}: {word}\n{help}"));
    }
}

#[test]
fn arguments_that_cannot_be_are_refused() {
    let parse = |line: &str| Cli::try_parse_from(line.split(' ')).map(|cli| drop(cli.bench));
    assert!(parse("bench detector --runs 0").is_err());
    assert!(parse("bench unit --starts 0").is_err());
    assert!(parse("bench report").is_err(), "a folder is needed");
    assert!(parse("bench pipeline --against java").is_err());
    assert!(parse("bench pipeline --against python").is_ok());
}
