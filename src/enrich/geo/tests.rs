//! Places, layers and the cache by small files.

use super::*;
use std::sync::atomic::{AtomicUsize, Ordering};

fn places(text: &str) -> Places {
    let county = |text: &str| text.parse().ok();
    Places::read(text.as_bytes(), &mut Room::new(1 << 20), &county).expect("places")
}

fn found(places: &Places, county: u8, id: &str) -> (&'static str, Option<f64>) {
    let question = Question { county: Some(county), id: Some(id), zip: None };
    let answer = places.locate(&[question]).expect("an answer")[0];
    let latitude = answer.point.map(|(point, _)| point.latitude);
    (answer.found.expect("ids were asked for").name(), latitude)
}

const POINTS: &str = "co_no,Parcel_ID,LAT,LON\n\
    16,4741-19-03-0010,26.1,-80.1\n\
    16,a 1,26.2,-80.2\n\
    16,A-1,26.3,-80.3\n\
    13,474119030010,25.0,-80.0\n\
    16,nowhere,,\n\
    16,4741-19-03-0010,26.1,-80.1\n";

#[test]
fn ids_are_found_by_county_as_written_else_by_letters_and_digits() {
    let places = places(POINTS);
    assert_eq!(places.len(), 4);
    assert_eq!(found(&places, 16, " 4741-19-03-0010"), ("matched", Some(26.1)));
    assert_eq!(found(&places, 16, "474119030010"), ("matched_loosely", Some(26.1)));
    assert_eq!(found(&places, 13, "474119030010"), ("matched", Some(25.0)));
    assert_eq!(found(&places, 16, "A 1"), ("matched", Some(26.2)));
    assert_eq!(found(&places, 16, "A1"), ("ambiguous", None));
    assert_eq!(found(&places, 16, "nowhere"), ("roll_only", None));
    assert_eq!(found(&places, 17, "A-1"), ("roll_only", None));
    assert_eq!(places.unused(), 1, "A-1 was not asked for");
}

#[test]
fn ids_of_any_length_are_told_apart() {
    let id = |length: usize| "x".repeat(length);
    let rows: Vec<_> = (1..100).map(|at| format!("{},26,-80\n", id(at))).collect();
    let places = places(&format!("folio,lat,lon\n{}", rows.concat()));
    assert_eq!(places.len(), 99);
    for length in [1, 46, 47, 48, 49, 99] {
        assert_eq!(found(&places, 16, &id(length)), ("matched", Some(26.0)), "{length}");
    }
    assert_eq!(found(&places, 16, &id(100)), ("roll_only", None));
}

#[test]
fn places_may_be_polygons_and_need_no_county() {
    let text = r#" {"type":"FeatureCollection","crs":{"a":[1]},"features":[
        {"type":"Feature","properties":{"FOLIO":"x1"},"geometry":{"type":"Polygon",
         "coordinates":[[[-80,26,5],[-80,28,5],[-82,28,5],[-82,26,5],[-80,26,5]]]}},
        {"type":"Feature","id":7,"properties":null,"geometry":{"type":"Point","coordinates":[-81,25]}},
        {"type":"Feature","properties":{"FOLIO":"x3"},"geometry":null}]}"#;
    let places = places(text);
    assert!(!places.has_counties());
    assert_eq!(found(&places, 16, "X1"), ("matched", Some(27.0)));
    assert_eq!(found(&places, 16, "7"), ("matched", Some(25.0)));
    assert_eq!(found(&places, 16, "x3"), ("roll_only", None));
}

#[test]
fn places_without_an_id_or_a_point_are_counted() {
    let table = "folio,lat,lon\n1,26,-80\n2,,\n3,north,-80\n ,26,-80\n";
    let found = places(table);
    assert_eq!((found.len(), found.left_out()), (1, 3));
    let feature = |id: &str, geometry: &str| {
        format!("{{\"properties\":{{\"folio\":{id}}},\"geometry\":{geometry}}}")
    };
    let point = r#"{"type":"Point","coordinates":[-80.0,26.0]}"#;
    let features = [feature("\"1\"", point), feature("null", point), feature("\"2\"", "null")];
    let found = places(&format!("{{\"features\":[{}]}}", features.join(",")));
    assert_eq!((found.len(), found.left_out()), (1, 2));
}

