//! The rows of a scope behind a load, counted by several connections at once.
//!
//! All rows are committed by then, so each connection sees them. A new table has no statistics yet, and
//! the server would look up each row by the index of its key, on one core; here each connection reads a part
//! of the table's pages, the last one to its end, and the server is kept from its indexes: with them each
//! connection would look up all rows and throw away those of other pages (0.15 s of a load of 300,000
//! parcels). Whoever asks compares the sum with what the ledger claims, and asks in another way where they
//! differ.

use super::link::PgLink;
use super::pool::Loan;
use super::target::{Server, answer};
use super::text::{bind, text_literal};
use crate::duck::Value;
use crate::load::ledger::scope_text;
use crate::load::table::TableSpec;
use crate::load::target::{Counts, Stretch};
use crate::load::{Link, LoadError};
use std::collections::BTreeSet;
use std::ops::Range;

/// Servers from here on find the rows of some pages without reading all others.
const READS_PAGES: u64 = 140_000;
/// Pages that are worth a connection: two megabytes.
const WORTH: u64 = 256;
/// Begins a transaction that reads pages where it is asked for them.
const BY_PAGES: &str = "BEGIN READ ONLY; SET LOCAL enable_indexscan = off; \
                        SET LOCAL enable_bitmapscan = off; SET LOCAL jit = off";
/// As many times its length are looked at before and behind a stretch.
const AROUND: u64 = 2;
/// Most connections at work.
const MOST: usize = 4;
/// Pages of which some rows are looked at.
const SPOTS: u64 = 8;

/// Numbers over rows of a scope. `None` where one question does as well: the table holds more of other scopes,
/// is small, or no connections are at rest; or where other connections would not see all rows.
pub fn count(
    link: &PgLink,
    server: &Server,
    spec: &TableSpec,
    counts: &Counts<'_>,
) -> Result<Option<Vec<u64>>, LoadError> {
    let connections = server.pool.len().min(MOST);
    if server.version < READS_PAGES || connections < 2 || !counts.committed {
        return Ok(None);
    }
    let others = others(link, spec)?;
    if counts.claims < others {
        return Ok(None);
    }
    let pages = pages(link, spec)?;
    if pages < 2 * WORTH {
        return Ok(None);
    }
    let looked_at = counts.near.and_then(|near| stretch(pages, near, others));
    let (from, to) = looked_at.unwrap_or((0, pages));
    let parts = parts(from..to, pages, ((to - from) / WORTH).min(connections as u64));
    let Counts { numbers, table, condition: of_rows, values, .. } = counts;
    let all = format!("SELECT ARRAY[{}]::text FROM {table} WHERE {of_rows}", numbers.join(", "));
    let question = bind(&all, values)?;
    let counted: Vec<_> = std::thread::scope(|scope| {
        let ask = |part: &Range<Option<u64>>| {
            let sql = format!("{question}{}", condition(part));
            scope.spawn(move || counts_of(server.open()?, &sql))
        };
        let asked: Vec<_> = parts.iter().map(ask).collect();
        asked.into_iter().map(|part| part.join().ok()?.ok()?).collect()
    });
    // Where one of them has failed, all is asked again, and what is wrong is told then.
    let parts: Option<Vec<Vec<u64>>> = counted.into_iter().collect();
    Ok(parts.map(|parts| {
        (0..numbers.len()).map(|at| parts.iter().filter_map(|part| part.get(at)).sum()).collect()
    }))
}

/// Rows of the table that the ledger knows of in other scopes.
fn others(con: &dyn Link, spec: &TableSpec) -> Result<u64, LoadError> {
    con.number(
        "SELECT coalesce(sum(rows), 0)::BIGINT FROM etl.counts WHERE \"table\" = ? AND scope <> ?",
        &[Value::from(spec.name.as_str()), Value::from(scope_text(spec))],
    )
}

/// Pages of a table that has its rows itself; none of others.
fn pages(con: &dyn Link, spec: &TableSpec) -> Result<u64, LoadError> {
    let sql = bind(
        "SELECT pg_relation_size(oid) / current_setting('block_size')::bigint FROM pg_class \
         WHERE oid = to_regclass(?) AND relkind = 'r' AND NOT relhassubclass",
        &[Value::from(con.table(&spec.name))],
    )?;
    con.number(&sql, &[])
}

