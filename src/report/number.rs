//! Numbers, sizes and times as people read them.

/// `95,332`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 row`, `2 rows`.
pub fn plural(number: u64, one: &str) -> String {
    format!("{} {one}{}", count(number), if number == 1 { "" } else { "s" })
}

/// Decimal, as disks and networks are measured: `50.8 MB`.
pub fn decimal(bytes: f64) -> String {
    let units = [(1e9, "GB"), (1e6, "MB"), (1e3, "kB")];
    match units.iter().find(|(size, _)| bytes >= *size) {
        Some((size, unit)) if bytes / size < 99.95 => format!("{:.1} {unit}", bytes / size),
        Some((size, unit)) => format!("{:.0} {unit}", bytes / size),
        None => format!("{bytes:.0} B"),
    }
}

/// Binary, as memory is measured: `210 MiB`.
pub fn binary(bytes: u64) -> String {
    let units = [(1_u64 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units.iter().find(|(size, _)| bytes >= *size) {
        Some((size, unit)) => {
            let amount = bytes as f64 / *size as f64;
            if amount < 9.95 && !bytes.is_multiple_of(*size) {
                format!("{amount:.1} {unit}")
            } else {
                format!("{amount:.0} {unit}")
            }
        }
        None => format!("{bytes} B"),
    }
}

/// `0.42 s`, `4.2 s`, `3 min 42 s`, `1 h 05 min`.
pub fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 0.995 => format!("{s:.2} s"),
        s if s < 59.95 => format!("{s:.1} s"),
        s if s < 3_599.5 => format!("{} min {:02} s", s.round() as u64 / 60, s.round() as u64 % 60),
        s => format!("{} h {:02} min", s as u64 / 3_600, s as u64 % 3_600 / 60),
    }
}

/// A share of a whole: `0 %`, `0.35 %`, `99.7 %`, `100 %`. What is not all is never told as all, and
/// what is not nothing never as nothing.
pub fn share(part: u64, whole: u64) -> String {
    if part == 0 || whole == 0 {
        return "0 %".into();
    }
    if part >= whole {
        return "100 %".into();
    }
    match part as f64 / whole as f64 * 100.0 {
        s if s < 0.01 => "< 0.01 %".into(),
        s if s < 1.0 => format!("{s:.2} %"),
        s if s >= 99.95 => "> 99.9 %".into(),
        s => format!("{s:.1} %"),
    }
}

/// A value on an axis: `1,995`, `350k`, `1.2M`, `0.25`. Years stay years.
pub fn short(value: f64) -> String {
    let size = value.abs();
    let units = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k")];
    let Some((at, unit)) = units.iter().find(|(size_of, _)| size >= *size_of) else {
        return plain(value);
    };
    let scaled = value / if *unit == "k" { 1e3 } else { *at };
    let text = if scaled.abs() < 99.95 { format!("{scaled:.1}") } else { format!("{scaled:.0}") };
    format!("{}{unit}", text.strip_suffix(".0").unwrap_or(&text))
}

/// A value in full: `123,456`, `12.5`.
pub fn plain(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 9e15 {
        let sign = if value < 0.0 { "-" } else { "" };
        return format!("{sign}{}", count(value.abs() as u64));
    }
    let text = if value.abs() < 0.1 { format!("{value:.4}") } else { format!("{value:.2}") };
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_never_lie_at_their_ends() {
        let told = |part, whole| share(part, whole);
        assert_eq!(told(0, 10), "0 %");
        assert_eq!(told(10, 10), "100 %");
        assert_eq!(told(1, 1_000_000), "< 0.01 %");
        assert_eq!(told(999_999, 1_000_000), "> 99.9 %");
        assert_eq!(told(332, 95_332), "0.35 %");
        assert_eq!(told(1, 0), "0 %");
    }

    #[test]
    fn values_are_short_on_an_axis_and_whole_in_a_text() {
        assert_eq!([1_995.0, 350_000.0, 1.2e6, 0.25].map(short), ["1,995", "350k", "1.2M", "0.25"]);
        assert_eq!([-1_234.0, 12.5, 0.0].map(plain), ["-1,234", "12.5", "0"]);
    }
}
