//! The text of a rule file. Unknown fields are errors: a misspelt one must not be silently ignored.

use super::model::{Check, Level, UserRule};
use super::place::TextPlace;
use super::sql::literal;
use serde::Deserialize;
use std::collections::HashSet;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use thiserror::Error;
use toml::Spanned;

/// Why a rule file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct RuleError {
    /// What is wrong.
    pub message: String,
    /// Where, when it is a place in the file.
    pub place: Option<TextPlace>,
    /// What to do.
    pub hint: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    /// Levels of the pack's rules; read with the settings.
    #[serde(default, rename = "rules")]
    _levels: toml::Table,
    #[serde(default)]
    rule: Vec<Spanned<RawRule>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRule {
    id: Option<Spanned<String>>,
    level: Option<Level>,
    #[serde(default)]
    kinds: Vec<String>,
    column: Option<String>,
    #[serde(default)]
    columns: Vec<String>,
    message: Option<String>,
    #[serde(default)]
    hint: String,
    ok: Option<Spanned<String>>,
    not_null: Option<Spanned<bool>>,
    min: Option<Spanned<Bound>>,
    max: Option<Spanned<Bound>>,
    pattern: Option<Spanned<String>>,
    set: Option<Spanned<Vec<Scalar>>>,
    reference: Option<Spanned<String>>,
    reference_column: Option<Spanned<String>>,
    unique: Option<Spanned<bool>>,
    fresh_days: Option<Spanned<u32>>,
    outlier: Option<Spanned<f64>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Bound {
    Whole(i64),
    Real(f64),
    Text(String),
    Day(toml::value::Datetime),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Scalar {
    Whole(i64),
    Text(String),
}

impl Bound {
    fn sql(&self) -> String {
        match self {
            Self::Whole(number) => number.to_string(),
            Self::Real(number) => number.to_string(),
            Self::Text(text) => literal(text),
            Self::Day(day) => literal(&day.to_string()),
        }
    }
}

impl Scalar {
    fn text(self) -> String {
        match self {
            Self::Whole(number) => number.to_string(),
            Self::Text(text) => text,
        }
    }
}

/// Reads a file; a path in it is relative to its folder.
pub fn read(path: &Path) -> Result<Vec<UserRule>, RuleError> {
    let file = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| RuleError {
        message: format!("{file}: {error}"),
        place: None,
        hint: None,
    })?;
    parse(&file, &text, path.parent().unwrap_or(Path::new("")))
}

/// The rules in a text. Files that it names are relative to `folder`.
pub fn parse(file: &str, text: &str, folder: &Path) -> Result<Vec<UserRule>, RuleError> {
    let text: Arc<str> = text.strip_prefix('\u{feff}').unwrap_or(text).into();
    let reader = Reader { file, text: Arc::clone(&text), folder };
    let raw: RawFile = toml::from_str(&text).map_err(|error| {
        let message = error.message().trim().replace('\n', "; ");
        reader.wrong(error.span().unwrap_or(0..0), message)
    })?;
    let mut rules = Vec::with_capacity(raw.rule.len());
    let mut ids = HashSet::new();
    for raw in raw.rule {
        let span = reader.head(raw.span());
        let rule = reader.rule(raw.into_inner(), span.clone())?;
        if !ids.insert(rule.id.clone()) {
            let hint = "give each rule an `id` of its own";
            return Err(reader.wrong(span, format!("two rules are called {}", rule.id)).hint(hint));
        }
        rules.push(rule);
    }
    Ok(rules)
}

impl RuleError {
    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

struct Reader<'a> {
    file: &'a str,
    text: Arc<str>,
    folder: &'a Path,
}

impl Reader<'_> {
    fn place(&self, span: Range<usize>) -> TextPlace {
        TextPlace { file: self.file.to_owned(), text: Arc::clone(&self.text), span }
    }

    fn wrong(&self, span: Range<usize>, message: impl Into<String>) -> RuleError {
        RuleError { message: message.into(), place: Some(self.place(span)), hint: None }
    }

    /// The first line of a rule: a whole table is too much to underline.
    fn head(&self, span: Range<usize>) -> Range<usize> {
        let line = self.text[span.clone()].find('\n').unwrap_or(span.len());
        span.start..span.start + line
    }

    fn rule(&self, raw: RawRule, span: Range<usize>) -> Result<UserRule, RuleError> {
        let mut columns = raw.columns.clone();
        columns.extend(raw.column.clone());
        let (check, at) = self.check(&raw, &span)?;
        if columns.is_empty() {
            let message = "the rule names no column";
            return Err(self
                .wrong(span, message)
                .hint("write column = \"name\" or columns = [...]"));
        }
        if let (Check::FreshDays(_) | Check::Outlier(_), [_, _, ..]) = (&check, columns.as_slice())
        {
            let message = format!("{} is asked of one column", check.field());
            return Err(self.wrong(at, message).hint("write a rule for each"));
        }
        let level = raw.level.unwrap_or(Level::Warning);
        let id = match raw.id {
            Some(id) if !is_plain(id.get_ref()) => {
                let message = "an id is made of letters, digits, - and _";
                return Err(self.wrong(id.span(), message));
            }
            Some(id) => id.into_inner(),
            None => format!("{}_{}", columns.join("_"), check.field()),
        };
        let (message, hint, kinds) = (raw.message, raw.hint, raw.kinds);
        let place = Some(self.place(at));
        Ok(UserRule { id, level, kinds, columns, check, message, hint, place })
    }

    /// The one check of a rule, and where it stands.
    fn check(
        &self,
        raw: &RawRule,
        span: &Range<usize>,
    ) -> Result<(Check, Range<usize>), RuleError> {
        let mut found: Vec<(Check, Range<usize>)> = Vec::new();
        if let Some(ok) = &raw.ok {
            found.push((Check::Ok(ok.get_ref().trim().to_owned()), ok.span()));
        }
        let flags = [(&raw.not_null, Check::NotNull), (&raw.unique, Check::Unique)];
        for (flag, check) in flags {
            match flag {
                Some(flag) if *flag.get_ref() => found.push((check, flag.span())),
                Some(flag) => {
                    let message = format!("{} = false demands nothing", check.field());
                    return Err(self.wrong(flag.span(), message).hint("leave the rule out"));
                }
                None => {}
            }
        }
        if let Some(bound) = raw.min.as_ref().or(raw.max.as_ref()) {
            let [min, max] = [&raw.min, &raw.max].map(|b| b.as_ref().map(|b| b.get_ref().sql()));
            found.push((Check::Range { min, max }, bound.span()));
        }
        if let Some(pattern) = &raw.pattern {
            if let Err(error) = regex::Regex::new(pattern.get_ref()) {
                let why = error.to_string().lines().last().unwrap_or_default().to_owned();
                return Err(self.wrong(pattern.span(), format!("no regular expression: {why}")));
            }
            found.push((Check::Pattern(pattern.get_ref().clone()), pattern.span()));
        }
        found.extend(self.set(raw)?);
        if let Some(days) = &raw.fresh_days {
            found.push((Check::FreshDays(*days.get_ref()), days.span()));
        }
        if let Some(z) = &raw.outlier {
            if !(z.get_ref().is_finite() && *z.get_ref() > 0.0) {
                return Err(self.wrong(z.span(), "outlier is a number above 0").hint("try 8"));
            }
            found.push((Check::Outlier(*z.get_ref()), z.span()));
        }
        let hint = "a rule has one of ok, not_null, min and max, pattern, set, reference, unique, \
                    fresh_days, outlier";
        match found.len() {
            1 => Ok(found.remove(0)),
            0 => Err(self.wrong(span.clone(), "the rule demands nothing").hint(hint)),
            _ => Err(self.wrong(found.remove(1).1, "the rule demands two things").hint(hint)),
        }
    }

    fn set(&self, raw: &RawRule) -> Result<Option<(Check, Range<usize>)>, RuleError> {
        let found = match (&raw.set, &raw.reference) {
            (Some(set), None) => {
                let texts = set.get_ref().iter().map(Scalar::copied).map(Scalar::text);
                (texts.collect::<Vec<_>>(), set.span())
            }
            (None, Some(file)) => {
                (self.reference(file, raw.reference_column.as_ref())?, file.span())
            }
            (Some(set), Some(_)) => {
                return Err(self.wrong(set.span(), "set and reference exclude each other"));
            }
            (None, None) => return Ok(None),
        };
        let (values, span) = found;
        if values.is_empty() {
            return Err(self.wrong(span, "the list is empty: every row would break the rule"));
        }
        Ok(Some((Check::Set(values), span)))
    }

    /// The values of a column of a CSV file with a header.
    fn reference(
        &self,
        file: &Spanned<String>,
        column: Option<&Spanned<String>>,
    ) -> Result<Vec<String>, RuleError> {
        let path = self.folder.join(file.get_ref());
        let wrong = |error: csv::Error| {
            self.wrong(file.span(), format!("{}: {error}", path.display()))
                .hint("a reference is a CSV file with a header, beside the rules")
        };
        let mut reader =
            csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(&path).map_err(wrong)?;
        let headers = reader.headers().map_err(wrong)?.clone();
        let at = match column {
            None => 0,
            Some(column) => {
                headers.iter().position(|h| h == column.get_ref()).ok_or_else(|| {
                    let known: Vec<_> = headers.iter().collect();
                    self.wrong(column.span(), format!("{} has no such column", path.display()))
                        .hint(format!("it has {}", known.join(", ")))
                })?
            }
        };
        let mut values = Vec::new();
        for record in reader.records() {
            let record = record.map_err(wrong)?;
            values.extend(record.get(at).filter(|value| !value.is_empty()).map(str::to_owned));
        }
        values.sort();
        values.dedup();
        Ok(values)
    }
}

