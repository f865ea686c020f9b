//! The questions of a plan, each with the answer that it must get.

use super::sql::of_table;
use super::work::{Otherwise, Probe};
use crate::catalog::{Column, Keys};
use crate::names::{TableName, quote_string, quoted_list};

/// The same for `system.tables`, which calls it `name`.
pub(super) fn named(table: &TableName) -> String {
    format!("database = {} AND name = {}", quote_string(&table.database), quote_string(&table.table))
}

/// Holds while a table is defined as it was when the plan was made.
pub fn unchanged(table: &TableName, definition_hash: &str) -> Probe {
    Probe {
        says: format!("{table} is defined as it was when the plan was made"),
        sql: format!("SELECT toString(cityHash64(create_table_query)) FROM system.tables WHERE {}", named(table)),
        expect: definition_hash.to_owned(),
        otherwise: Otherwise::Changed,
    }
}

/// Holds while a table's definition is one of these texts.
pub fn defined_as(table: &TableName, says: &str, definitions: &[&str], otherwise: Otherwise) -> Probe {
    Probe {
        says: format!("{table} {says}"),
        sql: format!(
            "SELECT count() FROM system.tables WHERE {} AND create_table_query IN ({})",
            named(table),
            quoted_list(definitions)
        ),
        expect: "1".to_owned(),
        otherwise,
    }
}

/// The number of a mutation, from its id.
pub(super) const MUTATION_NUMBER: &str = "toUInt64OrZero(extract(mutation_id, '[0-9]+'))";

/// Holds once a mutation that bears this mark was taken, from the number `next` on.
pub fn mutation_marked(table: &TableName, next: u64, mark: &str) -> Probe {
    Probe {
        says: format!("{table} has the mutation marked {mark:?}"),
        sql: format!(
            "SELECT count() > 0 FROM system.mutations WHERE {} AND {MUTATION_NUMBER} >= {next} AND position(command, {}) > 0",
            of_table(table),
            quote_string(mark)
        ),
        expect: "1".to_owned(),
        otherwise: Otherwise::Busy,
    }
}

/// Holds while the last mutation that fits `about`, from the number `next` on, fits `wanted`.
pub fn mutation_last(table: &TableName, next: u64, wanted: &str, about: &str) -> Probe {
    Probe {
        says: format!("the last mutation of {table} of this kind is the one wanted"),
        sql: format!(
            "SELECT toUInt8(argMax(match(command, {}), {MUTATION_NUMBER})) FROM system.mutations WHERE {} AND {MUTATION_NUMBER} >= {next} \
             AND match(command, {})",
            quote_string(wanted),
            of_table(table),
            quote_string(about)
        ),
        expect: "1".to_owned(),
        otherwise: Otherwise::Busy,
    }
}

/// Holds while the user may alter a table.
pub fn may_alter(table: &TableName) -> Probe {
    Probe {
        says: format!("the user may alter {table}"),
        sql: format!("CHECK GRANT ALTER ON {}", table.sql()),
        expect: "1".to_owned(),
        otherwise: Otherwise::Unfit,
    }
}

/// Holds while none of the tables exists.
pub fn absent(tables: &[&TableName]) -> Probe {
    Probe {
        says: format!("there is no table {}", listed(tables)),
        sql: format!("SELECT count() FROM system.tables WHERE {}", among(tables, "name")),
        expect: "0".to_owned(),
        otherwise: Otherwise::Unfit,
    }
}

/// Holds while none of the tables has a row.
pub fn empty(tables: &[&TableName]) -> Probe {
    Probe {
        says: format!("{} are empty", listed(tables)),
        sql: format!("SELECT count() FROM system.parts WHERE {} AND active", among(tables, "table")),
        expect: "0".to_owned(),
        otherwise: Otherwise::Changed,
    }
}

