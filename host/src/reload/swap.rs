//! The swap: the vote of all lanes and exchanges, or a rebuild of all tasks by replay.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Next, Reloader};
use crate::changeover::{Ballot, Changeover, Deployed};
use crate::lane::{ExchangeMessage, LaneMessage};
use crate::source::Control;

/// How long lanes and exchanges may take to come to the end of a batch and to prepare. Those that are there wait meanwhile.
const VOTE: Duration = Duration::from_secs(2);
/// How long to wait for what they report when the swap is done.
const REPORT: Duration = Duration::from_secs(1);

/// Decides against the change if nothing else was decided: no voter may wait for ever.
struct Called<'a>(&'a Ballot);

impl Drop for Called<'_> {
    fn drop(&mut self) {
        self.0.decide(false);
    }
}

impl Reloader {
    /// All tasks change between two batches, with their states, or none does. The longest pause, in seconds.
    pub(super) fn swap(&self, next: &Next, deployed: &[Arc<Deployed>]) -> Result<(f64, String), String> {
        let change = Arc::new(Changeover::new(deployed.iter().cloned().map(Some).collect()));
        let called = Called(&change.ballot);
        let deadline = Instant::now() + VOTE;
        let mut voters = 0;
        for lane in &self.lanes {
            if lane.changes.try_send(Arc::clone(&change)).is_ok() {
                voters += 1;
                // If its queue is full it is awake.
                let _ = lane.messages.try_send(LaneMessage::Look);
            }
        }
        change.ballot.wait_for(voters, deadline)?;
        // Lanes stand still: what is in the exchanges' queues is all there is.
        for exchange in self.sources.iter().filter_map(|source| source.exchange.get().as_ref().clone()) {
            let left = deadline.saturating_duration_since(Instant::now());
            match exchange.send_timeout(ExchangeMessage::Change(Arc::clone(&change)), left) {
                Ok(()) => voters += 1,
                // Its source was stopped by a fault.
                Err(crossbeam_channel::SendTimeoutError::Disconnected(_)) => {}
                Err(crossbeam_channel::SendTimeoutError::Timeout(_)) => {
                    return Err(
                        "an exchange did not come to the end of its queue in time: a sink holds it up".to_owned()
                    );
                }
            }
        }
        change.ballot.wait_for(voters, deadline)?;
        self.publish(next, deployed);
        change.ballot.decide(true);
        drop(called);
        for source in &self.sources {
            let _ = source.control.try_send(Control::Resume);
        }
        let pauses = change.ballot.pauses(voters, Instant::now() + REPORT);
        for pause in &pauses {
            self.reloads.pause_seconds.record(pause.time);
        }
        let longest = pauses.iter().map(|pause| pause.time).max().unwrap_or_default();
        let (tasks, slots) = pauses.iter().fold((0, 0), |(tasks, slots), p| (tasks + p.tasks, slots + p.slots));
        Ok((longest.as_secs_f64(), format!("{tasks} tasks, {slots} states carried over, paused {longest:.1?} at most")))
    }

    /// Tasks are thrown away and rebuilt from the last commit: where states cannot be carried over.
    pub(super) fn swap_by_replay(&self, next: &Next, deployed: &[Arc<Deployed>]) -> Result<((), String), String> {
        self.publish(next, deployed);
        for source in &self.sources {
            // A full queue means that the source is about to stop or to rebuild anyway.
            let _ = source.control.try_send(Control::Rebuild);
        }
        Ok(((), format!("{} sources replay from their last commits", self.sources.len())))
    }
}
