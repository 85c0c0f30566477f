//! The faults.

use super::pg_proxy::{Cut, Proxy};
use super::place::{FILE, FINAL, Left, Place};
use super::report::{Row, say};
use super::server::{Pooler, Server};
use super::{Args, Outcome};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

pub const DUCK: &str = "duckdb:sales.duckdb";

/// Random numbers of a seed (SplitMix64): no library is needed for them.
pub struct Random(u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A part of a time, up to a little more than all of it.
    pub fn moment(&mut self, whole: Duration) -> Duration {
        whole.mul_f64((self.next() >> 11) as f64 / (1u64 << 53) as f64 * 1.05)
    }
}

/// What trials need.
pub struct Bench<'a> {
    pub args: &'a Args,
    pub random: Random,
    roll: PathBuf,
    pub server: Server,
    /// What an undisturbed load leaves: the same in every target.
    pub expected: Left,
    /// How long it takes, by target.
    pub duck_time: Duration,
    pub server_time: Duration,
}

/// All trials.
pub fn all(args: &Args) -> Outcome<Vec<Row>> {
    let folder = tempfile::tempdir()?;
    let roll = folder.path().join(FILE);
    let (rows, out) = (args.rows.to_string(), roll.display().to_string());
    let made = Command::new(&args.roll)
        .args(["sdf", "--rows", &rows, "--damage", "2%", "--out", &out])
        .output()?;
    if !made.status.success() {
        return Err(String::from_utf8_lossy(&made.stderr).into_owned().into());
    }
    let server = Server::start(args, &folder.path().join("server"))?;
    let time = |to: &str| -> Outcome<(Left, Duration)> {
        let place = Place::new(args, &roll, to)?;
        let start = Instant::now();
        place.finish()?;
        Ok((place.left()?, start.elapsed()))
    };
    let (expected, duck_time) = time(DUCK)?;
    let (same, server_time) = time(&Server::url(server.port))?;
    if same != expected {
        return Err(format!("the targets differ without any fault: {same:?} {expected:?}").into());
    }
    let random = Random(args.seed);
    let mut bench = Bench { args, random, roll, server, expected, duck_time, server_time };
    let mut found =
        vec![bench.kills(true)?, bench.kills(false)?, bench.merges()?, bench.replays()?];
    found.push(bench.restarts()?);
    found.push(bench.hang_ups()?);
    for cut in [Cut::AfterCommit, Cut::BeforeCommit] {
        found.push(bench.cuts(cut)?);
    }
    found.push(bench.full_disk(folder.path())?);
    found.push(bench.full_server(folder.path())?);
    found.push(bench.pairs(DUCK)?);
    let url = Server::url(bench.server.port);
    found.push(bench.pairs(&url)?);
    found.extend(bench.changes_of_both()?);
    found.push(bench.torn()?);
    found.push(bench.pooled(folder.path())?);
    Ok(found)
}

/// The row of a kind of trials, which begins.
pub fn row(fault: &str, target: &'static str) -> Row {
    say(&format!("{fault}: {target}"));
    Row { fault: fault.into(), target, ..Row::default() }
}

