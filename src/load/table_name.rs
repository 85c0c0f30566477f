//! The name of a table as a user writes it.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::str::FromStr;

/// `table` or `schema.table`. Either part may stand in double quotes, as in SQL: `"a.b"` is a name that
/// holds a dot, and `""` within quotes is a quote. Capitals stay capitals, in quotes or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableName {
    schema: Option<String>,
    table: String,
    dotted: Option<String>,
    remark: Option<String>,
}

/// A part of a name.
struct Part {
    name: String,
    quoted: bool,
}

impl TableName {
    /// A table whose name is just as it stands here, dots and quotes too.
    pub fn plain(table: impl Into<String>) -> Self {
        Self { schema: None, table: table.into(), dotted: None, remark: None }
    }

    /// The same with a sentence about how it was understood.
    #[must_use]
    pub fn with_remark(mut self, remark: String) -> Self {
        self.remark = Some(remark);
        self
    }

    /// The schema, where one is named.
    pub fn schema(&self) -> Option<&str> {
        self.schema.as_deref()
    }

    /// The table without its schema.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// The whole name where it holds a dot and no quotes: programs before there were schemas made a
    /// table of just that name.
    pub fn dotted(&self) -> Option<&str> {
        self.dotted.as_deref()
    }

    /// How it was understood, where that is worth a word.
    pub fn remark(&self) -> Option<&str> {
        self.remark.as_deref()
    }
}

impl FromStr for TableName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.is_empty() {
            return Err("the name of the table is empty".into());
        }
        if text.contains('\0') {
            return Err("the name of a table cannot hold a NUL character".into());
        }
        let parts = parts(text)?;
        if parts.iter().any(|part| part.name.is_empty()) {
            return Err(
                "a part of the name of the table is empty; write TABLE or SCHEMA.TABLE, and \
                        a name with a dot in quotes: \"a.b\""
                    .into(),
            );
        }
        let plain = parts.iter().all(|part| !part.quoted);
        let dotted = (plain && parts.len() > 1).then(|| text.to_owned());
        let mut names = parts.into_iter().map(|part| part.name);
        match (names.next(), names.next(), names.next()) {
            (Some(table), None, _) => Ok(Self::plain(table)),
            (schema, Some(table), None) => Ok(Self { schema, table, dotted, remark: None }),
            _ => {
                Err("the name of the table has more parts than a schema and a table; a name with \
                      dots stands in quotes: \"a.b.c\""
                    .into())
            }
        }
    }
}

/// The parts between dots.
fn parts(text: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut rest = text;
    loop {
        let (part, behind) = first_part(rest)?;
        parts.push(part);
        match behind.trim_start().strip_prefix('.') {
            Some(next) => rest = next.trim_start(),
            None if behind.trim().is_empty() => return Ok(parts),
            None => {
                return Err("something stands behind the closing quote of a name; write \
                            \"SCHEMA\".\"TABLE\""
                    .into());
            }
        }
    }
}

fn first_part(text: &str) -> Result<(Part, &str), String> {
    let Some(inside) = text.strip_prefix('"') else {
        let end = text.find('.').unwrap_or(text.len());
        let name = text[..end].trim().to_owned();
        if name.contains('"') {
            return Err(
                "a quote stands within a name; a name with quotes stands in quotes, and each \
                        of its own is written twice: \"a\"\"b\""
                    .into(),
            );
        }
        return Ok((Part { name, quoted: false }, &text[end..]));
    };
    let mut name = String::new();
    let mut rest = inside;
    while let Some(end) = rest.find('"') {
        name.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(more) => {
                name.push('"');
                rest = more;
            }
            None => return Ok((Part { name, quoted: true }, rest)),
        }
    }
    Err("a quote of the name of the table is not closed".into())
}

/// So that it is read back as the same name.
impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(dotted) = &self.dotted {
            return f.write_str(dotted);
        }
        let part = |f: &mut fmt::Formatter<'_>, name: &str| match name.contains(['.', '"'])
            || name.trim() != name
        {
            true => write!(f, "\"{}\"", name.replace('"', "\"\"")),
            false => f.write_str(name),
        };
        if let Some(schema) = &self.schema {
            part(f, schema)?;
            f.write_str(".")?;
        }
        part(f, &self.table)
    }
}

impl Serialize for TableName {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TableName {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (Option<String>, String, Option<String>) {
        let name: TableName = text.parse().expect(text);
        let again: TableName = name.to_string().parse().expect(text);
        assert_eq!(again, name, "{text} is {name}");
        (name.schema, name.table, name.dotted)
    }

    #[test]
    fn names_are_read_like_identifiers_of_sql() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(parsed("permits"), (None, "permits".into(), None));
        assert_eq!(parsed(" My Permits "), (None, "My Permits".into(), None));
        assert_eq!(parsed("a.b"), (some("a"), "b".into(), some("a.b")));
        assert_eq!(parsed("\"a.b\""), (None, "a.b".into(), None));
        assert_eq!(parsed("\"a\"\"b\".c"), (some("a\"b"), "c".into(), None));
        assert_eq!(parsed("a . \"b.c\""), (some("a"), "b.c".into(), None));
        assert_eq!(parsed("\" a \""), (None, " a ".into(), None));
        assert_eq!(parsed("straße.größe").0, some("straße"));
    }

    #[test]
    fn what_is_no_name_is_told_in_words() {
        for text in
            ["", "  ", ".", "a.", ".b", "\"\"", "a.\"\"", "\"a", "a\"b", "\"a\"b", "a.b.c", "a\0b"]
        {
            let told = text.parse::<TableName>().expect_err(text);
            assert!(told.contains("name"), "{told}");
        }
    }
}
