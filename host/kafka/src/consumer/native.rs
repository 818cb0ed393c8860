//! librdkafka's consumer as the poll thread uses it: the narrow, safe face of what `rdkafka`'s own consumers do not offer, a whole
//! batch of messages in one call.
//!
//! Rebalances. `rd_kafka_consume_batch_queue` serves every callback while it collects messages, the one for rebalances too (with
//! rebalance *events*, as `rdkafka`'s `BaseConsumer` asks for them, it would drop the assignment instead). The callback only notes
//! what is asked; the group waits until [`Native::assign`] or [`Native::unassign`] answers. So messages that were collected in the
//! same call still belong to their partitions, and after `unassign` librdkafka hands out none that it had fetched before.

use std::collections::VecDeque;
use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::bindings as sys;
use rdkafka::client::Client;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::types::{RDKafkaRespErr, RDKafkaType};
use rdkafka::{ClientConfig, ClientContext, Offset, TopicPartitionList};

use crate::error::{KafkaError, Result};
use crate::log::Logging;

/// What the group asks of this member.
#[derive(Debug)]
pub(super) struct Rebalance {
    pub assign: bool,
    pub partitions: Vec<(String, i32)>,
}

/// What librdkafka said while messages were collected; taken by the poll thread after each call.
#[derive(Debug, Default)]
pub(super) struct Callbacks {
    logging: Logging,
    rebalances: Mutex<VecDeque<Rebalance>>,
    errors: Mutex<Vec<(RDKafkaRespErr, String)>>,
}

impl ClientContext for Callbacks {}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// # Safety
/// `opaque` is what `Client::new` was given as context, alive as long as the client.
unsafe fn callbacks<'a>(opaque: *mut c_void) -> &'a Callbacks {
    unsafe { &*opaque.cast::<Callbacks>() }
}

unsafe fn text(from: *const c_char) -> String {
    if from.is_null() { String::new() } else { unsafe { CStr::from_ptr(from) }.to_string_lossy().into_owned() }
}

unsafe extern "C" fn on_rebalance(
    _: *mut sys::rd_kafka_t,
    err: RDKafkaRespErr,
    partitions: *mut sys::rd_kafka_topic_partition_list_t,
    opaque: *mut c_void,
) {
    let assign = err == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
    let partitions = unsafe { partitions_of(partitions) }.map(|p| (unsafe { text(p.topic) }, p.partition)).collect();
    lock(&unsafe { callbacks(opaque) }.rebalances).push_back(Rebalance { assign, partitions });
}

unsafe extern "C" fn on_error(_: *mut sys::rd_kafka_t, err: i32, reason: *const c_char, opaque: *mut c_void) {
    // Codes come from librdkafka's own enumeration, as an int in this one callback.
    let err = unsafe { std::mem::transmute::<i32, RDKafkaRespErr>(err) };
    lock(&unsafe { callbacks(opaque) }.errors).push((err, unsafe { text(reason) }));
}

unsafe extern "C" fn on_log(rk: *const sys::rd_kafka_t, level: i32, facility: *const c_char, line: *const c_char) {
    let level = match level {
        0 => RDKafkaLogLevel::Emerg,
        1 => RDKafkaLogLevel::Alert,
        2 => RDKafkaLogLevel::Critical,
        3 => RDKafkaLogLevel::Error,
        4 => RDKafkaLogLevel::Warning,
        5 => RDKafkaLogLevel::Notice,
        6 => RDKafkaLogLevel::Info,
        _ => RDKafkaLogLevel::Debug,
    };
    let opaque = unsafe { sys::rd_kafka_opaque(rk) };
    unsafe { callbacks(opaque).logging.line(level, &text(facility), &text(line)) };
}

unsafe fn partitions_of<'a>(
    list: *const sys::rd_kafka_topic_partition_list_t,
) -> impl Iterator<Item = &'a sys::rd_kafka_topic_partition_t> {
    let elements = if list.is_null() || unsafe { (*list).elems.is_null() } {
        &[][..]
    } else {
        unsafe { std::slice::from_raw_parts((*list).elems, (*list).cnt as usize) }
    };
    elements.iter()
}

