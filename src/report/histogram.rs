//! Distributions: columns of bins for numbers, bars for frequent words.

use super::bars::bar;
use super::markup::{at, clipped, escape, picture};
use super::model::{Bin, Chart, Shape};
use super::number::{count, plain, plural, share, short};

const WIDTH: f64 = 320.0;
const HEIGHT: f64 = 130.0;
/// Room for the axis.
const AXIS: f64 = 20.0;

/// A chart with its caption.
pub fn chart(chart: &Chart) -> String {
    let name = &match chart.label.as_str() {
        "" => in_words(&chart.column),
        label => label.to_owned(),
    };
    let unit = match chart.unit.as_str() {
        "" | "year" | "month" => String::new(),
        unit => format!(", {}", escape(unit)),
    };
    let all = chart.filled + chart.empty;
    let (body, caption) = match &chart.shape {
        Shape::Numbers { min, median, max, growing, bins } => {
            let say = |value: f64| dated(value, &chart.unit).unwrap_or_else(|| plain(value));
            let words = format!("median {}, from {} to {}", say(*median), say(*min), say(*max));
            let scale = if *growing { " · scale 1, 2, 5, 10, …" } else { "" };
            (columns(name, bins, *median, &chart.unit, &words), format!("{words}{scale}"))
        }
        Shape::Words { distinct, top } => {
            let rows = top.iter().map(|value| {
                let name = if value.value.is_empty() { "(blank)" } else { &value.value };
                format!(
                    "<tr><th scope=\"row\" title=\"{}\">{}</th><td class=\"n\">{}</td>\
                     <td class=\"wide\">{}</td></tr>",
                    escape(name),
                    clipped(name, 26),
                    count(value.rows),
                    bar(&[("plain", value.rows as f64)], chart.filled as f64)
                )
            });
            let table = format!("<table class=\"words\">{}</table>", rows.collect::<String>());
            (table, format!("{} in all", plural(*distinct, "value")))
        }
    };
    format!(
        "<figure><figcaption><b>{}</b>{unit}<br><small><code>{}</code> · filled in {}</small>\
         </figcaption>{body}<small>{caption}</small></figure>",
        escape(name),
        escape(&chart.column),
        escape(&share(chart.filled, all)),
    )
}

/// Years, and months counted from the year 0, as dates.
fn dated(value: f64, unit: &str) -> Option<String> {
    let month = value as i64;
    match unit {
        "year" => Some(format!("{value:.0}")),
        "month" => Some(format!("{}-{:02}", month.div_euclid(12), month.rem_euclid(12) + 1)),
        _ => None,
    }
}

/// `use_category` → `Use category`.
fn in_words(column: &str) -> String {
    let mut words = column.replace('_', " ");
    if let Some(first) = words.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    words
}

fn columns(name: &str, bins: &[Bin], median: f64, unit: &str, words: &str) -> String {
    let most = bins.iter().map(|bin| bin.rows).max().unwrap_or(0).max(1) as f64;
    let step = WIDTH / bins.len().max(1) as f64;
    let floor = HEIGHT - AXIS;
    let say = |value: f64| dated(value, unit).unwrap_or_else(|| short(value));
    let mut body = String::new();
    let mut mark = None;
    for (place, bin) in bins.iter().enumerate() {
        let x = place as f64 * step;
        let height =
            if bin.rows == 0 { 0.0 } else { (bin.rows as f64 / most * (floor - 10.0)).max(1.0) };
        let beyond = match place {
            0 => " (and below)",
            last if last + 1 == bins.len() => " (and above)",
            _ => "",
        };
        body.push_str(&format!(
            "<rect class=\"column\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"><title>{} to {}{beyond}: \
             {}</title></rect>",
            at(x + 0.5),
            at(floor - height),
            at((step - 1.0).max(0.5)),
            at(height),
            say(bin.from),
            say(bin.to),
            plural(bin.rows, "row"),
        ));
        if mark.is_none() && (median < bin.to || place + 1 == bins.len()) {
            let inside = ((median - bin.from) / (bin.to - bin.from)).clamp(0.0, 1.0);
            mark = Some(x + inside * step);
        }
    }
    if let Some(x) = mark.map(at) {
        let line =
            format!("<line class=\"median\" x1=\"{x}\" x2=\"{x}\" y1=\"2\" y2=\"{floor}\"/>");
        body.push_str(&line);
    }
    body.push_str(&axis(bins, step, floor, &say));
    picture("histogram", (WIDTH, HEIGHT), &format!("Distribution of {name}"), words, &body)
}

/// Some ends of bins below the line, so far apart that they do not meet.
fn axis(bins: &[Bin], step: f64, floor: f64, say: &dyn Fn(f64) -> String) -> String {
    let every = ((76.0 / step).ceil() as usize).max(1);
    let mut body =
        format!("<line class=\"axis\" x1=\"0\" x2=\"{WIDTH}\" y1=\"{floor}\" y2=\"{floor}\"/>");
    for (place, bin) in bins.iter().enumerate().step_by(every) {
        let x = place as f64 * step;
        if x > WIDTH - 30.0 {
            break;
        }
        let side = if place == 0 { "start" } else { "middle" };
        body.push_str(&format!(
            "<text class=\"tick {side}\" x=\"{}\" y=\"{}\">{}</text>",
            at(x),
            at(HEIGHT - 5.0),
            say(bin.from)
        ));
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_told_as_dates() {
        assert_eq!(dated(2024.0, "year").as_deref(), Some("2024"));
        assert_eq!(dated(f64::from(2024 * 12 + 4), "month").as_deref(), Some("2024-05"));
        assert_eq!(dated(2024.0, "USD"), None);
        assert_eq!(in_words("use_category"), "Use category");
    }
}