/// Pages on which the rows of a stretch should be, in a table with so many rows of other scopes: rows are as
/// wide here as there, and come in their order but for the commits of other connections, which the stretch
/// is made longer for. `None`: not known.
fn stretch(pages: u64, near: Stretch, others: u64) -> Option<(u64, u64)> {
    let rows = near.scope? + others;
    let first = rows.checked_sub(near.input.committed)?;
    let more = AROUND * (near.to - near.from);
    let page = |row: u64| (u128::from(row) * u128::from(pages) / u128::from(rows.max(1))) as u64;
    let (from, to) =
        (page((first + near.from).saturating_sub(more)), page(first + near.to + more) + 1);
    Some((from, to.min(pages)))
}

/// Parts of some of the pages. The first of a table has no beginning and the last no end.
fn parts(of: Range<u64>, pages: u64, count: u64) -> Vec<Range<Option<u64>>> {
    let count = count.max(1);
    let bound = |at: u64| {
        let page = of.start + (of.end - of.start) * at / count;
        (page > 0 && page < pages).then_some(page)
    };
    (0..count).map(|at| bound(at)..bound(at + 1)).collect()
}

fn condition(part: &Range<Option<u64>>) -> String {
    let place = |page: u64| text_literal(&format!("({page},0)"));
    let from = part.start.map(|page| format!(" AND ctid >= {}::tid", place(page)));
    let to = part.end.map(|page| format!(" AND ctid < {}::tid", place(page)));
    [from, to].into_iter().flatten().collect()
}

/// The numbers of an answer, which is an array of them as text.
fn counts_of(mut session: Loan, sql: &str) -> Result<Option<Vec<u64>>, LoadError> {
    let text = answer(&mut session, &format!("{BY_PAGES}; {sql}; COMMIT"))?.unwrap_or_default();
    let numbers = text.trim_matches(['{', '}']).split(',').map(|number| number.parse().ok());
    Ok(numbers.collect())
}

/// SQL condition for a few rows on pages all over a table, with the last ones among them.
pub fn spots(con: &dyn Link, spec: &TableSpec) -> Result<Option<String>, LoadError> {
    let pages = pages(con, spec)?;
    let all_over = (0..SPOTS).map(|at| pages * at / SPOTS);
    let last = pages.saturating_sub(SPOTS / 2)..pages;
    let chosen: BTreeSet<_> = all_over.chain(last).filter(|page| *page < pages).collect();
    let rows = chosen.iter().flat_map(|page| [1, 2].map(|row| format!("\"({page},{row})\"")));
    let list = rows.collect::<Vec<_>>().join(",");
    Ok((pages > 0).then(|| format!("ctid = ANY ({}::tid[])", text_literal(&format!("{{{list}}}")))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::target::LastRows;

    #[test]
    fn each_page_is_in_one_part() {
        let parts = parts(0..10, 10, 3);
        assert_eq!(parts, [None..Some(3), Some(3)..Some(6), Some(6)..None]);
        let conditions: Vec<_> = parts.iter().map(condition).collect();
        assert_eq!(conditions[0], " AND ctid < '(3,0)'::tid");
        assert_eq!(conditions[1], " AND ctid >= '(3,0)'::tid AND ctid < '(6,0)'::tid");
        assert_eq!(conditions[2], " AND ctid >= '(6,0)'::tid");
    }

    #[test]
    fn a_stretch_lies_where_its_rows_should_be() {
        let input = LastRows { committed: 1_000, open: 0 };
        let near = |from, to, scope| Stretch { input, from, to, scope };
        // Ten rows on a page; the table has 3,000 more rows before these.
        assert_eq!(stretch(400, near(0, 100, Some(1_000)), 3_000), Some((280, 331)));
        assert_eq!(stretch(400, near(900, 1_000, Some(4_000)), 0), Some((370, 400)));
        assert_eq!(stretch(100, near(0, 1_000, Some(1_000)), 0), Some((0, 100)));
        assert_eq!(stretch(100, near(0, 1_000, None), 0), None);
        assert_eq!(parts(280..331, 400, 1), [Some(280)..Some(331)]);
        assert_eq!(parts(370..400, 400, 1), [Some(370)..None]);
    }
}
