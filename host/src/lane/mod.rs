//! A lane: a plain thread that owns tasks. Messages come in order; nothing on the data path is locked.

mod messages;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use wasmill_core::records::Records;
use wasmill_core::time::{BEGINNING, Nanos};
use wasmill_kafka::consumer::Lease;

pub use messages::{Anew, Assignment, ExchangeLink, ExchangeMessage, Gate, LaneMessage, LaneReport, Place, Snapshot};

use crate::changeover::{Changeover, Pause};
use crate::clock;
use crate::delivery::Epoch;
use crate::outlets::Outlets;
use crate::reached::Reached;
use crate::task::{Halt, Outbox, Task};

/// Messages a lane's queue holds. The bytes in it are bounded by the leases of their records.
pub const QUEUE_MESSAGES: usize = 4096;
/// How often a lane looks at the clock for idle partitions and early rows.
const TICK: Duration = Duration::from_millis(50);

struct Owned {
    assignment: Assignment,
    outlets: Arc<Outlets>,
    task: Task,
    /// Records that wait for the gate, from the given one on.
    waiting: VecDeque<(Records, usize, Lease)>,
    caught_up: bool,
    reached: bool,
}

/// Runs until told to stop or until every sender is gone.
pub fn run(messages: &Receiver<LaneMessage>, changes: &Receiver<Arc<Changeover>>) {
    let mut lane = Lane { tasks: BTreeMap::new() };
    let mut next_tick = Instant::now() + TICK;
    loop {
        match messages.recv_deadline(next_tick) {
            Ok(LaneMessage::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            Ok(message) => lane.handle(message),
            Err(RecvTimeoutError::Timeout) => {}
        }
        // Not in the queue: a change must not wait behind the records in it while other lanes stand still for it.
        if let Ok(change) = changes.try_recv() {
            lane.change_over(&change);
        }
        if Instant::now() >= next_tick {
            lane.tick();
            next_tick = Instant::now() + TICK;
        }
    }
}

struct Lane {
    tasks: BTreeMap<Place, Owned>,
}

impl Lane {
    fn handle(&mut self, message: LaneMessage) {
        match message {
            LaneMessage::Assign(assignment) => self.assign(*assignment),
            LaneMessage::Revoke { place } => {
                self.tasks.remove(&place);
            }
            LaneMessage::Records { place, generation, records, lease } => {
                self.with(&place, generation, |owned| owned.take(records, lease));
            }
            LaneMessage::End { place, generation, offset } => {
                self.with(&place, generation, |owned| {
                    if owned.waiting.is_empty() {
                        let outbox = owned.task.reached_end(offset)?;
                        owned.send(outbox);
                    }
                    owned.after_progress();
                    Ok(())
                });
            }
            LaneMessage::Barrier { source, epoch, exchange, reply } => {
                for (place, owned) in self.tasks.iter_mut().filter(|(place, _)| place.source == source) {
                    owned.barrier(place, &epoch, exchange.as_deref(), &reply);
                }
            }
            LaneMessage::Finish { source } => {
                let places: Vec<Place> = self.tasks.keys().filter(|p| p.source == source).cloned().collect();
                for place in places {
                    let generation = self.tasks[&place].assignment.generation;
                    self.with(&place, generation, |owned| {
                        let outbox = owned.task.finish()?;
                        owned.send(outbox);
                        Ok(())
                    });
                }
            }
            LaneMessage::Look | LaneMessage::Stop => {}
        }
    }

    fn assign(&mut self, assignment: Assignment) {
        let place = assignment.place.clone();
        self.tasks.remove(&place);
        let deployed = assignment.deployed.get();
        let task = Task::new(
            Arc::clone(&deployed.runtime),
            Arc::clone(&place.topic),
            place.partition,
            assignment.start.clone(),
            Arc::clone(&assignment.figures),
            clock::now(),
        );
        match task {
            Ok(task) => {
                let outlets = Arc::clone(&deployed.outlets);
                let waiting = VecDeque::new();
                let mut owned = Owned { assignment, outlets, task, waiting, caught_up: false, reached: false };
                owned.after_progress();
                self.tasks.insert(place, owned);
            }
            Err(halt) => {
                let report = LaneReport::Halted { place, generation: assignment.generation, halt };
                let _ = assignment.reports.send(report);
            }
        }
    }

    /// Does something with a task of this generation; a task that halts is dropped and reported.
    fn with(&mut self, place: &Place, generation: u64, work: impl FnOnce(&mut Owned) -> Result<(), Halt>) {
        let Some(owned) = self.tasks.get_mut(place).filter(|owned| owned.assignment.generation == generation) else {
            return;
        };
        if let Err(halt) = work(owned) {
            let report = LaneReport::Halted { place: place.clone(), generation, halt };
            let _ = owned.assignment.reports.send(report);
            self.tasks.remove(place);
        }
    }

    /// Prepares every task of the sources that change, votes, and changes if all do.
    fn change_over(&mut self, change: &Changeover) {
        let stopped = Instant::now();
        let mut prepared = Vec::new();
        let mut slots = 0;
        let ready = self.tasks.iter_mut().try_for_each(|(place, owned)| {
            let Some(deployed) = &change.sources[place.source] else { return Ok(()) };
            let next = owned.task.prepare(&deployed.runtime)?;
            slots += next.slots;
            prepared.push((place.clone(), deployed, next));
            Ok(())
        });
        let tasks = prepared.len();
        if change.ballot.vote(ready) {
            for (place, deployed, next) in prepared {
                if let Some(owned) = self.tasks.get_mut(&place) {
                    owned.task.change_over(next);
                    owned.outlets = Arc::clone(&deployed.outlets);
                }
            }
        }
        change.ballot.resumed(Pause { tasks, slots, time: stopped.elapsed() });
    }

    fn tick(&mut self) {
        let now = clock::now();
        let places: Vec<(Place, u64)> =
            self.tasks.iter().map(|(place, owned)| (place.clone(), owned.assignment.generation)).collect();
        for (place, generation) in places {
            self.with(&place, generation, |owned| {
                owned.drain_waiting()?;
                owned.tick(now)
            });
        }
    }
}

impl Owned {
    fn take(&mut self, records: Records, lease: Lease) -> Result<(), Halt> {
        self.waiting.push_back((records, 0, lease));
        self.drain_waiting()
    }

    /// What the clock asks for. While the gate holds the task back, time stands still for it.
    fn tick(&mut self, now: Nanos) -> Result<(), Halt> {
        if self.held_back() {
            return Ok(());
        }
        let ahead = self.assignment.exchange.as_ref().map_or(BEGINNING, |e| e.ahead.load(Ordering::Acquire));
        let outbox = self.task.tick(now, ahead)?;
        self.send(outbox);
        Ok(())
    }

    /// Ahead of the others while some still replay: what is new must wait.
    fn held_back(&self) -> bool {
        self.caught_up && self.assignment.exchange.as_ref().is_some_and(|exchange| !exchange.gate.is_open())
    }

    fn drain_waiting(&mut self) -> Result<(), Halt> {
        while !self.held_back() {
            let Some((records, first, lease)) = self.waiting.pop_front() else { break };
            if let Some(rest) = self.run(&records, first)? {
                self.waiting.push_front((records, rest, lease));
            }
        }
        Ok(())
    }

    /// Handles records from `first` on; stops where the gate holds the task back, and says where.
    fn run(&mut self, records: &Records, mut first: usize) -> Result<Option<usize>, Halt> {
        while let Some(mut range) = self.task.next_batch(records, first) {
            if self.held_back() {
                return Ok(Some(first));
            }
            if let Some(until) = self.assignment.until {
                let within = records.records[range.clone()].iter().take_while(|r| r.offset < until).count();
                range.end = range.start + within;
            }
            if range.is_empty() {
                break;
            }
            first = range.end;
            let mut outbox = Outbox::default();
            self.task.process(records, range, clock::now(), &mut outbox)?;
            self.send(outbox);
            self.after_progress();
        }
        self.after_progress();
        Ok(None)
    }

    fn send(&mut self, mut outbox: Outbox) {
        let culprits = std::mem::take(&mut outbox.culprits);
        if !culprits.is_empty() {
            let report = LaneReport::Trapped { place: self.assignment.place.clone(), plugins: culprits };
            let _ = self.assignment.reports.send(report);
        }
        let deltas = std::mem::take(&mut outbox.deltas);
        self.outlets.send(outbox, &self.assignment.epoch);
        let idle = self.task.live() && self.task.idle(clock::now());
        if let Some(exchange) = &self.assignment.exchange {
            let frame = ExchangeMessage::Frame {
                incarnation: exchange.incarnation,
                place: self.assignment.place.clone(),
                watermark: self.task.watermark(),
                idle,
                deltas,
            };
            let _ = exchange.frames.send(frame);
        }
    }

    fn after_progress(&mut self) {
        if !self.caught_up && self.task.live() {
            self.caught_up = true;
            if let Some(exchange) = &self.assignment.exchange {
                let Assignment { place, .. } = &self.assignment;
                let message = ExchangeMessage::CaughtUp { incarnation: exchange.incarnation, place: place.clone() };
                let _ = exchange.frames.send(message);
            }
        }
        let until = self.assignment.until;
        if !self.reached && until.is_some_and(|until| self.task.position() >= until) {
            self.reached = true;
            let Assignment { place, generation, reports, .. } = &self.assignment;
            let _ = reports.send(LaneReport::Reached { place: place.clone(), generation: *generation });
        }
    }

    fn barrier(&mut self, place: &Place, epoch: &Arc<Epoch>, exchange: Option<&Reached>, reply: &Sender<Snapshot>) {
        self.assignment.epoch = Arc::clone(epoch);
        let start = &self.assignment.start;
        // A task that still replays stands, for a commit, where it started.
        let (position, checkpoint) = if self.task.live() {
            (self.task.position(), self.task.checkpoint(exchange))
        } else {
            (start.position, start.checkpoint.clone())
        };
        let generation = self.assignment.generation;
        let snapshot = Snapshot { place: place.clone(), generation, position, checkpoint };
        if let Some(exchange) = &self.assignment.exchange {
            let barrier = ExchangeMessage::Barrier {
                incarnation: exchange.incarnation,
                place: place.clone(),
                epoch: Arc::clone(epoch),
            };
            let _ = exchange.frames.send(barrier);
        }
        let _ = reply.send(snapshot);
    }
}
