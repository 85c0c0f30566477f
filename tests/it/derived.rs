//! Derived columns hold what the row says, and nothing where the row says nothing.

use crate::support::Place;

const HEADER: &str = "CO_NO,PARCEL_ID,FILE_T,ASMNT_YR,DOR_UC,JV,AV_SD,AV_NSD,TV_SD,TV_NSD,JV_HMSTD,\
    LND_VAL,LND_SQFOOT,ACT_YR_BLT,EFF_YR_BLT,TOT_LVG_AREA,NO_BULDNG,MULTI_PAR_SAL1,QUAL_CD1,VI_CD1,\
    SALE_PRC1,SALE_YR1,SALE_MO1,CLERK_NO1,OR_BOOK1,OR_PAGE1,OWN_NAME,OWN_ADDR1,OWN_CITY,OWN_STATE,\
    OWN_ZIPCD,OWN_STATE_DOM,PHY_ADDR1,PHY_CITY,PHY_ZIPCD,EXMPT_01,NOTE";

/// A home of its owner, sold last year; a flat let by a company from New York; bare land of a city.
const ROWS: [&str; 3] = [
    "16,474119030010,R,2025,1,400000,300000,300000,250000,250000,400000,100000,10890,1995,2000,2000,\
     1,,01,I,500000,2024,7,119775956,,,\"SMITH,JOHN & MARY\",12 OAK ST,DAVIE,FL,33314,FL,12 OAK ST,\
     DAVIE,33314,25000,corner",
    "16,474119030020,R,2025,004,200000,200000,200000,200000,200000,,,,1980,1980,800,,C,05,I,900000,\
     2024,12,,100,200,SUNRISE HOLDINGS LLC,1 BROADWAY,NEW YORK,NEW YORK,10004,NY,34 ELM ST,DAVIE,\
     33314,,",
    "16,474119030030,R,2025,089,50000,50000,50000,0,0,,60000,435600,,,,,,,,,,,,,,CITY OF DAVIE,\
     6591 ORANGE DR,DAVIE,FL,33314,FL,,DAVIE,33314,,",
];

fn loaded(agents: &str) -> Place {
    ended(agents, 0)
}

fn ended(agents: &str, code: i32) -> Place {
    let text = format!("{HEADER}\r\n{}\r\n", ROWS.join("\r\n"));
    let place = Place::new().file("NAL16P202501.csv", &text).env("ETL_AGENTS", agents);
    let done = place.output(&["ingest", "NAL16P202501.csv"]);
    assert_eq!(done.status.code(), Some(code), "{}", String::from_utf8_lossy(&done.stderr));
    place
}

/// One line a row, in the order of the parcels.
fn lines(place: &Place, columns: &str) -> Vec<String> {
    let sql = format!("SELECT {columns} FROM parcels ORDER BY parcel_id");
    let told = place.output(&["sql", &sql, "--format", "csv"]);
    let text = String::from_utf8(told.stdout).expect("the program writes UTF-8");
    text.lines().skip(1).map(str::to_owned).collect()
}

#[test]
fn what_a_row_says_about_itself() {
    let place = loaded("validate,transform,enrich");
    assert_eq!(
        lines(&place, "dor_uc, building_value, land_acres"),
        ["001,300000,0.25", "004,,", "089,,10.0"]
    );
    assert_eq!(
        lines(&place, "sale_date1, sale_date1_precision, sale_document1"),
        ["2024-07-01,month,instrument 119775956", "2024-12-01,month,book 100 page 200", ",,"]
    );
}

#[test]
fn what_code_tables_say_about_it() {
    let place = loaded("validate,transform,enrich");
    assert_eq!(
        lines(&place, "county_name, county_fips, use_label, use_category"),
        [
            "Broward,12011,Single family,Residential",
            "Broward,12011,Condominium,Residential",
            "Broward,12011,\"Municipal government, other\",Governmental"
        ]
    );
    assert_eq!(
        lines(&place, "owner_kind, owner_state, homestead, absentee_owner"),
        ["person,FL,true,false", "company,NY,false,true", "government,FL,false,"]
    );
    assert_eq!(
        lines(&place, "out_of_state_owner, qualified1, price_per_sqft"),
        ["false,true,250.0", "true,true,", "false,,"]
    );
    assert_eq!(lines(&place, "land_value_share, building_age"), ["0.25,30", ",45", "1.2,"]);
}

