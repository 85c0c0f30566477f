//! The whole help: a review sees every change of the command line.

use super::support::Place;

const COMMANDS: &[&[&str]] = &[
    &[],
    &["ingest"],
    &["plan"],
    &["check"],
    &["profile"],
    &["reprocess-failures"],
    &["failures"],
    &["failures", "list"],
    &["failures", "show"],
    &["failures", "export"],
    &["report"],
    &["gold"],
    &["diff"],
    &["runs"],
    &["runs", "list"],
    &["runs", "show"],
    &["runs", "counts"],
    &["verify"],
    &["doctor"],
    &["sql"],
    &["config"],
    &["config", "show"],
    &["completions"],
];

#[test]
fn the_help_of_every_command() {
    let place = Place::new();
    let mut all = String::new();
    for command in COMMANDS {
        let mut arguments = command.to_vec();
        arguments.push("-h");
        all.push_str(&format!("$ etl {}\n{}\n", arguments.join(" "), place.run(&arguments)));
    }
    insta::assert_snapshot!(all);
}

#[test]
fn no_command_is_left_out_of_the_snapshot() {
    let place = Place::new();
    let commands = |arguments: &[&str]| -> Vec<String> {
        let output = place.output(arguments);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines()
            .skip_while(|line| *line != "Commands:")
            .skip(1)
            .take_while(|line| !line.is_empty())
            // Deeper lines go on with the help of the line above.
            .filter(|line| !line.starts_with("   "))
            .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
            .filter(|name| name != "help")
            .collect()
    };
    let top = commands(&["-h"]);
    assert!(top.len() >= 10, "{top:?}");
    for command in &top {
        assert!(COMMANDS.iter().any(|known| *known == [command.as_str()]), "{command}");
    }
}

#[test]
fn the_long_help_ends_with_examples_and_exit_codes() {
    let place = Place::new();
    let text = place.run(&["ingest", "--help"]);
    assert!(text.starts_with("exit: 0\n--- stdout\n"), "{text}");
    for line in ["  etl ingest broward_2025.xlsx", "    3  loaded, some rows rejected"] {
        assert!(text.contains(line), "{text}");
    }
}

#[test]
fn completions_know_the_commands() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let output = place.output(&["completions", shell]);
        assert!(output.status.success());
        let script = String::from_utf8_lossy(&output.stdout);
        assert!(script.contains("reprocess-failures"), "{shell}");
    }
}
