//! Writers that drop, swap or empty columns: the account of cells must see each of them, on each target and
//! with each strategy. They stand between what is handed over and a target's own writer, and exist only
//! here.

use super::pg_server::Server;
use etl::chunk::{Fingerprint, Mark, Notes, Origin, Part, Tally};
use etl::duck::Value;
use etl::flow::Meters;
use etl::load::cells::Weighing;
use etl::load::dead_letter::{self, Letterhead};
use etl::load::encode::content_hashes;
use etl::load::ledger::{CellCheck, Finish, InputKey, InputRow, Ledger, NewInput};
use etl::load::table::{Mode, Provenance, Strategy, TableSpec, TargetColumn, side_table};
use etl::load::target::{Changes, Opening, WritePlan};
use etl::load::{Link, LoadError, LoadErrorKind, Piece, Rows, Seal, Target, TargetUrl, Writer};
use polars::prelude::*;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// What a writer does wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    None,
    /// A column does not arrive.
    Drop(&'static str),
    /// It arrives without values.
    Empty(&'static str),
    /// The same for the second piece alone.
    EmptyOnce(&'static str),
    /// The values of two columns are exchanged.
    Swap(&'static str, &'static str),
}

struct Planted<W> {
    writer: W,
    fault: Fault,
    pieces: usize,
}

impl<W> Planted<W> {
    fn harm(&self, rows: &mut Rows) {
        let frame = &mut rows.frame;
        let (count, pieces) = (frame.height(), self.pieces);
        let empty = |frame: &mut DataFrame, name: &str| {
            let dtype = frame.column(name).expect("a column").dtype().clone();
            let nulls = Series::full_null(name.into(), count, &dtype);
            frame.replace(name, nulls.into_column()).expect("the same length");
        };
        match self.fault {
            Fault::None => {}
            Fault::Drop(name) => *frame = frame.drop(name).expect("a column"),
            Fault::Empty(name) => empty(frame, name),
            Fault::EmptyOnce(name) if pieces == 2 => empty(frame, name),
            Fault::EmptyOnce(_) => {}
            Fault::Swap(one, other) => {
                let column = |name: &str| frame.column(name).expect("a column").clone();
                let (mut a, mut b) = (column(one), column(other));
                a.rename(other.into());
                b.rename(one.into());
                frame.replace(one, b).expect("the same length");
                frame.replace(other, a).expect("the same length");
            }
        }
    }
}

impl<W: Writer> Writer for Planted<W> {
    fn write(&mut self, mut piece: Piece) -> Result<(), LoadError> {
        self.pieces += 1;
        for rows in [&mut piece.inserts, &mut piece.changes].into_iter().flatten() {
            self.harm(rows);
        }
        self.writer.write(piece)
    }

    fn seal(&mut self, seal: Seal) -> Result<(), LoadError> {
        self.writer.seal(seal)
    }
}

fn spec() -> TableSpec {
    let column = |name: &str, ty: &str| TargetColumn { name: name.into(), ty: ty.into() };
    TableSpec {
        name: "people".into(),
        columns: vec![
            column("id", "BIGINT"),
            column("name", "VARCHAR"),
            column("town", "VARCHAR"),
            column("size", "DOUBLE"),
            column("never", "VARCHAR"),
        ],
        key: vec!["id".into()],
        scope: Vec::new(),
        minimal: false,
    }
}

/// Rows `from..to`; each third has no town, and none a value in `never`.
fn rows(from: i64, to: i64, mark: &str) -> Rows {
    let ids: Vec<_> = (from..to).collect();
    let town = |id: &i64| (id % 3 != 0).then(|| format!("t{id}{mark}"));
    let frame = df!(
        "id" => ids.clone(),
        "name" => ids.iter().map(|id| format!("n{id}{mark}")).collect::<Vec<_>>(),
        "town" => ids.iter().map(town).collect::<Vec<_>>(),
        "size" => ids.iter().map(|id| *id as f64 / 2.0).collect::<Vec<_>>(),
        "never" => ids.iter().map(|_| None::<&str>).collect::<Vec<_>>(),
    )
    .expect("columns fit");
    let hashes = content_hashes(&frame);
    Rows { frame, hashes, places: ids.iter().map(|id| id + 2).collect(), behind: None }
}

/// A target that is loaded without a run around it.
struct Bench {
    target: Box<dyn Target>,
    con: Box<dyn Link>,
    folder: tempfile::TempDir,
}

impl Bench {
    fn new(url: Option<&str>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = format!("duckdb:{}", folder.path().join("t.duckdb").display());
        let url = TargetUrl::parse(url.unwrap_or(&file), &BTreeMap::new()).expect("an address");
        let target =
            url.open(&Opening { memory: 256 << 20, temp_dir: None }).expect("the target opens");
        let con = target.link().expect("it answers");
        let changes = Changes { create: true, ..Changes::default() };
        con.ensure(&spec(), true, changes).expect("the table is made");
        Self { target, con, folder }
    }

    fn number(&self, sql: &str) -> u64 {
        self.con.number(sql, &[]).expect("an answer")
    }

    fn begin(&self, run: &str, strategy: Strategy) -> InputRow {
        let row = InputRow {
            run: run.into(),
            input: 0,
            strategy,
            source: "people.csv".into(),
            config: run.into(),
            release: None,
            rows_before: self.number(&format!("SELECT count(*) FROM {}", self.con.table("people"))),
            failed_file: None,
            ranges: Vec::new(),
            tally: Tally::default(),
            replaces: Vec::new(),
        };
        let ledger = Ledger::new(&*self.con);
        ledger.begin_run(run, "test", "ingest").expect("begun");
        let key =
            InputKey { table: "people".into(), fingerprint: Fingerprint([1; 32]), sheet: None };
        let (path, mode) = ("people.csv", Mode::Merge);
        let new = NewInput {
            row: &row,
            key: &key,
            identity: "{}",
            types: "{}",
            path,
            absolute_path: None,
            kind: "generic",
            mode,
            scope: "{}",
            rules: etl::run::value_rules::VERSION,
        };
        ledger.begin_input(&new).expect("begun");
        if strategy != Strategy::Insert {
            self.con.make_side(&spec(), &side_table(run, 0)).expect("a side table");
        }
        row
    }

    fn plan(&self, row: &InputRow, folder: &Path) -> Arc<WritePlan> {
        let (path, part) = ("people.csv".to_owned(), Part::Whole);
        let origin = Origin { path, part, fingerprint: Fingerprint([1; 32]) };
        let head = Letterhead {
            run: row.run.clone(),
            origin: Arc::new(origin),
            kind: "generic".into(),
            table: "people".into(),
            facts: BTreeMap::new(),
            headers: Vec::new(),
            config: String::new(),
        };
        Arc::new(WritePlan {
            run: row.run.clone(),
            input: 0,
            spec: spec(),
            strategy: row.strategy,
            provenance: Provenance {
                run: row.run.clone(),
                source: row.source.clone(),
                release: None,
                loaded_at: 0,
                named: BTreeMap::new(),
            },
            dead: Arc::new(dead_letter::Writer::new(folder, "people.csv", &row.run)),
            head: Arc::new(head),
            refused: Arc::default(),
            cut: false,
            failed_rows: false,
            not_compared: Vec::new(),
            meters: Meters::new(vec!["load"]),
        })
    }

    /// Writes pieces of (new rows, changed rows), each with a commit of its own.
    fn write(
        &self,
        row: &InputRow,
        pieces: Vec<(Option<Rows>, Option<Rows>)>,
        fault: Fault,
    ) -> Result<(), LoadError> {
        let plan = self.plan(row, self.folder.path());
        let writer = self.target.writer(&plan)?;
        let mut writer = Weighing::new(Planted { writer, fault, pieces: 0 });
        let mut from = Mark::default();
        for (at, (inserts, changes)) in pieces.into_iter().enumerate() {
            let count = |rows: &Option<Rows>| rows.as_ref().map_or(0, |rows| rows.len() as u64);
            let (inserted, updated) = (count(&inserts), count(&changes));
            let read = inserted + updated;
            let places = inserts.iter().chain(&changes).flat_map(|rows| rows.places.iter());
            let last = places.max().copied().unwrap_or(0) as u64;
            let to = Mark { record: from.record + read, byte: 0, row: last + 1 };
            writer.write(Piece { inserts, changes, ..Piece::default() })?;
            writer.seal(Seal {
                range: format!("{}.0.{at}", row.run),
                from,
                to,
                tally: Tally { read, inserted, updated, ..Tally::default() },
                notes: Notes::default(),
                cells: None,
            })?;
            from = to;
        }
        writer.close()
    }

    fn close(&self, row: &InputRow, cells: CellCheck) -> Result<Tally, LoadError> {
        let finish = Finish {
            con: &*self.con,
            spec: &spec(),
            input: row,
            release: None,
            cells,
            repeated: BTreeMap::new(),
            not_compared: Vec::new(),
            hashes_hold: true,
        };
        finish.close().map(|closed| closed.tally)
    }

    /// One input from its begin to its end.
    fn load(&self, run: &str, strategy: Strategy, fault: Fault) -> Result<Tally, LoadError> {
        let row = self.begin(run, strategy);
        let pieces = match strategy {
            Strategy::Insert | Strategy::Replace => {
                vec![(Some(rows(0, 300, "")), None), (Some(rows(300, 500, "")), None)]
            }
            Strategy::Merge => vec![
                (Some(rows(600, 700, "")), Some(rows(0, 100, "x"))),
                (Some(rows(700, 900, "")), Some(rows(100, 400, "x"))),
            ],
        };
        self.write(&row, pieces, fault)?;
        self.close(&row, CellCheck::All)
    }

    fn empty(&self) {
        for table in
            ["people", "etl.runs", "etl.inputs", "etl.ranges", "etl.rewritten", "etl.counts"]
        {
            let name = if table == "people" { self.con.table(table) } else { table.into() };
            self.con.execute(&format!("DELETE FROM {name}"), &[]).expect("deleted");
        }
    }
}

/// Tries all faults with all strategies.
fn all_faults_are_seen(bench: &Bench) {
    for (at, strategy) in
        [Strategy::Insert, Strategy::Merge, Strategy::Replace].into_iter().enumerate()
    {
        for (place, (fault, named)) in [
            (Fault::None, ""),
            (Fault::Drop("size"), "size"),
            (Fault::Empty("name"), "name"),
            (Fault::EmptyOnce("town"), "town"),
            (Fault::EmptyOnce("size"), "size"),
            (Fault::Swap("name", "never"), "never"),
            (Fault::Swap("name", "town"), "town"),
        ]
        .into_iter()
        .enumerate()
        {
            bench.empty();
            if strategy != Strategy::Insert {
                bench
                    .load(&format!("01BASE{at}{place}"), Strategy::Insert, Fault::None)
                    .expect("good");
            }
            let found = bench.load(&format!("01RUN{at}{place}"), strategy, fault);
            match (fault, found) {
                (Fault::None, found) => drop(found.expect("a good writer")),
                (_, Ok(_)) => panic!("{strategy:?}: {fault:?} was not seen"),
                (_, Err(error)) => {
                    assert_eq!(error.kind, LoadErrorKind::Account, "{}", error.message);
                    let told = format!("{strategy:?} {fault:?}: {}", error.message);
                    assert!(error.message.contains(named), "{told}");
                    let done = "SELECT count(*) FROM etl.inputs WHERE status = 'done' AND run LIKE '01RUN%'";
                    assert_eq!(bench.number(done), 0, "{told}");
                }
            }
        }
    }
}

#[test]
fn a_duckdb_file_ends_no_input_whose_cells_are_not_those_handed_over() {
    all_faults_are_seen(&Bench::new(None));
}

/// Rows of an input are found where they should be, and where others came between them.
#[test]
fn rows_of_an_input_are_found_among_those_of_others() {
    let bench = Bench::new(None);
    for (at, (before, between)) in [(0, 0), (50_000, 0), (50_000, 50_000)].into_iter().enumerate() {
        bench.empty();
        let others = |from: i64, rows: i64| {
            let sql = format!(
                "INSERT INTO people BY NAME SELECT range AS id, 'x' AS name, 'other' AS _etl_run, \
                 'people.csv' AS _etl_source FROM range({from}, {from} + {rows})"
            );
            bench.con.execute(&sql, &[]).expect("rows of others");
        };
        others(100_000, before);
        let row = bench.begin(&format!("01AMONG{at}"), Strategy::Insert);
        bench.write(&row, vec![(Some(rows(0, 300, "")), None)], Fault::None).expect("written");
        others(200_000, between);
        let mut row = InputRow { rows_before: (before + between) as u64, ..row };
        let tally = bench.close(&row, CellCheck::All).expect("all is there");
        assert_eq!(tally.inserted, 300);
        // One cell of them is taken away.
        bench.con.execute("UPDATE people SET town = NULL WHERE id = 1", &[]).expect("taken");
        row.rows_before = (before + between) as u64;
        let error = bench.close(&row, CellCheck::All).expect_err("a gap");
        assert!(error.message.contains("town (200 handed over, 199 there)"), "{}", error.message);
    }
}

#[test]
fn a_server_ends_no_input_whose_cells_are_not_those_handed_over() {
    let server = Server::start();
    let bench = Bench::new(Some(&server.url()));
    all_faults_are_seen(&bench);
}

/// Two columns with the same number of values in another's place.
fn equal_columns_are_told_apart(bench: &Bench) {
    for (at, strategy) in
        [Strategy::Insert, Strategy::Merge, Strategy::Replace].into_iter().enumerate()
    {
        bench.empty();
        if strategy != Strategy::Insert {
            bench.load(&format!("01BASE{at}"), Strategy::Insert, Fault::None).expect("good");
        }
        let row = bench.begin(&format!("01SAME{at}"), strategy);
        let full = |from: i64, to: i64| {
            let mut rows = rows(from, to, "y");
            let town: Vec<_> = (from..to).map(|id| format!("t{id}")).collect();
            rows.frame.with_column(Column::new("town".into(), town)).expect("as long");
            rows.hashes = content_hashes(&rows.frame);
            Some(rows)
        };
        let pieces = match strategy {
            Strategy::Merge => vec![(full(600, 700), full(0, 300))],
            _ => vec![(full(0, 400), None)],
        };
        let written = bench.write(&row, pieces, Fault::Swap("name", "town"));
        let error = written.and_then(|()| bench.close(&row, CellCheck::Usual)).expect_err("a swap");
        assert_eq!(error.kind, LoadErrorKind::Account);
        let told = &error.message;
        assert!(told.contains("name") && told.contains("town"), "{strategy:?}: {told}");
    }
}

#[test]
fn two_columns_of_equal_numbers_that_changed_places_are_seen_in_a_duckdb_file() {
    equal_columns_are_told_apart(&Bench::new(None));
}

#[test]
fn two_columns_of_equal_numbers_that_changed_places_are_seen_on_a_server() {
    let server = Server::start();
    equal_columns_are_told_apart(&Bench::new(Some(&server.url())));
}

/// The last step copies rows from a side table into the table.
#[test]
fn what_changes_in_a_side_table_is_seen() {
    let bench = Bench::new(None);
    for (at, strategy) in [Strategy::Merge, Strategy::Replace].into_iter().enumerate() {
        for (place, harm) in
            ["name = town, town = name", "size = NULL", "never = 'x'"].into_iter().enumerate()
        {
            bench.empty();
            bench.load(&format!("01B{at}{place}"), Strategy::Insert, Fault::None).expect("good");
            let run = format!("01SIDE{at}{place}");
            let row = bench.begin(&run, strategy);
            let pieces = match strategy {
                Strategy::Merge => vec![(None, Some(rows(0, 300, "x")))],
                _ => vec![(Some(rows(0, 300, "x")), None)],
            };
            bench.write(&row, pieces, Fault::None).expect("written");
            let side = format!("UPDATE etl.\"{}\" SET {harm}", side_table(&run, 0));
            bench.con.execute(&side, &[]).expect("harmed");
            let error = bench.close(&row, CellCheck::Usual).expect_err(harm);
            assert_eq!(
                error.kind,
                LoadErrorKind::Account,
                "{strategy:?} {harm}: {}",
                error.message
            );
        }
    }
}

/// Ranges that an older program has loaded have no numbers: only the others are compared.
fn ranges_without_numbers_are_left_out(bench: &Bench) {
    for (at, (harmed, good)) in [(100, true), (400, false)].into_iter().enumerate() {
        bench.empty();
        let run = format!("01OLD{at}");
        let row = bench.begin(&run, Strategy::Insert);
        let pieces = vec![(Some(rows(0, 300, "")), None), (Some(rows(300, 500, "")), None)];
        bench.write(&row, pieces, Fault::None).expect("written");
        let forget = format!("UPDATE etl.ranges SET cells = NULL WHERE range = '{run}.0.0'");
        bench.con.execute(&forget, &[]).expect("forgotten");
        let table = bench.con.table("people");
        let harm = format!("UPDATE {table} SET name = NULL WHERE id = ?");
        bench.con.execute(&harm, &[Value::from(harmed)]).expect("harmed");
        let closed = bench.close(&row, CellCheck::All);
        assert_eq!(closed.is_ok(), good, "{harmed}: {closed:?}");
        if let Err(error) = closed {
            assert!(
                error.message.contains("name (200 handed over, 199 there)"),
                "{}",
                error.message
            );
        }
    }
}

#[test]
fn a_resumed_load_of_an_older_program_is_compared_as_far_as_it_is_known() {
    ranges_without_numbers_are_left_out(&Bench::new(None));
    let server = Server::start();
    ranges_without_numbers_are_left_out(&Bench::new(Some(&server.url())));
}
