//! The one integration-test binary: the program as users run it.

mod addresses;

mod alerts;
mod any_value;
mod catalog;
mod cell_faults;
mod cells;
mod changed;
mod cleaning;
mod cli_config;
mod cli_errors;
mod cli_help;
mod column_names;
mod crash;
mod damage;
#[path = "../../examples/damage/compare.rs"]
mod damage_compare;
mod dates;
mod derived;
mod diff;
mod digit_names;
mod digits;
mod duckdb_refused;
mod file_rules;
mod formulas;
mod fuzz_seeds;
mod geography;
mod gold;
mod hostile;
mod hostile_files;
mod hostile_make;
mod identity;
mod identity_rows;
mod inputs;
mod inputs_unix;
mod layering;
mod legacy;
mod loaded;
mod masking;
mod modes;
mod moments;
mod pack_rules;
mod pg_extras;
mod pg_faults;
mod pg_lean;
mod pg_mapping;
mod pg_merge;
mod pg_proxy;
mod pg_refused;
mod pg_secrets;
mod pg_server;
mod pg_tls;
mod planted;
mod postgres;
mod profile;
mod ranges;
mod real_roll;
mod report;
mod reprocess;
mod roll;
mod shared_types;
mod stdin;
mod support;
mod table_names;
mod upgrade;
mod upgrade_place;
mod user_rules;
mod value_rules;
mod verify;
mod widening;

/// A file that is not a module of this binary would never run.
#[test]
fn every_file_of_this_folder_is_part_of_this_binary() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it");
    let listed = include_str!("main.rs");
    for entry in std::fs::read_dir(folder).expect("the folder of this file") {
        let path = entry.expect("a readable folder").path();
        let stem = path.file_stem().and_then(|stem| stem.to_str()).expect("a plain name");
        if path.extension().is_some_and(|extension| extension == "rs") && stem != "main" {
            assert!(listed.contains(&format!("\nmod {stem};\n")), "{stem}.rs is in no `mod` line");
        }
    }
}
