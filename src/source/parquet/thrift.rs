//! Thrift's compact protocol as a tree, so that a footer can be read, changed in a few places and
//! written again with everything else as it was, unknown fields included.
//!
//! Hostile input costs little: sizes are checked against what is left, nesting and the number of values
//! against limits. A value takes up to a hundred times the bytes that say it.

/// Deepest nesting; Parquet's own structures need about a dozen.
const DEPTH: usize = 48;
/// Most values of a tree, which takes some 100 MiB then. A column of a row group has about 30.
const VALUES: usize = 500_000;

/// A value of any type. Whole numbers keep the code of their width.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Bool(bool),
    /// A number of one byte, not zigzag.
    Byte(u8),
    /// Code (4: 16 bits, 5: 32 bits, 6: 64 bits) and value.
    Int(u8, i64),
    Double([u8; 8]),
    Bytes(Vec<u8>),
    /// A list or (true) a set, the code of its elements, and these.
    List(bool, u8, Vec<Value>),
    /// Codes of keys and values, and the pairs.
    Map(u8, u8, Vec<(Value, Value)>),
    Struct(Fields),
}

/// The fields of a structure by id, in the order they were written.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Fields(pub Vec<(i16, Value)>);

impl Fields {
    /// A field.
    pub fn get(&self, id: i16) -> Option<&Value> {
        self.0.iter().find(|(known, _)| *known == id).map(|(_, value)| value)
    }

    /// A field, to be changed.
    pub fn get_mut(&mut self, id: i16) -> Option<&mut Value> {
        self.0.iter_mut().find(|(known, _)| *known == id).map(|(_, value)| value)
    }

    /// A whole number.
    pub fn int(&self, id: i16) -> Option<i64> {
        match self.get(id)? {
            Value::Int(_, value) => Some(*value),
            _ => None,
        }
    }

    /// A structure.
    pub fn fields(&self, id: i16) -> Option<&Fields> {
        match self.get(id)? {
            Value::Struct(fields) => Some(fields),
            _ => None,
        }
    }

    /// A structure, to be changed.
    pub fn fields_mut(&mut self, id: i16) -> Option<&mut Fields> {
        match self.get_mut(id)? {
            Value::Struct(fields) => Some(fields),
            _ => None,
        }
    }

    /// The structures of a list, to be changed.
    pub fn list_mut(&mut self, id: i16) -> impl Iterator<Item = &mut Fields> {
        let items = match self.get_mut(id) {
            Some(Value::List(_, _, items)) => items.as_mut_slice(),
            _ => &mut [],
        };
        items.iter_mut().filter_map(|item| match item {
            Value::Struct(fields) => Some(fields),
            _ => None,
        })
    }

    /// Changes a whole number that is there.
    pub fn set_int(&mut self, id: i16, to: i64) {
        if let Some(Value::Int(_, value)) = self.get_mut(id) {
            *value = to;
        }
    }

    /// Adds a field at its place in the order of ids.
    pub fn insert(&mut self, id: i16, value: Value) {
        let at = self.0.iter().position(|(known, _)| *known > id).unwrap_or(self.0.len());
        self.0.insert(at, (id, value));
    }

    /// Takes fields out.
    pub fn remove(&mut self, ids: &[i16]) {
        self.0.retain(|(id, _)| !ids.contains(id));
    }
}

/// Reads a structure; returns it and the number of bytes it takes. `None`: the bytes are no Thrift, or
/// too much of it.
pub fn read(bytes: &[u8]) -> Option<(Fields, usize)> {
    let mut reader = Reader { bytes, at: 0, left: VALUES };
    let fields = reader.fields(DEPTH)?;
    Some((fields, reader.at))
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Values that may still be read.
    left: usize,
}

