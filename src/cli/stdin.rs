//! Inputs that can be read only once: standard input (`-`, `/dev/stdin`), named pipes, and what a shell
//! hands over as a descriptor (`<(…)`).
//!
//! A load reads its input more than once (fingerprint, survey, rows). So each of them is written to a
//! temporary file first, which goes when the command ends. All are read at the same time: whoever writes
//! into two of them in turn would wait for ever if one were read after the other.

use super::args::usage;
use super::error::CliError;
use crate::config::Settings;
use crate::run::{RunError, RunErrorKind};
use crate::source::{STDIN, Stream};
use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};
use tempfile::TempPath;

/// Paths of standard input.
const STDIN_PATHS: [&str; 3] = ["/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"];
/// Folders of the descriptors of a process.
const DESCRIPTORS: [&str; 2] = ["/dev/fd/", "/proc/self/fd/"];

/// Copies of inputs that can be read only once, removed with this value.
#[derive(Default)]
pub struct Streams(Vec<(Stream, TempPath)>);

/// What an argument is, where it can be read only once.
enum Once {
    /// Standard input of this process.
    Stdin,
    /// A descriptor that the process was started with, by its number.
    Descriptor(String),
    /// A named pipe.
    Pipe,
}

impl Streams {
    /// Copies those of the inputs that can be read only once.
    pub fn take(inputs: &[String], settings: &Settings) -> Result<Self, CliError> {
        let once: Vec<_> =
            inputs.iter().filter_map(|input| Some((input.as_str(), once(input)?))).collect();
        refuse_twice(&once)?;
        let folder = settings.temp_dir.as_ref().map(|folder| folder.value.clone());
        let folder = folder.as_deref();
        let copies: Vec<Result<TempPath, CliError>> = std::thread::scope(|scope| {
            let copy = |(argument, once)| scope.spawn(move || copy(argument, once, folder));
            let started: Vec<_> =
                once.iter().map(|(argument, once)| copy((*argument, once))).collect();
            let ended = started.into_iter().map(|thread| match thread.join() {
                Ok(copied) => copied,
                Err(panic) => std::panic::resume_unwind(panic),
            });
            ended.collect()
        });
        let named = once.iter().zip(copies).map(|((argument, once), copied)| {
            let copied = copied?;
            Ok((stream(argument, once, copied.to_path_buf()), copied))
        });
        named.collect::<Result<_, _>>().map(Self)
    }

    /// What they are, and where their copies lie.
    pub fn list(&self) -> Vec<Stream> {
        self.0.iter().map(|(stream, _)| stream.clone()).collect()
    }
}

fn once(argument: &str) -> Option<Once> {
    if argument == "-" {
        return Some(Once::Stdin);
    }
    if !cfg!(unix) {
        return None;
    }
    if STDIN_PATHS.contains(&argument) {
        return Some(Once::Stdin);
    }
    let number = DESCRIPTORS.iter().find_map(|folder| argument.strip_prefix(folder));
    let is_number = |text: &&str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if let Some(number) = number.filter(is_number) {
        return Some(Once::Descriptor(number.to_owned()));
    }
    is_pipe(Path::new(argument)).then_some(Once::Pipe)
}

#[cfg(unix)]
fn is_pipe(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;
    path.metadata().is_ok_and(|meta| meta.file_type().is_fifo())
}

#[cfg(not(unix))]
fn is_pipe(_path: &Path) -> bool {
    false
}

fn refuse_twice(once: &[(&str, Once)]) -> Result<(), CliError> {
    let mut names: Vec<&str> = once
        .iter()
        .map(|(argument, once)| if matches!(once, Once::Stdin) { "-" } else { argument })
        .collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0]) {
        None => Ok(()),
        Some("-") => Err(usage("`-` is given twice", "standard input can be read once")),
        Some(name) => Err(usage(format!("`{name}` is given twice"), "a pipe can be read once")),
    }
}

fn stream(argument: &str, once: &Once, copy: PathBuf) -> Stream {
    let file_name = || {
        let name = Path::new(argument).file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    };
    let (label, name) = match once {
        Once::Stdin => (STDIN.to_owned(), STDIN.to_owned()),
        Once::Descriptor(number) => (argument.to_owned(), format!("fd_{number}")),
        Once::Pipe => (argument.to_owned(), file_name()),
    };
    Stream { argument: argument.to_owned(), label, name, copy }
}

/// Writes what comes from an argument to a temporary file.
fn copy(argument: &str, once: &Once, folder: Option<&Path>) -> Result<TempPath, CliError> {
    let (mut source, is_terminal): (Box<dyn Read>, bool) = match once {
        Once::Stdin => {
            let stdin = io::stdin().lock();
            let is_terminal = stdin.is_terminal();
            (Box::new(stdin), is_terminal)
        }
        Once::Descriptor(_) | Once::Pipe => {
            let file = File::open(argument).map_err(|error| unreadable(argument, error))?;
            let is_terminal = file.is_terminal();
            (Box::new(file), is_terminal)
        }
    };
    if is_terminal {
        let message = format!("`{argument}` reads standard input, which is the keyboard here");
        return Err(usage(message, "pipe a file into it: … | etl ingest -"));
    }
    let mut builder = tempfile::Builder::new();
    builder.prefix("etl-stdin-");
    let made = match folder {
        Some(folder) => builder.tempfile_in(folder),
        None => builder.tempfile(),
    };
    let mut file = made.map_err(|error| no_room(argument, error))?;
    let mut buffer = vec![0; 1 << 18];
    loop {
        let read = match source.read(&mut buffer) {
            Ok(0) => return Ok(file.into_temp_path()),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(unreadable(argument, error)),
        };
        io::Write::write_all(&mut file, &buffer[..read])
            .map_err(|error| no_room(argument, error))?;
    }
}

fn called(argument: &str) -> &str {
    if argument == "-" { "standard input" } else { argument }
}

fn unreadable(argument: &str, error: io::Error) -> CliError {
    let message = format!("{}: it cannot be read", called(argument));
    let mut failure = RunError::new(RunErrorKind::Input, message)
        .with_code("E100")
        .with_hint("look at what the command before the pipe says");
    failure.source = Some(Box::new(error));
    failure.into()
}

fn no_room(argument: &str, error: io::Error) -> CliError {
    let message = format!("{} cannot be written to a temporary file", called(argument));
    let mut failure = RunError::new(RunErrorKind::Limit, message)
        .with_hint("make room in the folder of temporary files, or name one with --temp-dir");
    failure.source = Some(Box::new(error));
    failure.into()
}
