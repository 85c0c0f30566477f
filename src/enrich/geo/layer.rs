//! Shapes that points are held against: in which polygon, how far from the nearest shape.

use super::error::Room;
use super::{GeoError, Point, geojson};
use geo::{BoundingRect, CoordsIter, Geometry, Intersects, LinesIter, Polygon};
use rstar::{AABB, PointDistance, RTree, RTreeObject};
use std::io::Read;

/// What is wanted of a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// A property of the polygon that holds the point; `None`: its name or id.
    Property(Option<String>),
    /// Metres to the nearest shape; 0 inside a polygon.
    Distance,
}

/// A layer.
#[derive(Debug)]
pub struct Layer {
    /// The column that it gives.
    pub column: String,
    wanted: Wanted,
    polygons: RTree<Zone>,
    labels: Vec<Option<String>>,
    edges: RTree<Edge>,
    /// Degrees of longitude are shorter than those of latitude; in the tree both are alike.
    squeeze: f64,
}

#[derive(Debug)]
struct Zone {
    polygon: Polygon,
    feature: u32,
}

impl RTreeObject for Zone {
    type Envelope = AABB<[f64; 2]>;

    fn envelope(&self) -> Self::Envelope {
        match self.polygon.bounding_rect() {
            Some(rect) => AABB::from_corners(rect.min().into(), rect.max().into()),
            None => AABB::from_point([f64::NAN; 2]),
        }
    }
}

/// A piece of a line, or a point twice.
#[derive(Debug, Clone, Copy)]
struct Edge {
    from: [f64; 2],
    to: [f64; 2],
}

impl RTreeObject for Edge {
    type Envelope = AABB<[f64; 2]>;

    fn envelope(&self) -> Self::Envelope {
        AABB::from_corners(self.from, self.to)
    }
}

impl PointDistance for Edge {
    fn distance_2(&self, point: &[f64; 2]) -> f64 {
        squared_distance(*point, self.from, self.to)
    }
}

/// Bytes of a vertex, of a polygon and of an edge, with their part of the tree.
const VERTEX: usize = 16;
const ZONE: usize = 160;
const EDGE: usize = 96;
/// Metres of a degree of latitude, on a sphere with the earth's mean radius.
const METRES: f64 = 111_195.08;
/// Edges that are measured exactly; in the tree distances are right to a few hundredths.
const NEAREST: usize = 8;
/// What names a shape where the user does not say it.
const NAMES: [&str; 4] = ["name", "label", "zone", "id"];

impl Layer {
    /// From GeoJSON.
    pub fn read(
        column: &str,
        wanted: Wanted,
        input: impl Read,
        room: &mut Room,
    ) -> Result<Self, GeoError> {
        let (mut zones, mut labels, mut edges) = (Vec::new(), Vec::new(), Vec::new());
        let mut named = false;
        geojson::features(input, &mut |feature| {
            let Some(shape) = feature.geometry()? else { return Ok(()) };
            let label = match &wanted {
                Wanted::Property(Some(name)) => feature.property(name),
                Wanted::Property(None) => {
                    let own = || feature.id.as_ref().and_then(geojson::text);
                    NAMES.iter().find_map(|name| feature.property(name)).or_else(own)
                }
                Wanted::Distance => None,
            };
            named |= label.is_some();
            let vertices = shape.coords_count();
            room.take(vertices * VERTEX + ZONE + label.as_ref().map_or(0, String::len))?;
            if wanted == Wanted::Distance {
                room.take(vertices * EDGE)?;
                edges.extend(edges_of(&shape));
            }
            let feature = labels.len() as u32;
            zones.extend(polygons_of(shape).map(|polygon| Zone { polygon, feature }));
            labels.push(label);
            Ok(())
        })?;
        if let (Wanted::Property(Some(name)), false) = (&wanted, named) {
            return Err(GeoError::Form(format!("none of its shapes has a property {name}")));
        }
        if zones.is_empty() && wanted != Wanted::Distance {
            return Err(GeoError::Form("it holds no polygons".into()));
        }
        if zones.is_empty() && edges.is_empty() && wanted == Wanted::Distance {
            return Err(GeoError::Form("it holds no shapes".into()));
        }
        let squeeze = squeeze_of(&edges);
        for edge in &mut edges {
            edge.from[0] *= squeeze;
            edge.to[0] *= squeeze;
        }
        Ok(Self {
            column: column.to_owned(),
            wanted,
            polygons: RTree::bulk_load(zones),
            labels,
            edges: RTree::bulk_load(edges),
            squeeze,
        })
    }

