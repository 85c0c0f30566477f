//! What is recognised, and what is refused before any process starts. The reading itself is tested
//! with the real program, in `tests/it/legacy.rs`.

use super::*;
use crate::source::{Packing, SourceErrorKind};

fn ole(streams: &[&str]) -> Vec<u8> {
    let mut bytes = OLE.to_vec();
    bytes.resize(512, 0);
    for stream in streams {
        bytes.extend(stream.encode_utf16().flat_map(u16::to_le_bytes));
        bytes.extend([0; 64]);
    }
    bytes
}

fn zip(names: &[(&str, &str)]) -> Vec<u8> {
    use std::io::Write;
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let stored =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, content) in names {
        zip.start_file(*name, stored).expect("in memory");
        zip.write_all(content.as_bytes()).expect("in memory");
    }
    zip.finish().expect("in memory").into_inner()
}

fn sure(head: &[u8]) -> [Confidence; 3] {
    [&XLS, &XLSB, &ODS].map(|format| format.sniff(head, "any"))
}

#[test]
fn content_decides_who_reads() {
    use Confidence::{Certain, Fallback, No};
    assert_eq!(sure(&ole(&["Root Entry", "Workbook"])), [Certain, No, No]);
    assert_eq!(sure(&ole(&["Root Entry", "Book"])), [Certain, No, No]);
    assert_eq!(sure(&ole(&["Root Entry"])), [Fallback, No, No]);
    assert_eq!(sure(&ole(&["EncryptedPackage"])), [No, No, No]);
    let office = "[Content_Types].xml";
    assert_eq!(sure(&zip(&[(office, ""), ("xl/workbook.bin", "")])), [No, Certain, No]);
    assert_eq!(sure(&zip(&[(office, ""), ("xl/workbook.xml", "")])), [No, No, No]);
    let sheet = "application/vnd.oasis.opendocument.spreadsheet";
    assert_eq!(sure(&zip(&[("mimetype", sheet)])), [No, No, Certain]);
    let text = "application/vnd.oasis.opendocument.text";
    assert_eq!(sure(&zip(&[("mimetype", text), ("content.xml", "")])), [No, No, No]);
    assert_eq!(sure(b"id\tname\n1\tx\n"), [No, No, No]);
}

fn refused(bytes: &[u8], options: &SourceOptions) -> SourceError {
    let dir = tempfile::tempdir().expect("a test folder");
    let path = dir.path().join("old.xls");
    std::fs::write(&path, bytes).expect("the test folder can be written");
    let content = Content::new(&path, "old.xls".into(), "old.xls".into(), None, Packing::Plain);
    XLS.survey(&content, options).err().expect("a refusal")
}

#[test]
fn versions_before_containers_are_named() {
    for (bytes, version) in [
        ([9, 0, 4, 0, 0, 0, 0x10, 0], "Excel 2"),
        ([9, 2, 6, 0, 0, 0, 0x10, 0], "Excel 3"),
        ([9, 4, 6, 0, 0, 0, 0x10, 0], "Excel 4"),
    ] {
        assert_eq!(XLS.sniff(&bytes, ""), Confidence::Certain);
        let error = refused(&bytes, &SourceOptions::default());
        assert_eq!(error.kind.code(), "E107");
        assert!(error.message.contains(version), "{error}");
    }
}

#[test]
fn without_a_program_to_read_them_they_are_refused() {
    let error = refused(&ole(&["Workbook"]), &SourceOptions::default());
    assert_eq!(error.kind, SourceErrorKind::NotTheFormat);
    let nowhere = ReaderProgram {
        program: "there/is/no/such/program".into(),
        arguments: Vec::new(),
        memory: 1 << 30,
        patience: 5,
    };
    let options = SourceOptions { reader: Some(nowhere), ..SourceOptions::default() };
    let error = refused(&ole(&["Workbook"]), &options);
    assert_eq!(error.kind, SourceErrorKind::ReaderDied);
}

/// What becomes of the workbook when the reader is this shell script.
#[cfg(unix)]
fn read_by(script: &str) -> SourceError {
    let program = ReaderProgram {
        program: "/bin/sh".into(),
        arguments: vec!["-c".into(), script.into(), "reader".into()],
        memory: 64 << 20,
        patience: 1,
    };
    refused(
        &ole(&["Workbook"]),
        &SourceOptions { reader: Some(program), ..SourceOptions::default() },
    )
}

#[cfg(unix)]
#[test]
fn whatever_becomes_of_the_reader_is_an_error_of_the_file() {
    let fill = "head -c 300000 /dev/zero";
    for (script, says) in [
        ("exit 3".to_owned(), "ended with code 3"),
        ("kill -9 $$".to_owned(), "it was killed"),
        ("kill -SEGV $$".to_owned(), "it crashed (signal 11)"),
        ("kill -XCPU $$".to_owned(), "too much processor time"),
        ("echo 'memory allocation of 9 bytes failed' >&2; kill -ABRT $$".to_owned(), "64 MiB"),
        (":".to_owned(), "it told only a part"),
        ("printf 'S\\005\\0\\0\\0\\003abcd'".to_owned(), "it told only a part"),
        (fill.to_owned(), "the reader stopped"),
        (format!("{fill} >&2; exit 4"), "ended with code 4"),
        // The word `--` and the path are the script's own.
        ("[ \"$7\" = -- ] && [ -f \"$8\" ] && exit 5".to_owned(), "ended with code 5"),
    ] {
        let error = read_by(&script);
        assert_eq!(error.kind, SourceErrorKind::ReaderDied, "{script}: {error}");
        assert!(error.message.contains(says), "{script}: {error}");
        assert!(error.hint.as_deref().is_some_and(|hint| hint.contains(".xlsx")), "{script}");
    }
}

#[cfg(unix)]
#[test]
fn a_reader_that_says_nothing_is_not_waited_for() {
    let started = std::time::Instant::now();
    let error = read_by("exec sleep 600");
    assert!(error.message.contains("said nothing for 1 s"), "{error}");
    // One that has told all it has and does not end.
    let fault = "printf 'X\\004\\0\\0\\0\\001abc'; exec sleep 600";
    let error = read_by(fault);
    assert_eq!((error.kind, error.message.as_str()), (SourceErrorKind::Password, "abc"));
    assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
}
