//! How much of a table a sample is, and how a twin's granules shrink with it.
//!
//! A twin of a 5 % sample with granules of 5 % of the rows has as many granules as the table. Where a granule begins and ends is
//! then as fine as in the table, and so is what an index leaves to be read.

/// Fewer rows than this make a granule's borders a matter of chance.
const TWIN_GRANULE_ROWS_MIN: u64 = 16;

/// What is known of the table on the replica that is sampled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Volume {
    /// Rows in active parts.
    pub rows: u64,
    /// Their bytes, uncompressed.
    pub bytes: u64,
    /// Their bytes on disk.
    pub disk_bytes: u64,
    /// Rows of a granule in its largest part.
    pub granule_rows: u64,
}

/// A sample's share, and the granules that go with it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    /// The share of rows that is wanted: 1 for all.
    pub share: f64,
    /// Rows of a twin's granule.
    pub granule_rows: u64,
}

impl Scale {
    /// A sample of at most `sample_bytes`, uncompressed; all rows if that is enough for them.
    pub fn new(volume: &Volume, sample_bytes: u64) -> Self {
        let granule_rows = volume.granule_rows.max(1);
        if volume.bytes <= sample_bytes {
            return Self { share: 1.0, granule_rows };
        }
        let share = sample_bytes as f64 / volume.bytes as f64;
        Self { share, granule_rows: scaled_granule(granule_rows, share) }
    }

    /// Whether every row is in the sample.
    pub fn is_whole(&self) -> bool {
        self.share >= 1.0
    }

    /// The share as a number below 2^32, for a comparison with a hash of 32 bits.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the share is between 0 and 1")]
    pub fn threshold(&self) -> u32 {
        (self.share.clamp(0.0, 1.0) * f64::from(u32::MAX)) as u32
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of a number of rows")]
fn scaled_granule(rows: u64, share: f64) -> u64 {
    ((rows as f64 * share).round() as u64).max(TWIN_GRANULE_ROWS_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    const VOLUME: Volume =
        Volume { rows: 20_000_000, bytes: 2_900_000_000, disk_bytes: 300_000_000, granule_rows: 8192 };

    #[test]
    fn granules_shrink_with_the_sample() {
        let scale = Scale::new(&VOLUME, 145_000_000);
        assert_eq!((scale.granule_rows, scale.is_whole()), (410, false));
        assert_eq!(scale.threshold(), 214_748_364);
    }

    #[test]
    fn a_small_table_is_its_own_sample() {
        let scale = Scale::new(&VOLUME, 2_900_000_000);
        assert_eq!((scale.granule_rows, scale.is_whole()), (8192, true));
    }

    #[test]
    fn granules_do_not_shrink_to_nothing() {
        assert_eq!(Scale::new(&VOLUME, 1000).granule_rows, TWIN_GRANULE_ROWS_MIN);
    }
}
