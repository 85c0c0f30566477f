//! Stop it anywhere and run the same command again: the same table, the same failed records.

use super::loaded::{
    TO, arguments, ask, consistent, count, failed, fails, ingest, loads, table, told,
};
use super::roll;
use super::support::Place;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};
use std::time::Duration;

const SALES: &str = "SDF16P202501.csv";
/// One writer: commits stand in the order of the rows, and where a load goes on is certain.
const SMALL: [&str; 6] = ["--commit-rows", "1000", "--chunk-rows", "300", "--writers", "1"];
/// Two writers: the later rows may be there before the first ones.
const PAIR: [&str; 6] = ["--commit-rows", "1000", "--chunk-rows", "300", "--writers", "2"];

/// A place with sales that need some time, and slow commits.
fn sales(rows: u32) -> Place {
    Place::new().file(SALES, &roll::sales(rows))
}

/// Starts a load and waits until it has committed `commits` times, then `more`.
fn started(
    place: &Place,
    inputs: &[&str],
    extra: &[&str],
    commits: usize,
    more: Duration,
) -> Child {
    let mut command = place.command(&arguments(inputs, extra));
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
    let mut told = BufReader::new(child.stderr.take().expect("stderr is piped"));
    let mut line = String::new();
    let mut seen = 0;
    while seen < commits {
        line.clear();
        if told.read_line(&mut line).expect("UTF-8") == 0 {
            break;
        }
        seen += usize::from(line.contains("\"committed\""));
    }
    std::thread::sleep(more);
    // What it still has to say must not block it, nor kill it.
    std::thread::spawn(move || told.read_to_end(&mut Vec::new()));
    child
}

/// Kills a load behind its `commits`-th commit.
fn killed(place: &Place, inputs: &[&str], extra: &[&str], commits: usize, more: u64) {
    let mut child = started(place, inputs, extra, commits, Duration::from_millis(more));
    child.kill().expect("it can be killed");
    child.wait().expect("it has ended");
}

/// Problems with counts and examples, and the account.
fn outcome(summary: &Value) -> (Value, Value) {
    (summary["inputs"][0]["problems"].clone(), summary["tally"].clone())
}

#[test]
fn killed_anywhere_the_same_command_ends_as_if_undisturbed() {
    let whole = sales(24_000);
    let expected = loads(&whole, &[SALES], &SMALL);
    let (rows, refused) = (table(&whole, "sales", ""), failed(&whole));
    assert!(refused.len() > 100 && count(&expected, "duplicate") > 50, "{expected}");
    for (writers, more, kills) in [
        ("one", SMALL, vec![(0, 20), (1, 0), (4, 3), (9, 11)]),
        ("two", PAIR, vec![(2, 0), (7, 5), (12, 1)]),
    ] {
        let place = sales(24_000);
        for (commits, wait) in &kills {
            killed(&place, &[SALES], &more, *commits, *wait);
        }
        let summary = loads(&place, &[SALES], &more);
        let from = summary["inputs"][0]["resumed_from"].as_u64();
        assert!(from.is_some_and(|row| row > 1_000), "resumed from {from:?}");
        assert_eq!(table(&place, "sales", ""), rows, "{writers} writers");
        assert_eq!(failed(&place), refused, "{writers} writers");
        assert_eq!(outcome(&summary), outcome(&expected), "{writers} writers");
        assert_eq!(ask(&place, "SELECT count(*) FROM etl.inputs"), "1");
    }
}

/// Commits that are written as row groups, past the log; DuckDB takes half of one for whole.
const GROUPS: [&str; 6] = ["--commit-rows", "30720", "--chunk-rows", "10000", "--writers", "1"];

#[test]
fn a_commit_that_was_cut_off_is_done_again() {
    let whole = sales(80_000);
    let expected = loads(&whole, &[SALES], &GROUPS);
    let left = sales(80_000);
    killed(&left, &[SALES], &GROUPS, 2, 0);
    let log = std::fs::read(left.path("rolls.duckdb.wal")).expect("a log is left");
    // Into the end mark, before it, into the row groups.
    for missing in [1, 21, 22, 400] {
        let place = sales(80_000);
        for entry in std::fs::read_dir(left.path("")).expect("the folder of the test") {
            let path = entry.expect("a readable folder").path();
            if path.is_dir() {
                continue;
            }
            let name = path.file_name().expect("a file");
            std::fs::copy(&path, place.path("").join(name)).expect("writable");
        }
        std::fs::write(place.path("rolls.duckdb.wal"), &log[..log.len() - missing])
            .expect("writable");
        let summary = loads(&place, &[SALES], &GROUPS);
        let from = summary["inputs"][0]["resumed_from"].as_u64();
        assert!(from.is_some_and(|row| row > 30_000), "{missing}: resumed from {from:?}");
        assert_eq!(table(&place, "sales", ""), table(&whole, "sales", ""), "{missing}");
        assert_eq!(failed(&place), failed(&whole), "{missing}");
        assert_eq!(outcome(&summary), outcome(&expected), "{missing}");
    }
}

