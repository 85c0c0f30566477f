//! Which table a name means: in which schema, and under which name where the server keeps no long ones.
//!
//! A run has one schema. Where a user names one with the table, it is made the schema of the target
//! before anything else is done, so that everything behind it (ledger, locks, SQL) finds it there.

use super::error::RunError;
use super::mapping::Mapping;
use super::prepare::Prepared;
use super::request::Request;
use crate::duck::Value;
use crate::load::ledger::{InputState, has_ledger};
use crate::load::target::SCHEMA;
use crate::load::{TableName, TargetUrl};
use std::borrow::Cow;

/// Memory for a question to the ledger, in bytes.
const MEMORY: u64 = 64 << 20;

/// The request with the schema of its table as that of its target. The target is only looked at where a
/// name may be meant in two ways.
pub(super) fn settled(request: &Request) -> Result<Cow<'_, Request>, RunError> {
    let name = match (&request.table, &request.mapping) {
        (Some(name), _) => name.clone(),
        (None, Some(mapping)) => Mapping::open(mapping)?.table,
        (None, None) => return Ok(Cow::Borrowed(request)),
    };
    check_length(&request.target, name.table(), "table")?;
    let Some(schema) = name.schema() else { return Ok(Cow::Borrowed(request)) };
    if let Some(dotted) = name.dotted()
        && is_recorded(&request.target, dotted)?
    {
        let remark = format!(
            "table {name} is the one whose name holds a dot, as an earlier load has made it; in quotes \
             that is sure: --table '\"{dotted}\"'"
        );
        let table = TableName::plain(dotted).with_remark(remark);
        return Ok(Cow::Owned(Request { table: Some(table), ..request.clone() }));
    }
    Ok(Cow::Owned(Request {
        target: in_schema(&request.target, schema)?,
        table: Some(TableName::plain(name.table())),
        ..request.clone()
    }))
}

/// The request for a command that asks no target anything.
pub(super) fn without_target(request: &Request) -> Result<Request, RunError> {
    if let Some(name) = &request.table {
        check_length(&request.target, name.table(), "table")?;
        check_length(&request.target, name.schema().unwrap_or_default(), "schema")?;
    }
    let table = request.table.as_ref().map(|name| TableName::plain(name.table()));
    let target = TargetUrl::Duckdb(std::path::PathBuf::new().into());
    Ok(Request { table, target, ..request.clone() })
}

/// The target with the schema that a user names with a table, where the two go together.
fn in_schema(target: &TargetUrl, schema: &str) -> Result<TargetUrl, RunError> {
    if let Some(other) = target.schema() {
        let told = format!("the table is named with schema {schema}, and the target with {other}");
        return Err(RunError::usage(told).with_hint(
            "leave ?schema=… out of the target; a table with a dot in its name stands in quotes: \
             --table '\"a.b\"'",
        ));
    }
    if schema.eq_ignore_ascii_case(SCHEMA) {
        return Err(RunError::usage(format!("the schema {SCHEMA} is the ledger's"))
            .with_hint("name another schema"));
    }
    check_length(target, schema, "schema")?;
    Ok(target.in_schema(Some(schema)))
}

/// Refuses a name that a user gives and that the target would cut: two long names would become one.
pub fn check_length(target: &TargetUrl, name: &str, of: &str) -> Result<(), RunError> {
    match target.longest_name() {
        Some(longest) if name.len() > longest => {
            let told = format!(
                "the name of the {of} has {} bytes, and the server keeps {longest}: {name}",
                name.len()
            );
            Err(RunError::usage(told)
                .with_hint("give a shorter name, or the one that the server has made of it"))
        }
        _ => Ok(()),
    }
}

/// Whether a table of just that name was loaded and is there.
fn is_recorded(target: &TargetUrl, name: &str) -> Result<bool, RunError> {
    let Some(target) = target.look(MEMORY)? else { return Ok(false) };
    let con = target.link()?;
    if !has_ledger(&*con)? {
        return Ok(false);
    }
    let sql = "SELECT count(*) FROM etl.inputs WHERE \"table\" = ? AND status IN (?, ?)";
    let values = [name, InputState::Done.name(), InputState::Running.name()].map(Value::from);
    Ok(con.number(sql, &values)? > 0 && !con.columns(name)?.is_empty())
}

