//! Builders that take cells as they are parsed and give typed polars columns.
//!
//! A roll has 165 columns and most cells of most of them are blank, so a column that is blank
//! throughout a chunk never allocates: nulls are counted and filled in when the first value comes.

mod altered;
mod bulk;
mod digits;
mod moments;
mod numbers;
mod shared;

pub use super::cell::Cell;
use super::number;
use crate::chunk::{ColumnKind, Marks, MisfitKind, Moment, ReadColumn, Role, blank};
use altered::AlteredCells;
pub use bulk::MOST;
use polars::prelude::*;
use polars_arrow::array::{BooleanArray, MutableBinaryViewArray, PrimitiveArray, Utf8ViewArray};
use polars_arrow::bitmap::MutableBitmap;
use polars_arrow::datatypes::ArrowDataType;
use polars_arrow::types::NativeType;
pub use shared::SharedTexts;

/// Collects the cells of one column.
pub struct ColumnBuilder {
    spec: ReadColumn,
    values: Values,
    validity: Option<MutableBitmap>,
    /// Rows that are in `values`.
    len: usize,
    /// Blanks behind them that are only counted so far.
    pending: usize,
    capacity: usize,
    scratch: Vec<u8>,
    /// Cells that lost something on the way.
    altered: AlteredCells,
    /// Cells of which the digits tell more than their number.
    digits: Marks,
}

enum Values {
    /// Only blanks so far.
    Blank,
    Int(Vec<i32>),
    BigInt(Vec<i64>),
    Double(Vec<f64>),
    Decimal(Vec<i128>),
    Bool(MutableBitmap),
    Text(MutableBinaryViewArray<str>),
    /// Texts by their numbers; any at a null.
    Shared(SharedTexts, Vec<IdxSize>),
}

/// What became of a pushed cell: stored (perhaps repaired) or null with a reason.
pub type Pushed = Result<(), MisfitKind>;

impl ColumnBuilder {
    /// A builder for about `capacity` rows.
    pub fn new(spec: &ReadColumn, capacity: usize) -> Self {
        Self {
            spec: spec.clone(),
            values: Values::Blank,
            validity: None,
            len: 0,
            pending: 0,
            capacity,
            scratch: Vec::new(),
            altered: Default::default(),
            digits: Marks::default(),
        }
    }

    /// The column being built.
    pub fn spec(&self) -> &ReadColumn {
        &self.spec
    }

    /// Pushes a blank.
    #[inline(always)]
    pub fn push_null(&mut self) {
        self.pending += 1;
    }

    /// Pushes blanks until there are `len` cells.
    #[inline]
    pub fn pad(&mut self, len: usize) {
        self.pending += len.saturating_sub(self.len + self.pending);
    }

    /// Puts the counted blanks in before a value.
    #[inline(always)]
    fn settle(&mut self) {
        if self.pending > 0 {
            self.fill_pending();
        }
    }

    fn fill_pending(&mut self) {
        let (len, count) = (self.len, std::mem::take(&mut self.pending));
        self.len += count;
        match &mut self.values {
            Values::Blank => return,
            Values::Int(values) => values.resize(len + count, 0),
            Values::BigInt(values) => values.resize(len + count, 0),
            Values::Double(values) => values.resize(len + count, 0.0),
            Values::Decimal(values) => values.resize(len + count, 0),
            Values::Bool(values) => values.extend_constant(count, false),
            Values::Text(values) => (0..count).for_each(|_| values.push_value_ignore_validity("")),
            Values::Shared(_, numbers) => numbers.resize(len + count, 0),
        }
        self.validity
            .get_or_insert_with(|| {
                let mut bits = MutableBitmap::with_capacity(self.capacity);
                bits.extend_constant(len, true);
                bits
            })
            .extend_constant(count, false);
    }

    /// Pushes the text of a cell. On `Err` the cell is null, except for the repairs
    /// [`MisfitKind::Padded`] and [`MisfitKind::TooLong`], which are stored.
    #[inline]
    pub fn push_text(&mut self, text: &str) -> Pushed {
        let whole = text.len();
        let text = if self.spec.clean { trim(text) } else { text };
        if text.is_empty() || self.is_no_value(text, whole) {
            self.push_null();
            return Ok(());
        }
        match self.spec.kind {
            ColumnKind::Text => self.push_string(text),
            kind => self.push_parsed(kind, text.as_bytes()),
        }
    }

    fn push_parsed(&mut self, kind: ColumnKind, text: &[u8]) -> Pushed {
        if let Some(lost) = self.spec.exact.then(|| number::lost(text, kind)).flatten() {
            self.push_null();
            return Err(lost);
        }
        let parsed = match kind {
            ColumnKind::Int => self.whole(text).and_then(|value| {
                i32::try_from(value).map(|v| self.push_int(v)).map_err(|_| MisfitKind::Overflow)
            }),
            ColumnKind::BigInt => self.whole(text).map(|value| self.push_bigint(value)),
            ColumnKind::Double => number::real(text).map(|value| self.push_double(value)),
            ColumnKind::Decimal(scale) => {
                number::decimal(text, scale).map(|value| self.push_decimal(value))
            }
            ColumnKind::Bool => number::truth(text).map(|value| self.push_bool(value)),
            ColumnKind::Date => {
                number::date(text, self.spec.order).map(|value| self.push_int(value))
            }
            ColumnKind::Timestamp | ColumnKind::TimestampTz | ColumnKind::TimestampNs => {
                number::moment(text, self.spec.order).and_then(|moment| self.push_moment(moment))
            }
            ColumnKind::Text => Ok(()),
        };
        if parsed.is_err() {
            self.push_null();
        }
        parsed
    }

