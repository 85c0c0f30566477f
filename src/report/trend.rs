//! Runs into the same tables, oldest first: rows, refused share, time.

use super::markup::{at, escape, picture};
use super::model::{PastRun, Report};
use super::number::{count, duration, plural, share, short};

const WIDTH: f64 = 1040.0;
const HEIGHT: f64 = 190.0;
const LEFT: f64 = 56.0;
const FLOOR: f64 = 160.0;

/// The picture and the table behind it; words where there is nothing to compare with.
pub fn trend(report: &Report) -> String {
    if report.trend.len() < 2 {
        return "<p class=\"quiet\">This is the first run into this table: there is nothing to compare \
                it with yet.</p>"
            .into();
    }
    let rows: String = report.trend.iter().map(|run| row(run, report.run.as_deref())).collect();
    format!(
        "{}<div class=\"scroll\"><table><thead><tr><th>run</th><th>started (UTC)</th><th>status</th>\
         <th class=\"n\">read</th><th class=\"n\">inserted</th><th class=\"n\">updated</th>\
         <th class=\"n\">rejected</th><th class=\"n\">share</th><th class=\"n\">time</th></tr></thead>\
         <tbody>{rows}</tbody></table></div>",
        columns(&report.trend)
    )
}

fn row(run: &PastRun, this: Option<&str>) -> String {
    let own = this == Some(run.run.as_str());
    let (class, mark) = if own { (" class=\"own\"", " (this run)") } else { ("", "") };
    format!(
        "<tr{class}><td><code>{}</code>{mark}</td><td>{}</td><td>{}</td><td class=\"n\">{}</td>\
         <td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>\
         <td class=\"n\">{}</td></tr>",
        escape(&run.run),
        escape(&run.started),
        escape(&run.status),
        count(run.tally.read),
        count(run.tally.inserted),
        count(run.tally.updated),
        count(run.tally.rejected),
        escape(&share(run.tally.rejected, run.tally.read)),
        duration(run.seconds),
    )
}

fn columns(runs: &[PastRun]) -> String {
    let most = runs.iter().map(|run| run.tally.read).max().unwrap_or(0).max(1) as f64;
    let step = (WIDTH - LEFT) / runs.len() as f64;
    let width = (step * 0.62).min(72.0);
    let mut body = String::new();
    for part in [0.0, 0.5, 1.0] {
        let y = FLOOR - part * (FLOOR - 26.0);
        body.push_str(&format!(
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{WIDTH}\" y1=\"{0}\" y2=\"{0}\"/>\
             <text class=\"tick end\" x=\"{1}\" y=\"{2}\">{3}</text>",
            at(y),
            at(LEFT - 8.0),
            at(y + 4.0),
            short((most * part).round())
        ));
    }
    for (place, run) in runs.iter().enumerate() {
        let x = LEFT + step * (place as f64 + 0.5);
        body.push_str(&column(run, x, width, most));
    }
    let first = runs.first().map_or("", |run| run.started.as_str());
    let words = format!("{} since {first}", plural(runs.len() as u64, "run"));
    picture("trend", (WIDTH, HEIGHT), "Rows read and refused, run by run", &words, &body)
}

/// One run: what was kept, on top of it what was refused, and the share of it in words.
fn column(run: &PastRun, x: f64, width: f64, most: f64) -> String {
    let high = |rows: u64| rows as f64 / most * (FLOOR - 26.0);
    let refused = if run.tally.rejected > 0 { high(run.tally.rejected).max(2.0) } else { 0.0 };
    let kept = high(run.tally.read - run.tally.rejected.min(run.tally.read));
    let title = format!(
        "{}: {} read, {} refused",
        escape(&run.started),
        count(run.tally.read),
        count(run.tally.rejected)
    );
    let rect = |class: &str, y: f64, height: f64| {
        format!(
            "<rect class=\"{class}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>",
            at(x - width / 2.0),
            at(y),
            at(width),
            at(height)
        )
    };
    let day = run.started.get(5..10).unwrap_or_default();
    format!(
        "<g><title>{title}</title>{}{}<text class=\"tick middle\" x=\"{x:.1}\" y=\"{}\">{}</text>\
         <text class=\"tick middle\" x=\"{x:.1}\" y=\"{}\">{}</text></g>",
        rect("column", FLOOR - kept, kept),
        rect("rejected", FLOOR - kept - refused, refused),
        at(FLOOR - kept - refused - 5.0),
        escape(&share(run.tally.rejected, run.tally.read)),
        at(FLOOR + 16.0),
        escape(day),
    )
}
