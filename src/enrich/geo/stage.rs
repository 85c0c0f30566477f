//! The `locate` agent: points, how they were found, and what the layers say of them.

use super::lru::Lru;
use super::{
    Answer, Counts, GeoError, Layer, Locator, Match, Places, Point, Precision, Question, Zips,
};
use crate::chunk::{Chunk, Code, Example, NoteKey, Severity};
use crate::stage::{Stage, StageError, StageSpec};
use hashbrown::HashMap;
use polars::prelude::{Column, DataFrame, DataType, Float64Chunked, IntoColumn, StringChunked};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Name of the agent.
const NAME: &str = "locate";
/// Points whose layers are remembered: parcels of one building share theirs.
const POINTS: usize = 65_536;
/// Metres that a point may lie outside of its county: borders are drawn roughly, and counties reach into
/// the sea.
const OUTSIDE: f64 = 8_000.0;

/// All that is known of places, read before the first row.
pub struct Geography {
    /// Points of parcels.
    pub places: Option<Places>,
    /// Middles of ZIP codes.
    pub zips: Option<Zips>,
    /// What points are held against.
    pub layers: Vec<Layer>,
    /// Paths and content of the files.
    pub id: String,
    /// Content of the files.
    pub content: String,
    /// Memory that it takes.
    pub bytes: u64,
    said: Mutex<Lru<[u64; 2], Said>>,
}

/// What all layers say of a point: a label, metres, or nothing.
type Said = Arc<[Value]>;

#[derive(Debug, Clone, PartialEq)]
enum Value {
    Label(Option<Arc<str>>),
    Metres(Option<f64>),
}

impl Geography {
    /// Of these parts.
    pub fn new(places: Option<Places>, zips: Option<Zips>, layers: Vec<Layer>) -> Self {
        let said = Mutex::new(Lru::new(POINTS));
        Self { places, zips, layers, id: String::new(), content: String::new(), bytes: 0, said }
    }

    /// What the layers say of a point, from memory where it was asked of late; and whether it was.
    fn layers_at(&self, point: Point) -> (Said, bool) {
        let key = point.array().map(f64::to_bits);
        let known = || self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(said) = known().get(&key) {
            return (said, true);
        }
        let ask = |layer: &Layer| match layer.is_distance() {
            true => Value::Metres(layer.metres(point)),
            false => Value::Label(layer.label(point).map(Into::into)),
        };
        let said: Said = self.layers.iter().map(ask).collect();
        known().put(key, Arc::clone(&said));
        (said, false)
    }
}

/// Where the questions stand in a chunk.
#[derive(Debug, Clone, Default)]
pub struct Inputs {
    /// County of the input.
    pub county: Option<u8>,
    /// Column of parcel ids, and its header.
    pub id: Option<(String, String)>,
    /// Column of ZIP codes.
    pub zip: Option<String>,
    /// Columns of latitude and longitude, where the rows have their own.
    pub own: Option<(String, String)>,
}

/// Adds the columns of geography.
pub struct Locate {
    /// What is known.
    pub geography: Arc<Geography>,
    /// Where the questions stand.
    pub inputs: Inputs,
    /// The county itself, to hold points against.
    pub home: Option<Layer>,
    counters: Counters,
}

#[derive(Default)]
struct Counters {
    matched: AtomicU64,
    loosely: AtomicU64,
    ambiguous: AtomicU64,
    by_zip: AtomicU64,
    nowhere: AtomicU64,
    layers: Counts,
}

impl Locate {
    /// An agent.
    pub fn new(geography: Arc<Geography>, inputs: Inputs, home: Option<Layer>) -> Arc<Self> {
        Arc::new(Self { geography, inputs, home, counters: Counters::default() })
    }

    /// Columns that it adds, with their DuckDB types.
    pub fn columns(geography: &Geography, inputs: &Inputs) -> Vec<(String, &'static str)> {
        let mut columns = Vec::new();
        if inputs.own.is_none() {
            columns.push(("latitude".to_owned(), "DOUBLE"));
            columns.push(("longitude".to_owned(), "DOUBLE"));
            columns.push(("location_precision".to_owned(), "VARCHAR"));
            columns.extend(geography.places.is_some().then(|| ("match_status".into(), "VARCHAR")));
        }
        let ty = |layer: &Layer| if layer.is_distance() { "DOUBLE" } else { "VARCHAR" };
        columns.extend(geography.layers.iter().map(|layer| (layer.column.clone(), ty(layer))));
        columns
    }

