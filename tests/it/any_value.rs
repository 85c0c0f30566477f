//! Any value into a column of any type: each cell is equal, refused with its place, or reported as changed; and no
//! cell is refused that the database itself takes with an equal value. What a database takes is asked of it, one
//! cell at a time.

use super::column_names::duck;
use super::loaded::{TO, ask, ingest};
use super::pg_server::{self, Server};
use super::support::Place;
use serde_json::Value;
use std::collections::BTreeSet;

/// Cells that are at the edges of types, or look like a value of another one.
const CELLS: &[&str] = &[
    "0",
    "-0",
    "5",
    "-5",
    "+5",
    "127",
    "128",
    "-128",
    "-129",
    "32767",
    "32768",
    "-32768",
    "-32769",
    "2147483647",
    "2147483648",
    "-2147483648",
    "9007199254740993",
    "999999999999999999",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "1.0",
    "1.50",
    "1.005",
    "-0.25",
    ".5",
    "5.",
    "99999999.99",
    "100000000.00",
    "123456789.125",
    "0.1",
    "0.3",
    "1e3",
    "1.5e-3",
    "1E2",
    "x",
    "-",
    "1-2",
    "true",
    "FALSE",
    "t",
    "yes",
    "off",
    "2025-01-31",
    "2025-02-30",
    "1582-10-10",
    "0001-01-01",
    "9999-12-31",
    "2025-01-31 10:00:00",
    "2025-01-31T10:00:00",
    "2025-01-31 10:00:00.123456",
    "2025-01-31 10:00:00.1234567",
    "2025-01-31 10:00",
    "2025-01-31 23:59:60",
    "2025-01-31 10:00:00+02:00",
    "2025-01-31 10:00:00Z",
    "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
    "A0EEBC999C0B4EF8BB6D6BB9BD380A11",
    "a0eebc99",
    "red",
    "Red",
    "blue",
    "{}",
    "[1",
    "12:30:00",
    "$5",
    "1 000",
    "Zürich",
    "文山區",
];

/// Codes and forms that the program refuses on purpose, though a database reads them as something: zeros in front
/// would be lost, an exponent in a whole number is what a spreadsheet makes of a code.
fn is_refused_on_purpose(cell: &str, is_whole: bool) -> bool {
    is_whole && cell.contains(['e', 'E'])
}

fn file() -> String {
    let quoted = |cell: &&str| cell.replace('"', "\"\"");
    let rows = CELLS.iter().enumerate().map(|(at, cell)| format!("{at},\"{}\"\n", quoted(cell)));
    format!("k,v\n{}", rows.collect::<String>())
}

/// Places (in [`CELLS`]) of refused cells.
fn refused(place: &Place, summary: &Value) -> BTreeSet<usize> {
    let Some(file) = summary["inputs"][0]["failed_file"].as_str() else {
        return BTreeSet::new();
    };
    let text = std::fs::read_to_string(place.path(file)).unwrap_or_default();
    let row = |line: &str| {
        let record: Value = serde_json::from_str(line).expect("a record");
        assert_eq!(record["errors"][0]["column"], "v", "{line}");
        record["row"].as_u64().expect("a row") as usize - 2
    };
    text.lines().map(row).collect()
}

