//! Cleaning: what changes is counted and shown, can be taken back, and is left alone when asked.

use crate::support::Place;
use std::process::Output;

const HEADER: &str =
    "CO_NO,PARCEL_ID,FILE_T,ASMNT_YR,JV,OWN_NAME,OWN_ADDR1,OWN_ZIPCD,PHY_ADDR1,S_LEGAL";
const ROWS: [&str; 3] = [
    "16,474119030010,R,2025,400000,\"SMITH,JOHN A  & MARY B\",12 Northwest 5th Street,333141234,\
     12 NW 5TH ST,LOTS  1 & 2 BLK 3",
    "16,474119030020,R,2025,200000,SMITH & SONS INC,P.O. Box 12,2134,9 ELM ST,",
    "16,474119030030,R,2025,200000,JONES ANN,C/O SMITH STREET,,,",
];

fn place() -> Place {
    let text = format!("{HEADER}\r\n{}\r\n", ROWS.join("\r\n"));
    Place::new().file("NAL16P202501.csv", &text)
}

fn ingest(place: &Place, file: &str, arguments: &[&str]) -> Output {
    let done = place.output(&[&["ingest", file], arguments].concat());
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    done
}

fn printed(output: &Output) -> String {
    let [out, err] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    format!("{out}{err}")
}

fn lines(place: &Place, sql: &str) -> Vec<String> {
    let told = place.output(&["sql", sql, "--format", "csv"]);
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    let text = String::from_utf8(told.stdout).expect("the program writes UTF-8");
    text.lines().skip(1).map(str::to_owned).collect()
}

const VALUES: &str =
    "SELECT own_name, own_addr1, own_zipcd, s_legal FROM parcels ORDER BY parcel_id";

#[test]
fn a_roll_is_brought_into_one_form_and_told() {
    let place = place();
    let done = ingest(&place, "NAL16P202501.csv", &[]);
    assert_eq!(
        lines(&place, VALUES),
        [
            // A legal description stays as it is.
            "\"SMITH,JOHN A & MARY B\",12 NW 5TH ST,33314-1234,LOTS  1 & 2 BLK 3",
            "SMITH & SONS INC,PO BOX 12,02134,",
            "JONES ANN,C/O SMITH STREET,,"
        ]
    );
    let owners = lines(
        &place,
        "SELECT owner_names->>0, owner_names->>1, owner_kind FROM parcels ORDER BY parcel_id",
    );
    assert_eq!(owners, ["\"SMITH,JOHN A\",MARY B,person", ",,company", ",,person"]);
    let told = printed(&done);
    assert!(told.contains("E301 address OWN_ADDR1: OWN_ADDR1 was written as"), "{told}");
    assert!(told.contains("12 Northwest 5th Street → 12 NW 5TH ST"), "{told}");
    let counted = "SELECT rule, \"column\", sum(count) FROM etl.problems WHERE severity = 'info' \
                   GROUP BY ALL ORDER BY ALL";
    assert_eq!(
        lines(&place, counted),
        ["address,OWN_ADDR1,2", "padded,OWN_ZIPCD,1", "squeezed,OWN_NAME,1", "zip,OWN_ZIPCD,1"]
    );
}

#[test]
fn what_was_changed_can_be_taken_back_or_left_alone() {
    let place = place();
    ingest(&place, "NAL16P202501.csv", &["--keep-raw"]);
    let sql = "SELECT coalesce(_extra->'_raw'->>'own_addr1', own_addr1), \
               _extra->'_raw'->>'own_name', _extra->'_raw'->>'phy_addr1' \
               FROM parcels ORDER BY parcel_id";
    assert_eq!(
        lines(&place, sql),
        [
            "12 Northwest 5th Street,\"SMITH,JOHN A  & MARY B\",",
            "P.O. Box 12,,",
            "C/O SMITH STREET,,"
        ]
    );
    let place = self::place();
    let done = ingest(&place, "NAL16P202501.csv", &["--no-fix"]);
    assert_eq!(
        lines(&place, VALUES),
        [
            "\"SMITH,JOHN A  & MARY B\",12 Northwest 5th Street,333141234,LOTS  1 & 2 BLK 3",
            "SMITH & SONS INC,P.O. Box 12,2134,",
            "JONES ANN,C/O SMITH STREET,,"
        ]
    );
    assert!(!printed(&done).contains("changed to one form"));
    // A column beside the one that was read changes no value.
    assert_eq!(lines(&place, "SELECT count(owner_names) FROM parcels"), ["1"]);
}

