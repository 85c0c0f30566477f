//! The bodies of the fuzz targets over their seeds: what a fuzzer is given must hold before it begins,
//! and what it once broke must stay mended.

#[path = "../../fuzz/src/bodies/mod.rs"]
mod bodies;

fn seeds(target: &str, body: fn(&[u8])) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/seeds/").to_owned() + target;
    let mut number = 0;
    for entry in std::fs::read_dir(folder).expect("the seeds are part of the project") {
        let path = entry.expect("a readable folder").path();
        let seed = std::fs::read(&path).expect("readable");
        body(&seed);
        // Cut off anywhere, or with a bit turned: the first steps of any fuzzer.
        for part in 1..16 {
            let at = seed.len() * part / 16;
            body(&seed[..at]);
            let mut turned = seed.clone();
            turned[at] ^= 1 << (part % 8);
            body(&turned);
        }
        number += 1;
    }
    assert!(number >= 2, "{target}: {number} seeds");
}

#[test]
fn csv() {
    seeds("csv", bodies::csv);
}

#[test]
fn xlsx() {
    seeds("xlsx", bodies::xlsx);
}

#[test]
fn parquet() {
    seeds("parquet", bodies::parquet);
}

#[test]
fn dead_letter() {
    seeds("dead_letter", bodies::dead_letter);
}

#[test]
fn pack() {
    seeds("pack", bodies::pack);
}
