//! librdkafka's properties for a consumer, and why each is not the default.

use rdkafka::ClientConfig;

use super::ConsumerConfig;

/// Wasmill's own, then the user's over them, then those that are not for the user to set.
pub(super) fn client_config(config: &ConsumerConfig) -> ClientConfig {
    let mut client = config.connection.client([
        // Moves only the partitions that must move; the rest goes on.
        ("partition.assignment.strategy", "cooperative-sticky"),
        ("isolation.level", "read_committed"),
        // A killed process is missed after 10 s, not 45.
        ("session.timeout.ms", "10000"),
        ("heartbeat.interval.ms", "2000"),
        // Starts are always given; this is for a position that retention overtook while it was read.
        ("auto.offset.reset", "earliest"),
        // With its default of 1000 any consumer that does work stalls.
        ("fetch.queue.backoff.ms", "5"),
        // How long a broker holds an empty answer: also how long a seek or a resumed partition can wait behind it.
        ("fetch.wait.max.ms", "50"),
        ("fetch.message.max.bytes", "1048576"),
        // What librdkafka prefetches: a message costs it some 300 bytes beside its own, so both are bounded.
        ("queued.min.messages", "20000"),
        ("queued.max.messages.kbytes", "8192"),
        ("topic.metadata.refresh.interval.ms", "30000"),
        ("allow.auto.create.topics", "false"),
        ("statistics.interval.ms", "0"),
    ]);
    client.set("group.id", &config.group);
    client.set("enable.auto.commit", "false");
    client.set("enable.auto.offset.store", "false");
    client.set("enable.partition.eof", "false");
    client
}
