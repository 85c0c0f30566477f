//! The last stage: what was kept goes into the target, what was refused into the failed-record
//! file, and both are committed together.

pub mod dead_letter;
