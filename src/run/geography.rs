//! Geographic files of a request: read before anything else, bound to the columns of an input.

use super::error::{RunError, RunErrorKind};
use super::prepare::Prepared;
use super::request::Request;
use crate::chunk::ColumnKind;
use crate::enrich::geo::{GeoError, Geography, Inputs, Layer, Locate, Places, Room, Wanted, Zips};
use crate::load::table::TargetColumn;
use crate::pack::{Kind, Pack};
use crate::stage::StageSpec;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use std::sync::Arc;

/// What the user wants to know of places.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// A file of parcels with points or polygons; `zip`: the middles of ZIP codes alone.
    pub locations: Option<String>,
    /// `column=file` or `column=file#property`: the polygon that holds the point.
    pub layers: Vec<String>,
    /// `column=file`: metres to the nearest shape.
    pub distances: Vec<String>,
    /// The files, once they are read.
    #[serde(skip)]
    pub loaded: Loaded,
}

/// Files that are read.
#[derive(Clone, Default)]
pub struct Loaded(Option<Arc<Geography>>);

impl fmt::Debug for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Loaded" } else { "nothing" })
    }
}

impl PartialEq for Loaded {
    fn eq(&self, other: &Self) -> bool {
        self.id() == other.id()
    }
}

impl Loaded {
    /// Identity of where the files lie and what they hold, as older builds made it.
    pub fn id(&self) -> &str {
        self.0.as_ref().map_or("", |geography| &geography.id)
    }

    /// Identity of what the files hold.
    pub fn content(&self) -> &str {
        self.0.as_ref().map_or("", |geography| &geography.content)
    }
}

/// Asks for the middles of ZIP codes alone.
const ZIP: &str = "zip";
/// A run needs this much beside its geography.
const LEAST: u64 = 320 << 20;
/// Code table of the middles of ZIP codes, and its columns.
const ZIP_TABLE: (&str, [&str; 3]) = ("zip_centroids", ["zip", "latitude", "longitude"]);

/// The request with its geographic files read, and their memory taken off the limit.
pub(super) fn opened<'r>(request: &'r Request, pack: &Pack) -> Result<Cow<'r, Request>, RunError> {
    let asked = &request.geography;
    if asked.locations.is_none() && asked.layers.is_empty() && asked.distances.is_empty() {
        return Ok(Cow::Borrowed(request));
    }
    let allowed = request.limits.memory.saturating_sub(LEAST).max(16 << 20);
    let mut reader = Reader {
        room: Room::new(allowed),
        hasher: blake3::Hasher::new(),
        content: blake3::Hasher::new(),
    };
    let county = |text: &str| super::identify::county_number(text, pack);
    let places = match asked.locations.as_deref() {
        None | Some(ZIP) => None,
        Some(path) => {
            Some(reader.read(path, "--locations", |file, room| Places::read(file, room, &county))?)
        }
    };
    let mut layers = Vec::new();
    for text in &asked.layers {
        let (column, path) = named(text, "--layer")?;
        let (path, property) = match path.rsplit_once('#') {
            Some((path, property)) => (path, Some(property.to_owned())),
            None => (path, None),
        };
        layers.push(reader.layer(column, path, Wanted::Property(property), "--layer")?);
    }
    for text in &asked.distances {
        let (column, path) = named(text, "--distance")?;
        layers.push(reader.layer(column, path, Wanted::Distance, "--distance")?);
    }
    let zips = asked.locations.as_ref().and_then(|_| zips(pack));
    let mut geography = Geography::new(places, zips, layers);
    geography.bytes = reader.room.taken();
    geography.id = reader.hasher.finalize().to_hex().to_string();
    geography.content = reader.content.finalize().to_hex().to_string();
    let mut request = request.clone();
    request.limits.reserved = geography.bytes;
    request.geography.loaded = Loaded(Some(Arc::new(geography)));
    Ok(Cow::Owned(request))
}

/// `column=file`.
fn named<'t>(text: &'t str, flag: &str) -> Result<(&'t str, &'t str), RunError> {
    let wrong = |what: &str| {
        Err(RunError::usage(format!("{flag} {text}: {what}"))
            .with_hint(format!("write it like {flag} flood=zones.geojson")))
    };
    let Some((column, path)) = text.split_once('=') else {
        return wrong("the column that it gives is not named");
    };
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if !column.starts_with(|c: char| c.is_ascii_lowercase()) || !column.chars().all(letters) {
        return wrong("a column is named in lower-case letters, digits and underscores");
    }
    Ok((column, path))
}

/// Reads files into the room that is left, and remembers what they hold.
struct Reader {
    room: Room,
    hasher: blake3::Hasher,
    /// Of what stands in the files alone.
    content: blake3::Hasher,
}

impl Reader {
    fn read<T>(
        &mut self,
        path: &str,
        flag: &str,
        read: impl FnOnce(&mut dyn Read, &mut Room) -> Result<T, GeoError>,
    ) -> Result<T, RunError> {
        let told = |error: GeoError| {
            let kind = match error {
                GeoError::Full { .. } => RunErrorKind::Limit,
                GeoError::Io(_) => RunErrorKind::Usage,
                _ => RunErrorKind::Input,
            };
            let hint = error.hint();
            let told = RunError::new(kind, format!("{flag} {path}: {error}")).with_hint(hint);
            if kind == RunErrorKind::Limit { told.with_code("E104") } else { told }
        };
        let file = File::open(Path::new(path)).map_err(|error| told(error.into()))?;
        self.hasher.update(path.as_bytes());
        self.content.update(flag.as_bytes());
        let hashers = [&mut self.hasher, &mut self.content];
        let mut hashed = Hashed { file: BufReader::new(file), hashers };
        read(&mut hashed, &mut self.room).map_err(told)
    }