#[test]
fn unknown_columns_are_kept() {
    let place = loaded("validate,transform,enrich");
    let extra = lines(&place, "coalesce(_extra->>'NOTE', 'none')");
    assert_eq!(extra, ["corner", "none", "none"]);
}

/// Without `transform` a code that has lost its zeros is not mended, and `validate` refuses it.
#[test]
fn without_an_agent_there_are_none_of_its_columns_and_codes_stay_as_written() {
    let derived = "count(COLUMNS(c -> c IN ('building_value', 'use_label', 'owner_names')))";
    let place = ended("validate", 3);
    assert_eq!(lines(&place, "dor_uc, jv"), ["004,200000", "089,50000"]);
    assert!(!place.output(&["sql", &format!("SELECT {derived} FROM parcels")]).status.success());
    let place = loaded("enrich");
    assert_eq!(
        lines(&place, "dor_uc, use_label, jv"),
        ["1,,400000", "004,Condominium,200000", "089,\"Municipal government, other\",50000"]
    );
    assert!(!place.output(&["sql", "SELECT building_value FROM parcels"]).status.success());
}

/// What does not fit is refused by whoever reads it; only rules are the affair of `validate`.
#[test]
fn types_and_keys_are_checked_without_any_agent() {
    let [home, flat, land] = ROWS;
    let (odd, nameless) = (flat.replace("200000", "2OOOOO"), land.replacen("474119030030", "", 1));
    let text = format!("{HEADER}\r\n{home}\r\n{odd}\r\n{nameless}\r\n");
    let place = Place::new().file("NAL16P202501.csv", &text);
    let done = place.output(&["ingest", "NAL16P202501.csv", "--agents", "none"]);
    let told = String::from_utf8_lossy(&done.stdout);
    assert_eq!(done.status.code(), Some(3), "{told}");
    assert!(told.contains("E301") && told.contains("E305"), "{told}");
    assert_eq!(lines(&place, "parcel_id, dor_uc, jv"), ["474119030010,1,400000"]);
}

/// A row that is written anew without an agent keeps nothing of what was derived from its old values.
#[test]
fn a_later_load_without_agents_leaves_no_stale_columns() {
    let place = loaded("validate,transform,enrich");
    let text = format!("{HEADER}\r\n{}\r\n", ROWS.join("\r\n").replace("400000", "410000"));
    let place = place.file("NAL16P202502.csv", &text).env("ETL_AGENTS", "none");
    let done = place.output(&["ingest", "NAL16P202502.csv"]);
    assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(
        lines(&place, "jv, building_value, use_label, owner_names"),
        ["410000,,,", "200000,,,", "50000,,,"]
    );
}

#[test]
fn what_values_and_sales_say() {
    let place = loaded("validate,transform,enrich");
    let ages = "effective_age, round(years_since_sale, 3), taxable_gap, cap_difference, tax_exempt";
    assert_eq!(
        lines(&place, ages),
        ["25,0.5,150000,100000,false", "45,0.083,0,0,false", ",,50000,0,true"]
    );
    assert_eq!(
        lines(&place, "exemption_total, exemption_count, exemption_kinds, exempt_value_county"),
        ["25000,1,01,50000", "0,0,,0", "0,0,,50000"]
    );
    assert_eq!(
        lines(&place, "market_sale1, sale_to_value1, price_class1, bank_sale, distressed_sale"),
        ["true,1.25,ordinary,false,false", "false,,ordinary,false,false", "false,,,false,false"]
    );
    // 200 dollars a square foot are not below 200; what the cap takes off here is not in the file.
    assert_eq!(
        lines(&place, "investment_score, portable_difference, ported"),
        ["50,,", "50,,", "50,,"]
    );
}
