//! Which rows are damaged and how: decided before the first row is written, from the seed alone.
//! Takes memory for the damaged rows only.

use std::collections::{BTreeMap, HashSet};

use crate::harm::Harm;
use crate::rng::Purpose;
use crate::roll::{Kind, World};
use crate::row::Row;

/// After so many rows that do not fit a kind of damage, a roll is taken to have none.
const TRIES: u64 = 20_000;

/// The damage to be done.
#[derive(Default)]
pub struct Plan {
    /// Rows damaged where they stand.
    pub harmed: BTreeMap<u64, Harm>,
    /// Extra rows: after which row, and which rows they repeat.
    pub repeats: BTreeMap<u64, Vec<u64>>,
    /// Rows that are repeated.
    firsts: HashSet<u64>,
}

/// What is to be damaged.
pub struct Order<'a> {
    pub world: &'a World,
    pub kind: Kind,
    pub rows: u64,
    pub share: f64,
    pub harms: &'a [Harm],
}

impl Plan {
    /// Draws a plan. `fill` writes the sound row of a number.
    pub fn draw<'c>(
        order: &Order<'_>,
        row: &mut Row<'c>,
        mut fill: impl FnMut(u64, &mut Row<'c>),
    ) -> Result<Self, String> {
        let mut plan = Self::default();
        let total = (order.rows as f64 * order.share).round() as u64;
        if total == 0 || order.harms.is_empty() {
            return Ok(plan);
        }
        let mut taken = HashSet::new();
        let kinds = order.harms.len() as u64;
        for (at, harm) in order.harms.iter().enumerate() {
            let quota = total / kinds + u64::from((at as u64) < total % kinds);
            for n in 0..quota {
                let draw = Draw { order, harm: *harm, at: at as u64, n };
                let found = draw.row(&mut taken, |index, harm| {
                    fill(index, row);
                    harm.fits(order.kind, &order.world.county, row)
                })?;
                if *harm == Harm::DuplicateKey {
                    plan.repeat(order, n, found);
                } else {
                    plan.harmed.insert(found, *harm);
                }
            }
        }
        Ok(plan)
    }

    /// Whether a row comes again later.
    pub fn is_repeated(&self, index: u64) -> bool {
        self.firsts.contains(&index)
    }

    /// Puts the repetition of a row somewhere behind it.
    fn repeat(&mut self, order: &Order<'_>, n: u64, first: u64) {
        let mut rng = order.world.rng(Purpose::Plan, 1 << 60 | n);
        let after = first + rng.below(order.rows - first);
        self.repeats.entry(after).or_default().push(first);
        self.firsts.insert(first);
    }
}

/// One row to be found.
struct Draw<'a> {
    order: &'a Order<'a>,
    harm: Harm,
    at: u64,
    n: u64,
}

impl Draw<'_> {
    fn row(
        &self,
        taken: &mut HashSet<u64>,
        mut fits: impl FnMut(u64, Harm) -> bool,
    ) -> Result<u64, String> {
        let stream = self.at << 40 | self.n;
        let mut rng = self.order.world.rng(Purpose::Plan, stream);
        for proposal in self.proposals().into_iter().flatten() {
            if proposal < self.order.rows && !taken.contains(&proposal) && fits(proposal, self.harm)
            {
                taken.insert(proposal);
                return Ok(proposal);
            }
        }
        for _ in 0..TRIES {
            let index = rng.below(self.order.rows);
            if !taken.contains(&index) && fits(index, self.harm) {
                taken.insert(index);
                return Ok(index);
            }
        }
        Err(format!("too few rows can be damaged by `{}`; give more rows", self.harm.name()))
    }

    /// Rows to be tried first: the ends of the file, and ids that spreadsheets read as numbers.
    fn proposals(&self) -> [Option<u64>; 2] {
        let rows = self.order.rows;
        let end = match (self.at, self.n) {
            (0, 0) => Some(0),
            (at, 0) if at <= 3 => rows.checked_sub(at),
            _ => None,
        };
        let exponent = (self.harm == Harm::IdEnotation && self.n.is_multiple_of(2))
            .then(|| self.order.world.county.exponent_row(self.n / 2))
            .flatten();
        [end, exponent]
    }
}
