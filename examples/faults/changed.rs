//! Files that change while they are loaded.

use super::Outcome;
use super::place::{FILE, Left, Place};
use super::report::Row;
use super::server::Server;
use super::trials::{Bench, DUCK, row};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What happens to a file.
#[derive(Debug, Clone, Copy)]
enum Change {
    /// Its end is cut off.
    Cut,
    /// Prices are written over others, in the same place.
    Rewritten,
    /// Another file takes its name.
    Replaced,
    /// Rows are added at its end.
    Grown,
}

impl Change {
    const ALL: [Self; 4] = [Self::Cut, Self::Rewritten, Self::Replaced, Self::Grown];

    /// Changes the file, at a place that is this part of it, in 1/1000.
    fn apply(self, path: &Path, part: u64) -> Outcome {
        let text = std::fs::read(path)?;
        let at = text.len() as u64 * part / 1000;
        let mut file = std::fs::OpenOptions::new().write(true).open(path)?;
        match self {
            Self::Cut => file.set_len(at)?,
            Self::Rewritten => {
                for (at, byte) in other_digits(&text, "SALE_PRC", at as usize).take(40) {
                    file.seek(SeekFrom::Start(at as u64))?;
                    file.write_all(&[byte])?;
                }
            }
            Self::Replaced => {
                let (other, mut changed) = (path.with_extension("new"), text.clone());
                let all = other_digits(&text, "SALE_PRC", at as usize);
                all.for_each(|(at, byte)| changed[at] = byte);
                std::fs::write(&other, changed)?;
                std::fs::rename(other, path)?;
            }
            Self::Grown => {
                file.seek(SeekFrom::End(0))?;
                file.write_all(&another_row(&text))?;
            }
        }
        Ok(())
    }
}

/// The digits of a column from a place on, each with another digit for it.
fn other_digits<'t>(
    text: &'t [u8],
    column: &str,
    from: usize,
) -> impl Iterator<Item = (usize, u8)> + 't {
    let header = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let column = header.split(|byte| *byte == b',').position(|name| name == column.as_bytes());
    let (mut field, mut is_header) = (0, true);
    text.iter().enumerate().filter_map(move |(at, byte)| {
        match byte {
            b',' => field += 1,
            b'\n' => (field, is_header) = (0, false),
            _ => {}
        }
        let is_wanted = !is_header && at >= from && Some(field) == column && byte.is_ascii_digit();
        is_wanted.then(|| (at, if *byte == b'9' { b'1' } else { byte + 1 }))
    })
}

/// The first row of data, of another parcel.
fn another_row(text: &[u8]) -> Vec<u8> {
    let second = text.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let end = text[second..].iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let mut row = text[second..second + end].to_vec();
    let digits = other_digits(text, "PARCEL_ID", second).take_while(|(at, _)| *at < second + end);
    digits.for_each(|(at, byte)| row[at - second] = byte);
    row
}

impl Bench<'_> {
    /// The file changes at some moment of its load. Either it is loaded as it was, or as it is then, or the
    /// program says that it has changed (exit 6), and then both ways out lead to a whole load: the old
    /// file is put back, or `--fresh` takes the changed one.
    pub fn changes(&mut self, to: &str) -> Outcome<Row> {
        let (name, whole) = match to == DUCK {
            true => ("DuckDB", self.duck_time),
            false => ("PostgreSQL", self.server_time),
        };
        let mut found = row("a file that changes while it is loaded", name);
        for _ in 0..self.args.changes {
            self.change(to, whole, &mut found)?;
        }
        Ok(found)
    }

    fn change(&mut self, to: &str, whole: Duration, found: &mut Row) -> Outcome {
        let change = Change::ALL[(self.random.next() % 4) as usize];
        let part = 300 + self.random.next() % 690;
        let place = self.place(to)?;
        let (path, old) = own_copy(&place)?;
        let child = place.start()?;
        std::thread::sleep(self.random.moment(whole));
        change.apply(&path, part)?;
        let output = child.wait_with_output()?;
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        found.compared += 1;
        let mut judged = |what: Outcome<Option<String>>| {
            let why = match what {
                Ok(None) => return,
                Ok(Some(why)) => why,
                Err(error) => error.to_string(),
            };
            found.wrong.push(format!("seed {}: {change:?} at {part}: {why}", self.args.seed));
        };
        match output.status.code() {
            // It came too late, or before anything was read.
            Some(0 | 3) => judged(self.is_one_of(&place, &path)),
            Some(6) if told.contains("E502") => {
                found.faults += 1;
                judged(match self.random.next().is_multiple_of(2) {
                    true => self.put_back(&place, &path, &old),
                    false => self.load_anew(&place, &path),
                });
            }
            code => judged(Ok(Some(format!("exit {code:?}: {told}")))),
        }
        Ok(())
    }

    /// What was loaded is what the file was, or what it is.
    fn is_one_of(&self, place: &Place, path: &Path) -> Outcome<Option<String>> {
        let left = place.left()?;
        if left == self.expected {
            return Ok(None);
        }
        let expected = self.undisturbed(path)?;
        Ok((left != expected).then(|| format!("loaded: {}", left.differs(&expected))))
    }

    /// The old file is there again, and the same command ends.
    fn put_back(&self, place: &Place, path: &Path, old: &[u8]) -> Outcome<Option<String>> {
        std::fs::remove_file(path)?;
        std::fs::write(path, old)?;
        place.finish()?;
        let left = place.left()?;
        Ok((left != self.expected).then(|| format!("put back: {}", left.differs(&self.expected))))
    }

    /// `--fresh` loads the changed file.
    fn load_anew(&self, place: &Place, path: &Path) -> Outcome<Option<String>> {
        place.finish_with(&["ingest", FILE, "--create", "--fresh"])?;
        let (left, expected) = (place.left()?, self.undisturbed(path)?);
        Ok((left != expected).then(|| format!("--fresh: {}", left.differs(&expected))))
    }

    /// What a load of a file leaves that nobody disturbs.
    fn undisturbed(&self, path: &Path) -> Outcome<Left> {
        let place = Place::new(self.args, path, DUCK)?;
        place.finish()?;
        place.left()
    }

    /// Both targets.
    pub fn changes_of_both(&mut self) -> Outcome<[Row; 2]> {
        let url = Server::url(self.server.port);
        Ok([self.changes(DUCK)?, self.changes(&url)?])
    }
}

/// Puts a file of its own in the place of a shared one. Gives its path and content.
fn own_copy(place: &Place) -> Outcome<(PathBuf, Vec<u8>)> {
    let path = place.folder.path().join(FILE);
    let text = std::fs::read(&path)?;
    std::fs::remove_file(&path)?;
    std::fs::write(&path, &text)?;
    Ok((path, text))
}
