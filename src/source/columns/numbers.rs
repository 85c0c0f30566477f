//! Numbers of formats that store types: exact in the column, or refused.

use super::{ColumnBuilder, Pushed};
use crate::chunk::{ColumnKind, MisfitKind, Role};
use crate::source::cell::{EXACT, number_text};

impl ColumnBuilder {
    /// Pushes a number: exact, or refused.
    #[inline]
    pub(super) fn push_number(&mut self, value: f64) -> Pushed {
        let integer = value as i64;
        let whole = integer as f64 == value;
        match self.spec.kind {
            ColumnKind::Text if self.spec.role == Role::Id && value.abs() >= EXACT => {
                self.push_null();
                Err(MisfitKind::IdInexact)
            }
            ColumnKind::Text if whole && value.abs() < EXACT => {
                self.push_text(itoa::Buffer::new().format(integer))
            }
            ColumnKind::Text => self.push_text(&number_text(value)),
            ColumnKind::BigInt if whole && value.abs() < EXACT => {
                self.push_bigint(integer);
                Ok(())
            }
            ColumnKind::Int if whole && value.abs() < EXACT => {
                let fitted = i32::try_from(integer).map(|value| self.push_int(value));
                fitted.map_err(|_| {
                    self.push_null();
                    MisfitKind::Overflow
                })
            }
            ColumnKind::Double => {
                self.push_double(value);
                Ok(())
            }
            ColumnKind::Decimal(_) => {
                let text = value.to_string();
                self.push_parsed(self.spec.kind, text.as_bytes())
            }
            kind => {
                self.push_null();
                Err(match kind {
                    ColumnKind::Int | ColumnKind::BigInt if value.fract() != 0.0 => {
                        MisfitKind::Fraction
                    }
                    ColumnKind::Int | ColumnKind::BigInt => MisfitKind::Overflow,
                    _ => MisfitKind::Type,
                })
            }
        }
    }
}
