//! What a column holds, in bounded memory for any number of rows: types, blanks, different values,
//! ranges, quantiles, shapes, frequent values, and what looks wrong.
//!
//! Sketches know nothing of files: cells go in, block by block in the order of the file, and a
//! [`ColumnProfile`] comes out. `run::profile` reads the file.

mod column;
mod counts;
mod digest;
mod distinct;
mod drift;
mod findings;
mod odd;
mod propose;
mod report;
mod shape;
mod sketch;

pub use column::{Column, Named};
pub use digest::Digest;
pub use drift::{Drift, drift};
pub use odd::Oddity;
pub use propose::{Stands, propose};
pub use report::{
    ColumnProfile, FORM, Finding, FindingExample, Frequent, Length, Profile, Quantile,
};
pub use sketch::{Folded, Folder, Sketch};