impl Scalar {
    fn copied(&self) -> Self {
        match self {
            Self::Whole(number) => Self::Whole(*number),
            Self::Text(text) => Self::Text(text.clone()),
        }
    }
}

fn is_plain(id: &str) -> bool {
    !id.is_empty() && id.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Vec<UserRule>, RuleError> {
        parse("rules.toml", text, Path::new(""))
    }

    #[test]
    fn every_form_of_a_rule_is_read() {
        let text = r#"
            [rules]
            "FILE-04" = "warning"
            [[rule]]
            id = "cheap"
            level = "critical"
            columns = ["price"]
            ok = "price > 0"
            [[rule]]
            columns = ["a", "b"]
            not_null = true
            [[rule]]
            column = "day"
            min = 2020-01-01
            max = "2030-01-01"
            [[rule]]
            column = "zip"
            pattern = "[0-9]{5}"
            [[rule]]
            column = "code"
            set = [1, "X"]
            [[rule]]
            columns = ["a", "b"]
            unique = true
            [[rule]]
            column = "day"
            fresh_days = 30
            [[rule]]
            column = "price"
            outlier = 8.0
        "#;
        let rules = parsed(text).expect("rules");
        let told: Vec<_> = rules.iter().map(|rule| (rule.id.as_str(), rule.level)).collect();
        let warning = |id| (id, Level::Warning);
        assert_eq!(told[0], ("cheap", Level::Critical));
        let ids = [
            "a_b_not_null",
            "day_range",
            "zip_pattern",
            "code_set",
            "a_b_unique",
            "day_fresh_days",
            "price_outlier",
        ];
        assert_eq!(told[1..], ids.map(warning));
        let ok =
            |at: usize| rules[at].row_check(|_| false).map(|check| check.ok).unwrap_or_default();
        assert_eq!(ok(1), "\"a\" IS NOT NULL AND \"b\" IS NOT NULL");
        assert_eq!(ok(2), "coalesce(\"day\" >= '2020-01-01' AND \"day\" <= '2030-01-01', TRUE)");
        assert_eq!(ok(4), "coalesce(list_contains(['1', 'X'], CAST(\"code\" AS VARCHAR)), TRUE)");
        assert!(rules[5].row_check(|_| false).is_none());
    }

    #[test]
    fn a_mistake_has_its_place() {
        for (text, part, at) in [
            ("[[rule]]\ncolumn = \"a\"\npatern = \"x\"", "patern", "patern"),
            ("[[rule]]\ncolumn = \"a\"\npattern = \"[\"", "no regular expression", "\"[\""),
            ("[[rule]]\nok = \"a > 0\"", "names no column", "[[rule]]"),
            ("[[rule]]\ncolumn = \"a\"", "demands nothing", "[[rule]]"),
            ("[[rule]]\ncolumn = \"a\"\nunique = true\noutlier = 5.0", "two things", "5.0"),
            ("[[rule]]\ncolumn = \"a\"\nset = []", "empty", "[]"),
            ("[[rule]]\ncolumn = \"a\"\nreference = \"none.csv\"", "none.csv", "\"none.csv\""),
        ] {
            let error = parsed(text).expect_err(text);
            assert!(error.message.contains(part), "{}", error.message);
            let place = error.place.expect("a place");
            assert!(place.text[place.span].starts_with(at), "{text}");
        }
    }

    #[test]
    fn names_are_quoted() {
        assert_eq!(super::super::name("left"), "\"left\"");
        assert_eq!(super::super::name("a \"b\""), "\"a \"\"b\"\"\"");
    }
}
