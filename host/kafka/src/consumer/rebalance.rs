//! The poll thread's part in the group: partitions that come and go.

use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::{Receiver, RecvTimeoutError};
use rdkafka::{Offset, TopicPartitionList};

use super::building::Building;
use super::gate::Gate;
use super::poll::{Partition, Poll};
use super::{Assigned, Event, Owned, start};
use crate::error::{KafkaError, Result};

impl Poll {
    /// Answers what the group has asked since. An assignment whose positions no broker tells is kept, to be tried
    /// again: the group waits.
    pub(super) fn rebalance(&mut self) -> Result<()> {
        while let Some(rebalance) = self.rebalance.take().or_else(|| self.native.take_rebalance()) {
            self.known.clear();
            self.last_known = None;
            if !rebalance.assign {
                self.revoke(&rebalance.partitions)?;
                continue;
            }
            match start::positions(&self.native, &self.config, &self.resume, &rebalance.partitions) {
                Ok(assigned) => self.assign(assigned)?,
                Err(error) => {
                    self.rebalance = Some(rebalance);
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    fn assign(&mut self, mut assigned: Vec<Assigned>) -> Result<()> {
        let mut list = TopicPartitionList::new();
        for Assigned { topic, partition, resume_at, .. } in &assigned {
            list.add_partition_offset(topic, *partition, Offset::Offset(*resume_at))
                .map_err(|e| KafkaError::request("assigning", e))?;
        }
        self.native.assign(&list)?;
        for new in &mut assigned {
            new.generation = self.shared.next_generation();
            self.own(new);
        }
        self.publish_owned();
        self.answered();
        self.send(Event::Assigned { partitions: assigned });
        Ok(())
    }

    fn own(&mut self, new: &Assigned) {
        let partition = Partition {
            topic: Arc::clone(&new.topic),
            number: new.partition,
            generation: new.generation,
            gate: Gate::new(self.config.max_queue_bytes_per_partition, &self.native),
            building: Building::new(),
            next_offset: new.resume_at,
            seeking: None,
            log_end: new.log_end,
            said_end: None,
        };
        match self.partitions.iter_mut().find(|p| p.is_none()) {
            Some(free) => *free = Some(partition),
            None => self.partitions.push(Some(partition)),
        }
    }

    pub(super) fn revoke(&mut self, partitions: &[(String, i32)]) -> Result<()> {
        let lost = self.native.assignment_lost();
        let mut list = TopicPartitionList::new();
        let mut revoked = Vec::new();
        for (topic, number) in partitions {
            list.add_partition(topic, *number);
            if let Some(partition) = self.index(topic, *number).and_then(|i| self.partitions[i].take()) {
                partition.gate.set_paused(false);
                revoked.push((partition.topic, *number));
            }
        }
        self.forget_queued(&revoked);
        self.publish_owned();
        if !revoked.is_empty() && !self.stopping {
            let (done, wait) = crossbeam_channel::bounded(1);
            self.stash.push_back(Event::Revoked { partitions: revoked, done, lost });
            self.wait_until_done(&wait);
        }
        self.native.unassign(&list)
    }

    /// Waits until the receiver has stopped with the revoked partitions, or the time for it is over.
    fn wait_until_done(&mut self, done: &Receiver<()>) {
        let deadline = Instant::now() + self.config.revoke_timeout;
        while let Some(event) = self.stash.pop_front() {
            let Err(refused) = self.events.send_deadline(event, deadline) else { continue };
            // The rest stays in order behind it; the receiver learns of the revocation late.
            self.stash.push_front(refused.into_inner());
            tracing::warn!("a rebalance went on without an answer: the queue of events stayed full");
            return;
        }
        if done.recv_deadline(deadline) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!(after = ?self.config.revoke_timeout, "a rebalance went on before the partitions were given up");
        }
    }

    /// Drops records of `partitions` that were not handed over.
    pub(super) fn forget_queued(&mut self, partitions: &[(Arc<str>, i32)]) {
        let of = |topic: &Arc<str>, number: i32| partitions.iter().any(|(t, n)| *n == number && t == topic);
        self.stash.retain(|event| match event {
            Event::Records { topic, partition, .. } | Event::End { topic, partition, .. } => !of(topic, *partition),
            _ => true,
        });
        for partition in self.partitions.iter_mut().flatten().filter(|p| of(&p.topic, p.number)) {
            partition.building.clear();
        }
    }

    fn publish_owned(&self) {
        let owned =
            |p: &Partition| Owned { topic: Arc::clone(&p.topic), partition: p.number, gate: Arc::clone(&p.gate) };
        *self.shared.owned() = self.partitions.iter().flatten().map(owned).collect();
    }
}
