//! Rules on rows, as one SQL projection a chunk, and facts that must hold for the whole file.

use super::NAME;
use crate::chunk::{Chunk, Code, NoteKey, Problem, ReadSchema, Severity};
use crate::stage::{Expression, Projection, Session, StageError};

/// A rule that one row decides.
#[derive(Debug, Clone, PartialEq)]
pub struct RowRule {
    /// Id in the pack.
    pub id: String,
    /// How bad a break is.
    pub severity: Severity,
    /// Columns it speaks of; the first one is the one to mend.
    pub columns: Vec<String>,
    /// SQL that is false where the rule is broken.
    pub ok: String,
    /// Sentence with `{column}` placeholders for values.
    pub message: String,
    /// What to do.
    pub hint: String,
}

/// A column that must hold one value throughout the file.
#[derive(Debug, Clone, PartialEq)]
pub struct FileConstant {
    /// Rule id.
    pub id: String,
    /// How bad.
    pub severity: Severity,
    /// Column.
    pub column: String,
    /// The value, as text, known from the first records and the settled facts.
    pub expected: String,
    /// What to do.
    pub hint: String,
}

/// All rules of an input.
#[derive(Debug, Clone)]
pub struct RuleChecks {
    /// On rows.
    pub rows: Vec<RowRule>,
    /// On the file.
    pub constants: Vec<FileConstant>,
    projection: Projection,
}

impl RuleChecks {
    /// Prepares the projection.
    pub fn new(
        rows: Vec<RowRule>,
        constants: Vec<FileConstant>,
        missing: &[(String, String)],
    ) -> Self {
        let expression = |rule: &RowRule| Expression {
            name: rule.id.clone(),
            ty: Some("BOOLEAN".into()),
            sql: rule.ok.clone(),
        };
        let expressions: Vec<_> = rows.iter().map(expression).collect();
        let projection = Projection::new(NAME, &expressions, &[], missing);
        Self { rows, constants, projection }
    }

    /// Problems of critical rules; the others become notes.
    pub(super) fn check_rows(
        &self,
        chunk: &mut Chunk,
        schema: &ReadSchema,
        session: &mut Session,
    ) -> Result<Vec<(usize, Problem)>, StageError> {
        let mut problems = Vec::new();
        if chunk.kept() == 0 {
            return Ok(problems);
        }
        let verdicts = self.projection.run(session, &chunk.frame)?;
        for (rule, verdict) in self.rows.iter().zip(&verdicts) {
            let verdict = verdict
                .bool()
                .map_err(|error| StageError::new(NAME, format!("rule {}: {error}", rule.id)))?;
            // Most rules are broken nowhere: one pass over the bits tells.
            if verdict.all() {
                continue;
            }
            for (row, ok) in verdict.iter().enumerate() {
                if ok == Some(false) {
                    self.broken(rule, row, chunk, schema, &mut problems);
                }
            }
        }
        Ok(problems)
    }

    fn broken(
        &self,
        rule: &RowRule,
        row: usize,
        chunk: &mut Chunk,
        schema: &ReadSchema,
        problems: &mut Vec<(usize, Problem)>,
    ) {
        let column = rule.columns.first().and_then(|name| schema.position(name));
        let column = column.map(|position| &schema.columns[position]);
        let header = column.map(|column| column.header.clone()).unwrap_or_default();
        if rule.severity == Severity::Critical {
            let value = column
                .and_then(|column| chunk.raw.field(chunk.index[row], column.field))
                .unwrap_or_default();
            let message = fill(&rule.message, chunk, row, schema);
            let problem = Problem::new(Code::E304, message)
                .with_rule(&rule.id)
                .with_column(header)
                .with_value(&value)
                .with_expected(&rule.ok)
                .with_hint(&rule.hint);
            problems.push((row, problem));
            return;
        }
        let key = NoteKey { code: Code::E304, rule: rule.id.clone(), column: header };
        let field = column.map(|column| column.field);
        let message = || without_values(&rule.message);
        chunk.note(row, key, rule.severity, message, |raw, record| {
            field.and_then(|field| raw.field(record, field))
        });
    }

    /// A critical file fact that does not hold ends the input, with the row that shows it.
    pub(super) fn check_file(&self, chunk: &Chunk, schema: &ReadSchema) -> Result<(), StageError> {
        for constant in &self.constants {
            let Some(row) = first_other(chunk, constant) else { continue };
            let place = chunk.raw.place(chunk.index[row]);
            let field = schema.position(&constant.column).map(|at| schema.columns[at].field);
            let value = field.and_then(|field| chunk.raw.field(chunk.index[row], field));
            let message = format!(
                "{}, row {}, column {}: \"{}\", but the file is of {} (rule {})",
                chunk.origin.label(),
                place.row,
                constant.column,
                value.unwrap_or_default(),
                constant.expected,
                constant.id
            );
            let mut error = StageError::new(NAME, message).with_hint(&constant.hint);
            error.rule = Some(constant.id.clone());
            return Err(error);
        }
        Ok(())
    }
}

fn first_other(chunk: &Chunk, constant: &FileConstant) -> Option<usize> {
    let column = chunk.frame.column(&constant.column).ok()?;
    if let Ok(values) = column.i32() {
        let expected = constant.expected.parse::<i32>().ok()?;
        return values.iter().position(|value| value.is_some_and(|value| value != expected));
    }
    let values = column.str().ok()?;
    values.iter().position(|value| value.is_some_and(|value| value != constant.expected))
}

/// Puts the row's raw values into the message: `{jv}` → `250000`.
fn fill(template: &str, chunk: &Chunk, row: usize, schema: &ReadSchema) -> String {
    replace_names(template, |name| {
        let column = &schema.columns[schema.position(name)?];
        let value = chunk.raw.field(chunk.index[row], column.field).unwrap_or_default();
        let value = value.trim();
        Some(if value.is_empty() { "blank".into() } else { crate::chunk::quotable(value) })
    })
}

/// The message without values, for counts: `{jv}` → `JV`.
fn without_values(template: &str) -> String {
    replace_names(template, |name| Some(name.to_uppercase()))
}

fn replace_names(template: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(open) = rest.find('{') {
        out.push_str(&rest[..open]);
        let Some(close) = rest[open..].find('}') else { break };
        let name = &rest[open + 1..open + close];
        out.push_str(&value(name).unwrap_or_else(|| name.to_uppercase()));
        rest = &rest[open + close + 1..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_columns_or_values() {
        let template = "AV_SD {av_sd} exceeds JV {jv}";
        assert_eq!(without_values(template), "AV_SD AV_SD exceeds JV JV");
        let values = |name: &str| (name == "jv").then(|| "250".to_owned());
        assert_eq!(replace_names(template, values), "AV_SD AV_SD exceeds JV 250");
    }
}
