//! For each option one case that says whether it belongs to the identity of an input.

use super::*;
use crate::chunk::{ColumnKind, Zone};
use crate::flow::{Event, Observer};
use crate::load::ledger::CellCheck;
use crate::load::{TableName, TargetUrl};
use crate::rules;
use crate::run::geography;
use crate::run::prepare::prepare;
use crate::run::request::{DateSetting, Mode};
use crate::run::{MaskKey, Masking, load_pack};
use crate::source::csv::{CsvPolicy, Escaping, Quoting};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

struct Silent;

impl Observer for Silent {
    fn on(&self, _event: &Event<'_>) {}
}

/// A file that the cases are tried on.
#[derive(Clone, Copy)]
enum On {
    Text,
    Roll,
    Book,
    Parquet,
}

impl On {
    fn path(self, folder: &Path) -> PathBuf {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
        match self {
            Self::Text => {
                let path = folder.join("t.csv");
                std::fs::write(&path, "k,v\na,one\nb,two\n\"c\",d\n").expect("room");
                path
            }
            Self::Roll => fixtures.join("csv/SDF16P202501_clean.csv"),
            Self::Book => fixtures.join("excel/dates_and_types.xlsx"),
            Self::Parquet => fixtures.join("parquet/types.parquet"),
        }
    }
}

fn request(path: &Path) -> Request {
    let agents = ["validate", "transform", "enrich"].map(str::to_owned).to_vec();
    Request { agents, ..Request::for_test(path) }
}

fn identity(request: &Request) -> Identity {
    let pack = load_pack(&request.pack).expect("a pack");
    let request = geography::opened(request, &pack).expect("readable places");
    let inputs = prepare(&request, &pack, &Silent).expect("readable").ready;
    Identity::of(&request, &pack, inputs.first().expect("an input"), "main")
}

fn written(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("room");
    path
}

fn user_rules(folder: &Path, level: &str) -> Vec<crate::rules::UserRule> {
    let text =
        format!("[[rule]]\nid = \"v\"\nlevel = \"{level}\"\ncolumn = \"v\"\nset = [\"a\"]\n");
    rules::read(&written(folder, "rules.toml", &text)).expect("sound rules")
}

/// An option, whether it belongs, the file it is tried on, and how it is changed.
type Case = (&'static str, bool, On, fn(&mut Request, &Path));

const PLAIN: &[Case] = &[
    ("inputs", false, On::Text, |request, folder| {
        let other = folder.join("other.csv");
        std::fs::copy(folder.join("t.csv"), &other).expect("room");
        request.inputs = vec![other.display().to_string()];
        request.table = Some(TableName::plain("t"));
    }),
    ("target", false, On::Text, |request, _| request.target = TargetUrl::Duckdb("b".into())),
    ("table", true, On::Text, |request, _| request.table = Some(TableName::plain("other"))),
    ("mode", false, On::Text, |request, _| request.mode = Some(Mode::Replace)),
    ("agents", false, On::Text, |request, _| request.agents.clear()),
    ("rule_levels", false, On::Text, |request, _| {
        request.rule_levels = [("SDF-04".to_owned(), "off".to_owned())].into();
    }),
    ("rules", true, On::Text, |request, folder| request.rules = user_rules(folder, "critical")),
    ("rules", false, On::Text, |request, folder| request.rules = user_rules(folder, "warning")),
    ("limits", false, On::Text, |request, _| {
        request.limits.threads = 7;
        request.limits.chunk_rows = Some(1);
        request.limits.commit_rows = Some(1);
    }),
    ("errors", false, On::Text, |request, _| request.errors.max_errors = Some(3)),
    ("changes", false, On::Text, |request, _| {
        request.changes.create = true;
        request.changes.evolve = true;
    }),
    ("minimal", true, On::Text, |request, _| request.minimal = true),
    ("cut", false, On::Text, |request, _| request.cut = true),
    ("retry_attempts", false, On::Text, |request, _| request.retry_attempts = 9),
    ("failed", false, On::Text, |request, _| request.failed.in_table = true),
    ("fresh", false, On::Text, |request, _| request.fresh = true),
    ("replaces_previous", false, On::Text, |request, _| request.replaces_previous = true),
    ("listing", false, On::Text, |request, _| request.listing.recursive = true),
    ("require_rows", false, On::Text, |request, _| request.require_rows = true),
    ("cells", false, On::Text, |request, _| request.cells = CellCheck::All),
    ("keep_going", false, On::Text, |request, _| request.keep_going = true),
    ("limit", true, On::Text, |request, _| request.limit = Some(2)),
    ("version", false, On::Text, |request, _| request.version = "later".into()),
];

const READING: &[Case] = &[
    ("source.sheets", false, On::Book, |request, _| request.source.sheets = vec!["1".into()]),
    ("source.range", true, On::Book, |request, _| {
        request.source.range = Some("A1:B3".parse().expect("a range"));
    }),
    ("source.header_row", true, On::Text, |request, _| request.source.header_row = Some(2)),
    ("source.header_row", true, On::Book, |request, _| request.source.header_row = Some(2)),
    ("source.header_row", false, On::Parquet, |request, _| request.source.header_row = Some(2)),
    // The first row is the header without being told.
    ("source.header_row", true, On::Text, |request, _| request.source.header_row = Some(0)),
    ("source.header_rows", true, On::Text, |request, _| request.source.header_rows = Some(2)),
    ("source.header_rows", false, On::Text, |request, _| request.source.header_rows = Some(1)),
    ("source.encoding", true, On::Text, |request, _| {
        request.source.encoding = Some("windows-1252".into());
    }),
    ("source.encoding", false, On::Book, |request, _| {
        request.source.encoding = Some("windows-1252".into());
    }),
    ("source.delimiter", true, On::Text, |request, _| request.source.delimiter = Some(';')),
    ("source.delimiter", false, On::Book, |request, _| request.source.delimiter = Some(';')),
    ("source.quote", true, On::Text, |request, _| request.source.quote = Some(Quoting::None)),
    ("source.escape", true, On::Text, |request, _| {
        request.source.escape = Some(Escaping::Char('\\'));
    }),
    ("source.csv", true, On::Text, |request, _| request.source.csv = CsvPolicy::Lenient),
    ("source.csv", false, On::Book, |request, _| request.source.csv = CsvPolicy::Lenient),
    ("source.headers", true, On::Text, |request, _| {
        request.source.headers = Some(vec!["x".into(), "y".into()]);
    }),
    ("source.temp_dir", false, On::Text, |request, folder| {
        request.source.temp_dir = Some(folder.to_owned());
    }),
    ("source.reader", false, On::Text, |request, _| {
        request.source.reader = Some(crate::source::legacy::ReaderProgram {
            program: "etl".into(),
            arguments: Vec::new(),
            memory: 1,
            patience: 1,
        });
    }),
    ("source.strings_in_memory", false, On::Book, |request, _| {
        request.source.strings_in_memory = Some(1);
    }),
];

const VALUES: &[Case] = &[
    ("values.clean", true, On::Text, |request, folder| {
        let text = "[[clean]]\ncolumns = [\"v\"]\ncase = \"upper\"\n";
        request.values.clean = Some(written(folder, "clean.toml", text));
    }),
    ("values.no_fix", true, On::Text, |request, _| request.values.no_fix = true),
    ("values.keep_raw", true, On::Text, |request, _| request.values.keep_raw = true),
    // The file has no dates; `it::dates` has one where the order makes a difference.
    ("values.dates", false, On::Text, |request, _| request.values.dates = DateSetting::Dmy),
    ("values.dates_asked", false, On::Text, |request, _| request.values.dates_asked = true),
    // Of columns that keep moments alone.
    ("values.time_zone", false, On::Text, |request, _| request.values.time_zone = Some(Zone::UTC)),
    ("values.formats", true, On::Text, |request, _| {
        request.values.formats = vec![("v".into(), "%d.%m.%y".into())];
    }),
    ("values.types", true, On::Text, |request, _| {
        request.values.types = vec![("v".into(), ColumnKind::Text)];
    }),
    ("values.masks", true, On::Text, |request, _| {
        request.values.masks = vec![("v".into(), Masking::Partial)];
    }),
    ("values.mask_key", false, On::Text, |request, _| {
        request.values.mask_key = Some(MaskKey::new("of no mask"));
    }),
    ("geography", true, On::Roll, |request, folder| {
        let text = "co_no,parcel_id,latitude,longitude\n16,474119030001,26.1,-80.2\n";
        let path = written(folder, "places.csv", text);
        request.geography.locations = Some(path.display().to_string());
    }),
];

const ROLL: &[Case] = &[
    ("told", true, On::Roll, |request, _| request.told.release = Some("F".into())),
    ("told", true, On::Roll, |request, _| request.told.kind = Some("generic".into())),
    // What the file says itself.
    ("told", false, On::Roll, |request, _| request.told.county = Some("16".into())),
    ("agents", true, On::Roll, |request, _| request.agents.truncate(1)),
    ("rule_levels", true, On::Roll, |request, _| {
        request.rule_levels = [("SDF-04".to_owned(), "warning".to_owned())].into();
    }),
    ("rule_levels", true, On::Roll, |request, _| {
        request.rule_levels = [("SDF-06".to_owned(), "critical".to_owned())].into();
    }),
    ("rule_levels", false, On::Roll, |request, _| {
        request.rule_levels = [("SDF-06".to_owned(), "off".to_owned())].into();
    }),
    ("mapping", true, On::Roll, |request, _| {
        request.mapping = Some("property_sales_history".into());
    }),
    ("pack", true, On::Roll, |request, folder| {
        let copy = copy_of_pack(folder);
        edit(&copy, "sdf.toml", "'month' ELSE 'year'", "'m' ELSE 'year'");
        request.pack = copy.display().to_string();
    }),
    ("pack", false, On::Text, |request, folder| {
        let copy = copy_of_pack(folder);
        edit(&copy, "sdf.toml", "'month' ELSE 'year'", "'m' ELSE 'year'");
        request.pack = copy.display().to_string();
    }),
];

/// Changes one option and says whether the identity is another one.
fn changes(case: &Case) -> bool {
    let (_, _, on, change) = case;
    let folder = tempfile::tempdir().expect("a folder");
    let before = request(&on.path(folder.path()));
    let mut after = before.clone();
    change(&mut after, folder.path());
    identity(&before).config() != identity(&after).config()
}

#[test]
fn each_option_belongs_or_does_not() {
    for case in [PLAIN, READING, VALUES, ROLL].concat() {
        let (name, belongs, ..) = case;
        assert_eq!(changes(&case), belongs, "{name}");
    }
}

/// An option that no case speaks of fails here, one that nobody has decided about does not compile.
#[test]
fn no_option_is_without_a_case() {
    let cases = [PLAIN, READING, VALUES, ROLL].concat();
    let named: BTreeSet<_> = cases.iter().map(|(name, ..)| *name).collect();
    let mut all = request(Path::new("x"));
    all.source.header_rows = Some(1);
    let json = serde_json::to_value(&all).expect("plain data");
    let mut missing: Vec<_> = json.as_object().expect("fields").keys().cloned().collect();
    for (part, skipped) in [("source", "strings_in_memory"), ("values", "mask_key")] {
        let fields = json[part].as_object().expect("fields").keys();
        missing.extend(fields.map(|field| format!("{part}.{field}")));
        missing.push(format!("{part}.{skipped}"));
        missing.retain(|name| name != part);
    }
    // It needs a workbook that has one: `an_excel_table_is_a_part_of_its_own`.
    missing.retain(|name| !named.contains(name.as_str()) && name != "source.excel_table");
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn an_excel_table_is_a_part_of_its_own() {
    use rust_xlsxwriter::{Table, TableColumn, Workbook};
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("book.xlsx");
    let mut book = Workbook::new();
    let columns = [TableColumn::new().set_header("key")];
    let table = Table::new().set_name("Keys").set_columns(&columns);
    let sheet = book.add_worksheet().add_table(0, 0, 2, 0, &table).expect("a table");
    sheet.write(1, 0, "a").and_then(|sheet| sheet.write(2, 0, "b")).expect("cells");
    book.save(&path).expect("room");
    let whole = request(&path);
    let of = |name: &str| {
        let mut asked = whole.clone();
        asked.source.excel_table = Some(name.into());
        identity(&asked)
    };
    assert_ne!(of("Keys").config(), identity(&whole).config());
    assert_ne!(of("Keys").part, identity(&whole).part);
    assert_eq!(of("Keys").config(), of("KEYS").config());
}

#[test]
fn texts_are_cut_on_servers_only_and_keys_of_masks_are_told_apart() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut one = request(&On::Text.path(folder.path()));
    one.target = TargetUrl::parse("postgres://u@h/d", &BTreeMap::new()).expect("an address");
    let mut other = one.clone();
    other.cut = true;
    assert_ne!(identity(&one).config(), identity(&other).config());
    one.values.masks = vec![("v".into(), Masking::Hash)];
    one.values.mask_key = Some(MaskKey::new("a"));
    other = one.clone();
    other.values.mask_key = Some(MaskKey::new("b"));
    assert_ne!(identity(&one).config(), identity(&other).config());
    assert!(!identity(&one).json().contains("\"a\""), "a key stands nowhere");
}

fn copy_of_pack(folder: &Path) -> PathBuf {
    fn copy(from: &Path, to: &Path) {
        std::fs::create_dir_all(to).expect("room");
        for entry in std::fs::read_dir(from).expect("the pack") {
            let path = entry.expect("the pack").path();
            let into = to.join(path.file_name().expect("a name"));
            match path.is_dir() {
                true => copy(&path, &into),
                false => std::fs::copy(&path, &into).map(drop).expect("room"),
            }
        }
    }
    let to = folder.join("pack");
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("packs/florida"), &to);
    to
}

fn edit(pack: &Path, file: &str, from: &str, to: &str) {
    let path = pack.join(file);
    let text = std::fs::read_to_string(&path).expect("a file of the pack");
    assert!(text.contains(from), "{file} has {from}");
    std::fs::write(&path, text.replacen(from, to, 1)).expect("room");
}

/// What of a pack decides values of a roll, and what does not.
#[test]
fn parts_of_a_pack_belong_or_do_not() {
    let cases: &[(&str, &str, &str, &[&str])] = &[
        ("sdf.toml", "id = \"sdf\"", "# a comment\nid = \"sdf\"", &[]),
        ("sdf.toml", "Sale Data File", "Another title", &[]),
        ("sdf.toml", "Month of the sale", "Another meaning", &[]),
        ("sdf.toml", "'month' ELSE 'year'", "'m' ELSE 'year'", &["derived columns"]),
        ("sdf.toml", "TRY_CAST(sale_mo", "try_cast(sale_mo", &["derived columns"]),
        ("rules.toml", "sale_yr BETWEEN asmnt_yr - 1", "sale_yr BETWEEN asmnt_yr - 2", &["rules"]),
        ("rules.toml", "is neither {asmnt_yr} nor", "is not {asmnt_yr} nor", &[]),
        ("rules.toml", "TRY_CAST(sale_mo AS INTEGER) <= 9", "sale_mo <= '08'", &[]),
        (
            "rules.toml",
            "id = \"SDF-06\"\nlevel = \"warning\"",
            "id = \"SDF-06\"\nlevel = \"info\"",
            &[],
        ),
        (
            "rules.toml",
            "id = \"SDF-06\"\nlevel = \"warning\"",
            "id = \"SDF-06\"\nlevel = \"critical\"",
            &["rules"],
        ),
        ("codes/counties.csv", "Broward", "BROWARD", &["code tables"]),
        ("columns/sdf.csv", "Active stratum of the parcel", "Another meaning", &[]),
        // A column that the file does not have.
        ("columns/sdf.csv", "ATV_STRT,code,,1,no,", "ATV_STRT,code,,1,no,stratum", &[]),
        (
            "columns/sdf.csv",
            "parcel_id,PARCEL_ID,id,,26",
            "parcel_id,PARCEL_ID,id,,25",
            &["columns"],
        ),
        ("nal.toml", "agent = \"transform\"", "# of parcels\nagent = \"transform\"", &[]),
        ("insight.toml", "[[kind]]", "# a comment\n[[kind]]", &[]),
    ];
    let folder = tempfile::tempdir().expect("a folder");
    let roll = request(&On::Roll.path(folder.path()));
    let before = identity(&roll);
    for (file, from, to, expected) in cases {
        let place = tempfile::tempdir().expect("a folder");
        let copy = copy_of_pack(place.path());
        edit(&copy, file, from, to);
        let after = identity(&Request { pack: copy.display().to_string(), ..roll.clone() });
        let found = after.differences(&before, &[]);
        let named: Vec<_> = found.iter().map(|one| one.setting.as_str()).collect();
        assert_eq!(named, *expected, "{file}: {to}");
        assert_eq!(after.config() != before.config(), !expected.is_empty(), "{file}: {to}");
    }
}

#[test]
fn a_flag_that_says_what_would_be_found_is_no_difference() {
    let folder = tempfile::tempdir().expect("a folder");
    let plain = request(&On::Text.path(folder.path()));
    let mut told = plain.clone();
    told.source.delimiter = Some(',');
    told.source.encoding = Some("UTF-8".into());
    told.source.header_row = Some(1);
    told.source.quote = Some(Quoting::Char('"'));
    let (before, after) = (identity(&plain), identity(&told));
    assert_eq!(after.differences(&before, &[]), []);
    assert_eq!(before.differences(&after, &[]), []);
    told.source.csv = CsvPolicy::Lenient;
    told.source.quote = Some(Quoting::None);
    let found = identity(&told).differences(&before, &[]);
    let words: Vec<_> = found.iter().map(ToString::to_string).collect();
    assert_eq!(
        words,
        ["--csv was strict and is lenient now", "--quote was \" (found out) and is none now"]
    );
}

#[test]
fn it_is_one_line_of_canonical_json() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut asked = request(&On::Text.path(folder.path()));
    asked.source.csv = CsvPolicy::Lenient;
    asked.limit = Some(5);
    let made = identity(&asked);
    let json = made.json();
    let content = made.content.as_deref().expect("a fingerprint");
    assert_eq!(
        json,
        format!(
            "{{\"version\":1,\"content\":\"{content}\",\"found\":{{\"delimiter\":\",\",\
             \"encoding\":\"utf-8\",\"escape\":\"doubled\",\"header-row\":\"1\",\"quote\":\"\\\"\"}},\
             \"pack\":{{}},\"part\":{{\"excel_table\":null,\"range\":null,\"sheet\":null}},\
             \"settings\":{{\"csv\":\"lenient\",\"limit\":5}},\
             \"target\":{{\"schema\":\"main\",\"table\":\"t\"}}}}"
        )
    );
    assert_eq!(Identity::parse(&json).as_ref(), Some(&made));
    assert_eq!(Identity::parse(&json.replacen("\"version\":1", "\"version\":2", 1)), None);
    // A hash that changes makes every input that was ever loaded a new one.
    let fixed = Identity { content: Some("00".into()), ..made };
    assert_eq!(fixed.config(), "d5e37ab5a1e0ca7b07587963913b9cc2");
}

