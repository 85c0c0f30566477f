//! What is masked stands nowhere: not in the table, not in the ledger, not in messages, not in the files
//! of refused rows.

use crate::support::Place;
use std::process::Output;

const HEADER: &str = "CO_NO,PARCEL_ID,FILE_T,ASMNT_YR,DOR_UC,JV,OWN_NAME,OWN_ADDR1,OWN_STATE,\
    OWN_ZIPCD,PHY_ADDR1,NOTE";

/// A sound row; a row without a number where one must be; a row with a field too many; a row whose owner
/// breaks a warning by its length.
const ROWS: [&str; 4] = [
    "16,474119030010,R,2025,001,400000,QUIXOTE ALONSO,12 WINDMILL ST,FL,33314,12 WINDMILL ST,GIGANTES",
    "16,474119030020,R,2025,001,much,QUIXOTE ALONSO,12 WINDMILL ST,FL,33314,9 ELM ST,GIGANTES",
    "16,474119030030,R,2025,001,400000,QUIXOTE ALONSO,12 WINDMILL ST,FL,33314,9 ELM ST,GIGANTES,x",
    "16,474119030040,R,2025,001,400000,QUIXOTE ALONSO DE LA MANCHA AND SANCHO PANZA HIS SQUIRE OF OLD,\
     12 WINDMILL ST,FL,33314,9 ELM ST,GIGANTES",
];

/// Words of values that are masked below.
const SECRETS: [&str; 3] = ["QUIXOTE", "WINDMILL", "GIGANTES"];

const MASKS: [&str; 10] = [
    "--mask",
    "own_name:hash",
    "--mask",
    "OWN_ADDR1:null",
    "--mask",
    "phy_addr1:partial",
    "--mask",
    "note:drop",
    "--mask-key",
    "env:PEPPER",
];

fn place() -> Place {
    let text = format!("{HEADER}\r\n{}\r\n", ROWS.join("\r\n"));
    Place::new().file("NAL16P202501.csv", &text).env("PEPPER", "black")
}

fn with_masks(place: &Place, arguments: &[&str]) -> Output {
    place.output(&[arguments, &MASKS].concat())
}

fn select(place: &Place, sql: &str) -> String {
    let told = place.output(&["sql", sql, "--format", "csv"]);
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    String::from_utf8(told.stdout).expect("the program writes UTF-8")
}

/// Everything that a command has printed and every text file that it has left.
fn left_behind(place: &Place, output: &Output) -> String {
    let mut all = String::from_utf8_lossy(&output.stdout).into_owned();
    all.push_str(&String::from_utf8_lossy(&output.stderr));
    for entry in std::fs::read_dir(place.path(".")).expect("the folder") {
        let path = entry.expect("an entry").path();
        let name = path.to_string_lossy().into_owned();
        if path.is_file() && !name.ends_with(".csv") {
            let bytes = std::fs::read(&path).expect("a readable file");
            all.push_str(&String::from_utf8_lossy(&bytes));
        }
    }
    all
}

#[test]
fn nothing_that_is_masked_is_written() {
    let place = place();
    let done = with_masks(&place, &["ingest", "NAL16P202501.csv", "-v"]);
    assert_eq!(done.status.code(), Some(3), "{}", String::from_utf8_lossy(&done.stderr));
    let tables = ["parcels", "etl.problems", "etl.runs", "etl.inputs"]
        .map(|table| select(&place, &format!("SELECT * FROM {table}")));
    let all = left_behind(&place, &done) + &tables.concat();
    for secret in SECRETS {
        assert!(!all.contains(secret), "{secret} is told");
    }
    let plan = with_masks(&place, &["plan", "NAL16P202501.csv", "--format", "json"]);
    let check = with_masks(&place, &["check", "NAL16P202501.csv", "--format", "json"]);
    for told in [left_behind(&place, &plan), left_behind(&place, &check)] {
        assert!(told.contains("hashes own_name") || told.contains("rejected"), "{told}");
        assert!(SECRETS.iter().all(|secret| !told.contains(secret)), "{told}");
    }
}

#[test]
fn agents_see_what_the_table_does_not() {
    let place = place();
    with_masks(&place, &["ingest", "NAL16P202501.csv"]);
    let sql = "SELECT own_name[1], length(own_name), own_addr1, phy_addr1, owner_kind, _extra \
               FROM parcels ORDER BY parcel_id";
    let rows = select(&place, sql);
    let rows: Vec<_> = rows.lines().skip(1).collect();
    assert_eq!(rows, ["#,33,,1*** W*** S***,person,", "#,33,,9*** E*** S***,person,"]);
    let same = "SELECT count(DISTINCT own_name) FROM parcels";
    assert!(select(&place, same).ends_with("2\n"), "two names are two hashes");
    assert!(select(&place, "SELECT message, examples FROM etl.problems").contains("50 characters"));
}

