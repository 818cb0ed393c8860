//! How all tasks and exchanges change from one release to the next between two batches, or none of them does.
//!
//! Each voter prepares beside what runs (new instances with a copy of the states), votes, and waits for the decision. While it waits
//! its tasks stand still, so what it prepared stays true. Lanes vote first; an exchange votes when they stand still, behind the
//! frames they had sent. Every state in the queue between them is thus older than the change.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::outlets::Outlets;
use crate::task::SourceRuntime;

/// What a source runs.
pub struct Deployed {
    pub runtime: Arc<SourceRuntime>,
    pub outlets: Arc<Outlets>,
}

/// One change, as lanes and exchanges are told of it.
pub struct Changeover {
    /// What each source of the plan runs from now on; `None`: nothing changes for it.
    pub sources: Vec<Option<Arc<Deployed>>>,
    pub ballot: Ballot,
}

impl Changeover {
    pub fn new(sources: Vec<Option<Arc<Deployed>>>) -> Self {
        Changeover { sources, ballot: Ballot::default() }
    }
}

/// Counts the votes and holds the decision.
#[derive(Debug, Default)]
pub struct Ballot {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    votes: usize,
    /// Why the first that could not prepare could not.
    refused: Option<String>,
    decision: Option<bool>,
    pauses: Vec<Pause>,
}

/// How long one voter stood still.
#[derive(Clone, Copy, Debug)]
pub struct Pause {
    pub tasks: usize,
    /// States that were carried over.
    pub slots: usize,
    pub time: Duration,
}

impl Ballot {
    /// Votes, and waits until it is decided: true if the change is on. Whoever calls the vote always decides.
    pub fn vote(&self, prepared: Result<(), String>) -> bool {
        let mut state = self.lock();
        state.votes += 1;
        if let Err(reason) = prepared {
            state.refused.get_or_insert(reason);
        }
        self.changed.notify_all();
        loop {
            if let Some(decision) = state.decision {
                return decision;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits for so many votes in all.
    ///
    /// # Errors
    /// Why a voter cannot change, or that not all voted in time.
    pub fn wait_for(&self, votes: usize, deadline: Instant) -> Result<(), String> {
        let mut state = self.lock();
        loop {
            if let Some(reason) = &state.refused {
                return Err(reason.clone());
            }
            if state.votes >= votes {
                return Ok(());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(format!(
                    "{} of {votes} lanes and exchanges came to the end of a batch in time: a sink or a plugin holds the others up",
                    state.votes
                ));
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Ends the vote; the first decision stands.
    pub fn decide(&self, change: bool) {
        self.lock().decision.get_or_insert(change);
        self.changed.notify_all();
    }

    /// A voter runs again.
    pub fn resumed(&self, pause: Pause) {
        self.lock().pauses.push(pause);
        self.changed.notify_all();
    }

    /// How long each of `voters` stood still; fewer at the deadline.
    pub fn pauses(&self, voters: usize, deadline: Instant) -> Vec<Pause> {
        let mut state = self.lock();
        while state.pauses.len() < voters && Instant::now() < deadline {
            let left = deadline.saturating_duration_since(Instant::now());
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        state.pauses.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_change_if_all_can_and_none_if_one_cannot_or_is_missing() {
        let soon = || Instant::now() + Duration::from_millis(50);
        for (votes, missing) in [(vec![true, true], 0), (vec![true, false], 0), (vec![true, true], 1)] {
            let ballot = Ballot::default();
            let expected = missing == 0 && votes.iter().all(|vote| *vote);
            std::thread::scope(|scope| {
                let voters: Vec<_> = votes
                    .iter()
                    .map(|vote| scope.spawn(|| ballot.vote(vote.then_some(()).ok_or_else(|| "no".to_owned()))))
                    .collect();
                let result = ballot.wait_for(votes.len() + missing, soon());
                assert_eq!(result.is_ok(), expected, "{result:?}");
                ballot.decide(result.is_ok());
                assert!(voters.into_iter().all(|voter| voter.join().unwrap() == expected));
            });
        }
    }
}
