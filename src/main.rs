use etl::run::*;
struct Quiet;
impl etl::flow::Observer for Quiet { fn on(&self, e: &etl::flow::Event<'_>) { eprintln!("{e:?}"); } }
fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let request = Request { inputs: args[1..].to_vec(), target: args[0].parse().unwrap(), table: None, mode: None, kind: None, county: None, year: None, release: None, submission: None,
      source: Default::default(), pack: "florida".into(), agents: vec!["validate".into(),"transform".into(),"enrich".into()], rule_levels: Default::default(),
      limits: Limits { memory: 512<<20, threads: 2, chunk_rows: None, writers: std::env::var("W").map(|w| w.parse().unwrap()).unwrap_or(2), temp_dir: None, fuse: true },
      errors: ErrorBudget { max_errors: None, max_rate: None, warn_rate: 0.01, on_abort: OnAbort::Keep }, failed_dir: None, fresh: false, limit: None, version: "0".into() };
    let stop = etl::flow::Stop::default();
    match ingest(&request, &Quiet, &stop) { Ok(s) => println!("{}", serde_json::to_string_pretty(&s).unwrap()), Err(e) => { println!("ERR {e:?}"); std::process::exit(1) } }
}
