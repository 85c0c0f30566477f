//! Records that a replay has used up, appended within the transaction of their range.

use crate::duck::{Appender, Connection, Frame};
use crate::load::target::SCHEMA;
use crate::load::{LoadError, Replayed};
use polars_arrow::array::{PrimitiveArray, Utf8ViewArray};

/// Writes records as used up, in the open transaction of their range.
pub fn insert(
    con: &Connection,
    run: &str,
    input: u32,
    replayed: &[Replayed],
) -> Result<(), LoadError> {
    if replayed.is_empty() {
        return Ok(());
    }
    let mut frame = Frame::new();
    let text = |values: Vec<String>| Box::new(Utf8ViewArray::from_slice_values(values));
    frame.push_uuids("record", replayed.iter().map(|record| Some(record.id.0)))?;
    let refused_by = replayed.iter().map(|record| record.refused_by.clone());
    frame.push("refused_by", text(refused_by.collect()))?;
    frame.push("run", text(vec![run.to_owned(); replayed.len()]))?;
    let inputs = PrimitiveArray::from_vec(vec![input as i32; replayed.len()]);
    frame.push("input", Box::new(inputs))?;
    frame.push(
        "fate",
        text(replayed.iter().map(|record| record.fate.name().to_owned()).collect()),
    )?;
    frame.push_uuids("content", replayed.iter().map(|record| record.content))?;
    let mut appender: Appender<'_> = con.appender(SCHEMA, "reprocessed")?;
    appender.append(&frame)?;
    Ok(appender.close()?)
}
