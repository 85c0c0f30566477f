//! Environment variables, documented once: every key of the file as `ETL_KEY`, and a few more.

use super::error::{ConfigError, nearest};
use super::settings::{KEYS, Partial};
use std::collections::BTreeMap;

/// The environment as `cli` found it.
pub type Env = BTreeMap<String, String>;

/// Chooses a profile.
pub const PROFILE: &str = "ETL_PROFILE";
/// Names the project file instead of `./etl.toml`.
pub const CONFIG: &str = "ETL_CONFIG";
/// Names a file of rule levels.
pub const RULES: &str = "ETL_RULES";
/// Filter of the log, such as `etl=debug`.
pub const LOG: &str = "ETL_LOG";
/// Variables that are no keys of the file, and what they do.
pub const OTHERS: &[(&str, &str)] = &[
    (PROFILE, "Profile to use."),
    (CONFIG, "Project file instead of ./etl.toml."),
    (RULES, "File with rules and levels of rules."),
    (LOG, "Filter of the log, such as etl=debug."),
];

/// Names the keys, with commas between, that were flags of the command line: the program has put them
/// into its environment, so that a list of processes does not show them.
pub const CONCEALED: &str = "ETL_CONCEALED_FLAGS";

/// Whether the variable of a key holds what was a flag.
pub fn is_concealed(env: &Env, key: &str) -> bool {
    env.get(CONCEALED).is_some_and(|keys| keys.split(',').any(|name| name == key))
}

/// The variable of a key.
pub fn variable(key: &str) -> String {
    format!("ETL_{}", key.to_ascii_uppercase())
}

/// Reads the layer of the environment. A variable that only resembles one of ours is told in the
/// list of warnings: it may belong to somebody else.
pub fn read(env: &Env) -> Result<(Partial, Vec<String>), ConfigError> {
    let mut partial = Partial::default();
    let mut warnings = Vec::new();
    for (name, text) in env.iter().filter(|(name, _)| name.starts_with("ETL_")) {
        let other = OTHERS.iter().any(|(other, _)| other == name) || name == CONCEALED;
        if other || text.is_empty() {
            continue;
        }
        let key = name["ETL_".len()..].to_ascii_lowercase();
        match partial.set(&key, text) {
            Ok(true) => {}
            Ok(false) => {
                if let Some(near) = nearest(&key, KEYS.iter().map(|key| key.name)) {
                    let near = variable(near);
                    warnings.push(format!("{name} is not read; did you mean {near}?"));
                }
            }
            Err(message) => {
                let place = match is_concealed(env, &key) {
                    true => format!("--{}", key.replace('_', "-")),
                    false => name.clone(),
                };
                return Err(ConfigError::new(format!("{place}: {message}")));
            }
        }
    }
    Ok((partial, warnings))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> Env {
        pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn variables_are_the_keys_in_capitals() {
        let pairs = [("ETL_MEMORY_LIMIT", "1g"), ("ETL_SHEET", "a, 2"), ("HOME", "/x")];
        let (partial, warnings) = read(&env(&pairs)).expect("valid");
        assert_eq!(partial.memory_limit.map(|size| size.0), Some(1 << 30));
        assert_eq!(partial.sheet, Some(vec!["a".into(), "2".into()]));
        assert!(warnings.is_empty());
    }

    #[test]
    fn a_wrong_value_names_its_variable() {
        let error = read(&env(&[("ETL_THREADS", "many")])).expect_err("no number");
        assert_eq!(error.message, "ETL_THREADS: `many` is no whole number");
    }

    #[test]
    fn a_flag_that_was_concealed_is_called_a_flag() {
        let pairs = [("ETL_TO", " "), (CONCEALED, "alert_webhook,to")];
        let error = read(&env(&pairs)).expect_err("blank");
        assert_eq!(error.message, "--to: the value is empty");
        assert!(!is_concealed(&env(&[(CONCEALED, "alert_webhook")]), "to"));
    }

    #[test]
    fn a_slip_is_told_and_a_stranger_is_not() {
        let (_, warnings) = read(&env(&[("ETL_THREDS", "2"), ("ETL_HOMEPAGE", "x")])).expect("ok");
        assert_eq!(warnings, ["ETL_THREDS is not read; did you mean ETL_THREADS?"]);
    }
}
