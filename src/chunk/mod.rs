//! A chunk is a closed account: rows, where each came from, and the rows already refused.
//!
//! At every step `read = kept + rejected + filtered`. A refused row is data that travels with the
//! chunk; an `Err` means only that the run cannot go on. So one commit can cover rows, refusals and
//! the ledger, and a stage is a plain function chunk → chunk.

mod altered;
mod blank;
mod body;
mod budget;
mod column;
mod moment;
mod named;
mod notes;
mod origin;
mod reject;
mod tally;

pub use altered::{Alteration, Altered, Marks};
pub use blank::blank;
pub use body::{Chunk, Earlier, Existing, Held, LineGrammar, Loaded, Misfit, MisfitKind, RawRows};
pub use budget::{Budget, Permit};
pub use column::{ColumnKind, DateOrder, ReadColumn, ReadSchema, Role};
pub use moment::{Moment, Zone};
pub(crate) use named::named;
pub use notes::{Example, Note, NoteKey, Notes, Wording};
pub use origin::{Fingerprint, Mark, Origin, Part, Place};
pub use reject::{Code, Problem, Reject, Severity, quotable};
pub use tally::{Fate, Tally};