    /// Whether the column holds metres.
    pub fn is_distance(&self) -> bool {
        self.wanted == Wanted::Distance
    }

    /// The label of the polygon that holds the point; of several the first of the file. Borders belong
    /// to both sides. A shape without the property is there and says nothing.
    pub fn label(&self, point: Point) -> Option<&str> {
        self.labels[self.feature(point)? as usize].as_deref()
    }

    fn feature(&self, point: Point) -> Option<u32> {
        let here = geo::Point::from(point.array());
        let around =
            self.polygons.locate_in_envelope_intersecting(&AABB::from_point(point.array()));
        around.filter(|zone| zone.polygon.intersects(&here)).map(|zone| zone.feature).min()
    }

    /// Metres to the nearest shape.
    pub fn metres(&self, point: Point) -> Option<f64> {
        if self.feature(point).is_some() {
            return Some(0.0);
        }
        let [x, y] = point.array();
        let here = [x * self.squeeze, y];
        let near = self.edges.nearest_neighbor_iter(&here).take(NEAREST);
        // Around the point the earth is flat.
        let east = METRES * y.to_radians().cos();
        let flat = |[lon, lat]: [f64; 2]| [(lon / self.squeeze - x) * east, (lat - y) * METRES];
        let metres = near.map(|edge| squared_distance([0.0, 0.0], flat(edge.from), flat(edge.to)));
        metres.min_by(f64::total_cmp).map(f64::sqrt)
    }
}

fn polygons_of(shape: Geometry) -> impl Iterator<Item = Polygon> {
    let all = match shape {
        Geometry::Polygon(polygon) => vec![polygon],
        Geometry::MultiPolygon(all) => all.0,
        _ => Vec::new(),
    };
    // A polygon without a corner has no place in a tree.
    all.into_iter().filter(|polygon| !polygon.exterior().0.is_empty())
}

fn edges_of(shape: &Geometry) -> Vec<Edge> {
    let point = |point: &geo::Point| {
        let at = [point.x(), point.y()];
        Edge { from: at, to: at }
    };
    let line =
        |line: geo::Line| Edge { from: [line.start.x, line.start.y], to: [line.end.x, line.end.y] };
    match shape {
        Geometry::Point(at) => vec![point(at)],
        Geometry::MultiPoint(all) => all.iter().map(point).collect(),
        Geometry::LineString(one) => one.lines().map(line).collect(),
        Geometry::MultiLineString(all) => all.lines_iter().map(line).collect(),
        Geometry::Polygon(one) => one.lines_iter().map(line).collect(),
        Geometry::MultiPolygon(all) => all.lines_iter().map(line).collect(),
        _ => Vec::new(),
    }
}

/// The cosine of the middle latitude.
fn squeeze_of(edges: &[Edge]) -> f64 {
    let latitudes = || edges.iter().map(|edge| edge.from[1]);
    let (south, north) = (latitudes().reduce(f64::min), latitudes().reduce(f64::max));
    let middle = (south.unwrap_or(0.0) + north.unwrap_or(0.0)) / 2.0;
    middle.to_radians().cos().max(0.01)
}

fn squared_distance(point: [f64; 2], from: [f64; 2], to: [f64; 2]) -> f64 {
    let (dx, dy) = (to[0] - from[0], to[1] - from[1]);
    let (px, py) = (point[0] - from[0], point[1] - from[1]);
    let length = dx * dx + dy * dy;
    let along = if length > 0.0 { ((px * dx + py * dy) / length).clamp(0.0, 1.0) } else { 0.0 };
    let (x, y) = (px - along * dx, py - along * dy);
    x * x + y * y
}
