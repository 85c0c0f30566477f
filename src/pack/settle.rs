//! Decides kind, county, year, release and submission of an input from all that speaks about it.
//!
//! A flag decides. Without one the rows are believed before the file's own name, and that before the
//! name of the zip or folder around it. Rows and own name may not contradict each other: one of them
//! is wrong, and guessing which would load rows under a false county or year.

use std::fmt::Display;

use super::names::NameFacts;
use super::release::Release;

/// What one side says about an input.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Kind of file, as a kind id.
    pub kind: Option<String>,
    /// County number.
    pub county: Option<u8>,
    /// Roll year.
    pub year: Option<u16>,
    /// Release.
    pub release: Option<Release>,
    /// Submission number.
    pub submission: Option<u16>,
}

/// Which side a settled fact comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A flag of the user.
    Flag,
    /// The rows or the header.
    Columns,
    /// The file's own name.
    Name,
    /// The name of the zip or folder.
    Outer,
}

/// The settled facts, where each comes from, and what should be told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settled {
    /// Kind of file.
    pub kind: Option<String>,
    /// County number.
    pub county: Option<u8>,
    /// Roll year.
    pub year: Option<u16>,
    /// Release.
    pub release: Option<Release>,
    /// Submission number.
    pub submission: Option<u16>,
    /// Fact and where it comes from, in the order above.
    pub origins: Vec<(&'static str, Origin)>,
    /// Contradictions that did not decide anything.
    pub warnings: Vec<String>,
}

/// The rows and the file's own name contradict each other.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{fact}: the rows say {columns}, the file name '{source_name}' says {name}; \
     say {flag} {columns} or {flag} {name} to decide"
)]
pub struct FactsConflict {
    /// Which fact: kind, county, year, release, submission.
    pub fact: &'static str,
    /// What the rows say.
    pub columns: String,
    /// What the name says.
    pub name: String,
    /// The name.
    pub source_name: String,
    /// The flag that decides.
    pub flag: &'static str,
}

/// Settles the facts about one input.
///
/// # Errors
/// If rows and own name contradict each other and no flag decides.
pub fn settle(
    flags: &Facts,
    columns: &Facts,
    member: &NameFacts,
    outer: Option<&NameFacts>,
) -> Result<Settled, FactsConflict> {
    let mut settled = Settled::default();
    let mut court = Court { member, outer, settled: &mut settled };
    let kind = court
        .decide("kind", "--type", [&flags.kind, &columns.kind], |n: &NameFacts| n.kind.clone())?;
    let county =
        court.decide("county", "--county", [&flags.county, &columns.county], |n| n.county)?;
    let year = court.decide("year", "--year", [&flags.year, &columns.year], |n| n.year)?;
    let release =
        court.decide("release", "--release", [&flags.release, &columns.release], |n| n.release)?;
    let submission = court.decide(
        "submission",
        "--submission",
        [&flags.submission, &columns.submission],
        |n| n.submission,
    )?;
    Ok(Settled { kind, county, year, release, submission, ..settled })
}

struct Court<'a> {
    member: &'a NameFacts,
    outer: Option<&'a NameFacts>,
    settled: &'a mut Settled,
}

impl Court<'_> {
    fn decide<T: Clone + PartialEq + Display>(
        &mut self,
        fact: &'static str,
        flag_name: &'static str,
        [flag, columns]: [&Option<T>; 2],
        of_name: impl Fn(&NameFacts) -> Option<T>,
    ) -> Result<Option<T>, FactsConflict> {
        let member = of_name(self.member);
        let outer = self.outer.and_then(&of_name);
        if let (None, Some(rows), Some(name)) = (flag, columns, &member)
            && rows != name
        {
            return Err(FactsConflict {
                fact,
                columns: rows.to_string(),
                name: name.to_string(),
                source_name: self.member.source.clone(),
                flag: flag_name,
            });
        }
        let outer_source = self.outer.map_or("", |o| o.source.as_str());
        let sides = [
            (flag.clone(), Origin::Flag, flag_name.to_owned()),
            (columns.clone(), Origin::Columns, "the rows".to_owned()),
            (member, Origin::Name, format!("the file name '{}'", self.member.source)),
            (outer, Origin::Outer, format!("the name '{outer_source}' around it")),
        ];
        let Some(at) = sides.iter().position(|(value, ..)| value.is_some()) else {
            return Ok(None);
        };
        let (value, origin, who) = &sides[at];
        for (other, _, loser) in &sides[at + 1..] {
            if let (Some(other), Some(value)) = (other, value)
                && other != value
            {
                let warning =
                    format!("{fact}: {who} says {value}, {loser} says {other}; {value} is used");
                self.settled.warnings.push(warning);
            }
        }
        self.settled.origins.push((fact, *origin));
        Ok(value.clone())
    }
}
