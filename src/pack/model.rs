//! The parts of a pack. Plain data: built by `load`, checked by `check`, read by everybody.

use super::clean::Clean;
use super::county::Counties;
use super::insight::Insight;
use super::release::Release;

/// A family of kinds of file with everything that is known about them.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Pack {
    /// Name by which users ask for it.
    pub name: String,
    /// Version of the knowledge, not of the program.
    pub version: String,
    /// One sentence for listings.
    pub description: String,
    /// Releases from the strongest to the weakest.
    pub releases: Vec<Release>,
    /// Cells that mean "empty" in every column, beside the blank one.
    pub nulls: Vec<String>,
    /// Kinds of file.
    pub kinds: Vec<Kind>,
    /// All rules, in the order of the file.
    pub rules: Vec<Rule>,
    /// Code tables.
    pub tables: Vec<CodeTable>,
    /// Counties with their spellings and parcel id formats; empty if the pack has no such table.
    pub counties: Counties,
    /// Shapes of the counties as GeoJSON, by FIPS code as the id of the feature.
    pub boundaries: Option<String>,
    /// What is worth looking at in loaded rows.
    pub insight: Insight,
    /// BLAKE3 of all files that decide rows, line ends aside: part of what decides whether a run may be resumed.
    pub hash: String,
}

impl Pack {
    /// The kind with this id.
    pub fn kind(&self, id: &str) -> Option<&Kind> {
        self.kinds.iter().find(|k| k.id == id)
    }

    /// The rules that are about this kind.
    pub fn rules_for<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Rule> {
        self.rules.iter().filter(move |r| r.kinds.iter().any(|k| k == kind))
    }

    /// The code table with this name.
    pub fn table(&self, name: &str) -> Option<&CodeTable> {
        self.tables.iter().find(|t| t.name == name)
    }

    /// An expression with the code lists of a year written out (`{use_codes in $roll_year}`): those
    /// codes that were there in that year; all of them where it is not known.
    pub fn of_year(&self, sql: &str, year: Option<u16>) -> String {
        super::expand::of_year(sql, &self.tables, year)
    }

    /// A cell of a code table, by its first column.
    pub fn looked_up(&self, table: &str, code: &str, column: &str) -> Option<&str> {
        let table = self.table(table)?;
        let at = table.column(column)?;
        table.rows.iter().find(|row| row[0] == code).map(|row| row[at].as_str())
    }

    /// Strength of a release for comparisons; an unknown release is weaker than any known one.
    pub fn release_rank(&self, release: Option<Release>) -> u8 {
        let place = release.and_then(|r| self.releases.iter().rev().position(|x| *x == r));
        place.map_or(0, |p| u8::try_from(p + 1).unwrap_or(u8::MAX))
    }
}

/// Whether a layout was seen in real files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Measured on real files.
    Confirmed,
    /// Put together from descriptions.
    Unconfirmed,
}

/// One kind of file.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Kind {
    /// Short lower-case id: `nal`.
    pub id: String,
    /// Full title.
    pub title: String,
    /// One plain sentence on what the file is and where it goes.
    pub plain: String,
    /// Target table.
    pub table: String,
    /// Whether the layout was seen in real files.
    pub status: Status,
    /// Columns that name a row: published columns, or derived by `transform`.
    pub key: Vec<String>,
    /// Columns that, with the kind, name what a file replaces as a whole.
    pub scope: Vec<String>,
    /// The columns in published order.
    pub columns: Vec<Column>,
    /// Derived columns, in the order of the file.
    pub derived: Vec<Derived>,
    /// How columns are cleaned, in order.
    pub cleaning: Vec<Clean>,
    /// Code tables that derived columns may use.
    pub lookups: Vec<Lookup>,
    /// Answers for what this kind does not hold.
    pub absent: Vec<Absent>,
    /// Known sets of columns.
    pub layouts: Vec<Layout>,
    /// Column that holds the county number.
    pub county_column: Option<String>,
    /// Column that holds the roll year.
    pub year_column: Option<String>,
    /// Column with the id that spreadsheets damage.
    pub id_column: Option<String>,
    /// A column that holds the same value in every row of this kind, and that value.
    pub marker: Option<(String, String)>,
    /// The files have no header: columns are known by position.
    pub headerless: bool,
    /// Words for this kind in file and folder names, upper case.
    pub names: Vec<String>,
}