#[test]
fn files_that_cannot_be_used_say_why() {
    let why = |text: &str, allowed: u64| {
        let read = Places::read(text.as_bytes(), &mut Room::new(allowed), &|_| None);
        read.expect_err("an error").to_string()
    };
    assert!(why("", 9_999).contains("empty"));
    assert!(why("folio,x\n1,2\n", 9_999).contains("no column latitude"));
    assert!(why("folio,lat,lon\n1,640000.5,930000\n", 9_999).contains("no degrees"));
    assert!(why("folio,lat,lon\n1,26,-80\n2,26,-80\n", 64).contains("does not fit"));
    assert!(why("{\"type\":\"Point\"}", 9_999).contains("no features"));
    assert!(why("{\"features\":[{\"geometry\":{\"type\":\"Blob\"}}]}", 9_999).contains("GeoJSON"));
}

/// Two zones side by side, the second with a hole and without a name, and a line.
const ZONES: &str = r#"{"type":"FeatureCollection","features":[
    {"type":"Feature","properties":{"Name":"AE"},"geometry":{"type":"Polygon",
     "coordinates":[[[0,0],[2,0],[2,2],[0,2],[0,0]]]}},
    {"type":"Feature","properties":{"name":null},"geometry":{"type":"MultiPolygon",
     "coordinates":[[[[2,0],[6,0],[6,4],[2,4],[2,0]],[[3,1],[3,3],[5,3],[5,1],[3,1]]]]}}]}"#;

fn layer(wanted: Wanted, text: &str) -> Layer {
    Layer::read("zone", wanted, text.as_bytes(), &mut Room::new(1 << 20)).expect("a layer")
}

fn point(longitude: f64, latitude: f64) -> Point {
    Point::new(longitude, latitude).expect("degrees")
}

#[test]
fn a_point_takes_the_name_of_the_polygon_that_holds_it() {
    let zones = layer(Wanted::Property(None), ZONES);
    assert_eq!(zones.label(point(1.0, 1.0)), Some("AE"));
    assert_eq!(zones.label(point(2.0, 1.0)), Some("AE"), "a border is of both; the first is told");
    assert_eq!(zones.label(point(2.5, 1.0)), None, "a zone without a name");
    assert_eq!(zones.label(point(4.0, 2.0)), None, "the hole");
    assert_eq!(zones.label(point(9.0, 9.0)), None);
    let named = Wanted::Property(Some("FLD_ZONE".into()));
    let wrong = Layer::read("zone", named, ZONES.as_bytes(), &mut Room::new(1 << 20));
    assert!(wrong.expect_err("no such property").to_string().contains("FLD_ZONE"));
}

#[test]
fn distances_are_metres_and_nothing_inside() {
    let zones = layer(Wanted::Distance, ZONES);
    assert_eq!(zones.metres(point(1.0, 1.0)), Some(0.0));
    // One degree of latitude, and one of longitude at 60 degrees north, which is half as long.
    let near = |metres: Option<f64>, wanted: f64| {
        let metres = metres.expect("a distance");
        assert!((metres / wanted - 1.0).abs() < 0.01, "{metres}, not {wanted}");
    };
    near(zones.metres(point(1.0, 3.0)), 111_195.0);
    near(zones.metres(point(4.0, 2.0)), 111_195.0);
    let pole = r#"{"features":[{"geometry":{"type":"Point","coordinates":[10,60]}},
        {"geometry":{"type":"LineString","coordinates":[[0,59],[0,61]]}}]}"#;
    near(layer(Wanted::Distance, pole).metres(point(9.0, 60.0)), 55_597.0);
    near(layer(Wanted::Distance, pole).metres(point(2.0, 60.0)), 111_195.0);
}

#[test]
fn shapes_without_a_corner_are_passed_over() {
    let text = r#"{"features":[
        {"properties":{"name":"none"},"geometry":{"type":"Polygon","coordinates":[[]]}},
        {"properties":{"name":"some"},"geometry":{"type":"MultiPolygon","coordinates":
            [[[]],[[[0,0],[2,0],[2,2],[0,2],[0,0]]]]}},
        {"properties":{"name":"more"},"geometry":{"type":"Polygon","coordinates":
            [[[4,0],[6,0],[6,2],[4,2],[4,0]]]}}]}"#;
    let zones = layer(Wanted::Property(None), text);
    assert_eq!(zones.label(point(1.0, 1.0)), Some("some"));
    assert_eq!(zones.label(point(5.0, 1.0)), Some("more"));
    assert_eq!(layer(Wanted::Distance, text).metres(point(5.0, 1.0)), Some(0.0));
    let empty = Layer::read(
        "zone",
        Wanted::Distance,
        "{\"features\":[]}".as_bytes(),
        &mut Room::new(1 << 20),
    );
    assert!(empty.expect_err("nothing to be near to").to_string().contains("no shapes"));
}

