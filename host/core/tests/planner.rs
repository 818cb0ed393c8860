//! The planner on small pipelines: what it lays out, binds and refuses.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use wasmill_core::config::{self, Config};
use wasmill_core::decode_spec::{DecodeField, DecodeKind};
use wasmill_core::plan::{From, Plan, Tail, TimeSource};
use wasmill_core::planner::{self, resolve_target};
use wasmill_core::schema::Kind;

fn config(text: &str) -> Config {
    config::parse(text, &|_| None).unwrap_or_else(|errors| panic!("{errors:#?}"))
}

fn plan(text: &str) -> Plan {
    planner::plan(&config(text), &common::plugins()).unwrap_or_else(|errors| panic!("{errors:#?}"))
}

const HEAD: &str = r#"
[sources.events]
topic = "t"
time = "timestamp"
partitioned_by = ["user_id"]
[sinks.out]
type = "null"
[plugins]
count.path = "c.wasm"
visit.path = "v.wasm"
enrich.path = "e.wasm"
split.path = "s.wasm"
"#;

fn scalar(path: &str) -> DecodeField {
    DecodeField { path: path.into(), kind: DecodeKind::Scalar }
}

#[test]
fn a_field_is_decoded_once_however_many_ask_for_it() {
    let plan = plan(&format!(
        "{HEAD}
        [routes.a]\nfrom = \"events\"\nwhere = {{ event_type = [\"x\"] }}\nkey = [\"user_id\"]\naggregate = \"count\"\nwindow = {{ tumbling = \"1s\" }}\nto = [\"out\"]
        [routes.b]\nfrom = \"events\"\nwhere = {{ event_type = [\"y\"] }}\nkey = [\"user_id\"]\naggregate = \"visit\"\nwindow = {{ session = \"1s\" }}\nto = [\"out\"]"
    ));
    let source = &plan.sources[0];
    let time = DecodeField { path: "timestamp".into(), kind: DecodeKind::Kind(Kind::Timestamp) };
    let text = DecodeField { path: "event_type".into(), kind: DecodeKind::Kind(Kind::Text) };
    assert_eq!(source.fields, [time, scalar("event_type"), scalar("user_id"), text]);
    assert_eq!(source.time, TimeSource::Column(0));
    assert_eq!(source.time_column, Some(4), "visit reads @time");
    assert_eq!(source.frame, 5);
}

#[test]
fn steps_keep_what_is_read_behind_them_and_nothing_else() {
    let plan = plan(&format!(
        "{HEAD}
        [routes.parent]\nfrom = \"events\"\ntransform = [\"enrich\"]
        [routes.child]\nfrom = \"parent\"\nwhere = {{ event_type = [\"x\"] }}\nkey = [\"country\", \"user_id\"]\naggregate = \"count\"\nwindow = {{ tumbling = \"1s\" }}\nto = [\"out\"]"
    ));
    let source = &plan.sources[0];
    let [parent, child] = &source.routes[..] else { panic!() };
    let output = &parent.transforms[0].outputs[0];
    let kept: Vec<&str> = output.keeps.iter().map(|&column| source.fields[column].path.as_str()).collect();
    assert_eq!(kept, ["event_type", "user_id"]);
    assert_eq!(child.from, From::Route { route: 0, output: 0 });
    let Tail::Aggregate(aggregate) = &child.tail else { panic!() };
    assert_eq!(aggregate.keys[0].column, output.writes[0], "what a plugin wrote is read from where it wrote it");
    assert!(!aggregate.exchanged, "the key covers user_id");
}

#[test]
fn sessions_of_a_key_that_is_spread_over_partitions_are_exchanged() {
    let plan = plan(&format!(
        "{HEAD}
        [routes.stays]\nfrom = \"events\"\nkey = [\"page\"]\naggregate = \"count\"\nwindow = {{ session = \"1s\" }}\nlateness = \"2s\"\nto = [\"out\"]"
    ));
    let Tail::Aggregate(aggregate) = &plan.sources[0].routes[0].tail else { panic!() };
    assert_eq!((aggregate.exchanged, aggregate.lateness), (true, 2_000_000_000));
}

#[test]
fn routes_stand_behind_those_they_read_from() {
    let plan = plan(&format!(
        "{HEAD}
        [routes.views]\nfrom = \"typed.page_view\"\nkey = [\"page\"]\naggregate = \"count\"\nwindow = {{ tumbling = \"1s\" }}\nto = [\"out\"]
        [routes.typed]\nfrom = \"events\"\ntransform = [\"split\"]"
    ));
    let names: Vec<&str> = plan.sources[0].routes.iter().map(|route| route.name.as_str()).collect();
    assert_eq!(names, ["typed", "views"]);
    assert_eq!(plan.sources[0].routes[1].from, From::Route { route: 0, output: 0 });
}

#[test]
fn a_target_names_tags_and_fields_of_the_event() {
    let plan = plan(&format!(
        "{HEAD}
        [routes.raw]\nfrom = \"events\"\nto = [{{ sink = \"out\", tags = [\"source\"], fields = [\"attributes.metric\", \"event_id\"] }}]"
    ));
    let route = &plan.sources[0].routes[0];
    let Tail::Rows { schema, .. } = &route.tail else { panic!() };
    let names: Vec<&str> = schema.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["source", "metric", "event_id"]);
    let target = resolve_target(&route.targets[0], schema).unwrap();
    assert_eq!((target.tags, target.fields), (vec![0], vec![1, 2]));
    assert_eq!(target.measurement, "raw");
    assert_eq!(plan.sources[0].fields[2].kind, DecodeKind::Kind(Kind::Json));
}

#[test]
fn a_rollup_adds_the_tag_window_and_tags_can_become_fields() {
    let plan = plan(&format!(
        "{HEAD}
        [routes.r]\nfrom = \"events\"\nkey = [\"user_id\"]\naggregate = \"count\"\nwindow = {{ tumbling = [\"1m\", \"1h\"] }}\nto = [{{ sink = \"out\", tags = [\"window\"] }}]"
    ));
    let route = &plan.sources[0].routes[0];
    let Tail::Aggregate(aggregate) = &route.tail else { panic!() };
    let names: Vec<&str> = aggregate.schemas[0].columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["user_id", "window", "count"]);
    let target = resolve_target(&route.targets[0], &aggregate.schemas[0]).unwrap();
    assert_eq!((target.tags, target.fields), (vec![1], vec![0, 2]));
}
