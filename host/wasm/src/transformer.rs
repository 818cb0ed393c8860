//! Instances of transformers.

use std::sync::Arc;

use wasmill_core::batch::Batch;
use wasmill_core::plugin::{CallError, Results, Transformer};
use wasmill_core::schema::Descriptor;

use crate::cut::{self, Piece};
use crate::instance::Instance;
use crate::lift::{self, Inputs};
use crate::lower::Encoded;
use crate::v0_1;

/// A configured instance.
pub(crate) struct TransformerInstance {
    pub(crate) instance: Instance<v0_1::Transformer>,
    pub(crate) descriptor: Arc<Descriptor>,
}

impl TransformerInstance {
    fn call(&mut self, input: Batch<'_>) -> Result<Results, CallError> {
        let encoded = Encoded::new(input.columns, &self.descriptor.reads);
        let columns = encoded.params(input.columns);
        let batch = v0_1::Batch { rows: input.rows, columns: &columns };
        let inputs = Inputs { count: input.rows, noun: "row" };
        let output_bytes = self.instance.identity().limits.output_bytes;
        self.instance.call(
            "transform",
            |world, store| world.wasmill_plugin_transform().call_transform(store, batch),
            |returned| lift::results(returned, &self.descriptor.outputs, inputs, output_bytes),
        )
    }
}

impl Transformer for TransformerInstance {
    fn transform(&mut self, input: Batch<'_>) -> Result<Results, CallError> {
        if cut::fits(input) {
            return self.call(input);
        }
        let mut results = Results::default();
        for rows in cut::halves(input.rows) {
            let piece = Piece::gather(input.columns, &rows);
            let part = self.transform(Batch { rows: piece.rows, columns: &piece.columns() })?;
            cut::join(&mut results, part, rows.first().copied().unwrap_or_default(), piece.rows);
        }
        Ok(results)
    }
}
