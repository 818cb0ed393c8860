//! What it costs to cross into WebAssembly: the same plugin on the same rows, once there and once native.

use std::hint::black_box;

use wasmill_core::batch::{Batch, Column, Strings, Values};
use wasmill_core::plugin::Transformer;

use crate::Result;
use crate::pipeline::{Parts, Variant};
use crate::process::thread_cpu;
use crate::report::{Row, median};

const SIZES: [u32; 4] = [256, 1024, 4096, 8192];
/// From this size on the crossing has a target; the consumer's batches are larger.
const TARGET_FROM: u32 = 1024;
const TARGET_NS: f64 = 6.0;
const ROUNDS: usize = 25;
/// Rows a measurement.
const ROWS: u32 = 1 << 19;

fn event_types(rows: u32) -> Column {
    let mut random = fastrand::Rng::with_seed(3);
    let mut texts = Strings::default();
    for _ in 0..rows {
        texts.push(["view", "click", "purchase"][random.usize(0..3)].as_bytes());
    }
    texts.data.reserve(wasmill_core::batch::SLACK_BYTES);
    Column::new(Values::Texts(texts))
}

/// CPU-ns a row, and how many rows were kept.
fn run(filter: &mut dyn Transformer, column: &Column, rows: u32) -> Result<(f64, u32)> {
    let (calls, mut kept) = (ROWS / rows, 0);
    let before = thread_cpu();
    for _ in 0..calls {
        let results = filter.transform(Batch { rows, columns: &[black_box(column)] })?;
        kept += results.outputs.first().map_or(0, |output| output.count);
    }
    Ok(((thread_cpu() - before).as_nanos() as f64 / f64::from(calls * rows), kept))
}

/// Prints the rows of this part.
///
/// # Errors
/// A plugin that fails, or keeps other rows there than here.
pub fn measure() -> Result<()> {
    let parts = Parts::new(&Variant::W2)?;
    let filter_of = |handles: Vec<wasmill::assemble::PluginHandle>| {
        let found = handles.into_iter().find(|handle| handle.plugin.name() == "views");
        found.ok_or("the plan has no filter").map(|handle| handle.plugin.transformer())
    };
    let mut wasm = filter_of(parts.wasm_plugins())??;
    let mut native = filter_of(parts.native_plugins())??;
    for rows in SIZES {
        let column = event_types(rows);
        let (mut wasm_ns, mut native_ns, mut crossing) = (vec![], vec![], vec![]);
        for round in 0..=ROUNDS {
            let (w, kept) = run(wasm.as_mut(), &column, rows)?;
            let (n, kept_natively) = run(native.as_mut(), &column, rows)?;
            if kept != kept_natively {
                return Err(format!("the filter kept {kept} rows in wasm and {kept_natively} natively").into());
            }
            if round > 0 {
                wasm_ns.push(w);
                native_ns.push(n);
                crossing.push(w - n);
            }
        }
        let note = format!("filter {:.1} in wasm, {:.1} native", median(&wasm_ns), median(&native_ns));
        let row = Row::new(format!("crossing, {rows} rows a batch"), median(&crossing), "ns/row").note(note);
        if rows < TARGET_FROM { row.print() } else { row.at_most(TARGET_NS).print() }
    }
    Ok(())
}
