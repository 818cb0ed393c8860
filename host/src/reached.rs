//! How far a source's exchange has come, as its tasks' commits need it.

use std::sync::{Arc, Mutex, PoisonError};

use wasmill_core::time::{BEGINNING, Nanos};
use wasmill_core::window::Closed;

/// What tasks may let go of, and what a commit says of the exchange.
#[derive(Clone, Debug)]
pub struct Reached {
    incarnation: u64,
    /// Windows up to here are closed for good; [`BEGINNING`] while the gate is closed.
    pub watermark: Nanos,
    /// By name: a reload changes the numbers of routes.
    routes: Vec<(Arc<str>, Closed)>,
}

impl Reached {
    fn nothing(incarnation: u64) -> Self {
        Reached { incarnation, watermark: BEGINNING, routes: Vec::new() }
    }

    /// `None`: nothing can be said of this route yet.
    pub fn closed(&self, route: &str) -> Option<Closed> {
        self.routes.iter().find(|(name, _)| **name == *route).map(|(_, closed)| *closed)
    }
}

/// [`Reached`] as the exchange publishes it: the watermark and what belongs to it, never mixed.
#[derive(Debug)]
pub struct Shared(Mutex<Reached>);

impl Default for Shared {
    fn default() -> Self {
        Shared(Mutex::new(Reached::nothing(0)))
    }
}

impl Shared {
    /// What was reached by an incarnation before this one says nothing.
    pub fn read(&self, incarnation: u64) -> Reached {
        let reached = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if reached.incarnation == incarnation { reached.clone() } else { Reached::nothing(incarnation) }
    }

    pub fn write(&self, incarnation: u64, watermark: Nanos, routes: impl Iterator<Item = (Arc<str>, Closed)>) {
        let mut reached = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        reached.incarnation = incarnation;
        reached.watermark = watermark;
        reached.routes.clear();
        reached.routes.extend(routes);
    }
}
