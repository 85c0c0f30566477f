//! The promises of the generator: same arguments, same bytes; sound rolls are sound; the truth
//! tells every difference between the damaged roll and its clean twin, and nothing else.

use std::collections::HashSet;
use std::path::Path;

use crate::columns::Columns;
use crate::county::County;
use crate::harm::{self, Harm};
use crate::roll::{Kind, Release, World};
use crate::row::Row;
use crate::sales;
use crate::sink::Format;
use crate::value::{reduces_county, reduces_school};
use crate::write::{Job, fill, truth_path, write};

fn world(county: u8, seed: u64) -> World {
    let county = County::find(county).unwrap();
    World { county, year: 2025, release: Release::P, submission: 1, seed }
}

fn job(world: &World, kind: Kind, format: Format, folder: &Path) -> Job {
    let harms = harm::choose("all", kind, format, &world.county).unwrap();
    let out = folder.join(format!("roll.{}", format.extension()));
    let clean = Some(folder.join(format!("clean.{}", format.extension())));
    Job { kind, rows: 3_000, format, share: 0.02, harms, out, clean }
}

fn records(path: &Path) -> Vec<Vec<String>> {
    let mut reader =
        csv::ReaderBuilder::new().flexible(true).has_headers(false).from_path(path).unwrap();
    let texts = |record: csv::ByteRecord| {
        record.iter().map(|field| field.iter().map(|byte| char::from(*byte)).collect()).collect()
    };
    reader.byte_records().map(|record| texts(record.unwrap())).collect()
}

fn ints(row: &Row<'_>, names: impl Iterator<Item = String>) -> i64 {
    names.map(|name| row.int_of(&name).unwrap_or(0)).sum()
}

#[test]
fn same_seed_same_bytes_other_seed_other_bytes() {
    for format in [Format::Csv, Format::Xlsx, Format::Zip] {
        let bytes = |seed| {
            let folder = tempfile::tempdir().unwrap();
            let world = world(16, seed);
            let job = job(&world, Kind::Nal, format, folder.path());
            write(&world, &job).unwrap();
            [job.out.clone(), job.clean.clone().unwrap(), truth_path(&job.out)]
                .map(|path| std::fs::read(path).unwrap())
        };
        assert_eq!(bytes(7), bytes(7));
        assert_ne!(bytes(7), bytes(8));
    }
}

#[test]
fn values_add_up_and_taxable_follows_from_exemptions() {
    let world = world(16, 7);
    let columns = Columns::of(Kind::Nal, world.year, world.release);
    let mut row = Row::new(&columns);
    let parts = |prefix: &'static str| {
        ["HMSTD", "NON_HMSTD_RESD", "RESD_NON_RESD", "CLASS_USE"].map(|p| format!("{prefix}_{p}"))
    };
    for index in 0..20_000 {
        fill(&world, Kind::Nal, index, &mut row);
        let get = |name: &str| row.int_of(name).unwrap();
        assert_eq!(get("JV"), ints(&row, parts("JV").into_iter()));
        assert_eq!(get("AV_NSD"), ints(&row, parts("AV").into_iter()));
        let exempt = |applies: fn(u8) -> bool| {
            let codes = (1..=46).chain(80..=82).filter(|code| applies(*code));
            ints(&row, codes.map(|code| format!("EXMPT_{code:02}")))
        };
        assert_eq!(get("TV_SD"), (get("AV_SD") - exempt(reduces_school)).max(0));
        assert_eq!(get("TV_NSD"), (get("AV_NSD") - exempt(reduces_county)).max(0));
        assert!(get("AV_NSD") <= get("AV_SD") && get("AV_SD") <= get("JV"));
    }
}

#[test]
fn parcel_ids_are_unique_and_of_their_county_in_every_county() {
    for number in 11..=77 {
        let county = County::find(number).unwrap();
        let rows = county.capacity().min(30_000);
        let ids: HashSet<String> = (0..rows).map(|index| county.parcel_id(7, index)).collect();
        assert_eq!(ids.len() as u64, rows, "{}", county.name);
        let lengths: HashSet<usize> = ids.iter().map(String::len).collect();
        assert_eq!(lengths.len(), 1, "{}", county.name);
    }
}

#[test]
fn sales_of_the_sales_roll_are_those_of_the_parcels() {
    let world = world(16, 7);
    let mut seen = 0;
    for row in 0..800 {
        let (sale, parcel) = sales::at_row(&world, row);
        let slots = sales::of_parcel(&world, &parcel);
        let same = |s: &&sales::Sale| (s.document, s.price) == (sale.document, sale.price);
        seen += slots.iter().filter(same).count();
    }
    assert_eq!(seen, 800);
}