    fn answers(&self, frame: &DataFrame) -> Result<Vec<Answer>, GeoError> {
        let texts = |name: Option<&str>| -> Option<StringChunked> {
            let column = frame.column(name?).ok()?;
            // In a table of no kind an id of digits is a number.
            let column = match column.dtype().is_integer() {
                true => column.cast(&DataType::String).ok()?,
                false => column.clone(),
            };
            column.str().ok().map(|texts| texts.rechunk().into_owned())
        };
        let rows = frame.height();
        let none = Answer { point: None, found: None };
        if let Some((latitude, longitude)) = &self.inputs.own {
            let numbers = |name: &str| -> Option<Float64Chunked> {
                let column = frame.column(name).ok()?.cast(&DataType::Float64).ok()?;
                column.f64().ok().map(|numbers| numbers.rechunk().into_owned())
            };
            let (ys, xs) = (numbers(latitude), numbers(longitude));
            let point = |row| {
                let (y, x) = (ys.as_ref()?.get(row)?, xs.as_ref()?.get(row)?);
                Point::new(x, y).map(|point| (point, Precision::Parcel))
            };
            return Ok((0..rows).map(|row| Answer { point: point(row), found: None }).collect());
        }
        let ids = texts(self.inputs.id.as_ref().map(|(name, _)| name.as_str()));
        let zips = texts(self.inputs.zip.as_deref());
        let question = |row| Question {
            county: self.inputs.county,
            id: ids.as_ref().and_then(|ids| ids.get(row)),
            zip: zips.as_ref().and_then(|zips| zips.get(row)),
        };
        let questions: Vec<_> = (0..rows).map(question).collect();
        let mut answers = match &self.geography.places {
            Some(places) => places.locate(&questions)?,
            None => vec![none; rows],
        };
        if let Some(zips) = &self.geography.zips {
            let open: Vec<_> = (0..rows).filter(|row| answers[*row].point.is_none()).collect();
            let asked: Vec<_> = open.iter().map(|row| questions[*row]).collect();
            for (row, answer) in open.into_iter().zip(zips.locate(&asked)?) {
                answers[row].point = answer.point;
            }
        }
        Ok(answers)
    }

    fn count(&self, answers: &[Answer]) {
        let count = |counter: &AtomicU64, is: &dyn Fn(&Answer) -> bool| {
            let many = answers.iter().filter(|answer| is(answer)).count() as u64;
            counter.fetch_add(many, Ordering::Relaxed);
        };
        let found = |wanted| move |answer: &Answer| answer.found == Some(wanted);
        count(&self.counters.matched, &found(Match::Matched));
        count(&self.counters.loosely, &found(Match::Loosely));
        count(&self.counters.ambiguous, &found(Match::Ambiguous));
        count(&self.counters.by_zip, &|a| a.point.is_some_and(|(_, how)| how == Precision::Zip));
        count(&self.counters.nowhere, &|answer| answer.point.is_none());
    }

    /// What the layers say, by row; of points that stand for a whole ZIP code they say nothing.
    fn layers(&self, answers: &[Answer]) -> Vec<Option<Said>> {
        if self.geography.layers.is_empty() {
            return vec![None; answers.len()];
        }
        let mut seen: HashMap<[u64; 2], Said> = HashMap::new();
        let (mut asked, mut known) = (0, 0);
        let mut said = Vec::with_capacity(answers.len());
        for answer in answers {
            let Some((point, Precision::Parcel)) = answer.point else {
                said.push(None);
                continue;
            };
            asked += 1;
            let key = point.array().map(f64::to_bits);
            if let Some(here) = seen.get(&key) {
                known += 1;
                said.push(Some(Arc::clone(here)));
                continue;
            }
            let (here, remembered) = self.geography.layers_at(point);
            known += usize::from(remembered);
            seen.insert(key, Arc::clone(&here));
            said.push(Some(here));
        }
        self.counters.layers.add(asked, known);
        said
    }

