//! SW015: names of a plan's own tables would be too long.

use super::super::case::Case;
use super::super::finding::Finding;
use crate::names::TableName;
use crate::names::{ROLES, own_name};

pub(super) const CODE: &str = "SW015";

/// The longest name of a file, in bytes.
const FILE_NAME_MAX: usize = 255;
/// While a table is created, its definition lies in `name.sql.tmp`.
const CREATED: usize = ".sql.tmp".len();
/// In Atomic databases, the definition of a dropped table lies in `database.table.uuid.sql`.
const DROPPED: usize = "..".len() + 36 + ".sql".len();

/// Servers keep a table's definition in a file that bears the table's name.
pub(super) fn check(case: &Case<'_>) -> Vec<Finding> {
    let own = ROLES.map(|role| own_name(case.name(), role));
    let longest = own.iter().max_by_key(|name| escaped_length(&name.table));
    let is_atomic = case.databases().any(|(_, engine)| engine != Some("Ordinary"));
    let finding = |name: &TableName| {
        let (length, max) = (escaped_length(&name.table), length_max(name, is_atomic));
        (length > max).then(|| {
            let over = length - max;
            Finding::blocker(
                CODE,
                format!("the plan's table {name} would have a name of {length} bytes in file names; {max} is the most"),
                "the server could not create it: a byte that is no ASCII letter, digit or underscore counts three there",
                format!("give {} a name that is shorter by {over} bytes, then plan again", case.name()),
            )
        })
    };
    longest.and_then(finding).into_iter().collect()
}

/// The longest table name in this database, escaped.
fn length_max(name: &TableName, is_atomic: bool) -> usize {
    let dropped = DROPPED + escaped_length(&name.database);
    FILE_NAME_MAX.saturating_sub(if is_atomic { dropped.max(CREATED) } else { CREATED })
}

/// Each other byte is written `%XX`.
fn escaped_length(name: &str) -> usize {
    name.bytes().map(|byte| if byte.is_ascii_alphanumeric() || byte == b'_' { 1 } else { 3 }).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assess::fixture::Fixture;

    const LONGEST_ROLE: usize = "__sw_snapshot".len();

    fn fixture(table: &str) -> Fixture {
        let mut fixture = Fixture::new();
        fixture.change.table.table = table.to_owned();
        fixture
    }

    /// 26.9.2 takes names of 212 bytes in an Atomic database `d`, 18.16.1 of 247 in an Ordinary one.
    #[test]
    fn the_limits_are_those_of_real_servers() {
        let name = |length| "x".repeat(length - LONGEST_ROLE);
        assert_eq!(fixture(&name(212)).found(check), [""; 0]);
        let found = fixture(&name(213)).found(check).remove(0);
        assert!(found.ends_with("would have a name of 213 bytes in file names; 212 is the most"), "{found}");
        for (length, findings) in [(247, 0), (248, 1)] {
            let mut old = fixture(&name(length));
            old.states(|state| _ = state.databases.insert("d".to_owned(), "Ordinary".to_owned()));
            assert_eq!(old.found(check).len(), findings);
        }
    }

    #[test]
    fn bytes_that_are_escaped_count_three() {
        assert_eq!(fixture(&"é".repeat(33)).found(check), [""; 0]);
        assert_eq!(fixture(&"é".repeat(34)).found(check).len(), 1);
    }
}
