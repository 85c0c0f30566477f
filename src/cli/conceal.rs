//! A password on the command line is there for everybody who lists the processes of the machine. So the
//! program begins anew with the setting in its environment, which only its own user may read.

use crate::config::env::CONCEALED;
use std::ffi::OsString;

/// Flags whose value may be a secret, and the variables that mean the same.
const SECRETS: [(&str, &str); 2] = [("--to", "ETL_TO"), ("--alert-webhook", "ETL_ALERT_WEBHOOK")];

/// Starts this program again without secrets among its arguments, where there are some. Comes back only
/// where that is not needed or not possible.
pub fn conceal() {
    let (arguments, variables) = concealed(std::env::args_os().skip(1));
    if variables.is_empty() {
        return;
    }
    begin_anew(arguments, variables);
}

#[cfg(unix)]
fn begin_anew(arguments: Vec<OsString>, variables: Vec<(&'static str, OsString)>) {
    use std::os::unix::process::CommandExt;
    if let Ok(program) = std::env::current_exe() {
        // It returns only with an error; the command then runs as it was given.
        let _ = std::process::Command::new(program).args(arguments).envs(variables).exec();
    }
}

#[cfg(not(unix))]
fn begin_anew(_: Vec<OsString>, _: Vec<(&'static str, OsString)>) {}

/// The arguments without secrets, and the variables that hold them.
fn concealed(
    arguments: impl Iterator<Item = OsString>,
) -> (Vec<OsString>, Vec<(&'static str, OsString)>) {
    let given: Vec<_> = arguments.collect();
    let mut arguments = given.iter().cloned().peekable();
    let (mut left, mut variables) = (Vec::new(), Vec::<(&str, OsString)>::new());
    while let Some(argument) = arguments.next() {
        if argument == "--" {
            left.push(argument);
            left.extend(arguments);
            break;
        }
        let text = argument.to_str().unwrap_or_default();
        let (flag, inline) = match text.split_once('=') {
            Some((flag, value)) => (flag, Some(value.to_owned())),
            None => (text, None),
        };
        let known = SECRETS.iter().find(|(secret, _)| *secret == flag);
        let following = || arguments.peek().and_then(|next| next.to_str()).map(str::to_owned);
        let apart = inline.is_none();
        match (known, inline.or_else(following)) {
            (Some((_, variable)), Some(value)) if is_secret(flag, &value) => {
                if apart {
                    arguments.next();
                }
                variables.push((*variable, value.into()));
            }
            _ => left.push(argument),
        }
    }
    // A flag given twice is a mistake, which the command line has to tell.
    let twice = |(at, (name, _)): (usize, &(&str, OsString))| {
        variables[..at].iter().any(|(other, _)| other == name)
            || SECRETS.iter().any(|(flag, variable)| variable == name && is_flag(&left, flag))
    };
    if variables.iter().enumerate().any(twice) {
        return (given, Vec::new());
    }
    if !variables.is_empty() {
        let keys: Vec<_> = variables.iter().map(|(name, _)| key(name)).collect();
        variables.push((CONCEALED, keys.join(",").into()));
    }
    (left, variables)
}

/// Whether a flag is among arguments.
fn is_flag(arguments: &[OsString], flag: &str) -> bool {
    let mut before = arguments.iter().take_while(|argument| *argument != "--");
    before.any(|argument| {
        let text = argument.to_str().unwrap_or_default();
        text.split_once('=').map_or(text, |(name, _)| name) == flag
    })
}

/// The setting of a variable: `ETL_TO` is `to`.
fn key(variable: &str) -> String {
    variable.trim_start_matches("ETL_").to_ascii_lowercase()
}

/// A reference only says where a secret is.
fn is_secret(flag: &str, value: &str) -> bool {
    let reference = value.starts_with("env:") || value.starts_with("file:");
    !reference && (flag != "--to" || crate::config::may_hold_secret(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(arguments: &[&str]) -> (Vec<String>, Vec<(&'static str, String)>) {
        let (left, variables) = concealed(arguments.iter().map(OsString::from));
        let text = |text: OsString| text.into_string().expect("UTF-8");
        let left = left.into_iter().map(text).collect();
        (left, variables.into_iter().map(|(name, value)| (name, text(value))).collect())
    }

    #[test]
    fn only_secrets_leave_the_command_line() {
        let url = "postgres://ann:s3cret@h/db";
        let (left, variables) = of(&["ingest", "--to", url, "a.csv", "--create"]);
        assert_eq!(left, ["ingest", "a.csv", "--create"]);
        let concealed = (CONCEALED, "to".to_owned());
        assert_eq!(variables, [("ETL_TO", url.to_owned()), concealed]);
        // A mistake stays a mistake.
        for given in [["--to", "a.duckdb", "--to", url], ["--to", url, "--to", "a.duckdb"]] {
            assert_eq!(of(&given), (given.map(str::to_owned).to_vec(), Vec::new()));
        }
        let inline = format!("--to={url}");
        assert_eq!(of(&["runs", "list", &inline]).1, variables);
        for plain in ["duckdb:a.duckdb", "postgres://ann@h/db", "env:DATABASE_URL"] {
            assert!(of(&["ingest", "--to", plain]).1.is_empty(), "{plain}");
        }
        assert!(of(&["ingest", "--", "--to", url]).1.is_empty());
        assert_eq!(of(&["ingest", "--alert-webhook", "https://h/x"]).1.len(), 2);
    }
}
