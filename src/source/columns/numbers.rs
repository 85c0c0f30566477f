//! Numbers of formats that store types: exact in the column, or refused.

use super::{ColumnBuilder, Pushed};
use crate::chunk::{ColumnKind, MisfitKind, Role};
use crate::source::cell::{EXACT, number_text};

impl ColumnBuilder {
    /// Pushes an exact whole number: all 64 bits of it, where the column can hold them.
    pub fn push_whole(&mut self, value: i64) -> Pushed {
        match self.spec.kind {
            ColumnKind::BigInt => self.push_bigint(value),
            ColumnKind::Double if (value as f64).abs() < EXACT => self.push_double(value as f64),
            kind if kind == ColumnKind::Bool || kind == ColumnKind::Date || kind.is_moment() => {
                self.push_null();
                return Err(MisfitKind::Type);
            }
            _ => return self.push_text(itoa::Buffer::new().format(value)),
        }
        Ok(())
    }

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
