//! One route: where it reads, its conditions, its transformers, and what comes behind them.

use super::frame::{Frame, Scope};
use super::{Described, Planner, World, bind};
use crate::config::diagnostic::did_you_mean;
use crate::config::{Diagnostic, Route, Source, Span, Spanned, split_from};
use crate::plan::{Condition, From, OutputPlan, PluginId, Read, RouteId, RoutePlan, Tail, TransformPlan};
use crate::schema::{Kind, Output, Role};

/// The outputs of a route's last transformer by name, each with what its rows have.
type Outputs = Vec<(String, Scope)>;

/// What routes that read from this one need to know.
struct Planned {
    name: String,
    /// Empty: it aggregates, so nothing can read from it.
    outputs: Outputs,
}

impl<'a> Planner<'a> {
    /// The routes that start at `source`, each behind the one it reads from, otherwise in the order of the file.
    pub(super) fn routes(&mut self, source: &'a Source, frame: &mut Frame) -> Vec<RoutePlan> {
        let mut plans = Vec::new();
        let mut planned: Vec<Planned> = Vec::new();
        let mut waiting: Vec<&'a Route> = self.config.routes.iter().collect();
        loop {
            let before = waiting.len();
            waiting.retain(|route| {
                let (from, output) = split_from(&route.from.value);
                let input = if from == source.name.value {
                    Ok((From::Source, Scope::default()))
                } else if let Some(id) = planned.iter().position(|parent| parent.name == from) {
                    parent_output(route, &planned[id], id, output)
                } else {
                    return true;
                };
                let route_plan = input
                    .map_err(|error| self.error(error))
                    .ok()
                    .and_then(|(from, scope)| self.route(source, frame, route, from, scope));
                match route_plan {
                    Some((plan, outputs)) => {
                        plans.push(plan);
                        planned.push(Planned { name: route.name.value.clone(), outputs });
                    }
                    None => drop(self.failed.insert(route.name.value.clone())),
                }
                false
            });
            if waiting.len() == before {
                return plans;
            }
        }
    }

    fn route(
        &mut self,
        source: &Source,
        frame: &mut Frame,
        route: &Route,
        from: From,
        scope: Scope,
    ) -> Option<(RoutePlan, Outputs)> {
        let errors = self.diagnostics.len();
        let conditions = self.conditions(frame, route, &scope);
        let (transforms, outputs) = self.transforms(frame, route, scope)?;
        let several = outputs.len() > 1;
        if several && (route.aggregate.is_some() || !route.to.is_empty()) {
            self.error(several_outputs(route, &outputs));
            return None;
        }
        let (tail, targets, outputs) = match &route.aggregate {
            Some(aggregate) => {
                let scope = &outputs.first()?.1;
                let plan = self.aggregate(source, frame, route, aggregate, scope)?;
                let targets = self.aggregate_targets(route, &plan);
                (Tail::Aggregate(plan), targets, Vec::new())
            }
            None if route.to.is_empty() => (Tail::Nothing, Vec::new(), outputs),
            None => {
                let scope = &outputs.first()?.1;
                let (tail, targets) = self.rows(frame, route, scope)?;
                (tail, targets, outputs)
            }
        };
        let name = route.name.value.clone();
        let plan = RoutePlan { name, from, conditions, transforms, tail, targets };
        (self.diagnostics.len() == errors).then_some((plan, outputs))
    }

    fn conditions(&mut self, frame: &mut Frame, route: &Route, scope: &Scope) -> Vec<Condition> {
        const KINDS: [Kind; 4] = [Kind::Text, Kind::Integer, Kind::Float, Kind::Boolean];
        let who = format!("`where` of route `{}` compares", route.name.value);
        let mut conditions = Vec::with_capacity(route.conditions.len());
        for condition in &route.conditions {
            match bind::scalar(frame, scope, &who, &condition.path, &KINDS) {
                Ok((column, _)) => conditions.push(Condition {
                    column,
                    values: condition.values.clone(),
                    path: condition.path.value.clone(),
                }),
                Err(error) => self.error(error),
            }
        }
        conditions
    }

    /// The steps, and behind the last of them the outputs with what rows have there.
    fn transforms(
        &mut self,
        frame: &mut Frame,
        route: &Route,
        mut scope: Scope,
    ) -> Option<(Vec<TransformPlan>, Outputs)> {
        let mut steps = Vec::with_capacity(route.transform.len());
        for (i, name) in route.transform.iter().enumerate() {
            let (plugin, described) = self.used(name, World::Transformer)?;
            let reads = self.reads(frame, &scope, name, described)?;
            let last = i + 1 == route.transform.len();
            let declared = &described.descriptor.outputs;
            if declared.is_empty() || (declared.len() > 1 && !last) {
                let message =
                    format!("plugin `{}` has {} outputs and is not the last step", name.value, declared.len());
                let help = "put it last, and let other routes read its outputs: `from = \"route.output\"`";
                self.error(Diagnostic::error(&name.span, message, "only one output can go on").help(help));
                return None;
            }
            let mut outputs = Vec::with_capacity(declared.len());
            let mut behind = Vec::with_capacity(declared.len());
            for output in declared {
                let writes: Vec<_> = output.fields.iter().map(|_| frame.write()).collect();
                behind.push((output.name.clone(), scope.behind(&name.value, output, &writes)));
                let time = self.time_role(&name.value, &name.span, output)?;
                outputs.push(OutputPlan { name: output.name.clone(), writes, time, keeps: Vec::new() });
            }
            steps.push(TransformPlan { plugin, reads, outputs });
            if last {
                return Some((steps, behind));
            }
            scope = behind.swap_remove(0).1;
        }
        Some((steps, vec![("out".to_owned(), scope)]))
    }

