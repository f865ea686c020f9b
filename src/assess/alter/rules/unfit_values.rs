//! SW087: values that cannot become those of another type.

use crate::alter::{Narrowed, Unfit};
use crate::assess::{AlterCase, Finding};
use crate::names::{quote_identifier, quote_string};
use crate::snapshot::Capability;

pub(super) const CODE: &str = "SW087";

/// The server takes such an ALTER, and fails when it writes the parts: too late.
pub(super) fn check(case: &AlterCase<'_>) -> Vec<Finding> {
    let table = &case.alter.change.table;
    let finding = |Unfit { narrowed: Narrowed { column, kind }, said, is_certain }: &Unfit| {
        let name = quote_identifier(column);
        if !is_certain {
            return Finding::hazard(
                CODE,
                format!("whether every value of column {column} of {table} can become {kind} is not known: {said}"),
                "a value that cannot makes the mutation fail behind the point of no return, and every query of the column with it",
                format!("run {}", crate::plan::converted(table, column, kind)),
            );
        }
        let find = if case.snapshot.all_have(Capability::MutationsSync) {
            format!("isNull(accurateCastOrNull({name}, {}))", quote_string(kind))
        } else {
            "…".to_owned()
        };
        Finding::blocker(
            CODE,
            format!("not every value of column {column} of {table} can become {kind}"),
            format!(
                "the mutation would fail again and again, behind the point of no return, and every query of the column with it; a server \
                 says: {said}"
            ),
            format!(
                "find them: SELECT {name}, count() FROM {} WHERE {find} GROUP BY {name}; put them right first, by an UPDATE that is planned \
                 too, or add a column of the new type beside this one",
                table.sql()
            ),
        )
    };
    case.survey.unfit.iter().map(finding).collect()
}
