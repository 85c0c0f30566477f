//! Days with a time: into the column as far as its type holds them. What it does not hold is marked.

use super::{ColumnBuilder, Pushed};
use crate::chunk::{ColumnKind, MisfitKind, Moment};

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

impl ColumnBuilder {
    /// Pushes a moment of a format that stores types; in a column of texts as its text.
    pub fn push_clock(&mut self, moment: Moment) -> Pushed {
        let pushed = match self.spec.kind {
            ColumnKind::Text => return self.push_text(&moment.text()),
            ColumnKind::Date => self.push_midnight(moment),
            kind if kind.is_moment() => self.push_moment(moment),
            _ => Err(MisfitKind::Type),
        };
        if pushed.is_err() {
            self.push_null();
        }
        pushed
    }

    fn push_midnight(&mut self, moment: Moment) -> Pushed {
        let micros = moment.micros()?;
        if micros.rem_euclid(DAY) != 0 || moment.has_offset() {
            return Err(MisfitKind::Type);
        }
        let day = i32::try_from(micros.div_euclid(DAY)).map_err(|_| MisfitKind::Overflow)?;
        self.push_int(day);
        Ok(())
    }

    /// Pushes a moment into a column of moments; nothing where it is not one of them.
    pub(super) fn push_moment(&mut self, moment: Moment) -> Pushed {
        let at = self.len + self.pending;
        let value = match self.spec.kind {
            ColumnKind::TimestampNs => moment.nanos()?,
            ColumnKind::TimestampTz => {
                let zone = self.spec.zone.unwrap_or(crate::chunk::Zone::UTC);
                moment.in_zone(zone).micros()?
            }
            _ => moment.micros()?,
        };
        let is_tz = self.spec.kind == ColumnKind::TimestampTz;
        let keeps_nanos = self.spec.kind == ColumnKind::TimestampNs;
        if moment.has_offset() && !is_tz && !moment.is_utc() {
            self.altered.offset.mark(at);
        }
        if moment.has_nanos() && !keeps_nanos {
            self.altered.nanos.mark(at);
        }
        self.push_bigint(value);
        Ok(())
    }
}
