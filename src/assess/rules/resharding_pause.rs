//! SW081: rows go to other shards, and writers must be still for the end of it.

use super::super::case::Case;
use super::super::finding::Finding;

pub(super) const CODE: &str = "SW081";

pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    let Some(sharding) = &case.change.wanted.sharding else { return Vec::new() };
    let distributed = &sharding.distributed;
    vec![Finding::hazard(
        CODE,
        format!(
            "all rows of {} are sent to the shards of `{}`, and writers must be still for the end of it",
            case.name(),
            sharding.key
        ),
        format!(
            "every row goes over the network and is written once more. With writers still, what came in since the last look is sent, partitions that \
             have changed are compared on every replica, and names are swapped server by server: while that goes on, a query through {distributed} may \
             meet rows twice or not at all"
        ),
        "choose a quiet hour; stop the writers when the gate `cutover` asks for it, and let readers that must not miscount wait for the seconds of the \
         swap. `--fence feeds` stops tables that read streams by itself",
    )]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assess::fixture::Fixture;

    #[test]
    fn another_sharding_key_is_told_and_another_sorting_key_is_not() {
        let mut fixture = Fixture::new();
        assert_eq!(fixture.found(check), [""; 0]);
        fixture.reshard("cityHash64(team)");
        let told = "hazard SW081: all rows of d.events are sent to the shards of `cityHash64(team)`, and writers must be still for the end of it";
        assert_eq!(fixture.found(check), [told]);
    }
}
