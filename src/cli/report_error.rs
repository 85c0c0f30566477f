//! Errors as people and scripts see them: one line first, then causes, what is kept, what to do.
//! Never a backtrace.

use super::error::CliError;
use super::text::{Paint, lines, safe};
use super::{exit, output};
use crate::config::{ConfigError, ConfigPlace};
use crate::run::{FailedInput, RunError, RunErrorKind};
use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode,
};
use serde_json::json;
use std::error::Error as StdError;
use std::fmt;

/// Bad inputs that are told one by one.
const MOST_FAILED: usize = 20;

/// Tells the error on stderr and returns the exit code.
pub fn report(error: &CliError, as_json: bool, paint: Paint) -> u8 {
    let (code, text, value) = match error {
        CliError::BrokenPipe => return exit::DONE,
        CliError::Config(error) => (exit::USAGE, config_text(error, paint), config_json(error)),
        CliError::Run(error) if error.place.is_some() => {
            let error = placed(error);
            (exit::USAGE, config_text(&error, paint), config_json(&error))
        }
        CliError::Run(error) => {
            (exit::of_error(error.kind), run_text(error, paint), run_json(error))
        }
        CliError::Output(error) => {
            let message = format!("cannot write the output: {error}");
            let text = format!("{} {message}", paint.red("error:"));
            (exit::FAILED, text, json!({ "exit": exit::FAILED, "message": message }))
        }
    };
    if as_json {
        output::stderr(&json!({ "error": value }).to_string());
    } else {
        output::stderr(&text);
    }
    code
}

/// A mistake in a file of the user that only showed with the columns of an input.
fn placed(error: &RunError) -> ConfigError {
    let place = error.place.as_deref().cloned().map(ConfigPlace::from);
    let hint = (!error.hints.is_empty()).then(|| error.hints.join("; "));
    ConfigError { message: error.message.clone(), place, hint }
}

fn run_text(error: &RunError, paint: Paint) -> String {
    let heading = match (error.kind, error.code) {
        (RunErrorKind::Interrupted(_), _) => paint.yellow("interrupted:"),
        (_, Some(code)) => paint.red(&format!("error[{code}]:")),
        (_, None) => paint.red("error:"),
    };
    let first = format!("{heading} {}", lines(&error.message));
    // "interrupted: interrupted" says nothing twice.
    let first = first.strip_suffix(": interrupted").map_or(first.clone(), str::to_owned);
    let mut told = vec![first];
    told.extend(causes(error).iter().map(|cause| format!("  caused by: {}", safe(cause))));
    told.extend(error.kept.iter().map(|kept| format!("kept: {}", safe(kept))));
    if error.also.is_empty() {
        told.extend(hints(&error.hints, paint));
        return told.join("\n");
    }
    // The hints of the whole run stand at its end.
    let (whole, own): (Vec<_>, Vec<_>) =
        error.hints.iter().cloned().partition(|hint| hint.contains("--keep-going"));
    told.extend(hints(&own, paint));
    told.extend(failed_lines(&error.also, paint));
    told.push(format!("{} inputs are bad", error.also.len() + 1));
    told.extend(hints(&whole, paint));
    told.join("\n")
}

fn hints(hints: &[String], paint: Paint) -> Vec<String> {
    hints.iter().map(|hint| format!("{} {}", paint.green("hint:"), safe(hint))).collect()
}

