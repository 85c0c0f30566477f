//! From named files to prepared inputs: what each is, which columns bind, where it goes.
//!
//! Kind, county, year and release come from the user's flags, the columns and the file names, in
//! this order of trust; where columns and the inner file name contradict each other, the run stops
//! before a row is loaded and shows both.

use super::bind::bind_roll;
use super::cleaning::{self, Cleaned};
use super::dates;
use super::error::{RunError, RunErrorKind};
use super::file_rules;
use super::fit::Fitted;
use super::geography;
use super::identify::{column_facts, find_kind, flag_facts};
use super::inputs::{self, Entrant, Inputs, SurveyError};
use super::mapping::Mapping;
use super::masking;
use super::memory;
use super::named;
use super::names::{self, column_names, table_name};
use super::request::{Mode, Request};
use super::types;
use super::widen::Widening;
use crate::chunk::{ColumnKind, Origin, ReadColumn, ReadSchema, Role, Zone};
use crate::enrich::geo::Locate;
use crate::flow::Observer;
use crate::load::table::{TableSpec, TargetColumn};
use crate::pack::{Binding, Kind, Pack, Release, Settled, read_name, settle};
use crate::source::infer::Common;
use crate::source::{InputFile, Skipped, Table, infer};
use crate::transform::mask::Masks;
use std::collections::HashSet;
use std::sync::Arc;

/// One input, known in every respect but its rows.
pub struct Prepared {
    /// Where rows come from.
    pub table: Arc<dyn Table>,
    /// Name, part, fingerprint.
    pub origin: Arc<Origin>,
    /// Where it lies, whatever folder it was named from; `None` for standard input.
    pub absolute_path: Option<String>,
    /// Name of the format.
    pub format: &'static str,
    /// Position of the kind in the pack; `None`: a generic table.
    pub kind: Option<usize>,
    /// Why it was taken for that.
    pub evidence: String,
    /// County, year, release.
    pub settled: Settled,
    /// Columns to read.
    pub schema: Arc<ReadSchema>,
    /// How the header was bound, for kinds.
    pub binding: Option<Binding>,
    /// Target table.
    pub spec: TableSpec,
    /// Columns that agents derive which do not take part: a new table does not get them; in one that
    /// has them, rows of this input have none of their values.
    pub unmade: Vec<TargetColumn>,
    /// Pack columns (with DuckDB types) that the file does not have.
    pub missing: Vec<(String, String)>,
    /// Mode.
    pub mode: Mode,
    /// What the cells of each column have in common, of a plain table whose types were found in its cells.
    pub found: Vec<Common>,
    /// How its values are read.
    pub reading: HowRead,
    /// Zone of times without an offset, where the user names one.
    pub time_zone: Option<Zone>,
    /// Whether values are loaded as they are written.
    pub as_written: bool,
    /// Notes about single columns, for the plan: (column, note).
    pub column_notes: Vec<(String, String)>,
    /// What the user should know.
    pub warnings: Vec<String>,
    /// Place among the files of the request: arguments in order, then the order of the listing.
    pub place: usize,
    /// Whether these are failed records of an earlier run.
    pub replay: bool,
    /// How the table calls its columns; known once the target was asked.
    pub fitted: Fitted,
    /// Columns of its table that become wider before its first row is loaded.
    pub widenings: Vec<Widening>,
    /// What makes the columns of an existing table, where the user names it.
    pub mapping: Option<Arc<Mapping>>,
    /// Columns whose values must not leave the source.
    pub masks: Masks,
    /// How columns are cleaned.
    pub cleaning: Cleaned,
    /// What finds the places of rows, where that is asked for.
    pub locate: Option<Arc<Locate>>,
}

/// How the values of an input are read, as far as something had to be assumed or decided.
#[derive(Debug, Clone, Default)]
pub struct HowRead {
    /// What the user should know of it, where the input is loaded.
    pub told: Vec<String>,
    /// Whether dates are read in the order of the setting `date_order`, because nothing in the file tells it.
    pub assumes_date_order: bool,
    /// Columns whose dates are read in that order, because nothing tells it in other files of the table either.
    pub assumed_orders: Vec<usize>,
}

