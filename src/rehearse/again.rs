//! An ALTER as it is rehearsed: planned once more on the other cluster, whose servers say for themselves what their definitions become,
//! and held against the plan that it stands for.

use std::collections::{BTreeMap, BTreeSet};

use super::adapt::{Adapted, Target};
use crate::catalog::Table;
use crate::classify::classify;
use crate::ddl::{Form, read_alteration};
use crate::plan::{Action, Plan, Step};

/// What an ALTER does to rows that are there, as far as its words tell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Touched {
    /// Columns that are not there afterwards as they were before.
    pub columns: Vec<String>,
    /// Whether every row stays, with the same values in all other columns.
    pub keeps_rows: bool,
}

/// What a plan's statement does to rows of this table. A rebuild touches none.
pub fn touched(plan: &Plan, table: &Table) -> Touched {
    let mut touched = Touched { columns: Vec::new(), keeps_rows: true };
    let alteration = read_alteration(&plan.change.statement).ok().filter(|_| plan.rebuild().is_none());
    let Some(alteration) = alteration else { return touched };
    for (command, classified) in alteration.commands.iter().zip(classify(&alteration, Some(table))) {
        match classified.row.form {
            Form::Update | Form::Delete | Form::ModifyTtl | Form::ModifyTtlLater | Form::MaterializeTtl => {
                touched.keeps_rows = false;
            }
            form if changes_column(form) => touched.columns.extend(command.subject.clone()),
            _ => {}
        }
    }
    touched
}

/// Whether a column is gone afterwards, or may have other values.
fn changes_column(form: Form) -> bool {
    let is_aside = matches!(
        form,
        Form::CommentColumn
            | Form::ModifyColumnComment
            | Form::ModifyColumnCodec
            | Form::ModifyColumnStatistics
            | Form::ModifyColumnSetting
    );
    matches!(form, Form::DropColumn | Form::RenameColumn) || form.is_about_column() && !is_aside
}

/// The plan that was made on the other cluster for the same statement, in place of the plan that is rehearsed.
pub fn stand_in_for(plan: &Plan, here: Plan, target: &Target) -> Adapted {
    let mut not_covered: BTreeSet<String> = target.missing(plan).into_iter().collect();
    if !target.replicated && plan.fingerprints.iter().any(|print| print.definition.contains("Replicated")) {
        not_covered.insert("replication: the servers have none, so each was sent the statements itself".to_owned());
    }
    not_covered.extend(differences(plan, &here, target));
    let mut turned = here;
    turned.cluster.name.clone_from(&target.cluster);
    for step in &mut turned.steps {
        if matches!(step.action, Action::Unread(_)) {
            step.action = Action::Check { probes: Vec::new() };
            not_covered.insert(format!("{}: on a sandbox nobody reads the columns", step.id));
        }
    }
    Adapted { plan: turned, not_covered: not_covered.into_iter().collect() }
}

/// Where these servers are sent other statements than those of the plan, step by step.
fn differences(plan: &Plan, here: &Plan, target: &Target) -> Vec<String> {
    let played: BTreeSet<u32> = target.replicas.keys().map(|id| id.shard).collect();
    let wanted = plan.steps.iter().filter(|step| step.shard.is_none_or(|shard| played.contains(&shard)));
    let (wanted, there) = (sent(wanted, &plan.id), sent(here.steps.iter(), &here.id));
    let ids: BTreeSet<&String> = wanted.keys().chain(there.keys()).collect();
    let told = |step: Option<&BTreeSet<String>>| {
        let statements: Vec<&str> = step.into_iter().flatten().map(String::as_str).collect();
        if statements.is_empty() { "nothing".to_owned() } else { format!("`{}`", statements.join("`, `")) }
    };
    let differing = ids.into_iter().filter(|id| wanted.get(*id) != there.get(*id));
    differing
        .map(|id| {
            format!("{id} word for word: these servers were sent {}, not {}", told(there.get(id)), told(wanted.get(id)))
        })
        .collect()
}

/// What each step sends, forward and back, without the mark of its plan.
fn sent<'a>(steps: impl Iterator<Item = &'a Step>, plan_id: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for step in steps {
        for sql in step.action.runs().iter().chain(step.undo.runs()).flat_map(|run| &run.sql) {
            all.entry(step.id.to_string()).or_default().insert(sql.replace(plan_id, "…"));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::assess::{Fixture, assess};
    use crate::names::ReplicaId;
    use crate::plan::{Fence, Run, build};

    fn altering(statement: &str) -> (Plan, Table) {
        let fixture = Fixture::new();
        let case = fixture.case();
        let mut plan = build(&case, assess(&case), Fence::Auto).unwrap();
        let table = case.snapshot.table(ReplicaId::new(1, 1), &plan.objects.source).unwrap().clone();
        statement.clone_into(&mut plan.change.statement);
        plan.change.what = crate::plan::Changed::Commands(Vec::new());
        (plan, table)
    }

    #[test]
    fn what_a_statement_leaves_alone_is_told() {
        let touched = |commands: &str| {
            let (plan, table) = altering(&format!("ALTER TABLE t {commands}"));
            let touched = touched(&plan, &table);
            (touched.columns.join(" "), touched.keeps_rows)
        };
        assert_eq!(
            touched("ADD COLUMN a UInt8, COMMENT COLUMN b 'c', ADD INDEX i a TYPE minmax"),
            (String::new(), true)
        );
        assert_eq!(touched("DROP COLUMN `a b`, MODIFY COLUMN c String"), ("a b c".to_owned(), true));
        for removes in ["DELETE WHERE 1", "UPDATE a = 1 WHERE 1", "MODIFY TTL d + toIntervalDay(1)", "MATERIALIZE TTL"]
        {
            assert!(!touched(removes).1, "{removes}");
        }
    }

    #[test]
    fn other_statements_are_said_and_marks_of_plans_are_none() {
        let (plan, _) = altering("ALTER TABLE t ADD COLUMN a UInt8");
        let identities = plan.cluster.replicas.clone();
        let target = Target::new(&plan, "elsewhere".to_owned(), identities, plan.capabilities.clone());
        assert_eq!(target.replicas, target.replicas.keys().map(|id| (*id, *id)).collect::<BTreeMap<_, _>>());
        let mut plan = plan;
        plan.steps.truncate(1);
        let mut here = plan.clone();
        "ffffffff".clone_into(&mut here.id);
        let run = |step: &mut Step, sql: &str| {
            let on = vec![ReplicaId::new(1, 1)];
            let run = Run { on, before: Vec::new(), sql: vec![sql.to_owned()], after: Vec::new() };
            step.action = Action::Run { one_by_one: false, runs: vec![run] };
        };
        let id = plan.id.clone();
        run(&mut plan.steps[0], &format!("ALTER TABLE t UPDATE a = 1 WHERE '{id}' != ''"));
        run(&mut here.steps[0], "ALTER TABLE t UPDATE a = 1 WHERE 'ffffffff' != ''");
        let said = |here: Plan| stand_in_for(&plan, here, &target).not_covered.join("; ");
        assert!(!said(here.clone()).contains("word for word"), "{}", said(here));
        run(&mut here.steps[0], "ALTER TABLE t UPDATE a = 2 WHERE 1");
        let told = said(here.clone());
        assert!(told.contains(&format!("{} word for word", plan.steps[0].id)) && told.contains("a = 2"), "{told}");
        assert_eq!(stand_in_for(&plan, here, &target).plan.cluster.name, "elsewhere");
    }
}
