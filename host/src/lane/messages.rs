//! What coordinators, lanes and exchanges tell each other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use crossbeam_channel::Sender;
use wasmill_core::checkpoint::Checkpoint;
use wasmill_core::plan::{PluginId, RouteId};
use wasmill_core::records::Records;
use wasmill_core::time::Nanos;
use wasmill_core::window::Delta;
use wasmill_kafka::consumer::Lease;

use crate::changeover::{Changeover, Deployed};
use crate::current::Current;
use crate::delivery::Epoch;
use crate::figures::PartitionFigures;
use crate::reached::Reached;
use crate::task::{Halt, Start};

/// Which partition, of which source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub source: usize,
    pub topic: Arc<str>,
    pub partition: i32,
}

/// Opens when every partition of a source has caught up with its position: until then, tasks that are ahead wait, since the exchange
/// must not mix what is replayed with what is new. The exchange opens it, when it has handled the last replayed frame.
#[derive(Debug, Default)]
pub struct Gate(AtomicBool);

impl Gate {
    pub fn is_open(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    pub fn open(&self) {
        self.0.store(true, Ordering::Release);
    }
}

/// A source's exchange as its tasks see it.
#[derive(Clone)]
pub struct ExchangeLink {
    pub frames: Sender<ExchangeMessage>,
    /// How far it could be if idle partitions were let be: they are raised to it.
    pub ahead: Arc<AtomicI64>,
    pub gate: Arc<Gate>,
    /// Frames of another incarnation are ignored.
    pub incarnation: u64,
}

/// What tasks tell the exchange.
pub enum ExchangeMessage {
    Frame {
        incarnation: u64,
        place: Place,
        watermark: Nanos,
        idle: bool,
        deltas: Vec<(RouteId, Delta)>,
    },
    /// The task at `place` has replayed all it had to; what follows is new.
    CaughtUp {
        incarnation: u64,
        place: Place,
    },
    /// The task at `place` has turned to this epoch.
    Barrier {
        incarnation: u64,
        place: Place,
        epoch: Arc<Epoch>,
    },
    /// Change to another release, if all others can. The tasks stand still and have sent what they had.
    Change(Arc<Changeover>),
    /// Everything starts anew with these partitions.
    Reset(Anew),
    Stop,
}

/// A fresh start of an exchange.
pub struct Anew {
    pub incarnation: u64,
    pub places: Vec<Place>,
    pub gate: Arc<Gate>,
    pub epoch: Arc<Epoch>,
    /// The watermark it had at the last commit.
    pub committed: Nanos,
}

/// What a source's coordinator tells a lane.
pub enum LaneMessage {
    Assign(Box<Assignment>),
    Revoke {
        place: Place,
    },
    Records {
        place: Place,
        generation: u64,
        records: Records,
        lease: Lease,
    },
    End {
        place: Place,
        generation: u64,
        offset: i64,
    },
    /// Turn to this epoch and say where you are. `exchange`: the same for all tasks, read before any of them turns.
    Barrier {
        source: usize,
        epoch: Arc<Epoch>,
        exchange: Option<Arc<Reached>>,
        reply: Sender<Snapshot>,
    },
    /// A bounded run: close every window of the source's tasks.
    Finish {
        source: usize,
    },
    /// Wakes a lane that waits: a change is to be made.
    Look,
    Stop,
}

pub struct Assignment {
    pub place: Place,
    pub generation: u64,
    pub deployed: Arc<Current<Deployed>>,
    pub start: Start,
    pub figures: Arc<PartitionFigures>,
    pub epoch: Arc<Epoch>,
    pub exchange: Option<ExchangeLink>,
    pub reports: Sender<LaneReport>,
    /// A bounded run reads to here.
    pub until: Option<i64>,
}

/// Where a task stood when it turned to a new epoch.
#[derive(Debug)]
pub struct Snapshot {
    pub place: Place,
    pub generation: u64,
    pub position: i64,
    pub checkpoint: Checkpoint,
}

/// What a lane tells a source's coordinator.
#[derive(Debug)]
pub enum LaneReport {
    /// The task is gone; it must be rebuilt, or its source stopped.
    Halted { place: Place, generation: u64, halt: Halt },
    /// Rows made transformers fail and were dead-lettered.
    Trapped { place: Place, plugins: Vec<PluginId> },
    /// A plugin failed in the exchange: all partitions of the source start anew.
    ExchangeHalted { incarnation: u64, halt: Halt },
    /// The exchange has turned to this epoch, behind all of its partitions.
    ExchangeTurned { epoch: u64 },
    /// A bounded run has read all it should.
    Reached { place: Place, generation: u64 },
}
