//! The embedded pack as a whole, and what the module answers about headers and names.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::*;

fn florida() -> Pack {
    Pack::embedded("florida").unwrap_or_else(|e| panic!("{e}"))
}

fn header(kind: &Kind) -> Vec<String> {
    kind.columns.iter().map(|c| c.source.clone()).collect()
}

fn facts(
    kind: &str,
    county: u8,
    year: u16,
    release: Option<Release>,
    sub: Option<u16>,
) -> NameFacts {
    NameFacts {
        kind: (!kind.is_empty()).then(|| kind.to_owned()),
        county: (county > 0).then_some(county),
        year: (year > 0).then_some(year),
        release,
        submission: sub,
        published: false,
        source: String::new(),
    }
}

#[test]
fn all_kinds_load_with_their_columns() {
    let pack = florida();
    let sizes: Vec<(&str, usize)> =
        pack.kinds.iter().map(|k| (k.id.as_str(), k.columns.len())).collect();
    assert_eq!(sizes, [("nal", 167), ("sdf", 23), ("nap", 36), ("navn", 8), ("navd", 8)]);
    assert_eq!(pack.rules.len(), 131);
    let nal = pack.kind("nal").unwrap();
    let (_, exempt) = nal.column("exmpt_48").unwrap();
    assert_eq!((exempt.ty, exempt.years), (ColumnType::Money, (Some(2026), None)));
    let (_, use_code) = nal.column("dor_uc").unwrap();
    assert_eq!((use_code.ty, use_code.width), (ColumnType::Code, Some(3)));
    assert_eq!(nal.column("parcel_id").unwrap().1.width, None);
    assert!(pack.kind("navd").unwrap().headerless);
    assert_eq!(pack.kind("navd").unwrap().status, Status::Unconfirmed);
}

#[test]
fn every_file_of_the_folder_is_embedded_and_reads_the_same() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("packs/florida");
    let embedded: BTreeSet<String> =
        embedded::find("florida").unwrap().iter().map(|(p, _)| (*p).to_owned()).collect();
    let mut found = BTreeSet::new();
    for part in ["", "columns", "codes", "geo", "gold"] {
        for entry in fs::read_dir(root.join(part)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if [".toml", ".csv", ".sql", ".geojson"].iter().any(|end| name.ends_with(end)) {
                found.insert(if part.is_empty() { name } else { format!("{part}/{name}") });
            }
        }
    }
    assert_eq!(found, embedded);
    let from_dir = Pack::from_dir(&root).unwrap();
    assert_eq!(from_dir.hash, florida().hash);
    assert_eq!(from_dir.hash.len(), 64);
}

#[test]
fn code_lists_are_written_out() {
    let pack = florida();
    let ok = |id: &str| match &pack.rules.iter().find(|r| r.id == id).unwrap().check {
        Check::Row { ok, .. } => ok.clone(),
        other => panic!("{id} is {other:?}"),
    };
    assert!(ok("NAL-14").contains("['000', '001', '002',"), "{}", ok("NAL-14"));
    assert!(!ok("SDF-08").contains("'15'") && ok("SDF-08").contains("'43'"));
    assert!(ok("NAP-11").contains("{6}"), "regular expressions stay: {}", ok("NAP-11"));
    for rule in &pack.rules {
        if let Check::Row { ok, .. } = &rule.check {
            assert!(!ok.contains(" where "), "{}", rule.id);
        }
    }
    let by_year = ok("SDF-21");
    let list = |year| pack.of_year(&by_year, year).split_once("list_contains([").unwrap().1.len();
    assert!(list(Some(2017)) < list(Some(2018)) && list(Some(2018)) == list(None));
}

#[test]
fn levels_do_not_refuse_sound_files() {
    let pack = florida();
    for id in ["FILE-01", "FILE-02", "FILE-07", "NAL-21", "NAL-27", "NAL-28", "NAL-40", "SDF-03"] {
        let rule = pack.rules.iter().find(|r| r.id == id).unwrap();
        assert_eq!(
            (rule.level, rule.level_in_source),
            (Level::Warning, Some(Level::Critical)),
            "{id}"
        );
    }
    assert_eq!(pack.rules_for("sdf").filter(|r| matches!(r.check, Check::Later(_))).count(), 1);
}