impl Bench<'_> {
    /// An empty target and a folder.
    pub fn place(&self, to: &str) -> Outcome<Place> {
        if to != DUCK {
            self.server
                .ask("DROP TABLE IF EXISTS public.sales; DROP SCHEMA IF EXISTS etl CASCADE")?;
        }
        Place::new(self.args, &self.roll, to)
    }

    /// Compares what is left with what should be.
    fn judge(&self, place: &Place, row: &mut Row) -> Outcome {
        row.compared += 1;
        match place.finish().and_then(|()| place.left()) {
            Ok(left) if left == self.expected => {}
            Ok(left) => {
                let (told, ranges) = (left.differs(&self.expected), place.ranges()?);
                row.wrong.push(format!("seed {}: {told}; ranges {ranges}", self.args.seed));
            }
            Err(error) => row.wrong.push(format!("seed {}: {error}", self.args.seed)),
        }
        Ok(())
    }

    fn kill_at_random(&mut self, mut child: Child, whole: Duration) -> Outcome {
        std::thread::sleep(self.random.moment(whole));
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// The program is killed; every third time its rerun, too, up to three deep.
    fn kills(&mut self, duck: bool) -> Outcome<Row> {
        let (to, name, whole) = match duck {
            true => (DUCK.to_owned(), "DuckDB", self.duck_time),
            false => (Server::url(self.server.port), "PostgreSQL", self.server_time),
        };
        let mut row = row("kill -9", name);
        while row.faults < self.args.kills {
            let place = self.place(&to)?;
            let deep = if self.random.next().is_multiple_of(3) { 3 } else { 1 };
            for _ in 0..deep {
                self.kill_at_random(place.start()?, whole)?;
                row.faults += 1;
            }
            self.judge(&place, &mut row)?;
        }
        Ok(row)
    }

    /// The final release of a roll that is there is killed, once or thrice. What an undisturbed one leaves
    /// is looked at first.
    fn merges(&mut self) -> Outcome<Row> {
        let mut row = row("kill -9 of a merge", "PostgreSQL");
        let to = Server::url(self.server.port);
        let verb = ["ingest", FINAL];
        let mut undisturbed: Option<(Left, Duration)> = None;
        while row.faults < self.args.kills / 4 + 1 {
            let place = self.place(&to)?;
            place.add_final()?;
            place.finish()?;
            let start = Instant::now();
            let Some((expected, whole)) = &undisturbed else {
                place.finish_with(&verb)?;
                undisturbed = Some((place.left()?, start.elapsed()));
                continue;
            };
            let (expected, whole) = (expected.clone(), *whole);
            for _ in 0..if self.random.next().is_multiple_of(3) { 3 } else { 1 } {
                self.kill_at_random(place.command(&verb).spawn()?, whole)?;
                row.faults += 1;
            }
            row.compared += 1;
            place.finish_with(&verb)?;
            let left = place.left()?;
            if left != expected {
                row.wrong.push(format!("seed {}: {}", self.args.seed, left.differs(&expected)));
            }
        }
        Ok(row)
    }

    /// A replay of refused rows is killed. Nothing is corrected, so all is as before.
    fn replays(&mut self) -> Outcome<Row> {
        let mut row = row("kill -9 of a replay", "PostgreSQL");
        let to = Server::url(self.server.port);
        let whole = self.server_time / 3;
        for _ in 0..self.args.replays {
            let place = self.place(&to)?;
            place.finish()?;
            let verb = ["reprocess-failures"];
            self.kill_at_random(place.command(&verb).spawn()?, whole)?;
            row.faults += 1;
            place.finish_with(&verb)?;
            row.compared += 1;
            let replayed = place.left()?;
            if !replayed.is_load_of(&self.expected) {
                row.wrong.push(format!("seed {}: {replayed:?}", self.args.seed));
            }
        }
        Ok(row)
    }

    /// The server crashes and comes back.
    fn restarts(&mut self) -> Outcome<Row> {
        let mut row = row("server killed and started again", "PostgreSQL");
        let to = Server::url(self.server.port);
        for _ in 0..self.args.restarts {
            let place = self.place(&to)?;
            let child = place.start()?;
            std::thread::sleep(self.random.moment(self.server_time));
            self.server.restart()?;
            row.faults += 1;
            child.wait_with_output()?;
            self.judge(&place, &mut row)?;
        }
        Ok(row)
    }

    /// The server ends all connections of the load.
    fn hang_ups(&mut self) -> Outcome<Row> {
        let mut row = row("connections ended by the server", "PostgreSQL");
        let to = Server::url(self.server.port);
        for _ in 0..self.args.restarts {
            let place = self.place(&to)?;
            let child = place.start()?;
            std::thread::sleep(self.random.moment(self.server_time));
            let ended = self.server.ask(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                 WHERE application_name = 'etl'",
            )?;
            row.faults += ended.parse::<u32>()?;
            child.wait_with_output()?;
            self.judge(&place, &mut row)?;
        }
        Ok(row)
    }

    /// The line breaks at a COMMIT: before it, or before its answer.
    fn cuts(&mut self, cut: Cut) -> Outcome<Row> {
        let name = match cut {
            Cut::AfterCommit => "line cut between COMMIT and its answer",
            Cut::BeforeCommit => "line cut before COMMIT",
        };
        let mut row = row(name, "PostgreSQL");
        while row.faults < self.args.cuts {
            let every = 3 + (self.random.next() % 5) as usize;
            let proxy = Proxy::start(self.server.port, cut, every);
            let mut place = self.place(&Server::url(proxy.port))?;
            place.run()?;
            row.faults += proxy.cuts() as u32;
            place.to = Server::url(self.server.port);
            self.judge(&place, &mut row)?;
        }
        Ok(row)
    }

    /// Two runs of the same command: one loads, the other waits for nothing.
    fn pairs(&mut self, to: &str) -> Outcome<Row> {
        let name = if to == DUCK { "DuckDB" } else { "PostgreSQL" };
        let mut row = row("two runs at once", name);
        for _ in 0..self.args.pairs {
            let place = self.place(to)?;
            let first = place.start()?;
            std::thread::sleep(self.random.moment(self.server_time / 2));
            let second = place.run()?;
            let first = first.wait_with_output()?;
            row.faults += 1;
            let good = |code: Option<i32>| matches!(code, Some(0 | 3 | 7));
            if !good(first.status.code()) || !good(second.status.code()) {
                row.wrong.push(format!("{:?} and {:?}", first.status, second.status));
            }
            self.judge(&place, &mut row)?;
        }
        Ok(row)
    }

    /// A failed-record file has half a record at its end, and one that no commit knows.
    fn torn(&mut self) -> Outcome<Row> {
        let mut row = row("failed-record file torn behind its last commit", "PostgreSQL");
        let to = Server::url(self.server.port);
        // A finished load's file is synced as a whole: no kill leaves a part of it.
        let finished = "SELECT count(*) FROM etl.inputs WHERE status = 'done'";
        for _ in 0..self.args.torn * 20 {
            if row.faults == self.args.torn {
                break;
            }
            let place = self.place(&to)?;
            let child = place.start()?;
            self.kill_at_random(child, self.server_time)?;
            // Where there is no ledger yet, nothing is finished.
            if self.server.ask(finished).is_ok_and(|count| count.trim() != "0") {
                continue;
            }
            let folder = place.folder.path().join("failed");
            for entry in folder.read_dir().into_iter().flatten() {
                let path = entry?.path();
                let mut text = std::fs::read(&path)?;
                let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default().to_vec();
                text.extend_from_slice(&line[..line.len() / 2]);
                std::fs::write(&path, text)?;
            }
            row.faults += 1;
            self.judge(&place, &mut row)?;
        }
        Ok(row)
    }

    /// The disk of a DuckDB file and of its failed records fills up.
    fn full_disk(&mut self, folder: &Path) -> Outcome<Row> {
        let mut row = row("disk full", "DuckDB");
        let Some(disk) = Disk::mount(&folder.join("small"), 64)? else {
            row.skipped = Some("mounting a tmpfs is not allowed".into());
            return Ok(row);
        };
        for _ in 0..self.args.full {
            let free = 200 + self.random.next() % 3_000;
            let mut place = self.place(DUCK)?;
            place.to = format!("duckdb:{}", disk.path.join("sales.duckdb").display());
            disk.fill(free)?;
            let output = place.run()?;
            row.faults += u32::from(output.status.code() == Some(8));
            disk.empty()?;
            self.judge(&place, &mut row)?;
            let _ = std::fs::remove_file(disk.path.join("sales.duckdb"));
        }
        Ok(row)
    }

    /// The disk of the server fills up.
    fn full_server(&mut self, folder: &Path) -> Outcome<Row> {
        let mut row = row("disk full", "PostgreSQL");
        let Some(disk) = Disk::mount(&folder.join("server-disk"), 256)? else {
            row.skipped = Some("mounting a tmpfs is not allowed".into());
            return Ok(row);
        };
        let small = Server::start(self.args, &disk.path.join("server"))?;
        for _ in 0..self.args.full {
            small.ask("DROP TABLE IF EXISTS public.sales; DROP SCHEMA IF EXISTS etl CASCADE")?;
            let place = Place::new(self.args, &self.roll, &Server::url(small.port))?;
            disk.fill(500 + self.random.next() % 6_000)?;
            let output = place.run()?;
            row.faults += u32::from(!matches!(output.status.code(), Some(0 | 3)));
            disk.empty()?;
            if small.ask("SELECT 1").is_err() {
                small.restart()?;
            }
            self.judge(&place, &mut row)?;
        }
        drop(small);
        Ok(row)
    }

    /// Kills with a pooler in transaction mode in between.
    fn pooled(&mut self, folder: &Path) -> Outcome<Row> {
        let mut row = row("kill -9 behind pgbouncer in transaction mode", "PostgreSQL");
        let own = folder.join("pooler");
        std::fs::create_dir(&own)?;
        readable(folder)?;
        let Some(pooler) = Pooler::start(&self.server, &own)? else {
            row.skipped = Some("pgbouncer is not installed".into());
            return Ok(row);
        };
        let to = Server::url(pooler.port);
        for _ in 0..self.args.pooled {
            let place = self.place(&to)?;
            self.kill_at_random(place.start()?, self.server_time)?;
            row.faults += 1;
            self.judge(&place, &mut row)?;
        }
        Ok(row)
    }
}

