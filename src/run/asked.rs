//! What users say of single columns, as they write it: `COLUMN=FORMAT`, `COLUMN=TYPE`.

use crate::chunk::ColumnKind;
use crate::pack::names_a_day;

/// The column and the format of its dates: `sold=%m/%d/%y`. An error says what is wrong.
pub fn date_format_of(text: &str) -> Result<(String, String), String> {
    let (column, format) =
        halves(text).ok_or_else(|| format!("`{text}` does not name a column and a format"))?;
    match names_a_day(&format) {
        true => Ok((column, format)),
        false => Err(format!("`{format}` is not a format of dates")),
    }
}

/// The column and its type: `zip=VARCHAR`. An error says what is wrong.
pub fn type_of(text: &str) -> Result<(String, ColumnKind), String> {
    let (column, ty) =
        halves(text).ok_or_else(|| format!("`{text}` does not name a column and a type"))?;
    let kind = ColumnKind::from_name(&ty);
    Ok((column, kind.ok_or_else(|| format!("`{ty}` is not a type of columns"))?))
}

/// What stands before and behind the first `=`, where both are there.
fn halves(text: &str) -> Option<(String, String)> {
    let (before, behind) = text.split_once('=')?;
    let (before, behind) = (before.trim(), behind.trim());
    (!before.is_empty() && !behind.is_empty()).then(|| (before.to_owned(), behind.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_have_formats_and_types() {
        assert_eq!(date_format_of("sold = %m/%d/%y"), Ok(("sold".into(), "%m/%d/%y".into())));
        assert_eq!(type_of("zip=text"), Ok(("zip".into(), ColumnKind::Text)));
        assert_eq!(type_of("v=decimal(18, 2)"), Ok(("v".into(), ColumnKind::Decimal(2))));
        assert_eq!(type_of("t=timestamptz"), Ok(("t".into(), ColumnKind::TimestampTz)));
        for wrong in ["sold", "=%m", "sold=", "sold=%m/%d", "sold=%Q"] {
            assert!(date_format_of(wrong).is_err(), "{wrong}");
        }
        for wrong in ["zip", "zip=", "=text", "zip=words", "zip=DECIMAL(18,19)"] {
            assert!(type_of(wrong).is_err(), "{wrong}");
        }
    }
}
