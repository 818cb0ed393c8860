//! `wasmill replay`: the same points as a run, beside it, and how those of another plugin differ.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::topic_partition_list::TopicPartitionList;
use serde_json::{Value, json};
use wasmill_testkit::unique;

use crate::commerce;
use crate::guests;
use crate::harness::{PATIENCE, Site, WASMILL, block_on, influx};
use crate::points::{self, Points};
use crate::topics::{self, Handmade};

/// How a replay ended, and what it wrote.
struct Replayed {
    code: Option<i32>,
    out: String,
    said: String,
}

fn replay(site: &Site, arguments: &[&str]) -> Replayed {
    let mut command = Command::new(WASMILL);
    command.args(["replay", "pipeline.toml"]).args(arguments).current_dir(site.folder.path()).env_remove("RUST_LOG");
    let output = command.output().unwrap();
    let [out, said] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    Replayed { code: output.status.code(), out, said }
}

fn well(site: &Site, arguments: &[&str]) -> String {
    let Replayed { code, out, said } = replay(site, arguments);
    assert_eq!(code, Some(0), "{arguments:?}: {said}");
    out
}

fn document(site: &Site, arguments: &[&str], code: i32) -> Value {
    let found = replay(site, &[arguments, &["--json"]].concat());
    assert_eq!(found.code, Some(code), "{arguments:?}: {}", found.said);
    serde_json::from_str(&found.out).unwrap_or_else(|e| panic!("{e}: {}", found.out))
}

/// What a sink would hold: its lines, in a bucket of their own and read back.
fn as_points(lines: &str, sink: &str) -> Points {
    let bucket = unique("replayed");
    let section = lines.split("# sink ").find_map(|section| section.strip_prefix(&format!("{sink}\n"))).unwrap();
    let server = influx();
    let url = format!("{}/api/v2/write?org={}&bucket={bucket}&precision=ns", server.url(), server.org);
    block_on(async {
        server.create_bucket(&bucket, 0).await;
        for lines in section.lines().collect::<Vec<_>>().chunks(5_000) {
            let request = reqwest::Client::new().post(&url).header("Authorization", format!("Token {}", server.token));
            request.body(lines.join("\n")).send().await.unwrap().error_for_status().unwrap();
        }
    });
    points::of_bucket(&bucket)
}

/// Offsets and metadata that the pipeline's group has committed, and how many members the group of a replay has.
fn group_state(site: &Site) -> (Vec<String>, usize) {
    let group = site.pipeline()["sources"]["events"]["group"].as_str().unwrap().to_owned();
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &site.brokers).set("group.id", &group);
    let consumer: BaseConsumer = config.create().unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition_range(&site.topic, 0, site.partitions as i32 - 1);
    let committed = consumer.committed_offsets(list, PATIENCE).unwrap();
    let committed = committed.elements().iter().map(|e| format!("{:?} {}", e.offset(), e.metadata())).collect();
    let groups = consumer.fetch_group_list(Some(&format!("{group}-replay")), PATIENCE).unwrap();
    (committed, groups.groups().iter().map(|group| group.members().len()).sum())
}

/// The plugin of the example, built from its source with `from` written as `to`.
fn variant(folder: &Path, from: &str, to: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let source = std::fs::read_to_string(root.join("examples/commerce/plugins/revenue/src/lib.rs")).unwrap();
    assert!(source.contains(from), "{from} is not in the plugin");
    let folder = folder.join("variant");
    std::fs::create_dir_all(folder.join("src")).unwrap();
    std::fs::write(folder.join("src/lib.rs"), source.replace(from, to)).unwrap();
    let manifest = format!(
        "[package]\nname = \"variant\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[lib]\ncrate-type = [\"cdylib\", \"rlib\"]\n\
         [dependencies]\nserde = {{ version = \"1\", features = [\"derive\"] }}\nwasmill-sdk = {{ path = {:?} }}\n[workspace]\n",
        root.join("plugins/sdk")
    );
    std::fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    std::fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    let mut build = Command::new(WASMILL);
    build.args(["plugin", "build", "variant", "--out", "variant"]).current_dir(folder.parent().unwrap());
    // Shared with the tests of `wasmill plugin`: the SDK is compiled once.
    build.env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("plugins"));
    let output = build.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    folder.join("variant.wasm")
}

