//! `etl`: property rolls and other tables into a database, exactly once, with every row accounted for.
pub mod pack;
