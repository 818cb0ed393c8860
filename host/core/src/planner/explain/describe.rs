//! From the plan to its explanation.

use super::*;
use crate::config::units::show_duration;
use crate::config::windows::greatest_common_divisor;
use crate::config::{Config, Source};
use crate::decode_spec::{DecodeKind, Format, TimeFormat};
use crate::plan::{
    AggregatePlan, At, ColumnId, From, OnLate, Plan, RoutePlan, SourcePlan, Tail, Target, TimeSource, WindowSpec,
};
use crate::planner::partitions::Alignment;
use crate::planner::target::resolve_target;
use crate::rows::RowSchema;

/// `plan` must have been made of `config`.
pub fn explain(config: &Config, plan: &Plan) -> Explanation {
    let sources = plan.sources.iter().filter_map(|planned| {
        let source = config.source(&planned.name)?;
        Some(explain_source(config, plan, source, planned))
    });
    Explanation { sources: sources.collect() }
}

fn explain_source(config: &Config, plan: &Plan, source: &Source, planned: &SourcePlan) -> SourceExplanation {
    let time = match planned.time {
        TimeSource::Record => "Kafka's timestamp".to_owned(),
        TimeSource::Now => "the clock when the event is handled".to_owned(),
        TimeSource::Column(_) => format!("`{}`, {}", source.time.value, time_format(&planned.time_format)),
    };
    SourceExplanation {
        name: planned.name.clone(),
        topics: source.topics.clone(),
        group: source.group.clone(),
        format: match planned.format {
            Format::Json => "json",
            Format::Text => "text",
            Format::Raw => "raw",
        },
        partitioned_by: source.partitioned_by.iter().map(|field| field.value.clone()).collect(),
        time,
        out_of_orderness: show_duration(planned.out_of_orderness),
        idle_after: if planned.idle_after == 0 { "never".to_owned() } else { show_duration(planned.idle_after) },
        max_ahead: show_duration(planned.max_ahead),
        decoded: decoded(plan, planned),
        routes: planned.routes.iter().map(|route| explain_route(config, plan, source, planned, route)).collect(),
    }
}

fn time_format(format: &TimeFormat) -> String {
    match format {
        TimeFormat::Auto => "RFC 3339 or a number in s, ms, µs or ns".to_owned(),
        TimeFormat::Seconds => "in seconds".to_owned(),
        TimeFormat::Milliseconds => "in milliseconds".to_owned(),
        TimeFormat::Microseconds => "in microseconds".to_owned(),
        TimeFormat::Nanoseconds => "in nanoseconds".to_owned(),
        TimeFormat::Rfc3339 => "in RFC 3339".to_owned(),
        TimeFormat::Pattern(pattern) => format!("as `{pattern}`"),
    }
}

fn decoded(plan: &Plan, source: &SourcePlan) -> Vec<DecodedExplanation> {
    let mut asked: Vec<Vec<String>> = vec![Vec::new(); source.fields.len()];
    let mut ask = |column: ColumnId, by: String| {
        if let Some(list) = asked.get_mut(column).filter(|list| !list.contains(&by)) {
            list.push(by);
        }
    };
    if let TimeSource::Column(column) = source.time {
        ask(column, "event time".to_owned());
    }
    for route in &source.routes {
        let name = &route.name;
        route.conditions.iter().for_each(|condition| ask(condition.column, format!("where of {name}")));
        for step in &route.transforms {
            let plugin = &plan.plugins[step.plugin].name;
            step.reads.iter().for_each(|read| ask(read.column, format!("{plugin} of {name}")));
        }
        match &route.tail {
            Tail::Nothing => {}
            Tail::Rows { columns, .. } => columns.iter().for_each(|&column| ask(column, format!("rows of {name}"))),
            Tail::Aggregate(aggregate) => {
                let plugin = &plan.plugins[aggregate.plugin].name;
                aggregate.keys.iter().for_each(|key| ask(key.column, format!("key of {name}")));
                aggregate.reads.iter().for_each(|read| ask(read.column, format!("{plugin} of {name}")));
            }
        }
    }
    let explain = |(field, asked_by): (&crate::decode_spec::DecodeField, _)| DecodedExplanation {
        path: field.path.clone(),
        kind: match field.kind {
            DecodeKind::Kind(kind) => kind.name().to_owned(),
            DecodeKind::Repeated(kind) => format!("list of {}", kind.name()),
            DecodeKind::Scalar => "scalar as text".to_owned(),
        },
        asked_by,
    };
    source.fields.iter().zip(asked).map(explain).collect()
}

fn explain_route(
    config: &Config,
    plan: &Plan,
    source: &Source,
    planned: &SourcePlan,
    route: &RoutePlan,
) -> RouteExplanation {
    let (aggregate, schemas) = match &route.tail {
        Tail::Nothing => (None, Vec::new()),
        Tail::Rows { schema, .. } => (None, vec![schema.clone()]),
        Tail::Aggregate(aggregate) => {
            (Some(explain_aggregate(plan, source, planned, aggregate)), aggregate.schemas.clone())
        }
    };
    let from = match route.from {
        From::Source => source.name.value.clone(),
        From::Route { route, output } => match planned.routes[route].transforms.last() {
            Some(step) if step.outputs.len() > 1 => {
                format!("{}.{}", planned.routes[route].name, step.outputs[output].name)
            }
            _ => planned.routes[route].name.clone(),
        },
    };
    let condition =
        |condition: &crate::plan::Condition| format!("{} = {}", condition.path, condition.values.join(" | "));
    let targets = route
        .targets
        .iter()
        .flat_map(|target| schemas.iter().filter_map(|schema| explain_target(config, target, schema)));
    RouteExplanation {
        name: route.name.clone(),
        from,
        conditions: route.conditions.iter().map(condition).collect(),
        steps: route.transforms.iter().map(|step| explain_step(plan, step)).collect(),
        aggregate,
        to: targets.collect(),
        rows: schemas.iter().map(|schema| explain_rows(schema)).collect(),
    }
}