#[test]
fn a_replay_gives_the_points_of_the_run_touches_nothing_and_shows_what_another_plugin_changes() {
    let site = commerce::site(4);
    site.produce(30_000, &commerce::disorder("2026-01-01T01:30:00Z", "1"));
    commerce::write_odd_events(&site);
    site.produce(30_000, &commerce::disorder("2026-01-01T02:00:00Z", "2"));
    assert!(site.run(&["--until", "end"]).wait(PATIENCE).success());
    let written = points::of_bucket(&site.bucket);
    let letters = topics::read(&site.connection(), &site.dead_letters).len();
    let group = group_state(&site);
    assert!(written.len() > 2_000 && letters > 100, "{} points, {letters} letters", written.len());

    let everything = ["--from", "earliest", "--to", "end"];
    let lines = well(&site, &everything);
    points::assert_same(&as_points(&lines, "charts"), &written);
    let sessions = as_points(&lines, "analytics").into_iter().filter(|(id, _)| id.measurement == "sessions");
    points::assert_same(&sessions.collect(), &commerce::sessions(&site));
    assert_eq!(well(&site, &everything), lines, "twice the same, to the last digit");

    slices_are_by_kafkas_time(&site, &lines);
    another_plugin_is_told_by_its_fields(&site);

    assert_eq!(group_state(&site), group);
    assert_eq!(group.1, 0, "nobody joins a group to replay");
    points::assert_same(&points::of_bucket(&site.bucket), &written);
    assert_eq!(topics::read(&site.connection(), &site.dead_letters).len(), letters);
}

/// A slice has the events between its times; windows inside of it are whole, and those at its ends are counted.
fn slices_are_by_kafkas_time(site: &Site, everything: &str) {
    let (from, to) = ("2026-01-01T01:45:00Z", "2026-01-01T02:15:00Z");
    let found = document(site, &["--from", from, "--to", to, "--route", "amounts"], 0);
    let messages = site.messages();
    let offset = |partition: i64, time: &str| {
        let time = points::nanoseconds(time) / 1_000_000;
        let of_partition = || messages.iter().filter(|message| i64::from(message.partition) == partition);
        let first = of_partition().find(|message| message.timestamp_ms >= time).map(|message| message.offset);
        first.unwrap_or_else(|| of_partition().count() as i64)
    };
    let mut events = 0;
    for range in found["slice"].as_array().unwrap() {
        let partition = range["partition"].as_i64().unwrap();
        let expected = (offset(partition, from), offset(partition, to));
        assert_eq!((range["from"].as_i64(), range["to"].as_i64()), (Some(expected.0), Some(expected.1)));
        events += expected.1 - expected.0;
    }
    assert_eq!((found["slice"].as_array().unwrap().len(), found["events"].as_i64()), (4, Some(events)));
    assert!(["cut_at_start", "cut_at_end"].iter().all(|end| found["windows"][end].as_u64() > Some(0)), "{found:#}");

    let inside = points::nanoseconds("2026-01-01T01:50:00Z")..points::nanoseconds("2026-01-01T02:10:00Z");
    let time =
        |line: &&str| line.rsplit(' ').next().and_then(|time| time.parse().ok()).is_some_and(|t| inside.contains(&t));
    // The digits of sums depend on the order of adding, which is another where batches begin elsewhere.
    let counted =
        |line: &str| (line.split(",sum=").next().unwrap().to_owned(), line.rsplit(' ').next().unwrap().to_owned());
    let of_slice = found["points"].as_array().unwrap().iter().map(|point| point["line"].as_str().unwrap());
    let of_slice: Vec<_> = of_slice.filter(time).map(counted).collect();
    let whole = everything.lines().filter(|line| line.starts_with("amounts")).filter(time);
    assert_eq!(of_slice, whole.map(counted).collect::<Vec<_>>());
    assert!(of_slice.len() > 100);
}