    fn made(&self, answers: &[Answer], said: &[Option<Said>]) -> Vec<Column> {
        let mut columns = Vec::new();
        if self.inputs.own.is_none() {
            let degrees = |name: &str, of: fn(Point) -> f64| {
                let values = answers.iter().map(|answer| answer.point.map(|(point, _)| of(point)));
                values.collect::<Float64Chunked>().with_name(name.into()).into_column()
            };
            columns.push(degrees("latitude", |point| point.latitude));
            columns.push(degrees("longitude", |point| point.longitude));
            let precision = answers.iter().map(|answer| answer.point.map(|(_, how)| how.name()));
            columns.push(texts("location_precision", precision));
            if self.geography.places.is_some() {
                let found = answers.iter().map(|answer| answer.found.map(Match::name));
                columns.push(texts("match_status", found));
            }
        }
        for (at, layer) in self.geography.layers.iter().enumerate() {
            let here = |row: usize| said[row].as_ref().map(|said| &said[at]);
            let rows = 0..answers.len();
            columns.push(if layer.is_distance() {
                let metres = rows.map(|row| match here(row) {
                    Some(Value::Metres(metres)) => *metres,
                    _ => None,
                });
                let metres: Float64Chunked = metres.collect();
                metres.with_name(layer.column.as_str().into()).into_column()
            } else {
                let labels = rows.map(|row| match here(row) {
                    Some(Value::Label(Some(label))) => Some(&**label),
                    _ => None,
                });
                texts(&layer.column, labels)
            });
        }
        columns
    }

    /// Notes parcels whose point lies outside of their county.
    fn check_home(&self, chunk: &mut Chunk, answers: &[Answer]) {
        let Some(home) = &self.home else { return };
        let header = self.inputs.id.as_ref().map_or("", |(_, header)| header);
        for (row, answer) in answers.iter().enumerate() {
            let Some((point, Precision::Parcel)) = answer.point else { continue };
            if home.metres(point).is_none_or(|metres| metres <= OUTSIDE) {
                continue;
            }
            let key = NoteKey {
                code: Code::E304,
                rule: "county_of_location".to_owned(),
                column: header.to_owned(),
            };
            let message =
                || format!("the point of the parcel lies outside of its county, {}", home.column);
            let (record, raw) = (chunk.index[row], &chunk.raw);
            chunk.notes.add_at(record, key, Severity::Warning, message, || Example {
                place: raw.place(record),
                cell: None,
                value: Some(format!("{}, {}", point.latitude, point.longitude)),
            });
        }
    }
}

fn texts<'t>(name: &str, values: impl Iterator<Item = Option<&'t str>>) -> Column {
    values.collect::<StringChunked>().with_name(name.into()).into_column()
}

impl StageSpec for Arc<Locate> {
    fn name(&self) -> &'static str {
        NAME
    }

    fn describe(&self) -> String {
        let columns = Locate::columns(&self.geography, &self.inputs);
        let names: Vec<_> = columns.into_iter().map(|(name, _)| name).collect();
        let places = self.geography.places.as_ref();
        let places = places.map_or(String::new(), |places| format!(" ({} places)", places.len()));
        format!("adds {}{places}", names.join(", "))
    }

    fn build(&self) -> Result<Box<dyn Stage>, StageError> {
        Ok(Box::new(Locating { spec: Arc::clone(self) }))
    }

    fn facts(&self) -> Vec<(String, u64)> {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counters = &self.counters;
        let mut facts = Vec::new();
        let mut add = |name: &str, number: u64| facts.push((name.to_owned(), number));
        if let Some(places) = &self.geography.places {
            add("places matched", read(&counters.matched));
            add("places matched loosely", read(&counters.loosely));
            add("places ambiguous", read(&counters.ambiguous));
            add("places without a row", places.unused());
            if places.left_out() > 0 {
                add("places left out (no id, no point)", places.left_out());
            }
        }
        add("points by ZIP", read(&counters.by_zip));
        add("rows without a point", read(&counters.nowhere));
        if !self.geography.layers.is_empty() {
            let (asked, known) = counters.layers.get();
            add("points asked of layers", asked);
            add("of these from memory", known);
        }
        facts
    }
}

struct Locating {
    spec: Arc<Locate>,
}

impl Stage for Locating {
    fn apply(&mut self, mut chunk: Chunk) -> Result<Chunk, StageError> {
        let spec = &self.spec;
        let trouble = |what: String| StageError::new(NAME, what);
        let answers = spec.answers(&chunk.frame).map_err(|error| trouble(error.to_string()))?;
        spec.count(&answers);
        let said = spec.layers(&answers);
        spec.check_home(&mut chunk, &answers);
        let made = spec.made(&answers, &said);
        chunk.frame = chunk.frame.hstack(&made).map_err(|error| trouble(error.to_string()))?;
        Ok(chunk)
    }
}
