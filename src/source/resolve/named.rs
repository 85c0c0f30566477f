//! What the user has named: a file, a folder, a stream, or a pattern.

use super::{Finder, Origin, label};
use crate::source::{Content, SourceError, SourceErrorKind};
use std::fs::{self, FileType};
use std::io::{self, ErrorKind};
use std::path::Path;

impl Finder<'_> {
    /// Lists what an argument leads to.
    pub(super) fn argument(&mut self, argument: &str) {
        for paths in [&mut self.folders, &mut self.searched, &mut self.paths] {
            paths.clear();
        }
        let stream = self.listing.streams.iter().find(|stream| stream.argument == argument);
        if let Some(stream) = stream {
            self.open(&Content::stream(stream), Origin::Named);
            return;
        }
        if argument == "-" {
            return self.fail(not_copied(argument));
        }
        let path = Path::new(argument);
        let is_pattern = argument.contains(['*', '?', '[']);
        match fs::symlink_metadata(path) {
            Ok(_) => self.named(path),
            Err(_) if is_pattern => self.pattern(argument),
            Err(error) => self.fail(missing(argument, error)),
        }
    }

    /// A path that is there.
    fn named(&mut self, path: &Path) {
        match fs::metadata(path) {
            Ok(meta) if meta.is_file() => self.open(&Content::plain(path), Origin::Named),
            Ok(meta) if meta.is_dir() => self.named_folder(path),
            Ok(meta) => self.fail(special(path, meta.file_type())),
            Err(error) => self.fail(unreachable(path, error)),
        }
    }

    fn named_folder(&mut self, path: &Path) {
        let before = self.listed.len();
        self.folder(path);
        if self.listed.len() == before {
            let message = "the folder holds no file";
            self.fail(SourceError::new(SourceErrorKind::Empty, label(path), message));
        }
    }
}

/// What was not copied before the run: the library reads no stream by itself.
fn not_copied(argument: &str) -> SourceError {
    let message = "it can be read only once, and was not copied before the run";
    SourceError::new(SourceErrorKind::Unreadable, argument, message)
        .with_hint("write it into a file and give its path")
}

/// The error of a path that cannot be looked at.
fn missing(argument: &str, error: io::Error) -> SourceError {
    let is_missing = matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory);
    let told = if argument.is_empty() { "\"\"" } else { argument };
    if !is_missing {
        return SourceError::io(told, error);
    }
    let hint = match argument.starts_with("/dev/") && cfg!(not(unix)) {
        true => "this system has no such devices; standard input is called -",
        false => "check the path; a pattern such as data/*.csv must match at least one file",
    };
    SourceError::new(SourceErrorKind::Unreadable, told, "there is no such file").with_hint(hint)
}

/// The error of a path that is there and leads to nothing that can be read.
pub(super) fn unreachable(path: &Path, error: io::Error) -> SourceError {
    let Ok(target) = fs::read_link(path) else { return SourceError::io(label(path), error) };
    let target = target.display();
    let message = match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => {
            format!("it is a link that leads nowhere: {target} is not there")
        }
        ErrorKind::PermissionDenied => {
            format!("it is a link to {target}, which may not be looked at: permission denied")
        }
        _ if is_circle(&error) => "it is a link that leads in a circle".to_owned(),
        _ => format!("it is a link to {target}, which cannot be looked at"),
    };
    let hint = match error.kind() {
        ErrorKind::PermissionDenied => "look who may read it",
        _ => "mend the link, or remove it",
    };
    let mut found =
        SourceError::new(SourceErrorKind::Unreadable, label(path), message).with_hint(hint);
    found.source = Some(error);
    found
}

#[cfg(unix)]
fn is_circle(error: &io::Error) -> bool {
    rustix::io::Errno::from_io_error(error) == Some(rustix::io::Errno::LOOP)
}

#[cfg(not(unix))]
fn is_circle(_error: &io::Error) -> bool {
    false
}

/// What a path is that is neither file nor folder, in words.
#[cfg(unix)]
pub(super) fn special_name(kind: FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    if kind.is_fifo() {
        "a named pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

/// What a path is that is neither file nor folder, in words.
#[cfg(not(unix))]
pub(super) fn special_name(_kind: FileType) -> &'static str {
    "no plain file"
}

/// Pipes were copied before the run; sockets and devices are no inputs.
fn special(path: &Path, kind: FileType) -> SourceError {
    let name = special_name(kind);
    if name == "a named pipe" {
        return not_copied(&label(path));
    }
    let message = format!("it is {name}, which is not read");
    SourceError::new(SourceErrorKind::Unreadable, label(path), message)
        .with_hint("give a file, a named pipe, or - for standard input")
}
