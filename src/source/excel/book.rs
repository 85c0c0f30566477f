//! A workbook: its sheets, its styles, and its shared strings when they are needed.
//!
//! Parts are found by their relationships, not by their usual names. Styles and shared strings may
//! be missing, and what is only decoration (theme, drawings, properties) is never looked at. The
//! shared strings are in memory only while somebody reads a sheet: many workbooks can be surveyed.

use super::container::Container;
use super::fault::Fault;
use super::rels::Relationships;
use super::strings::{Loader, Strings};
use super::styles::Styles;
use super::tags::{Edge, Tags};
use super::text;
use super::xml::{Tag, split_name};
use crate::source::content::Spooled;
use crate::source::{SourceError, SourceErrorKind, SourceOptions};
use hashbrown::HashSet;
use std::io::Read;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;

/// Shared strings kept in memory unless the options say otherwise.
const STRINGS_IN_MEMORY: u64 = 64 << 20;
/// More sheets than any workbook has, and more memory than their names can take: 31 characters each.
const SHEETS: usize = 10_000;
const NAMES: usize = 4 << 20;

/// A sheet as the workbook lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sheet {
    /// Its name.
    pub name: String,
    /// Holds cells (no chart, dialog or macro sheet).
    pub cells: bool,
    /// Shown in Excel.
    pub visible: bool,
    part: String,
}

impl Sheet {
    /// A sheet of a workbook that has no parts.
    pub fn plain(name: String, cells: bool, visible: bool) -> Self {
        Self { name, cells, visible, part: String::new() }
    }
}

/// The text of a part.
pub type PartReader = Box<dyn Read + Send>;

/// An open workbook.
pub struct Book {
    container: Container,
    /// Name of the part that lists the sheets.
    part: String,
    sheets: Vec<Sheet>,
    styles: Arc<Styles>,
    strings_part: Option<String>,
    strings_in_memory: u64,
    temp_dir: Option<PathBuf>,
    /// The strings, as long as somebody holds them.
    strings: Mutex<Weak<Strings>>,
    /// The thread that reads them already.
    ahead: Mutex<Option<JoinHandle<Result<Strings, SourceError>>>>,
}

impl Book {
    /// Opens the workbook in `file`, which messages call `label`.
    pub fn open(file: &Spooled, label: &str, options: &SourceOptions) -> Result<Self, SourceError> {
        let container = Container::open(file, label)?;
        let part = workbook_part(&container)?;
        let rels = Relationships::read(&container, &part)?;
        let (sheets, from_1904) = read_workbook(&container, &part, &rels)?;
        let beside = |kind: &str, name: &str| {
            let folder = part.rsplit_once('/').map_or("", |(folder, _)| folder);
            let usual = format!("{folder}/{name}");
            let found = rels.part_of_kind(kind).map_or(usual, str::to_owned);
            container.has(&found).then_some(found)
        };
        let styles = match beside("styles", "styles.xml") {
            Some(part) => Styles::read(container.part(&part)?, from_1904).map_err(|fault| {
                let label = format!("{}, part {part}", container.label());
                fault.into_error(&label)
            })?,
            None => Styles::none(from_1904),
        };
        let strings_part = beside("sharedStrings", "sharedStrings.xml");
        Ok(Self {
            strings_part,
            part,
            container,
            sheets,
            styles: Arc::new(styles),
            strings_in_memory: options.strings_in_memory.unwrap_or(STRINGS_IN_MEMORY),
            temp_dir: options.temp_dir.clone(),
            strings: Mutex::new(Weak::new()),
            ahead: Mutex::new(None),
        })
    }

    /// All sheets in the workbook's order.
    pub fn sheets(&self) -> &[Sheet] {
        &self.sheets
    }

    /// How numbers are shown.
    pub fn styles(&self) -> &Arc<Styles> {
        &self.styles
    }

    /// The text of a sheet's part.
    pub fn sheet(&self, sheet: &Sheet) -> Result<PartReader, SourceError> {
        if sheet.part.is_empty() {
            let message = format!("the workbook does not say where sheet \"{}\" is", sheet.name);
            return Err(SourceError::new(SourceErrorKind::Broken, self.container.label(), message)
                .with_hint("open it in Excel and save it again"));
        }
        self.container.part(&sheet.part)
    }

    /// The text of the part that lists sheets and names.
    pub fn workbook(&self) -> Result<PartReader, SourceError> {
        self.container.part(&self.part)
    }

    /// The parts of a sheet's Excel tables, with their names.
    pub fn table_parts(&self, sheet: &Sheet) -> Result<Vec<(String, PartReader)>, SourceError> {
        if sheet.part.is_empty() {
            return Ok(Vec::new());
        }
        let rels = Relationships::read(&self.container, &sheet.part)?;
        let parts = rels.parts_of_kind("table").into_iter();
        let parts = parts.filter(|part| self.container.has(part));
        parts.map(|part| Ok((part.to_owned(), self.container.part(part)?))).collect()
    }

