//! Several members of one group, on a real broker.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::{Member, PATIENCE, config, connection, fill, new_topic};
use wasmill_kafka::ConnectionConfig;
use wasmill_kafka::consumer::Event;

/// Writes until told to end; answers how many.
fn writer(connection: ConnectionConfig, topic: String, end: Arc<AtomicBool>) -> thread::JoinHandle<usize> {
    thread::spawn(move || {
        let mut written = 0;
        while !end.load(Ordering::SeqCst) {
            fill(&connection, &topic, 4, &format!("w{written}"), 2000);
            written += 2000;
        }
        written
    })
}

#[test]
fn members_split_the_partitions_and_every_record_is_read_by_the_one_that_owns_it() {
    let topic = new_topic("split", 4);
    let config = config(connection(), &topic);
    let end = Arc::new(AtomicBool::new(false));
    let writer = writer(connection(), topic.clone(), Arc::clone(&end));
    let mut first = Member::start(config.clone());
    first.until("all partitions", |m| m.assigned.len() == 4 && m.count() > 0);
    assert!(!first.handle.members_hold_other_partitions().unwrap());

    // `Member::on` refuses records of partitions that are not assigned, that is, anything of them after `Revoked`.
    let mut second = Member::start(config);
    let deadline = Instant::now() + PATIENCE;
    while (first.assigned.len(), second.assigned.len()) != (2, 2) || second.count() == 0 {
        first.pump(Duration::from_millis(10));
        second.pump(Duration::from_millis(10));
        assert!(Instant::now() < deadline, "no split: {:?} {:?}", first.assigned.keys(), second.assigned.keys());
    }
    assert!(first.handle.members_hold_other_partitions().unwrap());
    let kept: BTreeSet<_> = first.assigned.keys().copied().collect();
    let given: BTreeSet<_> = second.assigned.keys().copied().collect();
    assert!(kept.is_disjoint(&given));

    // What the first keeps goes on without a gap: a cooperative rebalance does not touch it.
    end.store(true, Ordering::SeqCst);
    let written = writer.join().unwrap();
    let log_end = written as i64 / 4;
    let has_all = |m: &Member, of: &BTreeSet<i32>| {
        of.iter().all(|p| m.records.get(p).and_then(|r| r.last()).is_some_and(|last| last.0 == log_end - 1))
    };
    first.until("the end of what it kept", |m| has_all(m, &kept));
    for partition in &kept {
        let offsets: Vec<_> = first.records[partition].iter().map(|r| r.0).collect();
        let wrong = offsets.iter().zip(0..log_end).position(|(offset, expected)| *offset != expected);
        assert_eq!((wrong, offsets.len() as i64), (None, log_end), "partition {partition}");
    }
    second.until("the end of what it got", |m| has_all(m, &given));

    // The one that leaves gives its partitions back.
    second.handle.stop();
    first.until("all partitions again", |m| m.assigned.len() == 4);
}

#[test]
fn an_owner_can_commit_before_it_answers_a_revocation() {
    let topic = new_topic("revoked", 2);
    fill(&connection(), &topic, 2, "v", 10);
    let config = config(connection(), &topic);
    let mut first = Member::start(config.clone());
    first.until("all", |m| m.count() == 10);
    let mut second = Member::start(config);
    let revoked = loop {
        match first.events.recv_timeout(PATIENCE).unwrap() {
            Event::Revoked { partitions, done, lost } => {
                assert!(!lost);
                let (topic, partition) = partitions[0].clone();
                assert_eq!(partitions.len(), 1);
                first.handle.commit([(&*topic, partition, 4, "by the old owner")]).unwrap();
                done.send(()).unwrap();
                break partition;
            }
            other => first.on(other),
        }
    };
    first.assigned.remove(&revoked);
    second.until("the partition", |m| m.assigned.contains_key(&revoked));
    let committed = second.assigned[&revoked].committed.clone();
    assert_eq!(committed, Some((4, "by the old owner".to_string())));
}
