//! From cleaning as it is written, by the pack and by the user, to the recipes of an input.
//!
//! A column that is cleaned is read as text: its type comes after cleaning. So the reader gets a schema
//! of its own ([`Cleaned::reads`]), and everybody else the one with the types that columns have then.

use super::agents;
use super::error::RunError;
use super::prepare::Prepared;
use super::request::Request;
use crate::chunk::{ColumnKind, ReadColumn, ReadSchema, Role};
use crate::load::table::TargetColumn;
use crate::pack::{Case, Clean, CleanFile, Form, Kind, Pack};
use crate::stage::StageSpec;
use crate::transform::clean::{
    AddressWords, Clean as Cleaning, Kept, Letters, NumberFormat, OwnerWords, Recipe, Replacement,
    States, Step, Typing,
};
use std::path::Path;
use std::sync::Arc;

/// Type of a column that cleaning adds.
const ADDED: &str = "VARCHAR";

/// How an input is cleaned.
#[derive(Debug, Clone, Default)]
pub struct Cleaned {
    /// In the order in which they are followed.
    pub recipes: Vec<Recipe>,
    /// Positions of columns that are read as text though they are none.
    as_text: Vec<usize>,
    /// Columns whose texts are kept where the reader has changed them.
    kept: Vec<Kept>,
    /// The user's file: part of what identifies a load.
    pub text: String,
}

impl Cleaned {
    /// What the reader is told.
    pub fn reads(&self, schema: &Arc<ReadSchema>) -> Arc<ReadSchema> {
        if self.as_text.is_empty() {
            return Arc::clone(schema);
        }
        let mut reads = (**schema).clone();
        for at in &self.as_text {
            let column = &mut reads.columns[*at];
            (column.kind, column.role) = (ColumnKind::Text, Role::Plain);
        }
        Arc::new(reads)
    }

    /// What the user's file says, without its comments; `None` where there is no such file.
    pub fn own(&self) -> Option<Vec<Clean>> {
        let parsed = || CleanFile::parse(&self.text).map(|file| file.clean).unwrap_or_default();
        (!self.text.is_empty()).then(parsed)
    }

    /// Columns that cleaning adds.
    pub fn added(&self) -> impl Iterator<Item = &str> {
        self.recipes.iter().filter_map(|recipe| recipe.into.as_deref())
    }
}

/// Reads the user's file.
pub(super) fn read(path: &Path) -> Result<(CleanFile, String), RunError> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        RunError::usage(format!("{} cannot be read: {error}", path.display()))
            .with_hint("--clean takes a TOML file with tables [[clean]]")
    })?;
    let file = CleanFile::parse(&text)
        .map_err(|wrong| RunError::usage(format!("{} cannot be used: {wrong}", path.display())))?;
    Ok((file, text))
}

/// Binds what the pack and the user say to an input, and settles the types that columns get.
pub(super) fn bind(
    input: &mut Prepared,
    request: &Request,
    pack: &Pack,
    kind: Option<&Kind>,
) -> Result<(), RunError> {
    if request.values.keep_raw {
        (0..input.schema.columns.len()).for_each(|position| keep(input, position));
    }
    if !agents::has(request, crate::transform::NAME) {
        if !request.values.formats.is_empty() {
            return Err(RunError::usage("--date-format needs the agent transform"));
        }
        let added =
            kind.iter().flat_map(|kind| &kind.cleaning).filter_map(|clean| clean.into.clone());
        let unmade = added.map(|name| TargetColumn { name, ty: ADDED.into() });
        input.unmade.extend(unmade);
        return Ok(());
    }
    let mut all: Vec<Clean> = kind.map(|kind| kind.cleaning.clone()).unwrap_or_default();
    if let Some(path) = &request.values.clean {
        let (file, text) = read(path)?;
        all.extend(file.clean);
        input.cleaning.text = text;
    }
    all.iter_mut().for_each(|clean| clean.keep_raw |= request.values.keep_raw);
    for clean in &all {
        // Values stay as they are written; a column beside them changes none.
        if request.values.no_fix && clean.into.is_none() {
            continue;
        }
        for position in positions(input, clean, kind)? {
            let recipe = recipe(position, clean, input, pack)?;
            settle(input, &recipe, position, kind)?;
            if clean.keep_raw && clean.into.is_none() {
                keep(input, position);
            }
            input.cleaning.recipes.push(recipe);
        }
    }
    for clean in dates(input, request) {
        for position in positions(input, &clean, kind)? {
            let recipe = recipe(position, &clean, input, pack)?;
            settle(input, &recipe, position, kind)?;
            input.cleaning.recipes.push(recipe);
        }
    }
    Ok(())
}

/// The formats of columns of dates that are given with the request, as cleaning of these columns.
fn dates(input: &Prepared, request: &Request) -> Vec<Clean> {
    let mut cleaned: Vec<Clean> = Vec::new();
    for (column, format) in &request.values.formats {
        let known = cleaned.iter_mut().find(|clean| clean.columns[0].eq_ignore_ascii_case(column));
        match known {
            Some(clean) => clean.formats.push(format.clone()),
            None if has_column(input, column) => {
                cleaned.push(Clean::of_dates(column.clone(), format.clone()));
            }
            None => {}
        }
    }
    cleaned
}

