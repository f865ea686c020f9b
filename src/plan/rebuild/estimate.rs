//! What steps are expected to cost. Rates are cautious assumptions for a busy server with disks of today; they are used for
//! nothing but figures that people read.

use super::blueprint::ShardSite;
use crate::plan::step::Cost;

/// Compressed bytes that one replica reads, sorts, writes and compares in a second.
const COPY_BYTES_PER_SECOND: u64 = 50 << 20;
/// Compressed bytes of one table that one replica hashes in a second.
const HASH_BYTES_PER_SECOND: u64 = 200 << 20;
/// Compressed bytes that one replica fetches from another in a second.
const FETCH_BYTES_PER_SECOND: u64 = 100 << 20;

pub(super) fn copy(shard: &ShardSite<'_>) -> Cost {
    over(shard, COPY_BYTES_PER_SECOND)
}

/// Both tables are read.
pub(super) fn compare(shard: &ShardSite<'_>) -> Cost {
    over(shard, HASH_BYTES_PER_SECOND / 2)
}

pub(super) fn fetch(shard: &ShardSite<'_>) -> Cost {
    if shard.replicas.len() > 1 { over(shard, FETCH_BYTES_PER_SECOND) } else { Cost::default() }
}

fn over(shard: &ShardSite<'_>, bytes_per_second: u64) -> Cost {
    let bytes = shard.source.bytes();
    Cost { rows: shard.source.rows(), bytes, seconds: bytes.div_ceil(bytes_per_second) }
}