impl Prepared {
    /// The kind's description.
    pub fn kind<'p>(&self, pack: &'p Pack) -> Option<&'p Kind> {
        self.kind.map(|at| &pack.kinds[at])
    }

    /// Whether the types of its columns are found in its cells, not given by the file.
    pub fn declares_no_types(&self) -> bool {
        self.table.declared().is_none()
    }

    /// `nal`, …, or `generic`.
    pub fn kind_id(&self, pack: &Pack) -> String {
        self.kind(pack).map_or_else(|| "generic".into(), |kind| kind.id.clone())
    }

    /// `2025P01`; `-` where the release is not known.
    pub fn release(&self) -> Option<String> {
        let year = self.settled.year?;
        let release = self.settled.release.map_or("-".into(), |release| release.to_string());
        Some(format!("{year}{release}{:02}", self.settled.submission.unwrap_or(0)))
    }

    /// Rank of the release: year, then P < S < F, then submission. The same as
    /// `load::lookup::RANK_SQL`.
    pub fn rank(&self) -> i64 {
        let release = match self.settled.release {
            None => 0,
            Some(Release::P) => 100,
            Some(Release::S) => 200,
            Some(Release::F) => 300,
        };
        i64::from(self.settled.year.unwrap_or(0)) * 1_000
            + release
            + i64::from(self.settled.submission.unwrap_or(0))
    }
}

/// Surveys all files of a request, in the order in which they are to be loaded: highest rank first,
/// then by name, so that the order of arguments does not matter.
pub fn prepare(
    request: &Request,
    pack: &Pack,
    observer: &dyn Observer,
) -> Result<Inputs<Prepared>, RunError> {
    // A flag that says nothing sensible is no matter of one input.
    flag_facts(request, pack)?;
    let mut inputs = inputs::gather(request, pack, observer, |place, file, table| {
        let prepared = prepare_table(file, table, request, pack)?;
        Ok(Prepared { place, absolute_path: file.content.absolute_path(), ..prepared })
    })?;
    named::settle_tables(request, &mut inputs.ready)?;
    set_headers_aside(&mut inputs);
    types::refuse_unknown(request, &inputs.ready)?;
    dates::settle(&mut inputs.ready, request.values.dates);
    if request.values.dates_asked {
        inputs.ready.iter_mut().for_each(|input| input.reading.assumed_orders.clear());
    }
    types::unite(&mut inputs.ready, &request.values.types);
    if !request.target.is_embedded() {
        types::without_nanoseconds(&mut inputs.ready);
    }
    let prepared = &mut inputs.ready;
    masking::refuse_unknown(request, pack, prepared)?;
    geography::refuse_several_counties(request, prepared)?;
    if request.table.is_none() {
        tell_shared_tables(prepared);
    }
    in_load_order(prepared);
    Ok(inputs)
}

/// Takes plain inputs without rows out, where others bring rows for the same table: their columns have no
/// types, and would give the table some that the rows of the others do not fit. Where one stands alone for its
/// table, among inputs of others, it makes the table and is told.
fn set_headers_aside(inputs: &mut Inputs<Prepared>) {
    let plain = |input: &&Prepared| input.kind.is_none();
    let filled = inputs.ready.iter().filter(plain).filter(|input| !holds_no_rows(&*input.table));
    let filled: HashSet<String> = filled.map(|input| input.spec.name.clone()).collect();
    let Inputs { ready, aside } = inputs;
    let is_among_others = ready.len() > 1;
    ready.retain(|input| {
        if input.kind.is_some() || !holds_no_rows(&*input.table) {
            return true;
        }
        let path = input.origin.label();
        if is_among_others {
            aside.warnings.push(format!("E205: {}", no_rows(&path)));
        }
        let goes = filled.contains(&input.spec.name);
        if goes {
            aside.skipped.push(Skipped { path, reason: "E205: a header and no rows".into() });
        }
        !goes
    });
}

fn no_rows(label: &str) -> String {
    format!("{label} has a header and no rows")
}

/// Says which plain tables take several files because these are called alike.
fn tell_shared_tables(prepared: &mut [Prepared]) {
    let plain = prepared.iter().enumerate().filter(|(_, input)| input.kind.is_none());
    let entrants = plain
        .map(|(at, input)| (at, Entrant { table: &input.spec.name, file: &input.origin.path }));
    let told = inputs::shared_tables(entrants);
    told.into_iter().for_each(|(at, told)| prepared[at].warnings.push(told));
}

/// Highest rank first, then by name.
pub(super) fn in_load_order(prepared: &mut [Prepared]) {
    prepared.sort_by(|a, b| {
        let name = |p: &Prepared| (p.origin.path.clone(), p.origin.sheet().map(str::to_owned));
        (&a.spec.name, b.rank(), name(a)).cmp(&(&b.spec.name, a.rank(), name(b)))
    });
}

