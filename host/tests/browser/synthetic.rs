//! A pipeline that only seems to run: a plan, figures that move, points that keep coming.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use wasmill::figures::{
    Figures, PartitionFigures, PluginFigures, RefusalKey, RouteFigures, SinkFigures, SourceFigures,
};
use wasmill::http::store::{Point, Value};
use wasmill_core::dead_letter::Stage;
use wasmill_core::decode_spec::{Format, TimeFormat};
use wasmill_core::plan::*;
use wasmill_core::rows::{RowColumn, RowSchema};
use wasmill_core::schema::{Descriptor, Kind, Role};
use wasmill_core::time::{MINUTE, Nanos, SECOND};

use crate::store::MemoryStore;

/// A tag value that would run a script if it were ever markup.
pub const HOSTILE: &str = "<img src=x onerror=\"document.title='owned'\">";
const STEP: Nanos = SECOND;
const HISTORY: i64 = 400;

pub struct World {
    pub plan: Arc<Plan>,
    pub figures: Arc<Figures>,
    pub store: Arc<MemoryStore>,
}

fn clock() -> Nanos {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as Nanos
}

fn column(name: &str, kind: Kind, role: Role, unit: &str) -> RowColumn {
    RowColumn { name: name.into(), kind, role, unit: unit.into() }
}

fn aggregate(route: &str, plugin: PluginId, key: &str, windows: WindowSpec, fields: Vec<RowColumn>) -> RoutePlan {
    let mut columns = vec![column(key, Kind::Text, Role::Tag, "")];
    columns.extend(fields);
    let name = key.to_owned();
    let tail = Tail::Aggregate(AggregatePlan {
        plugin,
        reads: Vec::new(),
        keys: vec![Key { column: 0, path: format!("data.{name}"), name }],
        lateness: if route == "revenue" { 30 * SECOND } else { 0 },
        windows,
        late: OnLate::DeadLetter,
        early: None,
        at: At::Start,
        exchanged: route == "revenue",
        schemas: vec![Arc::new(RowSchema { route: route.into(), columns })],
        times: vec![None],
    });
    let to = |sink| Target { sink, measurement: route.into(), tags: None, fields: None, key: Vec::new() };
    let (conditions, transforms) = (Vec::new(), Vec::new());
    RoutePlan { name: route.into(), from: From::Source, conditions, transforms, tail, targets: vec![to(0), to(1)] }
}

fn plan() -> Plan {
    let tumbling = |size| WindowSpec::Tumbling { sizes: vec![size], offset: 0, timezone: None };
    let float = |name, unit| column(name, Kind::Float, Role::Field, unit);
    let count = || column("count", Kind::Integer, Role::Field, "");
    let mut events = aggregate("events", 1, "event_type", tumbling(STEP), vec![count()]);
    events.transforms.push(TransformPlan { plugin: 0, reads: Vec::new(), outputs: Vec::new() });
    let sliding = WindowSpec::Sliding { size: 5 * MINUTE, every: STEP, offset: 0 };
    let money = vec![float("total", "USD"), count(), float("mean", "USD")];
    let mut revenue = aggregate("revenue", 2, "currency", sliding, money);
    let (path, values) = ("event_type".to_owned(), vec!["purchase".to_owned()]);
    revenue.conditions.push(Condition { column: 1, values, path });
    let times = vec![float("p95", "ms"), float("p50", "ms"), float("p99", "ms")];
    let latency = aggregate("latency", 3, "endpoint", tumbling(STEP), times);
    let hourly = aggregate("hourly", 1, "event_type", tumbling(60 * MINUTE), vec![count()]);
    let descriptor = |name: &str| Descriptor {
        name: name.into(),
        version: "1".into(),
        doc: String::new(),
        reads: Vec::new(),
        outputs: Vec::new(),
        options: Vec::new(),
    };
    let plugin = |name: &str| PluginUse { name: name.into(), descriptor: descriptor(name) };
    Plan {
        plugins: PLUGINS.map(plugin).to_vec(),
        sinks: vec!["charts".into(), "influx".into()],
        sources: vec![SourcePlan {
            name: "orders".into(),
            format: Format::Json,
            time_format: TimeFormat::Auto,
            fields: Vec::new(),
            time: TimeSource::Record,
            out_of_orderness: 2 * SECOND,
            idle_after: 10 * SECOND,
            max_ahead: MINUTE,
            on_invalid: OnInvalid::DeadLetter,
            frame: 2,
            time_column: None,
            routes: vec![events, revenue, latency, hourly],
        }],
    }
}

const PLUGINS: [&str; 4] = ["validate", "count", "revenue", "quantiles"];

fn figures() -> Figures {
    let source = SourceFigures {
        name: "orders".into(),
        topics: vec!["user-events".into()],
        group: "wasmill-commerce".into(),
        ..SourceFigures::default()
    };
    for n in 0..4 {
        source.partitions.write().unwrap().insert(("user-events".into(), n), Arc::new(PartitionFigures::default()));
    }
    let route =
        |name: &str| Arc::new(RouteFigures { name: name.into(), source: "orders".into(), ..RouteFigures::default() });
    let plugin = |(n, name): (usize, &str)| {
        let release = format!("{:x}", 0x9f3a_61c8_u64.wrapping_mul(n as u64 + 7)).repeat(8).chars().take(64).collect();
        Arc::new(PluginFigures { name: name.into(), release, ..PluginFigures::default() })
    };
    let sink = |(name, kind): (&str, &str)| {
        Arc::new(SinkFigures { name: name.into(), kind: kind.into(), ..SinkFigures::default() })
    };
    Figures::new(
        vec![Arc::new(source)],
        ["events", "revenue", "latency", "hourly"].map(route).to_vec(),
        PLUGINS.into_iter().enumerate().map(plugin).collect(),
        [("charts", "local"), ("influx", "influxdb")].map(sink).to_vec(),
    )
}

