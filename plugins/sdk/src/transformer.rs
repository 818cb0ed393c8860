//! Plugins from rows to rows.

use serde::de::DeserializeOwned;

use crate::columns::Batch;
use crate::event::Event;
use crate::reject::{Reject, Rejected, Results};
use crate::row::{Out, Row};
use crate::schema::{About, Descriptor, Field, Output};

/// A stateless plugin: a row becomes 0..n rows in each output. Export it with [`transformer!`](crate::transformer).
pub trait Transformer: Sized + 'static {
    /// The plugin's `config` table; `()` for none. `#[serde(deny_unknown_fields)]` turns typing mistakes into errors.
    type Config: DeserializeOwned + 'static;
    type Event<'a>: Event<'a>;
    type Output<'a>: Row;

    /// True: rows keep the columns of their event, and what is written is added or replaced, so that later steps and the
    /// route's keys find what they look for. False: rows have only what is written.
    const EXTENDS: bool = true;

    /// `Err`: the configuration is refused; the text is shown to the user as it is.
    fn new(config: Self::Config) -> Result<Self, String>;

    /// Override it (with [`Dynamic`](crate::Dynamic) events) if the configuration says what is read.
    fn reads(&self) -> Vec<Field> {
        <Self::Event<'static> as Event<'static>>::fields()
    }

    /// Override it (with [`Cells`](crate::Cells) rows) if the configuration says what is written.
    fn writes(&self) -> Vec<Output> {
        <Self::Output<'static> as Row>::outputs()
    }

    /// `Err`: the row goes to the dead letters with this reason; what it had written is dropped; the rest goes on.
    fn transform<'a>(&self, event: Self::Event<'a>, out: &mut Out<Self::Output<'a>>) -> Result<(), Reject>;
}

/// A configured transformer: what stands behind the component's exports, and runs natively just as well.
pub struct TransformerInstance<T> {
    plugin: T,
    outputs: Vec<Output>,
}

impl<T: Transformer> TransformerInstance<T> {
    /// `config` is JSON; empty means none.
    pub fn new(config: &str, about: About) -> Result<(Self, Descriptor), String> {
        let plugin = T::new(crate::config::parse(config)?)?;
        let mut outputs = plugin.writes();
        for output in &mut outputs {
            output.extends = T::EXTENDS;
        }
        let descriptor = Descriptor {
            name: about.name.to_owned(),
            version: about.version.to_owned(),
            doc: about.doc.to_owned(),
            reads: plugin.reads(),
            outputs: outputs.clone(),
        };
        Ok((TransformerInstance { plugin, outputs }, descriptor))
    }

    pub fn transform<'b>(&self, batch: &Batch<'b>) -> Results {
        let rows = batch.rows as usize;
        let columns = <T::Event<'b> as Event<'b>>::bind(batch);
        let mut out = Out::<T::Output<'b>>::new(&self.outputs, rows);
        let mut rejects = Vec::new();
        for row in 0..rows {
            out.start(row as u32);
            if let Err(Reject(reason)) =
                self.plugin.transform(<T::Event<'b> as Event<'b>>::row(&columns, row), &mut out)
            {
                out.rewind();
                rejects.push(Rejected { row: row as u32, reason });
            }
        }
        Results { outputs: out.finish(rows), rejects }
    }
}
