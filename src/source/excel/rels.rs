//! Relationships: which part a part means. Only parts of the same container are followed.

use super::container::Container;
use super::fault::Fault;
use super::tags::{Edge, Tags};
use super::text;
use crate::source::SourceError;
use hashbrown::HashSet;

/// Most memory that the relationships of a part may take: those of the largest workbooks take a tenth.
const MOST: usize = 32 << 20;

/// The relationships of one part.
#[derive(Debug, Default)]
pub struct Relationships(Vec<Relationship>);

/// One of them.
#[derive(Debug)]
pub struct Relationship {
    id: String,
    /// Last word of its type: `worksheet`, `styles`; the same in strict files.
    pub kind: String,
    /// Name of the part it means.
    pub part: String,
}

impl Relationships {
    /// Those of the part `of` (empty: of the whole package); none where nothing is said.
    pub fn read(container: &Container, of: &str) -> Result<Self, SourceError> {
        let (folder, name) = of.rsplit_once('/').map_or(("", of), |(folder, name)| (folder, name));
        let slash = if folder.is_empty() { "" } else { "/" };
        let part = format!("{folder}{slash}_rels/{name}.rels");
        if !container.has(&part) {
            return Ok(Self::default());
        }
        let mut found = Vec::new();
        let mut tags = Tags::new(container.part(&part)?);
        let mut held = 0;
        let mut read = || -> Result<(), Fault> {
            while let Some(edge) = tags.next()? {
                let Edge::Open(tag) = edge else { continue };
                if tag.name != b"Relationship" || tag.get(b"TargetMode")? == Some(b"External") {
                    continue;
                }
                let value = |name: &[u8]| match tag.get(name)? {
                    Some(raw) => text::attribute(raw),
                    None => Ok(String::new()),
                };
                let kind = value(b"Type")?;
                let one = Relationship {
                    id: value(b"Id")?,
                    kind: kind.rsplit('/').next().unwrap_or_default().to_owned(),
                    part: resolve(folder, &value(b"Target")?),
                };
                held += size_of::<Relationship>() + one.id.len() + one.kind.len() + one.part.len();
                if held > MOST {
                    return Err(Fault::TooLarge("it has millions of relationships".into()));
                }
                found.push(one);
            }
            Ok(())
        };
        read().map_err(|fault| fault.into_error(&format!("{}, part {part}", container.label())))?;
        Ok(Self(found))
    }

    /// The relationship with this id.
    pub fn by_id(&self, id: &str) -> Option<&Relationship> {
        self.0.iter().find(|it| it.id == id)
    }

    /// All parts that are related in this way, each once.
    pub fn parts_of_kind(&self, kind: &str) -> Vec<&str> {
        let all = self.0.iter().filter(|it| it.kind == kind).map(|it| it.part.as_str());
        let mut seen = HashSet::new();
        all.filter(|part| seen.insert(*part)).collect()
    }

    /// The part that is related in this way.
    pub fn part_of_kind(&self, kind: &str) -> Option<&str> {
        self.0.iter().find(|it| it.kind == kind).map(|it| it.part.as_str())
    }
}

/// The name of a target as seen from `folder`; never outside of the container.
fn resolve(folder: &str, target: &str) -> String {
    let target = target.replace('\\', "/");
    let base = if target.starts_with('/') { "" } else { folder };
    let mut steps: Vec<&str> = Vec::new();
    for step in base.split('/').chain(target.split('/')) {
        match step {
            "" | "." => {}
            ".." => drop(steps.pop()),
            step => steps.push(step),
        }
    }
    steps.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_stay_inside_the_container() {
        for (target, expected) in [
            ("worksheets/sheet1.xml", "xl/worksheets/sheet1.xml"),
            ("/xl/worksheets/sheet1.xml", "xl/worksheets/sheet1.xml"),
            ("../xl/./s.xml", "xl/s.xml"),
            ("..\\..\\..\\etc\\passwd", "etc/passwd"),
            ("", "xl"),
        ] {
            assert_eq!(resolve("xl", target), expected, "{target}");
        }
        assert_eq!(resolve("", "xl/workbook.xml"), "xl/workbook.xml");
    }
}
