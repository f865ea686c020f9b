//! `[throttle]`: when a copy is held back, so that it does not get in the way of others.

use serde::Deserialize;

use crate::plan::SignalKind;

/// Limits that every replica of a shard must keep for the next chunk to begin. The file is read again before each chunk.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Throttle {
    /// Nothing more is begun while this is true.
    pub pause: bool,
    /// Seconds that replication of the source or its copy may be behind.
    pub max_delay_seconds: u64,
    /// Entries that their replication queues may have.
    pub max_queue: u64,
    /// Parts that their fullest partition may have, in percent of those from which on inserts are slowed down.
    pub max_parts_percent: u64,
    /// Space that the disks of the source must have left, in percent.
    pub min_free_disk_percent: u64,
    /// Merges that may run on a server; no limit if not given.
    pub max_merges: Option<u64>,
    /// A query of one's own, asked of every replica: its answer must be 0.
    pub query: Option<String>,
    /// Seconds that a chunk should take; chunks get larger or smaller until it does.
    pub chunk_seconds: u64,
    /// Bytes on disk that a chunk has at most, so that staging needs no more.
    pub max_chunk_bytes: u64,
}

/// What a figure must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// At most so much.
    AtMost(u64),
    /// At least so much.
    AtLeast(u64),
}

impl Default for Throttle {
    fn default() -> Self {
        Self {
            pause: false,
            max_delay_seconds: 300,
            max_queue: 1000,
            max_parts_percent: 80,
            min_free_disk_percent: 5,
            max_merges: None,
            query: None,
            chunk_seconds: 60,
            max_chunk_bytes: 64 << 30,
        }
    }
}

impl Throttle {
    /// The limit for a signal, if there is one.
    pub fn limit(&self, of: SignalKind) -> Option<Limit> {
        match of {
            SignalKind::Delay => Some(Limit::AtMost(self.max_delay_seconds)),
            SignalKind::Queue => Some(Limit::AtMost(self.max_queue)),
            SignalKind::Parts => Some(Limit::AtMost(self.max_parts_percent)),
            SignalKind::FreeDisk => Some(Limit::AtLeast(self.min_free_disk_percent)),
            SignalKind::Merges => self.max_merges.map(Limit::AtMost),
        }
    }

    pub(super) fn check(&self) -> Result<(), &'static str> {
        let is_question = |query: &String| {
            let word = query.trim_start().split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
            ["SELECT", "WITH"].iter().any(|known| word.eq_ignore_ascii_case(known))
        };
        match self {
            Self { chunk_seconds: 0, .. } => Err("chunk_seconds must be at least 1"),
            Self { max_chunk_bytes: 0, .. } => Err("max_chunk_bytes must be at least 1"),
            Self { min_free_disk_percent: 100.., .. } => Err("min_free_disk_percent must be less than 100"),
            Self { query: Some(query), .. } if !is_question(query) => Err("query must be a SELECT"),
            _ => Ok(()),
        }
    }
}

impl Limit {
    /// Whether a figure is within the limit.
    pub fn is_kept(self, figure: u64) -> bool {
        match self {
            Self::AtMost(most) => figure <= most,
            Self::AtLeast(least) => figure >= least,
        }
    }

    /// What a figure beyond the limit means, for people.
    pub fn broken_by(self, of: SignalKind, figure: u64) -> String {
        let (Self::AtMost(limit) | Self::AtLeast(limit)) = self;
        match of {
            SignalKind::Delay => format!("replication is {figure} s behind (max_delay_seconds = {limit})"),
            SignalKind::Queue => format!("{figure} entries in the replication queue (max_queue = {limit})"),
            SignalKind::Parts => {
                format!("a partition has {figure} % of the parts that slow inserts down (max_parts_percent = {limit})")
            }
            SignalKind::FreeDisk => format!("{figure} % of a disk is free (min_free_disk_percent = {limit})"),
            SignalKind::Merges => format!("{figure} merges run (max_merges = {limit})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn read(throttle: &str) -> Result<Throttle, String> {
        let text = format!("cluster = 'main'\nendpoints = ['http://ch1']\n[throttle]\n{throttle}");
        Config::parse(&text).map(|config| config.throttle).map_err(|error| error.to_string())
    }

    #[test]
    fn limits_are_read_and_the_rest_is_as_it_is_without() {
        let throttle = read("max_queue = 7\nquery = ' with 1 AS x SELECT x'").unwrap();
        assert_eq!(throttle.limit(SignalKind::Queue), Some(Limit::AtMost(7)));
        assert_eq!(throttle.limit(SignalKind::Merges), None);
        assert_eq!(Throttle { max_queue: 1000, query: None, ..throttle }, Throttle::default());
    }

    #[test]
    fn what_would_hold_a_copy_for_ever_is_refused() {
        for (text, why) in [
            ("chunk_seconds = 0", "chunk_seconds"),
            ("max_chunk_bytes = 0", "max_chunk_bytes"),
            ("min_free_disk_percent = 100", "min_free_disk_percent"),
            ("query = 'DROP TABLE t'", "SELECT"),
            ("max_queu = 1", "max_queu"),
        ] {
            assert!(read(text).unwrap_err().contains(why), "{text}");
        }
    }

    #[test]
    fn a_limit_itself_is_kept() {
        assert!(Limit::AtMost(5).is_kept(5) && !Limit::AtMost(5).is_kept(6));
        assert!(Limit::AtLeast(5).is_kept(5) && !Limit::AtLeast(5).is_kept(4));
    }
}