    #[inline]
    fn push_string(&mut self, text: &str) -> Pushed {
        let text = match self.spec.float {
            true => match self.altered.without_zeros(text, self.len + self.pending) {
                Ok(text) => text,
                Err(kind) => {
                    self.push_null();
                    return Err(kind);
                }
            },
            false => text,
        };
        match judge(&self.spec, text, true) {
            Judged::Refused(kind) => {
                self.push_null();
                Err(kind)
            }
            Judged::Padded(width) => self.push_padded(text, width),
            Judged::Stored(kind) => {
                self.push_value(text);
                kind.map_or(Ok(()), Err)
            }
        }
    }

    fn push_padded(&mut self, text: &str, width: usize) -> Pushed {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        scratch.resize(width - text.len(), b'0');
        scratch.extend_from_slice(text.as_bytes());
        self.push_value(std::str::from_utf8(&scratch).unwrap_or(text));
        self.scratch = scratch;
        Err(MisfitKind::Padded)
    }

    #[inline]
    fn push_value(&mut self, text: &str) {
        self.begin_texts();
        if let Values::Text(values) = &mut self.values {
            values.push_value_ignore_validity(text);
        }
        self.mark_valid();
    }

    /// Makes the column one that takes texts of its own.
    #[inline]
    fn begin_texts(&mut self) {
        self.settle();
        match self.values {
            Values::Blank => {
                let mut values = MutableBinaryViewArray::with_capacity(self.capacity);
                (0..self.len).for_each(|_| values.push_value_ignore_validity(""));
                self.begin(Values::Text(values));
            }
            Values::Shared(..) => self.unshare(),
            _ => {}
        }
    }

    /// Leaves the all-blank state: earlier rows are null.
    fn begin(&mut self, values: Values) {
        self.values = values;
        if self.len > 0 {
            let mut bits = MutableBitmap::with_capacity(self.capacity);
            bits.extend_constant(self.len, false);
            self.validity = Some(bits);
        }
    }

    #[inline]
    fn mark_valid(&mut self) {
        if let Some(bits) = &mut self.validity {
            bits.push(true);
        }
        self.len += 1;
    }

    #[inline]
    fn push_int(&mut self, value: i32) {
        self.settle();
        if matches!(self.values, Values::Blank) {
            self.begin(Values::Int(filled_with(self.len, self.capacity, 0)));
        }
        if let Values::Int(values) = &mut self.values {
            values.push(value);
        }
        self.mark_valid();
    }

    #[inline]
    fn push_bigint(&mut self, value: i64) {
        self.settle();
        if matches!(self.values, Values::Blank) {
            self.begin(Values::BigInt(filled_with(self.len, self.capacity, 0)));
        }
        if let Values::BigInt(values) = &mut self.values {
            values.push(value);
        }
        self.mark_valid();
    }

    #[inline]
    fn push_double(&mut self, value: f64) {
        self.settle();
        if matches!(self.values, Values::Blank) {
            self.begin(Values::Double(filled_with(self.len, self.capacity, 0.0)));
        }
        if let Values::Double(values) = &mut self.values {
            values.push(value);
        }
        self.mark_valid();
    }

    fn push_decimal(&mut self, value: i128) {
        self.settle();
        if matches!(self.values, Values::Blank) {
            self.begin(Values::Decimal(filled_with(self.len, self.capacity, 0)));
        }
        if let Values::Decimal(values) = &mut self.values {
            values.push(value);
        }
        self.mark_valid();
    }

    fn push_bool(&mut self, value: bool) {
        self.settle();
        if matches!(self.values, Values::Blank) {
            let mut bits = MutableBitmap::with_capacity(self.capacity);
            bits.extend_constant(self.len, false);
            self.begin(Values::Bool(bits));
        }
        if let Values::Bool(values) = &mut self.values {
            values.push(value);
        }
        self.mark_valid();
    }

    /// Pushes a workbook cell: numbers stay exact or are refused, ids become text only where the
    /// number is exact.
    #[inline]
    pub fn push_cell(&mut self, cell: Cell<'_>) -> Pushed {
        match cell {
            Cell::Blank => {
                self.push_null();
                Ok(())
            }
            Cell::Text(text) => self.push_text(text),
            Cell::Number(number) => self.push_number(number),
            rare => self.push_rare(rare),
        }
    }

