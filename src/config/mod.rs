//! Settings: defaults, files, environment and flags folded into one request.
//!
//! Every setting is declared once (`settings`), written the same way in each layer (`value`), and
//! knows where it comes from. Nothing here reads the environment or the home folder: `cli` passes
//! both in.

pub mod env;
mod error;
pub mod file;
mod resolve;
mod schema;
mod secret;
mod settings;
mod value;

pub use crate::run::Zone;
pub use crate::source::csv::{CsvPolicy, Escaping, Quoting};
pub use error::{ConfigError, ConfigPlace, nearest};
pub use resolve::{Call, LEAST_MEMORY, Loaded, Machine, Sources, Ui, load};
pub use schema::schema;
pub use secret::{Reference, Secret, Webhook, may_hold_secret};
pub use settings::{AgentPartial, Entry, KEYS, Key, Origin, Partial, Settings, Sourced};
pub use value::{
    ByteSize, ColorWhen, Delimiter, ProgressKind, Provenance, Rate, RuleLevel, TooLong, Value,
};

/// The defaults with their comments: the reference for users.
pub const DEFAULTS: &str = include_str!("defaults.toml");

/// The weakest layer.
pub fn defaults() -> Partial {
    file::parse("defaults.toml", DEFAULTS).expect("defaults.toml is part of the program and tested")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_stands_in_the_reference() {
        for key in KEYS {
            let set = format!("\n{} = ", key.name);
            let unset = format!("\n#{} = ", key.name);
            assert!(DEFAULTS.contains(&set) || DEFAULTS.contains(&unset), "{}", key.name);
        }
    }

    #[test]
    fn the_reference_with_all_lines_in_force_is_valid() {
        let uncommented: String = DEFAULTS
            .lines()
            .map(|line| match line.strip_prefix('#') {
                Some(rest)
                    if rest
                        .starts_with(|c: char| c.is_ascii_lowercase() || c == '[' || c == '"') =>
                {
                    rest
                }
                _ => line,
            })
            // Keys behind a table header would belong to the table.
            .scan(String::new(), |table, line| {
                if line.starts_with('[') {
                    *table = line.to_owned();
                } else if line.starts_with("# ---") {
                    table.clear();
                }
                Some(if table.is_empty() { format!("{line}\n") } else { String::new() })
            })
            .collect();
        let partial = file::parse("all", &uncommented).expect("valid");
        assert_eq!(partial.max_errors, Some(100));
        assert_eq!(partial.threads, Some(4));
    }
}