impl Reader<'_> {
    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn take(&mut self, length: usize) -> Option<&[u8]> {
        let taken = self.bytes.get(self.at..self.at.checked_add(length)?)?;
        self.at += length;
        Some(taken)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn zigzag(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// A number of elements, each of at least one byte.
    fn count(&mut self) -> Option<usize> {
        let count = usize::try_from(self.varint()?).ok()?;
        (count <= self.bytes.len() - self.at).then_some(count)
    }

    fn fields(&mut self, depth: usize) -> Option<Fields> {
        let mut fields = Fields::default();
        let mut id = 0_i16;
        loop {
            let head = self.byte()?;
            if head == 0 {
                return Some(fields);
            }
            id = match head >> 4 {
                0 => i16::try_from(self.zigzag()?).ok()?,
                step => id.checked_add(i16::from(step))?,
            };
            self.left = self.left.checked_sub(1)?;
            let value = match head & 0x0f {
                1 => Value::Bool(true),
                2 => Value::Bool(false),
                code => self.value(code, depth)?,
            };
            fields.0.push((id, value));
        }
    }

    /// A value as an element of a list or a field, booleans of fields excepted.
    fn value(&mut self, code: u8, depth: usize) -> Option<Value> {
        let depth = depth.checked_sub(1)?;
        Some(match code {
            1 | 2 => Value::Bool(self.byte()? == 1),
            3 => Value::Byte(self.byte()?),
            4..=6 => Value::Int(code, self.zigzag()?),
            7 => Value::Double(self.take(8)?.try_into().ok()?),
            8 => {
                let length = self.count()?;
                Value::Bytes(self.take(length)?.to_vec())
            }
            9 | 10 => {
                let head = self.byte()?;
                let count = match head >> 4 {
                    15 => self.count()?,
                    count => usize::from(count),
                };
                let element = head & 0x0f;
                self.left = self.left.checked_sub(count)?;
                let items = (0..count).map(|_| self.value(element, depth));
                Value::List(code == 10, element, items.collect::<Option<_>>()?)
            }
            11 => {
                let count = self.count()?;
                self.left = self.left.checked_sub(count)?;
                let codes = if count > 0 { self.byte()? } else { 0 };
                let (key, value) = (codes >> 4, codes & 0x0f);
                let pair = |_| Some((self.value(key, depth)?, self.value(value, depth)?));
                Value::Map(key, value, (0..count).map(pair).collect::<Option<_>>()?)
            }
            12 => Value::Struct(self.fields(depth)?),
            _ => return None,
        })
    }
}

/// Writes a structure.
pub fn write(fields: &Fields) -> Vec<u8> {
    let mut out = Vec::new();
    write_fields(fields, &mut out);
    out
}

fn write_fields(fields: &Fields, out: &mut Vec<u8>) {
    let mut last = 0_i16;
    for (id, value) in &fields.0 {
        let code = match value {
            Value::Bool(true) => 1,
            Value::Bool(false) => 2,
            other => code_of(other),
        };
        match id.checked_sub(last) {
            Some(step @ 1..=15) => out.push((step as u8) << 4 | code),
            _ => {
                out.push(code);
                write_varint(zigzag(i64::from(*id)), out);
            }
        }
        if !matches!(value, Value::Bool(_)) {
            write_value(value, out);
        }
        last = *id;
    }
    out.push(0);
}

fn code_of(value: &Value) -> u8 {
    match value {
        Value::Bool(_) => 1,
        Value::Byte(_) => 3,
        Value::Int(code, _) => *code,
        Value::Double(_) => 7,
        Value::Bytes(_) => 8,
        Value::List(set, ..) => 9 + u8::from(*set),
        Value::Map(..) => 11,
        Value::Struct(_) => 12,
    }
}

fn write_value(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Bool(value) => out.push(if *value { 1 } else { 2 }),
        Value::Byte(value) => out.push(*value),
        Value::Int(_, value) => write_varint(zigzag(*value), out),
        Value::Double(bytes) => out.extend(bytes),
        Value::Bytes(bytes) => {
            write_varint(bytes.len() as u64, out);
            out.extend(bytes);
        }
        Value::List(_, element, items) => {
            match items.len() {
                count @ 0..15 => out.push((count as u8) << 4 | element),
                count => {
                    out.push(0xf0 | element);
                    write_varint(count as u64, out);
                }
            }
            items.iter().for_each(|item| write_value(item, out));
        }
        Value::Map(key, value, pairs) => {
            write_varint(pairs.len() as u64, out);
            if !pairs.is_empty() {
                out.push(key << 4 | value);
            }
            for (key, value) in pairs {
                write_value(key, out);
                write_value(value, out);
            }
        }
        Value::Struct(fields) => write_fields(fields, out),
    }
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

fn write_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let inner = Fields(vec![(1, Value::Bytes(b"name".into())), (40, Value::Bool(false))]);
        let many = (0..20).map(|n| Value::Int(5, n - 10)).collect();
        let fields = Fields(vec![
            (1, Value::Int(6, i64::MIN)),
            (2, Value::List(false, 12, vec![Value::Struct(inner)])),
            (3, Value::Bool(true)),
            (4, Value::List(true, 5, many)),
            (300, Value::Double([1; 8])),
            (2, Value::Byte(7)),
            (5, Value::Map(8, 1, vec![(Value::Bytes(vec![]), Value::Bool(true))])),
            (6, Value::Map(0, 0, vec![])),
        ]);
        let mut bytes = write(&fields);
        let length = bytes.len();
        bytes.extend(b"behind");
        assert_eq!(read(&bytes), Some((fields, length)));
        for cut in 0..length {
            assert_eq!(read(&bytes[..cut]), None, "cut at {cut}");
        }
    }

    #[test]
    fn lies_about_sizes_are_no_thrift() {
        // A text of 2^63 bytes, a list of 2^32 elements, nesting without an end.
        let nested: Vec<u8> = [0x1c].repeat(100_000);
        let cases: [&[u8]; 3] = [
            &[0x18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
            &[0x19, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x0f],
            &nested,
        ];
        for bytes in cases {
            assert_eq!(read(bytes), None);
        }
    }
}