fn another_plugin_is_told_by_its_fields(site: &Site) {
    let everything = ["--from", "earliest", "--diff"];
    let same = well(site, &[&everything[..], &["--plugin", "revenue=plugins/revenue.wasm"]].concat());
    assert!(same.lines().all(|line| line.ends_with(" equal, 0 different, 0 missing, 0 extra")), "{same}");

    let wasm = variant(
        site.folder.path(),
        "mean: self.total / self.orders as f64",
        "mean: self.total * 2.0 / self.orders as f64",
    );
    let replacement = format!("revenue={}", wasm.display());
    let other = [&everything[..], &["--plugin", &replacement]].concat();
    let found = document(site, &other, 1);
    let differences = found["differences"].as_array().unwrap();
    for difference in differences {
        let [field] = difference["fields"].as_array().unwrap().as_slice() else { panic!("{difference}") };
        assert_eq!((&difference["route"], &field["field"]), (&json!("revenue"), &json!("mean")));
        assert!((field["share"].as_f64().unwrap() - 1.0).abs() < 1e-9, "twice as much: {difference}");
    }
    let mut different = 0;
    for route in found["routes"].as_array().unwrap() {
        let count = |kind: &str| route[kind].as_u64().unwrap();
        let changed = route["route"] == "revenue";
        assert_eq!((count("equal") == 0, count("different") > 0), (changed, changed), "{route}");
        assert_eq!((count("missing"), count("extra")), (0, 0));
        different += count("different");
    }
    assert_eq!((differences.len() as u64, &found["equal"]), (different, &json!(false)));

    let shown = replay(site, &[&other[..], &["--route", "revenue"]].concat());
    assert_eq!(shown.code, Some(1), "{}", shown.said);
    let is_difference = |line: &&str| {
        line.starts_with("~ revenue,currency=") && line.contains("Z (charts): mean ") && line.ends_with(", +100 %)")
    };
    assert_eq!(shown.out.lines().filter(is_difference).count(), 20, "a screen is given twenty: {}", shown.out);
    well(site, &["--from", "end", "--diff", "--plugin", &replacement]);
}

#[test]
fn an_event_that_spoils_a_state_is_refused_and_the_others_count() {
    let plugin = guests::folder().join("aggregator.wasm");
    let pipeline = format!(
        r#"
[sources.events]
time = "ts"
[plugins.sum]
path = "{}"
config = {{ mode = "single" }}
[sinks.charts]
type = "influxdb"
[routes.sums]
from = "events"
key = ["user"]
aggregate = "sum"
window = {{ tumbling = "10s" }}
to = ["charts"]
"#,
        plugin.display()
    );
    let site = Site::new(pipeline.parse().unwrap(), 2);
    site.produce(0, &[]);
    // 13 traps, what is negative is rejected.
    let amounts = [1, 2, 13, 3, -1, 4];
    let values: Vec<String> =
        (1..).zip(amounts).map(|(ts, n)| format!(r#"{{"ts":{ts},"user":"u","amount":{n}}}"#)).collect();
    let event = |(index, value)| Handmade { partition: Some(index % 2), value: Some(value), ..Handmade::default() };
    let events: Vec<Handmade<'_>> = (0..).zip(values.iter().map(|value| value.as_bytes())).map(event).collect();
    topics::write(&site.connection(), &site.topic, &events);

    let found = document(&site, &["--from", "earliest"], 0);
    let lines: Vec<&str> = found["points"].as_array().unwrap().iter().map(|p| p["line"].as_str().unwrap()).collect();
    assert!(lines.len() == 1 && lines[0].starts_with("sums,user=u sum=10i,"), "{lines:?}");
    let refused: BTreeMap<&str, u64> = found["refused"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| (r["code"].as_str().unwrap(), r["count"].as_u64().unwrap()))
        .collect();
    assert_eq!(refused, BTreeMap::from([("trap", 1), ("rejected", 1)]));
}

#[test]
fn what_is_asked_for_wrongly_is_refused_with_the_right_word() {
    let site = Site::commerce(1);
    let wrong = [
        (&["--from", "yesterday"][..], "2026-01-31T08:00:00Z"),
        (&["--from", "end", "--to", "-1h"], "--from lies behind --to"),
        (&["--from", "-1h", "--plugin", "revenu=x.wasm"], "did you mean `revenue`?"),
        (&["--from", "-1h", "--plugin", "revenu=x.wasm", "--diff"], "did you mean `revenue`?"),
        (&["--from", "-1h", "--plugin", "x.wasm"], "NAME=FILE"),
        (&["--from", "-1h", "--plugin", "revenue=nowhere.wasm"], "nowhere.wasm"),
        (&["--from", "-1h", "--plugin", "revenue=builtin:filter"], "refuses its configuration"),
        (&["--from", "-1h", "--route", "revenu"], "did you mean `revenue`?"),
        (&["--from", "-1h", "--out", "no/such/folder"], "cannot write to no/such/folder"),
        (&[], "--from"),
    ];
    for (arguments, says) in wrong {
        let found = replay(&site, arguments);
        assert_eq!(found.code, Some(2), "{arguments:?}: {}", found.said);
        assert!(
            found.said.contains(says) && found.out.is_empty(),
            "{arguments:?}: no word of {says:?}: {}",
            found.said
        );
    }
    let nothing = replay(&site, &["--from", "-1h"]);
    assert_eq!(nothing.code, Some(1), "there is no such topic: {}", nothing.said);
    assert!(nothing.said.contains(&site.topic), "{}", nothing.said);
}