    fn layer(
        &mut self,
        column: &str,
        path: &str,
        wanted: Wanted,
        flag: &str,
    ) -> Result<Layer, RunError> {
        self.read(path, flag, |file, room| Layer::read(column, wanted, file, room))
    }
}

/// Hashes what passes. The buffer is inside: readers of JSON ask for single bytes.
struct Hashed<'h> {
    file: BufReader<File>,
    hashers: [&'h mut blake3::Hasher; 2],
}

impl Read for Hashed<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let read = self.file.read(into)?;
        for hasher in &mut self.hashers {
            hasher.update(&into[..read]);
        }
        Ok(read)
    }
}

fn zips(pack: &Pack) -> Option<Zips> {
    let (name, columns) = ZIP_TABLE;
    let table = pack.table(name)?;
    let [zip, latitude, longitude] = columns.map(|column| table.column(column));
    let (zip, latitude, longitude) = (zip?, latitude?, longitude?);
    let row = |row| {
        let row: &Vec<String> = row;
        (row[zip].as_str(), row[latitude].as_str(), row[longitude].as_str())
    };
    Some(Zips::new(table.rows.iter().map(row)))
}

/// Finds the columns that questions are made of, and adds those of the answers to the table.
pub(super) fn bind(
    input: &mut Prepared,
    request: &Request,
    pack: &Pack,
    kind: Option<&Kind>,
) -> Result<(), RunError> {
    let Loaded(Some(geography)) = &request.geography.loaded else { return Ok(()) };
    let inputs = inputs(input, kind);
    let label = input.origin.label();
    if inputs.own.is_none() && request.geography.locations.is_none() {
        return Err(RunError::usage(format!(
            "{label}: there are no points to hold against the layers"
        ))
        .with_hint("give the points of parcels: --locations FILE"));
    }
    if inputs.own.is_none() && inputs.id.is_none() && inputs.zip.is_none() {
        input
            .warnings
            .push("no column of ids, ZIP codes or coordinates: rows are not located".into());
        return Ok(());
    }
    for (name, ty) in Locate::columns(geography, &inputs) {
        if input.spec.columns.iter().any(|column| column.name == name) {
            return Err(RunError::usage(format!("{label}: the column {name} is taken"))
                .with_hint("give the layer another name"));
        }
        if input.mapping.is_none() {
            input.spec.columns.push(TargetColumn { name, ty: ty.to_owned() });
        }
    }
    let home = inputs.county.and_then(|county| home(pack, county));
    input.locate = Some(Locate::new(Arc::clone(geography), inputs, home));
    Ok(())
}

/// A file of places that names no county is good for one county.
pub(super) fn refuse_several_counties(
    request: &Request,
    inputs: &[Prepared],
) -> Result<(), RunError> {
    let Loaded(Some(geography)) = &request.geography.loaded else { return Ok(()) };
    let Some(places) = geography.places.as_ref().filter(|places| !places.has_counties()) else {
        return Ok(());
    };
    let mut counties: Vec<_> = inputs.iter().filter_map(|input| input.settled.county).collect();
    counties.sort_unstable();
    counties.dedup();
    if counties.len() < 2 || places.is_empty() {
        return Ok(());
    }
    let message = "the places of --locations name no county, and the inputs are of several: the same id \
                   may be another parcel there";
    Err(RunError::usage(message)
        .with_hint("add a column co_no to the places, or load a county at a time"))
}

fn inputs(input: &Prepared, kind: Option<&Kind>) -> Inputs {
    let read = |names: &[&str], fits: fn(ColumnKind) -> bool| {
        let is = |name: &&str| {
            input.schema.columns.iter().find(|column| column.name == *name && fits(column.kind))
        };
        names.iter().find_map(is).map(|column| (column.name.clone(), column.header.clone()))
    };
    let text = |kind| matches!(kind, ColumnKind::Text | ColumnKind::Int | ColumnKind::BigInt);
    let number = |kind| matches!(kind, ColumnKind::Double | ColumnKind::Decimal(_));
    let id = match kind {
        Some(kind) => kind.id_column.as_deref().filter(|_| kind.county_column.is_some()),
        None => None,
    };
    let id = match (kind, id) {
        (Some(_), Some(id)) => read(&[id], text),
        (Some(_), None) => None,
        (None, _) => read(&["parcel_id", "parcelno", "folio", "pin"], text),
    };
    let latitude = read(&["latitude", "lat"], number);
    let longitude = read(&["longitude", "lon", "lng"], number);
    let zip = read(&["phy_zipcd", "zip", "zipcode", "zip_code"], text);
    Inputs {
        county: input.settled.county,
        id,
        zip: zip.map(|(name, _)| name),
        own: latitude.zip(longitude).map(|((latitude, _), (longitude, _))| (latitude, longitude)),
    }
}

/// The county as a shape, where the pack has boundaries.
fn home(pack: &Pack, county: u8) -> Option<Layer> {
    let county = pack.counties.by_number(county)?;
    let mut all: serde_json::Value = serde_json::from_str(pack.boundaries.as_ref()?).ok()?;
    let features = all.get_mut("features")?.as_array_mut()?;
    features.retain(|feature| {
        let id = feature.get("id").and_then(serde_json::Value::as_str);
        id.is_some_and(|id| id == county.fips)
    });
    let text = all.to_string();
    let mut room = Room::new(64 << 20);
    Layer::read(&county.name, Wanted::Distance, text.as_bytes(), &mut room).ok()
}

/// The agent, where an input has points.
pub(super) fn agent(input: &Prepared) -> Option<Arc<dyn StageSpec>> {
    let locate = Arc::clone(input.locate.as_ref()?);
    Some(Arc::new(locate))
}
