//! Whether the pipeline does its work, and if not, who waits for what.

use std::sync::atomic::{AtomicU8, Ordering};

use serde::Serialize;

use crate::figures::{Figures, Note};

/// How far the process is. Set by the supervisor; `waiting` is not a phase but what [`Health::state`] makes of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    Starting,
    Running,
    Stopping,
    /// Stopped by an error; the process stays up to say which.
    Failed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Starting,
    Running,
    /// Up, but a source or a sink cannot do its work.
    Waiting,
    Stopping,
    Failed,
}

/// One thing that keeps the pipeline from its work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// `pipeline`, `source`, `plugin` or `sink`.
    pub kind: &'static str,
    pub name: String,
    pub reason: String,
}

/// The supervisor writes it, `/readyz` and the status read it.
#[derive(Debug, Default)]
pub struct Health {
    phase: AtomicU8,
    /// What the whole pipeline waits for or failed by.
    pub note: Note,
}

impl Health {
    pub fn set(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    pub fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Relaxed) {
            0 => Phase::Starting,
            1 => Phase::Running,
            2 => Phase::Stopping,
            _ => Phase::Failed,
        }
    }

    /// Everything that waits or failed: sources that cannot reach their broker, sinks that cannot write, plugins at fault.
    pub fn reasons(&self, figures: &Figures) -> Vec<Reason> {
        let mut reasons = Vec::new();
        let mut add = |kind: &'static str, name: &str, note: &Note| {
            if let Some(reason) = note.get() {
                reasons.push(Reason { kind, name: name.into(), reason });
            }
        };
        add("pipeline", "", &self.note);
        figures.sources.iter().for_each(|s| add("source", &s.name, &s.fault));
        figures.plugins.get().iter().for_each(|p| add("plugin", &p.name, &p.fault));
        figures.sinks.get().iter().for_each(|s| add("sink", &s.name, &s.fault));
        if reasons.is_empty() && self.phase() == Phase::Starting {
            reasons.push(Reason { kind: "pipeline", name: String::new(), reason: "starting".into() });
        }
        reasons
    }

    pub fn state(&self, figures: &Figures) -> State {
        match self.phase() {
            Phase::Starting => State::Starting,
            Phase::Stopping => State::Stopping,
            Phase::Failed => State::Failed,
            Phase::Running if self.reasons(figures).is_empty() => State::Running,
            Phase::Running => State::Waiting,
        }
    }
}