/// Whether an input has a column of this name or header.
pub(super) fn has_column(input: &Prepared, wanted: &str) -> bool {
    let is = |name: &str| name.trim().eq_ignore_ascii_case(wanted);
    input.schema.columns.iter().any(|column| is(&column.name) || is(&column.header))
}

/// Has the texts of a column kept where the reader changes them.
fn keep(input: &mut Prepared, position: usize) {
    let column = &input.schema.columns[position];
    let kept = Kept { column: column.name.clone(), position: position as u16, field: column.field };
    if !input.cleaning.kept.contains(&kept) {
        input.cleaning.kept.push(kept);
    }
}

/// The columns that are meant. The pack may name some that this file does not have.
fn positions(input: &Prepared, clean: &Clean, kind: Option<&Kind>) -> Result<Vec<usize>, RunError> {
    let columns = &input.schema.columns;
    let mut found = Vec::new();
    for wanted in &clean.columns {
        if wanted == "*" {
            let text = |column: &ReadColumn| {
                column.kind == ColumnKind::Text && !column.key && column.role != Role::Id
            };
            found.extend((0..columns.len()).filter(|at| text(&columns[*at])));
            continue;
        }
        let is = |name: &str| name.trim().eq_ignore_ascii_case(wanted);
        match columns.iter().position(|column| is(&column.name) || is(&column.header)) {
            Some(at) if columns[at].key || columns[at].role == Role::Id => {
                let message = format!("{wanted} cannot be cleaned: ids stay as they are written");
                return Err(RunError::usage(message));
            }
            Some(at) => found.push(at),
            None if kind.is_some_and(|kind| kind.columns.iter().any(|column| is(&column.name))) => {
            }
            None => {
                return Err(RunError::usage(format!(
                    "{}: there is no column {wanted} to clean",
                    input.origin.label()
                ))
                .with_hint("`etl plan` lists the columns of an input"));
            }
        }
    }
    Ok(found)
}

fn recipe(
    position: usize,
    clean: &Clean,
    input: &Prepared,
    pack: &Pack,
) -> Result<Recipe, RunError> {
    let column = &input.schema.columns[position];
    let typed = |known: &Recipe| known.column == column.name && known.typing.is_some();
    if input.cleaning.recipes.iter().any(typed) {
        return Err(RunError::usage(format!("clean {}: it has got its type already", column.name))
            .with_hint("say all steps of a column that is no text in one [[clean]]"));
    }
    Ok(Recipe {
        column: column.name.clone(),
        header: column.header.clone(),
        position: position as u16,
        steps: steps(clean, pack)?,
        typing: typing(clean, column)?,
        into: clean.into.clone(),
        keep_raw: clean.keep_raw,
        masked: false,
    })
}

fn steps(clean: &Clean, pack: &Pack) -> Result<Vec<Step>, RunError> {
    let mut steps = Vec::new();
    if clean.squeeze {
        steps.push(Step::Squeeze);
    }
    if !clean.null.is_empty() {
        steps.push(Step::Nulls(clean.null.clone()));
    }
    for replace in &clean.replace {
        steps.push(Step::Replace(match replace.regex {
            false => Replacement::text(&replace.find, &replace.with),
            true => Replacement::pattern(&replace.find, &replace.with).map_err(|error| {
                RunError::usage(format!("the pattern {} cannot be used: {error}", replace.find))
            })?,
        }));
    }
    steps.extend(clean.case.map(|case| {
        Step::Case(match case {
            Case::Upper => Letters::Upper,
            Case::Lower => Letters::Lower,
            Case::Title => Letters::Title,
        })
    }));
    if let Some(pad) = &clean.pad {
        steps.push(Step::Pad { width: pad.width, with: pad.with, right: pad.right });
    }
    steps.extend(clean.form.map(|form| form_step(form, pack)).transpose()?.flatten());
    Ok(steps)
}

fn form_step(form: Form, pack: &Pack) -> Result<Option<Step>, RunError> {
    let rows = match form.words() {
        None => Vec::new(),
        Some((name, columns)) => words(pack, name, columns)?,
    };
    let pairs = || rows.iter().map(|row| (row[0], row[1]));
    Ok(match form {
        Form::Zip => Some(Step::Zip { plus4: true }),
        Form::Zip5 => Some(Step::Zip { plus4: false }),
        Form::State => Some(Step::State(Arc::new(States::new(pairs())))),
        Form::Address => {
            let words = rows.iter().map(|row| (row[0], row[1], row[2]));
            Some(Step::Address(Arc::new(AddressWords::new(words))))
        }
        Form::Owners => Some(Step::Owners(Arc::new(OwnerWords::new(pairs())))),
        Form::OwnerKind => Some(Step::OwnerKind(Arc::new(OwnerWords::new(pairs())))),
        Form::Number | Form::Date => None,
    })
}

