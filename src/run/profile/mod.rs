//! `etl profile`: one pass over all rows of each table, and a second one only where no single column
//! names the rows.
//!
//! Blocks are cut by rows and bytes alone and folded in parallel; what they give is merged in the order
//! of the file, so a profile is the same for any number of threads.

mod keys;
mod scan;

use self::keys::{Pairs, Singles};
use self::scan::Scan;
use super::error::{Reach, RunError};
use super::ingest::load_pack;
use super::inputs::{Bad, FailedInput, Inputs, all_bad, gather};
use super::names::column_names;
use super::request::Request;
use crate::chunk::{MisfitKind, Origin};
use crate::flow::{Event, Meters, Observer, Stop};
use crate::pack::Pack;
use crate::profile::{Column, FORM, Folded, Folder, Named, Oddity, Profile, Stands, propose};
use crate::source::infer::{fit, inexact};
use crate::source::{Decoded, Skipped, Table};
use std::sync::Arc;

/// Pairs of columns that are told.
const PAIRS: usize = 3;

/// Profiles, and what else there is to tell of the files.
#[derive(Debug)]
pub struct Profiled {
    /// One a table.
    pub profiles: Vec<Profile>,
    /// Files that are not read, and why.
    pub skipped: Vec<Skipped>,
    /// Inputs that could not be read, in the order of the arguments (`--keep-going`).
    pub failed_inputs: Vec<FailedInput>,
}

/// Profiles all tables of the request's inputs.
pub fn profile(
    request: &Request,
    observer: &dyn Observer,
    stop: &Stop,
) -> Result<Profiled, RunError> {
    let pack = load_pack(&request.pack)?;
    let Inputs { ready: tables, mut aside } =
        gather(request, &pack, observer, |place, file, table| {
            Ok((place, file.content.label().to_owned(), table))
        })?;
    let skipped = aside.skipped.iter().map(|skipped| format!("not read: {skipped}"));
    for told in skipped.chain(aside.warnings) {
        observer.on(&Event::Warning(&told));
    }
    let count = tables.len();
    let mut profiles = Vec::with_capacity(count);
    for (at, (place, path, table)) in tables.into_iter().enumerate() {
        let fingerprint = table.fingerprint();
        let origin = Origin { path, part: table.part(), fingerprint };
        let meters = Meters::new(vec!["read"]);
        observer.on(&Event::InputStarted {
            input: at,
            of: count,
            origin: &origin,
            table: "nowhere: profile",
            bytes: table.extent().bytes,
            resumed_from: None,
            meters: Arc::clone(&meters),
        });
        let one = One { table: &*table, request, pack: &pack, stop, meters };
        match one.profile(&origin) {
            Ok((found, rows)) => {
                observer.on(&Event::InputFinished { input: at, tally: &rows });
                profiles.push(found);
            }
            Err(error) if request.keep_going && error.reach == Reach::Input => {
                aside.bad.push(Bad { place, input: origin.label(), error });
            }
            Err(error) => return Err(error),
        }
    }
    if profiles.is_empty()
        && let Some(error) = all_bad(std::mem::take(&mut aside.bad))
    {
        return Err(error);
    }
    aside.bad.sort_by_key(|bad| bad.place);
    let failed_inputs = aside.bad.iter().map(Bad::told).collect();
    Ok(Profiled { profiles, skipped: aside.skipped, failed_inputs })
}

/// The rules that the rows of a profile keep, as the text of a rule file.
pub fn proposed_rules(request: &Request, profile: &Profile) -> Result<String, RunError> {
    let pack = load_pack(&request.pack)?;
    let kind = pack.kind(&profile.kind);
    let stands = |name: &str| match kind.and_then(|kind| kind.column(name)) {
        Some((_, column)) if column.width.is_some() => Stands::Rewritten,
        Some((_, column)) if column.ty.is_text() => Stands::Text,
        _ => Stands::AsFound,
    };
    Ok(propose(profile, stands))
}

/// One table.
struct One<'a> {
    table: &'a dyn Table,
    request: &'a Request,
    pack: &'a Pack,
    stop: &'a Stop,
    meters: Arc<Meters>,
}

/// What a block gives.
struct BlockFound {
    columns: Vec<Folded>,
    rows: u64,
    refused: u64,
}

