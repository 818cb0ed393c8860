//! What a commit must say of a task, so that a replay gets it there again.

use wasmill_core::checkpoint::Checkpoint;
use wasmill_core::time::BEGINNING;
use wasmill_core::window::LowMark;

use super::Task;
use super::own_time::OwnTimes;
use crate::reached::Reached;

impl Task {
    /// What a commit at [`Task::position`] must say. `exchange`: how far that has dealt with what was handed over.
    pub fn checkpoint(&mut self, exchange: Option<&Reached>) -> Checkpoint {
        let mut low = None;
        for fold in self.routes.iter_mut().filter_map(|route| route.fold.as_mut()) {
            if let Some(exchange) = exchange {
                fold.release(exchange);
            }
            if let Some(mark) = fold.low_mark()
                && low.as_ref().is_none_or(|l: &LowMark| mark.offset < l.offset)
            {
                low = Some(mark);
            }
        }
        let now = OwnTimes::sample(self.position, &self.watermark, &self.routes);
        let low =
            low.map_or((now.offset, now.running_max, now.floor), |mark| (mark.offset, mark.running_max, mark.floor));
        // Routes with event time of their own can be replayed only from where their own maximum is known.
        let from = self.own_times.before(low.0, now);
        let (offset, running_max, floor, own) = match from {
            Some(sample) => (sample.offset, sample.running_max, sample.floor, sample.own),
            None => (low.0, low.1, low.2, Vec::new()),
        };
        self.raises.retain(|(at, _)| *at > offset);
        let mut checkpoint = Checkpoint::new(offset, running_max, floor, self.raises.clone());
        checkpoint.own = own;
        checkpoint.exchange = exchange.map(|exchange| exchange.watermark).filter(|watermark| *watermark != BEGINNING);
        checkpoint
    }
}