/// A steady wave with a little noise, the same for the same arguments.
fn wave(t: i64, phase: f64, mean: f64) -> f64 {
    let noise = ((t.wrapping_mul(2_654_435_761) ^ (phase * 977.0) as i64).rem_euclid(1000)) as f64 / 1000.0 - 0.5;
    mean * (1.0 + 0.25 * (t as f64 / 37.0 + phase).sin() + 0.12 * (t as f64 / 11.0 + phase * 3.0).sin() + 0.1 * noise)
}

fn point(measurement: &str, tag: (&str, &str), fields: &[(&str, Value)], t: i64) -> Point {
    Point {
        measurement: measurement.into(),
        tags: BTreeMap::from([(tag.0.to_owned(), tag.1.to_owned())]),
        fields: fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
        time: t * STEP,
    }
}

/// All points of second `t`. Between two spans of `latency` some windows are missing: a gap.
fn points(t: i64, start: i64) -> Vec<Point> {
    let mut points = Vec::new();
    for (n, name) in ["page_view", "add_to_cart", "purchase", HOSTILE].into_iter().enumerate() {
        let count = Value::Integer(wave(t, n as f64, [920.0, 340.0, 120.0, 40.0][n]) as i64);
        points.push(point("events", ("event_type", name), &[("count", count)], t));
    }
    for (n, name) in ["USD", "EUR", "GBP"].into_iter().enumerate() {
        let total = wave(t, n as f64 * 2.0, [52_000.0, 31_000.0, 18_500.0][n]);
        let orders = Value::Integer((total / 42.0) as i64);
        let fields = [("total", Value::Float(total)), ("count", orders), ("mean", Value::Float(42.0))];
        points.push(point("revenue", ("currency", name), &fields, t));
    }
    if !(120..150).contains(&(t - start)) {
        for n in 0..11 {
            let p50 = wave(t, n as f64, 14.0 + 9.0 * n as f64);
            let fields =
                [("p50", Value::Float(p50)), ("p95", Value::Float(p50 * 2.1)), ("p99", Value::Float(p50 * 3.4))];
            points.push(point("latency", ("endpoint", &format!("/api/v1/resource-{n}")), &fields, t));
        }
    }
    points
}

impl World {
    /// With some minutes of history.
    pub fn new() -> Self {
        let world = World { plan: Arc::new(plan()), figures: Arc::new(figures()), store: Arc::new(MemoryStore::new()) };
        let now = clock() / STEP;
        (now - HISTORY..now).for_each(|t| world.store.write(points(t, now - HISTORY)));
        (0..60).for_each(|tick| world.advance(tick));
        world
    }

    /// Moves everything ten times a second until `moving` is false.
    pub fn run(&self, moving: &AtomicBool) {
        let mut written = clock() / STEP;
        let mut tick = 0;
        while moving.load(Relaxed) {
            self.advance(tick);
            let now = clock() / STEP;
            (written..now).for_each(|t| self.store.write(points(t, i64::MIN / 2)));
            written = now;
            tick += 1;
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn advance(&self, tick: i64) {
        let batch = wave(tick / 4, 0.3, 480.0) as u64;
        let source = &self.figures.sources[0];
        for ((_, n), partition) in source.assigned() {
            partition.events.add(batch / 4);
            partition.bytes.add(batch * 52);
            let position = partition.events.get() as i64;
            partition.position.set(position);
            partition.committed.set((position - 300).max(0));
            partition.end_offset.set(position + wave(tick / 6, f64::from(n), 60.0) as i64);
            partition.watermark.set(clock() - 2 * SECOND - i64::from(n) * 137_000_000);
            partition.idle.store(n == 3, Relaxed);
            partition.paused.store(n == 1 && tick % 80 > 60, Relaxed);
            partition.queued_bytes.set(wave(tick, f64::from(n), 180_000.0) as i64);
        }
        source.commits.add(1);
        self.advance_work(batch);
        if tick % 5 == 0 {
            self.refuse(Stage::Decode, "malformed", "", 2);
            self.refuse(Stage::Transform, "rejected", "events", 1);
            self.refuse(Stage::Late, "late", "revenue", 3);
        }
    }

    fn advance_work(&self, batch: u64) {
        for route in self.figures.routes.get().iter() {
            route.rows_in.add(batch);
            route.accepted.add(batch);
            route.rows_out.add(4);
            route.windows_on_time.add(4);
            route.slots.set(24);
        }
        self.figures.routes.get()[1].filtered.add(batch * 9 / 10);
        for (n, plugin) in self.figures.plugins.get().iter().enumerate() {
            plugin.calls.add(1);
            plugin.rows.add(batch);
            plugin.call_seconds.record(Duration::from_micros(18 + 40 * n as u64));
            plugin.memory_bytes.set(1_200_000 + 400_000 * n as i64);
        }
        for sink in self.figures.sinks.get().iter() {
            sink.rows.add(12);
            sink.queued_rows.set((batch % 40) as i64);
            sink.write_seconds.record(Duration::from_millis(4));
        }
    }

    fn refuse(&self, stage: Stage, code: &str, route: &str, count: u64) {
        let (source, route, code) = ("orders".to_owned(), route.to_owned(), code.to_owned());
        self.figures.refuse(RefusalKey { source, route, stage, code, dropped: false }, count);
        if stage == Stage::Transform {
            self.figures.plugins.get()[0].rejects.add(count);
        }
        if stage == Stage::Late {
            self.figures.routes.get()[1].late.add(count);
        }
    }
}
