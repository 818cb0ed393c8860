//! The columns of a source, and which of them a row has at a place on its way.

use crate::config::Source;
use crate::decode_spec::{DecodeField, Format};
use crate::plan::{ColumnId, SourcePlan, Tail, TimeSource};
use crate::schema::{Kind, Output, Role};

/// While routes are planned, nobody knows yet how many fields will be decoded: written columns are numbered from here.
const FIRST_WRITTEN: ColumnId = 1 << 32;
/// The column of event time, likewise.
pub const TIME: ColumnId = usize::MAX;

/// Grows while the routes of one source are planned.
pub struct Frame {
    pub format: Format,
    pub source: String,
    fields: Vec<DecodeField>,
    written: usize,
    time: bool,
}

impl Frame {
    pub fn new(source: &Source) -> Self {
        let source_name = source.name.value.clone();
        Frame { format: source.format, source: source_name, fields: Vec::new(), written: 0, time: false }
    }

    /// The column of a decoded field: one for each path and kind, however many ask.
    pub fn decode(&mut self, field: DecodeField) -> ColumnId {
        if let Some(known) = self.fields.iter().position(|known| *known == field) {
            return known;
        }
        self.fields.push(field);
        self.fields.len() - 1
    }

    /// A new column for what a plugin writes.
    pub fn write(&mut self) -> ColumnId {
        self.written += 1;
        FIRST_WRITTEN + self.written - 1
    }

    pub fn time(&mut self) -> ColumnId {
        self.time = true;
        TIME
    }

    /// Gives all columns of `plan` their final numbers: decoded fields, event time if anybody reads it, written columns.
    pub fn finish(self, plan: &mut SourcePlan) {
        let decoded = self.fields.len();
        let first_written = decoded + usize::from(self.time);
        let number = |column: &mut ColumnId| {
            *column = match *column {
                TIME => decoded,
                written if written >= FIRST_WRITTEN => first_written + written - FIRST_WRITTEN,
                decoded => decoded,
            };
        };
        plan.fields = self.fields;
        plan.time_column = self.time.then_some(decoded);
        plan.frame = first_written + self.written;
        if let TimeSource::Column(column) = &mut plan.time {
            number(column);
        }
        for route in &mut plan.routes {
            route.conditions.iter_mut().for_each(|condition| number(&mut condition.column));
            for step in &mut route.transforms {
                step.reads.iter_mut().for_each(|read| number(&mut read.column));
                for output in &mut step.outputs {
                    output.writes.iter_mut().chain(&mut output.keeps).for_each(number);
                    output.keeps.sort_unstable();
                }
            }
            match &mut route.tail {
                Tail::Nothing => {}
                Tail::Rows { columns, .. } => columns.iter_mut().for_each(number),
                Tail::Aggregate(aggregate) => {
                    aggregate.reads.iter_mut().for_each(|read| number(&mut read.column));
                    aggregate.keys.iter_mut().for_each(|key| number(&mut key.column));
                }
            }
        }
    }
}

/// What a plugin wrote on the way to this place.
#[derive(Clone, Debug)]
pub struct Written {
    pub name: String,
    pub kind: Kind,
    pub repeated: bool,
    pub role: Role,
    pub unit: String,
    pub column: ColumnId,
    /// The plugin's name in the configuration.
    pub by: String,
}

/// Which values a row has at one place of its way.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    pub written: Vec<Written>,
    /// The plugin behind which rows no longer have the event's payload, for it writes new rows.
    pub cut_by: Option<String>,
}

impl Scope {
    pub fn find(&self, name: &str) -> Option<&Written> {
        self.written.iter().find(|written| written.name == name)
    }

    /// Behind `output` of the plugin `by`, which writes the columns `writes`.
    pub fn behind(&self, by: &str, output: &Output, writes: &[ColumnId]) -> Scope {
        let mut scope =
            if output.extends { self.clone() } else { Scope { written: Vec::new(), cut_by: Some(by.to_owned()) } };
        for (field, &column) in output.fields.iter().zip(writes) {
            let written = Written {
                name: field.name.clone(),
                kind: field.kind,
                repeated: field.repeated,
                role: field.role,
                unit: field.unit.clone(),
                column,
                by: by.to_owned(),
            };
            match scope.written.iter_mut().find(|known| known.name == field.name) {
                Some(known) => *known = written,
                None => scope.written.push(written),
            }
        }
        scope
    }
}
