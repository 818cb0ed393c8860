//! W2 as a pipeline's file, and what a process makes of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use wasmill::assemble::{self, PluginHandle};
use wasmill::cli::pipeline::{self, Pipeline};
use wasmill::cli::run;
use wasmill::supervisor::{self, Checked, Settings};
use wasmill::task::SourceRuntime;

use crate::Result;
use crate::native::Native;

/// What varies from one pipeline of the benchmark to the next.
#[derive(Clone, Copy)]
pub struct Variant<'a> {
    pub brokers: &'a str,
    pub topic: &'a str,
    pub group: &'a str,
    /// The topic's key is the route's: partitions are independent. Otherwise their panes meet in the exchange.
    pub aligned: bool,
    pub window: &'a str,
    pub out_of_orderness: &'a str,
}

impl Variant<'_> {
    /// W2: what is a `view` is counted by ad in windows of 10 s. Rows go to standard output, so that each run can be checked.
    pub const W2: Variant<'static> = Variant {
        brokers: "127.0.0.1:1",
        topic: "ads",
        group: "bench",
        aligned: true,
        window: r#"{ tumbling = "10s" }"#,
        out_of_orderness: "1s",
    };

    fn toml(&self) -> String {
        let Variant { brokers, topic, group, aligned, window, out_of_orderness } = self;
        let partitioned = if *aligned { "partitioned_by = [\"ad_id\"]" } else { "" };
        format!(
            r#"
[kafka]
brokers = "{brokers}"
[server]
listen = "127.0.0.1:0"
[sources.ads]
topic = "{topic}"
group = "{group}"
format = "json"
time = "event_time"
out_of_orderness = "{out_of_orderness}"
start = "earliest"
{partitioned}
[plugins.views]
path = "builtin:filter"
config = {{ field = "event_type", equals = ["view"] }}
[plugins.count]
path = "builtin:count"
[sinks.out]
type = "stdout"
[routes.per_ad]
from = "ads"
transform = ["views"]
key = ["ad_id"]
aggregate = "count"
window = {window}
to = ["out"]
"#
        )
    }

    /// Writes it to `folder`.
    ///
    /// # Errors
    /// What the file says.
    pub fn write(&self, folder: &Path) -> Result<PathBuf> {
        let path = folder.join(format!("{}.toml", self.group));
        std::fs::write(&path, self.toml())?;
        Ok(path)
    }
}

fn load(file: &Path) -> Result<Pipeline> {
    let checked = pipeline::check(file, &pipeline::silent).map_err(|(message, _)| message)?;
    let wrong = checked.diagnostics.iter().map(|d| format!("{d:?}")).collect::<Vec<_>>().join("\n");
    Ok(checked.pipeline.ok_or(wrong)?)
}

/// The plugins in the plan's order, with native code in the place of each.
fn native(checked: &Checked, filter: &str) -> Vec<PluginHandle> {
    let native = |used: &wasmill_core::plan::PluginUse| {
        let config = if used.name == "views" { filter.to_owned() } else { String::new() };
        PluginHandle { plugin: Arc::new(Native { name: used.name.clone(), config }), sha256: "native".to_owned() }
    };
    checked.plan.plugins.iter().map(native).collect()
}

fn filter_config(pipeline: &Pipeline) -> String {
    pipeline.config.plugins.iter().find(|p| p.name.value == "views").map(|p| p.config.to_string()).unwrap_or_default()
}

/// A pipeline's parts without Kafka: what a task needs, once with its plugins in WebAssembly and once native.
pub struct Parts {
    checked: Checked,
    filter: String,
}

impl Parts {
    /// # Errors
    /// The pipeline is refused, which it should not be.
    pub fn new(variant: &Variant<'_>) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let pipeline = load(&variant.write(folder.path())?)?;
        let filter = filter_config(&pipeline);
        Ok(Parts { filter, checked: run::checked(pipeline) })
    }

    pub fn wasm_plugins(&self) -> Vec<PluginHandle> {
        self.checked.plugins.clone()
    }

    pub fn native_plugins(&self) -> Vec<PluginHandle> {
        native(&self.checked, &self.filter)
    }

    /// # Errors
    /// The plan has no source.
    pub fn runtime(&self, plugins: &[PluginHandle]) -> Result<Arc<SourceRuntime>> {
        let figures = assemble::figures(&self.checked.config, &self.checked.plan, plugins);
        let mut runtimes = assemble::runtimes(&self.checked.plan, plugins, &assemble::Counted::of(&figures), &figures);
        Ok(runtimes.pop().ok_or("the plan has no source")?)
    }
}

/// `wasmill run FILE --until end`, with native plugins.
///
/// # Errors
/// What the run says.
pub fn run_with_native_plugins(file: &str) -> Result<()> {
    let pipeline = load(Path::new(file))?;
    let filter = filter_config(&pipeline);
    let settings = Settings {
        name: "bench".to_owned(),
        folder: pipeline.folder.clone(),
        connection: run::connection(&pipeline.config),
        create_topics: false,
        bounded: true,
        listen: pipeline.config.server.listen,
        reload: None,
        stop_after: None,
        voices: Arc::default(),
        on_listening: Box::new(|_| {}),
    };
    let mut checked = run::checked(pipeline);
    checked.plugins = native(&checked, &filter);
    let outcome = supervisor::run(checked, settings)?;
    match outcome.clean {
        true => Ok(()),
        false => Err(outcome.problems.join("; ").into()),
    }
}
