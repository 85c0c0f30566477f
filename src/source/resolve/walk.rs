//! Folders and patterns, read so that links that lead in circles end, and that what cannot be read is told.

use super::named::{special_name, unreachable};
use super::{Finder, Origin, label};
use crate::source::{Content, SourceError, SourceErrorKind};
use glob::{MatchOptions, Pattern};
use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

/// What is said of a folder that is not looked into.
const FOLDER: &str = "a folder; --recursive reads what is in it";

/// Letters of file names count as they are.
const MATCHING: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: false,
    require_literal_leading_dot: false,
};

/// A part of a pattern, between two separators.
enum Part {
    /// A name without pattern characters.
    Literal(OsString),
    /// A name that matches; whether the pattern asks for hidden names itself.
    Matching(Pattern, bool),
    /// `**`: this folder and all below it.
    Below,
}

impl Finder<'_> {
    /// Lists what is in a folder, by name.
    pub(super) fn folder(&mut self, path: &Path) {
        match real(path) {
            Ok(real) if self.folders.insert(real.clone()) => {}
            Ok(_) => return self.skip(label(path), "a link to a folder that is read already"),
            Err(error) => return self.fail(error),
        }
        for name in self.names(path) {
            self.entry(&path.join(name), false);
        }
    }

    /// Names in a folder, in order. What cannot be read is told.
    fn names(&mut self, folder: &Path) -> Vec<OsString> {
        let entries = match folder.read_dir() {
            Ok(entries) => entries,
            Err(error) => {
                self.fail(unreadable(folder, error));
                return Vec::new();
            }
        };
        let mut names = Vec::new();
        for entry in entries {
            match entry {
                Ok(entry) => names.push(entry.file_name()),
                Err(error) => self.fail(unreadable(folder, error)),
            }
        }
        names.sort();
        names
    }

    /// One path of a listing. A pattern that asks for hidden names gets them.
    fn entry(&mut self, path: &Path, hidden: bool) {
        // Two parts of a pattern may lead to one path.
        if !self.paths.insert(path.to_owned()) {
            return;
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let skipped = |name: &str, reason: Option<&str>| {
            reason.filter(|_| !(hidden && name.starts_with('.'))).map(str::to_owned)
        };
        let meta = match fs::metadata(path) {
            Ok(meta) => meta,
            Err(error) => {
                return match skipped(&name, self.skipper.by_name(&name)) {
                    Some(reason) => self.skip(label(path), reason),
                    None => self.fail(unreachable(path, error)),
                };
            }
        };
        let reason = match meta.is_dir() {
            true => self.skipper.folder(&name),
            false => self.skipper.by_name(&name),
        };
        if let Some(reason) = skipped(&name, reason) {
            return self.skip(label(path), reason);
        }
        match meta {
            meta if meta.is_file() => self.open(&Content::plain(path), Origin::Found),
            meta if meta.is_dir() && self.listing.recursive => self.folder(path),
            meta if meta.is_dir() => self.skip(label(path), FOLDER),
            meta => {
                let what = special_name(meta.file_type());
                self.skip(label(path), format!("{what}; it is read only where it is named"));
            }
        }
    }

    /// Lists what matches a pattern, in the order of paths.
    pub(super) fn pattern(&mut self, argument: &str) {
        let (start, parts) = match parts(argument) {
            Ok(found) => found,
            Err(error) => {
                let message = format!("bad pattern: {error}");
                let kind = SourceErrorKind::Unreadable;
                return self.fail(SourceError::new(kind, argument, message));
            }
        };
        let before = self.listed.len();
        self.matches(&start, &parts, false);
        if self.listed.len() == before {
            let message = "there is no such file";
            self.fail(SourceError::new(SourceErrorKind::Unreadable, argument, message).with_hint(
                "check the path; a pattern such as data/*.csv must match at least one file",
            ));
        }
    }

    fn matches(&mut self, at: &Path, parts: &[Part], hidden: bool) {
        let Some((part, rest)) = parts.split_first() else { return self.entry(at, hidden) };
        match part {
            Part::Literal(name) => {
                let next = at.join(name);
                match fs::symlink_metadata(&next) {
                    Ok(_) => self.matches(&next, rest, hidden),
                    Err(error) if is_absent(error.kind()) => self.end_of_link(at),
                    Err(error) => self.fail(unreachable(&next, error)),
                }
            }
            Part::Matching(pattern, dot) => {
                for name in self.names_below(at) {
                    if pattern.matches_with(&name.to_string_lossy(), MATCHING) {
                        self.matches(&at.join(name), rest, *dot);
                    }
                }
            }
            Part::Below => self.below(at, rest),
        }
    }

    /// Matches in a folder and in all below it.
    fn below(&mut self, at: &Path, rest: &[Part]) {
        match real(here(at)) {
            Ok(real) if self.searched.insert(real.clone()) => {}
            Ok(_) => return,
            Err(_) => return self.end_of_link(at),
        }
        let before = self.listed.len();
        let names = self.names_below(at);
        // A folder that cannot be read is told once, though two parts of the pattern look into it.
        let unreadable = self.listed.len() > before;
        if rest.is_empty() {
            names.iter().for_each(|name| self.below_entry(&at.join(name)));
        } else if !unreadable {
            self.matches(at, rest, false);
        }
        for name in names {
            let path = at.join(&name);
            match fs::metadata(&path) {
                Ok(meta) if meta.is_dir() => {}
                Ok(_) => continue,
                // What cannot be looked at may be a folder that would be looked into.
                Err(_) => {
                    self.entry(&path, false);
                    continue;
                }
            }
            match self.skipper.folder(&name.to_string_lossy()).map(str::to_owned) {
                None => self.below(&path, rest),
                Some(reason) => self.skip(label(&path), reason),
            }
        }
    }

    /// `**` at the end stands for all files; its folders are looked into.
    fn below_entry(&mut self, path: &Path) {
        if !fs::metadata(path).is_ok_and(|meta| meta.is_dir()) {
            self.entry(path, false);
        }
    }

    /// Tells of a link that a pattern takes for a folder and that leads nowhere.
    fn end_of_link(&mut self, at: &Path) {
        if let (true, Err(error)) = (is_link(at), fs::metadata(at)) {
            self.fail(unreachable(at, error));
        }
    }

    /// Names in what a pattern takes for a folder; none where it is a file.
    fn names_below(&mut self, at: &Path) -> Vec<OsString> {
        match fs::metadata(here(at)) {
            Ok(meta) if meta.is_dir() => self.names(here(at)),
            Ok(_) => Vec::new(),
            Err(error) if is_absent(error.kind()) && !is_link(at) => Vec::new(),
            Err(error) => {
                let path = here(at);
                self.fail(unreachable(path, error));
                Vec::new()
            }
        }
    }
}

