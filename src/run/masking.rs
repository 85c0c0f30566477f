//! `--mask column:way`: finds the columns in an input, and refuses what cannot be masked.

use super::error::RunError;
use super::prepare::Prepared;
use super::request::Request;
use crate::chunk::{ColumnKind, Notes};
use crate::pack::{Kind, Pack};
use crate::stage::StageSpec;
use crate::transform::mask::{Mask, MaskedColumn, Masking, Masks, Veil};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Binds the masks of the request to an input whose columns are known.
pub(super) fn bind(
    input: &mut Prepared,
    request: &Request,
    kind: Option<&Kind>,
) -> Result<(), RunError> {
    if request.values.masks.is_empty() {
        return Ok(());
    }
    let mut columns: Vec<MaskedColumn> = Vec::new();
    for (wanted, way) in &request.values.masks {
        if *way == Masking::Hash && request.values.mask_key.is_none() {
            return Err(RunError::usage(format!("--mask {wanted}:hash needs a key")).with_hint(
                "give --mask-key env:NAME or file:PATH: without a key every name of a \
                            telephone book could be tried",
            ));
        }
        let found = match leave_out_extra(input, wanted, *way)? {
            Some(extra) => Some(extra),
            None => column(input, wanted, *way, kind)?,
        };
        if found.is_none() {
            input.warnings.push(format!("there is no column {wanted} to mask"));
        }
        columns.extend(found);
    }
    with_copies(input, &mut columns);
    for (note_of, note) in &mut input.column_notes {
        if columns.iter().any(|column| column.name == *note_of) {
            // It quotes a value.
            note.clear();
        }
    }
    if let Some(kind) = kind {
        input.warnings.extend(computed_from(kind, &columns));
    }
    if input.mapping.is_none() {
        let dropped = |name: &str| {
            columns.iter().any(|column| column.way == Masking::Drop && column.name == name)
        };
        input.spec.columns.retain(|column| !dropped(&column.name));
    } else {
        // The mapping may speak of the column: it stays, without values.
        let dropped = columns.iter_mut().filter(|column| column.way == Masking::Drop);
        dropped.for_each(|column| column.way = Masking::Null);
    }
    input.masks = Masks { columns, key: request.values.mask_key.clone() };
    Ok(())
}

/// A column of the source that has none of its own in the table is kept as JSON; it can only be left
/// out.
fn leave_out_extra(
    input: &mut Prepared,
    wanted: &str,
    way: Masking,
) -> Result<Option<MaskedColumn>, RunError> {
    let is = |name: &String| name.trim().eq_ignore_ascii_case(wanted);
    let Some((at, header)) = input.schema.extra.iter().find(|(_, name)| is(name)).cloned() else {
        return Ok(None);
    };
    if way != Masking::Drop {
        let message =
            format!("{wanted} is kept in the JSON column _extra and cannot be masked there");
        return Err(
            RunError::usage(message).with_hint(format!("leave it out: --mask {wanted}:drop"))
        );
    }
    Arc::make_mut(&mut input.schema).extra.retain(|(field, _)| *field != at);
    // No column of the chunk has this name: only the veil concerns it.
    Ok(Some(MaskedColumn { name: String::new(), field: Some((at, header)), way }))
}

/// A column that cleaning makes of a masked one holds the same values, and bears the same mask.
fn with_copies(input: &mut Prepared, columns: &mut Vec<MaskedColumn>) {
    for recipe in &mut input.cleaning.recipes {
        let Some(source) = columns.iter().find(|column| column.name == recipe.column) else {
            continue;
        };
        let way = source.way;
        recipe.masked = true;
        if let Some(name) =
            recipe.into.clone().filter(|into| columns.iter().all(|c| c.name != *into))
        {
            columns.push(MaskedColumn { name, field: None, way });
        }
    }
}

