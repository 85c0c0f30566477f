//! What the schema of a Parquet file says of its columns, beside the types that DuckDB makes of them.

use super::decimals::{self, MOST_DIGITS};
use super::explain;
use crate::duck::{Connection, Value};
use crate::source::{SourceError, SourceErrorKind};
use std::path::Path;

/// A column of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Column {
    /// Its name as the file has it.
    pub name: String,
    /// Bytes without an annotation that says what they are.
    pub bare: bool,
    /// All of its values have one length in bytes.
    pub fixed: bool,
    /// Moments of 96 bits.
    pub int96: bool,
}

/// One element of the schema.
struct Element {
    column: Column,
    children: u64,
    /// Precision and scale of a decimal.
    decimal: Option<(i64, i64)>,
}

impl Element {
    fn of(row: &[Value]) -> Self {
        let text = |at: usize| row[at].as_text();
        let number = |at: usize| {
            let value = row[at].as_int();
            value.or_else(|| row[at].as_text()?.parse().ok())
        };
        let (ty, converted, logical) = (text(2), text(3), text(4));
        let fixed = ty == Some("FIXED_LEN_BYTE_ARRAY");
        let bytes = fixed || ty == Some("BYTE_ARRAY");
        let children = number(1).unwrap_or(0).max(0) as u64;
        let decimal = converted == Some("DECIMAL")
            || logical.is_some_and(|logical| logical.starts_with("Decimal"));
        let bare = bytes && children == 0 && converted.is_none() && logical.is_none();
        Self {
            column: Column {
                name: text(0).unwrap_or_default().to_owned(),
                bare,
                fixed,
                int96: ty == Some("INT96") && children == 0,
            },
            children,
            decimal: decimal.then(|| (number(5).unwrap_or(0), number(6).unwrap_or(0))),
        }
    }
}

/// The columns of the file; `None` where its schema is no tree with a root.
///
/// # Errors
/// A decimal with more than 38 digits: DuckDB would read another number.
pub fn columns(
    connection: &Connection,
    path: &Path,
    label: &str,
) -> Result<Option<Vec<Column>>, SourceError> {
    let path = super::literal(path)
        .map_err(|message| SourceError::new(SourceErrorKind::Unreadable, label, message))?;
    let sql = format!(
        "SELECT name, num_children, type, converted_type, logical_type, precision, scale FROM \
         parquet_schema({path})"
    );
    let answer = connection.query(&sql, &[]).map_err(|error| explain(label, &error))?;
    let elements: Vec<_> = answer.rows.iter().map(|row| Element::of(row)).collect();
    for element in &elements {
        if let Some((precision, scale)) = element.decimal.filter(|it| it.0 > MOST_DIGITS) {
            return Err(decimals::refused(label, &element.column.name, precision, scale));
        }
    }
    // The tree is written depth first, the root before all others.
    let mut elements = elements.into_iter();
    let Some(width) = elements.next().map(|root| root.children) else { return Ok(None) };
    let mut columns = Vec::new();
    while let Some(element) = elements.next() {
        let mut below = element.children;
        columns.push(element.column);
        while below > 0 {
            let Some(element) = elements.next() else { return Ok(None) };
            below = below - 1 + element.children;
        }
    }
    Ok((columns.len() as u64 == width).then_some(columns))
}