#[test]
fn a_rule_without_its_columns_is_left_out_and_messages_take_values() {
    let pack = florida();
    let rule = pack.rules.iter().find(|r| r.id == "NAL-22").unwrap();
    assert!(rule.applies(|_| true));
    assert!(!rule.applies(|c| c != "jv"));
    let text = rule.render(|c| (c == "jv").then(|| "5".to_owned()));
    assert_eq!(text, "school assessed value blank is above just value 5");
}

#[test]
fn counties_cross() {
    let counties = florida().counties;
    assert_eq!(counties.len(), 67);
    let rows = [
        (16, "Broward", "12011"),
        (23, "Miami-Dade", "12086"),
        (26, "Duval", "12031"),
        (60, "Palm Beach", "12099"),
        (65, "Saint Johns", "12109"),
        (66, "Saint Lucie", "12111"),
        (67, "Santa Rosa", "12113"),
    ];
    for (number, name, fips) in rows {
        let county = counties.by_number(number).unwrap();
        assert_eq!((county.name.as_str(), county.fips.as_str()), (name, fips));
        assert_eq!(counties.by_fips(fips).unwrap().number, number);
    }
    let spellings = [
        ("DADE", 23),
        ("miami_dade", 23),
        ("Miami-Dade County", 23),
        ("ST JOHNS", 65),
        ("St. Johns", 65),
        ("Saint Lucie", 66),
        ("ST_LUCIE", 66),
        ("PALM BEACH", 60),
        ("palmbeach", 60),
        ("DE SOTO", 24),
        ("Santa Rosa", 67),
        ("indian river", 41),
    ];
    for (text, number) in spellings {
        assert_eq!(counties.by_spelling(text).map(|c| c.number), Some(number), "{text}");
    }
    assert!(counties.by_spelling("Johns").is_none());
    assert!(counties.by_spelling("").is_none());
    assert!(counties.by_number(10).is_none() && counties.by_number(78).is_none());
}

#[test]
fn parcel_formats() {
    let counties = florida().counties;
    let format = |n| counties.by_number(n).unwrap().format.clone().unwrap();
    assert_eq!(format(16).constant_len, Some(12));
    assert_eq!((format(51).constant_len, format(51).len_min, format(51).len_max), (None, 6, 10));
    assert!(format(14).leading_zero_share > 0.99 && format(16).leading_zero_share < 0.01);
    assert!(counties.iter().all(|c| c.format.is_some()));
}

#[test]
fn names_of_files() {
    use Release::{F, P};
    let counties = florida().counties;
    let rows = [
        ("NAL16P202501.csv", facts("nal", 16, 2025, Some(P), Some(1))),
        ("data/zips/NAL21P202602.CSV", facts("nal", 21, 2026, Some(P), Some(2))),
        (r"C:\rolls\SDF68P202502.csv", facts("sdf", 68, 2025, Some(P), Some(2))),
        ("NAL26F20260827.txt", facts("nal", 26, 2026, Some(F), None)),
        ("Broward 16 Preliminary NAL 2025.zip", facts("nal", 16, 2025, Some(P), None)),
        ("Broward Preliminary NAL 2026.zip", facts("nal", 16, 2026, Some(P), None)),
        ("Broward 16 Preliminary TPP 2025.zip", facts("nap", 16, 2025, Some(P), None)),
        ("Seminole 58 Preliminary NAL 2026.zip", facts("nal", 69, 2026, Some(P), None)),
        ("NAL_2023_Gilchrist_P.csv", facts("nal", 31, 2023, Some(P), None)),
        ("NAL_2015_31Gilchrist_F.csv", facts("nal", 31, 2015, Some(F), None)),
        ("NAL_2023_St. Johns_S.csv", facts("nal", 65, 2023, Some(Release::S), None)),
        ("NAVN162401.TXT", facts("navn", 16, 2024, None, Some(1))),
        ("navd110901.txt", facts("navd", 11, 2009, None, Some(1))),
        ("broward_2025.xlsx", facts("", 16, 2025, None, None)),
        ("Palm Beach Final SDF 2025.csv.gz", facts("sdf", 60, 2025, Some(F), None)),
        ("NAL_2025P", facts("nal", 0, 2025, Some(P), None)),
        ("NAP_16_2025.parquet", facts("nap", 16, 2025, None, None)),
        ("DADE.zip", facts("", 23, 0, None, None)),
        ("customers.csv", facts("", 0, 0, None, None)),
        ("NAL99P202501.csv", facts("nal", 0, 0, None, None)),
        ("lee_and_collier_2024.csv", facts("", 0, 2024, None, None)),
        ("", facts("", 0, 0, None, None)),
    ];
    for (name, mut expected) in rows {
        let found = read_name(name, &counties);
        expected.source = found.source.clone();
        expected.published = found.published;
        assert_eq!(found, expected, "{name}");
    }
    assert_eq!(read_name(r"C:\rolls\SDF68P202502.csv", &counties).source, "SDF68P202502.csv");
    for (name, published) in [("NAVN162401.TXT", true), ("NAL_2023_Gilchrist_P.csv", false)] {
        assert_eq!(read_name(name, &counties).published, published, "{name}");
    }
}