const OWN: &str = r#"
keep_raw = true

[[clean]]
columns = ["Price"]
null = ["k.A."]
as = "number"
decimal = ","
group = "."

[[clean]]
columns = ["sold"]
as = "date"
formats = ["%d.%m.%Y"]

[[clean]]
columns = ["state"]
as = "state"

[[clean]]
columns = ["code"]
replace = [{ find = "^X-", with = "", regex = true }]
pad = { width = 4 }

[[clean]]
columns = ["owner"]
case = "title"

[[clean]]
columns = ["owner"]
as = "owner_kind"
into = "kind"
"#;

const TABLE: &str = "id,Price,sold,state,code,owner\n\
    1,\"1.234,50\",31.12.2024,Florida,X-7,SMITH ANN\n\
    2,k.A.,,NEW  YORK,12,SUNRISE LLC\n\
    3,\"12,5\",1.2.2025,Texcoco,X-123,JONES BO\n";

#[test]
fn any_table_is_cleaned_as_a_file_says() {
    let place = Place::new().file("deals.csv", TABLE).file("clean.toml", OWN);
    ingest(&place, "deals.csv", &["--clean", "clean.toml"]);
    assert_eq!(
        lines(&place, "SELECT price, sold, state, code, owner, kind FROM deals ORDER BY id"),
        [
            "1234.5,2024-12-31,FL,0007,Smith Ann,person",
            ",,NY,0012,Sunrise Llc,company",
            "12.5,2025-02-01,Texcoco,0123,Jones Bo,person"
        ]
    );
    assert_eq!(
        lines(&place, "SELECT typeof(price), typeof(sold) FROM deals LIMIT 1"),
        ["DOUBLE,DATE"]
    );
    assert_eq!(
        lines(&place, "SELECT _extra->'_raw'->>'state' FROM deals ORDER BY id"),
        ["Florida", "NEW  YORK", "\"\""]
    );
}

#[test]
fn what_does_not_fit_after_cleaning_is_refused_with_its_text() {
    let table = TABLE.replace("31.12.2024", "12/31/2024").replace("12,5", "12,5,0");
    let place = Place::new().file("deals.csv", &table).file("clean.toml", OWN);
    let done = place.output(&["ingest", "deals.csv", "--clean", "clean.toml"]);
    let told = printed(&done);
    assert_eq!(done.status.code(), Some(3), "{told}");
    assert!(told.contains("\"12/31/2024\" is not a date"), "{told}");
    assert!(told.contains("\"12,5,0\" is not a number"), "{told}");
    assert_eq!(lines(&place, "SELECT count(*) FROM deals"), ["1"]);
    // Mended, and cleaned again by the same file.
    let failed =
        place.path(".").read_dir().expect("the folder").flatten().map(|entry| entry.path());
    let failed = failed.into_iter().find(|path| path.to_string_lossy().ends_with(".failed.jsonl"));
    let failed = failed.expect("two rows are refused");
    let text = std::fs::read_to_string(&failed).expect("text");
    let mended = text.replace("12/31/2024", "31.12.2024").replace("12,5,0", "12,5");
    std::fs::write(place.path("mended.jsonl"), mended).expect("written");
    let again = place.output(&["reprocess-failures", "mended.jsonl", "--clean", "clean.toml"]);
    assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stderr));
    assert_eq!(lines(&place, "SELECT count(*), sum(price) FROM deals"), ["3,1247.0"]);
}

