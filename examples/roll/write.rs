//! Writes a roll from the first row to the last, with its clean twin and its truth.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::columns::Columns;
use crate::damage;
use crate::harm::Harm;
use crate::plan::{Order, Plan};
use crate::roll::{Kind, World};
use crate::row::Row;
use crate::sink::{Format, Sink};
use crate::truth::{Harmed, Truth};
use crate::{nal, nap, sdf};

/// What is to be written.
pub struct Job {
    pub kind: Kind,
    pub rows: u64,
    pub format: Format,
    pub share: f64,
    pub harms: Vec<Harm>,
    pub out: PathBuf,
    pub clean: Option<PathBuf>,
}

/// Fills the sound row of a number.
pub fn fill(world: &World, kind: Kind, index: u64, row: &mut Row<'_>) {
    match kind {
        Kind::Nal => nal::fill(world, index, row),
        Kind::Sdf => sdf::fill(world, index, row),
        Kind::Nap => nap::fill(world, index, row),
    }
}

/// Writes everything; tells what was written.
pub fn write(world: &World, job: &Job) -> Result<String, String> {
    let columns = Columns::of(job.kind, world.year, world.release);
    let mut row = Row::new(&columns);
    let order =
        Order { world, kind: job.kind, rows: job.rows, share: job.share, harms: &job.harms };
    let plan = Plan::draw(&order, &mut row, |index, row| fill(world, job.kind, index, row))?;
    let mut writer = Writer::create(world, job, &columns).map_err(|error| error.to_string())?;
    let told = (0..job.rows).try_for_each(|index| {
        fill(world, job.kind, index, &mut row);
        writer.sound(index, &row, &plan)
    });
    told.and_then(|()| writer.finish()).map_err(|error| format!("{}: {error}", job.out.display()))
}

/// `<out>.truth.csv`.
pub fn truth_path(out: &Path) -> PathBuf {
    let mut name = out.as_os_str().to_owned();
    name.push(".truth.csv");
    name.into()
}

struct Writer<'a> {
    world: &'a World,
    job: &'a Job,
    out: Sink,
    clean: Option<Sink>,
    truth: Option<Truth>,
    harmed: Row<'a>,
    /// Rows written, the header among them.
    written: u64,
    /// Where rows that are repeated later were written.
    firsts: BTreeMap<u64, u64>,
    counts: BTreeMap<Harm, u64>,
}

impl<'a> Writer<'a> {
    fn create(world: &'a World, job: &'a Job, columns: &'a Columns) -> std::io::Result<Self> {
        let stem = world.stem(job.kind);
        let sink = |path: &Path| Sink::create(path, job.format, &stem, columns);
        let truth = (!job.harms.is_empty()).then(|| Truth::create(&truth_path(&job.out)));
        Ok(Self {
            world,
            job,
            out: sink(&job.out)?,
            clean: job.clean.as_deref().map(sink).transpose()?,
            truth: truth.transpose()?,
            harmed: Row::new(columns),
            written: 1,
            firsts: BTreeMap::new(),
            counts: BTreeMap::new(),
        })
    }

    /// Writes the row of a number, damaged if the plan says so, and the repetition after it.
    fn sound(&mut self, index: u64, row: &Row<'a>, plan: &Plan) -> std::io::Result<()> {
        if let Some(clean) = &mut self.clean {
            clean.row(row)?;
        }
        match plan.harmed.get(&index) {
            Some(harm) => {
                self.harmed.copy_from(row);
                self.harm(*harm, index, None)?;
            }
            None => {
                self.out.row(row)?;
                self.written += 1;
            }
        }
        if plan.is_repeated(index) {
            self.firsts.insert(index, self.written);
        }
        for first in plan.repeats.get(&index).into_iter().flatten() {
            let first_row = self.firsts.get(first).copied();
            fill(self.world, self.job.kind, *first, &mut self.harmed);
            self.harm(Harm::DuplicateKey, *first, first_row)?;
        }
        Ok(())
    }

    /// Damages the row in `harmed`, writes it, and tells the truth about it.
    fn harm(&mut self, harm: Harm, index: u64, first_row: Option<u64>) -> std::io::Result<()> {
        let (kind, format) = (self.job.kind, self.job.format);
        let key = key(kind, &self.harmed);
        let change = damage::apply(self.world, kind, format, harm, index, &mut self.harmed);
        self.out.row(&self.harmed)?;
        self.written += 1;
        *self.counts.entry(harm).or_default() += 1;
        let expected = harm.expected(kind, format, &self.world.county);
        let (Some(truth), Some(expected)) = (&mut self.truth, expected) else { return Ok(()) };
        let place = self.harmed.columns().place(&change.column);
        let row = self.written;
        truth.tell(&Harmed { row, key: &key, harm, place, change: &change, expected, first_row })
    }

    fn finish(self) -> std::io::Result<String> {
        self.out.finish()?;
        self.clean.map_or(Ok(()), Sink::finish)?;
        self.truth.map_or(Ok(()), Truth::finish)?;
        let bytes = std::fs::metadata(&self.job.out)?.len();
        let mut summary =
            format!("{}: {} rows, {bytes} bytes", self.job.out.display(), self.written - 1);
        for (harm, count) in &self.counts {
            summary.push_str(&format!("\n  {count:>7}  {}", harm.name()));
        }
        Ok(summary)
    }
}

fn key(kind: Kind, row: &Row<'_>) -> String {
    match kind {
        Kind::Nal => row.shown("PARCEL_ID"),
        Kind::Sdf => format!("{}|{}", row.shown("PARCEL_ID"), row.shown("SALE_ID_CD")),
        Kind::Nap => row.shown("ACCT_ID"),
    }
}