    fn push_rare(&mut self, cell: Cell<'_>) -> Pushed {
        let result = match cell {
            Cell::Blank | Cell::Text(_) | Cell::Number(_) => return self.push_cell(cell),
            Cell::Digits(digits) => return self.push_digits(digits),
            Cell::Error(_) => Err(MisfitKind::CellError),
            Cell::Bool(value) => match self.spec.kind {
                ColumnKind::Bool => {
                    self.push_bool(value);
                    return Ok(());
                }
                ColumnKind::Text => {
                    return self.push_text(if value { "TRUE" } else { "FALSE" });
                }
                _ => Err(MisfitKind::Type),
            },
            Cell::Moment(micros) => return self.push_clock(Moment::from_micros(micros, false)),
        };
        self.push_null();
        result
    }

    /// The finished column.
    pub fn finish(mut self) -> Column {
        self.settle();
        let name: PlSmallStr = self.spec.name.as_str().into();
        let validity = self.validity.map(Into::into);
        let series = match self.values {
            Values::Blank => blank(name, self.len, &polars_type(self.spec.kind)),
            Values::Int(values) => {
                let ca = Int32Chunked::with_chunk(name, primitive(values, validity));
                if self.spec.kind == ColumnKind::Date {
                    ca.into_date().into_series()
                } else {
                    ca.into_series()
                }
            }
            Values::BigInt(values) => {
                let ca = Int64Chunked::with_chunk(name, primitive(values, validity));
                match polars_type(self.spec.kind) {
                    DataType::Datetime(unit, zone) => ca.into_datetime(unit, zone).into_series(),
                    _ => ca.into_series(),
                }
            }
            Values::Double(values) => {
                Float64Chunked::with_chunk(name, primitive(values, validity)).into_series()
            }
            Values::Decimal(values) => {
                let scale = if let ColumnKind::Decimal(scale) = self.spec.kind { scale } else { 0 };
                Int128Chunked::with_chunk(name, primitive(values, validity))
                    .into_decimal_unchecked(18, usize::from(scale))
                    .into_series()
            }
            Values::Bool(values) => BooleanChunked::with_chunk(
                name,
                BooleanArray::new(ArrowDataType::Boolean, values.into(), validity),
            )
            .into_series(),
            Values::Text(values) => {
                let array: Utf8ViewArray = values.freeze();
                StringChunked::with_chunk(name, array.with_validity(validity)).into_series()
            }
            Values::Shared(texts, numbers) => texts.column(name, numbers, validity).into_series(),
        };
        series.into_column()
    }
}

/// What a text column does with a text that is not blank.
enum Judged {
    /// Stores it, perhaps with a remark.
    Stored(Option<MisfitKind>),
    /// Stores it with zeros before it, up to this width.
    Padded(usize),
    Refused(MisfitKind),
}

/// `nul`: the text may hold NUL.
#[inline(always)]
fn judge(spec: &ReadColumn, text: &str, nul: bool) -> Judged {
    match (spec.role, spec.width) {
        (Role::Id, _) if number::is_scientific(text.as_bytes()) => {
            return Judged::Refused(MisfitKind::IdScientific);
        }
        (Role::Code, Some(width))
            if text.len() < width && text.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            return Judged::Padded(width);
        }
        _ => {}
    }
    if nul && memchr::memchr(0, text.as_bytes()).is_some() {
        return Judged::Refused(MisfitKind::Unstorable);
    }
    let long = |max: usize| text.len() > max && text.chars().count() > max;
    Judged::Stored(spec.max_len.is_some_and(long).then_some(MisfitKind::TooLong))
}

fn filled_with<T: Copy>(len: usize, capacity: usize, value: T) -> Vec<T> {
    let mut values = Vec::with_capacity(capacity.max(len));
    values.resize(len, value);
    values
}

fn primitive<T: NativeType>(
    values: Vec<T>,
    validity: Option<polars_arrow::bitmap::Bitmap>,
) -> PrimitiveArray<T> {
    PrimitiveArray::from_vec(values).with_validity(validity)
}

/// The polars type of a column kind.
pub fn polars_type(kind: ColumnKind) -> DataType {
    match kind {
        ColumnKind::Text => DataType::String,
        ColumnKind::Int => DataType::Int32,
        ColumnKind::BigInt => DataType::Int64,
        ColumnKind::Double => DataType::Float64,
        ColumnKind::Decimal(scale) => DataType::Decimal(18, usize::from(scale)),
        ColumnKind::Bool => DataType::Boolean,
        ColumnKind::Date => DataType::Date,
        ColumnKind::Timestamp => DataType::Datetime(TimeUnit::Microseconds, None),
        ColumnKind::TimestampTz => DataType::Datetime(TimeUnit::Microseconds, Some(TimeZone::UTC)),
        ColumnKind::TimestampNs => DataType::Datetime(TimeUnit::Nanoseconds, None),
    }
}

/// A text without the blanks of ASCII and the no-break spaces at both ends.
#[inline]
pub fn trim(text: &str) -> &str {
    let bytes = text.as_bytes();
    match (bytes.first(), bytes.last()) {
        (Some(first), Some(last)) if *first > b' ' && *last > b' ' && *last < 0x80 => text,
        _ => text.trim_matches(|c: char| c.is_ascii_whitespace() || c == '\u{a0}'),
    }
}

#[cfg(test)]
mod tests;