#[test]
fn binding_does_not_mind_case_marks_quotes_and_aliases() {
    let pack = florida();
    let sdf = pack.kind("sdf").unwrap();
    let mut names = header(sdf);
    names[0] = "\u{feff}\"co_no\"".to_owned();
    names[1] = "  Parcel_Id ".to_owned();
    names[10] = "SAL_CHNG_CD".to_owned();
    let binding = sdf.bind(&names, Some(2025));
    assert_eq!(binding.columns, (0..23).map(Some).collect::<Vec<_>>());
    assert_eq!(binding.renamed, [("SAL_CHNG_CD".to_owned(), "sal_chg_cd".to_owned())]);
    assert_eq!(binding.layout.as_deref(), Some("2025 and 2026"));
    assert!(binding.missing.is_empty() && binding.unknown.is_empty() && binding.near.is_empty());
}

#[test]
fn a_changed_order_binds_the_same_columns() {
    let pack = florida();
    let nal = pack.kind("nal").unwrap();
    let straight = header(nal);
    let turned: Vec<String> = straight.iter().rev().cloned().collect();
    let (a, b) = (nal.bind(&straight, None), nal.bind(&turned, None));
    for (column, (x, y)) in nal.columns.iter().zip(a.columns.iter().zip(&b.columns)) {
        assert_eq!(straight[x.unwrap()], turned[y.unwrap()], "{}", column.name);
    }
    assert_eq!(a.layout, b.layout);
    assert_eq!(a.layout.as_deref(), Some("2026 final"));
}

#[test]
fn layouts_by_year() {
    let pack = florida();
    let nal = pack.kind("nal").unwrap();
    let without = |names: &[&str]| -> Vec<String> {
        header(nal).into_iter().filter(|h| !names.contains(&h.as_str())).collect()
    };
    let preliminary = nal.bind(&without(&["EXMPT_47", "EXMPT_48"]), Some(2026));
    assert_eq!(preliminary.layout.as_deref(), Some("2025 and 2026 preliminary"));
    assert!(preliminary.missing.is_empty());
    assert_eq!(preliminary.bound(), 165);
    let cut = nal.bind(&without(&["EXMPT_47", "EXMPT_48", "JV", "CO_NO"]), Some(2025));
    assert_eq!(cut.missing, ["co_no", "jv"]);
    assert_eq!(cut.missing_required, ["co_no"]);
    assert_eq!(cut.layout, None);
    let sdf = pack.kind("sdf").unwrap();
    let priceless: Vec<_> = header(sdf).into_iter().filter(|h| h != "SALE_PRC").collect();
    assert_eq!(sdf.bind(&priceless, Some(2025)).missing_required, ["sale_prc"]);
}

#[test]
fn duplicates_and_slips_are_named() {
    let pack = florida();
    let nal = pack.kind("nal").unwrap();
    let text = [
        "CO_NO",
        "PARCEL_ID",
        "ASMNT_YR",
        "JV",
        "jv",
        "TOT_LVG_ARAE",
        "EXMPT_49",
        "PARCELNO",
        "OWN NAME",
    ];
    let names: Vec<String> = text.iter().map(|s| (*s).to_owned()).collect();
    let binding = nal.bind(&names, Some(2026));
    assert_eq!(binding.duplicates, [("jv".to_owned(), vec![3, 4])]);
    assert_eq!(binding.columns[nal.column("jv").unwrap().0], Some(3));
    assert_eq!(binding.unknown, [5, 6, 7, 8]);
    let near: Vec<(&str, &str)> =
        binding.near.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    assert_eq!(near, [("TOT_LVG_ARAE", "tot_lvg_area"), ("OWN NAME", "own_name")]);
}