impl Kind {
    /// The column with this name and its place in published order.
    pub fn column(&self, name: &str) -> Option<(usize, &Column)> {
        self.columns.iter().enumerate().find(|(_, c)| c.name == name)
    }

    /// The derived columns of one agent.
    pub fn derived_by(&self, agent: Agent) -> impl Iterator<Item = &Derived> {
        self.derived.iter().filter(move |d| d.agent == agent)
    }

    /// The plain answer for somebody who looks for `word` in this kind of file.
    pub fn absent_answer(&self, word: &str) -> Option<&str> {
        let word = word.trim().to_lowercase().replace([' ', '-'], "_");
        self.absent.iter().find(|a| a.words.contains(&word)).map(|a| a.answer.as_str())
    }
}

/// How the cells of a column are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// Free text.
    Text,
    /// An identifier: text that is never padded and never read as a number.
    Id,
    /// Text with a code list or a fixed shape.
    Code,
    /// A whole number.
    Integer,
    /// Whole dollars.
    Money,
    /// A number with decimals.
    Real,
    /// A calendar date.
    Date,
}

impl ColumnType {
    /// Kept as text from end to end.
    pub fn is_text(self) -> bool {
        matches!(self, ColumnType::Text | ColumnType::Id | ColumnType::Code)
    }

    /// The DuckDB type of the column in the target.
    pub fn sql(self) -> &'static str {
        match self {
            ColumnType::Text | ColumnType::Id | ColumnType::Code => "VARCHAR",
            ColumnType::Integer | ColumnType::Money => "BIGINT",
            ColumnType::Real => "DOUBLE",
            ColumnType::Date => "DATE",
        }
    }
}

/// How much a column is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Required {
    /// No file without the column, no row without a value.
    Yes,
    /// No file without the column: without it the rows would be of no use, and nobody would notice.
    /// Blank cells are left to rules.
    Column,
    /// A file without the column is reported; blank cells are left to rules.
    Warn,
    /// May be absent.
    No,
}

/// One published column.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Column {
    /// Name in the table, lower case.
    pub name: String,
    /// Spelling in the file's header.
    pub source: String,
    /// How cells are read.
    pub ty: ColumnType,
    /// Fixed width of a code: all-digit cells that are shorter get their zeros back, counted.
    pub width: Option<usize>,
    /// Longest value the source allows, in characters.
    pub max_len: Option<usize>,
    /// How much the column is needed.
    pub required: Required,
    /// Other spellings of the header, lower case.
    pub aliases: Vec<String>,
    /// First and last roll year in which the column is published for certain.
    pub years: (Option<u16>, Option<u16>),
    /// Further cells that mean "empty" in this column.
    pub nulls: Vec<String>,
    /// Unit, or nothing.
    pub unit: String,
    /// Short name for people.
    pub label: String,
    /// What the column holds.
    pub meaning: String,
}

/// Which agent computes a derived column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Agent {
    /// From the row alone.
    Transform,
    /// With code tables, and with what `transform` derived.
    Enrich,
}

/// A column that the program adds.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Derived {
    /// Who computes it.
    pub agent: Agent,
    /// Name in the table.
    pub name: String,
    /// DuckDB type.
    pub ty: String,
    /// DuckDB expression over the row's columns; lookups are written `alias.column`.
    pub sql: String,
    /// If a file has none of these columns the value is NULL. Empty: always computed.
    pub needs: Vec<String>,
    /// What the column holds.
    pub meaning: String,
}