/// Many random squares, asked by the tree and one by one.
#[test]
fn the_tree_finds_what_a_search_of_all_finds() {
    let mut state = 11_u64;
    let mut random = move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / (1_u64 << 24) as f64
    };
    let mut squares = Vec::new();
    let mut features = Vec::new();
    for at in 0..200 {
        let (x, y, size) = (random() * 4.0, 25.0 + random() * 4.0, random() * 0.5);
        squares.push((x, y, size));
        let (right, top) = (x + size, y + size);
        features.push(format!(
            "{{\"properties\":{{\"name\":\"{at}\"}},\"geometry\":{{\"type\":\"Polygon\",\"coordinates\":\
             [[[{x},{y}],[{right},{y}],[{right},{top}],[{x},{top}],[{x},{y}]]]}}}}"
        ));
    }
    let text = format!("{{\"features\":[{}]}}", features.join(","));
    let (zones, metres) = (layer(Wanted::Property(None), &text), layer(Wanted::Distance, &text));
    let mut inside = 0;
    for _ in 0..2_000 {
        let (x, y) = (random() * 4.0, 25.0 + random() * 4.0);
        let holds = |(left, low, size): &(f64, f64, f64)| {
            (*left..=left + size).contains(&x) && (*low..=low + size).contains(&y)
        };
        let first = squares.iter().position(holds).map(|at| at.to_string());
        assert_eq!(zones.label(point(x, y)), first.as_deref());
        inside += usize::from(first.is_some());
        let gap = |(left, low, size): &(f64, f64, f64)| {
            let east = 111_195.08 * y.to_radians().cos();
            let dx = (left - x).max(x - left - size).max(0.0) * east;
            let dy = (low - y).max(y - low - size).max(0.0) * 111_195.08;
            dx.hypot(dy)
        };
        let nearest = squares.iter().map(gap).fold(f64::INFINITY, f64::min);
        let told = metres.metres(point(x, y)).expect("a distance");
        assert!((told - nearest).abs() <= nearest * 0.03 + 0.01, "{told} of {nearest}");
    }
    assert!((200..1_900).contains(&inside), "{inside} points in squares");
}

/// Counts what it is asked.
struct Service(AtomicUsize);

impl Locator for Service {
    fn locate(&self, questions: &[Question<'_>]) -> Result<Vec<Answer>, GeoError> {
        self.0.fetch_add(questions.len(), Ordering::Relaxed);
        let answer = |question: &Question<'_>| {
            let longitude = question.id.map_or(0.0, |id| id.len() as f64);
            Answer { point: Some((point(longitude, 1.0), Precision::Parcel)), found: None }
        };
        Ok(questions.iter().map(answer).collect())
    }
}

#[test]
fn a_question_is_asked_once() {
    let cached = Cached::new(Service(AtomicUsize::new(0)), 100);
    let ask = |ids: &[&str]| {
        let question = |id: &&'static str| Question { county: None, id: Some(id), zip: None };
        let ids: Vec<&'static str> = ids.iter().map(|id| &*id.to_string().leak()).collect();
        let questions: Vec<_> = ids.iter().map(question).collect();
        let answers = cached.locate(&questions).expect("answers");
        let longitude = |answer: &Answer| answer.point.map(|(point, _)| point.longitude as usize);
        answers.iter().filter_map(longitude).collect::<Vec<_>>()
    };
    assert_eq!(ask(&["a", "bb", "a", "bb", "ccc"]), [1, 2, 1, 2, 3]);
    assert_eq!(ask(&["ccc", "dddd", "a"]), [3, 4, 1]);
    assert_eq!(cached.counts.get(), (8, 4));
}

#[test]
fn a_zip_code_has_a_middle() {
    let zips = Zips::new([("33314", "26.07", "-80.22"), ("x", "y", "z")].into_iter());
    let ask = |zip: &'static str| {
        let question = Question { county: None, id: None, zip: Some(zip) };
        zips.locate(&[question]).expect("an answer")[0]
            .point
            .map(|(point, how)| (point.latitude, how))
    };
    assert_eq!(ask("33314"), Some((26.07, Precision::Zip)));
    assert_eq!(ask("33314-1234"), Some((26.07, Precision::Zip)));
    assert_eq!(ask("333"), None);
    assert_eq!(ask("99999"), None);
}
