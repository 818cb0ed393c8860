//! What a commit's metadata says, so that a restart rebuilds the open windows and emits nothing twice.
//!
//! The committed offset is the *position*: the next event to be handled. The metadata adds where replay must start (the low mark),
//! what event time had reached there, and how idleness raised the watermark since: all that rows are judged by.

use serde::{Deserialize, Serialize};

use crate::time::{BEGINNING, Nanos};

/// Kafka's default `offset.metadata.max.bytes` is 4096: longer metadata makes a commit fail.
pub const MAX_METADATA_BYTES: usize = 4096;
/// More raises than this between the low mark and the position are thinned: the oldest are forgotten.
pub const MAX_RAISES: usize = 64;

/// One partition's checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The metadata's own version.
    v: u32,
    /// Replay starts here: the lowest offset that a pane still kept needs; the position itself if none is.
    #[serde(rename = "low")]
    pub low_mark: i64,
    /// The running maximum of event time before the low mark.
    #[serde(rename = "max")]
    pub running_max: Nanos,
    /// The watermark's floor at the low mark, set by an idle partition that followed the clock.
    pub floor: Nanos,
    /// Raises of the floor since the low mark: before the event at this offset was handled, the floor was this.
    #[serde(default, rename = "raised", skip_serializing_if = "Vec::is_empty")]
    pub raises: Vec<(i64, Nanos)>,
    /// Before the low mark, the running maximum of each route whose plugin sets event time, in the plan's order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub own: Vec<Nanos>,
    /// How far the source's exchange had come: idle partitions hold it back no longer, so replay alone would not get it there.
    #[serde(default, rename = "exchanged", skip_serializing_if = "Option::is_none")]
    pub exchange: Option<Nanos>,
}

/// Metadata that this version cannot read.
#[derive(Debug, thiserror::Error)]
#[error(
    "the group's committed metadata {found:?} is not a Wasmill checkpoint: {reason}. Use a group of its own for this source, or reset the group's offsets"
)]
pub struct MetadataError {
    pub found: String,
    pub reason: String,
}

impl Checkpoint {
    pub fn new(low_mark: i64, running_max: Nanos, floor: Nanos, mut raises: Vec<(i64, Nanos)>) -> Self {
        if raises.len() > MAX_RAISES {
            raises.drain(..raises.len() - MAX_RAISES);
        }
        Checkpoint { v: 1, low_mark, running_max, floor, raises, own: Vec::new(), exchange: None }
    }

    /// Nothing is open and nothing was seen: replay starts at the position.
    pub fn fresh(position: i64) -> Self {
        Checkpoint::new(position, BEGINNING, BEGINNING, Vec::new())
    }

    /// At most [`MAX_METADATA_BYTES`] long.
    pub fn to_metadata(&self) -> String {
        let mut shortened = self.clone();
        loop {
            let text = serde_json::to_string(&shortened).unwrap_or_default();
            if text.len() <= MAX_METADATA_BYTES {
                return text;
            }
            shortened.raises.drain(..shortened.raises.len().div_ceil(2));
        }
    }

    /// Reads what [`Checkpoint::to_metadata`] wrote. Empty metadata (an offset set by another tool) means a fresh start at
    /// `position`.
    pub fn from_metadata(position: i64, metadata: &str) -> Result<Self, MetadataError> {
        if metadata.is_empty() {
            return Ok(Checkpoint::fresh(position));
        }
        let error = |reason: String| MetadataError { found: metadata.chars().take(80).collect(), reason };
        let read: Checkpoint = serde_json::from_str(metadata).map_err(|e| error(e.to_string()))?;
        if read.v != 1 {
            return Err(error(format!("it has version {}, this Wasmill reads version 1", read.v)));
        }
        // An offset moved by hand (kafka-consumer-groups --reset-offsets) clears the metadata; a low mark beyond it is not ours.
        if read.low_mark > position {
            return Ok(Checkpoint::fresh(position));
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_comes_back_and_never_exceeds_what_kafka_takes() {
        for raises in [0, 3, 64, 500] {
            let raises = (0..raises).map(|i| (i64::MAX - 1000 + i, i64::MIN + i)).collect();
            let written = Checkpoint::new(-1, BEGINNING, i64::MAX, raises);
            let text = written.to_metadata();
            assert!(text.len() <= MAX_METADATA_BYTES);
            let read = Checkpoint::from_metadata(i64::MAX, &text).unwrap();
            assert_eq!((read.low_mark, read.running_max, read.floor), (-1, BEGINNING, i64::MAX));
            assert!(written.raises.ends_with(&read.raises));
        }
    }

    #[test]
    fn an_offset_set_by_another_tool_is_a_fresh_start_and_foreign_metadata_an_error() {
        assert_eq!(Checkpoint::from_metadata(7, "").unwrap(), Checkpoint::fresh(7));
        assert!(Checkpoint::from_metadata(7, "written by somebody else").is_err());
        assert!(Checkpoint::from_metadata(7, r#"{"v":2,"low":1,"max":0,"floor":0}"#).is_err());
    }
}