#[test]
fn mistakes_are_found_before_a_row_is_read() {
    let clean = |text: &str, told: &str| {
        let place = place().file("clean.toml", text);
        let done = place.output(&["ingest", "NAL16P202501.csv", "--clean", "clean.toml"]);
        let seen = String::from_utf8_lossy(&done.stderr).replace('\n', " ");
        assert_eq!(done.status.code(), Some(2), "{seen}");
        assert!(seen.contains(told), "{seen}");
    };
    clean("[[clean]]\ncolumns = [\"own_nme\"]\nsqueeze = true\n", "no column own_nme");
    clean("[[clean]]\ncolumns = [\"parcel_id\"]\nsqueeze = true\n", "ids stay as they are");
    clean("[[clean]]\ncolumns = [\"own_name\"]\nas = \"number\"\n", "keeps its type");
    clean("[[clean]]\ncolumns = [\"own_name\"]\nas = \"owners\"\ninto = \"jv\"\n", "is taken");
    clean("[[clean]]\ncolumns = [\"own_name\"]\nshrink = true\n", "shrink");
    clean(
        "[[clean]]\ncolumns = [\"own_name\"]\nreplace = [{find=\"(\", with=\"\", regex=true}]\n",
        "pattern",
    );
}

/// Chunks of any size and several threads tell the same counts and examples.
#[test]
fn counts_do_not_depend_on_chunks() {
    let table = |chunk: &str, threads: &str| {
        let place = place();
        ingest(&place, "NAL16P202501.csv", &["--chunk-rows", chunk, "-j", threads]);
        lines(
            &place,
            "SELECT rule, \"column\", sum(count), min(examples) FROM etl.problems GROUP BY ALL ORDER BY ALL",
        )
    };
    assert_eq!(table("1", "2"), table("100", "1"));
}

/// 300 rows; every third town and every fifth number stands between blanks, the last row is refused.
fn padded(row: &str) -> Place {
    let line = |n: u32| {
        let town = if n.is_multiple_of(3) { "  DAVIE\u{a0}" } else { "DAVIE" };
        let price = if n.is_multiple_of(5) { format!(" {n} ") } else { n.to_string() };
        format!("{n},{town},{price}\n")
    };
    let lines: String = (1..=300).map(line).collect();
    Place::new().file("padded.csv", &format!("id,town,price\n{lines}{row}\n"))
}

const TRIMMED: &str = "SELECT \"column\", sum(count), min(severity) FROM etl.problems \
                       WHERE rule = 'trimmed' GROUP BY ALL ORDER BY ALL";

#[test]
fn what_the_reader_leaves_out_is_counted_with_examples() {
    let place = padded("301, DAVIE ,7,8");
    let done = place.output(&["ingest", "padded.csv", "--format", "json"]);
    assert_eq!(done.status.code(), Some(3), "{}", String::from_utf8_lossy(&done.stderr));
    let summary: serde_json::Value = serde_json::from_slice(&done.stdout).expect("JSON");
    let problems = summary["inputs"][0]["problems"].as_array().expect("problems");
    let of = |column: &str| {
        let mut trimmed = problems.iter().filter(|problem| problem["rule"] == "trimmed");
        trimmed.find(|problem| problem["column"] == column).expect("it is told")
    };
    let (town, price) = (of("town"), of("price"));
    assert_eq!((&town["count"], &price["count"]), (&100.into(), &60.into()), "not of refused rows");
    assert_eq!(town["examples"][0]["value"], "  DAVIE\u{a0}");
    assert_eq!(
        (&price["examples"][1]["place"]["row"], &price["examples"][1]["value"]),
        (&11.into(), &" 10 ".into())
    );
    let told = printed(&place.output(&["ingest", "padded.csv", "--fresh"]));
    assert!(told.contains("E301 trimmed town: town held blanks around its value"), "{told}");
}

