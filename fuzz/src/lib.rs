//! The bodies of the fuzz targets. The integration tests of `etl` run the same file over the seeds.

pub mod bodies;