/// A code table at hand under an alias: at most one of its rows belongs to a row of the file.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Lookup {
    /// Name in expressions.
    pub alias: String,
    /// Code table.
    pub table: String,
    /// SQL condition between the row's columns and the table's, written `alias.column`.
    pub on: String,
}

/// A known set of columns: all of the kind's but `without`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Layout {
    /// Name for people.
    pub name: String,
    /// Columns it does not have.
    pub without: Vec<String>,
}

/// What people look for in a kind of file and do not find.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Absent {
    /// Lower-case words, blanks as underscores.
    pub words: Vec<String>,
    /// Where it could be had.
    pub answer: String,
}

/// What a failed rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Counted.
    Info,
    /// Counted and shown.
    Warning,
    /// The row is refused.
    Critical,
}

/// What a rule looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// One cell: the typed reader decides.
    Cell,
    /// One row.
    Row,
    /// A whole file.
    File,
    /// Target tables against each other.
    Cross,
    /// The name of the file.
    Name,
}

/// How a rule is decided.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Check {
    /// DuckDB expression over the typed columns; TRUE and NULL pass.
    Row {
        /// The expression, with code lists written out; `$release`, `$roll_year`, `$county` and
        /// `$submission` are parameters.
        ok: String,
        /// The same for one of `columns`, written `{column}`: finds the one to mend.
        each: Option<String>,
    },
    /// The column has one value in the whole file.
    OneValue(String),
    /// The ids of the column were not rounded by a spreadsheet: many would end in zeros alike.
    RoundedIds(String),
    /// The column runs from 1 to the number of rows.
    Sequence(String),
    /// The file has about as many rows as a code table says of its county.
    Rows {
        /// Code table; its first column is the county number.
        table: String,
        /// Column with the number of rows.
        column: String,
        /// Share by which the number may differ.
        within: f64,
    },
    /// The columns together never repeat within a file.
    Unique(Vec<String>),
    /// A query over target tables that returns the rows that fail.
    Cross {
        /// The query; `{parcels}` stands for the table of that name. Same parameters as a row.
        sql: String,
        /// Kinds that must be loaded.
        needs: Vec<String>,
    },
    /// Decided by the reader: types, cell counts, header.
    Reader,
    /// Decided when the file's name is read.
    Name,
    /// Written down but not checked, and why.
    Later(String),
}

/// One check.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Rule {
    /// Id, stable across versions.
    pub id: String,
    /// What a failure does.
    pub level: Level,
    /// The level as first read from the source, where this pack chose another.
    pub level_in_source: Option<Level>,
    /// What it looks at.
    pub scope: Scope,
    /// Kinds it is about.
    pub kinds: Vec<String>,
    /// Columns a finding is about, the most telling first; may be empty.
    pub columns: Vec<String>,
    /// The rule is left out for a file that lacks one of these.
    pub requires: Vec<String>,
    /// How it is decided.
    pub check: Check,
    /// What it demands.
    pub title: String,
    /// What a finding says; `{column}` stands for the row's value.
    pub message: String,
    /// What to do.
    pub hint: String,
    /// Where the rule comes from.
    pub basis: String,
}

impl Rule {
    /// Whether a file with these columns can be checked.
    pub fn applies(&self, has: impl Fn(&str) -> bool) -> bool {
        self.requires.iter().all(|c| has(c))
    }

    /// The message with the row's values in place of `{column}`; a missing value reads "blank".
    pub fn render(&self, value: impl Fn(&str) -> Option<String>) -> String {
        super::expand::fill(&self.message, |name| {
            Some(value(name).unwrap_or_else(|| "blank".to_owned()))
        })
    }
}

/// A code table: text throughout; an empty cell is NULL in SQL.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CodeTable {
    /// Name in SQL.
    pub name: String,
    /// Column names.
    pub header: Vec<String>,
    /// Rows, each as long as the header.
    pub rows: Vec<Vec<String>>,
}

impl CodeTable {
    /// Place of a column.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.header.iter().position(|h| h == name)
    }
}
