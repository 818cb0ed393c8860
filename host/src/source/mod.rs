//! A source's coordinator: one thread that stands between its consumer and the lanes. It gives partitions to lanes, turns epochs at
//! checkpoints, commits what is acknowledged, and has tasks rebuilt by replay when something failed.

mod checkpoint;
mod faults;
mod ownership;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, select};
use wasmill_core::time::Nanos;
use wasmill_kafka::KafkaError;
use wasmill_kafka::consumer::{self, ConsumerConfig, Event, Handle};

use crate::changeover::Deployed;
use crate::current::Current;
use crate::figures::SourceFigures;
use crate::lane::{ExchangeMessage, LaneMessage, LaneReport, Place, Snapshot};
use crate::task::SourceRuntime;
use checkpoint::Checkpoints;
use faults::Faults;
use ownership::{ExchangeSide, Owned};

/// Events of the consumer that wait for the coordinator; their bytes are bounded by leases.
const CONSUMER_QUEUE: usize = 256;
/// Reports and snapshots that wait for it.
const REPORT_QUEUE: usize = 4096;
/// How often it looks whether an epoch has settled.
const TICK: Duration = Duration::from_millis(10);
/// How often the consumer's own figures are read.
const SHOW: Duration = Duration::from_millis(500);
/// How long a revoked partition's rows may take to be acknowledged before the partition is let go without a last commit. The
/// consumer's poll thread waits a little longer.
const REVOKE_DEADLINE: Duration = Duration::from_secs(4);

/// What a coordinator needs to run.
pub struct SourceConfig {
    /// Its place in the plan.
    pub index: usize,
    /// What it runs, and writes to.
    pub deployed: Arc<Current<Deployed>>,
    pub consumer: ConsumerConfig,
    pub lanes: Vec<Sender<LaneMessage>>,
    pub checkpoint_interval: Nanos,
    /// Asks for a plugin's release to be taken back, given why; false: nobody can.
    pub take_back: TakeBack,
    /// Read to the log's ends as they are at the start, close every window, and be done.
    pub bounded: bool,
}

/// See [`SourceConfig::take_back`].
pub type TakeBack = Arc<dyn Fn(&str, &str) -> bool + Send + Sync>;

/// What the supervisor tells a coordinator.
#[derive(Debug)]
pub enum Control {
    /// Handle what was read, commit it, leave the group; give up at this time.
    Stop { deadline: Instant },
    /// What is deployed has another state: rebuild all tasks by replay from the last commit.
    Rebuild,
    /// What is deployed is another release: a source that a fault has stopped tries again.
    Resume,
}

/// How a coordinator ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Ended {
    /// Everything read was acknowledged and committed.
    Clean,
    /// The deadline came first: what was not committed is read again by the next run.
    Abandoned,
    /// A bounded run read to the end.
    Finished,
    /// It was stopped by a fault, which its figures tell.
    Faulted(String),
}

pub struct SourceHandle {
    pub control: Sender<Control>,
    pub thread: std::thread::JoinHandle<Ended>,
    /// True while the source has its partitions and no fault.
    pub ready: Arc<AtomicBool>,
    /// The exchange's queue, if the source has one: another one after each restart of the source.
    pub exchange: Arc<Current<Option<Sender<ExchangeMessage>>>>,
}

/// Starts a coordinator with its consumer.
///
/// # Errors
/// Configuration that librdkafka refuses.
pub fn spawn(config: SourceConfig) -> Result<SourceHandle, KafkaError> {
    let (control, controls) = crossbeam_channel::bounded(4);
    let (consumer, events) = consume(&config.consumer)?;
    let ready = Arc::new(AtomicBool::new(false));
    let coordinator_ready = Arc::clone(&ready);
    let (reports_in, reports) = crossbeam_channel::bounded(REPORT_QUEUE);
    let exchange = ExchangeSide::start(&config.deployed, &reports_in);
    let frames = Arc::new(Current::new(exchange.as_ref().map(|exchange| exchange.frames.clone())));
    let coordinator_frames = Arc::clone(&frames);
    let name = format!("source-{}", config.deployed.get().runtime.plan.name);
    let thread = std::thread::Builder::new()
        .name(name)
        .spawn(move || {
            let mut coordinator =
                Coordinator::new(config, consumer, coordinator_ready, exchange, (reports_in, reports));
            coordinator.frames = coordinator_frames;
            coordinator.run(events, &controls)
        })
        .map_err(|error| KafkaError::Request {
            action: "starting a source's thread".to_owned(),
            reason: error.to_string(),
        })?;
    Ok(SourceHandle { control, thread, ready, exchange: frames })
}

