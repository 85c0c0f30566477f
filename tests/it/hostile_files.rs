//! Files made to break a reader, through the program as users run it: each is loaded or refused with
//! a code, within the memory limit, never by a crash or a hang, and nothing is written beside.

use super::hostile_make::{
    cell, footer_of_structures, gzipped_run, ole, overlapping, patch_directory, renamed, rows,
    workbook, zipped,
};
use super::support::Place;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// Far above what any of these files needs, also on a machine that is busy.
const HANG: Duration = Duration::from_secs(120);
/// The limit the program is given, in MiB, and what it may take beyond: the system counts the
/// library's own pages as well.
const LIMIT: u64 = 512;
const SLACK: u64 = 48;

/// What must come of a file.
enum Fate {
    /// So many rows are read, and none of them lost.
    Rows(u64),
    /// One of these codes.
    Refused(&'static [&'static str]),
}

use Fate::{Refused, Rows};

/// Exit code, answer and messages of `etl check`.
struct Told {
    code: i32,
    answer: serde_json::Value,
    said: String,
    peak_mib: u64,
}

fn check(place: &Place, file: &str) -> Told {
    let limit = format!("{LIMIT}MiB");
    let arguments = ["check", file, "--type", "generic", "--memory-limit", &limit];
    let mut child = place
        .command(&[&arguments[..], &["--format", "json", "--progress", "none"]].concat())
        .stdout(Stdio::from(std::fs::File::create(place.path("out")).expect("writable")))
        .stderr(Stdio::from(std::fs::File::create(place.path("err")).expect("writable")))
        .spawn()
        .expect("the program starts");
    let started = Instant::now();
    let mut peak = 0;
    let status = loop {
        peak = peak.max(memory_mib(&child));
        if let Some(status) = child.try_wait().expect("a child") {
            break status;
        }
        if started.elapsed() > HANG {
            child.kill().expect("it runs");
            panic!("{file}: it hangs");
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let text = |name| {
        String::from_utf8_lossy(&std::fs::read(place.path(name)).expect("there")).into_owned()
    };
    let said = text("err");
    let code = status.code().unwrap_or_else(|| panic!("{file}: killed by a signal: {said}"));
    let answer = serde_json::from_str(&text("out")).unwrap_or(serde_json::Value::Null);
    Told { code, answer, said, peak_mib: peak }
}

/// The most memory that a process has had, where the system tells.
fn memory_mib(child: &Child) -> u64 {
    let path = format!("/proc/{}/status", child.id());
    let status = std::fs::read_to_string(path).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) / 1024
}

fn all(cases: &[(&str, Vec<u8>, Fate)]) {
    let mut wrong = Vec::new();
    for (name, bytes, fate) in cases {
        let place = Place::new();
        std::fs::write(place.path(name), bytes).expect("the folder is writable");
        let told = check(&place, name);
        let rows = told.answer["tally"]["read"].as_u64();
        let fine = match fate {
            Rows(expected) => matches!(told.code, 0 | 5) && rows == Some(*expected),
            Refused(codes) => {
                // 6: the input cannot be read; 8: a limit.
                matches!(told.code, 6 | 8) && codes.iter().any(|code| told.said.contains(code))
            }
        };
        let in_words = !told.said.contains("panicked") && !told.said.contains("RUST_BACKTRACE");
        if !fine || !in_words || told.peak_mib > LIMIT + SLACK {
            wrong.push(format!(
                "{name}: exit {}, {rows:?} rows, {} MiB: {}",
                told.code, told.peak_mib, told.said
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

const SHEET: &str = "xl/worksheets/sheet1.xml";
const DOC: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
const DAMAGED: Fate = Refused(&["E103"]);
const LIMITED: Fate = Refused(&["E104"]);

fn sound_rows() -> String {
    rows(&format!("<row r=\"2\">{}{}</row>", cell("A2", "1"), cell("B2", "x")))
}

#[test]
fn sheets_that_lie_about_their_size() {
    let one =
        |address: &str, row: &str| rows(&format!("<row r=\"2\">{}</row>{row}", cell(address, "1")));
    let corner = format!("<row r=\"1048576\">{}</row>", cell("XFD1048576", "far"));
    let outside = |cell: &str| rows(&format!("<row r=\"2\"><c r=\"{cell}\"><v>1</v></c></row>"));
    all(&[
        // A value beside the table is a refused row, not a table of 17 billion cells.
        ("corner.xlsx", workbook(&one("A2", &corner), &[]), Rows(2)),
        ("behind_xfd.xlsx", workbook(&outside("XFE2"), &[]), LIMITED),
        ("no_column.xlsx", workbook(&outside("2"), &[]), Refused(&["E103", "E104"])),
        ("row_0.xlsx", workbook(&outside("A0"), &[]), Refused(&["E103", "E104"])),
        (
            "row_overflow.xlsx",
            workbook(&outside("A99999999999999999999"), &[]),
            Refused(&["E103", "E104"]),
        ),
        (
            "dimension_lies.xlsx",
            workbook(&format!("<dimension ref=\"A1:XFD1048576\"/>{}", sound_rows()), &[]),
            Rows(1),
        ),
        (
            "many_strings_claimed.xlsx",
            workbook(
                &rows("<row r=\"2\"><c r=\"A2\" t=\"s\"><v>0</v></c></row>"),
                &[(
                    "xl/sharedStrings.xml",
                    "<sst uniqueCount=\"4294967295\"><si><t>x</t></si></sst>",
                )],
            ),
            Rows(1),
        ),
        (
            "no_such_string.xlsx",
            workbook(&rows("<row r=\"2\"><c r=\"A2\" t=\"s\"><v>4294967295</v></c></row>"), &[]),
            DAMAGED,
        ),
    ]);
}

#[test]
fn xml_that_explodes_or_points_elsewhere() {
    let bomb = "<!DOCTYPE worksheet [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;\">\
                <!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;\">]><worksheet>";
    let reading = "<!DOCTYPE worksheet [<!ENTITY f SYSTEM \"file:///etc/hostname\">]><worksheet>";
    let with = |head: &str, text: &str| {
        let body = rows(&format!("<row r=\"2\">{}</row>", cell("A2", text)));
        workbook("", &[(SHEET, &format!("{head}{body}</worksheet>"))])
    };
    let relations = |target: &str, mode: &str| {
        format!(
            "<Relationships><Relationship Id=\"r1\" Type=\"http://schemas.openxmlformats.org/\
             officeDocument/2006/relationships/worksheet\" Target=\"{target}\"{mode}/></Relationships>"
        )
    };
    let pointing = |target: &str, mode: &str| {
        workbook(&sound_rows(), &[("xl/_rels/workbook.xml.rels", &relations(target, mode))])
    };
    let nested = "<x>".repeat(200_000);
    let attributes: String = (0..100_000).map(|n| format!(" a{n}=\"1\"")).collect();
    all(&[
        ("billion_laughs.xlsx", with(bomb, "&c;"), DAMAGED),
        ("foreign_entity.xlsx", with(reading, "&f;"), DAMAGED),
        ("elsewhere.xlsx", pointing("file:///etc/passwd", " TargetMode=\"External\""), DAMAGED),
        ("above.xlsx", pointing("../../../../../../etc/passwd", ""), DAMAGED),
        ("itself.xlsx", pointing("_rels/workbook.xml.rels", ""), Refused(&["E103", "E205"])),
        // What stands around the rows is not asked to be in order.
        ("nested.xlsx", workbook(&format!("{nested}{}", sound_rows()), &[]), Rows(1)),
        (
            "attributes.xlsx",
            workbook(&rows(&format!("<row r=\"2\"{attributes}>{}</row>", cell("A2", "1"))), &[]),
            Rows(1),
        ),
    ]);
}

#[test]
fn bombs() {
    let blanks = " ".repeat(300 << 20);
    let many = format!("a,b\n{}", "1,2\n".repeat(1 << 16));
    all(&[
        ("sheet.xlsx", workbook(&blanks, &[]), LIMITED),
        ("zeros.csv.gz", gzipped_run(b"", b"\0", 256 << 20), Refused(&["E101"])),
        ("line.csv.gz", gzipped_run(b"a,b\n1,", b"x", 256 << 20), LIMITED),
        // A quote that never closes costs its line; the others are two million refused rows.
        ("quoted.csv.gz", gzipped_run(b"a,b\n1,\"", b"x\n", 4 << 20), Rows(4 << 19)),
        // What must lie on disk as a whole may not fill it.
        ("zeros.parquet.gz", gzipped_run(b"PAR1", b"\0", 300 << 20), LIMITED),
        // A footer of 15 MiB that means 1.8 GB of empty structures.
        ("footer.parquet", footer_of_structures(15 << 19), DAMAGED),
        ("overlapping.zip", overlapping(many.as_bytes(), 20_000), DAMAGED),
        (
            "zip_in_zip.zip",
            zipped(&[("in.zip", &zipped(&[("a.csv", b"a,b\n1,2\n")]))]),
            Refused(&["E101"]),
        ),
    ]);
}

#[test]
fn a_line_of_256_mib_is_a_limit() {
    let mut line = b"a,b\n1,".to_vec();
    line.resize(256 << 20, b'x');
    all(&[("line.csv", line, LIMITED)]);
}

#[test]
fn containers_that_lie_and_loop() {
    let book = workbook(&sound_rows(), &[]);
    let patched = |offset: usize, bytes: &[u8]| {
        let mut lying = book.clone();
        patch_directory(&mut lying, offset, bytes);
        lying
    };
    let end = memchr::memmem::rfind(&book, b"PK\x05\x06").expect("an end");
    let at_end = |offset: usize, bytes: &[u8]| {
        let mut lying = book.clone();
        lying[end + offset..end + offset + bytes.len()].copy_from_slice(bytes);
        lying
    };
    let nobody = |bytes: Vec<u8>, name| (name, bytes, Refused(&["E101", "E103", "E104"]));
    all(&[
        ("crc.xlsx", patched(16, &[1, 2, 3, 4]), DAMAGED),
        ("unpacked_less.xlsx", patched(24, &[9, 0, 0, 0]), DAMAGED),
        ("unpacked_more.xlsx", patched(24, &[0xff, 0xff, 0xff, 0x7f]), Refused(&["E103", "E104"])),
        ("packed_more.xlsx", patched(20, &[0xff, 0xff, 0xff, 0x7f]), Refused(&["E103"])),
        ("behind_the_end.xlsx", patched(42, &[0xff, 0xff, 0xff, 0x7f]), DAMAGED),
        // The directory begins at itself, at the head, behind the end; it has 65,535 entries.
        nobody(at_end(16, &(end as u32).to_le_bytes()), "directory_is_its_end.xlsx"),
        nobody(at_end(16, &[0; 4]), "directory_at_the_head.xlsx"),
        nobody(at_end(16, &[0xff; 4]), "directory_nowhere.xlsx"),
        nobody(at_end(8, &[0xff; 4]), "too_many_entries.xlsx"),
        nobody(book[..end].to_vec(), "no_end.xlsx"),
    ]);
}

/// What stands under a name that stands twice can be found once: rows of the other one would be lost.
#[test]
fn names_that_stand_twice() {
    let members = zipped(&[("a.csv", b"a,b\n1,2\n"), ("b.csv", b"a,b\n3,4\n5,6\n")]);
    let other = format!("<worksheet>{}</worksheet>", sound_rows());
    let twin = |name: &str| {
        let book = workbook(&sound_rows(), &[("xl/worksheets/sheet9.xml", &other)]);
        renamed(&book, "xl/worksheets/sheet9.xml", name)
    };
    all(&[
        ("different.zip", members.clone(), Rows(3)),
        ("twice.zip", renamed(&members, "b.csv", "a.csv"), DAMAGED),
        ("twice.xlsx", twin(SHEET), DAMAGED),
        ("twice_in_other_letters.xlsx", twin("XL/worksheets/Sheet1.xml"), DAMAGED),
    ]);
}

#[test]
fn old_containers_that_loop() {
    const END: u32 = u32::MAX - 1;
    const FAT: u32 = u32::MAX - 2;
    let sound = [FAT, END, 3, 4, 5, 6, END];
    let loops = [FAT, END, 3, 2, 3, 3, 3];
    let directory = [FAT, 1, 3, 4, 5, 6, END];
    let size =
        |size: u32| move |entry: &mut [u8]| entry[120..124].copy_from_slice(&size.to_le_bytes());
    let at = |offset: usize, value: u32| {
        move |header: &mut [u8]| header[offset..offset + 4].copy_from_slice(&value.to_le_bytes())
    };
    let whatever = || Refused(&["E101", "E103", "E104", "E105", "E205"]);
    let keep = |_: &mut [u8]| {};
    all(&[
        ("nothing_in_it.xls", ole(&sound, keep, keep), whatever()),
        ("stream_loops.xls", ole(&loops, keep, size(u32::MAX)), whatever()),
        ("directory_loops.xls", ole(&directory, keep, keep), whatever()),
        ("fat_count.xls", ole(&sound, at(44, u32::MAX), keep), whatever()),
        ("fat_list_loops.xls", ole(&sound, at(68, 2), keep), whatever()),
        ("fat_list_count.xls", ole(&sound, at(72, u32::MAX), keep), whatever()),
        ("short_count.xls", ole(&sound, at(64, u32::MAX), keep), whatever()),
        ("sector_size.xls", ole(&sound, at(30, 0x0040_0040), keep), whatever()),
        ("sectors_behind.xls", ole(&[FAT, END, 0x00ff_ffff], keep, keep), whatever()),
    ]);
}

#[test]
fn names_that_climb_out_write_nothing_there() {
    let archive = zipped(&[
        ("../../outside/SDF.csv", b"a,b\n1,2\n3\n"),
        ("/absolute/../x.csv", b"a,b\n1,2\n3\n"),
        ("..\\..\\windows.csv", b"a,b\n1\n"),
        ("C:\\drive.csv", b"a,b\n1\n"),
    ]);
    let place = Place::new();
    let inner = place.path("inner/most");
    std::fs::create_dir_all(&inner).expect("writable");
    std::fs::write(inner.join("slip.zip"), archive).expect("writable");
    let before = tree(&place);
    let output = place
        .command(&["ingest", "slip.zip", "--to", "duckdb:t.duckdb", "--type", "generic"])
        .current_dir(&inner)
        .output()
        .expect("the program starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "loaded, with refused rows: {said}");
    let made: Vec<_> = tree(&place).into_iter().filter(|path| !before.contains(path)).collect();
    assert!(made.len() >= 5, "a database and failed records: {made:?}");
    for path in &made {
        assert_eq!(path.parent(), Some(inner.as_path()), "{}", path.display());
    }
}

fn tree(place: &Place) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![place.path("")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("readable") {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                folders.push(path.clone());
            }
            found.push(path);
        }
    }
    found
}

/// As many columns as a sheet can have.
#[test]
fn sixteen_thousand_columns() {
    const COLUMNS: usize = 16_384;
    let line = |cell: &dyn Fn(usize) -> String| {
        (0..COLUMNS).map(cell).collect::<Vec<_>>().join(",") + "\n"
    };
    let mut text = line(&|column| format!("c{column}"));
    for row in 0..20 {
        text += &line(&|column| (row * column).to_string());
    }
    let cells = |row: usize| -> String {
        (0..COLUMNS).map(|column| format!("<c t=\"str\"><v>v{}</v></c>", row * column)).collect()
    };
    let body: String =
        (1..=20).map(|row| format!("<row r=\"{row}\">{}</row>", cells(row))).collect();
    let alike: String = "same,".repeat(COLUMNS - 1) + "same\n" + &"1,".repeat(COLUMNS - 1) + "1\n";
    all(&[
        ("wide.csv", text.into_bytes(), Rows(20)),
        ("wide.xlsx", workbook(&format!("<sheetData>{body}</sheetData>"), &[]), Rows(19)),
        ("alike.csv", alike.into_bytes(), Rows(1)),
    ]);
}

/// A container that is cut off is never fewer rows.
/// What lists parts is small in any workbook, and packs well.
#[test]
fn lists_without_end() {
    let one = |name: &str, part: &str, text: &str| {
        let listed = format!("<sheet name=\"{name}\" sheetId=\"1\" r:id=\"r1\"/>");
        let sheets = listed.repeat(if part == "sheets" { 2_000 } else { 1 });
        let more = if part == "names" { text } else { "" };
        format!("<workbook xmlns:r=\"{DOC}\"><sheets>{sheets}{more}</sheets></workbook>")
    };
    let with = |part: &str, text: &str| {
        workbook(&sound_rows(), &[("xl/workbook.xml", &one("S", part, text))])
    };
    let long_name = format!("<sheet name=\"{}\" state=\"hidden\"/>", "x".repeat(2 << 20));
    let relations = format!(
        "<Relationships><Relationship Id=\"r1\" Type=\"{DOC}/worksheet\" \
         Target=\"worksheets/sheet1.xml\"/>{}</Relationships>",
        "<Relationship/>".repeat(12 << 20)
    );
    all(&[
        ("one_part.xlsx", with("sheets", ""), DAMAGED),
        ("names.xlsx", with("names", &long_name.repeat(64)), LIMITED),
        (
            "relations.xlsx",
            workbook(&sound_rows(), &[("xl/_rels/workbook.xml.rels", &relations)]),
            LIMITED,
        ),
    ]);
}

/// Where quotes stand in values as they are, each line may open one that nothing closes.
#[test]
fn quotes_that_nothing_closes() {
    let sound = "1,\"5\" x\",y\"\n".repeat(20);
    let open = "1,\"abc\n".repeat(300_000);
    all(&[("quotes.csv", format!("a,b\n{sound}{open}").into_bytes(), Rows(300_020))]);
}

#[test]
fn lines_of_nothing_but_delimiters() {
    let line = ",".repeat(8 << 20) + "\n";
    all(&[
        ("header.csv", format!("{line}{line}").into_bytes(), LIMITED),
        ("rows.csv", format!("a,b\n{}1,2\n", line.repeat(4)).into_bytes(), Rows(5)),
    ]);
}

#[test]
fn cut_off_anywhere_is_an_error() {
    let text: String = (0..2_000).map(|n| format!("{n},name {}\n", n * 7919)).collect();
    let text = format!("id,name\n{text}");
    let lines: String = (2..500)
        .map(|n| format!("<row r=\"{n}\">{}</row>", cell(&format!("A{n}"), &n.to_string())))
        .collect();
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut packer, text.as_bytes()).expect("memory takes all");
    let files = [
        ("t.csv.gz", packer.finish().expect("memory takes all")),
        ("t.zip", zipped(&[("t.csv", text.as_bytes())])),
        ("t.xlsx", workbook(&rows(&lines), &[])),
    ];
    for (name, whole) in files {
        let read = |bytes: &[u8]| -> Result<u64, String> {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).expect("writable");
            super::hostile::read_all(&path)
        };
        let rows = read(&whole).expect("sound");
        for part in 1..100 {
            let cut = whole.len() * part / 100;
            assert!(read(&whole[..cut]).is_err(), "{name} cut to {part} %");
        }
        for flip in 0..200 {
            let mut turned = whole.clone();
            let at = whole.len() * flip / 200;
            turned[at] ^= 1 << (flip % 8);
            if let Ok(read) = read(&turned) {
                assert_eq!(read, rows, "{name}, byte {at}");
            }
        }
    }
}
