//! Reads a pack, embedded or from a folder: files to raw forms, raw forms to the model, then checks.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::de::DeserializeOwned;

use super::embedded::{self, Embedded};
use super::error::{PackError, Problem};
use super::model::{
    Absent, Agent, Check, CodeTable, Column, ColumnType, Derived, Kind, Layout, Level, Lookup,
    Pack, Required, Rule, Scope, Status,
};
use super::raw::{RawAgent, RawKind, RawLevel, RawPack, RawRule, RawRules, RawScope, RawStatus};
use super::{check, county_tables, expand, insight};

impl Pack {
    /// The pack with this name that comes with the program.
    pub fn embedded(name: &str) -> Result<Pack, PackError> {
        let files = embedded::find(name).ok_or_else(|| PackError::Unknown {
            name: name.to_owned(),
            known: embedded::embedded_names().collect::<Vec<_>>().join(", "),
        })?;
        load(Source::Embedded(files))
    }

    /// A pack in a folder with the same layout as the embedded ones.
    pub fn from_dir(path: &Path) -> Result<Pack, PackError> {
        load(Source::Dir(path.to_owned()))
    }
}

enum Source {
    Embedded(Embedded),
    Dir(PathBuf),
}

impl Source {
    fn text(&self, file: &str) -> Result<String, PackError> {
        let text = match self {
            Source::Embedded(files) => {
                let found = files.iter().find(|(path, _)| *path == file);
                found.map(|(_, text)| (*text).to_owned()).ok_or_else(|| PackError::Io {
                    path: PathBuf::from(file),
                    source: std::io::ErrorKind::NotFound.into(),
                })?
            }
            Source::Dir(dir) => {
                let path = file.split('/').fold(dir.clone(), |p, part| p.join(part));
                std::fs::read_to_string(&path).map_err(|source| PackError::Io { path, source })?
            }
        };
        // Spreadsheets save CSV with a byte order mark; Windows checkouts change line ends.
        Ok(text.trim_start_matches('\u{feff}').replace("\r\n", "\n"))
    }
}

/// Reads files, remembers them for the hash, and gathers findings so that all come at once.
pub(super) struct Loader {
    source: Source,
    seen: BTreeMap<String, String>,
    pub(super) problems: Vec<Problem>,
}

impl Loader {
    fn text(&mut self, file: &str) -> Result<String, PackError> {
        let text = self.source.text(file)?;
        self.seen.insert(file.to_owned(), text.clone());
        Ok(text)
    }

