//! The account as a picture: rows flow from the inputs into what became of them. Widths are the counts;
//! a stream too thin to be seen is drawn three points wide, on both of its ends.

use super::markup::{at, clipped, escape, picture};
use super::model::Report;
use super::number::{count, plural, share};
use crate::chunk::Tally;

/// A fate: name, class of its colour, what it means, rows.
pub struct Fate {
    /// Name as in the summary.
    pub name: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// Rows.
    pub rows: u64,
}

/// All fates in the order of the equation.
pub fn fates(tally: &Tally) -> [Fate; 7] {
    let fate = |name, meaning, rows| Fate { name, meaning, rows };
    [
        fate("inserted", "new rows of the table", tally.inserted),
        fate("updated", "took the place of older rows", tally.updated),
        fate("unchanged", "were there already", tally.unchanged),
        fate("superseded", "the table has a higher release", tally.superseded),
        fate("duplicate", "the key stood in an earlier row", tally.duplicate),
        fate("filtered", "left out on purpose", tally.filtered),
        fate("rejected", "refused, kept for correction", tally.rejected),
    ]
}

const WIDTH: f64 = 1040.0;
const TOP: f64 = 24.0;
/// Height of all rows together.
const FULL: f64 = 250.0;
const THIN: f64 = 3.0;
const GAP: f64 = 38.0;
/// Most inputs that have a stream of their own.
const INPUTS: usize = 8;
/// Left ends of the three columns of bars, and how wide a bar is.
const COLUMNS: [f64; 3] = [250.0, 470.0, 720.0];
const BAR: f64 = 12.0;

/// A bar of a column, from top to bottom.
struct Stack {
    top: f64,
    height: f64,
}

/// Bars below each other, centred around the middle of the picture.
fn stacked(heights: &[f64], gap: f64, middle: f64) -> Vec<Stack> {
    let whole = heights.iter().sum::<f64>() + gap * heights.len().saturating_sub(1) as f64;
    let mut top = middle - whole / 2.0;
    let place = |height: &f64| {
        let stack = Stack { top, height: *height };
        top += height + gap;
        stack
    };
    heights.iter().map(place).collect()
}

fn thickness(rows: u64, all: u64) -> f64 {
    (rows as f64 / all.max(1) as f64 * FULL).max(THIN)
}

/// A ribbon between two columns.
fn ribbon(class: &str, from: (f64, f64), to: (f64, f64), height: f64, title: &str) -> String {
    let bend = (from.0 + to.0) / 2.0;
    let (x1, x2, bend) = (at(from.0), at(to.0), at(bend));
    let [a, b, c, d] = [from.1, to.1, to.1 + height, from.1 + height].map(at);
    format!(
        "<path class=\"ribbon {class}\" d=\"M{x1} {a}C{bend} {a} {bend} {b} {x2} {b}V{c}\
         C{bend} {c} {bend} {d} {x1} {d}Z\"><title>{title}</title></path>"
    )
}

fn bar(class: &str, x: f64, stack: &Stack) -> String {
    let (x, y, height) = (at(x), at(stack.top), at(stack.height));
    format!("<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{BAR}\" height=\"{height}\"/>")
}

fn label(x: f64, y: f64, side: &str, strong: &str, weak: &str) -> String {
    let (x, y) = (at(x), at(y));
    format!(
        "<text x=\"{x}\" y=\"{y}\" class=\"{side}\"><tspan class=\"strong\">{strong}</tspan>\
         <tspan x=\"{x}\" dy=\"1.25em\" class=\"weak\">{weak}</tspan></text>"
    )
}

/// Names and rows of the streams on the left; what does not fit goes together.
fn streams(report: &Report) -> Vec<(String, u64)> {
    let mut streams: Vec<(String, u64)> =
        report.inputs.iter().map(|input| (input.name.clone(), input.tally.read)).collect();
    if streams.len() > INPUTS {
        streams.sort_by_key(|stream| std::cmp::Reverse(stream.1));
        let rest = streams.split_off(INPUTS - 1);
        let rows = rest.iter().map(|stream| stream.1).sum();
        streams.push((plural(rest.len() as u64, "more input"), rows));
    }
    streams
}