/// Compares what the table holds (`k|text`) and what was refused with what the database takes: by place, the text of
/// the value that it makes of the cell, where that is equal.
fn compare(
    ty: &str,
    held: &str,
    refused: &BTreeSet<usize>,
    takes: &[Option<String>],
    summary: &Value,
) {
    let is_whole = is_whole(ty);
    let mut seen = BTreeSet::new();
    for line in held.lines().filter(|line| !line.is_empty()) {
        let (at, value) = line.split_once('|').expect("two columns");
        let at: usize = at.parse().expect("a place");
        assert!(seen.insert(at), "{ty}: {} twice", CELLS[at]);
        let right = takes[at].as_deref();
        let cell = CELLS[at];
        // A fraction of zeros is left out of whole numbers, and seven decimals of a second are cut to six, and moments
        // are in UTC, each told with an example; the words of one database for a truth value are those of the other, too.
        let number = |text: &str| text.parse::<f64>().ok();
        let is_told = || summary["inputs"][0]["problems"].to_string().contains(cell);
        let is_zeros = is_whole && cell.contains('.') && number(value) == number(cell);
        let is_cut = ty.eq_ignore_ascii_case("timestamp") && cell.strip_suffix('7') == Some(value);
        let is_utc = ty.eq_ignore_ascii_case("timestamp")
            && cell.contains("10:00:00")
            && match cell.contains("+02:00") {
                true => value == "2025-01-31 08:00:00" && is_told(),
                false => cell.ends_with('Z') && value == "2025-01-31 10:00:00",
            };
        let is_word = ty.eq_ignore_ascii_case("boolean") && ["yes", "off"].contains(&cell);
        if right.is_none() && (is_zeros || is_word || is_utc || is_cut && is_told()) {
            continue;
        }
        assert_eq!(Some(value), right, "{ty}: {:?} was changed", CELLS[at]);
    }
    for (at, cell) in CELLS.iter().enumerate() {
        assert!(
            seen.contains(&at) != refused.contains(&at),
            "{ty}: {cell:?} is lost or stands twice"
        );
        let on_purpose = is_refused_on_purpose(cell, is_whole);
        assert!(
            seen.contains(&at) || takes[at].is_none() || on_purpose,
            "{ty}: {cell:?} is refused"
        );
    }
}

/// What the server makes of a cell, as text, where that is equal; else nothing.
const TAKEN: &str = "CREATE TYPE public.colour AS ENUM ('red', 'blue'); \
         CREATE FUNCTION public.taken(c text, t text, e text) RETURNS text LANGUAGE plpgsql AS $$ \
         DECLARE r text; BEGIN EXECUTE format('SELECT CASE WHEN %s THEN v::text ELSE NULL END FROM (SELECT \
           $1::text AS c, $1::%s AS v) AS x', e, t) INTO r USING c; RETURN r; \
         EXCEPTION WHEN OTHERS THEN RETURN NULL; END $$";

fn is_whole(ty: &str) -> bool {
    let ty = ty.to_lowercase();
    ty.ends_with("int") || ty == "integer"
}

fn verified(place: &Place, to: &str, ty: &str) {
    let output = place.output(&["verify", "latest", "--table", "t", "--no-fix", "--to", to]);
    assert!(output.status.success(), "{ty}: {output:?}");
}

