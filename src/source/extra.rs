//! The `_extra` column: JSON of the fields that have no column of their own.

use super::columns::ColumnBuilder;
use crate::chunk::{ReadColumn, ReadSchema};
use polars::prelude::Column;

/// Collects the extra fields of one record after another.
pub struct ExtraBuilder {
    builder: ColumnBuilder,
    /// Names as JSON strings, by position in `ReadSchema::extra`.
    names: Vec<String>,
    json: String,
}

impl ExtraBuilder {
    /// A builder for about `capacity` rows; `None` where the schema carries no extra field.
    pub fn new(schema: &ReadSchema, capacity: usize) -> Option<Self> {
        (!schema.extra.is_empty()).then(|| Self::always(schema, capacity))
    }

    /// A builder where rows may hold more than the header names.
    pub fn always(schema: &ReadSchema, capacity: usize) -> Self {
        let quote = |name: &String| serde_json::Value::from(name.as_str()).to_string();
        Self {
            builder: ColumnBuilder::new(&spec(), capacity),
            names: schema.extra.iter().map(|(_, name)| quote(name)).collect(),
            json: String::new(),
        }
    }

    /// Adds a field of the current record; blank text is left out.
    pub fn add(&mut self, extra: u16, text: &str) {
        if text.trim().is_empty() {
            return;
        }
        self.json.push(if self.json.is_empty() { '{' } else { ',' });
        self.json.push_str(&self.names[usize::from(extra)]);
        self.value(text);
    }

    /// Adds a field behind the last one that the header names, called by its position.
    pub fn add_beyond(&mut self, field: usize, text: &str) {
        if text.trim().is_empty() {
            return;
        }
        self.json.push(if self.json.is_empty() { '{' } else { ',' });
        self.json.push_str(&format!("\"column_{}\"", field + 1));
        self.value(text);
    }

    fn value(&mut self, text: &str) {
        self.json.push(':');
        self.json.push_str(&serde_json::Value::from(text).to_string());
    }

    /// Ends the record.
    pub fn end_record(&mut self) {
        if self.json.is_empty() {
            self.builder.push_null();
            return;
        }
        self.json.push('}');
        // Plain text without limits always fits: JSON writes a NUL as an escape.
        let _ = self.builder.push_text(&self.json);
        self.json.clear();
    }

    /// The finished column.
    pub fn finish(self) -> Column {
        self.builder.finish()
    }
}

fn spec() -> ReadColumn {
    ReadColumn::text("_extra", "_extra", 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_json_objects_and_blank_ones_null() {
        let schema = ReadSchema {
            extra: vec![(0, "a \"b\"".into()), (1, "c".into())],
            ..ReadSchema::default()
        };
        let mut extra = ExtraBuilder::new(&schema, 2).expect("extra fields");
        extra.add(0, "x\0");
        extra.add(1, "1");
        extra.end_record();
        extra.add(0, "  ");
        extra.end_record();
        let column = extra.finish();
        let values: Vec<_> = column.str().expect("text").iter().collect();
        assert_eq!(values, [Some(r#"{"a \"b\"":"x\u0000","c":"1"}"#), None]);
    }
}