#[test]
fn what_does_not_agree_with_its_ledger_is_loaded_anew() {
    let whole = sales(6_000);
    let expected = loads(&whole, &[SALES], &SMALL);
    let spoil =
        ["DELETE FROM etl.ranges WHERE from_record = 0", "DELETE FROM sales WHERE _etl_row = 700"];
    for sql in spoil {
        let place = sales(6_000);
        killed(&place, &[SALES], &SMALL, 3, 0);
        change(&place, sql);
        let output = place.output(&arguments(&[SALES], &SMALL));
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(text.contains("does not hold what the ledger says"), "{sql}: {text}");
        let summary = told(&output).1;
        assert_eq!(summary["inputs"][0]["resumed_from"], Value::Null, "{sql}");
        assert_eq!(table(&place, "sales", ""), table(&whole, "sales", ""), "{sql}");
        assert_eq!(failed(&place), failed(&whole), "{sql}");
        assert_eq!(outcome(&summary), outcome(&expected), "{sql}");
    }
}

/// Changes the database behind the program's back.
fn change(place: &Place, sql: &str) {
    let settings = etl::duck::Settings::default();
    let path = place.path("rolls.duckdb");
    let database = etl::duck::Database::open(&path, &settings).expect("it opens");
    database.connect().expect("a connection").execute(sql).expect("sound SQL");
}

#[test]
fn a_merge_is_resumed_too() {
    let load = |kills: &[usize]| {
        let place = sales(9_000);
        loads(&place, &[SALES], &[]);
        let changed = roll::sales(9_000).replace(",1000", ",2000");
        let place = place.file("SDF16S202501.csv", &changed);
        for commits in kills {
            killed(&place, &["SDF16S202501.csv"], &PAIR, *commits, 0);
        }
        let summary = loads(&place, &["SDF16S202501.csv"], &PAIR);
        (outcome(&summary), table(&place, "sales", ""), failed(&place))
    };
    let undisturbed = load(&[]);
    assert!(undisturbed.0.1["updated"].as_u64() > Some(50), "{:?}", undisturbed.0);
    assert!(undisturbed.0.1["unchanged"].as_u64() > Some(5_000), "{:?}", undisturbed.0);
    assert_eq!(load(&[1, 1]), undisturbed);
}

#[test]
fn another_release_may_come_while_one_lies_unfinished() {
    let final_ = roll::sales(6_000).replace(",1000", ",2000");
    let place = || sales(6_000).file("SDF16F202501.csv", &final_);
    let straight = place();
    loads(&straight, &[SALES], &PAIR);
    loads(&straight, &["SDF16F202501.csv"], &PAIR);
    let crossed = place();
    killed(&crossed, &[SALES], &PAIR, 2, 0);
    loads(&crossed, &["SDF16F202501.csv"], &PAIR);
    let summary = loads(&crossed, &[SALES], &PAIR);
    assert!(count(&summary, "superseded") > 0, "{summary}");
    let business = ", _etl_source, _etl_row";
    assert_eq!(table(&crossed, "sales", business), table(&straight, "sales", business));
}

#[test]
fn readers_see_the_old_table_until_a_replace_is_whole() {
    let place = sales(6_000);
    loads(&place, &[SALES], &[]);
    let old = table(&place, "sales", "");
    let place = place.file("SDF16S202501.csv", &roll::sales(8_000));
    let more = [&SMALL[..], &["--mode", "replace"]].concat();
    killed(&place, &["SDF16S202501.csv"], &more, 3, 0);
    assert_eq!(table(&place, "sales", ""), old);
    let summary = loads(&place, &["SDF16S202501.csv"], &more);
    assert!(summary["inputs"][0]["resumed_from"].as_u64() > Some(1), "{summary}");
    assert_eq!(
        ask(&place, "SELECT count(*), min(_etl_release) FROM sales"),
        format!("{},2025S01", count(&summary, "inserted"))
    );
}

#[test]
fn a_changed_file_is_not_mixed_with_what_is_loaded_of_the_old_one() {
    let place = sales(6_000);
    killed(&place, &[SALES], &SMALL, 2, 0);
    let place = place.file(SALES, &roll::sales(5_000));
    let (code, text) = fails(&place, &[SALES], &SMALL);
    assert_eq!(code, 6, "{text}");
    assert!(text.contains("E502") && text.contains("--fresh"), "{text}");
    let summary = loads(&place, &[SALES], &[&SMALL[..], &["--fresh"]].concat());
    let whole = Place::new().file(SALES, &roll::sales(5_000));
    loads(&whole, &[SALES], &[]);
    assert_eq!(table(&place, "sales", ""), table(&whole, "sales", ""));
    assert_eq!(failed(&place), failed(&whole));
    assert_eq!(count(&summary, "read"), 5_000);
}

