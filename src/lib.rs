//! `etl`: property rolls and other tables into a database, exactly once, with every row accounted
//! for.

pub mod chunk;
pub mod cli;
pub mod config;
pub mod duck;
pub mod enrich;
pub mod flow;
pub mod load;
pub mod pack;
pub mod profile;
pub mod report;
pub mod rules;
pub mod run;
pub mod source;
pub mod stage;
pub mod transform;
pub mod validate;