/// A consumer and what it says.
fn consume(config: &ConsumerConfig) -> Result<(Handle, Receiver<Event>), KafkaError> {
    let (events_in, events) = crossbeam_channel::bounded(CONSUMER_QUEUE);
    let consumer = consumer::spawn(config.clone(), Box::new(ownership::resume_offset), events_in)?;
    Ok((consumer, events))
}

struct Coordinator {
    /// Of the source; no reload changes it, nor the figures.
    name: String,
    figures: Arc<SourceFigures>,
    config: SourceConfig,
    consumer: Handle,
    ready: Arc<AtomicBool>,
    owned: BTreeMap<Place, Owned>,
    exchange: Option<ExchangeSide>,
    /// The exchange's queue, for those outside.
    frames: Arc<Current<Option<Sender<ExchangeMessage>>>>,
    checkpoints: Checkpoints,
    faults: Faults,
    reports_in: Sender<LaneReport>,
    reports: Receiver<LaneReport>,
    snapshots_in: Sender<Snapshot>,
    snapshots: Receiver<Snapshot>,
    /// Records are no longer taken.
    stopping: bool,
    /// Since when the exchange waits for partitions that other members hold.
    shared_since: Option<Instant>,
    /// What stands in the way of reading: no broker, or what a broker says.
    broker_fault: Option<String>,
    problem: Option<String>,
    /// When the consumer's own figures were read last.
    shown: Instant,
    /// It held all partitions of its topics once.
    had_all: bool,
}

impl Coordinator {
    fn new(
        config: SourceConfig,
        consumer: Handle,
        ready: Arc<AtomicBool>,
        exchange: Option<ExchangeSide>,
        (reports_in, reports): (Sender<LaneReport>, Receiver<LaneReport>),
    ) -> Self {
        let runtime = Arc::clone(&config.deployed.get().runtime);
        let (snapshots_in, snapshots) = crossbeam_channel::bounded(REPORT_QUEUE);
        let interval = Duration::from_nanos(config.checkpoint_interval.max(0) as u64);
        Coordinator {
            checkpoints: Checkpoints::new(interval),
            faults: Faults::default(),
            owned: BTreeMap::new(),
            stopping: false,
            shared_since: None,
            had_all: false,
            broker_fault: None,
            problem: None,
            shown: Instant::now(),
            name: runtime.plan.name.clone(),
            figures: Arc::clone(&runtime.figures),
            config,
            consumer,
            ready,
            exchange,
            frames: Arc::default(),
            reports_in,
            reports,
            snapshots_in,
            snapshots,
        }
    }

    fn run(mut self, mut events: Receiver<Event>, controls: &Receiver<Control>) -> Ended {
        loop {
            let tick = crossbeam_channel::after(TICK);
            select! {
                recv(events) -> event => match event {
                    Ok(event) => self.consumer_event(event),
                    Err(_) => self.stop_with_fault("the consumer's thread ended".to_owned()),
                },
                recv(self.reports) -> report => if let Ok(report) = report { self.report(report) },
                recv(self.snapshots) -> snapshot => if let Ok(snapshot) = snapshot { self.checkpoints.take(snapshot) },
                recv(controls) -> control => match control {
                    Ok(Control::Rebuild) => self.rebuild_all(),
                    Ok(Control::Resume) => {}
                    control => return self.stop(control.ok()),
                },
                recv(tick) -> _ => {}
            }
            self.show_partitions();
            self.turn_checkpoint();
            self.check_exchange_alone();
            if let Some(reason) = self.faults.stopped() {
                match self.wait_for_stop(reason, &events, controls) {
                    Some(ended) => return ended,
                    None => events = self.start_again(),
                }
                continue;
            }
            if self.bounded_run_is_over() {
                return self.finish();
            }
        }
    }

