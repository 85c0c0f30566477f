//! Configuration files: TOML to [`Partial`], with the place of every mistake.

use super::error::{ConfigError, ConfigPlace, nearest};
use super::settings::{KEYS, Partial};
use super::value::RuleLevel;
use crate::rules::UserRule;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

/// Reads a file that may be missing.
pub fn read_optional(path: &Path) -> Result<Option<Partial>, ConfigError> {
    match std::fs::read_to_string(path) {
        Ok(text) => parse(&path.display().to_string(), &text).map(Some),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(path, &error)),
    }
}

/// Reads a file that the user named.
pub fn read(path: &Path) -> Result<Partial, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|error| unreadable(path, &error))?;
    parse(&path.display().to_string(), &text)
}

/// Reads the levels of a rule file, its table `[rules]`. The rules themselves are read by
/// [`user_rules`].
pub fn read_rules(path: &Path) -> Result<Partial, ConfigError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Rules {
        #[serde(default)]
        rules: BTreeMap<String, RuleLevel>,
        #[serde(default, rename = "rule")]
        _own: Vec<toml::Table>,
    }
    let text = std::fs::read_to_string(path).map_err(|error| unreadable(path, &error))?;
    let file = path.display().to_string();
    match toml::from_str::<Rules>(&text) {
        Ok(Rules { rules, .. }) => Ok(Partial { rules, ..Partial::default() }),
        Err(error) => Err(explain(&file, &text, &error)
            .with_hint("a rule file holds lines such as \"FILE-04\" = \"warning\" under [rules]")),
    }
}

/// Reads the rules of a rule file, its tables `[[rule]]`.
pub fn user_rules(path: &Path) -> Result<Vec<UserRule>, ConfigError> {
    Ok(crate::rules::read(path)?)
}

fn unreadable(path: &Path, error: &std::io::Error) -> ConfigError {
    let why = match error.kind() {
        ErrorKind::NotFound => "there is no such file".to_owned(),
        _ => format!("cannot be read: {error}"),
    };
    ConfigError::new(format!("{}: {why}", path.display()))
}

/// Parses the text of a configuration file.
pub fn parse(file: &str, text: &str) -> Result<Partial, ConfigError> {
    // Editors on Windows like to begin with a byte order mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let partial: Partial = toml::from_str(text).map_err(|error| explain(file, text, &error))?;
    if let Some((name, _)) = partial.profile.iter().find(|(_, inner)| !inner.profile.is_empty()) {
        let message = format!("{file}: profile `{name}` holds another profile");
        return Err(ConfigError::new(message).with_hint("put every profile at the top level"));
    }
    Ok(partial)
}

fn explain(file: &str, text: &str, error: &toml::de::Error) -> ConfigError {
    let (message, hint) = plain_words(error.message());
    ConfigError {
        message,
        place: error.span().map(|span| ConfigPlace {
            file: file.to_owned(),
            text: concealed(text),
            span,
        }),
        hint,
    }
}

/// The text of a file as it may be drawn: of as many bytes, but without values that may hold a secret.
fn concealed(text: &str) -> String {
    let line = |line: &str| -> String {
        let Some((key, value)) = line.split_once('=') else { return hidden(line, 0) };
        let (key, bare) = (key.trim(), value.trim().trim_matches(['"', '\'']));
        let is_reference = ["env:", "file:", "duckdb:"].iter().any(|begin| bare.starts_with(begin));
        let is_secret = ["to", "alert_webhook", "mask_key"].contains(&key)
            || ["://", "password"].iter().any(|sign| line.contains(sign))
            || super::may_hold_secret(bare);
        match is_secret && !is_reference {
            true => hidden(line, line.len() - value.len()),
            false => line.to_owned(),
        }
    };
    text.split_inclusive('\n').map(line).collect()
}

/// A line of which what stands behind `from` is hidden; where nothing of it is a key, only what looks
/// like an address.
fn hidden(line: &str, from: usize) -> String {
    if from == 0 && !line.contains("://") {
        return line.to_owned();
    }
    let star = |byte: u8| if byte.is_ascii_whitespace() { char::from(byte) } else { '*' };
    line[..from].chars().chain(line[from..].bytes().map(star)).collect()
}