    /// All shared strings: those that somebody holds already, or loaded now.
    pub fn strings(&self) -> Result<Arc<Strings>, SourceError> {
        let mut held = self.strings.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(strings) = held.upgrade() {
            return Ok(strings);
        }
        let ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner).take();
        let strings = match ahead.map(JoinHandle::join) {
            Some(Ok(strings)) => strings?,
            // What made that thread panic does so here, where it is seen.
            Some(Err(_)) | None => self.load_strings()?,
        };
        let strings = Arc::new(strings);
        *held = Arc::downgrade(&strings);
        Ok(strings)
    }

    /// Begins to read all shared strings on a thread of its own.
    pub fn read_ahead(self: &Arc<Self>) {
        let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        if ahead.is_none() {
            let book = Arc::clone(self);
            let thread = std::thread::Builder::new().name("strings".into());
            // Without that thread they are read when they are wanted.
            *ahead = thread.spawn(move || book.load_strings()).ok();
        }
    }

    fn load_strings(&self) -> Result<Strings, SourceError> {
        self.loader()?.load_all().map_err(|fault| self.strings_error(fault))
    }

    /// Reads shared strings as far as they are needed.
    pub fn loader(&self) -> Result<Loader, SourceError> {
        let part = match &self.strings_part {
            Some(part) => Some(self.container.part(part)?),
            None => None,
        };
        Loader::new(part, self.strings_in_memory, self.temp_dir.as_deref())
            .map_err(|fault| self.strings_error(fault))
    }

    /// Trouble with the shared strings.
    pub fn strings_error(&self, fault: Fault) -> SourceError {
        fault.into_error(&format!("{}, shared strings", self.container.label()))
    }
}

/// Where the package says that its workbook is.
fn workbook_part(container: &Container) -> Result<String, SourceError> {
    let found =
        Relationships::read(container, "")?.part_of_kind("officeDocument").map(str::to_owned);
    let part = found.filter(|part| container.has(part)).unwrap_or("xl/workbook.xml".to_owned());
    if part.ends_with(".bin") || container.has_ending("workbook.bin") {
        let message = "a binary workbook (.xlsb), which is not read here";
        return Err(SourceError::new(SourceErrorKind::NotTheFormat, container.label(), message)
            .with_hint("open it in Excel and save it as .xlsx"));
    }
    if !container.has(&part) || part.starts_with("word/") || part.starts_with("ppt/") {
        let message = "an Office file without a workbook in it";
        return Err(SourceError::new(SourceErrorKind::NotTheFormat, container.label(), message)
            .with_hint("give an .xlsx or .xlsm file"));
    }
    Ok(part)
}

/// The sheets, and whether days count from 1904.
fn read_workbook(
    container: &Container,
    part: &str,
    rels: &Relationships,
) -> Result<(Vec<Sheet>, bool), SourceError> {
    let mut tags = Tags::new(container.part(part)?);
    let mut sheets = Vec::new();
    let mut from_1904 = false;
    let mut names = 0;
    let mut read = || -> Result<(), Fault> {
        while let Some(edge) = tags.next()? {
            match edge {
                Edge::Open(tag) if tag.name == b"sheet" => {
                    let sheet = sheet(&tag, rels)?;
                    names += sheet.name.len() + sheet.part.len();
                    sheets.push(sheet);
                }
                Edge::Open(tag) if tag.name == b"workbookPr" => {
                    let date1904 = tag.get(b"date1904")?;
                    from_1904 = date1904.map_or(from_1904, |it| matches!(it, b"1" | b"true"));
                }
                _ => {}
            }
            if sheets.len() > SHEETS || names > NAMES {
                return Err(Fault::TooLarge(format!("it has more than {SHEETS} sheets")));
            }
        }
        refuse_twins(&sheets)
    };
    read().map_err(|fault| fault.into_error(&format!("{}, part {part}", container.label())))?;
    Ok((sheets, from_1904))
}

/// Thousands of sheets that are one part are how a small file is made to hold rows without end.
fn refuse_twins(sheets: &[Sheet]) -> Result<(), Fault> {
    let mut parts = HashSet::new();
    let mut listed = sheets.iter().filter(|sheet| sheet.cells && !sheet.part.is_empty());
    match listed.all(|sheet| parts.insert(&sheet.part)) {
        true => Ok(()),
        false => Err(Fault::Malformed("two sheets are one part")),
    }
}

fn sheet(tag: &Tag<'_>, rels: &Relationships) -> Result<Sheet, Fault> {
    let (mut name, mut id, mut state) = (String::new(), String::new(), &b""[..]);
    for attribute in tag.attributes() {
        let (key, value) = attribute?;
        match key {
            b"name" => name = text::attribute(value)?,
            b"state" => state = value,
            key if split_name(key).0 == b"id" => id = text::attribute(value)?,
            _ => {}
        }
    }
    let target = rels.by_id(&id);
    Ok(Sheet {
        name,
        cells: target.is_none_or(|it| it.kind == "worksheet"),
        visible: !matches!(state, b"hidden" | b"veryHidden"),
        part: target.map(|it| it.part.clone()).unwrap_or_default(),
    })
}
