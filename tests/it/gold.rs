//! `etl gold`: what the views and tables say, the same on every target and for every way of loading.

use super::pg_server::{Server, ask, loads};
use super::roll::{self, Row, parcel};
use super::support::{self, Place};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

const TO: &str = "duckdb:etl.duckdb";
const OLD: &str = "NAL16F202401.csv";
const NEW: &str = "NAL16P202501.csv";
const SALES: &str = "SDF16P202501.csv";

/// A parcel with more cells.
fn with(mut row: Row, cells: &[(&'static str, &str)]) -> Row {
    for (name, text) in cells {
        row.retain(|(known, _)| known != name);
        row.push((name, (*text).to_owned()));
    }
    row
}

fn sold(row: Row, slot: u8, year: &str, month: &str, price: &str) -> Row {
    let names = match slot {
        1 => ["QUAL_CD1", "VI_CD1", "SALE_YR1", "SALE_MO1", "SALE_PRC1", "CLERK_NO1"],
        _ => ["QUAL_CD2", "VI_CD2", "SALE_YR2", "SALE_MO2", "SALE_PRC2", "CLERK_NO2"],
    };
    let values = ["01", "I", year, month, price, "7"];
    let cells: Vec<_> = names.into_iter().zip(values).collect();
    with(row, &cells)
}

/// Parcels 1 to 5 with values 100 to 500 thousand; 5 is gone a year later, and 6 is new. Parcel 1 was sold
/// for 200,000 and a year later for 300,000; the later sale stands in the sales file too.
fn small() -> Place {
    let place = |n: u32, row: Row| {
        let city = if n.is_multiple_of(2) { "DAVIE" } else { "TAMARAC" };
        with(row, &[("PHY_CITY", city), ("NBRHD_CD", "7"), ("TOT_LVG_AREA", "1000")])
    };
    let owner = |n: u32| if n < 3 { "SAME OWNER LLC" } else { "SOMEBODY ELSE" };
    let row = |n: u32| place(n, parcel(16, n, i64::from(n) * 100_000, owner(n)));
    let old: Vec<_> = (1..=5).map(|n| with(row(n), &[("ASMNT_YR", "2024")])).collect();
    let mut new: Vec<_> = [1, 2, 3, 4, 6].map(row).to_vec();
    new[0] = sold(sold(new[0].clone(), 1, "2024", "05", "300000"), 2, "2023", "05", "200000");
    let sale = with(roll::sale(3, "300000"), &[("SALE_MO", "05"), ("CLERK_NO", "7")]);
    let other = with(roll::sale(6, "900"), &[("SALE_MO", "06")]);
    Place::new()
        .file(OLD, &roll::file("nal", &old))
        .file(NEW, &roll::file("nal", &new))
        .file(SALES, &roll::file("sdf", &[sale, other]))
}

fn gold(place: &Place, to: &str, more: &[&str]) -> serde_json::Value {
    let output = place.output(&[&["gold", "--to", to, "--format", "json"], more].concat());
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// Rows of an answer, without the header.
fn rows(place: &Place, sql: &str) -> Vec<String> {
    ask(place, TO, sql).lines().skip(1).map(str::to_owned).collect()
}

fn loaded(place: &Place) {
    loads(place, TO, &[OLD, NEW, SALES], &[]);
}

/// The small rolls with all gold tables.
fn built() -> Place {
    let place = small();
    loaded(&place);
    let summary = gold(&place, TO, &[]);
    assert_eq!(summary["missing"].as_array().map(Vec::len), Some(0), "{summary}");
    place
}

#[test]
fn parcels_stand_once_and_so_do_sales() {
    let place = built();
    let id = |n: u32| format!("4741{n:08}");
    assert_eq!(
        rows(
            &place,
            "SELECT parcel_id, asmnt_yr, in_newest_roll FROM gold.latest_parcels ORDER BY 1"
        ),
        [
            (1, 2025, true),
            (2, 2025, true),
            (3, 2025, true),
            (4, 2025, true),
            (5, 2024, false),
            (6, 2025, true)
        ]
        .map(|(n, year, newest)| format!("{},{year},{newest}", id(n)))
    );
    // The sale of the sales file stands in the roll too, and counts once.
    assert_eq!(
        rows(
            &place,
            "SELECT parcel_id, sale_date, price, is_market, source FROM gold.all_sales ORDER BY price"
        ),
        [
            format!("{},2024-06-01,900,false,sales", id(2)),
            format!("{},2023-05-01,200000,true,roll", id(1)),
            format!("{},2024-05-01,300000,true,sales", id(1)),
        ]
    );
    assert_eq!(
        rows(
            &place,
            "SELECT months, change, yearly_growth, is_flip, sale_number FROM gold.repeat_sales"
        ),
        ["12,0.5,0.5,true,2"]
    );
}

#[test]
fn statistics_are_those_of_all_rows() {
    let place = built();
    assert_eq!(
        rows(
            &place,
            "SELECT parcels, total, mean, median, p25, p90, maximum FROM gold.value_statistics \
             WHERE peers = 'county' AND measure = 'just value' AND asmnt_yr = 2024"
        ),
        ["5,1500000,300000.0,300000.0,200000.0,500000.0,500000.0"]
    );
    assert_eq!(
        rows(
            &place,
            "SELECT median, stddev FROM gold.value_statistics WHERE peer_group = 'DAVIE' \
               AND asmnt_yr = 2024 AND measure = 'just value per square foot'"
        ),
        ["300.0,100.0"]
    );
    assert_eq!(
        rows(
            &place,
            "SELECT city_z, city_percentile, neighbourhood_percentile FROM gold.property_valuations \
             WHERE asmnt_yr = 2024 ORDER BY parcel_id"
        ),
        [
            "-1.2247448713915892,0.0,0.0",
            "-1.0,0.0,0.25",
            "0.0,0.5,0.5",
            "1.0,1.0,0.75",
            "1.2247448713915892,1.0,1.0"
        ]
    );
}

#[test]
fn owners_months_and_rolls_are_counted() {
    let place = built();
    assert_eq!(
        rows(&place, "SELECT owner, parcels, total_value FROM gold.owner_portfolios ORDER BY 1"),
        ["SAME OWNER LLC,2,300000", "SOMEBODY ELSE,3,1300000"]
    );
    assert_eq!(
        rows(
            &place,
            "SELECT month, sales, market_sales, median_price FROM gold.monthly_sales ORDER BY 1"
        ),
        ["2023-05-01,1,1,200000.0", "2024-05-01,1,1,300000.0", "2024-06-01,1,0,"]
    );
    assert_eq!(
        rows(
            &place,
            "SELECT parcels, known_sales, last_market_price, owner_parcels FROM \
            (SELECT *, 1 AS parcels FROM gold.property_master) WHERE parcel_id LIKE '%0001'"
        ),
        ["1,2,300000,2"]
    );
    assert_eq!(
        rows(
            &place,
            "SELECT asmnt_yr, parcels, read_rows, refused_rows FROM gold.data_quality_dashboard ORDER BY 1"
        ),
        ["2024,5,5,0", "2025,5,5,0"]
    );
}

#[test]
fn windows_tumble_and_slide_by_month_and_by_count() {
    let place = small();
    loaded(&place);
    gold(&place, TO, &["sales_windows", "--set", "months=12", "--set", "sales=2"]);
    let of = |kind: &str| {
        rows(
            &place,
            &format!(
                "SELECT first_month, last_month, sales, is_whole, volume FROM gold.sales_windows \
                 WHERE kind = '{kind}' ORDER BY window_no"
            ),
        )
    };
    // Calendar years: neither is whole, the first begins and the last ends within one.
    assert_eq!(
        of("tumbling months"),
        ["2023-05-01,2023-05-01,1,false,200000", "2024-05-01,2024-05-01,1,false,300000"]
    );
    assert_eq!(
        of("sliding months"),
        ["2023-05-01,2023-05-01,1,false,200000", "2024-05-01,2024-05-01,1,true,300000"]
    );
    assert_eq!(of("tumbling sales"), ["2023-05-01,2024-05-01,2,true,500000"]);
    assert_eq!(
        of("sliding sales"),
        ["2023-05-01,2023-05-01,1,false,200000", "2023-05-01,2024-05-01,2,true,500000"]
    );
    // 13 months reach back to the first sale.
    gold(&place, TO, &["sales_windows", "--set", "months=13"]);
    assert_eq!(of("sliding months")[1], "2023-05-01,2024-05-01,2,true,500000");
}

#[test]
fn what_is_missing_is_told_and_the_rest_is_built() {
    let place = small();
    loads(&place, TO, &[SALES], &[]);
    let summary = gold(&place, TO, &[]);
    let built = summary["built"].as_array().expect("a list");
    let names: Vec<_> = built.iter().filter_map(|built| built["name"].as_str()).collect();
    assert_eq!(
        names,
        ["all_sales", "last_sales", "monthly_sales", "repeat_sales", "sales_windows"]
    );
    let missing = summary["missing"].to_string();
    assert!(
        missing.contains("there is no table parcels (load a NAL; loaded are sales (sdf))"),
        "{missing}"
    );
    assert!(missing.contains("it is made from latest_parcels"), "{missing}");
    let told = place.run(&["gold", "recent_sale"]);
    assert!(told.starts_with("exit: 2") && told.contains("recent_sales"), "{told}");
    let told = place.run(&["gold", "--set", "month=3"]);
    assert!(told.starts_with("exit: 2") && told.contains("etl gold --list"), "{told}");
    // With the roll loaded the same command builds all.
    loads(&place, TO, &[OLD, NEW], &[]);
    assert_eq!(gold(&place, TO, &[])["missing"].as_array().map(Vec::len), Some(0));
    // What stands on a table is built again with it.
    let again = gold(&place, TO, &["newest_parcels"]);
    let names: Vec<_> =
        again["built"].as_array().expect("a list").iter().map(|built| &built["name"]).collect();
    assert!(names.len() > 5 && names[0] == "newest_parcels", "{names:?}");
}

#[test]
fn rolls_are_found_under_any_name() {
    let place = small();
    loads(&place, TO, &[OLD, NEW], &["--table", "my_parcels"]);
    loads(&place, TO, &[SALES], &["--table", "my_sales"]);
    assert_eq!(gold(&place, TO, &[])["missing"].as_array().map(Vec::len), Some(0));
    let (found, usual) = (everything(&place, TO), built());
    assert_eq!(found, everything(&usual, TO));
    let read = "SELECT read_rows FROM gold.data_quality_dashboard ORDER BY asmnt_yr";
    assert_eq!(rows(&place, read), ["5", "5"]);
    // Where they are in several tables, the user says in which.
    loads(&place, TO, &[NEW], &["--table", "newer"]);
    let told = place.run(&["gold"]);
    assert!(told.starts_with("exit: 2") && told.contains("my_parcels, newer"), "{told}");
    let newer = ["newest_parcels", "--rolls", "nal=newer"];
    assert_eq!(gold(&place, TO, &newer)["missing"].as_array().map(Vec::len), Some(0));
    assert_eq!(rows(&place, "SELECT count(*) FROM gold.newest_parcels"), ["5"]);
    for (wrong, way) in [("nal=none", "my_parcels (nal)"), ("cars=newer", "its kinds are nal")] {
        let told = place.run(&["gold", "--rolls", wrong]);
        assert!(told.starts_with("exit: 2") && told.contains(way), "{told}");
    }
}

/// All objects with the columns by which their rows are ordered.
const ORDERED: [(&str, &str); 8] = [
    ("all_sales", "co_no, parcel_id, sale_yr, sale_date, price, document, source"),
    ("value_statistics", "co_no, asmnt_yr, peers, peer_group, measure"),
    ("property_valuations", "co_no, parcel_id, asmnt_yr"),
    ("owner_portfolios", "owner, mailing_address, mailing_zip"),
    ("repeat_sales", "co_no, parcel_id, sale_number"),
    ("monthly_sales", "co_no, month"),
    ("sales_windows", "co_no, kind, window_no"),
    ("county_statistics", "co_no, asmnt_yr"),
];

/// Every row of these tables.
fn everything(place: &Place, to: &str) -> Vec<Vec<String>> {
    let table = |(name, order): (&str, &str)| {
        let bytewise =
            order.split(", ").map(|column| format!("CAST({column} AS VARCHAR) COLLATE \"C\""));
        let order = bytewise.collect::<Vec<_>>().join(", ");
        let text = ask(place, to, &format!("SELECT * FROM gold.{name} ORDER BY {order}"));
        assert!(text.lines().count() > 1, "{name} is empty");
        text.lines().map(str::to_owned).collect()
    };
    ORDERED.map(table).into()
}

/// Alike but for the last digits of numbers with a point.
fn alike(a: &str, b: &str) -> bool {
    let number = |text: &str| text.parse::<f64>().ok();
    a == b
        || match (number(a), number(b)) {
            (Some(a), Some(b)) => (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1e-3),
            _ => a.chars().next() == b.chars().next() && a.len() <= 5 && "tf".contains(&a[..1]),
        }
}

#[test]
fn a_server_says_the_same_and_foreign_tables_stay() {
    let server = Server::start();
    let (to, place) = (server.url(), Place::new());
    for (kind, file) in [("nal", NEW), ("sdf", SALES)] {
        support::roll(&place, &[kind, "--rows", "1500", "--out", file]);
    }
    loads(&place, TO, &[NEW, SALES], &[]);
    loads(&place, &to, &[NEW, SALES], &[]);
    gold(&place, TO, &[]);
    gold(&place, &to, &[]);
    for (here, there) in everything(&place, TO).iter().zip(everything(&place, &to)) {
        assert_eq!(here.len(), there.len(), "{}", here[0]);
        for (here, there) in here.iter().zip(&there) {
            let cells = here.split(',').zip(there.split(','));
            assert!(cells.clone().all(|(a, b)| alike(a, b)), "{here}\n{there}");
        }
    }
    assert_eq!(server.psql("SELECT count(*) FROM gold.property_master"), "1500");
    // A second time it takes the place of the first; what is somebody else's stays.
    gold(&place, &to, &["monthly_sales"]);
    server.psql("CREATE SCHEMA mine; CREATE TABLE mine.all_sales (a int)");
    let told = place.run(&["gold", "all_sales", "--to", &to, "--schema", "mine"]);
    assert!(told.contains("was not made by etl") && told.contains("--schema"), "{told}");
    assert_eq!(server.psql("SELECT count(*) FROM mine.all_sales"), "0");
}

/// Statistics over all rows are the same whatever the chunks, threads, writers and the order of rows.
#[test]
fn no_way_of_loading_changes_a_digit() {
    let source = Place::new();
    support::roll(&source, &["nal", "--rows", "1200", "--out", NEW, "--damage", "2%"]);
    let bytes = std::fs::read(source.path(NEW)).expect("a roll");
    let text = String::from_utf8_lossy(&bytes);
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    let header = lines.remove(0);
    // Of two rows with the same key the first one counts, so their order must stay: one is left out.
    let mut keys = std::collections::HashSet::new();
    lines.retain(|line| keys.insert(line.split(',').take(2).collect::<Vec<_>>()));
    let outcome = |order: &[&str], load: &[&str], build: &[&str]| {
        let place = Place::new().file(NEW, &format!("{header}{}", order.concat()));
        loads(&place, TO, &[NEW], load);
        gold(&place, TO, build);
        let tables = everything_of_parcels(&place);
        assert!(tables.iter().all(|table| table.lines().count() > 1));
        tables
    };
    let expected = outcome(&lines, &[], &[]);
    let settings = (1_usize..2_000, 1_usize..4, 1_usize..4, 1_usize..4, any::<u64>());
    let mut runner =
        TestRunner::new(Config { cases: 6, failure_persistence: None, ..Config::default() });
    runner
        .run(&settings, |(chunk, threads, writers, engine, seed)| {
            let mut order = lines.clone();
            // A fixed shuffle of the rows.
            order.sort_by_key(|line| xxh(line, seed));
            let texts = [chunk, threads, writers].map(|number| number.to_string());
            let names = ["--chunk-rows", "--threads", "--writers"];
            let load: Vec<_> =
                names.iter().zip(&texts).flat_map(|(n, t)| [*n, t.as_str()]).collect();
            let engine = engine.to_string();
            prop_assert_eq!(outcome(&order, &load, &["--threads", &engine]), expected.clone());
            Ok(())
        })
        .expect("the same for all settings");
}

fn everything_of_parcels(place: &Place) -> Vec<String> {
    [1, 2, 3, 7]
        .map(|at| ORDERED[at])
        .map(|(name, order)| ask(place, TO, &format!("SELECT * FROM gold.{name} ORDER BY {order}")))
        .into()
}

/// A number of a text that depends on a seed.
fn xxh(text: &str, seed: u64) -> u64 {
    let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    text.bytes().fold(seed ^ 0xcbf2_9ce4_8422_2325, mix)
}
