//! What is known about a family of files, as data: kinds of file with their columns, keys, derived
//! columns and lookups, code tables, rules, counties.
//!
//! A pack is read whole and checked whole, so whatever the rest of the program finds in a [`Pack`]
//! refers only to things that are there. Nothing here opens an input file: headers, names and cells
//! come in as text, and [`Kind::bind`], [`Pack::recognise`], [`read_name`] and [`settle`] answer.

mod bind;
mod check;
mod clean;
mod county;
mod county_tables;
mod embedded;
mod error;
mod expand;
mod gold;
mod insight;
mod load;
mod model;
mod names;
mod raw;
mod recognise;
mod release;
mod settle;

pub use bind::Binding;
pub use clean::{Case, Clean, CleanFile, Form, Pad, Replace, names_a_day};
pub use county::{Counties, County, ParcelFormat};
pub use embedded::embedded_names;
pub use error::{PackError, Problem};
pub use gold::{Gold, Need, empty};
pub use insight::{Area, Diff, Insight, KindInsight, Measure};
pub use model::{
    Absent, Agent, Check, CodeTable, Column, ColumnType, Derived, Kind, Layout, Level, Lookup,
    Pack, Required, Rule, Scope, Status,
};
pub use names::{NameFacts, read_name};
pub use recognise::Recognised;
pub use release::Release;
pub use settle::{Facts, FactsConflict, Origin, Settled, settle};

#[cfg(test)]
mod tests;
