//! Where the panes (and pieces of sessions) of a source's partitions meet, for routes whose key the topic is not partitioned by: merged
//! by key under the minimum of the partitions' watermarks, so that one point has one writer.

mod merge;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use wasmill_core::time::{BEGINNING, Nanos};

use crate::changeover::{Changeover, Deployed, Pause};
use crate::clock;
use crate::current::Current;
use crate::delivery::Epoch;
use crate::lane::{Anew, ExchangeMessage, Gate, LaneReport, Place};
use crate::outlets::Outlets;
use crate::reached::Shared;
use crate::task::{Halt, Outbox, SourceRuntime};
pub use merge::{Merges, exchanged};

/// Frames the exchange's queue holds; a full one makes its tasks wait.
pub const QUEUE_FRAMES: usize = 256;
/// How often it looks at the clock for early rows.
const TICK: Duration = Duration::from_millis(50);

struct Partition {
    watermark: Nanos,
    idle: bool,
    caught_up: bool,
    turned: bool,
}

pub struct Exchange {
    deployed: Arc<Current<Deployed>>,
    /// What of it runs: a change is made when all can make it.
    runtime: Arc<SourceRuntime>,
    outlets: Arc<Outlets>,
    reports: Sender<LaneReport>,
    reached: Arc<Shared>,
    ahead: Arc<AtomicI64>,
    incarnation: u64,
    gate: Arc<Gate>,
    epoch: Arc<Epoch>,
    partitions: BTreeMap<Place, Partition>,
    watermark: Nanos,
    /// Where the last commit found it.
    committed: Nanos,
    merges: Merges,
    failed: bool,
}

impl Exchange {
    pub fn new(
        deployed: Arc<Current<Deployed>>,
        reports: Sender<LaneReport>,
        reached: Arc<Shared>,
        ahead: Arc<AtomicI64>,
    ) -> Self {
        let now = deployed.get();
        Exchange {
            merges: Merges::none(&now.runtime),
            runtime: Arc::clone(&now.runtime),
            outlets: Arc::clone(&now.outlets),
            deployed,
            reports,
            reached,
            ahead,
            incarnation: 0,
            gate: Arc::default(),
            epoch: Epoch::new(0),
            partitions: BTreeMap::new(),
            watermark: BEGINNING,
            committed: BEGINNING,
            failed: false,
        }
    }