/// A file without a header (NAV) is known by its name or the user's word, before it is read.
pub(super) fn survey(
    file: &InputFile,
    request: &Request,
    pack: &Pack,
) -> Result<Vec<Arc<dyn Table>>, SurveyError> {
    refuse_range(file, request).map_err(SurveyError::Asked)?;
    let name = read_name(file.content.name(), &pack.counties);
    let wanted = request.told.kind.as_ref().or(name.kind.as_ref());
    let kind = wanted.and_then(|id| pack.kind(id)).filter(|kind| kind.headerless);
    let mut options = request.source.clone();
    let shares = memory::shares(request);
    options.strings_in_memory.get_or_insert(shares.strings);
    if let Some(kind) = kind {
        options.headers = Some(kind.columns.iter().map(|column| column.source.clone()).collect());
    }
    file.survey(&options).map_err(SurveyError::Source)
}

/// Only sheets have cells to choose from.
fn refuse_range(file: &InputFile, request: &Request) -> Result<(), RunError> {
    let asked = match (&request.source.range, &request.source.excel_table) {
        (Some(_), _) => "--range",
        (_, Some(_)) => "--excel-table",
        _ => return Ok(()),
    };
    if file.format.has_ranges() {
        return Ok(());
    }
    let (label, format) = (file.content.label(), file.format.name());
    let message = format!("{label}: {asked} is for .xlsx workbooks, and this is {format}");
    Err(RunError::new(RunErrorKind::Usage, message)
        .with_hint("leave it away, or save the part you want as a file of its own"))
}

fn prepare_table(
    file: &InputFile,
    table: Arc<dyn Table>,
    request: &Request,
    pack: &Pack,
) -> Result<Prepared, RunError> {
    let label = file.content.label();
    let origin = Arc::new(Origin {
        path: label.to_owned(),
        part: table.part(),
        fingerprint: table.fingerprint(),
    });
    let member = read_name(file.content.name(), &pack.counties);
    let outer = file.content.outer().map(|name| read_name(name, &pack.counties));
    let (kind, evidence) = find_kind(&*table, &member, request, pack, &origin)?;
    check_header(&origin, table.headers(), kind.is_some())?;
    let columns = column_facts(&*table, kind.map(|at| &pack.kinds[at]), request);
    let flags = flag_facts(request, pack)?;
    let settled = match kind {
        Some(_) => settle(&flags, &columns, &member, outer.as_ref()).map_err(|conflict| {
            let message = format!("{}: {conflict}", origin.label());
            let mut error = RunError::new(RunErrorKind::Usage, message)
                .with_hint("say what is right with --type, --county, --year or --release");
            error.rule = file_rules::of_conflict(conflict.fact).map(str::to_owned);
            error
        })?,
        None => Settled::default(),
    };
    let mut warnings = table.notes();
    if holds_no_rows(&*table) {
        let message = no_rows(&origin.label());
        if request.require_rows {
            return Err(RunError::new(RunErrorKind::Input, message)
                .with_code("E205")
                .with_hint("leave out --require-rows where an input may be without rows"));
        }
        warnings.push(format!("E205: {message}"));
    }
    warnings.extend(settled.warnings.iter().cloned());
    match kind {
        Some(at) => {
            let format = file.format.name();
            let mut bound =
                bind_roll(table, origin, format, at, evidence, settled, warnings, request, pack)?;
            let found = super::file_rules::check(&bound, &member, request, pack)?;
            bound.warnings.extend(found);
            Ok(bound)
        }
        None => bind_generic(table, origin, file, evidence, warnings, request, pack),
    }
}

/// A sample without rows means no rows, unless the first record is larger than what was sampled.
pub(super) fn holds_no_rows(table: &dyn Table) -> bool {
    let small = table.extent().bytes.is_none_or(|bytes| bytes < crate::source::SNIFF as u64);
    table.sample().is_empty() && small
}

/// A header must have names. In a roll no name may stand twice: which of the columns is meant? In a
/// plain table the later ones are told and called otherwise.
fn check_header(origin: &Origin, headers: &[String], is_roll: bool) -> Result<(), RunError> {
    let mut trouble = Vec::new();
    if headers.is_empty() {
        trouble.push("there is no header".into());
    }
    if is_roll {
        let mut seen = HashSet::new();
        for (at, header) in headers.iter().enumerate() {
            let name = header.trim().to_lowercase();
            if !name.is_empty() && !seen.insert(name) {
                trouble.push(format!("column {} repeats the name \"{header}\"", at + 1));
            }
        }
    }
    if trouble.is_empty() {
        return Ok(());
    }
    Err(RunError::new(
        RunErrorKind::Input,
        format!("{}: the header cannot be used: {}", origin.label(), trouble.join("; ")),
    )
    .with_code("E204")
    .with_hint("rename the columns, or give the row of the header with --header-row"))
}

