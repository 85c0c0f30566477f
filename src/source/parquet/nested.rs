//! Bytes in lists, structs and maps that no annotation calls text. Old writers leave it out of all their
//! texts; DuckDB would write them into JSON with escapes for every letter beside ASCII.

use super::thrift::{Fields, Value};
use super::{connect, explain, scan};
use crate::duck::DuckErrorKind;
use crate::source::{SourceError, SourceErrorKind};
use std::path::Path;

/// Fields of a `SchemaElement` (parquet.thrift) and of its logical type.
mod id {
    pub const SCHEMA: i16 = 2;
    pub const TYPE: i16 = 1;
    pub const REPETITION: i16 = 3;
    pub const CHILDREN: i16 = 5;
    pub const CONVERTED: i16 = 6;
    pub const LOGICAL: i16 = 10;
    pub const LOGICAL_VARIANT: i16 = 16;
}
const BYTE_ARRAY: i64 = 6;
const REPEATED: i64 = 2;
/// `converted_type` of texts.
const UTF8: i64 = 0;

/// Columns of the file in which bytes were called text, and how many columns there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Named {
    columns: Vec<usize>,
    width: usize,
}

impl Named {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }
}

/// Calls bytes in lists, structs and maps text. Those of variants are none.
pub fn name_texts(footer: &mut Fields) -> Named {
    let mut elements: Vec<_> = footer.list_mut(id::SCHEMA).collect();
    let mut named = Named::default();
    let mut at = 1;
    while at < elements.len() {
        if name_column(&mut elements, &mut at) {
            named.columns.push(named.width);
        }
        named.width += 1;
    }
    named
}

/// Does it in the column whose element stands at `at`, and goes behind it.
fn name_column(elements: &mut [&mut Fields], at: &mut usize) -> bool {
    let is_list = elements[*at].int(id::REPETITION) == Some(REPEATED);
    let mut changed = is_list && name_element(elements[*at]);
    let mut open = children(elements[*at]);
    let mut variant = if is_variant(elements[*at]) { open } else { 0 };
    *at += 1;
    while open > 0 && *at < elements.len() {
        let element = &mut elements[*at];
        let below = children(element);
        open = open - 1 + below;
        if variant > 0 {
            variant = variant - 1 + below;
        } else if is_variant(element) {
            variant = below;
        } else {
            changed |= name_element(element);
        }
        *at += 1;
    }
    changed
}

fn children(element: &Fields) -> u64 {
    element.int(id::CHILDREN).unwrap_or(0).clamp(0, i64::from(i32::MAX)) as u64
}

fn is_variant(element: &Fields) -> bool {
    let logical = element.fields(id::LOGICAL);
    logical.is_some_and(|logical| logical.get(id::LOGICAL_VARIANT).is_some())
}

fn name_element(element: &mut Fields) -> bool {
    let bare = element.get(id::CONVERTED).is_none() && element.get(id::LOGICAL).is_none();
    let bytes = element.int(id::TYPE) == Some(BYTE_ARRAY) && children(element) == 0;
    if bare && bytes {
        element.0.push((id::CONVERTED, Value::Int(5, UTF8)));
    }
    bare && bytes
}

/// Whether all that was called text is text: reads these columns.
///
/// # Errors
/// Those of reading that say nothing about texts, such as too little memory.
pub fn are_texts(path: &Path, named: &Named, label: &str) -> Result<bool, SourceError> {
    let connection = connect().map_err(|error| explain(label, &error))?;
    let from = scan(path, named.width)
        .map_err(|message| SourceError::new(SourceErrorKind::Unreadable, label, message))?;
    let picks: Vec<_> = named.columns.iter().map(|at| format!("max(hash(c{at}))")).collect();
    match connection.query(&format!("SELECT {} FROM {from}", picks.join(", ")), &[]) {
        Ok(_) => Ok(true),
        Err(error) if error.kind == DuckErrorKind::OutOfMemory => Err(explain(label, &error)),
        // Bytes that are not UTF-8, or damage, which is told by what reads on.
        Err(_) => Ok(false),
    }
}
