//! The command line. Exit codes: 0 well, 1 failed, 2 wrong use or configuration.

mod check;
mod demo;
pub mod logs;
pub mod pipeline;
mod plugin;
mod produce;
mod rebuild;
mod reload;
mod remote;
pub mod render;
mod replay;
pub mod run;
mod schema;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// It ran and did not succeed.
pub const FAILED: u8 = 1;
/// It was not asked for properly: arguments or configuration.
pub const MISUSED: u8 = 2;

/// Streaming analytics: Kafka through WebAssembly plugins and event-time windows to InfluxDB.
#[derive(Parser, Debug)]
#[command(version, max_term_width = 100, after_help = EXAMPLES)]
struct Cli {
    /// What to log, as `RUST_LOG`: a level, or levels by module (`info,wasmill=debug`)
    #[arg(long, global = true, env = "RUST_LOG", value_name = "FILTER", hide_env_values = true)]
    log: Option<String>,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  wasmill demo                             See an example run; prints the dashboard's address
  wasmill run pipeline.toml                Run a pipeline until SIGTERM or Ctrl-C
  wasmill check pipeline.toml              Find all mistakes, without connecting to anything
  wasmill check --explain pipeline.toml    Also say what would run, and why so
  wasmill replay pipeline.toml --from -1h  The last hour's points again, written nowhere
  wasmill plugin new revenue               Start a plugin of your own
  wasmill reload                           Let a running pipeline read its files again
  wasmill schema > wasmill.schema.json     For editors that complete and check TOML

Exit codes: 0 well, 1 failed, 2 wrong use or configuration.";

#[derive(Subcommand, Debug)]
enum Command {
    /// Run a pipeline: from Kafka through its plugins and windows to its sinks
    Run(run::Args),
    Check(check::Args),
    /// Run a pipeline's own tests: events in, points out, no broker
    Test(test::Args),
    Replay(replay::Args),
    /// See it run: an example on a broker and a store inside this process
    Demo(demo::Args),
    /// Make synthetic events of the use cases
    Produce(produce::Args),
    Plugin(plugin::Args),
    Reload(reload::Args),
    Schema(schema::Args),
}

/// Parses the arguments and runs the command. Clap itself exits with 2 on wrong use, and with 0 after `--help`.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Err(message) = logs::start(cli.log.as_deref()) {
        eprintln!("error: {message}");
        return ExitCode::from(MISUSED);
    }
    match cli.command {
        Command::Run(args) => run::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Produce(args) => produce::run(&args),
        Command::Plugin(args) => plugin::run(&args),
        Command::Reload(args) => reload::run(&args),
        Command::Schema(args) => schema::run(&args),
    }
}

/// Prints to standard output. Whoever closed the pipe has seen enough: that is no failure.
fn print(text: &str) -> ExitCode {
    use std::io::Write;
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            eprintln!("error: cannot write to standard output: {error}");
            ExitCode::from(FAILED)
        }
        _ => ExitCode::SUCCESS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_of_the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
