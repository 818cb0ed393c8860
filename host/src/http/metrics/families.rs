//! Every metric: its name, what it means, and where it is read. `host/docs/metrics.md` says more of each; a test compares the two.

use std::sync::atomic::Ordering::Relaxed;

use wasmill_core::time::{BEGINNING, END, Nanos};

use crate::figures::{Durations, Note, PartitionFigures, PluginFigures, RouteFigures, SinkFigures, SourceFigures};
use crate::reload::Reloads;

/// One metric of one kind of thing. `name` is the whole name, with `_total` where it is a counter.
pub struct Metric<T: 'static> {
    pub name: &'static str,
    pub help: &'static str,
    pub read: Read<T>,
}

pub enum Read<T: 'static> {
    Counter(fn(&T) -> u64),
    /// Given the clock; `None`: nothing to say yet.
    Gauge(fn(&T, Nanos) -> Option<f64>),
    Histogram(fn(&T) -> &Durations),
}

const fn counter<T>(name: &'static str, help: &'static str, read: fn(&T) -> u64) -> Metric<T> {
    Metric { name, help, read: Read::Counter(read) }
}

const fn gauge<T>(name: &'static str, help: &'static str, read: fn(&T, Nanos) -> Option<f64>) -> Metric<T> {
    Metric { name, help, read: Read::Gauge(read) }
}

const fn histogram<T>(name: &'static str, help: &'static str, read: fn(&T) -> &Durations) -> Metric<T> {
    Metric { name, help, read: Read::Histogram(read) }
}

fn flag(value: bool) -> Option<f64> {
    Some(f64::from(u8::from(value)))
}

/// 1 while there is no fault.
fn up(fault: &Note) -> Option<f64> {
    flag(fault.get().is_none())
}

fn known(level: i64) -> Option<f64> {
    (level >= 0).then_some(level as f64)
}

/// The watermark, while it is a time.
fn watermark(figures: &PartitionFigures) -> Option<Nanos> {
    Some(figures.watermark.get()).filter(|w| *w != BEGINNING && *w != END)
}

/// Labels: `source`, `topic`, `partition`.
pub const PARTITION: &[Metric<PartitionFigures>] = &[
    counter("wasmill_source_events_total", "Kafka records taken from the partition", |p| p.events.get()),
    counter("wasmill_source_bytes_total", "Bytes of keys, values and headers of those records", |p| p.bytes.get()),
    gauge("wasmill_consumer_position", "The next offset to be handled", |p, _| known(p.position.get())),
    gauge("wasmill_consumer_committed_offset", "The offset that the group has committed", |p, _| {
        known(p.committed.get())
    }),
    gauge("wasmill_consumer_end_offset", "The log's end as last heard of", |p, _| known(p.end_offset.get())),
    gauge("wasmill_consumer_lag", "Records between the position and the log's end", |p, _| {
        p.lag().map(|lag| lag as f64)
    }),
    gauge("wasmill_watermark_timestamp_seconds", "The watermark as Unix time", |p, _| {
        watermark(p).map(|w| w as f64 / 1e9)
    }),
    gauge("wasmill_watermark_delay_seconds", "The clock minus the watermark", |p, now| {
        watermark(p).map(|w| (now - w) as f64 / 1e9)
    }),
    gauge("wasmill_partition_idle", "1 while the partition is quiet and holds no windows open", |p, _| {
        flag(p.idle.load(Relaxed))
    }),
    gauge("wasmill_partition_replaying", "1 while state is rebuilt from the low mark", |p, _| {
        flag(p.replaying.load(Relaxed))
    }),
    gauge("wasmill_partition_paused", "1 while fetching is paused because the queue is full", |p, _| {
        flag(p.paused.load(Relaxed))
    }),
    gauge("wasmill_source_queued_bytes", "Bytes fetched and not yet handled", |p, _| known(p.queued_bytes.get())),
];

/// Labels: `source`.
pub const SOURCE: &[Metric<SourceFigures>] = &[
    gauge("wasmill_source_up", "1 while the source reads, 0 while a fault keeps it from that", |s, _| up(&s.fault)),
    gauge("wasmill_source_partitions", "Partitions that this instance holds", |s, _| Some(s.assigned().len() as f64)),
    counter("wasmill_source_tombstones_total", "Records without a value, skipped", |s| s.tombstones.get()),
    counter("wasmill_source_invalid_total", "Records refused before any route saw them", |s| s.invalid.get()),
    counter("wasmill_commits_total", "Commits of offsets", |s| s.commits.get()),
    counter("wasmill_commit_failures_total", "Commits that failed", |s| s.commit_failures.get()),
    histogram("wasmill_commit_seconds", "Time from a checkpoint to its commit", |s| &s.commit_seconds),
    counter("wasmill_task_rebuilds_total", "Tasks dropped and rebuilt by replay", |s| s.rebuilds.get()),
];

