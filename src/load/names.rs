//! How names of columns and tables are compared: the one place for it.
//!
//! DuckDB takes names that differ only in the case of ASCII letters for the same, also in quotes.
//! PostgreSQL keeps quoted names apart to the letter, and the program quotes all of them. Beside what a
//! database takes for the same there are two wider questions, asked when a column of a file looks for its
//! column of a table: the *plain form* of a name, which a new column gets, and the *header key*, by which
//! two headers are the same header.

/// What a database takes for the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameRule {
    /// The case of ASCII letters does not matter (DuckDB).
    IgnoreCase,
    /// Every character matters (PostgreSQL, where names are quoted).
    Exact,
}

impl NameRule {
    /// Whether two names are one to the database.
    pub fn same(self, a: &str, b: &str) -> bool {
        match self {
            Self::IgnoreCase => a.eq_ignore_ascii_case(b),
            Self::Exact => a == b,
        }
    }

    /// Whether the database has a column of this name in each table, beside those of the user: `CREATE TABLE`
    /// refuses it (PostgreSQL), or questions for the number of a row would read the user's column (DuckDB).
    pub fn is_reserved(self, name: &str) -> bool {
        let own: &[&str] = match self {
            Self::IgnoreCase => &["rowid"],
            Self::Exact => &["tableoid", "ctid", "xmin", "xmax", "cmin", "cmax"],
        };
        own.iter().any(|own| self.same(own, name))
    }

    /// Most columns of a table, where there is a limit.
    pub fn most_columns(self) -> Option<usize> {
        match self {
            Self::IgnoreCase => None,
            Self::Exact => Some(1_600),
        }
    }

    /// A name in the form in which equal ones are equal texts.
    pub fn folded(self, name: &str) -> String {
        match self {
            Self::IgnoreCase => name.to_ascii_lowercase(),
            Self::Exact => name.to_owned(),
        }
    }
}

/// Longest name of a column or table that is made from a header or a file name, in bytes: what a
/// PostgreSQL server keeps.
pub const LONGEST: usize = 63;

/// The plain form of a header: lower case, one underscore for anything that is no letter, digit or
/// underscore, at most [`LONGEST`] bytes.
pub fn plain(text: &str) -> String {
    let mut name = whole(text);
    name.truncate(name.floor_char_boundary(LONGEST));
    name
}

/// The plain form, however long it is.
pub fn whole(text: &str) -> String {
    let mut name = String::new();
    for c in text.trim().chars() {
        if c.is_alphanumeric() {
            name.extend(c.to_lowercase());
        } else if c == '_' || !name.ends_with('_') {
            name.push('_');
        }
    }
    name.trim_end_matches('_').to_owned()
}

/// A name with `_` and a number behind it that is not longer than [`LONGEST`] bytes.
pub fn numbered(name: &str, number: usize) -> String {
    let end = format!("_{number}");
    let kept = name.floor_char_boundary(LONGEST - end.len());
    format!("{}{end}", &name[..kept])
}

/// What two headers share that are the same header: case, blanks, `_`, `-` and `.` do not matter.
pub fn header_key(header: &str) -> String {
    let matters = |c: &char| !c.is_whitespace() && !matches!(c, '_' | '-' | '.');
    header.chars().filter(matters).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_matters_where_the_database_says_so() {
        assert!(NameRule::IgnoreCase.same("ID", "id") && !NameRule::Exact.same("ID", "id"));
        // DuckDB folds ASCII letters only.
        assert!(!NameRule::IgnoreCase.same("É", "é"));
    }

    #[test]
    fn signs_tell_headers_apart_and_separators_do_not() {
        assert_eq!(header_key("Sale Price"), header_key("SALE_PRICE"));
        assert_eq!(header_key("a.b-c"), header_key("A B C"));
        assert_ne!(header_key("Sale $"), header_key("Sale %"));
    }

    #[test]
    fn numbered_names_stay_within_what_a_server_keeps() {
        let long = "ä".repeat(40);
        let name = numbered(&long, 12);
        assert!(name.len() <= LONGEST && name.ends_with("ä_12"), "{name}");
        assert_eq!(numbered("sale", 2), "sale_2");
    }
}