/// A commit that ends inside a chunk and a load that goes on behind it count each cell once.
#[test]
fn what_the_reader_leaves_out_is_counted_once_whatever_the_chunks() {
    let small = ["--writers", "1", "--commit-rows", "100", "--chunk-rows"];
    let place = padded("301,DAVIE,7,8");
    let stopped = ["ingest", "padded.csv", "--max-errors", "0"];
    let done = place.output(&[&stopped[..], &small, &["77"]].concat());
    assert_eq!(done.status.code(), Some(4), "{}", String::from_utf8_lossy(&done.stderr));
    let done = place.output(&[&["ingest", "padded.csv"], &small[..], &["53"]].concat());
    assert_eq!(done.status.code(), Some(3), "{}", String::from_utf8_lossy(&done.stderr));
    assert!(printed(&done).contains("resumed at row"), "{}", printed(&done));
    assert_eq!(lines(&place, TRIMMED), ["price,60,info", "town,100,info"]);
}

#[test]
fn a_masked_column_shows_none_of_what_was_left_out() {
    let place = padded("301,DAVIE,7");
    let mask = ["--mask", "town:null"];
    let done = place.output(&[&["ingest", "padded.csv"][..], &mask].concat());
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let examples = lines(&place, "SELECT examples FROM etl.problems");
    assert!(!examples.concat().contains("DAVIE"), "{examples:?}");
}

const READ: &str = "(_extra->'_raw')";

#[test]
fn what_the_reader_changes_is_kept_where_asked() {
    let all = "SELECT id, coalesce(_extra->'_raw'->>'town', town), _extra->'_raw'->>'price' \
               FROM padded WHERE id BETWEEN 13 AND 16 ORDER BY id";
    let place = padded("301,DAVIE,7");
    ingest(&place, "padded.csv", &["--keep-raw", "--chunk-rows", "7"]);
    assert_eq!(
        lines(&place, all),
        ["13,DAVIE,", "14,DAVIE,", "15,  DAVIE\u{a0}, 15 ", "16,DAVIE,"]
    );
    let untouched = format!("SELECT count(*) FROM padded WHERE {READ} IS NULL");
    assert_eq!(lines(&place, &untouched), ["161"], "every third and every fifth row was changed");
    // No agent but the loader: the reader changes cells all the same.
    ingest(&place, "padded.csv", &["--keep-raw", "--agents", "none", "--table", "bare"]);
    let kept = format!("SELECT count({READ}) FROM bare");
    assert_eq!(lines(&place, &kept), ["140"]);
    // Only of a column that is asked for.
    let clean = "[[clean]]\ncolumns = [\"price\"]\nas = \"number\"\nkeep_raw = true\n";
    let place = padded("301,DAVIE,7").file("clean.toml", clean);
    ingest(&place, "padded.csv", &["--clean", "clean.toml"]);
    let keys = format!("SELECT DISTINCT json_keys({READ}) FROM padded ORDER BY ALL");
    assert_eq!(lines(&place, &keys), ["[price]", "\"\""]);
    // Never of a masked one.
    let place = padded("301,DAVIE,7");
    ingest(&place, "padded.csv", &["--keep-raw", "--mask", "town:null"]);
    assert_eq!(lines(&place, &keys), ["[price]", "\"\""]);
}

/// A code without its zeros, and an owner between blanks that is cleaned as well.
#[test]
fn of_a_roll_the_text_that_was_read_is_kept() {
    let header = "CO_NO,PARCEL_ID,FILE_T,ASMNT_YR,DOR_UC,JV,OWN_NAME";
    let row = "16, 474119030010 ,R,2025,1,400000,\" SMITH,JOHN A  & MARY B \"";
    let place = Place::new().file("NAL16P202501.csv", &format!("{header}\r\n{row}\r\n"));
    ingest(&place, "NAL16P202501.csv", &["--keep-raw"]);
    assert_eq!(
        lines(&place, &format!("SELECT dor_uc, own_name, {READ} FROM parcels")),
        ["001,\"SMITH,JOHN A & MARY B\",\"{\"\"parcel_id\"\":\"\" 474119030010 \"\",\
          \"\"dor_uc\"\":\"\"1\"\",\"\"own_name\"\":\"\" SMITH,JOHN A  & MARY B \"\"}\""]
    );
}