/// Labels: `source`, `route`.
pub const ROUTE: &[Metric<RouteFigures>] = &[
    counter("wasmill_route_rows_in_total", "Rows that reached the route", |r| r.rows_in.get()),
    counter("wasmill_route_filtered_total", "Rows that `where` left out", |r| r.filtered.get()),
    counter("wasmill_route_rejected_total", "Rows refused on the route, late ones aside", |r| r.rejected.get()),
    counter("wasmill_route_late_total", "Rows later than the lateness allows", |r| r.late.get()),
    counter("wasmill_route_accepted_total", "Rows folded into windows, or passed on where there is none", |r| {
        r.accepted.get()
    }),
    counter("wasmill_route_rows_out_total", "Rows written to sinks", |r| r.rows_out.get()),
    counter("wasmill_route_windows_on_time_total", "Windows of a key emitted when the watermark passed them", |r| {
        r.windows_on_time.get()
    }),
    counter("wasmill_route_windows_early_total", "Windows of a key emitted while they ran", |r| r.windows_early.get()),
    counter("wasmill_route_windows_late_total", "Windows of a key emitted again, corrected by late rows", |r| {
        r.windows_late.get()
    }),
    counter("wasmill_route_lost_states_total", "States that came to the exchange too late; must stay 0", |r| {
        r.lost_states.get()
    }),
    gauge("wasmill_route_slots", "Keys in open panes: states that aggregators hold", |r, _| known(r.slots.get())),
];

/// Labels: `plugin`, `release` (the first 12 hex digits).
pub const PLUGIN: &[Metric<PluginFigures>] = &[
    gauge("wasmill_plugin_up", "1 while the plugin works, 0 while a fault stops its source", |p, _| up(&p.fault)),
    counter("wasmill_plugin_calls_total", "Calls into the plugin; rows over calls is the mean batch", |p| {
        p.calls.get()
    }),
    counter("wasmill_plugin_rows_total", "Rows given to the plugin", |p| p.rows.get()),
    counter("wasmill_plugin_rejects_total", "Rows that the plugin refused", |p| p.rejects.get()),
    counter("wasmill_plugin_traps_total", "Calls that trapped or reached a limit", |p| p.traps.get()),
    histogram("wasmill_plugin_call_seconds", "Time of one call", |p| &p.call_seconds),
    gauge("wasmill_plugin_memory_bytes", "Linear memory of the plugin's instances", |p, _| known(p.memory_bytes.get())),
];

/// What plugins count themselves has their names behind this. Label: `plugin`.
pub const OWN_PREFIX: &str = "wasmill_plugin_";
pub const OWN_HELP: &str = "A figure of the plugin's own";

/// Labels: `sink`, `kind`.
pub const SINK: &[Metric<SinkFigures>] = &[
    gauge("wasmill_sink_up", "1 while the sink takes rows, 0 while a fault keeps it from that", |s, _| up(&s.fault)),
    counter("wasmill_sink_rows_total", "Rows that the sink acknowledged", |s| s.rows.get()),
    counter("wasmill_sink_bytes_total", "Bytes sent to the sink", |s| s.bytes.get()),
    counter("wasmill_sink_retries_total", "Writes tried again", |s| s.retries.get()),
    counter("wasmill_sink_refused_total", "Points that the sink refused for ever; dead-lettered", |s| s.refused.get()),
    counter("wasmill_sink_not_finite_total", "NaN and infinite values left out of points", |s| s.not_finite.get()),
    counter("wasmill_sink_empty_total", "Rows without any value, of which no point was made", |s| s.empty.get()),
    gauge("wasmill_sink_queued_rows", "Rows waiting to be written", |s, _| known(s.queued_rows.get())),
    histogram("wasmill_sink_write_seconds", "Time of one write, retries aside", |s| &s.write_seconds),
];

/// No labels.
pub const RELOAD: &[Metric<Reloads>] = &[
    histogram("wasmill_reload_seconds", "Time from a request to the new release's first batch", |r| &r.seconds),
    histogram("wasmill_reload_pause_seconds", "How long a lane or an exchange stood still for a reload", |r| {
        &r.pause_seconds
    }),
];
/// Label: `outcome`.
pub const RELOADS: (&str, &str) = ("wasmill_reloads_total", "Reloads: changed, unchanged or refused");

/// Labels: `source`, `route`, `stage`, `code`, `outcome`.
pub const REFUSALS: (&str, &str) =
    ("wasmill_refusals_total", "Events refused, by where and why; outcome is dead-letter or dropped");
/// Labels: `version`, `pipeline`.
pub const INFO: (&str, &str) = ("wasmill_build_info", "1; the labels say the version and the pipeline's name");
pub const READY: (&str, &str) = ("wasmill_ready", "1 while every source is connected and every sink takes rows");
pub const STARTED: (&str, &str) = ("process_start_time_seconds", "When the process started, Unix time");
pub const MEMORY: (&str, &str) = ("process_resident_memory_bytes", "Resident memory; on Linux only");
pub const CPU: (&str, &str) = ("process_cpu_seconds_total", "User and system CPU time; on Linux only");

/// Every name there is.
#[cfg(test)]
pub fn names() -> Vec<&'static str> {
    let mut names: Vec<&str> = [RELOADS, REFUSALS, INFO, READY, STARTED, MEMORY, CPU].map(|(name, _)| name).to_vec();
    names.extend(PARTITION.iter().map(|m| m.name));
    names.extend(SOURCE.iter().map(|m| m.name));
    names.extend(ROUTE.iter().map(|m| m.name));
    names.extend(PLUGIN.iter().map(|m| m.name));
    names.extend(SINK.iter().map(|m| m.name));
    names.extend(RELOAD.iter().map(|m| m.name));
    names
}