#[test]
fn a_refused_row_is_mended_and_replayed_with_its_masks() {
    let place = place();
    with_masks(&place, &["ingest", "NAL16P202501.csv"]);
    let failed = place.path(".").read_dir().expect("the folder").flatten();
    let failed = failed.map(|entry| entry.path());
    let failed = failed.into_iter().find(|path| path.to_string_lossy().ends_with(".failed.jsonl"));
    let failed = failed.expect("two rows are refused");
    let text = std::fs::read_to_string(&failed).expect("text");
    let hidden = text.lines().find(|line| line.contains("E202")).expect("the row with 13 fields");
    assert!(hidden.contains("the row is hidden"), "{hidden}");
    let mended = text.replace("[\"JV\",\"much\"]", "[\"JV\",\"250000\"]");
    assert_ne!(mended, text);
    std::fs::write(place.path("mended.jsonl"), mended).expect("written");
    let again = with_masks(&place, &["reprocess-failures", "mended.jsonl"]);
    assert_eq!(again.status.code(), Some(3), "{}", String::from_utf8_lossy(&again.stderr));
    // The owner of the mended row is the owner of the first: the hash was not hashed again.
    let sql = "SELECT count(*), count(DISTINCT own_name) FROM parcels WHERE jv IN (400000, 250000)";
    assert!(select(&place, sql).ends_with("3,2\n"), "{}", select(&place, "FROM parcels"));
}

#[test]
fn a_plain_table_and_a_workbook_are_masked_too() {
    let text = "name,age,price\nQUIXOTE,50,1\nSANCHO,many,2\n";
    let place = Place::new().file("people.csv", text);
    let masks = ["--mask", "name:partial", "--mask", "age:null"];
    let told = place.output(&[&["plan", "people.csv", "--format", "json"][..], &masks].concat());
    assert!(
        !String::from_utf8_lossy(&told.stdout).contains("many"),
        "a note quotes a masked value"
    );
    let done = place.output(&[&["ingest", "people.csv"][..], &masks].concat());
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(
        select(&place, "SELECT name, age, price FROM people ORDER BY price"),
        "name,age,price\nQ***,,1\nS***,,2\n"
    );
}

#[test]
fn provenance_may_be_what_loading_needs() {
    let place = Place::new().file("a.csv", "name,price\nA,1\n").file("b.csv", "name,price\nB,2\n");
    let load = |file: &str, arguments: &[&str]| {
        let done = place.output(&[&["ingest", file, "--table", "t"], arguments].concat());
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8_lossy(&done.stdout).into_owned()
    };
    let columns = "SELECT string_agg(column_name, ' ') FROM (DESCRIBE t)";
    load("a.csv", &["--provenance", "minimal"]);
    let few = "name price _extra _etl_run _etl_source _etl_row";
    assert!(select(&place, columns).contains(&format!("{few}\n")), "{}", select(&place, columns));
    assert!(load("a.csv", &["--provenance", "minimal"]).contains("already loaded"));
    load("b.csv", &["--provenance", "minimal"]);
    assert!(select(&place, "SELECT count(*), count(DISTINCT _etl_run) FROM t").ends_with("2,2\n"));
    // Whoever wants them later gets them.
    load("b.csv", &["--fresh"]);
    assert!(select(&place, columns).contains("_etl_loaded_at"));
    let roll = self::place();
    let done = roll.output(&["ingest", "NAL16P202501.csv", "--provenance", "minimal"]);
    assert_eq!(done.status.code(), Some(3), "{}", String::from_utf8_lossy(&done.stderr));
    let told = select(&roll, "SELECT string_agg(column_name, ' ') FROM (DESCRIBE parcels)");
    assert!(told.contains("_etl_hash") && !told.contains("_etl_loaded_at"), "{told}");
}

#[test]
fn what_cannot_be_masked_is_refused_before_a_row_is_read() {
    let place = place();
    let refused = |arguments: &[&str], why: &str| {
        let done = place.output(&[&["ingest", "NAL16P202501.csv"], arguments].concat());
        let told = String::from_utf8_lossy(&done.stderr).replace('\n', " ");
        assert_eq!(done.status.code(), Some(2), "{told}");
        assert!(told.contains(why), "{told}");
        assert!(!place.path("etl.duckdb").exists(), "nothing was loaded");
    };
    refused(&["--mask", "own_name:hash"], "needs a key");
    refused(&["--mask", "own_nme:null"], "no input has such a column");
    refused(&["--mask", "jv:partial"], "a whole number");
    refused(&["--mask", "parcel_id:null"], "told apart");
    refused(&["--mask", "note:partial"], "_extra");
    refused(&["--mask", "own_name"], "no way to mask");
    refused(&["--mask", "own_name:hash", "--mask-key", "pepper"], "env:NAME or file:PATH");
}