/// A target and the tables that hold rolls there, each by its kind. All of them lie in one schema, which
/// is then that of the target.
pub fn in_their_schema(
    target: &TargetUrl,
    rolls: &[(String, TableName)],
) -> Result<(TargetUrl, Vec<(String, String)>), RunError> {
    let (mut home, mut tables) = (None::<Option<String>>, Vec::new());
    for (kind, name) in rolls {
        check_length(target, name.table(), "table")?;
        let literal = match name.dotted() {
            Some(dotted) if is_recorded(target, dotted)? => Some(dotted),
            _ => None,
        };
        let schema = name.schema().filter(|_| literal.is_none()).map(str::to_owned);
        if home.get_or_insert_with(|| schema.clone()) != &schema {
            return Err(RunError::usage("the tables of --rolls lie in several schemas")
                .with_hint("bring them into one schema, by views for instance"));
        }
        tables.push((kind.clone(), literal.unwrap_or(name.table()).to_owned()));
    }
    match home.flatten() {
        Some(schema) => Ok((in_schema(target, &schema)?, tables)),
        None => Ok((target.clone(), tables)),
    }
}

/// Says how the table's name was understood, and shortens names that files have given to tables: to at
/// most 63 bytes on every target, with a hash of the whole name at the end, so that two files of long
/// names alike do not share a table. A file that an earlier program has loaded under the cut name keeps
/// its table.
pub(super) fn settle_tables(request: &Request, inputs: &mut [Prepared]) -> Result<(), RunError> {
    if let Some(name) = &request.table {
        for input in inputs {
            input.warnings.extend(name.remark().map(str::to_owned));
        }
        return Ok(());
    }
    let mut earlier = None;
    for input in inputs.iter_mut().filter(|input| input.kind.is_none()) {
        let name = &mut input.spec.name;
        if name.len() <= LONGEST {
            continue;
        }
        let earlier = match &mut earlier {
            Some(earlier) => earlier,
            None => earlier.insert(loaded(&request.target)?),
        };
        *name = earlier_cut(name, earlier).unwrap_or_else(|| shortened(name));
    }
    Ok(())
}

/// The table that an earlier program has made for a file of this name: it kept 63 characters, not
/// counting the `t_` before a digit.
fn earlier_cut(whole: &str, earlier: &[(String, String)]) -> Option<String> {
    let file = |path: &str| path.rsplit(['/', '\\']).next().unwrap_or_default().to_owned();
    [LONGEST, LONGEST + 2].into_iter().find_map(|length| {
        let cut: String = whole.chars().take(length).collect();
        let is = |(path, table): &(String, String)| {
            *table == cut && super::names::table_name(&file(path)) == whole
        };
        earlier.iter().any(is).then_some(cut)
    })
}

/// Paths and tables of all inputs of the ledger.
fn loaded(target: &TargetUrl) -> Result<Vec<(String, String)>, RunError> {
    let Some(target) = target.look(MEMORY)? else { return Ok(Vec::new()) };
    let con = target.link()?;
    if !has_ledger(&*con)? {
        return Ok(Vec::new());
    }
    let rows = con.query(
        "SELECT DISTINCT path, \"table\" FROM etl.inputs WHERE status IN (?, ?)",
        &[InputState::Done, InputState::Running].map(|state| Value::from(state.name())),
    )?;
    Ok(rows.rows.iter().map(|row| (row[0].to_string(), row[1].to_string())).collect())
}

/// Most bytes of a name that a file gives to a table: what PostgreSQL keeps.
const LONGEST: usize = 63;

/// The beginning of a name and a hash of the whole of it, together as long as a name may be.
fn shortened(whole: &str) -> String {
    let hash = &blake3::hash(whole.as_bytes()).to_hex()[..8];
    let end = whole.floor_char_boundary(LONGEST - hash.len() - 1);
    format!("{}_{hash}", whole[..end].trim_end_matches('_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_of_files_end_in_a_hash() {
        let name = |file: &str| shortened(&super::super::names::table_name(file));
        let long = "broward_county_tangible_property_preliminary_exemption_audit_2024_amended";
        let (three, four) = (name(&format!("{long}_v3.csv")), name(&format!("{long}_v4.csv")));
        assert_ne!(three, four);
        assert!(three.len() == 63 && three.starts_with(&long[..54]), "{three}");
        // It counts in bytes, and no character is cut in two.
        let wide = name(&format!("{}.csv", "ö".repeat(40)));
        assert!(wide.len() == 63 && wide.starts_with("öö"), "{wide}");
    }

    #[test]
    fn a_file_that_was_loaded_under_a_cut_name_keeps_its_table() {
        let stem = "n".repeat(70);
        let known = |table: &str| vec![(format!("in/{stem}_v3.csv"), table.to_owned())];
        let cut = "n".repeat(63);
        assert_eq!(earlier_cut(&format!("{stem}_v3"), &known(&cut)), Some(cut.clone()));
        assert_eq!(earlier_cut(&format!("{stem}_v4"), &known(&cut)), None);
        assert_eq!(earlier_cut(&format!("{stem}_v3"), &known("other")), None);
        let digits = "2".repeat(70);
        let known = vec![(format!("{digits}.csv"), format!("t_{}", "2".repeat(63)))];
        assert_eq!(earlier_cut(&format!("t_{digits}"), &known).map(|cut| cut.len()), Some(65));
    }
}
