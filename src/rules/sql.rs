//! Rules about rows as DuckDB expressions.

use super::model::{Check, UserRule};

/// A number without zeros behind the point: `1` for 1.0, `1.5` for 1.50.
const BARE: &str = "regexp_replace(regexp_replace(CAST({column} AS VARCHAR), \
    '(\\.[0-9]*[1-9])0+$', '\\1'), '\\.0*$', '')";

/// A demand on rows in SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowCheck {
    /// False where the rule is broken.
    pub ok: String,
    /// The same for one of the columns, written `{column}`.
    pub each: Option<String>,
    /// What a finding says, where the rule does not say it itself.
    pub message: String,
}

impl UserRule {
    /// The demand on rows; `None` where it is on the file as a whole. `decimals` says of which columns the
    /// type has some: these write 1 as `1.0`, and a list does not.
    pub fn row_check(&self, decimals: impl Fn(&str) -> bool) -> Option<RowCheck> {
        let decimals = self.columns.iter().any(|column| decimals(column));
        let each = match &self.check {
            Check::Ok(ok) => {
                let message = format!("the rule {} does not hold", self.id);
                return Some(RowCheck { ok: ok.clone(), each: None, message });
            }
            Check::NotNull => "{column} IS NOT NULL".to_owned(),
            Check::Range { min, max } => {
                let least = min.as_ref().map(|min| format!("{{column}} >= {min}"));
                let most = max.as_ref().map(|max| format!("{{column}} <= {max}"));
                least.into_iter().chain(most).collect::<Vec<_>>().join(" AND ")
            }
            Check::Pattern(pattern) => {
                format!("regexp_full_match(CAST({{column}} AS VARCHAR), {})", literal(pattern))
            }
            Check::Set(values) => {
                let values: Vec<_> = values.iter().map(|value| literal(value)).collect();
                let text = match decimals {
                    true => BARE,
                    false => "CAST({column} AS VARCHAR)",
                };
                format!("list_contains([{}], {text})", values.join(", "))
            }
            Check::Unique | Check::FreshDays(_) | Check::Outlier(_) => return None,
        };
        let one = |column: &String| {
            let part = each.replace("{column}", &name(column));
            // A blank never breaks a rule that speaks of values.
            match self.check {
                Check::NotNull => part,
                _ => format!("coalesce({part}, TRUE)"),
            }
        };
        let parts: Vec<_> = self.columns.iter().map(one).collect();
        // What blames a column puts its bare name in.
        let bare = !self.columns.iter().any(|column| column.contains('"'));
        let each = bare.then(|| each.replace("{column}", "\"{column}\""));
        Some(RowCheck { ok: parts.join(" AND "), each, message: self.demand() })
    }

    /// What a value that breaks the rule is, in words.
    fn demand(&self) -> String {
        let value = match self.columns.as_slice() {
            [column] => format!("{column} '{{{column}}}'"),
            columns => format!("one of {}", columns.join(", ")),
        };
        let name = match self.columns.as_slice() {
            [column] => column.clone(),
            columns => format!("one of {}", columns.join(", ")),
        };
        match &self.check {
            Check::NotNull => format!("{name} is blank"),
            Check::Range { min: Some(min), max: Some(max) } => {
                format!("{value} is not between {min} and {max}")
            }
            Check::Range { min: Some(min), .. } => format!("{value} is below {min}"),
            Check::Range { max: Some(max), .. } => format!("{value} is above {max}"),
            Check::Pattern(_) => format!("{value} does not match its pattern"),
            Check::Set(_) => format!("{value} is not in the list"),
            _ => format!("the rule {} does not hold", self.id),
        }
    }
}

/// A column in SQL. Always in quotes: `left` and `order` are names of columns too.
pub fn name(column: &str) -> String {
    format!("\"{}\"", column.replace('"', "\"\""))
}

/// A text as an SQL literal.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