    fn consumer_event(&mut self, event: Event) {
        match event {
            Event::Assigned { partitions } => self.assigned(partitions),
            Event::Revoked { partitions, done, lost } => {
                self.revoked(&partitions, lost);
                let _ = done.send(());
            }
            Event::Records { topic, partition, generation, records, lease } => {
                let place = self.place(topic, partition);
                if !self.stopping {
                    self.to_lane(&place, LaneMessage::Records { place: place.clone(), generation, records, lease });
                }
            }
            Event::End { topic, partition, generation, offset } => {
                let place = self.place(topic, partition);
                if let Some(owned) = self.owned.get(&place) {
                    owned.figures.end_offset.set(offset);
                    self.to_lane(&place, LaneMessage::End { place: place.clone(), generation, offset });
                }
            }
            Event::Broker { reachable, reason } => {
                self.broker_fault = (!reachable).then(|| format!("the broker cannot be reached: {reason}"));
                match &self.broker_fault {
                    Some(fault) => tracing::warn!(source = %self.name(), "{fault}; trying on"),
                    None => tracing::info!(source = %self.name(), "the broker is reachable"),
                }
                self.show_fault();
            }
            Event::Problem { reason } => {
                tracing::warn!(source = %self.name(), "{reason}");
                self.problem = Some(reason);
                self.show_fault();
            }
            Event::Fatal { reason } => self.stop_with_fault(reason),
        }
    }

    fn report(&mut self, report: LaneReport) {
        match report {
            LaneReport::Halted { place, generation, halt } => self.halted(place, generation, halt),
            LaneReport::Trapped { place, plugins } => self.trapped(&place, &plugins),
            LaneReport::ExchangeHalted { incarnation, halt } => self.exchange_halted(incarnation, halt),
            LaneReport::ExchangeTurned { epoch } => self.checkpoints.exchange_turned(epoch),
            LaneReport::Reached { place, generation } => {
                if let Some(owned) = self.owned.get_mut(&place).filter(|owned| owned.generation == generation) {
                    owned.reached = true;
                }
            }
        }
    }

    /// What only the consumer knows of partitions: how far their logs go and what waits in memory.
    fn show_partitions(&mut self) {
        if self.shown.elapsed() < SHOW {
            return;
        }
        self.shown = Instant::now();
        for state in self.consumer.partitions() {
            let place = self.place(state.topic, state.partition);
            let Some(owned) = self.owned.get(&place) else { continue };
            if let Some((_, end)) = state.log {
                owned.figures.end_offset.set(end);
            }
            owned.figures.queued_bytes.set(state.queued_bytes as i64);
            owned.figures.paused.store(state.paused, std::sync::atomic::Ordering::Relaxed);
        }
    }

    /// Whatever was the matter with reading, it is over.
    pub fn clear_problem(&mut self) {
        if self.problem.take().is_some() || self.broker_fault.take().is_some() {
            self.show_fault();
        }
    }

    fn show_fault(&self) {
        let fault = self.broker_fault.as_ref().or(self.problem.as_ref());
        self.figures.fault.set(fault.cloned());
    }

