//! Which earlier columns each step must carry along, found from the end backward: a step keeps what anything behind it reads and
//! it does not write itself.

use std::collections::BTreeSet;

use super::frame::TIME;
use crate::plan::{ColumnId, From, RoutePlan, Tail};

/// Fills every `keeps`. Routes stand behind those they read from.
pub fn fill(routes: &mut [RoutePlan]) {
    // What routes need of the rows that they take: by route and output.
    let mut asked: Vec<((usize, usize), BTreeSet<ColumnId>)> = Vec::new();
    for id in (0..routes.len()).rev() {
        let needs = needs(&mut routes[id], |output| {
            let of_output = asked.iter().filter(|((route, asked), _)| (*route, *asked) == (id, output));
            of_output.flat_map(|(_, columns)| columns.iter().copied()).collect()
        });
        if let From::Route { route, output } = routes[id].from {
            asked.push(((route, output), needs));
        }
    }
}

/// What `route` reads of the rows that come in. `asked`: what other routes read of its outputs.
fn needs(route: &mut RoutePlan, asked: impl Fn(usize) -> BTreeSet<ColumnId>) -> BTreeSet<ColumnId> {
    let tail = tail(&route.tail);
    let mut behind: Option<BTreeSet<ColumnId>> = None;
    for step in route.transforms.iter_mut().rev() {
        let mut needs: BTreeSet<ColumnId> = step.reads.iter().map(|read| read.column).collect();
        for (i, output) in step.outputs.iter_mut().enumerate() {
            let mut after = behind.clone().unwrap_or_else(|| &asked(i) | &tail);
            after.remove(&TIME);
            for written in &output.writes {
                after.remove(written);
            }
            output.keeps = after.iter().copied().collect();
            needs.append(&mut after);
        }
        behind = Some(needs);
    }
    let mut needs = behind.unwrap_or_else(|| &asked(0) | &tail);
    needs.extend(route.conditions.iter().map(|condition| condition.column));
    needs.remove(&TIME);
    needs
}

fn tail(tail: &Tail) -> BTreeSet<ColumnId> {
    match tail {
        Tail::Nothing => BTreeSet::new(),
        Tail::Rows { columns, .. } => columns.iter().copied().collect(),
        Tail::Aggregate(aggregate) => {
            let reads = aggregate.reads.iter().map(|read| read.column);
            reads.chain(aggregate.keys.iter().map(|key| key.column)).collect()
        }
    }
}
