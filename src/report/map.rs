//! Counties in five shades, with the numbers in a table beside them. Counties without a number are
//! hatched, so that "nothing known" does not look like "little".

use super::markup::{escape, picture};
use super::model::{CountyMap, CountyReport};
use super::number::{count, plain, plural, share, short};

/// Counties listed beside the map.
const LISTED: usize = 12;
const SHADES: usize = 5;

/// One picture: a number for some counties.
struct Layer<'a> {
    title: String,
    class: &'static str,
    of: &'a dyn Fn(&CountyReport) -> Option<f64>,
    say: &'a dyn Fn(f64) -> String,
}

/// The maps of a table.
pub fn maps(map: &CountyMap) -> String {
    let unit = if map.unit == "USD" { "$" } else { "" };
    let values = Layer {
        title: format!("Median {} by county", map.measure.to_lowercase()),
        class: "value",
        of: &|county| county.value,
        say: &|value| format!("{unit}{}", short(value)),
    };
    let rows = Layer {
        title: "Rows by county".into(),
        class: "value",
        of: &|county| (county.rows > 0).then_some(county.rows as f64),
        say: &short,
    };
    let refused = Layer {
        title: "Share of refused rows by county".into(),
        class: "refused",
        of: &|county| {
            (county.read > 0).then(|| county.rejected as f64 / county.read as f64 * 100.0)
        },
        say: &|value| format!("{} %", plain((value * 100.0).round() / 100.0)),
    };
    let first =
        if map.counties.iter().any(|county| county.value.is_some()) { &values } else { &rows };
    format!(
        "<div class=\"maps\">{}{}</div>{}",
        drawn(map, first),
        drawn(map, &refused),
        listed(map)
    )
}

/// Upper ends of the shades: as many counties in each as can be.
fn ends(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = |shade: usize| sorted[(sorted.len() * shade).div_ceil(SHADES).max(1) - 1];
    let mut ends: Vec<f64> = (1..=SHADES).map(place).collect();
    ends.dedup();
    ends
}

fn drawn(map: &CountyMap, layer: &Layer<'_>) -> String {
    let values: Vec<f64> = map.counties.iter().filter_map(layer.of).collect();
    if values.is_empty() {
        return String::new();
    }
    let ends = ends(&values);
    let shade = |value: f64| ends.iter().position(|end| value <= *end).unwrap_or(ends.len() - 1);
    let class = |value: f64| class_of(shade(value), &ends);
    let mut body = String::new();
    let mut bottom = 0;
    for county in &map.counties {
        bottom =
            bottom.max(county.outline.iter().flatten().map(|point| point.1).max().unwrap_or(0));
        let found = (layer.of)(county);
        let (class, told) = match found {
            Some(value) => (format!("{} s{}", layer.class, class(value)), (layer.say)(value)),
            None => ("none".into(), "nothing loaded".into()),
        };
        body.push_str(&format!(
            "<path class=\"{class}\" d=\"{}\"><title>{}: {}</title></path>",
            outline(&county.outline),
            escape(&county.name),
            escape(&told)
        ));
    }
    let words =
        format!("{} of {} have rows", values.len(), plural(map.counties.len() as u64, "county"))
            .replace("countys", "counties");
    let size = (1000.0, f64::from(bottom) + 6.0);
    let picture = picture("map", size, &layer.title, &words, &body);
    let legend = legend(layer, &values, &ends);
    format!(
        "<figure><figcaption><b>{}</b></figcaption><div class=\"mapped\">{picture}{legend}</div>\
         </figure>",
        escape(&layer.title)
    )
}

/// Of fewer shades than there could be, the darker ones; but nothing is never dark.
fn class_of(shade: usize, ends: &[f64]) -> usize {
    if ends[shade] == 0.0 { 0 } else { shade + SHADES - ends.len() }
}

fn outline(rings: &[Vec<(i32, i32)>]) -> String {
    let mut path = String::new();
    for ring in rings {
        for (place, (x, y)) in ring.iter().enumerate() {
            path.push_str(if place == 0 { "M" } else { " " });
            path.push_str(&format!("{x} {y}"));
        }
        path.push('Z');
    }
    path
}

fn legend(layer: &Layer<'_>, values: &[f64], ends: &[f64]) -> String {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let mut from = least;
    let mut rows = String::new();
    for (shade, end) in ends.iter().enumerate() {
        let (low, high) = ((layer.say)(from), (layer.say)(*end));
        let range = if low == high { high } else { format!("{low} – {high}") };
        let class = class_of(shade, ends);
        rows.push_str(&format!(
            "<li><span class=\"swatch {} s{class}\"></span>{}</li>",
            layer.class,
            escape(&range)
        ));
        from = *end;
    }
    format!(
        "<ul class=\"legend\">{rows}<li><span class=\"swatch none\"></span>nothing loaded</li></ul>"
    )
}

fn listed(map: &CountyMap) -> String {
    let mut counties: Vec<_> =
        map.counties.iter().filter(|county| county.rows > 0 || county.read > 0).collect();
    counties.sort_by_key(|county| (std::cmp::Reverse(county.rows), county.number));
    let more = counties.len().saturating_sub(LISTED);
    let row = |county: &&CountyReport| {
        let value = county.value.map_or_else(|| "–".into(), |value| plain(value.round()));
        format!(
            "<tr><th scope=\"row\">{}</th><td class=\"n\">{}</td><td class=\"n\">{value}</td>\
             <td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            escape(&county.name),
            count(county.rows),
            count(county.read),
            count(county.rejected),
            escape(&share(county.rejected, county.read)),
        )
    };
    let rows: String = counties.iter().take(LISTED).map(row).collect();
    let rest = if more > 0 {
        format!("<p class=\"quiet\">… and {more} more</p>")
    } else {
        String::new()
    };
    let measure = if map.measure.is_empty() { "value" } else { &map.measure };
    format!(
        "<div class=\"scroll\"><table><thead><tr><th>county</th><th class=\"n\">rows of {}</th>\
         <th class=\"n\">median {}</th><th class=\"n\">read by all loads</th>\
         <th class=\"n\">refused</th><th class=\"n\">share</th></tr></thead><tbody>{rows}</tbody></table>\
         </div>{rest}",
        escape(&map.table),
        escape(&measure.to_lowercase()),
    )
}

/// Whether there is anything to draw.
pub fn has_rows(map: &CountyMap) -> bool {
    map.counties.iter().any(|county| county.rows > 0 || county.read > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shades_hold_as_many_counties_as_can_be() {
        assert_eq!(ends(&[3.0]), [3.0]);
        assert_eq!(ends(&[1.0, 1.0, 1.0]), [1.0]);
        assert_eq!((class_of(0, &[0.0]), class_of(0, &[2.0]), class_of(1, &[0.0, 2.0])), (0, 4, 4));
        let values: Vec<f64> = (1..=10).map(f64::from).collect();
        assert_eq!(ends(&values), [2.0, 4.0, 6.0, 8.0, 10.0]);
    }

    #[test]
    fn an_outline_closes_each_ring() {
        let rings = vec![vec![(0, 0), (10, 0), (10, 5)], vec![(20, 20), (21, 20), (21, 22)]];
        assert_eq!(outline(&rings), "M0 0 10 0 10 5ZM20 20 21 20 21 22Z");
    }
}