    /// Runs until told to stop or until every sender is gone.
    pub fn run(mut self, messages: &Receiver<ExchangeMessage>) {
        let mut next_tick = Instant::now() + TICK;
        loop {
            let result = match messages.recv_deadline(next_tick) {
                Ok(ExchangeMessage::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(message) => self.handle(message),
                Err(RecvTimeoutError::Timeout) => Ok(()),
            };
            let result = result.and_then(|()| {
                if Instant::now() < next_tick {
                    return Ok(());
                }
                next_tick = Instant::now() + TICK;
                self.early()
            });
            if let Err(halt) = result {
                self.failed = true;
                let _ = self.reports.send(LaneReport::ExchangeHalted { incarnation: self.incarnation, halt });
            }
        }
    }

    fn handle(&mut self, message: ExchangeMessage) -> Result<(), Halt> {
        match message {
            ExchangeMessage::Reset(anew) => self.reset(anew),
            ExchangeMessage::Frame { incarnation, place, watermark, idle, deltas } => {
                if incarnation != self.incarnation || self.failed {
                    return Ok(());
                }
                if let Some(partition) = self.partitions.get_mut(&place) {
                    partition.watermark = partition.watermark.max(watermark);
                    partition.idle = idle;
                }
                self.emit(|merges, live, outbox| merges.absorb(deltas, live, outbox))?;
                self.advance()
            }
            ExchangeMessage::CaughtUp { incarnation, place } => {
                if incarnation == self.incarnation {
                    if let Some(partition) = self.partitions.get_mut(&place) {
                        partition.caught_up = true;
                    }
                    return self.open_gate();
                }
                Ok(())
            }
            ExchangeMessage::Barrier { incarnation, place, epoch } => {
                if incarnation == self.incarnation {
                    self.turn(&place, epoch);
                }
                Ok(())
            }
            ExchangeMessage::Change(change) => {
                self.change_over(&change);
                Ok(())
            }
            ExchangeMessage::Stop => Ok(()),
        }
    }

    fn reset(&mut self, anew: Anew) -> Result<(), Halt> {
        let Anew { incarnation, places, gate, epoch, committed } = anew;
        self.incarnation = incarnation;
        self.gate = gate;
        self.epoch = epoch;
        self.committed = committed;
        self.watermark = BEGINNING;
        self.reached.write(incarnation, BEGINNING, std::iter::empty());
        self.ahead.store(BEGINNING, Ordering::Release);
        self.failed = false;
        self.partitions = places
            .into_iter()
            .map(|place| (place, Partition { watermark: BEGINNING, idle: false, caught_up: false, turned: false }))
            .collect();
        let deployed = self.deployed.get();
        (self.runtime, self.outlets) = (Arc::clone(&deployed.runtime), Arc::clone(&deployed.outlets));
        // The old states go before the new instances come.
        self.merges = Merges::none(&self.runtime);
        self.merges = Merges::new(&self.runtime)?;
        self.open_gate()
    }

    /// Everything up to the partitions' positions has been handled: from here on, what fires is new.
    fn open_gate(&mut self) -> Result<(), Halt> {
        if self.partitions.values().all(|partition| partition.caught_up) {
            // Idle partitions had let it come further than the replayed watermarks do; what it fired there was acknowledged.
            self.watermark = self.watermark.max(self.committed);
            self.advance_all()?;
            self.gate.open();
            self.publish();
        }
        Ok(())
    }

    /// Turns to the next epoch behind the last of the partitions: what their panes fired before belongs to the old one.
    fn turn(&mut self, place: &Place, epoch: Arc<Epoch>) {
        if let Some(partition) = self.partitions.get_mut(place) {
            partition.turned = true;
        }
        if self.partitions.values().all(|partition| partition.turned) {
            self.partitions.values_mut().for_each(|partition| partition.turned = false);
            let number = epoch.number;
            self.epoch = epoch;
            let _ = self.reports.send(LaneReport::ExchangeTurned { epoch: number });
        }
    }

    fn advance(&mut self) -> Result<(), Halt> {
        // Every partition counts, for nobody else may say that its panes have all been handed over. Idle ones keep up by
        // themselves: they raise their own watermarks to how far the others are.
        let reached = self.partitions.values().map(|partition| partition.watermark).min();
        self.watermark = self.watermark.max(reached.unwrap_or(BEGINNING));
        self.ahead.store(furthest(self.partitions.values()), Ordering::Release);
        self.advance_all()
    }

    /// Also where the watermark stands still: what was absorbed may correct windows that have fired.
    fn advance_all(&mut self) -> Result<(), Halt> {
        let watermark = self.watermark;
        self.emit(|merges, live, outbox| merges.advance(watermark, live, outbox))?;
        if self.gate.is_open() {
            self.publish();
        }
        Ok(())
    }

    fn publish(&self) {
        self.reached.write(self.incarnation, self.watermark, self.merges.closed());
    }

    fn early(&mut self) -> Result<(), Halt> {
        if self.failed || !self.gate.is_open() {
            return Ok(());
        }
        self.emit(|merges, _, outbox| merges.early(clock::now(), outbox))
    }

    /// As a lane does; the tasks of this source stand still meanwhile.
    fn change_over(&mut self, change: &Changeover) {
        let stopped = Instant::now();
        let mine = self.runtime.plan.name.clone();
        let next = change.sources.iter().flatten().find(|deployed| deployed.runtime.plan.name == mine);
        let prepared = match next {
            Some(deployed) if !self.failed => self.merges.prepare(&deployed.runtime),
            // After a failure all starts anew, with whatever is deployed then.
            _ => {
                self.merges = Merges::none(&self.runtime);
                Ok(Vec::new())
            }
        };
        let (prepared, ready) = match prepared {
            Ok(prepared) => (prepared, Ok(())),
            Err(reason) => (Vec::new(), Err(reason)),
        };
        let slots = prepared.iter().map(|(_, carried)| carried.as_ref().map_or(0, |c| c.slots)).sum();
        if change.ballot.vote(ready)
            && let Some(deployed) = next
        {
            (self.runtime, self.outlets) = (Arc::clone(&deployed.runtime), Arc::clone(&deployed.outlets));
            self.merges.change(&self.runtime, prepared);
        }
        change.ballot.resumed(Pause { tasks: 1, slots, time: stopped.elapsed() });
    }

    /// What fires goes to the sinks; before the gate is open, nothing does.
    fn emit(&mut self, work: impl FnOnce(&mut Merges, bool, &mut Outbox) -> Result<(), Halt>) -> Result<(), Halt> {
        let mut outbox = Outbox::default();
        work(&mut self.merges, self.gate.is_open(), &mut outbox)?;
        self.outlets.send(outbox, &self.epoch);
        Ok(())
    }
}

/// How far the exchange could be if idle partitions were let be: the least watermark of the others; if all are idle, the furthest.
fn furthest<'a>(partitions: impl Iterator<Item = &'a Partition> + Clone) -> Nanos {
    let active = partitions.clone().filter(|p| !p.idle).map(|p| p.watermark).min();
    active.or_else(|| partitions.map(|p| p.watermark).max()).unwrap_or(BEGINNING)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_partitions_are_let_be_and_all_idle_means_the_furthest() {
        let p = |watermark, idle| Partition { watermark, idle, caught_up: true, turned: false };
        assert_eq!(furthest([p(5, false), p(9, false)].iter()), 5);
        assert_eq!(furthest([p(5, true), p(9, false)].iter()), 9);
        assert_eq!(furthest([p(5, true), p(9, true)].iter()), 9);
        assert_eq!(furthest([].iter()), BEGINNING);
    }
}