/// Turns the words of the parser into words about settings.
fn plain_words(message: &str) -> (String, Option<String>) {
    let first = message.lines().next().unwrap_or_default();
    let quoted = |prefix: &str| {
        first.strip_prefix(prefix)?.split_once('`').map(|(word, rest)| (word.to_owned(), rest))
    };
    let Some((word, rest)) = quoted("unknown field `").or_else(|| quoted("unknown variant `"))
    else {
        return (message.trim().replace('\n', "; "), None);
    };
    let expected: Vec<&str> = rest.split('`').skip(1).step_by(2).collect();
    if first.starts_with("unknown field") {
        let at_top = expected.contains(&"memory_limit");
        let known = KEYS.iter().map(|key| key.name).chain(["agent", "rules", "profile"]);
        let near = if at_top { nearest(&word, known) } else { nearest(&word, expected.clone()) };
        let hint = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None if at_top => "`etl config show` lists every key".to_owned(),
            None => format!("known here: {}", expected.join(", ")),
        };
        (format!("unknown key `{word}`"), Some(hint))
    } else {
        let hint = nearest(&word, expected.clone()).map(|near| format!("did you mean `{near}`?"));
        (format!("`{word}` is not one of {}", expected.join(", ")), hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistake(text: &str) -> (String, Option<String>, (usize, usize)) {
        let error = parse("etl.toml", text).expect_err("a mistake");
        let place = error.place.expect("a place").line_and_column();
        (error.message, error.hint, place)
    }

    #[test]
    fn an_unknown_key_names_its_place_and_the_nearest_key() {
        let (message, hint, place) = mistake("threads = 2\nmemry_limit = \"1g\"\n");
        assert_eq!(message, "unknown key `memry_limit`");
        assert_eq!(hint.as_deref(), Some("did you mean `memory_limit`?"));
        assert_eq!(place, (2, 1));
    }

    #[test]
    fn a_wrong_value_points_at_the_value() {
        let (message, _, place) = mistake("\nmemory_limit = \"much\"\n");
        assert!(message.starts_with("`much` is no size"), "{message}");
        assert_eq!(place, (2, 16));
        let (message, hint, _) = mistake("mode = \"merg\"");
        assert_eq!(message, "`merg` is not one of merge, append, replace");
        assert_eq!(hint.as_deref(), Some("did you mean `merge`?"));
        let (message, hint, _) = mistake("[agent.enrich]\nenabld = true");
        assert_eq!(message, "unknown key `enabld`");
        assert_eq!(hint.as_deref(), Some("did you mean `enabled`?"));
    }

    #[test]
    fn a_drawn_line_shows_no_secret() {
        for (line, drawn) in [
            ("to = \"postgres://ann:S3CR3T@h/d\n", "to = ******************************\n"),
            ("target = 'postgres://ann:S3@h/d'", "target = **************************"),
            ("to = 'host=h password=S3CR3T'", "to = ******* ****************"),
            ("threads = 2 # é\n", "threads = 2 # é\n"),
            ("to = 'env:WHERE'\n", "to = 'env:WHERE'\n"),
            ("to = 'duckdb:a.duckdb'", "to = 'duckdb:a.duckdb'"),
            ("[profile.ci]", "[profile.ci]"),
        ] {
            let shown = concealed(line);
            assert!(shown.len() == line.len() && !shown.contains("S3"), "{shown}");
            assert_eq!(shown.replace('*', ""), drawn.replace('*', ""));
        }
        let error =
            parse("etl.toml", "to = 'postgres://ann:S3CR3T@h\nthreads = 2").expect_err("open");
        assert!(!format!("{error:?}").contains("S3CR3T"), "{error:?}");
    }

    #[test]
    fn profiles_do_not_nest() {
        let error = parse("etl.toml", "[profile.a.profile.b]\nthreads = 1").expect_err("nested");
        assert!(error.message.contains("profile `a`"), "{}", error.message);
    }

    #[test]
    fn a_byte_order_mark_does_not_matter() {
        assert_eq!(parse("x", "\u{feff}threads = 3").expect("parses").threads, Some(3));
    }
}