#[test]
fn comments_in_files_of_the_user_are_no_difference() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut asked = request(&On::Text.path(folder.path()));
    let of = |asked: &mut Request, text: &str| {
        asked.values.clean = Some(written(folder.path(), "clean.toml", text));
        identity(asked).config()
    };
    let clean = "[[clean]]\ncolumns = [\"v\"]\ncase = \"upper\"\n";
    let bare = of(&mut asked, clean);
    assert_eq!(of(&mut asked, &format!("# why\n{clean}")), bare);
    assert_ne!(of(&mut asked, &clean.replace("upper", "lower")), bare);
}

#[test]
fn a_plain_table_takes_from_the_pack_what_its_own_cleaning_asks_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut asked = request(&On::Text.path(folder.path()));
    let copy = copy_of_pack(folder.path());
    edit(&copy, "codes/us_states.csv", "FL", "XX");
    let changed = Request { pack: copy.display().to_string(), ..asked.clone() };
    assert_eq!(identity(&asked).config(), identity(&changed).config());
    let clean = "[[clean]]\ncolumns = [\"v\"]\nas = \"state\"\n";
    asked.values.clean = Some(written(folder.path(), "clean.toml", clean));
    let changed = Request { pack: changed.pack, ..asked.clone() };
    assert_ne!(identity(&asked).config(), identity(&changed).config());
}

/// Hashes that a build before there were identities has written into ledgers.
#[test]
fn old_hashes_are_made_as_they_were() {
    let folder = tempfile::tempdir().expect("a folder");
    let of = |asked: &Request| {
        let pack = load_pack(&asked.pack).expect("a pack");
        let inputs = prepare(asked, &pack, &Silent).expect("readable").ready;
        legacy_configs(asked, &pack, &inputs[0])
    };
    let mut text = request(&On::Text.path(folder.path()));
    let roll = request(&On::Roll.path(folder.path()));
    assert!(of(&text).iter().any(|config| config == "e30a1c67b499ff85c1baee88c06d336a"));
    assert!(of(&roll).iter().any(|config| config == "e142abc2f8b156d9f17c73d45045360f"));
    text.limit = Some(2);
    text.values.no_fix = true;
    text.values.keep_raw = true;
    text.values.masks = vec![("v".into(), Masking::Partial)];
    assert!(of(&text).iter().any(|config| config == "baee55a6245a7e0982aca239fff8de2f"));
}