/// Bad inputs, each as an error of its own; where they are many, the first ones.
pub fn failed_lines(failed: &[FailedInput], paint: Paint) -> Vec<String> {
    let mut told = Vec::new();
    for input in failed.iter().take(MOST_FAILED) {
        let heading = match &input.code {
            Some(code) => paint.red(&format!("error[{code}]:")),
            None => paint.red("error:"),
        };
        // Some messages name the input themselves.
        let name = match input.message.contains(&input.input) {
            true => String::new(),
            false => format!("{}: ", safe(&input.input)),
        };
        told.push(format!("{heading} {name}{}", lines(&input.message)));
        let mut said = input.message.clone();
        for cause in &input.causes {
            if !said.contains(cause) {
                told.push(format!("  caused by: {}", safe(cause)));
                said.clone_from(cause);
            }
        }
        told.extend(input.kept.iter().map(|kept| format!("kept: {}", safe(kept))));
        told.extend(hints(&input.hints, paint));
    }
    if failed.len() > MOST_FAILED {
        let more = failed.len() - MOST_FAILED;
        told.push(format!("… and {more} more (--format json lists all)"));
    }
    told
}

/// Tells bad inputs on stderr.
pub fn tell_failed(failed: &[FailedInput], paint: Paint) {
    if !failed.is_empty() {
        output::stderr(&failed_lines(failed, paint).join("\n"));
    }
}

fn run_json(error: &RunError) -> serde_json::Value {
    json!({
        "exit": exit::of_error(error.kind),
        "code": error.code,
        "message": error.message,
        "causes": causes(error),
        "kept": error.kept,
        "hints": error.hints,
        "also": also(&error.also),
    })
}

/// Errors of further inputs, each with the exit code that it has alone.
fn also(also: &[FailedInput]) -> Vec<serde_json::Value> {
    let told = |input: &FailedInput| {
        json!({
            "input": input.input,
            "exit": exit::of_error(input.kind),
            "code": input.code,
            "message": input.message,
            "causes": input.causes,
            "kept": input.kept,
            "hints": input.hints,
        })
    };
    also.iter().map(told).collect()
}

/// The chain behind the error, without what the first line says already.
fn causes(error: &RunError) -> Vec<String> {
    let mut told = error.message.clone();
    let mut causes = Vec::new();
    let mut next = StdError::source(error);
    while let Some(cause) = next {
        let text = cause.to_string();
        if !told.contains(&text) {
            causes.push(text.clone());
            told = text;
        }
        next = cause.source();
    }
    causes
}

fn config_text(error: &ConfigError, paint: Paint) -> String {
    let place = error.place.as_ref().map_or_else(String::new, |place| {
        let (line, column) = place.line_and_column();
        format!("{}:{line}:{column}: ", place.file)
    });
    let mut text = format!("{} {place}{}", paint.red("error:"), safe(&error.message));
    if let Some(place) = &error.place {
        text.push_str(&drawn(place, &error.message, paint));
    }
    if let Some(hint) = &error.hint {
        text.push_str(&format!("\n{} {}", paint.green("hint:"), safe(hint)));
    }
    text
}

fn config_json(error: &ConfigError) -> serde_json::Value {
    let place = error.place.as_ref().map(|place| {
        let (line, column) = place.line_and_column();
        json!({ "file": place.file, "line": line, "column": column })
    });
    let hints: Vec<&String> = error.hint.iter().collect();
    json!({
        "exit": exit::USAGE, "code": null, "message": error.message, "place": place, "hints": hints,
    })
}

/// The lines of the file around the mistake.
fn drawn(place: &ConfigPlace, label: &str, paint: Paint) -> String {
    let theme = if paint.0 { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let snippet = Snippet {
        source: NamedSource::new(&place.file, place.text.clone()),
        label: LabeledSpan::new(
            Some(label.lines().next().unwrap_or_default().to_owned()),
            place.span.start,
            place.span.len(),
        ),
    };
    let mut text = String::new();
    let handler = GraphicalReportHandler::new_themed(theme).with_width(100).with_context_lines(1);
    if handler.render_report(&mut text, &snippet).is_err() {
        return String::new();
    }
    // The heading of the drawing repeats the first line of the error.
    let lines = text.lines().skip_while(|line| !line.contains('╭'));
    lines.map(|line| format!("\n{}", line.trim_end())).collect::<String>().trim_end().to_owned()
}

#[derive(Debug)]
struct Snippet {
    source: NamedSource<String>,
    label: LabeledSpan,
}

impl fmt::Display for Snippet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("mistake")
    }
}

