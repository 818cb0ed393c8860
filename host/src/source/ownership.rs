//! Which partitions this instance owns, where they start, and what happens when they come and go.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use wasmill_core::checkpoint::Checkpoint;
use wasmill_core::time::BEGINNING;
use wasmill_kafka::consumer::Assigned;

use super::{Coordinator, REVOKE_DEADLINE};
use crate::changeover::Deployed;
use crate::current::Current;
use crate::delivery::Epoch;
use crate::exchange::{self, Exchange};
use crate::figures::PartitionFigures;
use crate::lane::{Anew, Assignment, ExchangeLink, ExchangeMessage, Gate, LaneMessage, LaneReport, Place};
use crate::reached::Shared;
use crate::task::{Poison, Start};

/// How long a source with an exchange waits for partitions that another member holds: longer than a dead member's session.
const SHARED_PATIENCE: Duration = Duration::from_secs(20);
/// The same for a member that had all of them.
const SHARED_PATIENCE_ELDER: Duration = Duration::from_secs(60);

/// A partition of ours.
pub struct Owned {
    pub lane: usize,
    /// Of the consumer's seeks: records fetched before a seek are ignored.
    pub generation: u64,
    /// As last committed (or found committed).
    pub position: i64,
    pub checkpoint: Checkpoint,
    pub poison: Poison,
    pub figures: Arc<PartitionFigures>,
    pub until: Option<i64>,
    pub reached: bool,
}

