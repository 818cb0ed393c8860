//! What became of a reload, step by step: for the log, the API, the page and the metrics.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde::Serialize;

use crate::figures::{Counter, Durations};

/// Reloads that are remembered.
const MAX_REPORTS: usize = 50;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Under way.
    Running,
    /// What was built runs in every task.
    Changed,
    /// There was nothing to change.
    Unchanged,
    /// A step failed; what ran before runs on, everywhere.
    Refused,
}

impl Outcome {
    pub const ALL: [Outcome; 3] = [Outcome::Changed, Outcome::Unchanged, Outcome::Refused];

    pub fn name(self) -> &'static str {
        match self {
            Outcome::Running => "running",
            Outcome::Changed => "changed",
            Outcome::Unchanged => "unchanged",
            Outcome::Refused => "refused",
        }
    }
}

/// One step: build, verify, swap.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    pub name: &'static str,
    pub seconds: f64,
    pub ok: bool,
    /// What it found or did.
    pub detail: String,
}

/// A plugin whose release changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PluginChange {
    pub plugin: String,
    /// 64 hex digits; `None`: it was not there before.
    pub from: Option<String>,
    pub to: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub number: u64,
    /// RFC 3339.
    pub at: String,
    /// Who or what asked for it.
    pub trigger: String,
    pub outcome: Outcome,
    /// Why it was refused, and what to do.
    pub reason: Option<String>,
    pub plugins: Vec<PluginChange>,
    /// Routes that were added, removed or changed, in words.
    pub routes: Vec<String>,
    pub steps: Vec<Step>,
    /// The longest time that a task stood still.
    pub pause_seconds: f64,
}

impl Report {
    /// Runs one step and notes how it went.
    pub fn step<T>(
        &mut self,
        name: &'static str,
        work: impl FnOnce(&mut Self) -> Result<(T, String), String>,
    ) -> Result<T, String> {
        let started = Instant::now();
        let result = work(self);
        let (ok, detail) = match &result {
            Ok((_, detail)) => (true, detail.clone()),
            Err(reason) => (false, reason.clone()),
        };
        self.steps.push(Step { name, seconds: started.elapsed().as_secs_f64(), ok, detail });
        result.map(|(value, _)| value)
    }
}

/// The latest reloads, and what is counted of all.
#[derive(Debug, Default)]
pub struct Reloads {
    reports: Mutex<VecDeque<Report>>,
    /// From the request to the end of the swap, of those that changed something.
    pub seconds: Durations,
    /// How long a lane or an exchange stood still for a swap.
    pub pause_seconds: Durations,
    counts: [Counter; Outcome::ALL.len()],
}

impl Reloads {
    /// The newest last.
    pub fn list(&self) -> Vec<Report> {
        self.lock().iter().cloned().collect()
    }

    /// The number and outcome of the newest.
    pub fn latest(&self) -> Option<(u64, Outcome)> {
        self.lock().back().map(|report| (report.number, report.outcome))
    }

    /// Adds one, or replaces it as it goes on.
    pub fn put(&self, report: Report) {
        if let Some(at) = Outcome::ALL.iter().position(|outcome| *outcome == report.outcome) {
            self.counts[at].add(1);
        }
        let mut reports = self.lock();
        match reports.back_mut().filter(|last| last.number == report.number) {
            Some(last) => *last = report,
            None => reports.push_back(report),
        }
        if reports.len() > MAX_REPORTS {
            reports.pop_front();
        }
    }

    pub fn count(&self, outcome: Outcome) -> u64 {
        let at = Outcome::ALL.iter().position(|known| *known == outcome);
        at.map_or(0, |at| self.counts[at].get())
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Report>> {
        self.reports.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