    /// A file that decides no row and may be missing; it does not count for the hash.
    pub(super) fn aside(&mut self, file: &str) -> Result<Option<String>, PackError> {
        match self.source.text(file) {
            Ok(text) => Ok(Some(text)),
            Err(PackError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn toml<T: DeserializeOwned>(&mut self, file: &str) -> Result<T, PackError> {
        toml::from_str(&self.text(file)?).map_err(|e| PackError::Toml {
            file: file.to_owned(),
            message: e.to_string().trim_end().to_owned(),
        })
    }

    fn table(&mut self, file: &str, name: &str) -> Result<CodeTable, PackError> {
        let text = self.text(file)?;
        let wrong =
            |e: csv::Error| PackError::Csv { file: file.to_owned(), message: e.to_string() };
        let mut reader =
            csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
        let header = reader.headers().map_err(wrong)?.iter().map(str::to_owned).collect();
        let mut rows = Vec::new();
        for record in reader.records() {
            rows.push(record.map_err(wrong)?.iter().map(str::to_owned).collect());
        }
        Ok(CodeTable { name: name.to_owned(), header, rows })
    }

    pub(super) fn problem(
        &mut self,
        file: &str,
        place: impl Into<String>,
        what: impl Into<String>,
    ) {
        let (place, what) = (place.into(), what.into());
        self.problems.push(Problem { file: file.to_owned(), place, what });
    }

    fn hash(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for (path, text) in &self.seen {
            for part in [path, text] {
                hasher.update(&(part.len() as u64).to_le_bytes());
                hasher.update(part.as_bytes());
            }
        }
        hasher.finalize().to_hex().to_string()
    }
}

fn load(source: Source) -> Result<Pack, PackError> {
    let mut loader = Loader { source, seen: BTreeMap::new(), problems: Vec::new() };
    let raw: RawPack = loader.toml("pack.toml")?;
    let mut tables = Vec::new();
    for name in &raw.codes {
        tables.push(loader.table(&format!("codes/{name}.csv"), name)?);
    }
    let mut kinds = Vec::new();
    for id in &raw.kinds {
        kinds.push(kind(&mut loader, id)?);
    }
    let rules: RawRules = loader.toml("rules.toml")?;
    let rules = rules.rule.into_iter().map(|r| rule(&mut loader, r, &tables)).collect();
    let counties = county_tables::counties(&mut loader, &tables);
    let boundaries = raw.boundaries.map(|file| loader.text(&file)).transpose()?;
    let releases = raw.releases.iter().filter_map(|text| match text.parse() {
        Ok(release) => Some(release),
        Err(what) => {
            loader.problem("pack.toml", "releases", what);
            None
        }
    });
    let releases = releases.collect();
    let insight = insight::read(&mut loader, &kinds)?;
    let pack = Pack {
        insight,
        releases,
        name: raw.name,
        version: raw.version,
        description: raw.description,
        nulls: raw.nulls,
        kinds,
        rules,
        tables,
        counties,
        boundaries,
        hash: loader.hash(),
    };
    check::pack(&pack, &mut loader);
    if loader.problems.is_empty() {
        Ok(pack)
    } else {
        Err(PackError::Invalid { pack: pack.name, problems: loader.problems })
    }
}

fn kind(loader: &mut Loader, id: &str) -> Result<Kind, PackError> {
    let file = format!("{id}.toml");
    let raw: RawKind = loader.toml(&file)?;
    if raw.id != id {
        loader.problem(&file, "id", format!("'{}' should be '{id}', as in pack.toml", raw.id));
    }
    let columns = columns(loader, &raw.columns)?;
    let layout = |l: super::raw::RawLayout| Layout { name: l.name, without: l.without };
    let lookup = |l: super::raw::RawLookup| Lookup { alias: l.alias, table: l.table, on: l.on };
    let absent = |a: super::raw::RawAbsent| Absent { words: a.words, answer: a.answer };
    let derived = |d: super::raw::RawDerived| Derived {
        agent: match d.agent {
            RawAgent::Transform => Agent::Transform,
            RawAgent::Enrich => Agent::Enrich,
        },
        name: d.name,
        ty: d.ty,
        sql: d.sql.trim().to_owned(),
        needs: d.needs,
        meaning: d.meaning,
    };
    Ok(Kind {
        id: raw.id,
        title: raw.title,
        plain: raw.plain,
        table: raw.table,
        status: match raw.status {
            RawStatus::Confirmed => Status::Confirmed,
            RawStatus::Unconfirmed => Status::Unconfirmed,
        },
        key: raw.key,
        scope: raw.scope,
        columns,
        derived: raw.derived.into_iter().map(derived).collect(),
        cleaning: raw.clean,
        lookups: raw.lookup.into_iter().map(lookup).collect(),
        absent: raw.absent.into_iter().map(absent).collect(),
        layouts: raw.layout.into_iter().map(layout).collect(),
        county_column: raw.county_column,
        year_column: raw.year_column,
        id_column: raw.id_column,
        marker: raw.marker.map(|m| (m.column, m.value)),
        headerless: raw.headerless,
        names: raw.names.iter().map(|n| n.to_ascii_uppercase()).collect(),
    })
}

const COLUMN_FIELDS: [&str; 13] = [
    "name",
    "source",
    "type",
    "width",
    "max_len",
    "required",
    "aliases",
    "from_year",
    "to_year",
    "nulls",
    "unit",
    "label",
    "meaning",
];

fn columns(loader: &mut Loader, file: &str) -> Result<Vec<Column>, PackError> {
    let table = loader.table(file, file)?;
    let mut place = [0; COLUMN_FIELDS.len()];
    for (slot, field) in place.iter_mut().zip(COLUMN_FIELDS) {
        match table.column(field) {
            Some(at) => *slot = at,
            None => {
                let message = format!("the column '{field}' is missing in the first line");
                return Err(PackError::Csv { file: file.to_owned(), message });
            }
        }
    }
    let mut columns = Vec::with_capacity(table.rows.len());
    for row in &table.rows {
        let cells = place.map(|at| row[at].as_str());
        columns.push(column(loader, file, cells));
    }
    Ok(columns)
}

/// How much a column is needed.
fn required_of(loader: &mut Loader, file: &str, place: &str, required: &str) -> Required {
    match required {
        "yes" => Required::Yes,
        "column" => Required::Column,
        "warn" => Required::Warn,
        "no" => Required::No,
        other => {
            let known = "yes, column, warn or no";
            loader.problem(file, place, format!("required '{other}' should be {known}"));
            Required::No
        }
    }
}

fn column(loader: &mut Loader, file: &str, cells: [&str; COLUMN_FIELDS.len()]) -> Column {
    let [
        name,
        source,
        ty,
        width,
        max_len,
        required,
        aliases,
        from,
        to,
        nulls,
        unit,
        label,
        meaning,
    ] = cells;
    let place = format!("column {name}");
    let ty = match ty {
        "text" => ColumnType::Text,
        "id" => ColumnType::Id,
        "code" => ColumnType::Code,
        "integer" => ColumnType::Integer,
        "money" => ColumnType::Money,
        "real" => ColumnType::Real,
        "date" => ColumnType::Date,
        other => {
            let known = "text, id, code, integer, money, real or date";
            loader.problem(file, &*place, format!("type '{other}' should be {known}"));
            ColumnType::Text
        }
    };
    let required = required_of(loader, file, &place, required);
    let list = |text: &str| -> Vec<String> {
        text.split('|').map(str::trim).filter(|t| !t.is_empty()).map(str::to_owned).collect()
    };
    Column {
        name: name.to_owned(),
        source: source.to_owned(),
        ty,
        width: number(loader, file, &place, "width", width),
        max_len: number(loader, file, &place, "max_len", max_len),
        required,
        aliases: list(aliases),
        years: (
            number(loader, file, &place, "from_year", from),
            number(loader, file, &place, "to_year", to),
        ),
        nulls: list(nulls),
        unit: unit.to_owned(),
        label: label.to_owned(),
        meaning: meaning.to_owned(),
    }
}

/// A number or nothing; anything else is a finding.
pub(super) fn number<T: FromStr>(
    loader: &mut Loader,
    file: &str,
    place: &str,
    field: &str,
    text: &str,
) -> Option<T> {
    if text.is_empty() {
        return None;
    }
    let value = text.parse().ok();
    if value.is_none() {
        loader.problem(file, place, format!("{field} '{text}' is not a number in range"));
    }
    value
}

fn level(raw: RawLevel) -> Level {
    match raw {
        RawLevel::Critical => Level::Critical,
        RawLevel::Warning => Level::Warning,
        RawLevel::Info => Level::Info,
    }
}

fn rule(loader: &mut Loader, raw: RawRule, tables: &[CodeTable]) -> Rule {
    let scope = match raw.scope {
        RawScope::Cell => Scope::Cell,
        RawScope::Row => Scope::Row,
        RawScope::File => Scope::File,
        RawScope::Cross => Scope::Cross,
        RawScope::Name => Scope::Name,
    };
    let how = rule_check(&raw, scope, tables).unwrap_or_else(|what| {
        loader.problem("rules.toml", format!("rule {}", raw.id), what);
        Check::Reader
    });
    Rule {
        requires: raw.requires.unwrap_or_else(|| raw.columns.clone()),
        id: raw.id,
        level: level(raw.level),
        level_in_source: raw.level_in_source.map(level),
        scope,
        kinds: raw.kinds,
        columns: raw.columns,
        check: how,
        title: raw.title,
        message: raw.message,
        hint: raw.hint,
        basis: raw.basis,
    }
}

fn rule_check(raw: &RawRule, scope: Scope, tables: &[CodeTable]) -> Result<Check, String> {
    let forms = [
        ("ok", raw.ok.is_some()),
        ("one_value", raw.one_value.is_some()),
        ("rounded_ids", raw.rounded_ids.is_some()),
        ("sequence", raw.sequence.is_some()),
        ("rows", raw.rows.is_some()),
        ("unique", raw.unique.is_some()),
        ("sql", raw.sql.is_some()),
    ];
    let given: Vec<&str> = forms.iter().filter(|(_, is)| *is).map(|(name, _)| *name).collect();
    if given.len() > 1 {
        return Err(format!("{} exclude each other: keep one", given.join(" and ")));
    }
    match raw.status.as_deref() {
        None => {}
        Some("later") => {
            let missing = "status = \"later\" needs a reason";
            return raw.reason.clone().map(Check::Later).ok_or_else(|| missing.to_owned());
        }
        Some(other) => return Err(format!("status '{other}' should be \"later\" or left out")),
    }
    match (scope, given.first().copied()) {
        (Scope::Row, Some("ok")) => {
            let ok = raw.ok.as_deref().unwrap_or_default().trim();
            let ok = expand::code_lists(ok, tables)?;
            let each = raw.each.as_deref().map(|each| expand::code_lists(each.trim(), tables));
            Ok(Check::Row { ok, each: each.transpose()? })
        }
        (Scope::File, Some("one_value")) => {
            Ok(Check::OneValue(raw.one_value.clone().unwrap_or_default()))
        }
        (Scope::File, Some("rounded_ids")) => {
            Ok(Check::RoundedIds(raw.rounded_ids.clone().unwrap_or_default()))
        }
        (Scope::File, Some("sequence")) => {
            Ok(Check::Sequence(raw.sequence.clone().unwrap_or_default()))
        }
        (Scope::File, Some("rows")) => {
            let named = raw.rows.as_deref().and_then(|name| name.split_once('.'));
            let (table, column) = named.ok_or("rows should read table.column")?;
            let within = raw.within.ok_or("rows needs within: a share such as 0.2")?;
            Ok(Check::Rows { table: table.to_owned(), column: column.to_owned(), within })
        }
        (Scope::File, Some("unique")) => Ok(Check::Unique(raw.unique.clone().unwrap_or_default())),
        (Scope::Cross, Some("sql")) => Ok(Check::Cross {
            sql: raw.sql.as_deref().unwrap_or_default().trim().to_owned(),
            needs: raw.needs.clone().unwrap_or_default(),
        }),
        (Scope::Cell | Scope::File, None) => Ok(Check::Reader),
        (Scope::Name, None) => Ok(Check::Name),
        (Scope::Row, _) => Err("a rule of scope row needs ok".to_owned()),
        (Scope::Cross, _) => Err("a rule of scope cross needs sql".to_owned()),
        (_, Some(form)) => Err(format!("{form} does not go with this scope")),
    }
}