/// The column of the table that is meant, by its name or by its header.
fn column(
    input: &Prepared,
    wanted: &str,
    way: Masking,
    kind: Option<&Kind>,
) -> Result<Option<MaskedColumn>, RunError> {
    let read = input.schema.columns.iter().find(|column| {
        [&column.name, &column.header].iter().any(|name| name.trim().eq_ignore_ascii_case(wanted))
    });
    let refused = |why: &str| Err(RunError::usage(format!("{wanted} cannot be masked: {why}")));
    let Some(read) = read else {
        let derived = kind.into_iter().flat_map(|kind| &kind.derived);
        let derived = derived.map(|derived| (&derived.name, &derived.ty));
        let added = input.spec.columns.iter().map(|column| (&column.name, &column.ty));
        let found = derived.chain(added).find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        let Some((name, ty)) = found else { return Ok(None) };
        if way.needs_text() && ty != "VARCHAR" {
            return refused(&format!("it is {ty}; use null or drop"));
        }
        return Ok(Some(MaskedColumn { name: name.clone(), field: None, way }));
    };
    let tells_rolls = |kind: &Kind| {
        [&kind.county_column, &kind.year_column]
            .iter()
            .any(|name| name.as_ref() == Some(&read.name))
    };
    if read.key || kind.is_some_and(tells_rolls) {
        return refused("rows are told apart by it");
    }
    if way.needs_text() && read.kind != ColumnKind::Text {
        return refused(&format!("it is {}; use null or drop", read.kind.plain()));
    }
    let field = Some((read.field, read.header.clone()));
    Ok(Some(MaskedColumn { name: read.name.clone(), field, way }))
}

/// What may tell of a masked column, for the user to judge.
fn computed_from(kind: &Kind, columns: &[MaskedColumn]) -> Option<String> {
    let is_masked = |name: &str| columns.iter().any(|column| column.name == name);
    let mut telling: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for column in columns {
        for derived in kind.derived.iter().filter(|derived| !is_masked(&derived.name)) {
            if speaks_of(&derived.sql, &column.name) {
                telling.entry(&derived.name).or_default().push(&column.name);
            }
        }
    }
    let told = telling.iter().map(|(name, of)| format!("{name} (from {})", of.join(", ")));
    let told = told.collect::<Vec<_>>().join(", ");
    (!told.is_empty()).then(|| {
        format!(
            "derived from masked columns and not masked themselves: {told}; --mask takes them too"
        )
    })
}

/// Whether an expression holds the name as a word of its own.
fn speaks_of(sql: &str, name: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    sql.match_indices(name)
        .any(|(at, found)| !sql[..at].ends_with(word) && !sql[at + found.len()..].starts_with(word))
}

/// A mask that no input and no kind of the pack knows is a slip, and would leave values in the open.
pub(super) fn refuse_unknown(
    request: &Request,
    pack: &Pack,
    inputs: &[Prepared],
) -> Result<(), RunError> {
    for (wanted, _) in &request.values.masks {
        let is = |name: &str| name.trim().eq_ignore_ascii_case(wanted);
        let in_file = |input: &Prepared| input.schema.headers.iter().any(|name| is(name));
        let in_table = |input: &Prepared| {
            let read = input.schema.columns.iter().any(|column| is(&column.name));
            read || input.masks.columns.iter().any(|column| is(&column.name))
        };
        let in_kind = |kind: &Kind| {
            let derived = kind.derived.iter().any(|derived| is(&derived.name));
            let cleaned = kind.cleaning.iter().filter_map(|clean| clean.into.as_ref());
            derived
                || cleaned.into_iter().any(|name| is(name))
                || kind.columns.iter().any(|column| is(&column.name) || is(&column.source))
        };
        let known = inputs.iter().any(|input| in_file(input) || in_table(input))
            || pack.kinds.iter().any(in_kind);
        if !known {
            return Err(RunError::usage(format!("--mask {wanted}: no input has such a column"))
                .with_hint("`etl plan` lists the columns of an input"));
        }
    }
    Ok(())
}

/// Puts the agents that mask around the others.
pub(super) fn around(specs: &mut Vec<Arc<dyn StageSpec>>, input: &Prepared) {
    if input.masks.columns.is_empty() {
        return;
    }
    let masks = input.masks.clone();
    // The columns of Parquet are never mixed up, and those that are not wanted are not read.
    let fields = (input.format != "parquet").then_some(input.schema.headers.len());
    specs.insert(0, Arc::new(Arc::new(Veil { masks: masks.clone(), fields })));
    specs.push(Arc::new(Arc::new(Mask { masks })));
}

/// Findings about the input as a whole, without values of masked columns.
pub(super) fn veiled(mut notes: Notes, input: &Prepared) -> Notes {
    input.masks.veil(&mut notes);
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_as_a_word_only() {
        assert!(speaks_of("upper(own_name)", "own_name"));
        assert!(speaks_of("own_name IS NULL", "own_name"));
        assert!(!speaks_of("fidu_own_name || own_name2", "own_name"));
    }
}
