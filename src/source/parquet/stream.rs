//! The query that reads a file in order, and the source that asks it for pages.

use super::decode::{Page, ParquetBlock};
use super::survey::ParquetTable;
use super::types::Select;
use super::{connect, explain, scan};
use crate::chunk::{Mark, ReadSchema};
use crate::source::content::Spooled;
use crate::source::feed::{Feed, Taker, Wanted};
use crate::source::{Block, Source, SourceError, SourceErrorKind};
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Reads the rows of one file in order.
pub struct ParquetSource {
    feed: Feed<Page>,
    schema: Arc<ReadSchema>,
    fields: Arc<Vec<usize>>,
    selects: Arc<Vec<Select>>,
    label: String,
    /// Row number of the next record.
    row: u64,
    rows: u64,
    file_bytes: u64,
}

impl ParquetSource {
    pub(super) fn open(
        table: &ParquetTable,
        schema: Arc<ReadSchema>,
        from: Mark,
    ) -> Result<Self, SourceError> {
        let bound = schema.columns.iter().map(|column| column.field);
        let extra = schema.extra.iter().map(|(field, _)| *field);
        let fields: Vec<_> = bound.chain(extra).collect::<BTreeSet<_>>().into_iter().collect();
        let row = from.row.max(1);
        let label = table.label.clone();
        let picks: Vec<_> =
            fields.iter().map(|field| table.readings[*field].of(&format!("c{field}"))).collect();
        let picks = if picks.is_empty() { "true".to_owned() } else { picks.join(", ") };
        let from = scan(table.file.path(), table.readings.len())
            .map_err(|message| SourceError::new(SourceErrorKind::Unreadable, &label, message))?;
        // An offset skips whole row groups without reading them.
        let sql = format!("SELECT {picks} FROM {from} OFFSET {}", row - 1);
        let file = table.file.clone();
        let feed = Feed::start("Parquet", &label, {
            let label = label.clone();
            move |taker, wanted| read(taker, wanted, &sql, &label, &file)
        })?;
        Ok(Self {
            feed,
            schema,
            selects: Arc::new(fields.iter().map(|field| table.readings[*field].select).collect()),
            fields: Arc::new(fields),
            label,
            row,
            rows: table.rows,
            file_bytes: table.file_bytes,
        })
    }
}

/// Runs on the thread. `_file` keeps a temporary copy until the end.
fn read(
    taker: &mut Taker<Page>,
    mut wanted: Wanted,
    sql: &str,
    label: &str,
    _file: &Spooled,
) -> Result<Option<Page>, SourceError> {
    let connection = connect().map_err(|error| explain(label, &error))?;
    let mut page = Page::default();
    let done = connection.query_frames(sql, |frame| {
        // The page is handed over only when more rows come, so that the last one is not empty.
        if wanted.is_met(page.len(), page.bytes()) {
            match taker.give(std::mem::take(&mut page)) {
                Some(next) => wanted = next,
                None => return ControlFlow::Break(()),
            }
        }
        page.push(frame);
        ControlFlow::Continue(())
    });
    done.map_err(|error| explain(label, &error))?;
    Ok(Some(page).filter(|page| page.len() > 0))
}

impl Source for ParquetSource {
    fn next_block(&mut self, rows: usize, bytes: usize) -> Result<Option<Block>, SourceError> {
        let Some(page) = self.feed.ask(Wanted::new(rows, bytes))? else {
            // A cut row group must never be fewer rows.
            return if self.row > self.rows { Ok(None) } else { Err(missing(self)) };
        };
        let first_row = self.row;
        self.row += page.len() as u64;
        let share = (self.row - 1) as f64 / self.rows.max(1) as f64;
        Ok(Some(Block {
            bytes: page.bytes() as u64,
            consumed: (self.file_bytes as f64 * share.min(1.0)) as u64,
            body: Box::new(ParquetBlock {
                page,
                first_row,
                fields: Arc::clone(&self.fields),
                selects: Arc::clone(&self.selects),
                schema: Arc::clone(&self.schema),
                label: self.label.clone(),
            }),
        }))
    }
}

fn missing(source: &ParquetSource) -> SourceError {
    let message = format!("the file promises {} rows and holds {}", source.rows, source.row - 1);
    SourceError::new(SourceErrorKind::Broken, &source.label, message).with_hint("download it again")
}
