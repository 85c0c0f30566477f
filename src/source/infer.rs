//! Stub.
use super::*;
pub struct Inferred { pub kind: crate::chunk::ColumnKind, pub first_misfits: Vec<(crate::chunk::Place,String)> }
/// Stub.
pub fn infer(table:&dyn Table, _t: usize) -> Result<Vec<Inferred>, SourceError> { Ok(table.headers().iter().map(|_| Inferred{kind: crate::chunk::ColumnKind::Text, first_misfits: vec![]}).collect()) }