fn check(action: &str, err: RDKafkaRespErr) -> Result<()> {
    if err == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
        return Ok(());
    }
    Err(KafkaError::request(action, describe(err)))
}

/// librdkafka's words for an error.
pub(super) fn describe(err: RDKafkaRespErr) -> String {
    unsafe { text(sys::rd_kafka_err2str(err)) }
}

fn millis(duration: Duration) -> i32 {
    duration.as_millis().min(i32::MAX as u128) as i32
}

/// Messages as librdkafka handed them out, given back when dropped.
pub(super) struct Messages<'a>(&'a [*mut sys::rd_kafka_message_t]);

impl Messages<'_> {
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = &sys::rd_kafka_message_t> {
        self.0.iter().map(|m| unsafe { &**m })
    }
}

impl Drop for Messages<'_> {
    fn drop(&mut self) {
        for message in self.0 {
            unsafe { sys::rd_kafka_message_destroy(*message) };
        }
    }
}

pub(super) struct Native {
    client: Client<Callbacks>,
    queue: *mut sys::rd_kafka_queue_t,
}

// librdkafka's handles and queues may be used from any thread.
unsafe impl Send for Native {}
unsafe impl Sync for Native {}

impl Drop for Native {
    fn drop(&mut self) {
        unsafe { sys::rd_kafka_queue_destroy(self.queue) };
    }
}

impl Native {
    pub fn new(config: &ClientConfig) -> Result<Arc<Self>> {
        let conf = config.create_native_config().map_err(KafkaError::creation)?;
        unsafe {
            sys::rd_kafka_conf_set_rebalance_cb(conf.ptr(), Some(on_rebalance));
            sys::rd_kafka_conf_set_error_cb(conf.ptr(), Some(on_error));
            sys::rd_kafka_conf_set_log_cb(conf.ptr(), Some(on_log));
        }
        let client = Client::new(config, conf, RDKafkaType::RD_KAFKA_CONSUMER, Callbacks::default())
            .map_err(KafkaError::creation)?;
        // Errors and log lines come by the same queue as messages.
        let queue = unsafe {
            sys::rd_kafka_poll_set_consumer(client.native_ptr());
            sys::rd_kafka_queue_get_consumer(client.native_ptr())
        };
        if queue.is_null() {
            return Err(KafkaError::Configuration("the consumer has no group".into()));
        }
        Ok(Arc::new(Native { client, queue }))
    }

    fn rk(&self) -> *mut sys::rd_kafka_t {
        self.client.native_ptr()
    }

    pub fn client(&self) -> &Client<impl ClientContext + use<>> {
        &self.client
    }

    pub fn take_rebalance(&self) -> Option<Rebalance> {
        lock(&self.client.context().rebalances).pop_front()
    }

    pub fn take_errors(&self) -> Vec<(RDKafkaRespErr, String)> {
        std::mem::take(&mut *lock(&self.client.context().errors))
    }

    pub fn subscribe(&self, topics: &[String]) -> Result<()> {
        let mut list = TopicPartitionList::new();
        for topic in topics {
            list.add_topic_unassigned(topic);
        }
        check("subscribing", unsafe { sys::rd_kafka_subscribe(self.rk(), list.ptr()) })
    }