    /// The plugin that a route names, if it was loaded and is of the right kind.
    pub(super) fn used(&mut self, name: &Spanned<String>, world: World) -> Option<(PluginId, &'a Described)> {
        let described = self.described.get(&name.value)?;
        if described.world != world {
            let (message, help) = match world {
                World::Transformer => (
                    format!("plugin `{}` is an aggregator, not a transformer", name.value),
                    format!("use it as `aggregate = \"{}\"`, with a `window`", name.value),
                ),
                World::Aggregator => (
                    format!("plugin `{}` is a transformer, not an aggregator", name.value),
                    format!("use it in `transform = [\"{}\"]`", name.value),
                ),
            };
            self.error(Diagnostic::error(&name.span, message, "of the other kind").help(help));
            return None;
        }
        Some((self.plugin(&name.value, described), described))
    }

    /// All that a plugin reads, bound; `None` if anything is missing (each reported).
    pub(super) fn reads(
        &mut self,
        frame: &mut Frame,
        scope: &Scope,
        name: &Spanned<String>,
        described: &Described,
    ) -> Option<Vec<Read>> {
        let fields = &described.descriptor.reads;
        let mut reads = Vec::with_capacity(fields.len());
        for field in fields {
            match bind::read(frame, scope, &name.value, field, &name.span) {
                Ok(read) => reads.push(read),
                Err(error) => self.error(error),
            }
        }
        (reads.len() == fields.len()).then_some(reads)
    }

    /// Which field of `output` is the rows' event time: at most one, a timestamp.
    pub(super) fn time_role(&mut self, plugin: &str, span: &Span, output: &Output) -> Option<Option<usize>> {
        let times: Vec<usize> = (0..output.fields.len()).filter(|&i| output.fields[i].role == Role::Time).collect();
        let wrong = match times[..] {
            [] => return Some(None),
            [i] if output.fields[i].kind == Kind::Timestamp && !output.fields[i].repeated => return Some(Some(i)),
            [i] => {
                format!("`{}` of plugin `{plugin}` is to be the event time, but is no timestamp", output.fields[i].name)
            }
            _ => format!("plugin `{plugin}` has several event times in its output `{}`", output.name),
        };
        self.error(
            Diagnostic::error(span, wrong, "of this plugin").help("mend the plugin: one timestamp has the role time"),
        );
        None
    }
}

fn parent_output(
    route: &Route,
    parent: &Planned,
    id: RouteId,
    output: Option<&str>,
) -> Result<(From, Scope), Diagnostic> {
    let names = || parent.outputs.iter().map(|(name, _)| name.as_str());
    if parent.outputs.is_empty() {
        let message = format!("route `{}` cannot read from `{}`, which aggregates", route.name.value, parent.name);
        return Err(Diagnostic::error(&route.from.span, message, "its rows are results, not events").help(
            "read from the same source and aggregate again, or give one window several sizes: \
                 `tumbling = [\"1m\", \"1h\"]`",
        ));
    }
    let found = match output {
        Some(output) => names().position(|name| name == output).ok_or_else(|| {
            let message = format!("route `{}` has no output `{output}`", parent.name);
            Diagnostic::error(&route.from.span, message, "no such output").help(did_you_mean(
                output,
                names(),
                "its outputs are",
            ))
        })?,
        None if parent.outputs.len() == 1 => 0,
        None => names().position(|name| name == "out").ok_or_else(|| {
            let first = &parent.outputs[0].0;
            let message = format!("route `{}` has several outputs; say which one", parent.name);
            Diagnostic::error(&route.from.span, message, "which output?").help(format!(
                "write `from = \"{}.{first}\"`; its outputs are {}",
                parent.name,
                crate::config::diagnostic::quoted(names())
            ))
        })?,
    };
    Ok((From::Route { route: id, output: found }, parent.outputs[found].1.clone()))
}

fn several_outputs(route: &Route, outputs: &[(String, Scope)]) -> Diagnostic {
    let names = crate::config::diagnostic::quoted(outputs.iter().map(|(name, _)| name.as_str()));
    let span = route.transform.last().map_or(&route.name.span, |last| &last.span);
    let name = &route.name.value;
    Diagnostic::error(
        span,
        format!(
            "the last transformer of route `{name}` has several outputs, so the route can neither aggregate nor write"
        ),
        format!("outputs {names}"),
    )
    .help(format!("leave `aggregate` and `to` to routes that read one of them: `from = \"{name}.{}\"`", outputs[0].0))
}
