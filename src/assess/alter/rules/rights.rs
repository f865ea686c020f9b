//! SW088: row policies and grants go by the names of columns.

use super::reader::{columns_gone, speaks_of};
use crate::assess::{AlterCase, Finding};
use crate::ddl::Form;
use crate::names::ReplicaId;
use crate::words::list;

pub(super) const CODE: &str = "SW088";

/// A row policy is no object that an ALTER looks at: what it needs is missed by the next query.
pub(super) fn check(case: &AlterCase<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut policies: Vec<_> = case.survey.rights.values().flat_map(|rights| &rights.policies).collect();
    policies.sort();
    policies.dedup();
    for column in columns_gone(case) {
        for policy in policies.iter().filter(|policy| speaks_of(&policy.filter, column)) {
            findings.push(Finding::blocker(
                CODE,
                format!("the row policy {} filters by column {column}", policy.name),
                "every query of the users that it is for fails once the column is not there under that name, also one that does not name it",
                format!("alter the policy first (ALTER ROW POLICY, or users.xml), so that it does without {column}; then plan again"),
            ));
        }
    }
    for command in case.alter.commands.iter().filter(|command| command.changes_type()) {
        let Some(column) = command.subject.as_deref() else { continue };
        for policy in policies.iter().filter(|policy| speaks_of(&policy.filter, column)) {
            findings.push(Finding::hazard(
                CODE,
                format!("the row policy {} filters by column {column}, whose type changes", policy.name),
                "where the condition cannot be computed with the new type, every query of the users that it is for fails",
                format!("see that `{}` holds of values of the new type, and means the same", policy.filter),
            ));
        }
    }
    findings.extend(case.alter.commands.iter().filter_map(|command| grants(case, command)));
    findings.extend(unread(case));
    findings
}

/// Servers that do not tell.
fn unread(case: &AlterCase<'_>) -> Option<Finding> {
    let silent = case.survey.rights.iter().filter(|(_, rights)| !rights.unread.is_empty());
    let (ids, words): (Vec<ReplicaId>, Vec<&String>) = silent.map(|(id, rights)| (*id, &rights.unread[0])).unzip();
    let said = words.first()?;
    Some(Finding::note(
        CODE,
        format!("row policies and grants on columns are not known from {}", case.base().replicas(&ids)),
        format!("the server says: {said}"),
        "see that no row policy filters by the column, in users.xml too: policies and grants name columns, and do not follow a rename",
    ))
}

/// Rights to a column that goes, or gets another name.
fn grants(case: &AlterCase<'_>, command: &crate::alter::Command) -> Option<Finding> {
    let column = command.takes_away()?;
    let all = case.survey.rights.values().flat_map(|rights| &rights.grants).filter(|grant| grant.column == column);
    let mut holders: Vec<String> =
        all.map(|grant| format!("{} ({} on {})", grant.to, grant.access, grant.table)).collect();
    holders.sort();
    holders.dedup();
    if holders.is_empty() {
        return None;
    }
    let what = format!("rights are granted on column {column} by name: {}", list(&holders));
    Some(if command.form == Form::RenameColumn {
        Finding::hazard(
            CODE,
            what,
            "they do not follow the column to its new name: who has no other right cannot read it there",
            "grant the same on the new name first; servers take that before the column is there",
        )
    } else {
        Finding::note(
            CODE,
            what,
            "they stay when the column is gone, and hold again of any column that gets the name",
            "revoke them afterwards",
        )
    })
}
