//! Rules that need another roll: asked in the target once all inputs of the run are loaded.
//!
//! They warn and never refuse: the other roll may be of another submission. A rule is asked only
//! where every table it needs is there; its own query says nothing where the other roll of the
//! scope is not loaded. Findings are stored with those of the input.

use super::agents::{parameters, severity};
use super::error::RunError;
use super::ingest::Session;
use super::prepare::Prepared;
use super::problems::{from_notes, sort};
use super::summary::InputSummary;
use crate::chunk::{Code, Example, Note, NoteKey, Notes, Place, Severity, Wording};
use crate::duck::{Value, quote};
use crate::flow::Event;
use crate::load::ledger::replace_findings;
use crate::load::target::transaction;
use crate::load::{Link, LoadError, LoadErrorKind};
use crate::pack::{Check, Pack, Rule};
use crate::stage::substitute;

/// Name under which findings about tables stand in the ledger.
const RANGE: &str = "tables";

/// Asks the rules of all inputs that were loaded now, and adds what they find to their summaries.
pub fn check(
    session: &Session<'_>,
    inputs: &[Prepared],
    summaries: &mut [Option<InputSummary>],
) -> Result<(), RunError> {
    let con = session.con();
    for (input, summary) in inputs.iter().zip(summaries) {
        let (Some(kind), Some(summary)) = (input.kind(session.pack), summary) else { continue };
        // The rules speak of the roll's own columns.
        if !summary.is_of(&session.run) || input.mapping.is_some() {
            continue;
        }
        let mut notes = Notes::default();
        for rule in session.pack.rules_for(&kind.id) {
            if !matches!(rule.check, Check::Cross { .. }) {
                continue;
            }
            if let Some(severity) = severity(rule, session.request)? {
                let severity = severity.min(Severity::Warning);
                con.begin_checking()?;
                let asked = ask(con, session.pack, input, rule, severity, &mut notes);
                con.rollback()?;
                match asked {
                    // A rule of a pack may be written for another dialect than this target's.
                    Err(error) if error.kind == LoadErrorKind::Target && !con.is_alone() => {
                        let told = format!("rule {} was not checked: {error}", rule.id);
                        session.observer.on(&Event::Warning(&told));
                    }
                    other => other?,
                }
            }
        }
        if notes.is_empty() {
            continue;
        }
        if let Some(number) = number_of(con, &session.run, input)? {
            transaction(con, |con| replace_findings(con, &session.run, number, RANGE, &notes))?;
        }
        summary.problems.extend(from_notes(&notes));
        sort(&mut summary.problems);
    }
    Ok(())
}

/// The input's number in the ledger.
pub(super) fn number_of(
    con: &dyn Link,
    run: &str,
    input: &Prepared,
) -> Result<Option<u32>, LoadError> {
    let rows = con.query(
        "SELECT max(input) FROM etl.inputs WHERE run = ? AND fingerprint = ? AND \"table\" = ? \
         AND sheet IS NOT DISTINCT FROM ?",
        &[
            Value::from(run),
            Value::from(input.origin.fingerprint.to_string()),
            Value::from(input.spec.name.as_str()),
            input.origin.sheet().map_or(Value::Null, Value::from),
        ],
    )?;
    Ok(rows.scalar().and_then(Value::as_int).and_then(|number| u32::try_from(number).ok()))
}

fn ask(
    con: &dyn Link,
    pack: &Pack,
    input: &Prepared,
    rule: &Rule,
    severity: Severity,
    notes: &mut Notes,
) -> Result<(), LoadError> {
    let Check::Cross { sql, needs } = &rule.check else { return Ok(()) };
    let Some(sql) = bound(con, pack, input, sql, needs)? else { return Ok(()) };
    let sql = substitute(&sql, &parameters(input));
    let count = con.query(&format!("SELECT count(*) FROM ({sql}) AS found"), &[])?;
    let count = count.scalar().and_then(Value::as_int).unwrap_or(0) as u64;
    if count == 0 {
        return Ok(());
    }
    let key = || NoteKey { code: Code::E304, rule: rule.id.clone(), column: String::new() };
    let mut examples = examples(con, input, &sql)?;
    // A row that is found once may stand for several of the table.
    examples.truncate(usize::try_from(count).unwrap_or(usize::MAX));
    let wording = Wording::new(rule.message.as_str(), &rule.hint);
    let shown = examples.len() as u64;
    for example in examples {
        notes.add(key(), severity, || wording.clone(), || example);
    }
    notes.add_count(key(), severity, wording, count - shown);
    Ok(())
}

/// The query with the names of the tables; `None` where one of them is not there.
fn bound(
    con: &dyn Link,
    pack: &Pack,
    input: &Prepared,
    sql: &str,
    needs: &[String],
) -> Result<Option<String>, LoadError> {
    let mut sql = sql.to_owned();
    for kind in needs.iter().filter_map(|id| pack.kind(id)) {
        let own = input.kind(pack).is_some_and(|own| own.id == kind.id);
        let table = if own { &input.spec.name } else { &kind.table };
        if con.columns(table)?.is_empty() {
            return Ok(None);
        }
        sql = sql.replace(&format!("{{{}}}", kind.table), &con.table(table));
    }
    Ok(Some(sql))
}

/// The first rows that fail, by their place in the files.
fn examples(con: &dyn Link, input: &Prepared, sql: &str) -> Result<Vec<Example>, LoadError> {
    let table = con.table(&input.spec.name);
    let key: Vec<_> = input.spec.key.iter().map(|name| quote(name)).collect();
    let found = con.query(&format!("SELECT * FROM ({sql}) AS found LIMIT 0"), &[])?;
    let named: Vec<&String> = found
        .columns
        .iter()
        .map(|column| &column.name)
        .filter(|name| input.spec.key.contains(name))
        .collect();
    if key.is_empty() || named.is_empty() {
        return Ok(Vec::new());
    }
    let joined: Vec<_> =
        named.iter().map(|name| format!("t.{0} = found.{0}", quote(name))).collect();
    let words: Vec<_> = named
        .iter()
        .map(|name| format!("'{name} ' || CAST(t.{} AS VARCHAR)", quote(name)))
        .collect();
    let rows = con.query(
        &format!(
            "SELECT t._etl_row, concat_ws(', ', {}) AS words FROM ({sql}) AS found \
             JOIN {table} AS t ON {} ORDER BY 1, 2 LIMIT {}",
            words.join(", "),
            joined.join(" AND "),
            Note::EXAMPLES
        ),
        &[],
    )?;
    let example = |row: &Vec<Value>| Example {
        place: Place { row: row[0].as_int().unwrap_or(0) as u64, byte: None },
        cell: None,
        value: Some(row[1].to_string()),
    };
    Ok(rows.rows.iter().map(example).collect())
}