/// Columns of a code table.
fn words<'p>(pack: &'p Pack, name: &str, columns: &[&str]) -> Result<Vec<Vec<&'p str>>, RunError> {
    let lacks = || {
        let message = format!("the pack `{}` has no code table {name} with {columns:?}", pack.name);
        RunError::usage(message).with_hint("take the table from the pack florida")
    };
    let table = pack.table(name).ok_or_else(lacks)?;
    let places: Option<Vec<usize>> = columns.iter().map(|column| table.column(column)).collect();
    let places = places.ok_or_else(lacks)?;
    let cells = |row: &'p Vec<String>| places.iter().map(|at| row[*at].as_str()).collect();
    Ok(table.rows.iter().map(cells).collect())
}

/// The type after cleaning, where that is not text.
fn typing(clean: &Clean, column: &ReadColumn) -> Result<Option<Typing>, RunError> {
    let number = NumberFormat { decimal: clean.decimal.unwrap_or('.'), group: clean.group };
    let asked = match &clean.ty {
        None => None,
        Some(ty) => Some(ColumnKind::from_duckdb(&ty.to_uppercase()).ok_or_else(|| {
            RunError::usage(format!("clean {}: `{ty}` is no type", column.name))
                .with_hint("use VARCHAR, BIGINT, INTEGER, DOUBLE, DECIMAL(18,2) or DATE")
        })?),
    };
    let numeric = |kind: &ColumnKind| {
        use ColumnKind::{BigInt, Decimal, Double, Int};
        matches!(kind, BigInt | Int | Double | Decimal(_))
    };
    let kind = match clean.form {
        Some(Form::Number) => Some(asked.unwrap_or(if numeric(&column.kind) {
            column.kind
        } else {
            ColumnKind::Double
        })),
        Some(Form::Date) => Some(asked.unwrap_or(ColumnKind::Date)),
        // Filled up or written as a ZIP code, digits are no number any more.
        Some(_) => asked,
        None if clean.pad.is_some() || clean.case.is_some() => asked,
        None => asked.or(Some(column.kind).filter(numeric)),
    };
    let sound = match (clean.form, kind) {
        (Some(Form::Date), Some(kind)) => kind == ColumnKind::Date,
        (_, Some(kind)) => numeric(&kind) || kind == ColumnKind::Text,
        _ => true,
    };
    if !sound {
        return Err(RunError::usage(format!("clean {}: it cannot get this type", column.name))
            .with_hint("numbers: as = \"number\"; dates: as = \"date\" with formats"));
    }
    let kind = kind.filter(|kind| *kind != ColumnKind::Text);
    Ok(kind.map(|kind| Typing { kind, number, dates: clean.formats.clone() }))
}

/// Tells schema and table what the recipe makes.
fn settle(
    input: &mut Prepared,
    recipe: &Recipe,
    position: usize,
    kind: Option<&Kind>,
) -> Result<(), RunError> {
    if let Some(into) = &recipe.into {
        return add_column(input, recipe, into, kind);
    }
    let made = crate::transform::clean::kind_of(recipe.typing.as_ref());
    let column = &input.schema.columns[position];
    if column.kind != ColumnKind::Text || made != ColumnKind::Text {
        input.cleaning.as_text.push(position);
    }
    if column.kind == made {
        return Ok(());
    }
    if kind.is_some() {
        let message = format!("clean {}: a roll's column keeps its type", column.name);
        return Err(
            RunError::usage(message).with_hint(format!("type = \"{}\"", column.kind.duckdb()))
        );
    }
    let column = &mut Arc::make_mut(&mut input.schema).columns[position];
    column.kind = made;
    let name = column.name.clone();
    for target in input.spec.columns.iter_mut().filter(|target| target.name == name) {
        target.ty = made.duckdb();
    }
    input.column_notes.retain(|(noted, _)| *noted != name);
    Ok(())
}

/// A column beside the one that is cleaned.
fn add_column(
    input: &mut Prepared,
    recipe: &Recipe,
    into: &str,
    kind: Option<&Kind>,
) -> Result<(), RunError> {
    let derived = kind.is_some_and(|kind| kind.derived.iter().any(|known| known.name == into));
    let taken = derived || input.schema.columns.iter().any(|column| column.name == into);
    let named = into.starts_with('_') || into.is_empty();
    let again = input.cleaning.added().any(|known| known == into);
    if taken || named || again {
        return Err(RunError::usage(format!("clean {}: the name {into} is taken", recipe.column)));
    }
    if input.mapping.is_none() {
        input.spec.columns.push(TargetColumn { name: into.to_owned(), ty: ADDED.into() });
    }
    Ok(())
}

/// The agent, where there is something to clean.
pub(super) fn agent(input: &Prepared) -> Option<Arc<dyn StageSpec>> {
    let Cleaned { recipes, kept, .. } = input.cleaning.clone();
    let masked = |kept: &Kept| input.masks.columns.iter().any(|mask| mask.name == kept.column);
    let kept: Vec<_> = kept.into_iter().filter(|kept| !masked(kept)).collect();
    if recipes.is_empty() && kept.is_empty() {
        return None;
    }
    Some(Arc::new(Arc::new(Cleaning { recipes, kept })))
}
