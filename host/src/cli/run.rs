//! `wasmill run`: a pipeline, until it is stopped or has read what there is.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum;
use wasmill_core::config::{Config, units};
use wasmill_kafka::ConnectionConfig;

use super::pipeline::{self, Pipeline};
use super::{FAILED, MISUSED};
use crate::assemble::PluginHandle;
use crate::plugin_log::{self, Voices};
use crate::supervisor::{self, Checked, Outcome, RunError, Settings};

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  wasmill run pipeline.toml               Run until SIGTERM or Ctrl-C: finishes what was read, commits, exits 0
  wasmill run pipeline.toml --until end   Read to the topics' ends as they are now, close every window, exit
  INFLUX_TOKEN=… wasmill run pipeline.toml --listen 127.0.0.1:9000")]
pub struct Args {
    /// The pipeline's TOML file
    file: PathBuf,
    /// Stop by itself: at the topics' ends as they are now
    #[arg(long, value_name = "WHEN")]
    until: Option<Until>,
    /// Where the page, the API and the metrics answer, instead of `[server] listen`
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Until {
    End,
}

pub fn run(args: &Args) -> ExitCode {
    let voices = Arc::new(Voices::default());
    let pipeline = match pipeline::load_to_run(&args.file, &plugin_log::shared(&voices)) {
        Ok(pipeline) => pipeline,
        Err(code) => return code,
    };
    let settings = Settings {
        name: name_of(&args.file),
        folder: pipeline.folder.clone(),
        connection: connection(&pipeline.config),
        create_topics: true,
        bounded: args.until == Some(Until::End),
        listen: args.listen.unwrap_or(pipeline.config.server.listen),
        stop_after: None,
        reload: Some(super::rebuild::reloading(&args.file, &pipeline, &voices)),
        voices,
        on_listening: Box::new(|address| tracing::info!("the page is at http://{address}/")),
    };
    finish(supervisor::run(checked(pipeline), settings))
}

/// The pipeline's file without its folder and ending; `pipeline.toml` goes by its folder's name.
pub fn name_of(file: &std::path::Path) -> String {
    let text = |part: Option<&std::ffi::OsStr>| part.map(|p| p.to_string_lossy().into_owned());
    let stem = text(file.file_stem()).unwrap_or_default();
    let folder = file.canonicalize().ok().and_then(|full| text(full.parent().and_then(|p| p.file_name())));
    match folder {
        Some(folder) if stem == "pipeline" => folder,
        _ => stem,
    }
}

pub fn connection(config: &Config) -> ConnectionConfig {
    let properties = config.kafka.properties.iter().map(|(k, v)| (k.clone(), v.expose().to_owned())).collect();
    ConnectionConfig { properties, ..ConnectionConfig::new(config.kafka.brokers.clone()) }
}

/// By the plan's numbers.
pub fn checked(pipeline: Pipeline) -> Checked {
    let plugins = pipeline
        .plan
        .plugins
        .iter()
        .filter_map(|used| pipeline.plugins.iter().find(|loaded| loaded.name == used.name))
        .map(|loaded| PluginHandle {
            plugin: Arc::clone(&loaded.plugin) as Arc<dyn wasmill_core::plugin::Plugin>,
            sha256: loaded.plugin.release().sha256().to_owned(),
        })
        .collect();
    Checked { config: pipeline.config, plan: Arc::new(pipeline.plan), plugins }
}

/// Says what went wrong, and turns it into an exit code.
pub fn finish(result: Result<Outcome, RunError>) -> ExitCode {
    match result {
        Ok(outcome) if outcome.clean => ExitCode::SUCCESS,
        Ok(outcome) => {
            for problem in outcome.problems {
                eprintln!("error: {problem}");
            }
            ExitCode::from(FAILED)
        }
        Err(RunError::Misused(message)) => {
            eprintln!("error: {message}");
            ExitCode::from(MISUSED)
        }
        Err(RunError::Failed(message)) => {
            eprintln!("error: {message}");
            ExitCode::from(FAILED)
        }
    }
}

/// A length of time as the configuration writes it (`30s`, `5m`), for arguments.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    units::duration(text).map(|nanos| Duration::from_nanos(nanos.unsigned_abs()))
}