impl StdError for Snippet {}

impl Diagnostic for Snippet {
    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(std::iter::once(self.label.clone())))
    }
}

/// Tells a panic in a few words. What was committed is safe: nothing is in the target that the
/// ledger does not know.
pub fn install_panic_hook() {
    std::panic::set_hook(Box::new(|info| {
        let payload = info.payload();
        let said = payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "no message".to_owned());
        let place = info.location().map_or_else(String::new, |place| {
            let file = place.file().rsplit_once("src").map_or(place.file(), |(_, rest)| rest);
            format!(" (src{file}:{})", place.line())
        });
        output::stderr(&told_panic(&said, &place));
    }));
}

fn told_panic(said: &str, place: &str) -> String {
    format!(
        "internal error: {}{place}\n\
         This is a mistake in etl {}, not in your file. What was committed stays; the same \
         command goes on from there.\n\
         Please report it with these lines, the command, and what `etl doctor` prints.",
        safe(&without_passwords(said)),
        env!("CARGO_PKG_VERSION"),
    )
}

/// Our own types never show a password; what a library says of a text that it was given may.
fn without_passwords(text: &str) -> String {
    let hidden = [
        (r#"(://[^:/@\s]*:)[^\s"']*@"#, "${1}***@"),
        (r#"(?i)(password['"]?\s*[=:]\s*['"]?)[^&\s"']+"#, "${1}***"),
    ];
    hidden.iter().fold(text.to_owned(), |text, (pattern, instead)| {
        match regex::Regex::new(pattern) {
            Ok(pattern) => pattern.replace_all(&text, *instead).into_owned(),
            Err(_) => text,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::StopCause;

    #[test]
    fn a_panic_tells_no_password() {
        let said = "no such thing: postgres://ann:s3ntinel@Pa/55@db.example/rolls?password=s3ntinel&x=1 \
                    Password: \"s3ntinel\"";
        let told = told_panic(said, " (src/x.rs:1)");
        assert!(!told.contains("s3ntinel") && !told.contains("Pa/55"), "{told}");
        assert!(told.contains("postgres://ann:***@db.example/rolls?password=***&x=1"), "{told}");
    }

    fn broken() -> RunError {
        let cause = std::io::Error::other("unexpected end of file");
        let mut error =
            RunError::new(RunErrorKind::Input, "a.xlsx: the file is cut off").with_code("E103");
        error.source = Some(Box::new(cause));
        error.kept = Some("122,880 rows of a.csv are loaded".into());
        error.with_hint("download it again")
    }

    #[test]
    fn the_first_line_says_it_all_and_the_rest_follows() {
        assert_eq!(
            run_text(&broken(), Paint(false)),
            "error[E103]: a.xlsx: the file is cut off\n  caused by: unexpected end of file\n\
             kept: 122,880 rows of a.csv are loaded\nhint: download it again"
        );
    }

    #[test]
    fn scripts_get_the_same_fields() {
        let value = run_json(&broken());
        assert_eq!(value["exit"], 6);
        assert_eq!(value["code"], "E103");
        assert_eq!(value["causes"][0], "unexpected end of file");
        assert_eq!(value["hints"][0], "download it again");
    }

    #[test]
    fn an_interrupt_is_no_error() {
        let kind = RunErrorKind::Interrupted(StopCause::Interrupt);
        let error = RunError::new(kind, "stopped").with_hint("resume with the same command");
        let text = run_text(&error, Paint(false));
        assert_eq!(text, "interrupted: stopped\nhint: resume with the same command");
        assert_eq!(exit::of_error(kind), 130);
    }

    #[test]
    fn a_file_name_cannot_drive_the_terminal() {
        let error = RunError::new(RunErrorKind::Input, "a\u{1b}[2J.csv: missing");
        assert!(!run_text(&error, Paint(false)).contains('\u{1b}'));
    }
}
