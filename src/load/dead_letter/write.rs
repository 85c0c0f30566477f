//! Appending records. The file appears with its first record.

use super::error::DeadLetterError;
use super::{Record, SUFFIX};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

/// Longest stem in bytes: with run id and suffix below what every file system takes.
const LONGEST_STEM: usize = 120;

/// Writes the failed records of one run and input. Shared by all loaders of the run: each call of
/// `append` writes whole lines.
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    file: Option<Arc<File>>,
    length: u64,
    /// Folders whose entry for the file (or for the next folder) must reach the disk.
    unsynced_folders: Vec<PathBuf>,
    poisoned: bool,
}

impl Writer {
    /// A writer for `<stem of input>.<run>.failed.jsonl` in `folder`. Touches nothing.
    pub fn new(folder: &Path, input: &str, run: &str) -> Self {
        Self::at(folder.join(file_name(input, run)))
    }

    /// A writer that goes on with a file. Touches nothing.
    pub fn at(path: PathBuf) -> Self {
        let length = path.metadata().map_or(0, |meta| meta.len());
        Self { path, state: Mutex::new(State { length, ..State::default() }) }
    }

    /// The file, which exists once a record was appended.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes in the file.
    pub fn length(&self) -> u64 {
        self.lock().length
    }

    /// Appends whole lines, or nothing. Not durable before [`Writer::sync`].
    pub fn append(&self, records: &[Record]) -> Result<(), DeadLetterError> {
        if records.is_empty() {
            return Ok(());
        }
        let mut text = Vec::with_capacity(records.len() * 512);
        for record in records {
            serde_json::to_writer(&mut text, record).map_err(|error| {
                DeadLetterError::io("encode a record for", &self.path)(error.into())
            })?;
            text.push(b'\n');
        }
        let mut state = self.lock();
        if state.poisoned {
            return Err(DeadLetterError::Poisoned(self.path.clone()));
        }
        let file = match &state.file {
            Some(file) => Arc::clone(file),
            None => self.open(&mut state)?,
        };
        if let Err(error) = (&*file).write_all(&text) {
            // A torn line in the middle would glue to the next record: take it back.
            state.poisoned = file.set_len(state.length).is_err();
            return Err(DeadLetterError::io("write", &self.path)(error));
        }
        state.length += text.len() as u64;
        Ok(())
    }

    /// Makes everything appended so far durable, the file's name included.
    pub fn sync(&self) -> Result<(), DeadLetterError> {
        let mut state = self.lock();
        let Some(file) = state.file.clone() else { return Ok(()) };
        if !state.unsynced_folders.is_empty() {
            // Under the lock: no other loader may commit before the name is durable.
            state.unsynced_folders.iter().try_for_each(|folder| sync_folder(folder))?;
            state.unsynced_folders.clear();
        }
        drop(state);
        // Outside the lock: other loaders go on appending while the disk works.
        file.sync_all().map_err(DeadLetterError::io("write to disk", &self.path))
    }

    fn open(&self, state: &mut State) -> Result<Arc<File>, DeadLetterError> {
        let folder = match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        // The entry of a new folder lies in the folder above it, and so on up to one that existed.
        let mut folders = vec![folder.to_owned()];
        for missing in folder.ancestors().take_while(|ancestor| !ancestor.exists()) {
            folders.extend(missing.parent().map(|parent| match parent.as_os_str().is_empty() {
                true => PathBuf::from("."),
                false => parent.to_owned(),
            }));
        }
        std::fs::create_dir_all(folder)
            .map_err(DeadLetterError::io("create the folder", folder))?;
        let mut file = OpenOptions::new()
            .create(true)
            .read(true)
            .append(true)
            .open(&self.path)
            .map_err(DeadLetterError::io("create the file", &self.path))?;
        let length = whole_length(&mut file)
            .map_err(DeadLetterError::io("read the end of", &self.path))?
            .ok_or_else(|| DeadLetterError::Torn(self.path.clone()))?;
        let file = Arc::new(file);
        *state = State {
            file: Some(Arc::clone(&file)),
            length,
            unsynced_folders: folders,
            poisoned: false,
        };
        Ok(file)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic between write and count would leave `length` short; `set_len` is then never
        // reached, because the panic ends the run.
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// Length of a file that is empty or ends with a line end.
fn whole_length(file: &mut File) -> io::Result<Option<u64>> {
    let length = file.seek(SeekFrom::End(0))?;
    if length == 0 {
        return Ok(Some(0));
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok((last[0] == b'\n').then_some(length))
}

/// Makes the entries of a folder durable. Windows has no such call and needs none.
pub(super) fn sync_folder(folder: &Path) -> Result<(), DeadLetterError> {
    if cfg!(unix) {
        File::open(folder)
            .and_then(|handle| handle.sync_all())
            .map_err(DeadLetterError::io("write the folder to disk", folder))?;
    }
    Ok(())
}

/// `<stem>.<run>.failed.jsonl`, where the stem is the input's name made safe for every system.
pub fn file_name(input: &str, run: &str) -> String {
    let name = input.rsplit(['/', '\\']).next().unwrap_or(input);
    let stem = match name.rfind('.') {
        Some(at) if at > 0 => &name[..at],
        _ => name,
    };
    format!("{}.{}{SUFFIX}", safe(stem), safe(run))
}

fn safe(name: &str) -> String {
    let replace = |c: char| {
        let unsafe_char = c.is_control() || "<>:\"/\\|?*".contains(c);
        if unsafe_char { '_' } else { c }
    };
    let mut safe: String = name.chars().map(replace).collect();
    let mut end = safe.len().min(LONGEST_STEM);
    while !safe.is_char_boundary(end) {
        end -= 1;
    }
    safe.truncate(end);
    let trimmed = safe.trim_matches(|c: char| c == ' ' || c == '.').to_owned();
    // Windows takes `con.anything` for the console.
    let first = trimmed.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    let numbered = |device: &str| {
        first.strip_prefix(device).is_some_and(|digit| {
            matches!(digit, "0" | "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9")
        })
    };
    let reserved = ["CON", "PRN", "AUX", "NUL"].contains(&first.as_str())
        || numbered("COM")
        || numbered("LPT");
    match (trimmed.is_empty(), reserved) {
        (true, _) => "input".into(),
        (_, true) => format!("_{trimmed}"),
        _ => trimmed,
    }
}
