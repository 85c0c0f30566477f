//! Rules on rows, as one SQL projection a chunk.

use super::NAME;
use super::guard::{Asked, Sessions, boolean};
use super::words::{with_values, without_values};
use crate::chunk::{Chunk, Code, NoteKey, Problem, ReadColumn, ReadSchema, Severity, Wording};
use crate::stage::{Projection, Session, StageError};
use polars::prelude::{IdxCa, NewChunkedArray};

/// A rule that one row decides.
#[derive(Debug, Clone, PartialEq)]
pub struct RowRule {
    /// Id in the pack.
    pub id: String,
    /// How bad a break is.
    pub severity: Severity,
    /// Columns it speaks of; the first one is the one to mend, unless `each` finds another.
    pub columns: Vec<String>,
    /// SQL that is false where the rule is broken.
    pub ok: String,
    /// The same for one of the columns, written `{column}`: finds the one to mend.
    pub each: Option<String>,
    /// Sentence with `{column}` placeholders for values.
    pub message: String,
    /// What to do.
    pub hint: String,
}

/// All rules on rows of an input.
#[derive(Debug, Clone)]
pub struct RuleChecks {
    /// The rules.
    pub rows: Vec<RowRule>,
    asked: Asked,
    missing: Vec<(String, String)>,
}

/// What the rules have found in a chunk.
#[derive(Default)]
pub(super) struct Found<'a> {
    pub(super) broken: Vec<Broken<'a>>,
    pub(super) undecided: Vec<Undecided<'a>>,
}

/// Rows on which the expression of a rule fails.
pub(super) struct Undecided<'a> {
    rule: &'a RowRule,
    rows: Vec<usize>,
    why: String,
}

/// Rows that break a rule, each with the column to mend.
pub(super) struct Broken<'a> {
    rule: &'a RowRule,
    rows: Vec<(usize, Option<&'a ReadColumn>)>,
}

impl RuleChecks {
    /// Prepares the projection.
    pub fn new(rows: Vec<RowRule>, missing: &[(String, String)]) -> Self {
        let asked = Asked::new(&rows, missing);
        Self { rows, asked, missing: missing.to_vec() }
    }

    /// The rules that some row breaks, and those that some row does not let decide.
    pub(super) fn found<'a>(
        &'a self,
        chunk: &Chunk,
        schema: &'a ReadSchema,
        sessions: &mut Sessions,
    ) -> Result<Found<'a>, StageError> {
        let mut found = Found::default();
        if chunk.kept() == 0 {
            return Ok(found);
        }
        let verdicts = self.asked.verdicts(&chunk.frame, sessions)?;
        for (at, (rule, verdict)) in self.rows.iter().zip(&verdicts).enumerate() {
            let verdict = verdict
                .bool()
                .map_err(|error| StageError::new(NAME, format!("rule {}: {error}", rule.id)))?;
            let guarded = self.asked.is_guarded(at, sessions);
            // Most rules are broken nowhere: one pass over the bits tells.
            if verdict.all() && !(guarded && verdict.null_count() > 0) {
                continue;
            }
            let of = |wanted: Option<bool>| {
                let rows = verdict.iter().enumerate().filter(move |(_, ok)| *ok == wanted);
                rows.map(|(row, _)| row).collect::<Vec<usize>>()
            };
            let rows = of(Some(false));
            if !rows.is_empty() {
                let columns = self.blame(rule, &rows, chunk, schema, &mut sessions.some)?;
                let rows = rows.into_iter().zip(columns).collect();
                found.broken.push(Broken { rule, rows });
            }
            let rows = if guarded { of(None) } else { Vec::new() };
            if let Some(first) = rows.first() {
                let why = self.asked.why(at, &chunk.frame, *first, sessions);
                found.undecided.push(Undecided { rule, rows, why });
            }
        }
        Ok(found)
    }

    /// The column to mend in each of the rows.
    fn blame<'a>(
        &self,
        rule: &RowRule,
        rows: &[usize],
        chunk: &Chunk,
        schema: &'a ReadSchema,
        session: &mut Session,
    ) -> Result<Vec<Option<&'a ReadColumn>>, StageError> {
        let in_file = |name: &String| schema.position(name).map(|at| &schema.columns[at]);
        let columns: Vec<_> = rule.columns.iter().filter_map(in_file).collect();
        let first = columns.first().copied();
        let Some(each) = &rule.each else { return Ok(vec![first; rows.len()]) };
        let places: Vec<u32> = rows.iter().map(|row| *row as u32).collect();
        let frame = chunk
            .frame
            .take(&IdxCa::from_slice("".into(), &places))
            .map_err(|error| StageError::new(NAME, error.to_string()))?;
        let ask = |column: &&ReadColumn| {
            boolean(&format!("_each_{}", column.name), each.replace("{column}", &column.name))
        };
        let asked: Vec<_> = columns.iter().map(ask).collect();
        let answers =
            Projection::new(NAME, &asked, &[], &self.missing).independent().run(session, &frame)?;
        let mut blamed = vec![first; rows.len()];
        // From the last to the first, so that the first of several stays.
        for (column, answer) in columns.iter().zip(&answers).rev() {
            let answer = answer
                .bool()
                .map_err(|error| StageError::new(NAME, format!("rule {}: {error}", rule.id)))?;
            for (at, ok) in answer.iter().enumerate() {
                if ok == Some(false) {
                    blamed[at] = Some(*column);
                }
            }
        }
        Ok(blamed)
    }
}