#[test]
fn positions_bind_files_without_header() {
    let pack = florida();
    let navn = pack.kind("navn").unwrap();
    let full = navn.bind_positions(8);
    assert_eq!(full.columns, (0..8).map(Some).collect::<Vec<_>>());
    assert!(full.unknown.is_empty() && full.missing.is_empty());
    let long = navn.bind_positions(9);
    assert_eq!(long.unknown, [8]);
    let short = navn.bind_positions(4);
    assert_eq!(short.missing_required, ["tax_year", "tax_roll_sequence_number"]);
}

#[test]
fn headers_are_recognised() {
    let pack = florida();
    for id in ["nal", "sdf", "nap"] {
        let found = pack.recognise(&header(pack.kind(id).unwrap())).unwrap();
        assert_eq!((found.kind.as_str(), found.share), (id, 1.0));
        assert!(found.evidence.contains("header names are columns of"), "{}", found.evidence);
    }
    let list = |text: &str| -> Vec<String> { text.split(',').map(str::to_owned).collect() };
    let part = "co_no,parcel_id,asmnt_yr,dor_uc,jv,av_sd,tv_sd,own_name,phy_addr1,my_note";
    assert_eq!(pack.recognise(&list(part)).unwrap().kind, "nal");
    for generic in [
        "parcel_id,owner,price,date",
        "co_no,parcel_id,asmnt_yr,note,colour,height",
        "co_no,parcel_id,asmnt_yr,dor_uc,nbrhd_cd,mkt_ar,census_bk,rs_id",
        "id,name",
        "",
    ] {
        assert_eq!(pack.recognise(&list(generic)), None, "{generic}");
    }
    assert_eq!(pack.recognise(&[]), None);
}

#[test]
fn rows_without_header_are_recognised() {
    let pack = florida();
    let row = |text: &str| -> Vec<String> { text.split(',').map(str::to_owned).collect() };
    assert_eq!(pack.recognise_cells(&row("N,16,4741,99,2024,350.00,2,1")).unwrap().kind, "navn");
    assert_eq!(pack.recognise_cells(&row("D,16,4741,F01,2,3,350.00,1")).unwrap().kind, "navd");
    assert!(pack.recognise_cells(&row("D,99,4741,F01,2,3,350.00,1")).is_none());
    assert!(pack.recognise_cells(&row("D,16,4741")).is_none());
}

#[test]
fn a_flag_decides_and_rows_against_name_is_an_error() {
    let pack = florida();
    let member = read_name("NAL23P202501.csv", &pack.counties);
    let rows =
        Facts { kind: Some("nal".into()), county: Some(16), year: Some(2025), ..Facts::default() };
    let error = settle(&Facts::default(), &rows, &member, None).unwrap_err();
    let text = error.to_string();
    for part in ["county", "rows say 16", "NAL23P202501.csv", "says 23", "--county"] {
        assert!(text.contains(part), "{text}");
    }
    let flags = Facts { county: Some(16), ..Facts::default() };
    let settled = settle(&flags, &rows, &member, None).unwrap();
    assert_eq!((settled.county, settled.year), (Some(16), Some(2025)));
    assert_eq!((settled.release, settled.submission), (Some(Release::P), Some(1)));
    assert_eq!(settled.warnings.len(), 1, "{:?}", settled.warnings);
    assert!(settled.origins.contains(&("county", Origin::Flag)));
    assert!(settled.origins.contains(&("release", Origin::Name)));
}

#[test]
fn a_lying_zip_name_only_warns_and_fills_gaps() {
    let pack = florida();
    let zip = read_name("Orange 58 Preliminary NAL 2026.zip", &pack.counties);
    let member = read_name("NAL69P202601.csv", &pack.counties);
    let rows = Facts { county: Some(69), year: Some(2026), ..Facts::default() };
    let settled = settle(&Facts::default(), &rows, &member, Some(&zip)).unwrap();
    assert_eq!(settled.county, Some(69));
    assert_eq!(settled.warnings.len(), 1);
    assert!(settled.warnings[0].contains("Orange 58"), "{:?}", settled.warnings);
    let plain = read_name("broward.csv", &pack.counties);
    let folder = read_name("NAL_2025P", &pack.counties);
    let settled = settle(&Facts::default(), &Facts::default(), &plain, Some(&folder)).unwrap();
    assert_eq!((settled.county, settled.release), (Some(16), Some(Release::P)));
    assert!(settled.warnings.is_empty());
    assert!(settled.origins.contains(&("release", Origin::Outer)));
}

