//! The table of all results, for the terminal and for a file.

use std::fmt::Write as _;
use std::path::Path;

use crate::Result;

/// What a figure should not exceed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    None,
    AtMost(f64),
}

/// One measured figure.
#[derive(Clone, Debug)]
pub struct Row {
    pub what: String,
    pub value: f64,
    pub unit: String,
    pub target: Target,
    /// How it varied, what it is made of.
    pub note: String,
}

impl Row {
    pub fn new(what: impl Into<String>, value: f64, unit: &str) -> Self {
        Row { what: what.into(), value, unit: unit.to_owned(), target: Target::None, note: String::new() }
    }

    pub fn at_most(self, limit: f64) -> Self {
        Row { target: Target::AtMost(limit), ..self }
    }

    pub fn note(self, note: impl Into<String>) -> Self {
        Row { note: note.into(), ..self }
    }

    /// A line for the process that gathers the report: [`Row::read`] reads it back.
    pub fn print(&self) {
        let limit = match self.target {
            Target::None => String::new(),
            Target::AtMost(limit) => limit.to_string(),
        };
        println!("row\t{}\t{}\t{}\t{limit}\t{}", self.what, self.value, self.unit, self.note);
    }

    fn read(line: &str) -> Option<Self> {
        let mut fields = line.strip_prefix("row\t")?.split('\t');
        let (what, value, unit) = (fields.next()?, fields.next()?.parse().ok()?, fields.next()?);
        let limit = fields.next()?;
        let row = Row::new(what, value, unit).note(fields.next()?);
        Some(match limit.parse() {
            Ok(limit) => row.at_most(limit),
            Err(_) => row,
        })
    }

    fn cells(&self) -> [String; 5] {
        let value = match self.value {
            value if value < 10.0 => format!("{value:.2}"),
            value if value < 100.0 => format!("{value:.1}"),
            value => format!("{value:.0}"),
        };
        let (target, verdict) = match self.target {
            Target::None => (String::new(), ""),
            Target::AtMost(limit) => (format!("≤ {limit}"), if self.value <= limit { "ok" } else { "missed" }),
        };
        [self.what.clone(), format!("{value} {}", self.unit), target, verdict.to_owned(), self.note.clone()]
    }
}

/// The rows so far.
pub struct Report {
    events: u64,
    rows: Vec<Row>,
}

impl Report {
    pub fn new(events: u64) -> Self {
        Report { events, rows: Vec::new() }
    }

    pub fn push(&mut self, row: Row) {
        let [what, value, ..] = row.cells();
        eprintln!("  {what}: {value}");
        self.rows.push(row);
    }

    /// Adds what a part printed.
    ///
    /// # Errors
    /// It printed nothing that is a row.
    pub fn section(&mut self, printed: String) -> Result<()> {
        let rows: Vec<Row> = printed.lines().filter_map(Row::read).collect();
        if rows.is_empty() {
            return Err(format!("a part of the benchmark gave no figures; it said: {printed}").into());
        }
        rows.into_iter().for_each(|row| self.push(row));
        Ok(())
    }

    /// Prints the table, and writes it beside the build.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn finish(&self) -> Result<()> {
        let table = self.table();
        println!("\n{table}");
        let folder = std::env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"), Into::into);
        std::fs::create_dir_all(&folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
        let path = folder.join("bench-report.md");
        let text = format!("# Benchmark, {} events\n\n{table}", self.events);
        std::fs::write(&path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        println!("written to {}", path.canonicalize().unwrap_or(path).display());
        Ok(())
    }

    fn table(&self) -> String {
        let mut lines = vec![["what", "measured", "target", "", "how"].map(str::to_owned)];
        lines.extend(self.rows.iter().map(Row::cells));
        let width = |column: usize| lines.iter().map(|cells| cells[column].chars().count()).max().unwrap_or(0);
        let widths: [usize; 5] = std::array::from_fn(width);
        let mut text = String::new();
        for (number, cells) in lines.iter().enumerate() {
            for (cell, &width) in cells.iter().zip(&widths) {
                let _ = write!(text, "| {cell:width$} ");
            }
            text.push_str("|\n");
            if number == 0 {
                widths.iter().for_each(|&width| _ = write!(text, "|{:-<1$}", "", width + 2));
                text.push_str("|\n");
            }
        }
        text
    }
}

/// The middle one; the mean of the two in the middle of an even number.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match (sorted.get(sorted.len() / 2), sorted.len() % 2) {
        (None, _) => f64::NAN,
        (Some(&middle), 1) => middle,
        (Some(&middle), _) => (middle + sorted[sorted.len() / 2 - 1]) / 2.0,
    }
}

/// `min..max`, for notes.
pub fn spread(values: &[f64]) -> String {
    let min = values.iter().copied().fold(f64::INFINITY, f64::min);
    let max = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    format!("{min:.0}..{max:.0}")
}