#[test]
fn a_finished_file_is_known_by_its_content() {
    let place = sales(600);
    loads(&place, &[SALES], &[]);
    let before = table(&place, "sales", "");
    let text = roll::sales(600);
    let place = place.file("renamed.csv", &text).file("b/SDF16P202501.csv", &text);
    let zip = std::fs::File::create(place.path("SDF16P202501.zip")).expect("writable");
    let mut zip = zip::ZipWriter::new(zip);
    let options = zip::write::SimpleFileOptions::default();
    zip.start_file("SDF16P202501.csv", options).expect("a member");
    std::io::Write::write_all(&mut zip, text.as_bytes()).expect("writable");
    zip.finish().expect("writable");
    for again in [SALES, "b/SDF16P202501.csv", "SDF16P202501.zip", "renamed.csv"] {
        let (code, summary) = ingest(&place, &[again], &[]);
        assert_eq!((code, &summary["status"]), (0, &"already_loaded".into()), "{again} {summary}");
    }
    assert_eq!(table(&place, "sales", ""), before);
    assert_eq!(ask(&place, "SELECT count(*) FROM etl.runs"), "1");
}

#[test]
fn an_unfinished_file_is_resumed_under_another_name() {
    let place = sales(6_000);
    killed(&place, &[SALES], &PAIR, 2, 0);
    std::fs::create_dir(place.path("moved")).expect("writable");
    std::fs::rename(place.path(SALES), place.path("moved/SDF16P202501.csv")).expect("movable");
    let summary = loads(&place, &["moved/SDF16P202501.csv"], &PAIR);
    // Of two writers the one of the first rows may have been the slower one: then it is row 1.
    assert!(summary["inputs"][0]["resumed_from"].is_u64(), "{summary}");
    let whole = sales(6_000);
    loads(&whole, &[SALES], &[]);
    assert_eq!(table(&place, "sales", ""), table(&whole, "sales", ""));
    assert_eq!(failed(&place), failed(&whole));
}

#[test]
fn a_run_killed_between_two_files_goes_on_as_the_same_run() {
    let files = ["a/NAL16P202501.csv", "b/NAL16P202501.csv"];
    let rows = |range: std::ops::Range<u32>| {
        roll::file("nal", &range.map(|n| roll::parcel(16, n, 1_000, "A")).collect::<Vec<_>>())
    };
    let place = Place::new().file(files[0], &rows(0..400)).file(files[1], &rows(400..900));
    loads(&place, &files[..1], &["--mode", "replace"]);
    // As a kill between the two leaves it.
    let run = ask(&place, "SELECT run FROM etl.runs");
    reopen(&place, &run);
    let summary = loads(&place, &files, &["--mode", "replace"]);
    assert_eq!(summary["run"], run.as_str());
    assert_eq!(ask(&place, "SELECT count(*) FROM parcels"), "900");
}

/// Takes the end of a run back.
fn reopen(place: &Place, run: &str) {
    use etl::load::TargetUrl;
    use etl::load::ledger::{Ledger, RunState};
    use etl::load::target::Opening;
    let target = TargetUrl::Duckdb(place.path("rolls.duckdb").into());
    let opening = Opening { memory: 64 << 20, temp_dir: None };
    let con = target.open(&opening).and_then(|target| target.link()).expect("opens");
    Ledger::new(&*con).stop_run(run, RunState::Failed, "").expect("the ledger is writable");
}

#[cfg(unix)]
#[test]
fn ctrl_c_says_how_to_go_on() {
    let place = sales(60_000);
    let mut child = started(&place, &[SALES], &SMALL, 2, Duration::ZERO);
    let pid = child.id().to_string();
    let status = std::process::Command::new("kill").args(["-INT", &pid]).status();
    assert!(status.expect("kill is there").success());
    let mut said = String::new();
    child.stdout.take().expect("piped").read_to_string(&mut said).expect("UTF-8");
    assert_eq!(child.wait().expect("it ends").code(), Some(130), "{said}");
    let (code, _) = told(&place.output(&arguments(&[SALES], &SMALL)));
    assert_eq!(code, 3);
    consistent(&place);
}

#[test]
fn a_second_process_is_told_who_holds_the_target() {
    let place = sales(60_000);
    let mut child = started(&place, &[SALES], &SMALL, 1, Duration::ZERO);
    let (code, text) = fails(&place, &[SALES], &[]);
    let sql = place.output(&["sql", "SELECT 1", "--to", TO]);
    child.kill().expect("it can be killed");
    child.wait().expect("it has ended");
    assert_eq!(code, 7, "{text}");
    assert!(text.contains("E504") && text.contains(&child.id().to_string()), "{text}");
    assert_eq!(sql.status.code(), Some(7));
}
