//! Epochs and commits of one source: turn all tasks to a new epoch, wait until every row of the old one is acknowledged, commit the
//! positions the tasks had when they turned.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmill_core::checkpoint::Checkpoint;

use super::{Coordinator, TICK};
use crate::delivery::Epoch;
use crate::lane::{LaneMessage, Place, Snapshot};

/// Where every task stood at a turn of epochs.
pub type Positions = BTreeMap<Place, (i64, Checkpoint)>;

/// A turn under way.
struct Turn {
    epoch: u64,
    expected: BTreeMap<Place, u64>,
    exchange: bool,
    positions: Positions,
}

impl Turn {
    fn complete(&self) -> bool {
        self.expected.is_empty() && !self.exchange
    }
}

pub struct Checkpoints {
    interval: Duration,
    last: Instant,
    /// The epoch that tasks issue tickets of.
    current: Arc<Epoch>,
    /// Older ones, not known to be settled.
    unsettled: VecDeque<Arc<Epoch>>,
    turn: Option<Turn>,
}

impl Checkpoints {
    pub fn new(interval: Duration) -> Self {
        Checkpoints { interval, last: Instant::now(), current: Epoch::new(1), unsettled: VecDeque::new(), turn: None }
    }

    pub fn epoch(&self) -> Arc<Epoch> {
        Arc::clone(&self.current)
    }

    /// A new epoch that waits for none of the old ones: everything starts from the last commit.
    pub fn start_anew(&mut self) -> Arc<Epoch> {
        self.unsettled.clear();
        self.turn = None;
        self.current = Epoch::new(self.current.number + 1);
        self.epoch()
    }

    /// A turn that can no longer complete is given up; the next one covers it.
    pub fn cancel(&mut self) {
        self.turn = None;
    }

    pub fn take(&mut self, snapshot: Snapshot) {
        let Some(turn) = &mut self.turn else { return };
        if turn.expected.get(&snapshot.place) == Some(&snapshot.generation) {
            turn.expected.remove(&snapshot.place);
            turn.positions.insert(snapshot.place, (snapshot.position, snapshot.checkpoint));
        }
    }

    pub fn exchange_turned(&mut self, epoch: u64) {
        if let Some(turn) = self.turn.as_mut().filter(|turn| turn.epoch == epoch) {
            turn.exchange = false;
        }
    }

    fn failed(&self) -> bool {
        self.current.failed() || self.unsettled.iter().any(|epoch| epoch.failed())
    }

    fn settled(&mut self) -> bool {
        while self.unsettled.front().is_some_and(|epoch| epoch.settled() && !epoch.failed()) {
            self.unsettled.pop_front();
        }
        self.unsettled.is_empty()
    }
}

impl Coordinator {
    /// One step of the periodic checkpoint; never waits.
    pub fn turn_checkpoint(&mut self) {
        if self.checkpoints.failed() {
            tracing::warn!(source = %self.name(), "a sink dropped rows it had not written; replaying from the last commit");
            return self.rebuild_all();
        }
        match &self.checkpoints.turn {
            None => {
                let due = self.checkpoints.last.elapsed() >= self.checkpoints.interval;
                if due && !self.owned.is_empty() && self.shared_since.is_none() {
                    self.begin_turn();
                }
            }
            Some(turn) if turn.complete() => {
                if self.checkpoints.settled()
                    && let Some(turn) = self.checkpoints.turn.take()
                {
                    self.commit(&turn.positions);
                    self.checkpoints.last = Instant::now();
                }
            }
            Some(_) => {}
        }
    }

