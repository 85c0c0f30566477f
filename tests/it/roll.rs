//! Small rolls made by hand: only the cells that a test is about are filled.

/// One row as (column of the DOR, cell).
pub type Row = Vec<(&'static str, String)>;

/// The DOR's columns of a kind, in file order.
fn columns(kind: &str) -> Vec<&'static str> {
    let list = match kind {
        "nal" => include_str!("../../packs/florida/columns/nal.csv"),
        _ => include_str!("../../packs/florida/columns/sdf.csv"),
    };
    list.lines().skip(1).filter_map(|line| line.split(',').nth(1)).collect()
}

/// A file of these rows as the DOR writes it.
pub fn file(kind: &str, rows: &[Row]) -> String {
    let columns = columns(kind);
    let mut text = columns.join(",");
    for row in rows {
        let cell = |name: &&str| row.iter().find(|(known, _)| known == name);
        let cells: Vec<_> =
            columns.iter().map(|name| cell(name).map_or("", |(_, text)| text.as_str())).collect();
        text.push_str("\r\n");
        text.push_str(&cells.join(","));
    }
    text.push_str("\r\n");
    text
}

/// A parcel of Broward (16, ids of 12 digits) or Miami-Dade (23, ids of 13), with its just value and
/// owner.
pub fn parcel(county: u8, number: u32, value: i64, owner: &str) -> Row {
    let text = |name, value: &str| (name, value.to_owned());
    let digits = if county == 23 { 9 } else { 8 };
    vec![
        text("CO_NO", &county.to_string()),
        text("PARCEL_ID", &format!("4741{number:0digits$}")),
        text("FILE_T", "R"),
        text("ASMNT_YR", "2025"),
        text("DOR_UC", "001"),
        text("JV", &value.to_string()),
        text("AV_SD", &value.to_string()),
        text("OWN_NAME", owner),
    ]
}

/// A sale of Broward.
pub fn sale(number: u32, price: &str) -> Row {
    let text = |name, value: &str| (name, value.to_owned());
    vec![
        text("CO_NO", "16"),
        text("PARCEL_ID", &format!("4741{:08}", number / 3)),
        text("ASMNT_YR", "2025"),
        text("DOR_UC", "001"),
        text("SALE_ID_CD", &format!("99000{number}")),
        text("VI_CD", "I"),
        text("QUAL_CD", if number.is_multiple_of(97) { "77" } else { "01" }),
        text("SALE_YR", "2024"),
        text("SALE_MO", "05"),
        text("SALE_PRC", price),
    ]
}

/// Sales of which some are refused, some duplicates, and some only warned about.
pub fn sales(rows: u32) -> String {
    let row = |number: u32| match number {
        n if n % 211 == 7 => sale(n, "much"),
        n if n % 307 == 11 => sale(n - 11, "1"),
        n => sale(n, &(100_000 + n).to_string()),
    };
    file("sdf", &(0..rows).map(row).collect::<Vec<_>>())
}
