//! Bindings of `wit/v0.1`, under the names that the rest of the crate uses.
//!
//! With borrowed parameters the generator names a type by its use (`ColumnParam`, `ColumnResult`), so a new function in the
//! contract may rename types: only this file notices.

mod transformer_world {
    wasmtime::component::bindgen!({
        world: "transformer",
        path: "../../wit/v0.1",
        ownership: Borrowing { duplicate_if_necessary: true },
    });
}

mod aggregator_world {
    wasmtime::component::bindgen!({
        world: "aggregator",
        path: "../../wit/v0.1",
        ownership: Borrowing { duplicate_if_necessary: true },
        // Or every shared type would exist twice.
        with: {
            "wasmill:plugin/types": super::transformer_world::wasmill::plugin::types,
            "wasmill:plugin/log": super::transformer_world::wasmill::plugin::log,
            "wasmill:plugin/metrics": super::transformer_world::wasmill::plugin::metrics,
        },
    });
}

pub(crate) use aggregator_world::exports::wasmill::plugin::aggregate::Firing;
pub(crate) use aggregator_world::exports::wasmill::plugin::state::StateVersions;
pub(crate) use aggregator_world::{Aggregator, AggregatorPre};
pub(crate) use transformer_world::wasmill::plugin::log::{Host as LogHost, Level};
pub(crate) use transformer_world::wasmill::plugin::metrics::Host as MetricsHost;
pub(crate) use transformer_world::wasmill::plugin::types::{
    Batch, ColumnParam, ColumnResult as Column, Descriptor, DictionaryParam, DictionaryResult as Dictionary, Emitted,
    Field, Host as TypesHost, Kind, Output, OutputField, Reject, Results, Role, StringsParam, StringsResult as Strings,
    ValuesParam, ValuesResult as Values, Window,
};
pub(crate) use transformer_world::{Transformer, TransformerPre};
