//! How fast servers write parts, by what they have logged.

/// What one server has logged of merges or mutations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Worked {
    /// Whether it was mutations; merges otherwise.
    pub by_mutation: bool,
    /// Whether they were of the table itself; of others otherwise.
    pub of_table: bool,
    /// Compressed bytes of the parts that were written.
    pub bytes: u64,
    /// How long that took, one after another.
    pub milliseconds: u64,
}

/// How fast a server writes parts, and what tells so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Speed {
    /// Compressed bytes in a second.
    pub bytes_per_second: u64,
    /// What it was told by.
    pub by: Worked,
}

/// Less than this tells nothing.
const MILLISECONDS_MIN: u64 = 100;

/// The speed of a server. Merges write whole parts, as mutations may or may not, so they tell best; those of the table itself first.
pub fn speed(worked: &[Worked]) -> Option<Speed> {
    let telling = worked.iter().filter(|one| one.milliseconds >= MILLISECONDS_MIN && one.bytes > 0);
    let by = *telling.min_by_key(|one| (one.by_mutation, !one.of_table))?;
    let bytes_per_second = (u128::from(by.bytes) * 1000 / u128::from(by.milliseconds)).max(1);
    Some(Speed { bytes_per_second: u64::try_from(bytes_per_second).unwrap_or(u64::MAX), by })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merges_of_the_table_tell_before_others() {
        let worked = |by_mutation, of_table, bytes, milliseconds| Worked { by_mutation, of_table, bytes, milliseconds };
        let all =
            [worked(true, true, 9_000, 1_000), worked(false, false, 7_000, 1_000), worked(false, true, 4_000, 2_000)];
        let told = |worked: &[Worked]| speed(worked).map(|speed| speed.bytes_per_second);
        assert_eq!(told(&all), Some(2_000));
        assert_eq!(told(&all[..2]), Some(7_000));
        assert_eq!(told(&all[..1]), Some(9_000));
        assert_eq!(told(&[worked(false, true, 4_000, 99), worked(false, false, 0, 500)]), None);
        assert_eq!(told(&[worked(false, true, u64::MAX, 100)]), Some(u64::MAX));
    }
}