fn bind_generic(
    table: Arc<dyn Table>,
    origin: Arc<Origin>,
    file: &InputFile,
    evidence: String,
    mut warnings: Vec<String>,
    request: &Request,
    pack: &Pack,
) -> Result<Prepared, RunError> {
    let mode = request.mode.unwrap_or(Mode::Append);
    if mode == Mode::Merge {
        return Err(RunError::new(
            RunErrorKind::Usage,
            format!("{}: a generic table has no key to merge by", origin.label()),
        )
        .with_hint("use --mode append or --mode replace"));
    }
    let inferred = infer::infer(&*table, request.limits.threads)?;
    let names = column_names(table.headers());
    warnings.extend(names::repeated(table.headers(), &names));
    let first_misfit = |(name, found): (&String, &infer::Inferred)| {
        let (place, value) = found.first_misfits.first()?;
        let ty = found.kind.duckdb();
        Some((name.clone(), format!("{ty} because row {} holds \"{value}\"", place.row)))
    };
    let column_notes = names.iter().zip(&inferred).filter_map(first_misfit).collect();
    let kinds: Vec<_> = inferred.iter().map(|found| found.kind).collect();
    let found: Vec<_> = inferred.iter().map(|found| found.common).collect();
    let name = match &request.table {
        Some(name) => name.table().to_owned(),
        None => table_name(file.content.name()),
    };
    let format = file.format.name();
    let plain = generic(table, origin, format, name, &kinds, mode);
    let mut prepared = Prepared { evidence, warnings, found, column_notes, ..plain };
    changes_of_values(&mut prepared, request, pack, None)?;
    Ok(prepared)
}

/// Binds what is done to values: cleaning, places, then masks, which cover what those add.
pub(super) fn changes_of_values(
    input: &mut Prepared,
    request: &Request,
    pack: &Pack,
    kind: Option<&Kind>,
) -> Result<(), RunError> {
    input.as_written = request.values.no_fix;
    input.time_zone = request.values.time_zone;
    if request.values.no_fix {
        let schema = Arc::make_mut(&mut input.schema);
        for column in &mut schema.columns {
            // Ids must be found again whatever a run was told, and a number is none with its blanks.
            let as_written =
                column.kind == ColumnKind::Text && !column.key && column.role != Role::Id;
            column.clean &= !as_written;
            column.width = None;
        }
    }
    input.spec.minimal = request.minimal;
    cleaning::bind(input, request, pack, kind)?;
    geography::bind(input, request, pack, kind)?;
    masking::bind(input, request, kind)
}

/// A table of no known kind, with a type for each field.
pub(super) fn generic(
    table: Arc<dyn Table>,
    origin: Arc<Origin>,
    format: &'static str,
    name: String,
    kinds: &[ColumnKind],
    mode: Mode,
) -> Prepared {
    let headers = table.headers().to_vec();
    let named = column_names(&headers).into_iter().zip(&headers).zip(kinds);
    let column =
        |(field, ((name, header), kind)): (usize, ((String, &String), &ColumnKind))| ReadColumn {
            name,
            header: header.clone(),
            field,
            kind: *kind,
            role: Role::Plain,
            width: None,
            max_len: None,
            nulls: Vec::new(),
            key: false,
            clean: true,
            order: Default::default(),
            float: false,
            zone: None,
            exact: true,
        };
    let columns: Vec<_> = named.enumerate().map(column).collect();
    let spec = TableSpec {
        name,
        columns: columns
            .iter()
            .map(|column| TargetColumn { name: column.name.clone(), ty: column.kind.duckdb() })
            .collect(),
        key: Vec::new(),
        scope: Vec::new(),
        minimal: false,
    };
    Prepared {
        table,
        origin,
        absolute_path: None,
        format,
        kind: None,
        evidence: String::new(),
        settled: Settled::default(),
        schema: Arc::new(ReadSchema { columns, extra: Vec::new(), headers }),
        binding: None,
        spec,
        unmade: Vec::new(),
        missing: Vec::new(),
        mode,
        found: Vec::new(),
        reading: HowRead::default(),
        time_zone: None,
        as_written: false,
        column_notes: Vec::new(),
        warnings: Vec::new(),
        place: 0,
        replay: false,
        fitted: Fitted::default(),
        widenings: Vec::new(),
        mapping: None,
        masks: Masks::default(),
        cleaning: Cleaned::default(),
        locate: None,
    }
}