#[test]
fn any_value_into_any_type_of_duckdb() {
    let types = [
        "TINYINT",
        "SMALLINT",
        "INTEGER",
        "BIGINT",
        "HUGEINT",
        "DECIMAL(18,2)",
        "DECIMAL(10,2)",
        "DECIMAL(38,3)",
        "DOUBLE",
        "FLOAT",
        "BOOLEAN",
        "DATE",
        "TIMESTAMP",
        "UUID",
        "ENUM ('red', 'blue')",
        "TIME",
        "VARCHAR",
    ];
    for ty in types {
        let place = Place::new().file("t.csv", &file());
        duck(&place, &format!("CREATE TABLE t (k INTEGER, v {ty})"));
        let (code, summary) = ingest(&place, &["t.csv"], &["--no-fix"]);
        assert!(matches!(code, 0 | 3), "{ty}: exit {code}: {summary}");
        let held = ask(&place, "SELECT k || '|' || v::VARCHAR FROM t ORDER BY k");
        let held: String =
            held.lines().map(|line| line.trim_matches('"').replace("\"\"", "\"") + "\n").collect();
        // The value as text, where the cast loses nothing.
        let number =
            "TRY_CAST(v AS DECIMAL(38,9)) IS NOT DISTINCT FROM TRY_CAST(c AS DECIMAL(38,9))";
        let equal = match ty {
            "DATE" => "length(c) <= 10".to_owned(),
            "TIMESTAMP" => "NOT regexp_matches(c, '[+Z]|:60|[.][0-9]{7}')".to_owned(),
            "BOOLEAN" | "UUID" | "VARCHAR" => "true".to_owned(),
            "TIME" => "regexp_matches(c, '^[0-9]{1,2}:')".to_owned(),
            "DOUBLE" | "FLOAT" => {
                "v::VARCHAR::DECIMAL(38,9) = TRY_CAST(c AS DECIMAL(38,9)) OR TRY_CAST(v AS HUGEINT)::VARCHAR = c".to_owned()
            }
            ty if ty.starts_with("ENUM") => "true".to_owned(),
            _ => number.to_owned(),
        };
        let values: Vec<_> = CELLS
            .iter()
            .enumerate()
            .map(|(at, cell)| format!("({at}, '{}')", cell.replace('\'', "''")))
            .collect();
        let sql = format!(
            "SELECT k || '|' || CASE WHEN v IS NOT NULL AND ({equal}) THEN v::VARCHAR ELSE '-' END FROM \
             (SELECT k, c, TRY_CAST(c AS {ty}) AS v FROM (VALUES {}) AS r(k, c)) ORDER BY k",
            values.join(", ")
        );
        let takes: Vec<_> = ask(&place, &sql)
            .lines()
            .map(|line| line.trim_matches('"').replace("\"\"", "\""))
            .map(|line| line.split_once('|').expect("two").1.to_owned())
            .zip(CELLS)
            .map(|(value, cell)| (value != "-" || *cell == "-" && ty == "VARCHAR").then_some(value))
            .collect();
        compare(ty, &held, &refused(&place, &summary), &takes, &summary);
        verified(&place, TO, ty);
    }
}

#[test]
fn any_value_into_any_type_of_postgresql() {
    let server = Server::start();
    server.psql(TAKEN);
    let types = [
        "smallint",
        "integer",
        "bigint",
        "numeric",
        "numeric(10,2)",
        "numeric(5,0)",
        "double precision",
        "real",
        "boolean",
        "date",
        "timestamp",
        "uuid",
        "jsonb",
        "public.colour",
        "text",
        "varchar(12)",
    ];
    for ty in types {
        server.psql(&format!(
            "DROP TABLE IF EXISTS public.t; CREATE TABLE public.t (k integer, v {ty})"
        ));
        let place = Place::new().file("t.csv", &file());
        let (code, summary, text) = pg_server::load(
            &place,
            &server.url(),
            &["t.csv"],
            &["--no-fix", "--evolve", "--fresh"],
        );
        assert!(matches!(code, 0 | 3), "{ty}: exit {code}: {text}");
        let held = server.psql("SELECT k || '|' || v::text FROM public.t ORDER BY k");
        let equal = match ty {
            "real" | "double precision" => {
                "v::text::numeric = c::numeric OR to_char(v::float8, 'FM99999999999999999999') = c"
            }
            "date" => "c::timestamp = v AND c !~ '[+Z]'",
            // The server rounds the seventh decimal, takes second 60 for the next minute, and leaves offsets out.
            "timestamp" => "c !~ '[+Z]|:60|[.][0-9]{7}'",
            "boolean" | "uuid" | "jsonb" | "public.colour" | "text" => "true",
            "varchar(12)" => "v = c",
            _ => "v::numeric = c::numeric",
        };
        let takes: Vec<_> = CELLS
            .iter()
            .map(|cell| {
                let args = [*cell, ty, equal].map(|text| text.replace('\'', "''"));
                let sql = format!(
                    "SELECT '>' || public.taken('{}', '{}', '{}')",
                    args[0], args[1], args[2]
                );
                server.psql(&sql).strip_prefix('>').map(str::to_owned)
            })
            .collect();
        compare(ty, &held, &refused(&place, &summary), &takes, &summary);
        verified(&place, &server.url(), ty);
    }
}