impl Broken<'_> {
    /// Problems of a critical rule. A rule that speaks of a cell that could not be read says nothing
    /// new about that row.
    pub(super) fn problems(
        &self,
        chunk: &Chunk,
        schema: &ReadSchema,
        unreadable: impl Fn(usize, &str) -> bool,
        found: &mut Vec<(usize, Problem)>,
    ) {
        let rule = self.rule;
        if rule.severity != Severity::Critical {
            return;
        }
        for (row, column) in &self.rows {
            let is_unreadable = |name: &String| {
                let column = schema.position(name).map(|at| &schema.columns[at]);
                column.is_some_and(|column| unreadable(*row, &column.header))
            };
            let explained = match column {
                Some(column) if rule.each.is_some() => unreadable(*row, &column.header),
                _ => rule.columns.iter().any(is_unreadable),
            };
            if !explained {
                found.push((*row, self.problem(chunk, *row, *column, schema)));
            }
        }
    }

    fn problem(
        &self,
        chunk: &Chunk,
        row: usize,
        column: Option<&ReadColumn>,
        schema: &ReadSchema,
    ) -> Problem {
        let rule = self.rule;
        let problem = Problem::new(Code::E304, with_values(&rule.message, chunk, row, schema))
            .with_rule(&rule.id)
            .with_expected(&rule.ok)
            .with_hint(&rule.hint);
        let Some(column) = column else { return problem };
        let value = chunk.raw.field(chunk.index[row], column.field).unwrap_or_default();
        problem.with_column(&column.header).with_value(&value)
    }

    /// Notes of any other rule, about rows that are not refused.
    pub(super) fn note(&self, chunk: &mut Chunk, refused: &[bool]) {
        let rule = self.rule;
        if rule.severity == Severity::Critical {
            return;
        }
        for (row, column) in self.rows.iter().filter(|(row, _)| !refused[*row]) {
            let header = column.map(|column| column.header.clone()).unwrap_or_default();
            let key = NoteKey { code: Code::E304, rule: rule.id.clone(), column: header };
            let field = column.map(|column| column.field);
            let message = || Wording::new(without_values(&rule.message), &rule.hint);
            chunk.note(*row, key, rule.severity, message, |raw, record| {
                field.and_then(|field| raw.field(record, field))
            });
        }
    }
}

impl Undecided<'_> {
    /// Whatever the rule's level is: the rows are loaded, and nobody knows whether they break it.
    pub(super) fn note(&self, chunk: &mut Chunk, schema: &ReadSchema, refused: &[bool]) {
        let Self { rule, rows, why } = self;
        let in_file = |name: &String| schema.position(name).map(|at| &schema.columns[at]);
        let columns: Vec<_> = rule.columns.iter().filter_map(in_file).collect();
        let header = columns.first().map(|column| column.header.clone()).unwrap_or_default();
        let fields: Vec<_> = columns.iter().map(|column| column.field).collect();
        let told = format!("the rule {} cannot be decided: {why}", rule.id);
        let told = Wording::new(
            told,
            "correct the value; or write TRY_CAST, which gives NULL where CAST fails",
        );
        for row in rows.iter().filter(|row| !refused[**row]) {
            let rule = format!("{}_undecided", rule.id);
            let key = NoteKey { code: Code::E304, rule, column: header.clone() };
            chunk.note(
                *row,
                key,
                Severity::Warning,
                || told.clone(),
                |raw, record| {
                    let texts = raw.texts(record, &fields).into_iter().flatten();
                    Some(texts.collect::<Vec<_>>().join(", "))
                },
            );
        }
    }
}
