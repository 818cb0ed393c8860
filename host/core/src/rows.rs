//! Rows on their way out: columns with names, roles and times, as sinks take them.

use std::sync::Arc;

use crate::batch::Column;
use crate::schema::{Kind, Role};
use crate::time::Nanos;

/// A column of outgoing rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowColumn {
    pub name: String,
    pub kind: Kind,
    /// `Tag` or `Field`; a `Time` column has been applied to [`Rows::times`] already.
    pub role: Role,
    /// For charts; empty if none.
    pub unit: String,
}

/// What the rows of one route's output look like: key tags first, then the plugin's columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowSchema {
    /// The route (and output, if it has several: `parse.alerts`), for figures and errors.
    pub route: String,
    pub columns: Vec<RowColumn>,
}

/// Rows of one route's output. `times` has one entry a row (nanoseconds), each column as many rows.
#[derive(Clone, Debug)]
pub struct Rows {
    pub schema: Arc<RowSchema>,
    pub times: Vec<Nanos>,
    pub columns: Vec<Column>,
}

impl Rows {
    pub fn len(&self) -> usize {
        self.times.len()
    }

    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }
}
