//! SW037: ON CLUSTER with an engine or command that does not replicate as one thinks.

use super::{File, Mark, Step};
use crate::ddl::Form;
use crate::lint::statement::What;

pub(super) const CODE: &str = "SW037";
pub(super) const TITLE: &str = "ON CLUSTER with what does not replicate";
pub(super) const DIALECTS: &[crate::lint::Dialect] = super::CLICKHOUSE;

pub(super) fn check(file: &File<'_>) -> Vec<Mark> {
    file.steps().filter(|step| step.act.on_cluster).filter_map(|step| mark(&step)).collect()
}

fn mark(step: &Step<'_>) -> Option<Mark> {
    let (table, span) = (step.table(), &step.act.span);
    match &step.act.what {
        What::CreateTable(definition) => {
            let engine = definition.engine.as_deref()?;
            (engine.ends_with("MergeTree") && !engine.starts_with("Replicated") && !engine.starts_with("Shared")).then(|| {
                Mark::hazard(
                    span,
                    format!("{table} is created ON CLUSTER with the engine {engine}, which does not replicate"),
                    "every replica gets a table of its own, and rows are only where they were written",
                    format!("ENGINE = Replicated{engine}, with a path for each shard; leave it if every shard has one replica, and say so"),
                )
            })
        }
        What::Alter(command) if is_local(command.form) => Some(Mark::hazard(
            span,
            format!("a command about parts of {table} is told to every replica"),
            "what lies detached, frozen or in a disk's folder differs from replica to replica; attached on each of two replicas, rows are there twice",
            "run it on the one replica of each shard that it is for, without ON CLUSTER",
        )),
        What::Optimize { .. } => Some(Mark::hazard(
            span,
            format!("{table} is merged on every replica at once"),
            "replicas of a shard all put the same merge into their queue, and every disk of the cluster is busy at the same time",
            "run it on one replica of each shard, one after the other",
        )),
        _ => None,
    }
}

fn is_local(form: Form) -> bool {
    matches!(
        form,
        Form::AttachPartition
            | Form::AttachPartitionFrom
            | Form::ReplacePartition
            | Form::FetchPartition
            | Form::Freeze
            | Form::MovePartitionToDisk
            | Form::MovePartitionToTable
            | Form::DropDetached
    )
}

#[cfg(test)]
mod tests {
    use super::super::cases::{flags, passes};
    use super::CODE;
    use crate::lint::Dialect::ClickHouse;

    #[test]
    fn cases() {
        flags(
            CODE,
            ClickHouse,
            &[
                (
                    "CREATE TABLE d.t ON CLUSTER main (a UInt8) ENGINE = MergeTree ORDER BY a",
                    "hazard: CREATE TABLE d.t",
                ),
                ("ALTER TABLE t ON CLUSTER main ATTACH PARTITION 1", "hazard: ATTACH PARTITION 1"),
                ("OPTIMIZE TABLE t ON CLUSTER main", "hazard: OPTIMIZE TABLE t ON CLUSTER main"),
            ],
        );
        passes(
            CODE,
            ClickHouse,
            &[
                "CREATE TABLE t ON CLUSTER main (a UInt8) ENGINE = ReplicatedMergeTree ORDER BY a",
                "CREATE TABLE t ON CLUSTER main (a UInt8) ENGINE = Distributed('main', 'd', 'l', a)",
                "CREATE TABLE t (a UInt8) ENGINE = MergeTree ORDER BY a",
                "ALTER TABLE t ON CLUSTER main ADD COLUMN a UInt8",
                "ALTER TABLE t ATTACH PARTITION 1",
            ],
        );
    }
}
