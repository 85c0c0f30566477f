//! Hostile files of our own making: containers that lie, loop, overlap and explode.

use std::io::{Cursor, Write};

/// A zip of deflated members.
pub fn zipped(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut to = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in parts {
        to.start_file(*name, zip::write::SimpleFileOptions::default()).expect("a free name");
        to.write_all(bytes).expect("memory takes all");
    }
    to.finish().expect("memory takes all").into_inner()
}

/// A workbook of one sheet with this text between the ends of its element, and other parts beside or
/// instead of its own.
pub fn workbook(sheet: &str, more: &[(&str, &str)]) -> Vec<u8> {
    const DOC: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    let relation = |kind: &str, target: &str, id: &str| {
        format!("<Relationship Id=\"{id}\" Type=\"{DOC}/{kind}\" Target=\"{target}\"/>")
    };
    let relations = |text: &str| format!("<Relationships>{text}</Relationships>");
    let own = [
        ("[Content_Types].xml", "<Types/>".to_owned()),
        ("_rels/.rels", relations(&relation("officeDocument", "xl/workbook.xml", "r1"))),
        (
            "xl/workbook.xml",
            format!(
                "<workbook xmlns:r=\"{DOC}\"><sheets><sheet name=\"S\" sheetId=\"1\" \
                 r:id=\"r1\"/></sheets></workbook>"
            ),
        ),
        (
            "xl/_rels/workbook.xml.rels",
            relations(
                &[
                    relation("worksheet", "worksheets/sheet1.xml", "r1"),
                    relation("sharedStrings", "sharedStrings.xml", "r2"),
                ]
                .concat(),
            ),
        ),
        ("xl/sharedStrings.xml", "<sst><si><t>text</t></si></sst>".to_owned()),
        ("xl/worksheets/sheet1.xml", format!("<worksheet>{sheet}</worksheet>")),
    ];
    let replaced = |name: &str| more.iter().any(|(other, _)| *other == name);
    let mut parts: Vec<(&str, &[u8])> = Vec::new();
    for (name, text) in &own {
        if !replaced(name) {
            parts.push((name, text.as_bytes()));
        }
    }
    parts.extend(more.iter().map(|(name, text)| (*name, text.as_bytes())));
    zipped(&parts)
}

/// A cell with its text in it.
pub fn cell(address: &str, text: &str) -> String {
    format!("<c r=\"{address}\" t=\"inlineStr\"><is><t>{text}</t></is></c>")
}

/// `sheetData` with a header of two names, and these rows.
pub fn rows(rows: &str) -> String {
    let header = [cell("A1", "id"), cell("B1", "name")].concat();
    format!("<sheetData><row r=\"1\">{header}</row>{rows}</sheetData>")
}

/// Overwrites a number of two or four bytes in every directory entry of a zip, at an offset from the
/// entry's begin.
pub fn patch_directory(zip: &mut [u8], offset: usize, bytes: &[u8]) {
    let entries: Vec<_> = memchr::memmem::find_iter(zip, b"PK\x01\x02").collect();
    assert!(!entries.is_empty(), "a zip has a directory");
    for entry in entries {
        zip[entry + offset..entry + offset + bytes.len()].copy_from_slice(bytes);
    }
}

/// The same zip with a member called like another one, whose name is as long.
pub fn renamed(zip: &[u8], from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len(), "places in the file stay as they are");
    let mut out = zip.to_vec();
    for at in memchr::memmem::find_iter(zip, from) {
        out[at..at + to.len()].copy_from_slice(to.as_bytes());
    }
    out
}

/// A zip in which `count` members are the same bytes.
pub fn overlapping(content: &[u8], count: usize) -> Vec<u8> {
    let one = zipped(&[("m000000.csv", content)]);
    let start = memchr::memmem::find(&one, b"PK\x01\x02").expect("a directory");
    let end = memchr::memmem::rfind(&one, b"PK\x05\x06").expect("an end");
    let entry = &one[start..end];
    let mut out = one[..start].to_vec();
    for number in 0..count {
        let mut entry = entry.to_vec();
        entry[46..57].copy_from_slice(format!("m{number:06}.csv").as_bytes());
        out.extend(entry);
    }
    let size = (out.len() - start) as u32;
    let mut tail = one[end..].to_vec();
    tail[8..10].copy_from_slice(&(count as u16).to_le_bytes());
    tail[10..12].copy_from_slice(&(count as u16).to_le_bytes());
    tail[12..16].copy_from_slice(&size.to_le_bytes());
    out.extend(tail);
    out
}