#[test]
fn releases_are_ordered() {
    assert!(Release::P < Release::S && Release::S < Release::F);
    assert_eq!("final".parse::<Release>(), Ok(Release::F));
    assert!("X".parse::<Release>().is_err());
    let pack = florida();
    let ranks = [None, Some(Release::P), Some(Release::S), Some(Release::F)];
    assert_eq!(ranks.map(|r| pack.release_rank(r)), [0, 1, 2, 3]);
}

#[test]
fn what_is_absent_is_answered() {
    let pack = florida();
    let nal = pack.kind("nal").unwrap();
    assert!(nal.absent_answer("Bedrooms").unwrap().contains("No DOR file"));
    assert!(nal.absent_answer("deed type").is_some());
    assert!(nal.absent_answer("jv").is_none());
}

/// Copies the pack to a folder and changes one file.
fn broken(file: &str, from: &str, to: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    for (path, text) in embedded::find("florida").unwrap() {
        let target = dir.path().join(path);
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        let text = if *path == file {
            assert!(text.contains(from), "{file} does not hold {from}");
            text.replacen(from, to, 1)
        } else {
            (*text).to_owned()
        };
        fs::write(target, text).unwrap();
    }
    match Pack::from_dir(dir.path()) {
        Ok(_) => "loads".to_owned(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn mistakes_are_named_with_file_and_place() {
    let rows: [(&str, &str, &str, &[&str]); 12] = [
        ("nal.toml", "key = [\"co_no\"", "key = [\"county\"", &["nal.toml, key", "'county'"]),
        ("nal.toml", "id = \"nal\"", "id = \"nal\"\ncolour = 1", &["nal.toml", "colour"]),
        ("nal.toml", "type = \"BIGINT\"", "type = \"MONEY\"", &["derived building_value", "MONEY"]),
        ("nal.toml", "table = \"use_codes\"", "table = \"uses\"", &["lookup use_code", "'uses'"]),
        (
            "sdf.toml",
            "table = \"sales\"",
            "table = \"parcels\"",
            &["pack.toml", "'parcels' comes twice"],
        ),
        (
            "columns/sdf.csv",
            "sale_prc,SALE_PRC,money",
            "sale_prc,SALE_PRC,cents",
            &["column sale_prc", "cents"],
        ),
        (
            "columns/sdf.csv",
            "parcel_id,PARCEL_ID,id,,",
            "parcel_id,PARCEL_ID,id,9,",
            &["column parcel_id", "width"],
        ),
        ("columns/sdf.csv", "or_book,", "or_page,", &["column or_page", "already stands"]),
        (
            "rules.toml",
            "id = \"NAL-02\"",
            "id = \"NAL-01\"",
            &["rules.toml", "'NAL-01' comes twice"],
        ),
        ("rules.toml", "{use_codes}", "{uses}", &["rule NAL-14", "{uses}"]),
        (
            "rules.toml",
            "columns = [\"av_sd\", \"jv\"]",
            "columns = [\"av_sd\", \"jvx\"]",
            &["rule NAL-22", "'jvx'"],
        ),
        (
            "codes/counties.csv",
            "17,Calhoun",
            "x17,Calhoun",
            &["codes/counties.csv", "county Calhoun", "x17"],
        ),
    ];
    for (file, from, to, parts) in rows {
        let text = broken(file, from, to);
        for part in parts {
            assert!(text.contains(part), "{file}: {text}");
        }
    }
    assert_eq!(broken("pack.toml", "name", "name"), "loads");
    // What a spreadsheet does to a CSV it saves.
    assert_eq!(broken("columns/nap.csv", "name,source", "\u{feff}name,source"), "loads");
}

#[test]
fn a_missing_pack_is_named() {
    let text = Pack::embedded("texas").unwrap_err().to_string();
    assert!(text.contains("texas") && text.contains("florida"), "{text}");
    let text = Pack::from_dir(Path::new("no-such-folder")).unwrap_err().to_string();
    assert!(text.contains("pack.toml"), "{text}");
}