    /// What the source runs now.
    fn runtime(&self) -> Arc<SourceRuntime> {
        Arc::clone(&self.config.deployed.get().runtime)
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn place(&self, topic: Arc<str>, partition: i32) -> Place {
        Place { source: self.config.index, topic, partition }
    }

    /// Waits while the lane's queue is full; the consumer pauses meanwhile, by its leases.
    fn to_lane(&self, place: &Place, message: LaneMessage) {
        if let Some(owned) = self.owned.get(place) {
            let _ = self.config.lanes[owned.lane].send(message);
        }
    }

    fn to_all_lanes(&self, message: impl Fn() -> LaneMessage) {
        for lane in &self.config.lanes {
            let _ = lane.send(message());
        }
    }

    /// Handles what was read, commits it and leaves the group.
    fn stop(mut self, control: Option<Control>) -> Ended {
        let deadline = match control {
            Some(Control::Stop { deadline }) => deadline,
            Some(Control::Rebuild | Control::Resume) | None => Instant::now(),
        };
        self.stopping = true;
        let committed = self.checkpoint_now(deadline);
        self.let_go();
        if committed { Ended::Clean } else { Ended::Abandoned }
    }

    fn let_go(&mut self) {
        self.drop_tasks();
        self.owned.clear();
        if let Some(exchange) = self.exchange.take() {
            exchange.stop();
        }
        self.consumer.stop();
    }

    fn bounded_run_is_over(&self) -> bool {
        self.config.bounded && !self.owned.is_empty() && self.owned.values().all(|owned| owned.reached)
    }

    /// A bounded run has read all: every window closes. What is committed is the state before that, so that another run goes on
    /// with the windows that were open, and corrects their points.
    fn finish(mut self) -> Ended {
        let Some(open) = self.collect_snapshots(None) else {
            return Ended::Faulted("a task failed while the run came to its end".to_owned());
        };
        let source = self.config.index;
        self.to_all_lanes(|| LaneMessage::Finish { source });
        let settled = self.collect_snapshots(None).is_some() && self.wait_until_settled(None);
        let committed = settled && self.commit(&open);
        self.let_go();
        if committed {
            Ended::Finished
        } else {
            Ended::Faulted("rows of the last windows could not be written".to_owned())
        }
    }

    /// The source is stopped, the process goes on: its consumer leaves the group, its figures say why. `None`: another release is
    /// deployed, the source may try again.
    fn wait_for_stop(
        &mut self,
        reason: String,
        events: &Receiver<Event>,
        controls: &Receiver<Control>,
    ) -> Option<Ended> {
        tracing::error!(source = %self.name(), "stopped: {reason}");
        self.figures.fault.set(Some(format!("stopped: {reason}")));
        self.ready.store(false, std::sync::atomic::Ordering::Release);
        self.let_go();
        if self.config.bounded {
            return Some(Ended::Faulted(reason));
        }
        loop {
            select! {
                recv(controls) -> control => match control {
                    Ok(Control::Rebuild | Control::Resume) => return None,
                    _ => return Some(Ended::Faulted(reason)),
                },
                recv(events) -> event => match event {
                    Ok(Event::Revoked { done, .. }) => { let _ = done.send(()); }
                    Ok(_) => {}
                    Err(_) => return match controls.recv() {
                        Ok(Control::Rebuild | Control::Resume) => None,
                        _ => Some(Ended::Faulted(reason)),
                    },
                },
            }
        }
    }

    /// Joins the group again, with nothing of what was before but the committed offsets.
    fn start_again(&mut self) -> Receiver<Event> {
        tracing::info!(source = %self.name(), "starting again with what is deployed now");
        self.faults = Faults::default();
        self.checkpoints.start_anew();
        (self.shared_since, self.had_all) = (None, false);
        self.figures.fault.set(None);
        for plugin in &self.runtime().plugin_figures {
            plugin.fault.set(None);
        }
        self.exchange = ExchangeSide::start(&self.config.deployed, &self.reports_in);
        self.frames.set(Arc::new(self.exchange.as_ref().map(|exchange| exchange.frames.clone())));
        match consume(&self.config.consumer) {
            Ok((consumer, events)) => {
                self.consumer = consumer;
                events
            }
            Err(error) => {
                self.stop_with_fault(error.to_string());
                crossbeam_channel::never()
            }
        }
    }
}