impl One<'_> {
    fn scan(&self) -> Scan<'_> {
        Scan {
            table: self.table,
            limits: &self.request.limits,
            stop: self.stop,
            meters: &self.meters,
        }
    }

    fn profile(&self, origin: &Origin) -> Result<(Profile, crate::chunk::Tally), RunError> {
        let width = self.table.headers().len();
        let mut columns = vec![Column::default(); width];
        let mut singles = Singles::new(width, self.request.limits.temp_dir.clone());
        let (mut rows, mut refused) = (0, 0);
        self.scan().each(
            0..width,
            |folder: &mut Folder, decoded| Ok(fold(folder, &decoded)),
            |block| {
                rows += block.rows;
                refused += block.refused;
                singles.see(&block.columns)?;
                columns.iter_mut().zip(block.columns).for_each(|(mine, block)| mine.add(block));
                Ok(())
            },
        )?;
        let (kind, names) = self.names();
        let unique: Vec<Option<bool>> = (0..width).map(|at| singles.answer(at, rows)).collect();
        let mut keys: Vec<Vec<String>> = (0..width)
            .filter(|at| unique[*at] == Some(true))
            .map(|at| vec![names[at].clone()])
            .collect();
        if keys.is_empty() && rows > 1 {
            let pairs = Pairs::likely(&columns, rows);
            let found = self.check(pairs)?.into_iter();
            keys.extend(found.map(|(left, right)| vec![names[left].clone(), names[right].clone()]));
            let own = self.pack.kind(&kind).map_or(&[][..], |kind| kind.key.as_slice());
            // What the pack takes for the key comes first.
            keys.sort_by_key(|key| !key.iter().all(|name| own.contains(name)));
            keys.truncate(PAIRS);
        }
        let declared = self.table.declared();
        let named = |at: usize| Named {
            name: names[at].clone(),
            header: self.table.headers()[at].clone(),
            declared: declared.as_ref().map(|declared| declared[at]),
            unique: unique[at],
        };
        let found = Profile {
            form: FORM,
            input: origin.label(),
            fingerprint: origin.fingerprint.to_string(),
            kind,
            rows,
            refused,
            columns: columns.iter().enumerate().map(|(at, c)| c.finish(named(at))).collect(),
            keys,
            notes: self.table.notes(),
        };
        let read = rows + refused;
        Ok((found, crate::chunk::Tally { read, rejected: refused, ..Default::default() }))
    }

    /// The pairs of columns that name every row.
    fn check(&self, mut pairs: Pairs) -> Result<Vec<(usize, usize)>, RunError> {
        if pairs.is_empty() {
            return Ok(Vec::new());
        }
        let fields = pairs.fields();
        let asked = pairs.places(&fields);
        let temp_dir = self.request.limits.temp_dir.clone();
        pairs.open(temp_dir);
        self.scan().each(
            fields.iter().copied(),
            |_: &mut (), decoded| Ok(keys::hashes(&decoded, &asked)),
            |hashes| pairs.see(&hashes),
        )?;
        Ok(pairs.unique())
    }

    /// What the table looks like, and the names of its columns: a roll has the names of its pack.
    fn names(&self) -> (String, Vec<String>) {
        let headers = self.table.headers();
        let mut names = column_names(headers);
        let told = self.request.told.kind.clone();
        let kind = told.or_else(|| self.pack.recognise(headers).map(|found| found.kind));
        if let Some(kind) = kind.as_deref().and_then(|id| self.pack.kind(id)) {
            let binding = super::bind::bind(kind, headers, self.request.told.year);
            for (column, field) in kind.columns.iter().zip(&binding.columns) {
                if let Some(field) = *field {
                    names[field] = column.name.clone();
                }
            }
        }
        (kind.unwrap_or_else(|| "generic".into()), names)
    }
}

fn fold(folder: &mut Folder, decoded: &Decoded) -> BlockFound {
    let rows = decoded.frame.height();
    let place = |row: usize| decoded.raw.place(decoded.index[row]);
    let fold = |column: &polars::prelude::Column| match column.str() {
        Ok(_) if column.null_count() == rows => Folded::blank(rows),
        Ok(texts) => folder.fold(texts.iter(), rows, place),
        Err(_) => Folded::blank(rows),
    };
    let mut columns: Vec<Folded> = decoded.frame.columns().iter().map(fold).collect();
    for misfit in &decoded.misfits {
        let at = usize::from(misfit.column);
        let text = decoded.raw.field(misfit.record, at).unwrap_or_default();
        let (text, place) = (text.trim(), decoded.raw.place(misfit.record));
        let (kind, fit) = match misfit.kind {
            MisfitKind::IdInexact => (Oddity::Scientific, Some(inexact(text))),
            MisfitKind::IdScientific => (Oddity::Scientific, Some(fit(text))),
            MisfitKind::Unstorable => (Oddity::Control, Some(fit(text))),
            // The error of a formula has no type.
            MisfitKind::CellError => (Oddity::FormulaError, None),
            _ => continue,
        };
        columns[at].add_refused(kind, text, fit, place);
    }
    BlockFound { columns, rows: rows as u64, refused: decoded.rejects.len() as u64 }
}

#[cfg(test)]
mod tests;