/// The picture.
pub fn flow(report: &Report) -> String {
    let tally = &report.tally;
    let shown: Vec<Fate> = fates(tally).into_iter().filter(|fate| fate.rows > 0).collect();
    let right: Vec<f64> = shown.iter().map(|fate| thickness(fate.rows, tally.read)).collect();
    let streams = streams(report);
    // The left end is as high as the right one, thin streams included.
    let whole: f64 = right.iter().sum::<f64>().max(THIN);
    let part = |rows: u64| (rows as f64 / tally.read.max(1) as f64 * whole).max(1.0);
    let left: Vec<f64> = streams.iter().map(|stream| part(stream.1)).collect();
    let tall = |heights: &[f64]| {
        heights.iter().sum::<f64>() + GAP * heights.len().saturating_sub(1) as f64
    };
    let height = tall(&right).max(tall(&left)) + 2.0 * TOP;
    let middle = height / 2.0;
    let mut body = String::new();
    body.push_str(&inflow(&streams, &left, whole, middle));
    body.push_str(&outflow(&shown, &right, whole, middle, tally.read));
    body.push_str(&bar("bar", COLUMNS[1], &Stack { top: middle - whole / 2.0, height: whole }));
    let read = label(
        COLUMNS[1] + BAR / 2.0,
        middle - whole / 2.0 - 24.0,
        "middle",
        &format!("{} read", count(tally.read)),
        "",
    );
    body.push_str(&read);
    let words: Vec<_> =
        shown.iter().map(|fate| format!("{} {}", count(fate.rows), fate.name)).collect();
    let words = format!("{} read: {}", plural(tally.read, "row"), words.join(", "));
    // Room for the word above the middle bar.
    let shift = 14.0;
    let body = format!("<g transform=\"translate(0 {shift})\">{body}</g>");
    picture("flow", (WIDTH, height + shift), "What became of the rows", &words, &body)
}

fn inflow(streams: &[(String, u64)], heights: &[f64], whole: f64, middle: f64) -> String {
    let mut body = String::new();
    let mut to = middle - whole / 2.0;
    for ((name, rows), stack) in streams.iter().zip(stacked(heights, GAP, middle)) {
        let title = format!("{}: {}", escape(name), plural(*rows, "row"));
        let from = (COLUMNS[0] + BAR, stack.top);
        body.push_str(&ribbon("input", from, (COLUMNS[1], to), stack.height, &title));
        to += stack.height;
        body.push_str(&bar("bar", COLUMNS[0], &stack));
        let name = clipped(name.rsplit(['/', '\\']).next().unwrap_or(name), 30);
        let y = stack.top + stack.height / 2.0 - 2.0;
        body.push_str(&label(COLUMNS[0] - 10.0, y, "end", &name, &plural(*rows, "row")));
    }
    body
}

fn outflow(fates: &[Fate], heights: &[f64], whole: f64, middle: f64, read: u64) -> String {
    let mut body = String::new();
    let mut from = middle - whole / 2.0;
    for (fate, stack) in fates.iter().zip(stacked(heights, GAP, middle)) {
        let title = format!("{}: {} of {}", fate.name, count(fate.rows), plural(read, "row"));
        let (start, end) = ((COLUMNS[1] + BAR, from), (COLUMNS[2], stack.top));
        body.push_str(&ribbon(fate.name, start, end, stack.height, &title));
        from += stack.height;
        body.push_str(&bar(&format!("bar {}", fate.name), COLUMNS[2], &stack));
        let strong = format!("{} {}", count(fate.rows), fate.name);
        let weak = format!("{} · {}", escape(&share(fate.rows, read)), fate.meaning);
        let y = stack.top + stack.height / 2.0 - 2.0;
        body.push_str(&label(COLUMNS[2] + BAR + 10.0, y, "start", &strong, &weak));
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_leave_as_wide_as_they_come() {
        let heights = [200.0, 3.0, 47.0];
        let stacks = stacked(&heights, 10.0, 200.0);
        assert_eq!(stacks.iter().map(|stack| stack.height).sum::<f64>(), 250.0);
        let (first, last) = (&stacks[0], &stacks[2]);
        assert_eq!(first.top + last.top + last.height, 400.0, "around the middle");
        assert!(stacks.windows(2).all(|pair| pair[0].top + pair[0].height + 10.0 == pair[1].top));
    }

    #[test]
    fn what_is_there_is_seen() {
        assert_eq!(thickness(1, 1_000_000), THIN);
        assert_eq!(thickness(5, 10), FULL / 2.0);
        let tally = Tally { read: 10, inserted: 7, rejected: 3, ..Tally::default() };
        assert_eq!(fates(&tally).iter().map(|fate| fate.rows).sum::<u64>(), tally.read);
    }
}