    fn begin_turn(&mut self) {
        let epoch = Epoch::new(self.checkpoints.current.number + 1);
        let old = std::mem::replace(&mut self.checkpoints.current, Arc::clone(&epoch));
        self.checkpoints.unsettled.push_back(old);
        self.checkpoints.turn = Some(Turn {
            epoch: epoch.number,
            expected: self.owned.iter().map(|(place, owned)| (place.clone(), owned.generation)).collect(),
            exchange: self.exchange.is_some(),
            positions: Positions::new(),
        });
        let source = self.config.index;
        let reply = self.snapshots_in.clone();
        let exchange = self.exchange.as_ref().map(|exchange| Arc::new(exchange.reached.read(exchange.incarnation)));
        self.to_all_lanes(|| LaneMessage::Barrier {
            source,
            epoch: Arc::clone(&epoch),
            exchange: exchange.clone(),
            reply: reply.clone(),
        });
    }

    /// Turns to a new epoch and waits for the positions; `None` at the deadline, or if a task failed meanwhile.
    pub fn collect_snapshots(&mut self, deadline: Option<Instant>) -> Option<Positions> {
        self.begin_turn();
        loop {
            if self.checkpoints.turn.as_ref()?.complete() {
                return self.checkpoints.turn.take().map(|turn| turn.positions);
            }
            if self.checkpoints.failed() || self.faults.stopped().is_some() || past(deadline) {
                return None;
            }
            crossbeam_channel::select! {
                recv(self.snapshots) -> snapshot => if let Ok(snapshot) = snapshot { self.checkpoints.take(snapshot) },
                recv(self.reports) -> report => if let Ok(report) = report { self.report(report) },
                default(TICK) => {}
            }
        }
    }

    /// Waits until every row before the last turn is acknowledged; false at the deadline or if rows were dropped.
    pub fn wait_until_settled(&mut self, deadline: Option<Instant>) -> bool {
        loop {
            if self.checkpoints.settled() {
                return true;
            }
            if self.checkpoints.failed() || past(deadline) {
                return false;
            }
            std::thread::sleep(TICK);
        }
    }

    /// A whole checkpoint at once, for who is about to let partitions go. True if it was committed in time.
    pub fn checkpoint_now(&mut self, deadline: Instant) -> bool {
        if self.owned.is_empty() || self.shared_since.is_some() {
            return true;
        }
        let Some(positions) = self.collect_snapshots(Some(deadline)) else { return false };
        self.wait_until_settled(Some(deadline)) && self.commit(&positions)
    }

    /// Commits positions with their metadata, all partitions in one request. What has not changed is left out.
    pub fn commit(&mut self, positions: &Positions) -> bool {
        let changed: Vec<(&str, i32, i64, String)> = positions
            .iter()
            .filter(|(place, (position, checkpoint))| {
                self.owned.get(place).is_some_and(|owned| {
                    owned.position != *position
                        || owned.checkpoint != *checkpoint
                        || owned.figures.committed.get() != *position
                })
            })
            .map(|(place, (position, checkpoint))| {
                (&*place.topic, place.partition, *position, checkpoint.to_metadata())
            })
            .collect();
        if changed.is_empty() {
            return true;
        }
        let figures = Arc::clone(&self.figures);
        let started = Instant::now();
        let entries =
            changed.iter().map(|(topic, partition, offset, metadata)| (*topic, *partition, *offset, &**metadata));
        if let Err(error) = self.consumer.commit(entries) {
            figures.commit_failures.add(1);
            tracing::warn!(source = %self.name(), "cannot commit: {error}; trying again with the next checkpoint");
            return false;
        }
        self.clear_problem();
        figures.commits.add(1);
        figures.commit_seconds.record(started.elapsed());
        for (place, (position, checkpoint)) in positions {
            if let Some(owned) = self.owned.get_mut(place) {
                owned.position = *position;
                owned.checkpoint = checkpoint.clone();
                owned.poison.retain(|(_, offset), _| *offset >= checkpoint.low_mark);
                owned.figures.committed.set(*position);
            }
        }
        true
    }
}

fn past(deadline: Option<Instant>) -> bool {
    deadline.is_some_and(|deadline| Instant::now() >= deadline)
}