fn explain_step(plan: &Plan, step: &crate::plan::TransformPlan) -> StepExplanation {
    let used = &plan.plugins[step.plugin];
    let fields = |output: &crate::schema::Output| {
        output.fields.iter().map(|field| format!("{} {}", field.name, field.kind.name())).collect()
    };
    let writes = used.descriptor.outputs.iter().map(|output| (output.name.clone(), fields(output)));
    StepExplanation {
        plugin: used.name.clone(),
        reads: reads(&used.descriptor),
        writes: writes.collect(),
        keeps: step.outputs.iter().map(|output| output.keeps.len()).max().unwrap_or_default(),
    }
}

fn reads(descriptor: &crate::schema::Descriptor) -> Vec<String> {
    let read = |field: &crate::schema::Field| {
        let list = if field.repeated { "list of " } else { "" };
        let optional = if field.optional { ", optional" } else { "" };
        format!("{} {list}{}{optional}", field.path, field.kind.name())
    };
    descriptor.reads.iter().map(read).collect()
}

fn explain_aggregate(
    plan: &Plan,
    source: &Source,
    planned: &SourcePlan,
    aggregate: &AggregatePlan,
) -> AggregateExplanation {
    let decoded: Vec<&str> =
        aggregate.keys.iter().filter(|key| key.column < planned.fields.len()).map(|key| key.path.as_str()).collect();
    let partitioned_by: Vec<&str> = source.partitioned_by.iter().map(|field| field.value.as_str()).collect();
    let key = |key: &crate::plan::Key| match crate::path::Path::parse(&key.path) {
        Ok(path) if path.last() == key.name => key.path.clone(),
        _ => format!("{} as {}", key.path, key.name),
    };
    let (window, panes) = windows(&aggregate.windows);
    let late = match aggregate.late {
        OnLate::DeadLetter => "go to the dead letters",
        OnLate::Drop => "are dropped",
    };
    AggregateExplanation {
        plugin: plan.plugins[aggregate.plugin].name.clone(),
        reads: reads(&plan.plugins[aggregate.plugin].descriptor),
        key: aggregate.keys.iter().map(key).collect(),
        exchanged: aggregate.exchanged,
        partitions: Alignment::of(!aggregate.keys.is_empty(), &decoded, &partitioned_by).to_string(),
        window,
        panes,
        late: match (aggregate.lateness, &aggregate.windows) {
            (0, WindowSpec::Session { .. }) if aggregate.exchanged => format!("events behind the watermark {late}"),
            (lateness, WindowSpec::Session { .. }) if aggregate.exchanged => {
                format!("sessions wait for {}; later events {late}", show_duration(lateness))
            }
            (0, _) => format!("events {late} once their window is closed"),
            (lateness, _) => {
                format!("closed windows are corrected for {}; later events {late}", show_duration(lateness))
            }
        },
        early: aggregate.early.map(show_duration),
        at: match aggregate.at {
            At::Start => "start",
            At::End => "end",
        },
    }
}

/// The windows, and the panes that they are made of.
fn windows(windows: &WindowSpec) -> (String, String) {
    let shift = |offset: i64| match offset {
        0 => String::new(),
        offset => format!(", moved by {}", show_duration(offset)),
    };
    match windows {
        WindowSpec::Tumbling { sizes, offset, timezone } => {
            let shown: Vec<String> = sizes.iter().map(|&size| show_duration(size)).collect();
            let zone = timezone.as_ref().map(|zone| format!(", days in {zone}")).unwrap_or_default();
            let panes = match &shown[..] {
                [_, _, ..] => format!("panes of {}, which the larger sizes merge", shown[0]),
                _ => "a window is one pane".to_owned(),
            };
            (format!("tumbling {}{}{zone}", shown.join(", "), shift(*offset)), panes)
        }
        WindowSpec::Sliding { size, every, offset } => {
            let pane = greatest_common_divisor(*size, *every);
            let window = format!("sliding {} every {}{}", show_duration(*size), show_duration(*every), shift(*offset));
            (window, format!("a window is {} panes of {}", size / pane, show_duration(pane)))
        }
        WindowSpec::Session { gap, max } => {
            let window =
                format!("session, ends after {} without events, at most {}", show_duration(*gap), show_duration(*max));
            (window, "sessions that meet are merged".to_owned())
        }
    }
}

fn explain_rows(schema: &RowSchema) -> RowsExplanation {
    let column = |column: &crate::rows::RowColumn| ColumnExplanation {
        name: column.name.clone(),
        kind: column.kind,
        role: column.role,
        unit: column.unit.clone(),
    };
    RowsExplanation { name: schema.route.clone(), columns: schema.columns.iter().map(column).collect() }
}

/// `None`: this output has nothing for the target.
fn explain_target(config: &Config, target: &Target, schema: &RowSchema) -> Option<TargetExplanation> {
    let resolved = resolve_target(target, schema).ok()?;
    let sink = config.sinks.get(target.sink)?;
    let names = |columns: &[usize]| columns.iter().map(|&column| schema.columns[column].name.clone()).collect();
    Some(TargetExplanation {
        sink: sink.name.value.clone(),
        kind: sink.kind.name(),
        tags: names(&resolved.tags),
        fields: names(&resolved.fields),
        key: names(&resolved.key),
        measurement: resolved.measurement,
    })
}
