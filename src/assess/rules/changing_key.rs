//! SW022: a key whose values change from one time to the next.

use super::super::case::Case;
use super::super::finding::Finding;
use crate::ddl::changing_function;
use crate::words::sql;

pub(super) const CODE: &str = "SW022";

/// A row must have the same key and lie in the same partition whenever and wherever it is asked.
pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    let keys = [("sorting", &case.target.keys.sorting), ("partition", &case.target.keys.partition)];
    let found = keys.into_iter().filter_map(|(which, key)| Some((which, key, changing_function(key)?)));
    let finding = |(which, key, function): (&str, &String, String)| {
        Finding::blocker(
            CODE,
            format!("the new {which} key of {} has {function}() in it: {}", case.name(), sql(&format!("({key})"))),
            "the key of a row would change from one time to the next, so that parts are not sorted by it and rows cannot be \
             compared by it",
            "keep the value in a column, and use the column",
        )
    };
    found.map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assess::fixture::Fixture;

    fn found(to: &str) -> Vec<String> {
        let mut fixture = Fixture::new();
        fixture.aim("(id, team)", to);
        fixture.found(check)
    }

    #[test]
    fn functions_that_change_are_found() {
        assert_eq!(
            found("(team, id % rand())"),
            ["blocker SW022: the new sorting key of d.events has rand() in it: `(team, id % rand())`"]
        );
        assert_eq!(found("(team, toDate(NOW()))").len(), 1);
    }

    #[test]
    fn names_and_strings_that_look_like_them_are_not() {
        assert_eq!(found("(team, `now`, concat('rand()', toString(today)))"), [""; 0]);
        assert_eq!(found("(team, intHash32(id))"), [""; 0]);
    }
}
