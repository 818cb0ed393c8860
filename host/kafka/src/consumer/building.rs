//! Messages of one partition on their way into one buffer.

use std::time::Instant;

use rdkafka::bindings as sys;
use wasmill_core::batch::SLACK_BYTES;
use wasmill_core::records::{ABSENT, Record, Records, Span, push_headers};

/// Bytes before the first payload: readers may look back so far.
const LEAD_BYTES: usize = 32;

/// Records that are not handed over yet.
pub(super) struct Building {
    records: Records,
    /// When the first of them came.
    pub since: Instant,
    /// The size of the last full buffer: the next is made as large at once.
    capacity: usize,
}

impl Building {
    pub fn new() -> Self {
        Building { records: Records::default(), since: Instant::now(), capacity: 0 }
    }

    pub fn len(&self) -> usize {
        self.records.records.len()
    }

    pub fn is_empty(&self) -> bool {
        self.records.records.is_empty()
    }

    pub fn bytes(&self) -> usize {
        self.records.buffer.len()
    }

    pub fn clear(&mut self) {
        self.records = Records::default();
    }

    /// Copies `message`, with its headers if `headers`.
    pub fn push(&mut self, message: &sys::rd_kafka_message_t, headers: bool) {
        if self.records.buffer.is_empty() {
            self.since = Instant::now();
            self.records.buffer.reserve(self.capacity);
            self.records.buffer.resize(LEAD_BYTES, 0);
        }
        let mut kind = sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        let timestamp_ms = unsafe { sys::rd_kafka_message_timestamp(message, &mut kind) };
        let key = unsafe { self.copy(message.key, message.key_len) };
        let value = unsafe { self.copy(message.payload, message.len) };
        let headers = if headers && may_have_headers(message) { self.copy_headers(message) } else { ABSENT };
        self.records.records.push(Record { offset: message.offset, timestamp_ms, key, value, headers });
    }

    /// # Safety
    /// `from` is null, or `len` bytes may be read from it.
    #[inline]
    unsafe fn copy(&mut self, from: *const std::ffi::c_void, len: usize) -> Span {
        if from.is_null() {
            return ABSENT;
        }
        let start = self.records.buffer.len() as u32;
        self.records.buffer.extend_from_slice(unsafe { std::slice::from_raw_parts(from.cast::<u8>(), len) });
        Span { start, len: len as u32 }
    }

    fn copy_headers(&mut self, message: &sys::rd_kafka_message_t) -> Span {
        let mut headers = std::ptr::null_mut();
        let err = unsafe { sys::rd_kafka_message_headers(message, &mut headers) };
        if err != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            return ABSENT;
        }
        let start = self.records.buffer.len();
        for index in 0.. {
            let (mut name, mut value, mut len) = (std::ptr::null(), std::ptr::null(), 0);
            let err = unsafe { sys::rd_kafka_header_get_all(headers, index, &mut name, &mut value, &mut len) };
            if err != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
                break;
            }
            let name = unsafe { std::ffi::CStr::from_ptr(name) }.to_string_lossy();
            let value = (!value.is_null()).then(|| unsafe { std::slice::from_raw_parts(value.cast::<u8>(), len) });
            push_headers(&mut self.records.buffer, &name, value);
        }
        Span { start: start as u32, len: (self.records.buffer.len() - start) as u32 }
    }

    /// All of them, with slack behind the last; this is empty again.
    pub fn take(&mut self) -> Records {
        let mut records = std::mem::take(&mut self.records);
        let end = records.buffer.len();
        records.buffer.resize(end + SLACK_BYTES, 0);
        self.capacity = records.buffer.len();
        self.records.records.reserve(records.records.len());
        records
    }
}

/// False if `message` has no headers for sure. Librdkafka allocates and frees a reader to find that out, message by message, which
/// was a good part of the poll thread in a profile.
///
/// Kafka's record format has the number of headers right behind the value, and none is one byte of zero. Only a message of that
/// format (version 2) has the epoch of its leader, and only an empty value lies elsewhere than in the fetched record.
#[inline]
fn may_have_headers(message: &sys::rd_kafka_message_t) -> bool {
    let of_version_2 = unsafe { sys::rd_kafka_message_leader_epoch(message) } >= 0;
    if !of_version_2 || message.payload.is_null() || message.len == 0 {
        return true;
    }
    // SAFETY: the value lies in a record, which goes on behind it at least with the number of headers.
    let number_of_headers = unsafe { *message.payload.cast::<u8>().add(message.len) };
    number_of_headers != 0
}
