//! Flags of the commands that ask the questions of a pack: `etl gold` and `etl diff`.

use super::args::usage;
use super::error::CliError;
use crate::run::TableName;
use clap::Args;

/// What a question of the pack is asked with.
#[derive(Debug, Args)]
pub struct InsightArgs {
    /// A number of the pack's questions, such as months=12 (may be repeated)
    #[arg(long, value_name = "NAME=N", value_parser = number)]
    pub set: Vec<(String, i64)>,
    /// Table that holds the rolls of a kind, where there are several (may be repeated)
    #[arg(long, value_name = "KIND=TABLE", value_parser = named)]
    pub rolls: Vec<(String, TableName)>,
    /// Schema of what is made in the target
    #[arg(long, value_name = "NAME", default_value = "gold")]
    schema: String,
}

impl InsightArgs {
    /// The schema, if it may be written to.
    pub fn schema(&self) -> Result<&str, CliError> {
        match self.schema.trim() {
            own if own.is_empty() || own.eq_ignore_ascii_case("etl") => {
                Err(usage("the schema `etl` is the ledger's", "name another by --schema"))
            }
            _ => Ok(&self.schema),
        }
    }
}

/// `months=12`.
fn number(text: &str) -> Result<(String, i64), String> {
    let (name, number) = text.split_once('=').ok_or("write it like months=12")?;
    let number = number.parse().map_err(|_| format!("`{number}` is no whole number"))?;
    Ok((name.to_owned(), number))
}

/// `nal=my_parcels`.
fn named(text: &str) -> Result<(String, TableName), String> {
    match text.split_once('=') {
        Some((kind, table)) if !kind.is_empty() && !table.is_empty() => {
            Ok((kind.to_owned(), table.parse()?))
        }
        _ => Err("write it like nal=my_parcels".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_tables_have_names() {
        assert_eq!(number("months=12"), Ok(("months".into(), 12)));
        assert!(number("months").is_err() && number("a=b").is_err());
        assert_eq!(named("nal=p"), Ok(("nal".into(), TableName::plain("p"))));
        assert!(named("nal=").is_err() && named("=p").is_err());
    }
}