/// The coordinator's side of the exchange.
pub struct ExchangeSide {
    pub frames: Sender<ExchangeMessage>,
    pub reached: Arc<Shared>,
    ahead: Arc<AtomicI64>,
    pub gate: Arc<Gate>,
    pub incarnation: u64,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl ExchangeSide {
    /// Starts the exchange's thread, if any route of the source needs one.
    pub fn start(deployed: &Arc<Current<Deployed>>, reports: &Sender<LaneReport>) -> Option<ExchangeSide> {
        let runtime = Arc::clone(&deployed.get().runtime);
        if exchange::exchanged(&runtime).is_empty() {
            return None;
        }
        let (frames, queue) = crossbeam_channel::bounded(exchange::QUEUE_FRAMES);
        let reached = Arc::new(Shared::default());
        let ahead = Arc::new(AtomicI64::new(BEGINNING));
        let exchange = Exchange::new(Arc::clone(deployed), reports.clone(), Arc::clone(&reached), Arc::clone(&ahead));
        let thread = std::thread::Builder::new()
            .name(format!("exchange-{}", runtime.plan.name))
            .spawn(move || exchange.run(&queue))
            .ok();
        Some(ExchangeSide { frames, reached, ahead, gate: Arc::default(), incarnation: 0, thread })
    }

    fn link(&self) -> ExchangeLink {
        ExchangeLink {
            frames: self.frames.clone(),
            ahead: Arc::clone(&self.ahead),
            gate: Arc::clone(&self.gate),
            incarnation: self.incarnation,
        }
    }

    pub fn stop(mut self) {
        let _ = self.frames.send(ExchangeMessage::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Where the consumer seeks to when a partition with committed metadata is assigned: its low mark. Metadata that is not ours is
/// reported when the assignment arrives; until then the committed offset will do.
pub fn resume_offset(_topic: &str, _partition: i32, position: i64, metadata: &str) -> i64 {
    Checkpoint::from_metadata(position, metadata).map_or(position, |checkpoint| checkpoint.low_mark)
}

impl Coordinator {
    pub fn assigned(&mut self, partitions: Vec<Assigned>) {
        for assigned in partitions {
            let place = self.place(Arc::clone(&assigned.topic), assigned.partition);
            let (position, checkpoint) = match &assigned.committed {
                Some((position, metadata)) => match Checkpoint::from_metadata(*position, metadata) {
                    Ok(checkpoint) => (*position, checkpoint),
                    Err(error) => return self.stop_with_fault(error.to_string()),
                },
                None => (assigned.resume_at, Checkpoint::fresh(assigned.resume_at)),
            };
            let figures = Arc::new(PartitionFigures::default());
            figures.committed.set(assigned.committed.as_ref().map_or(-1, |c| c.0));
            figures.end_offset.set(assigned.log_end);
            self.figure_entries().insert((place.topic.to_string(), place.partition), Arc::clone(&figures));
            let owned = Owned {
                lane: place.partition.unsigned_abs() as usize % self.config.lanes.len(),
                generation: assigned.generation,
                position,
                checkpoint,
                poison: Poison::new(),
                figures,
                until: self.config.bounded.then_some(assigned.log_end),
                reached: false,
            };
            self.owned.insert(place.clone(), owned);
            if self.exchange.is_none() {
                let epoch = self.checkpoints.epoch();
                self.assign(&place, &epoch);
            }
        }
        if self.exchange.is_some() {
            // Panes of the partitions that were here already are in the exchange: everything starts anew, together.
            self.start_exchange();
        }
        self.checkpoints.cancel();
        self.note_ready();
    }

    /// Starts the exchange's tasks if all partitions are ours; otherwise waits: an exchange in this process cannot see panes of
    /// partitions that another member of the group holds.
    fn start_exchange(&mut self) {
        let shared = self.consumer.members_hold_other_partitions().unwrap_or(true);
        if !shared {
            if self.shared_since.take().is_some() {
                self.figures.fault.set(None);
            }
            return self.start_all_from_commit();
        }
        self.drop_tasks();
        self.checkpoints.start_anew();
        if self.shared_since.is_none() {
            self.shared_since = Some(Instant::now());
            let fault = self.shared_fault();
            tracing::warn!(source = %self.name(), "{fault}");
            self.figures.fault.set(Some(fault));
        }
    }

    fn shared_fault(&self) -> String {
        let runtime = self.runtime();
        let routes: Vec<String> = exchange::exchanged(&runtime)
            .iter()
            .map(|(route, _)| format!("`{}`", runtime.plan.routes[*route].name))
            .collect();
        format!(
            "another member of the group `{}` holds partitions, but {} group by a key that the topic is not partitioned by: \
             their windows need all partitions in one instance. Run one instance of this group, or key these routes by what \
             the producer partitions by and say so with `partitioned_by`",
            self.figures.group,
            routes.join(", ")
        )
    }

    /// A predecessor that was killed stays in the group until its session times out, so the wait is tolerated for a while. Who
    /// had all partitions before waits longer: the one that came later leaves.
    pub fn check_exchange_alone(&mut self) {
        let Some(since) = self.shared_since else { return };
        let patience = if self.had_all { SHARED_PATIENCE_ELDER } else { SHARED_PATIENCE };
        if since.elapsed() > patience {
            let fault = self.shared_fault();
            self.stop_with_fault(fault);
        }
    }

    /// The tasks end; the partitions stay ours.
    pub fn drop_tasks(&self) {
        for place in self.owned.keys() {
            self.to_lane(place, LaneMessage::Revoke { place: place.clone() });
        }
    }

    /// Commits what can be committed, then forgets the partitions.
    pub fn revoked(&mut self, partitions: &[(Arc<str>, i32)], lost: bool) {
        let places: Vec<Place> = partitions.iter().map(|(t, p)| self.place(Arc::clone(t), *p)).collect();
        if !lost && places.iter().any(|place| self.owned.contains_key(place)) {
            self.checkpoint_now(Instant::now() + REVOKE_DEADLINE);
        }
        for place in &places {
            self.to_lane(place, LaneMessage::Revoke { place: place.clone() });
            self.owned.remove(place);
            self.figure_entries().remove(&(place.topic.to_string(), place.partition));
        }
        self.checkpoints.cancel();
        if self.exchange.is_some() {
            self.start_exchange();
        }
        self.note_ready();
    }

    fn figure_entries(
        &self,
    ) -> std::sync::RwLockWriteGuard<'_, std::collections::BTreeMap<(String, i32), Arc<PartitionFigures>>> {
        self.figures.partitions.write().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub fn note_ready(&self) {
        self.faults.note_ready(&self.ready, true);
    }

    /// All tasks and the exchange start from the last commit, in a new epoch: rows of the old one that are still under way are
    /// written, but nothing waits for them.
    pub fn start_all_from_commit(&mut self) {
        self.had_all |= self.exchange.is_some();
        let epoch = self.checkpoints.start_anew();
        let places: Vec<Place> = self.owned.keys().cloned().collect();
        if let Some(exchange) = &mut self.exchange {
            exchange.incarnation += 1;
            exchange.gate = Arc::default();
            let committed = self.owned.values().filter_map(|owned| owned.checkpoint.exchange).max();
            let _ = exchange.frames.send(ExchangeMessage::Reset(Anew {
                incarnation: exchange.incarnation,
                places: places.clone(),
                gate: Arc::clone(&exchange.gate),
                epoch: Arc::clone(&epoch),
                committed: committed.unwrap_or(BEGINNING),
            }));
        }
        for place in places {
            self.assign_from_commit(&place, &epoch);
        }
    }

    /// Seeks a partition back to the low mark of its last commit and gives it a new task.
    pub fn assign_from_commit(&mut self, place: &Place, epoch: &Arc<Epoch>) {
        let Some(owned) = self.owned.get_mut(place) else { return };
        match self.consumer.seek(&place.topic, place.partition, owned.checkpoint.low_mark) {
            Ok(generation) => owned.generation = generation,
            Err(error) => return self.stop_with_fault(format!("cannot seek back for a replay: {error}")),
        }
        owned.reached = false;
        self.assign(place, epoch);
    }

    fn assign(&self, place: &Place, epoch: &Arc<Epoch>) {
        let Some(owned) = self.owned.get(place) else { return };
        let assignment = Assignment {
            place: place.clone(),
            generation: owned.generation,
            deployed: Arc::clone(&self.config.deployed),
            start: Start {
                position: owned.position,
                checkpoint: owned.checkpoint.clone(),
                poison: owned.poison.clone(),
            },
            figures: Arc::clone(&owned.figures),
            epoch: Arc::clone(epoch),
            exchange: self.exchange.as_ref().map(ExchangeSide::link),
            reports: self.reports_in.clone(),
            until: owned.until,
        };
        self.to_lane(place, LaneMessage::Assign(Box::new(assignment)));
    }
}
