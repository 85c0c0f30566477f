//! What the user named → the files to read: paths, folders, patterns, members of archives.
//!
//! Whatever a folder, a pattern or an archive lists comes out as one [`Listed`]: a file to read, an error,
//! or a file that is skipped, with the reason. Nothing is left out in silence.

mod archive;
mod named;
mod skip;
mod sniff;
mod walk;

pub use skip::{SkipList, Skipped};
pub use sniff::{SNIFF, read_full};

use super::{Content, Format, SourceError, SourceOptions, Table};
use skip::Skipper;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One file or member with the format that claims it.
pub struct InputFile {
    /// The bytes.
    pub content: Content,
    /// Who reads them.
    pub format: &'static dyn Format,
}

impl InputFile {
    /// The tables of the file. E502 where it changes meanwhile: what was found out would be true of no
    /// content that there ever was.
    pub fn survey(&self, options: &SourceOptions) -> Result<Vec<Arc<dyn Table>>, SourceError> {
        let content = &self.as_it_is()?;
        let found = self.format.survey(content, options);
        // What a survey makes of a file that changes is not what is wrong with it.
        content.untouched()?;
        found
    }

    /// The content, which may have been looked at long ago, when many files were named. A file that
    /// still has the same format is read as it is now; a member may lie elsewhere in its archive.
    fn as_it_is(&self) -> Result<Content, SourceError> {
        let Err(changed) = self.content.untouched() else { return Ok(self.content.clone()) };
        let content = self.content.anew();
        let is_member = self.content.is_member();
        let format = (!is_member).then(|| sniff::with_format(content.clone()).ok()).flatten();
        match format.filter(|file| file.format.name() == self.format.name()) {
            Some(_) => Ok(content),
            None => Err(changed),
        }
    }
}

/// What one listed file came to.
pub enum Listed {
    /// It can be surveyed.
    File(InputFile),
    /// It is not read, for a reason that is no fault.
    Skipped(Skipped),
    /// It is called like a table and holds not one byte. Whether that is an error depends on the others.
    Empty(SourceError),
    /// It cannot be read.
    Failed(SourceError),
}

/// How folders are read and what is skipped in them.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Listing {
    /// Folders within folders are read, too.
    pub recursive: bool,
    /// What is no table.
    pub skip: SkipList,
    /// Copies of what can be read only once.
    pub streams: Vec<Stream>,
}

/// An argument that can be read only once (standard input, a named pipe), and the copy of what it gave.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Stream {
    /// As the user wrote it.
    pub argument: String,
    /// How messages name it.
    pub label: String,
    /// What stands for its file name.
    pub name: String,
    /// Where the copy lies.
    pub copy: PathBuf,
}

/// Expands the arguments and finds a format for each file, in the order of the arguments and, within one,
/// of the listing.
pub fn resolve(arguments: &[String], listing: &Listing) -> Vec<Listed> {
    let mut finder = Finder::new(listing);
    for argument in arguments {
        finder.argument(argument);
    }
    finder.listed
}

/// The files that can be surveyed, and what is skipped; the first error where there is one.
pub fn readable(listed: Vec<Listed>) -> Result<(Vec<InputFile>, Vec<Skipped>), SourceError> {
    let (mut files, mut skipped) = (Vec::new(), Vec::new());
    for found in listed {
        match found {
            Listed::File(file) => files.push(file),
            Listed::Skipped(found) => skipped.push(found),
            Listed::Empty(error) | Listed::Failed(error) => return Err(error),
        }
    }
    Ok((files, skipped))
}

/// How a file came to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// The user named it.
    Named,
    /// A folder, a pattern or an archive lists it.
    Found,
}

/// Looks at arguments and keeps what they lead to.
struct Finder<'l> {
    listing: &'l Listing,
    skipper: Skipper,
    listed: Vec<Listed>,
    /// Folders that were read for the argument at hand, by their real paths: links may lead in circles.
    folders: HashSet<PathBuf>,
    /// The same of folders in which a pattern looks for names.
    searched: HashSet<PathBuf>,
    /// Paths that the argument at hand has led to.
    paths: HashSet<PathBuf>,
}

impl<'l> Finder<'l> {
    fn new(listing: &'l Listing) -> Self {
        let skipper = Skipper::new(&listing.skip);
        Self {
            listing,
            skipper,
            listed: Vec::new(),
            folders: HashSet::new(),
            searched: HashSet::new(),
            paths: HashSet::new(),
        }
    }

    fn skip(&mut self, path: impl Into<String>, reason: impl Into<String>) {
        self.listed.push(Listed::Skipped(Skipped { path: path.into(), reason: reason.into() }));
    }

    fn fail(&mut self, error: SourceError) {
        self.listed.push(Listed::Failed(error));
    }

    /// Whether what was listed from `from` on holds something else than skipped files.
    fn has_found(&self, from: usize) -> bool {
        self.listed[from..].iter().any(|found| !matches!(found, Listed::Skipped(_)))
    }
}

/// How messages name a path. One that is no Unicode is written with escapes: two of them must not become
/// one name.
pub(super) fn label(path: &Path) -> String {
    match path.to_str() {
        Some(text) => text.to_owned(),
        None => format!("{path:?}").trim_matches('"').to_owned(),
    }
}

#[cfg(test)]
mod tests;
