//! GeoJSON, one feature at a time: files of a gigabyte are read without being held.

use super::GeoError;
use geo::{Coord, Geometry, LineString, MultiPolygon, Point, Polygon};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};
use serde_json::{Map, Value};
use std::fmt;
use std::io::Read;

/// A feature.
#[derive(Debug, Deserialize)]
pub(super) struct Feature {
    /// Its own id.
    pub id: Option<Value>,
    /// What is known of it.
    #[serde(default)]
    properties: Option<Map<String, Value>>,
    /// Its shape.
    geometry: Option<Shape>,
}

/// A geometry as it is written. Collections of geometries are not known: layers have none.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", content = "coordinates")]
enum Shape {
    Point(Position),
    MultiPoint(Vec<Position>),
    LineString(Vec<Position>),
    MultiLineString(Vec<Vec<Position>>),
    Polygon(Vec<Vec<Position>>),
    MultiPolygon(Vec<Vec<Vec<Position>>>),
}

/// Longitude and latitude; what follows (height) is left out.
#[derive(Debug, Clone, Copy)]
struct Position(f64, f64);

impl<'de> Deserialize<'de> for Position {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Two;
        impl<'de> Visitor<'de> for Two {
            type Value = Position;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("longitude and latitude")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Position, A::Error> {
                let lacks = |at| de::Error::invalid_length(at, &Two);
                let x = seq.next_element()?.ok_or_else(|| lacks(0))?;
                let y = seq.next_element()?.ok_or_else(|| lacks(1))?;
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Position(x, y))
            }
        }
        from.deserialize_seq(Two)
    }
}

impl Feature {
    /// The text of a property, in any case of its name.
    pub fn property(&self, name: &str) -> Option<String> {
        let properties = self.properties.as_ref()?;
        let found = properties.get(name).or_else(|| {
            let is = |(key, _): &(&String, &Value)| key.eq_ignore_ascii_case(name);
            properties.iter().find(is).map(|(_, value)| value)
        })?;
        text(found)
    }

    /// The geometry, with all its coordinates in degrees.
    pub fn geometry(&self) -> Result<Option<Geometry>, GeoError> {
        self.geometry.as_ref().map(Shape::geometry).transpose()
    }
}

/// A property as text; nothing for what is empty or no single value.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

impl Shape {
    fn geometry(&self) -> Result<Geometry, GeoError> {
        Ok(match self {
            Self::Point(at) => Geometry::Point(Point(coordinate(at)?)),
            Self::MultiPoint(all) => Geometry::MultiPoint(line(all)?.into_points().into()),
            Self::LineString(all) => Geometry::LineString(line(all)?),
            Self::MultiLineString(lines) => {
                let lines = lines.iter().map(|all| line(all)).collect::<Result<Vec<_>, _>>()?;
                Geometry::MultiLineString(geo::MultiLineString(lines))
            }
            Self::Polygon(rings) => Geometry::Polygon(polygon(rings)?),
            Self::MultiPolygon(all) => {
                let all = all.iter().map(|rings| polygon(rings)).collect::<Result<Vec<_>, _>>()?;
                Geometry::MultiPolygon(MultiPolygon(all))
            }
        })
    }
}

fn coordinate(at: &Position) -> Result<Coord, GeoError> {
    let Position(x, y) = *at;
    match super::Point::new(x, y) {
        Some(_) => Ok(Coord { x, y }),
        None => Err(GeoError::NotDegrees { x, y }),
    }
}

fn line(all: &[Position]) -> Result<LineString, GeoError> {
    all.iter().map(coordinate).collect::<Result<Vec<_>, _>>().map(LineString)
}

fn polygon(rings: &[Vec<Position>]) -> Result<Polygon, GeoError> {
    let mut rings = rings.iter().map(|ring| line(ring)).collect::<Result<Vec<_>, _>>()?;
    if rings.is_empty() {
        return Err(GeoError::Form("a polygon without a ring".into()));
    }
    let outer = rings.remove(0);
    Ok(Polygon::new(outer, rings))
}

/// Reads the features of a collection.
pub(super) fn features(
    input: impl Read,
    each: &mut dyn FnMut(Feature) -> Result<(), GeoError>,
) -> Result<(), GeoError> {
    let mut trouble = None;
    let mut json = serde_json::Deserializer::from_reader(input);
    let read = Collection { each, trouble: &mut trouble }.deserialize(&mut json);
    match (read, trouble) {
        (_, Some(trouble)) => Err(trouble),
        (Err(error), None) => Err(GeoError::Form(format!("it is no GeoJSON: {error}"))),
        (Ok(false), None) => Err(GeoError::Form("it holds no features".into())),
        (Ok(true), None) => Ok(()),
    }
}

/// The object around the features; gives whether there were any.
struct Collection<'a> {
    each: &'a mut dyn FnMut(Feature) -> Result<(), GeoError>,
    trouble: &'a mut Option<GeoError>,
}

impl<'de> DeserializeSeed<'de> for Collection<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<bool, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Collection<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a FeatureCollection")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        let mut found = false;
        while let Some(key) = map.next_key::<String>()? {
            if key == "features" {
                found = true;
                map.next_value_seed(Features { each: self.each, trouble: self.trouble })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

struct Features<'a> {
    each: &'a mut dyn FnMut(Feature) -> Result<(), GeoError>,
    trouble: &'a mut Option<GeoError>,
}

impl<'de> DeserializeSeed<'de> for Features<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Features<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of features")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(feature) = seq.next_element()? {
            if let Err(trouble) = (self.each)(feature) {
                *self.trouble = Some(trouble);
                return Err(A::Error::custom("stopped"));
            }
        }
        Ok(())
    }
}
