//! Values that are the same in every row because they stand in a code table:
//! `(SELECT column FROM table WHERE column = 'key')`.

use super::check::{Node, Scope, Ty, Typed};
use super::eval::plain_number;
use super::parse::{Subquery, Tree};

/// The value of a subquery, where there is at most one.
pub(super) fn constant(of: &Subquery, scope: &Scope<'_>) -> Option<Typed> {
    let table = scope.tables.iter().find(|table| table.name.eq_ignore_ascii_case(&of.table))?;
    let keys = &table.columns[table.position(&of.column)?];
    let key = literal(&of.key)?;
    let mut found = keys.iter().enumerate().filter(|(_, have)| *have == Some(key.as_str()));
    let row = found.next().map(|(row, _)| row);
    // Of several DuckDB makes an error.
    if found.next().is_some() {
        return None;
    }
    let cell = |name: &str| Some(row.and_then(|row| table.columns[table.position(name)?].get(row)));
    match &of.item {
        Tree::Name(None, name) => {
            table.position(name)?;
            let text = cell(name)?.map_or(Node::Null, |text| Node::Text(text.to_owned()));
            Some(Typed { node: text, ty: Ty::Text })
        }
        Tree::Cast { of, to, .. } if to.eq_ignore_ascii_case("integer") => {
            let Tree::Name(None, name) = &**of else { return None };
            table.position(name)?;
            let node = match cell(name)? {
                Some(text) => Node::Whole(plain_number(text)?),
                None => Node::Null,
            };
            Some(Typed { node, ty: Ty::Int })
        }
        _ => None,
    }
}

/// The text that a key is.
fn literal(key: &Tree) -> Option<String> {
    match key {
        Tree::Text(text) => Some(text.clone()),
        Tree::Cast { of, to, .. } if to.eq_ignore_ascii_case("varchar") => match &**of {
            Tree::Whole(number) => Some(number.to_string()),
            Tree::Text(text) => Some(text.clone()),
            _ => None,
        },
        _ => None,
    }
}