/// Others must get through the harness's own folder.
fn readable(folder: &Path) -> Outcome {
    Command::new("chmod").arg("a+x").arg(folder).status()?;
    Ok(())
}

/// A small disk.
struct Disk {
    path: PathBuf,
}

impl Disk {
    /// A tmpfs of so many MiB; none where that is not allowed.
    fn mount(path: &Path, size: u32) -> Outcome<Option<Self>> {
        std::fs::create_dir_all(path)?;
        let size = format!("size={size}m");
        let done =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(path).output();
        let mounted = done.is_ok_and(|output| output.status.success());
        Ok(mounted.then(|| Self { path: path.to_owned() }))
    }

    fn filler(&self) -> PathBuf {
        self.path.join("filler")
    }

    /// Leaves about so many KiB free.
    fn fill(&self, free: u64) -> Outcome {
        let blocks = Command::new("df").args(["-k", "--output=avail"]).arg(&self.path).output()?;
        let text = String::from_utf8(blocks.stdout)?;
        let available: u64 = text.lines().last().unwrap_or_default().trim().parse()?;
        let bytes = available.saturating_sub(free) << 10;
        let zeros = vec![0u8; 1 << 20];
        let mut file = std::fs::File::create(self.filler())?;
        let mut left = bytes as usize;
        while left > 0 {
            let some = left.min(zeros.len());
            std::io::Write::write_all(&mut file, &zeros[..some])?;
            left -= some;
        }
        Ok(())
    }

    fn empty(&self) -> Outcome {
        Ok(std::fs::remove_file(self.filler())?)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.path).status();
    }
}