/// A Parquet file of nothing but a footer with one list of `count` structures, each of a boolean.
pub fn footer_of_structures(count: u32) -> Vec<u8> {
    // Field 15: a list (9) of more than 14 (f) structures (c); then their number, seven bits a byte.
    let mut footer = vec![0xf9, 0xfc];
    let mut rest = count;
    while rest > 0x7f {
        footer.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    footer.push(rest as u8);
    footer.extend([0x11, 0].repeat(count as usize));
    footer.push(0);
    let length = (footer.len() as u32).to_le_bytes();
    [b"PAR1", &footer[..], &length, b"PAR1"].concat()
}

/// Gzip of a text that repeats `piece` until it is `length` bytes long.
pub fn gzipped_run(head: &[u8], piece: &[u8], length: usize) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
    packer.write_all(head).expect("memory takes all");
    let block = piece.repeat((1 << 20) / piece.len());
    for _ in 0..length.div_ceil(block.len()) {
        packer.write_all(&block).expect("memory takes all");
    }
    packer.finish().expect("memory takes all")
}

/// An old workbook's container (OLE): header, one FAT sector, a directory with one stream
/// `Workbook`. `fat` is what the FAT says of each sector; `header` and `entry` may change both.
pub fn ole(fat: &[u32], header: impl Fn(&mut [u8]), entry: impl Fn(&mut [u8])) -> Vec<u8> {
    const SECTOR: usize = 512;
    let mut out = vec![0_u8; SECTOR * 8];
    out[..8].copy_from_slice(&[0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1]);
    let put = |out: &mut [u8], at: usize, bytes: &[u8]| {
        out[at..at + bytes.len()].copy_from_slice(bytes);
    };
    put(&mut out, 24, &[0x3e, 0, 3, 0, 0xfe, 0xff, 9, 0, 6, 0]);
    put(&mut out, 44, &1_u32.to_le_bytes()); // FAT sectors
    put(&mut out, 48, &1_u32.to_le_bytes()); // first directory sector
    put(&mut out, 56, &4_096_u32.to_le_bytes()); // shortest ordinary stream
    put(&mut out, 60, &u32::MAX.wrapping_sub(1).to_le_bytes()); // no short streams
    put(&mut out, 68, &u32::MAX.wrapping_sub(1).to_le_bytes()); // no further FAT list
    for at in 0..109 {
        let sector: u32 = if at == 0 { 0 } else { u32::MAX };
        put(&mut out, 76 + at * 4, &sector.to_le_bytes());
    }
    for at in 0..SECTOR / 4 {
        let next = fat.get(at).copied().unwrap_or(u32::MAX);
        put(&mut out, SECTOR + at * 4, &next.to_le_bytes());
    }
    for (at, (name, kind, start, size)) in
        [("Root Entry", 5_u8, u32::MAX - 1, 0_u32), ("Workbook", 2, 2, 2_560)]
            .into_iter()
            .enumerate()
    {
        let begin = SECTOR * 2 + at * 128;
        let utf16: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        put(&mut out, begin, &utf16);
        put(&mut out, begin + 64, &(utf16.len() as u16 + 2).to_le_bytes());
        out[begin + 66] = kind;
        out[begin + 67] = 1;
        for link in [68, 72, 76] {
            put(&mut out, begin + link, &u32::MAX.to_le_bytes());
        }
        if at == 0 {
            put(&mut out, begin + 76, &1_u32.to_le_bytes());
        }
        put(&mut out, begin + 116, &start.to_le_bytes());
        put(&mut out, begin + 120, &size.to_le_bytes());
    }
    // BIFF8: begin of the workbook's own stream, and nothing behind it.
    put(&mut out, SECTOR * 3, &[0x09, 0x08, 0x10, 0, 0, 6, 5, 0]);
    header(&mut out[..SECTOR]);
    entry(&mut out[SECTOR * 2 + 128..SECTOR * 2 + 256]);
    out
}
