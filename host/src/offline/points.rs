//! The points that rows become, kept in memory: of each series and time the last one.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use wasmill_core::dead_letter::Stage;
use wasmill_core::line_protocol::{Encoded, LineEncoder};
use wasmill_core::plan::SinkId;
use wasmill_core::rows::Rows;
use wasmill_core::time::Nanos;

use crate::delivery::SinkTarget;
use crate::figures::{Figures, RefusalKey};
use crate::outlets::ResolvedTarget;
use crate::sink::UNREPRESENTABLE;

/// What tells points apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PointId {
    pub sink: SinkId,
    /// Measurement and tags, as line protocol writes them.
    pub series: Box<str>,
    pub time: Nanos,
}

/// What a point says.
#[derive(Clone, Debug)]
pub struct Point {
    /// The route it came from, and its measurement.
    pub target: Arc<SinkTarget>,
    /// As line protocol writes them.
    pub fields: Box<str>,
}

/// There are more points than may be kept.
#[derive(Debug, thiserror::Error)]
#[error("more than {0} points: they are kept in memory, so narrow the slice or the routes")]
pub struct TooMany(pub usize);

/// Points in the order of sink, series and time.
#[derive(Debug)]
pub struct Points {
    points: BTreeMap<PointId, Point>,
    limit: usize,
}

impl Points {
    /// `limit`: how many may be kept.
    pub fn new(limit: usize) -> Self {
        Points { points: BTreeMap::new(), limit }
    }

    pub fn len(&self) -> usize {
        self.points.len()
    }

    pub fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&PointId, &Point)> {
        self.points.iter()
    }

    /// The lines of one sink.
    pub fn lines(&self, sink: SinkId) -> impl Iterator<Item = String> {
        self.points.iter().filter(move |(id, _)| id.sink == sink).map(|(id, point)| line(id, point))
    }

    fn insert(&mut self, id: PointId, point: Point) -> Result<(), TooMany> {
        let full = self.points.len() >= self.limit;
        match self.points.entry(id) {
            Entry::Occupied(mut entry) => drop(entry.insert(point)),
            Entry::Vacant(_) if full => return Err(TooMany(self.limit)),
            Entry::Vacant(entry) => drop(entry.insert(point)),
        }
        Ok(())
    }

    /// Takes in the points of another run; its last ones win.
    ///
    /// # Errors
    /// Together they are too many.
    pub fn append(&mut self, other: Points) -> Result<(), TooMany> {
        other.points.into_iter().try_for_each(|(id, point)| self.insert(id, point))
    }
}

/// A point as a line, without its line break.
pub fn line(id: &PointId, point: &Point) -> String {
    format!("{} {} {}", id.series, point.fields, id.time)
}

/// Which target of which route, and which output.
type Encoding = (usize, usize, usize);

/// Turns rows of a source's routes to points.
pub struct Collector {
    /// By route.
    targets: Vec<Vec<ResolvedTarget>>,
    encoders: FxHashMap<Encoding, LineEncoder>,
    /// By [`SinkId`]: refuses what line protocol cannot say.
    influx: Vec<bool>,
    line: Vec<u8>,
}

impl Collector {
    pub fn new(targets: Vec<Vec<ResolvedTarget>>, influx: Vec<bool>) -> Self {
        Collector { targets, encoders: FxHashMap::default(), influx, line: Vec::new() }
    }

    /// # Errors
    /// A name that line protocol cannot say; too many points.
    pub fn take(
        &mut self,
        (route, output): (usize, usize),
        rows: &Rows,
        figures: &Figures,
        points: &mut Points,
    ) -> Result<(), String> {
        for (index, target) in self.targets[route].iter().enumerate() {
            let Some(resolved) = target.by_output.get(output) else { continue };
            let encoder = match self.encoders.entry((route, index, output)) {
                std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
                std::collections::hash_map::Entry::Vacant(entry) => {
                    let SinkTarget { measurement, tags, fields, .. } = resolved.as_ref();
                    entry.insert(LineEncoder::new(&rows.schema, measurement, tags, fields)?)
                }
            };
            for row in 0..rows.len() {
                self.line.clear();
                match encoder.append(rows, row, &mut self.line) {
                    Encoded::Line { key_bytes, .. } => {
                        let (id, fields) = split(&self.line, key_bytes, target.sink, rows.times[row]);
                        let point = Point { target: Arc::clone(resolved), fields };
                        points.insert(id, point).map_err(|error| error.to_string())?;
                    }
                    Encoded::Refused(_) if self.influx[target.sink] => figures.refuse(refusal(resolved), 1),
                    Encoded::Refused(_) | Encoded::Empty { .. } => {}
                }
            }
        }
        Ok(())
    }
}

/// A line, as its encoder wrote it, at its seams: the series, a space, fields, a space, the time.
fn split(line: &[u8], key_bytes: usize, sink: SinkId, time: Nanos) -> (PointId, Box<str>) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned().into_boxed_str();
    let end = line.iter().rposition(|byte| *byte == b' ').unwrap_or(line.len());
    let fields = line.get(key_bytes + 1..end).unwrap_or_default();
    (PointId { sink, series: text(&line[..key_bytes]), time }, text(fields))
}

fn refusal(target: &SinkTarget) -> RefusalKey {
    RefusalKey {
        source: target.source.clone(),
        route: target.route.clone(),
        stage: Stage::Sink,
        code: UNREPRESENTABLE.to_owned(),
        dropped: false,
    }
}