/// A path without links.
fn real(path: &Path) -> Result<PathBuf, SourceError> {
    fs::canonicalize(path).map_err(|error| SourceError::io(label(path), error))
}

/// The folder of a path that is still empty.
fn here(path: &Path) -> &Path {
    if path.as_os_str().is_empty() { Path::new(".") } else { path }
}

fn is_absent(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::NotFound | ErrorKind::NotADirectory)
}

fn is_link(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|meta: Metadata| meta.is_symlink())
}

fn unreadable(folder: &Path, error: std::io::Error) -> SourceError {
    let mut found = SourceError::io(label(folder), error);
    found.message = match found.message.as_str() {
        "permission denied" => "permission denied: the folder cannot be read".to_owned(),
        other => format!("the folder cannot be read: {other}"),
    };
    found
}

/// Splits a pattern at its separators.
fn parts(argument: &str) -> Result<(PathBuf, Vec<Part>), glob::PatternError> {
    let mut start = PathBuf::new();
    let mut parts = Vec::new();
    for component in Path::new(argument).components() {
        match component {
            Component::Prefix(_) | Component::RootDir => start.push(component),
            Component::CurDir => {}
            Component::ParentDir => parts.push(Part::Literal("..".into())),
            Component::Normal(name) => parts.push(part(&name.to_string_lossy())?),
        }
    }
    Ok((start, parts))
}

fn part(name: &str) -> Result<Part, glob::PatternError> {
    if name == "**" {
        return Ok(Part::Below);
    }
    if !name.contains(['*', '?', '[']) {
        return Ok(Part::Literal(name.into()));
    }
    Ok(Part::Matching(Pattern::new(name)?, name.starts_with('.')))
}

#[cfg(test)]
pub(super) fn listed_paths(listed: &[super::Listed]) -> Vec<String> {
    let told = |found: &super::Listed| match found {
        super::Listed::File(file) => file.content.label().to_owned(),
        super::Listed::Skipped(skipped) => format!("skipped {skipped}"),
        super::Listed::Empty(error) => format!("empty {error}"),
        super::Listed::Failed(error) => format!("failed {error}"),
    };
    listed.iter().map(told).collect()
}
