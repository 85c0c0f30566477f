//! Who is told when more rows are refused than usual.

use super::roll::{self, parcel};
use super::support::Place;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread::JoinHandle;

const FILE: &str = "NAL16P202501.csv";

/// Fifty parcels, some without a number where one is needed.
fn parcels(bad: u32) -> Place {
    let row = |n: u32| {
        let mut row = parcel(16, n + 1, 10, "OWNER");
        if n < bad {
            row[5].1 = "N/A".into();
        }
        row
    };
    Place::new().file(FILE, &roll::file("nal", &(0..50).map(row).collect::<Vec<_>>()))
}

/// Takes one request and answers it; gives its text.
fn hook(answer: &'static str) -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let taken = std::thread::spawn(move || {
        let (mut client, _) = listener.accept().expect("somebody calls");
        let (mut text, mut buffer) = (Vec::new(), [0; 4096]);
        while let Ok(count @ 1..) = client.read(&mut buffer) {
            text.extend_from_slice(&buffer[..count]);
            if text.ends_with(b"}") {
                break;
            }
        }
        client.write_all(answer.as_bytes()).expect("it listens");
        String::from_utf8(text).expect("UTF-8")
    });
    (format!("http://127.0.0.1:{port}/hook/t0ken?x=1"), taken)
}

#[test]
fn command_and_web_address_get_the_facts() {
    let (url, taken) = hook("HTTP/1.1 204 No Content\r\n\r\n");
    let place = parcels(3).env("ALERT", &url);
    let command = if cfg!(windows) { "more > told.json" } else { "cat > told.json" };
    let output = place.output(&[
        "ingest",
        FILE,
        "--alert-command",
        command,
        "--alert-webhook",
        "env:ALERT",
        "--progress",
        "none",
    ]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{told}");
    assert!(told.contains("3 of 50 rows were refused (6.00 %), more than 1.00 %"), "{told}");
    let request = taken.join().expect("it was called");
    assert!(request.starts_with("POST /hook/t0ken?x=1 HTTP/1.1\r\nHost: 127.0.0.1:"), "{request}");
    let (_, body) = request.split_once("\r\n\r\n").expect("head and body");
    let facts: Value = serde_json::from_str(body).expect("JSON");
    assert_eq!((facts["rejected"].as_u64(), facts["read"].as_u64()), (Some(3), Some(50)));
    assert!(facts["inputs"][0]["failed_file"].as_str().is_some_and(|file| file.contains("failed")));
    let file = std::fs::read_to_string(place.path("told.json")).expect("the command ran");
    assert_eq!(serde_json::from_str::<Value>(&file).expect("JSON"), facts);
}

#[test]
fn nobody_is_told_of_a_usual_share_and_everybody_of_a_run_given_up() {
    let command = ["--alert-command", "cat > told.json"];
    let place = parcels(0);
    let quiet = place.output(&[&["ingest", FILE][..], &command].concat());
    assert!(quiet.status.success() && !place.path("told.json").exists());
    let place = parcels(3);
    let usual =
        place.output(&[&["ingest", FILE, "--warn-error-rate", "10%"][..], &command].concat());
    assert!(usual.status.code() == Some(3) && !place.path("told.json").exists());
    let place = parcels(3);
    let over = place.output(&[&["ingest", FILE, "--max-errors", "2"][..], &command].concat());
    assert_eq!(over.status.code(), Some(4));
    let file = std::fs::read_to_string(place.path("told.json")).expect("the command ran");
    assert!(file.contains("error_budget_exceeded"), "{file}");
}

#[test]
fn what_fails_there_is_told_without_the_address_and_changes_nothing() {
    let (url, taken) = hook("HTTP/1.1 500 No\r\n\r\n");
    let place = parcels(3);
    let output =
        place.output(&["ingest", FILE, "--alert-command", "exit 7", "--alert-webhook", &url]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{told}");
    assert!(told.contains("the alert command failed") && told.contains("answers 500"), "{told}");
    assert!(!told.contains("t0ken"), "{told}");
    taken.join().expect("it was called");
}
