//! SW001: a replica did not answer.

use super::super::case::Case;
use super::super::finding::Finding;

pub(super) const CODE: &str = "SW001";

/// A plan speaks of every replica, so each must have been seen.
pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    let finding = |(id, reason): (_, &str)| {
        Finding::blocker(
            CODE,
            format!("replica {} did not answer: {reason}", case.replica(id)),
            "what is on it is not known, and it would miss the steps that every replica must take",
            "bring it back, or take it out of the cluster's definition, then plan again",
        )
    };
    case.snapshot.unreachable().map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assess::fixture::{Fixture, id};
    use crate::snapshot::Observation;

    #[test]
    fn a_silent_replica_is_named_with_the_reason() {
        let mut fixture = Fixture::new();
        assert_eq!(fixture.found(check), [""; 0]);
        fixture.snapshot.replicas.insert(id("s2r1"), Observation::Failed("connection refused".to_owned()));
        assert_eq!(
            fixture.found(check),
            ["blocker SW001: replica s2r1 (ch-2-1:9000) did not answer: connection refused"]
        );
    }
}
