//! SQL over a chunk.