    /// Up to `into.len()` messages; less when `timeout` has passed or [`Native::wake`] was called.
    pub fn batch<'a>(&self, timeout: Duration, into: &'a mut [*mut sys::rd_kafka_message_t]) -> Messages<'a> {
        batch(self.queue, timeout, into)
    }

    /// A queue for one assigned partition alone: from now on, its messages come there.
    pub fn partition_queue(&self, topic: &str, partition: i32) -> Result<PartitionQueue> {
        let name = CString::new(topic).map_err(|e| KafkaError::request(format!("reading `{topic}`"), e))?;
        let queue = unsafe { sys::rd_kafka_queue_get_partition(self.rk(), name.as_ptr(), partition) };
        if queue.is_null() {
            let action = format!("reading {topic}/{partition}");
            return Err(KafkaError::request(action, "librdkafka does not know the partition"));
        }
        unsafe { sys::rd_kafka_queue_forward(queue, ptr::null_mut()) };
        Ok(PartitionQueue(Queue(queue)))
    }

    /// Makes a [`Native::batch`] that waits return.
    pub fn wake(&self) {
        unsafe { sys::rd_kafka_queue_yield(self.queue) };
    }

    fn cooperative(&self) -> bool {
        unsafe { text(sys::rd_kafka_rebalance_protocol(self.rk())) == "COOPERATIVE" }
    }

    /// Answers a rebalance: consume these, from the offsets in the list.
    pub fn assign(&self, partitions: &TopicPartitionList) -> Result<()> {
        if self.cooperative() {
            self.checked("assigning", unsafe { sys::rd_kafka_incremental_assign(self.rk(), partitions.ptr()) })
        } else {
            check("assigning", unsafe { sys::rd_kafka_assign(self.rk(), partitions.ptr()) })
        }
    }

    /// Answers a rebalance: these are no longer ours.
    pub fn unassign(&self, partitions: &TopicPartitionList) -> Result<()> {
        if self.cooperative() {
            self.checked("unassigning", unsafe { sys::rd_kafka_incremental_unassign(self.rk(), partitions.ptr()) })
        } else {
            check("unassigning", unsafe { sys::rd_kafka_assign(self.rk(), ptr::null()) })
        }
    }

    /// The group gave the partitions to others already (this member was thought dead).
    pub fn assignment_lost(&self) -> bool {
        unsafe { sys::rd_kafka_assignment_lost(self.rk()) != 0 }
    }

    pub fn pause(&self, partitions: &TopicPartitionList) -> Result<()> {
        check("pausing", unsafe { sys::rd_kafka_pause_partitions(self.rk(), partitions.ptr()) })
    }

    pub fn resume(&self, partitions: &TopicPartitionList) -> Result<()> {
        check("resuming", unsafe { sys::rd_kafka_resume_partitions(self.rk(), partitions.ptr()) })
    }

    pub fn seek(&self, partitions: &TopicPartitionList, timeout: Duration) -> Result<()> {
        self.checked("seeking", unsafe {
            sys::rd_kafka_seek_partitions(self.rk(), partitions.ptr(), millis(timeout))
        })?;
        for element in partitions.elements() {
            element.error().map_err(|e| KafkaError::request("seeking", e))?;
        }
        Ok(())
    }

    /// Fills in what the group has committed for `partitions`.
    pub fn committed(&self, partitions: &mut TopicPartitionList, timeout: Duration) -> Result<()> {
        check("asking for committed offsets", unsafe {
            sys::rd_kafka_committed(self.rk(), partitions.ptr(), millis(timeout))
        })?;
        for element in partitions.elements() {
            element.error().map_err(|e| KafkaError::request("asking for committed offsets", e))?;
        }
        Ok(())
    }

    /// Turns the timestamps (milliseconds) that stand as offsets in `partitions` to offsets.
    pub fn offsets_for_times(&self, partitions: &mut TopicPartitionList, timeout: Duration) -> Result<()> {
        check("asking for offsets by time", unsafe {
            sys::rd_kafka_offsets_for_times(self.rk(), partitions.ptr(), millis(timeout))
        })
    }

    /// The log's start and end as the last answer to a fetch had them; asks nobody. -1001 where unknown.
    pub fn cached_watermarks(&self, topic: &str, partition: i32) -> Option<(i64, i64)> {
        let topic = CString::new(topic).ok()?;
        let (mut low, mut high) = (0, 0);
        let err =
            unsafe { sys::rd_kafka_get_watermark_offsets(self.rk(), topic.as_ptr(), partition, &mut low, &mut high) };
        (err == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR && high >= 0).then_some((low, high))
    }

    /// The offset behind the last message taken, those that are for no reader (transaction marks) included. Asks nobody.
    pub fn position(&self, topic: &str, partition: i32) -> Option<i64> {
        let mut list = TopicPartitionList::new();
        list.add_partition(topic, partition);
        let err = unsafe { sys::rd_kafka_position(self.rk(), list.ptr()) };
        let element = list.elements().pop()?;
        match element.offset() {
            Offset::Offset(offset) if err == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR => Some(offset),
            _ => None,
        }
    }

    /// Asks any broker about the topics that this client uses. True if one answered.
    pub fn answers(&self, timeout: Duration) -> bool {
        let mut metadata = ptr::null();
        let err = unsafe { sys::rd_kafka_metadata(self.rk(), 0, ptr::null_mut(), &mut metadata, millis(timeout)) };
        if !metadata.is_null() {
            unsafe { sys::rd_kafka_metadata_destroy(metadata) };
        }
        err == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR
    }

    /// Commits and waits for the group coordinator's answer.
    pub fn commit(&self, offsets: &TopicPartitionList, timeout: Duration) -> Result<()> {
        let action = "committing";
        let reply = Queue(unsafe { sys::rd_kafka_queue_new(self.rk()) });
        check(action, unsafe { sys::rd_kafka_commit_queue(self.rk(), offsets.ptr(), reply.0, None, ptr::null_mut()) })?;
        let event = Event(unsafe { sys::rd_kafka_queue_poll(reply.0, millis(timeout)) });
        if event.0.is_null() {
            return Err(KafkaError::TimedOut { action: action.into(), after: timeout });
        }
        check(action, unsafe { sys::rd_kafka_event_error(event.0) })?;
        for partition in unsafe { partitions_of(sys::rd_kafka_event_topic_partition_list(event.0)) } {
            if partition.err != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
                let of = format!("{action} {}/{}", unsafe { text(partition.topic) }, partition.partition);
                return Err(KafkaError::request(of, describe(partition.err)));
            }
        }
        Ok(())
    }

    /// Begins to leave the group; done when [`Native::closed`], which [`Native::batch`] brings about.
    pub fn close(&self) -> Result<()> {
        self.checked("leaving the group", unsafe { sys::rd_kafka_consumer_close_queue(self.rk(), self.queue) })
    }

    pub fn closed(&self) -> bool {
        unsafe { sys::rd_kafka_consumer_closed(self.rk()) == 1 }
    }

    fn checked(&self, action: &str, error: *mut sys::rd_kafka_error_t) -> Result<()> {
        if error.is_null() {
            return Ok(());
        }
        let reason = unsafe { text(sys::rd_kafka_error_string(error)) };
        unsafe { sys::rd_kafka_error_destroy(error) };
        Err(KafkaError::request(action, reason))
    }
}

fn batch<'a>(
    queue: *mut sys::rd_kafka_queue_t,
    timeout: Duration,
    into: &'a mut [*mut sys::rd_kafka_message_t],
) -> Messages<'a> {
    let count = unsafe { sys::rd_kafka_consume_batch_queue(queue, millis(timeout), into.as_mut_ptr(), into.len()) };
    Messages(&into[..count.max(0) as usize])
}

/// Messages of one partition. To be dropped before its client.
pub(super) struct PartitionQueue(Queue);

impl PartitionQueue {
    /// As [`Native::batch`].
    pub fn batch<'a>(&self, timeout: Duration, into: &'a mut [*mut sys::rd_kafka_message_t]) -> Messages<'a> {
        batch(self.0.0, timeout, into)
    }
}

struct Queue(*mut sys::rd_kafka_queue_t);

impl Drop for Queue {
    fn drop(&mut self) {
        unsafe { sys::rd_kafka_queue_destroy(self.0) };
    }
}

struct Event(*mut sys::rd_kafka_event_t);

impl Drop for Event {
    fn drop(&mut self) {
        if !self.0.is_null() {
            unsafe { sys::rd_kafka_event_destroy(self.0) };
        }
    }
}