fn listed(tables: &[&TableName]) -> String {
    tables.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// One of these tables, all of one database; `column` is what the system table calls a table's name.
fn among(tables: &[&TableName], column: &str) -> String {
    let database = tables.first().map_or(String::new(), |table| quote_string(&table.database));
    let names = quoted_list(tables.iter().map(|table| &table.table));
    format!("database = {database} AND {column} IN ({names})")
}

/// Holds while the user may do to each table what the steps do to it: privileges as `GRANT` lists them.
pub fn may(privileges: &[(&str, &TableName)]) -> Probe {
    let each = privileges.iter().map(|(what, table)| format!("{what} ON {}", table.sql()));
    let grants = each.collect::<Vec<_>>().join(", ");
    Probe {
        says: format!("the user has the grants that the steps need: {grants}"),
        sql: format!("CHECK GRANT {grants}"),
        expect: "1".to_owned(),
        otherwise: Otherwise::Unfit,
    }
}

/// Types of columns, by name.
pub type Types = [(String, String)];

/// The engine as it stands in a probe: its name, with the arguments that say how rows are merged where `engine` has brackets.
fn engine_of(engine: &str) -> String {
    // Keeper path and replica name, if they are there, come first.
    const ARGUMENTS: &str = r"^\w+\((?:'(?:[^'\\]|\\.)*', '(?:[^'\\]|\\.)*'(?:, )?)?(.*?)\)(?: |$)";
    if engine.contains('(') {
        format!("concat(engine, '(', extract(engine_full, {}), ')')", quote_string(ARGUMENTS))
    } else {
        "engine".to_owned()
    }
}

/// Holds while a table has this engine, these keys and, of some columns, these types.
///
/// An engine with brackets is asked for its arguments too, but for Keeper path and replica name.
pub fn has_keys(table: &TableName, engine: &str, keys: &Keys, types: &Types) -> Probe {
    let asked = if types.is_empty() { String::new() } else { format!(", {}", has_types(table, types)) };
    let expect = [engine, &keys.sorting, &keys.partition, &keys.primary].join("\t");
    Probe {
        says: format!(
            "{table} is a {engine} table with sorting key ({}), partition key ({}) and primary key ({}){}",
            keys.sorting,
            keys.partition,
            keys.primary,
            if types.is_empty() { String::new() } else { format!(", in which {}", told(types)) }
        ),
        sql: format!(
            "SELECT {}, sorting_key, partition_key, primary_key{asked} FROM system.tables WHERE {}",
            engine_of(engine),
            named(table)
        ),
        expect: if types.is_empty() { expect } else { format!("{expect}\t1") },
        otherwise: Otherwise::Changed,
    }
}

/// Holds while columns of a table have these types.
pub(super) fn typed(table: &TableName, types: &Types) -> Probe {
    Probe {
        says: format!("in {table} {}", told(types)),
        sql: format!("SELECT {}", has_types(table, types)),
        expect: "1".to_owned(),
        otherwise: Otherwise::Changed,
    }
}

/// Types for people: `id is UInt64`.
fn told(types: &Types) -> String {
    types.iter().map(|(column, kind)| format!("{column} is {kind}")).collect::<Vec<_>>().join(", ")
}

/// Whether all of these columns have these types, as an expression.
fn has_types(table: &TableName, types: &Types) -> String {
    let pair = |(column, kind): &(String, String)| format!("({}, {})", quote_string(column), quote_string(kind));
    let all = types.iter().map(pair).collect::<Vec<_>>().join(", ");
    format!(
        "(SELECT count() = {} FROM system.columns WHERE {} AND (name, type) IN ({all}))",
        types.len(),
        of_table(table)
    )
}

/// Holds while a table does not exist or has these keys and types, and this engine if one is given: what a drop must know before it
/// drops.
pub fn absent_or_has_keys(table: &TableName, engine: Option<&str>, keys: &Keys, types: &Types) -> Probe {
    let said = engine.map(|engine| format!("is a {engine} table and ")).unwrap_or_default();
    let engine = engine.map(|engine| format!(" AND {} = {}", engine_of(engine), quote_string(engine)));
    let kinds = (!types.is_empty()).then(|| format!(" AND {}", has_types(table, types)));
    let asked: String = engine.into_iter().chain(kinds).collect();
    Probe {
        says: format!(
            "{table}, if it is there, {said}has sorting key ({}) and partition key ({})",
            keys.sorting, keys.partition
        ),
        sql: format!(
            "SELECT count() FROM system.tables WHERE {} AND NOT (sorting_key = {} AND partition_key = {} AND primary_key = {}{asked})",
            named(table),
            quote_string(&keys.sorting),
            quote_string(&keys.partition),
            quote_string(&keys.primary)
        ),
        expect: "0".to_owned(),
        otherwise: Otherwise::Changed,
    }
}

/// Holds while a table with this engine exists.
pub fn has_engine(table: &TableName, engine: &str) -> Probe {
    Probe {
        says: format!("there is a {engine} named {table}"),
        sql: format!("SELECT engine FROM system.tables WHERE {}", named(table)),
        expect: engine.to_owned(),
        otherwise: Otherwise::Changed,
    }
}

/// Holds while a table stores these columns and no others: a way back that copies rows carries these alone.
pub fn has_columns(table: &TableName, columns: &[Column]) -> Probe {
    let stored: Vec<&Column> = columns.iter().filter(|column| column.is_stored()).collect();
    let pair = |column: &&Column| format!("({}, {})", quote_string(&column.name), quote_string(&column.kind));
    let all = stored.iter().map(pair).collect::<Vec<_>>().join(", ");
    let count = stored.len();
    Probe {
        says: format!("{table} stores the columns that the plan was made for, and no others"),
        sql: format!(
            "SELECT count() = {count} AND sum((name, type) IN ({all})) = {count} FROM system.columns WHERE {} \
             AND default_kind NOT IN ('ALIAS', 'EPHEMERAL')",
            of_table(table)
        ),
        expect: "1".to_owned(),
        otherwise: Otherwise::Foreign,
    }
}

/// Holds while two tables have the same columns: one that only one of them has would be lost with the other. The types of some
/// `differ`.
pub fn same_columns(one: &TableName, other: &TableName, differ: &[String]) -> Probe {
    let kind = if differ.is_empty() {
        "type".to_owned()
    } else {
        format!("if(name IN ({}), '', type) AS kind", quoted_list(differ))
    };
    let by = if differ.is_empty() { "type" } else { "kind" };
    Probe {
        says: format!("{one} and {other} have the same columns"),
        sql: format!(
            "SELECT count() FROM (SELECT name, {kind} FROM system.columns WHERE database = {} AND table IN ({}, {}) \
             GROUP BY name, {by} HAVING count() != 2)",
            quote_string(&one.database),
            quote_string(&one.table),
            quote_string(&other.table)
        ),
        expect: "0".to_owned(),
        otherwise: Otherwise::Apart,
    }
}

/// Holds while the old types of columns could hold all values of a table: `fits` says whether they can.
pub fn all_fit(table: &TableName, fits: &str) -> Probe {
    Probe {
        says: format!(
            "every row of {table} has values that the types before could hold, so that nothing is lost by going back"
        ),
        sql: format!("SELECT count() FROM {} WHERE NOT ({fits})", table.sql()),
        expect: "0".to_owned(),
        otherwise: Otherwise::Beyond,
    }
}

/// Holds while no mutation of a table is unfinished.
pub fn no_mutations(table: &TableName) -> Probe {
    Probe {
        says: format!("no mutation of {table} is unfinished"),
        sql: format!("SELECT count() FROM system.mutations WHERE {} AND NOT is_done", of_table(table)),
        expect: "0".to_owned(),
        otherwise: Otherwise::Busy,
    }
}

/// Holds while no insert has come to a table for two seconds: one that a swap overtakes could not be put right.
pub fn rests(table: &TableName) -> Probe {
    Probe {
        says: format!("nobody writes to {table}: no insert has come for 2 s"),
        sql: format!(
            "SELECT count() FROM system.parts WHERE {} AND min_block_number = max_block_number AND length(splitByChar('_', name)) = 4 \
             AND modification_time > now() - 2",
            of_table(table)
        ),
        expect: "0".to_owned(),
        otherwise: Otherwise::Busy,
    }
}

/// Holds while replication of a table is healthy: writable, every replica present, at most five minutes behind.
pub fn replication_healthy(table: &TableName) -> Probe {
    Probe {
        says: format!("replication of {table} is healthy: writable, all replicas active, less than 300 s behind"),
        sql: format!(
            "SELECT is_readonly OR is_session_expired OR active_replicas < total_replicas OR absolute_delay >= 300 \
             FROM system.replicas WHERE {}",
            of_table(table)
        ),
        expect: "0".to_owned(),
        otherwise: Otherwise::Busy,
    }
}

/// Holds while Keeper lets a Replicated table go. Without it, a server may forget the table and leave its files and its path in Keeper.
pub fn keeper_lets_go(table: &TableName) -> Probe {
    Probe {
        says: format!("Keeper answers, and {table} can write to it, so that all of it goes with the table"),
        sql: format!(
            "SELECT (SELECT count() FROM system.zookeeper WHERE path = '/') > 0 AND \
             (SELECT count() FROM system.replicas WHERE {} AND (is_readonly OR is_session_expired)) = 0",
            of_table(table)
        ),
        expect: "1".to_owned(),
        otherwise: Otherwise::Busy,
    }
}

/// Holds while a path of Keeper does not exist. Its parent must exist.
pub fn keeper_path_free(path: &str) -> Probe {
    let (parent, name) = path.rsplit_once('/').unwrap_or(("/", path));
    let parent = if parent.is_empty() { "/" } else { parent };
    Probe {
        says: format!("nothing is at {path} in Keeper"),
        sql: format!(
            "SELECT count() FROM system.zookeeper WHERE path = {} AND name = {}",
            quote_string(parent),
            quote_string(name)
        ),
        expect: "0".to_owned(),
        otherwise: Otherwise::Unfit,
    }
}

/// Holds while the disks that hold a table have room for `bytes` more.
pub fn disk_has_room(table: &TableName, bytes: u64) -> Probe {
    Probe {
        says: format!("the disks that hold {table} have {bytes} bytes free, for the copy and a tenth more"),
        sql: format!(
            "SELECT sum(free_space) >= {bytes} FROM system.disks WHERE name IN \
             (SELECT disk_name FROM system.parts WHERE {} AND active)",
            of_table(table)
        ),
        expect: "1".to_owned(),
        otherwise: Otherwise::Unfit,
    }
}

/// Holds while a table's directory has its name, so that what is queued there is found, and goes with it alone.
pub fn kept_by_name(table: &TableName) -> Probe {
    Probe {
        says: format!("the directory of {table} has its name"),
        sql: format!(
            "SELECT extract(data_path, '([^/]+)/$') = extract(metadata_path, '([^/]+)[.]sql$') FROM system.tables WHERE {}",
            named(table)
        ),
        expect: "1".to_owned(),
        otherwise: Otherwise::Busy,
    }
}

/// Holds while a table has exactly this engine.
pub fn is_made_as(table: &TableName, engine_full: &str) -> Probe {
    Probe {
        says: format!("{table} is {engine_full}"),
        sql: format!("SELECT engine_full FROM system.tables WHERE {}", named(table)),
        expect: engine_full.to_owned(),
        otherwise: Otherwise::Changed,
    }
}

/// Holds once a `Distributed` table has sent all that was queued in it.
pub fn nothing_queued(table: &TableName) -> Probe {
    queued(table, "data_files", "nothing is queued in")
}

/// The same of what it could not send, too: it goes with the table.
pub fn nothing_kept(table: &TableName) -> Probe {
    queued(table, "data_files + broken_data_files", "nothing is queued in, nor set aside as broken by,")
}

fn queued(table: &TableName, files: &str, says: &str) -> Probe {
    Probe {
        says: format!("{says} {table}"),
        sql: format!("SELECT sum({files}) FROM system.distribution_queue WHERE {}", of_table(table)),
        expect: "0".to_owned(),
        otherwise: Otherwise::Busy,
    }
}

/// Holds while a query over a `Distributed` table is answered, whatever the number.
pub fn distributed_answers(table: &TableName) -> Probe {
    Probe {
        says: format!("a query through {table} is answered by every shard"),
        sql: format!("SELECT count() >= 0 FROM {}", table.sql()),
        expect: "1".to_owned(),
        otherwise: Otherwise::Unfit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keeper_path_is_looked_up_in_its_parent() {
        assert_eq!(
            keeper_path_free("/clickhouse/tables/1/t").sql,
            "SELECT count() FROM system.zookeeper WHERE path = '/clickhouse/tables/1' AND name = 't'"
        );
        assert!(keeper_path_free("/t").sql.contains("path = '/'"));
    }
}
