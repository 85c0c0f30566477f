//! What a file is: its kind, county, year and release, as the user says, the columns tell, or the name.

use super::bind::bind;
use super::error::{RunError, RunErrorKind};
use super::request::Request;
use crate::chunk::Origin;
use crate::pack::{Facts, Kind, NameFacts, Pack, Release};
use crate::source::Table;

/// The kind of a table, by its place in the pack, with the reason; `None`: a table of no kind.
pub(super) fn find_kind(
    table: &dyn Table,
    member: &NameFacts,
    request: &Request,
    pack: &Pack,
    origin: &Origin,
) -> Result<(Option<usize>, String), RunError> {
    let position = |id: &str| pack.kinds.iter().position(|kind| kind.id == id);
    if let Some(wanted) = &request.told.kind {
        if wanted == "generic" {
            return Ok((None, "--type generic".into()));
        }
        return match position(wanted) {
            Some(at) => Ok((Some(at), format!("--type {wanted}"))),
            None => {
                let known: Vec<_> = pack.kinds.iter().map(|kind| kind.id.as_str()).collect();
                let message = format!("unknown type `{wanted}`");
                Err(RunError::new(RunErrorKind::Usage, message)
                    .with_hint(format!("use {}, or generic", known.join(", "))))
            }
        };
    }
    if let Some(at) = member.kind.as_deref().and_then(position)
        && pack.kinds[at].headerless
    {
        return Ok((Some(at), format!("the file name {}", member.source)));
    }
    match pack.recognise(table.headers()) {
        Some(found) => {
            if let Some(named) = member.kind.as_ref().filter(|named| **named != found.kind) {
                return Err(RunError::new(
                    RunErrorKind::Usage,
                    format!(
                        "{}: the name says {named}, the columns say {} ({})",
                        origin.label(),
                        found.kind,
                        found.evidence
                    ),
                )
                .with_hint("rename the file, or decide with --type"));
            }
            Ok((position(&found.kind), found.evidence))
        }
        None => Ok(named_only(table.headers(), member, pack)),
    }
}

/// A file that is called a roll but lacks what a roll must have: where at least half of its header
/// are columns of the roll it is taken for one (and then refused, naming what is missing), else it
/// is a table of its own.
fn named_only(headers: &[String], member: &NameFacts, pack: &Pack) -> (Option<usize>, String) {
    let named = member.kind.as_deref();
    let at = named.and_then(|id| pack.kinds.iter().position(|kind| kind.id == id));
    let Some(at) = at else {
        // A renamed key must not turn a roll into a plain table unnoticed.
        let position = |id: &str| pack.kinds.iter().position(|kind| kind.id == id);
        return match pack.resembles(headers) {
            Some(found) => (position(&found.kind), found.evidence),
            None => (None, "its columns are those of no roll".into()),
        };
    };
    let kind = &pack.kinds[at];
    if kind.bind(headers, member.year).bound() * 2 >= headers.len().max(1) {
        return (Some(at), format!("the file name {}", member.source));
    }
    let id = kind.id.to_uppercase();
    (None, format!("the name says {id}, but the columns are those of no roll"))
}

/// What the user's flags say.
pub(super) fn flag_facts(request: &Request, pack: &Pack) -> Result<Facts, RunError> {
    let county = match &request.told.county {
        None => None,
        Some(text) => Some(county_number(text, pack).ok_or_else(|| {
            RunError::new(RunErrorKind::Usage, format!("unknown county `{text}`"))
                .with_hint("give a DOR number (11-77), a FIPS code (12011) or a name (Broward)")
        })?),
    };
    let release = match &request.told.release {
        None => None,
        Some(text) => Some(text.parse::<Release>().map_err(|_| {
            RunError::new(RunErrorKind::Usage, format!("unknown release `{text}`"))
                .with_hint("use P (preliminary), S (supplemental) or F (final)")
        })?),
    };
    Ok(Facts {
        kind: request.told.kind.clone(),
        county,
        year: request.told.year,
        release,
        submission: request.told.submission,
    })
}

/// A county by DOR number, FIPS code or any spelling of its name.
pub(super) fn county_number(text: &str, pack: &Pack) -> Option<u8> {
    let counties = &pack.counties;
    let by_number = text.parse().ok().and_then(|number| counties.by_number(number));
    by_number
        .or_else(|| counties.by_fips(text))
        .or_else(|| counties.by_spelling(text))
        .map(|county| county.number)
}

/// County and year as the first records have them.
pub(super) fn column_facts(table: &dyn Table, kind: Option<&Kind>, request: &Request) -> Facts {
    let Some(kind) = kind else { return Facts::default() };
    let binding = bind(kind, table.headers(), request.told.year);
    let first = |name: &Option<String>| -> Option<u16> {
        let name = name.as_ref()?;
        let at = kind.columns.iter().position(|column| column.name == *name)?;
        let field = binding.columns[at]?;
        table.sample().iter().find_map(|record| whole(record.get(field)?))
    };
    Facts {
        kind: Some(kind.id.clone()),
        county: first(&kind.county_column).and_then(|number| u8::try_from(number).ok()),
        year: first(&kind.year_column),
        ..Facts::default()
    }
}

/// A whole number, as text or as a workbook shows it.
fn whole(text: &str) -> Option<u16> {
    text.trim().trim_end_matches(".0").parse().ok()
}
