//! The page `docs/alters.md`.

use super::{Class, ROWS, Row, Undo};

const HEAD: &str = "\
# What every `ALTER TABLE` does

Every command that ClickHouse 26.9 knows for `MergeTree` and `Distributed` tables: what it costs, how it is taken back, and why.
This page is written by the code (`shardwright::classify::ROWS`); the test `alters` of the cluster tests runs each row on a loaded
table of a real 26.9 server and compares parts, mutations and refusals with what is said here. To write it again:
`SHARDWRIGHT_WRITE_DOCS=1 cargo test --test docs`.

| class | |
|---|---|
| metadata only | the definition changes, no part does (`shardwright plan`, strategy `in_place`) |
| parts | whole parts come, go or are linked; none is rewritten. Not planned: each is about one table on one shard |
| mutation | the parts concerned are written anew or cloned under a new name; see `system.mutations` (`shardwright plan`, strategy `mutation`) |
| rebuild | the server cannot do it in place: a new table, a copy and a swap on every shard (`shardwright plan`, strategy `mirror`, for a sorting, primary or partition key) |
| reshard | rows must move to other shards; no ALTER does that (`shardwright plan --target`, strategy `reshard`, for another sharding key) |
| refused | the server refuses it for such a table |

A `Distributed` table holds no rows: what it takes changes its definition only. \"Distributed\" says whether it takes the command.
A plan alters it before the local tables where it loses a column, and after them otherwise.
`{type}` is the type that the column had; *before* stands for what the definition said before.

| command | class | Distributed | undo | why |
|---|---|---|---|---|
";

const TAIL: &str = "
Not planned either: FREEZE, UNFREEZE, UNLOCK SNAPSHOT and MODIFY PROJECTION. Commands of one ALTER that are planned go in one
statement to each table; one that needs a rebuild is planned alone.

No ALTER changes a table's engine (rebuild), or the sharding key of a `Distributed` table (reshard: a new `Distributed` table sends
new rows elsewhere, and the old ones stay where they are).
";

/// The page, from the rows.
pub fn document() -> String {
    let mut page = HEAD.to_owned();
    for row in ROWS {
        page.push_str(&line(row));
    }
    page + TAIL
}

fn line(row: &Row) -> String {
    let distributed = if row.distributed { "yes" } else { "no" };
    let undo = match row.undo {
        Undo::Sql(sql) => format!("`{}`", in_cell(sql)),
        Undo::Before(sql) => format!("`{}`, as *before*", in_cell(sql)),
        Undo::None(why) => format!("none: {why}"),
    };
    let class = match row.class {
        Class::Mutation | Class::Rebuild => format!("**{}**", row.class),
        class => class.to_string(),
    };
    format!("| `{}` | {class} | {distributed} | {undo} | {} |\n", in_cell(row.syntax), row.why)
}

fn in_cell(text: &str) -> String {
    text.replace('|', "\\|")
}