#[test]
fn the_truth_tells_every_difference_and_no_other() {
    for kind in [Kind::Nal, Kind::Sdf, Kind::Nap] {
        for number in [16, 23, 15] {
            let folder = tempfile::tempdir().unwrap();
            let world = world(number, 7);
            let job = job(&world, kind, Format::Csv, folder.path());
            write(&world, &job).unwrap();
            compare(&job);
        }
    }
}

fn compare(job: &Job) {
    let damaged = records(&job.out);
    let mut clean = records(job.clean.as_deref().unwrap()).into_iter();
    let header = damaged[0].clone();
    let mut truth = records(&truth_path(&job.out)).into_iter().skip(1).peekable();
    let mut told = 0;
    for (at, row) in damaged.iter().enumerate() {
        let harmed = truth.next_if(|record| record[0] == (at + 1).to_string());
        let extra = harmed.as_ref().is_some_and(|record| record[2] == "duplicate-key");
        let right = match &harmed {
            Some(record) if extra => damaged[record[10].parse::<usize>().unwrap() - 1].clone(),
            _ => clean.next().unwrap(),
        };
        let differing: Vec<&String> = header
            .iter()
            .enumerate()
            .filter(|(place, _)| row.get(*place) != right.get(*place))
            .map(|(_, name)| name)
            .collect();
        match harmed {
            None => assert!(differing.is_empty() && row.len() == right.len(), "row {}", at + 1),
            Some(record) if record[2] == "ragged-row" => assert_ne!(row.len(), right.len()),
            Some(record) => {
                assert_eq!(differing, [&record[3]], "row {}", at + 1);
                let place = header.iter().position(|name| *name == record[3]).unwrap();
                assert_eq!((&right[place], &row[place]), (&record[5], &latin1(&record[6])));
                told += 1;
            }
        }
    }
    assert!(truth.next().is_none() && clean.next().is_none());
    assert!(told >= 50, "{told}");
}

/// Both files are read as Latin-1 here; the truth is UTF-8.
fn latin1(text: &str) -> String {
    let bytes: Vec<u8> = text.chars().map(|character| character as u8).collect();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn first_and_last_rows_are_damaged_and_every_kind_has_its_share() {
    let folder = tempfile::tempdir().unwrap();
    let world = world(16, 7);
    let job = job(&world, Kind::Nal, Format::Xlsx, folder.path());
    write(&world, &job).unwrap();
    let truth = records(&truth_path(&job.out));
    let rows: HashSet<&str> = truth.iter().map(|record| record[0].as_str()).collect();
    assert_eq!((truth.len(), rows.len()), (61, 61));
    assert!(rows.contains("2"));
    let last: u64 = truth.last().unwrap()[0].parse().unwrap();
    assert_eq!(last, 3_000 + 1 + 4, "four extra rows repeat others");
    for (harm, name) in harm::ALL.iter().filter(|(harm, _)| job.harms.contains(harm)) {
        let count = truth.iter().filter(|record| record[2] == *name).count();
        assert_eq!(count, 4, "{harm:?}");
    }
}

#[test]
fn a_workbook_holds_what_the_csv_holds() {
    use calamine::{Data, Reader};
    let folder = tempfile::tempdir().unwrap();
    let world = world(16, 7);
    for format in [Format::Csv, Format::Xlsx] {
        let mut job = job(&world, Kind::Nal, format, folder.path());
        job.harms = vec![Harm::BlankKey];
        write(&world, &job).unwrap();
    }
    let expected = records(&folder.path().join("clean.csv"));
    let mut book: calamine::Xlsx<_> =
        calamine::open_workbook(folder.path().join("clean.xlsx")).unwrap();
    let sheet = book.worksheet_range("NAL16P202501").unwrap();
    assert_eq!(sheet.height(), expected.len());
    for (row, wanted) in sheet.rows().zip(&expected) {
        let texts: Vec<String> = row
            .iter()
            .map(|cell| match cell {
                Data::Empty => String::new(),
                other => other.to_string(),
            })
            .collect();
        assert_eq!(texts, wanted[..texts.len()]);
        assert!(wanted[texts.len()..].iter().all(String::is_empty));
    }
}

#[test]
fn kinds_are_chosen_by_name_and_by_end_and_unknown_ones_are_refused() {
    let county = County::find(16).unwrap();
    let choose = |list: &str| harm::choose(list, Kind::Nal, Format::Csv, &county);
    assert_eq!(choose("bad-month,blank-key").unwrap(), [Harm::BlankKey, Harm::BadMonth]);
    assert!(choose("rejected").unwrap().iter().all(|harm| *harm != Harm::DuplicateKey));
    assert!(choose("id-too-long-number").is_err(), "a CSV has no numeric cells");
    assert!(choose("nonsense").is_err());
}
