//! Definitions as people write them today, carried over into the new table by a change of key and compared with what the
//! server itself makes of the wanted definition.
//!
//! A file of `tests/corpus` is one `CREATE TABLE` with its clauses on lines of their own. Comment lines say what is done:
//!
//! - `-- change: ORDER BY (…)`: the wanted clause, once for each that changes;
//! - `-- fill: (columns) SELECT … FROM rows`: how rows are made of `number`, where the types alone do not tell. Of a column
//!   `is_deleted` every second row is.
//! - `-- first: …`, `-- then: …`: a statement before the table is created, and one after the first rows are in it; `{db}` stands
//!   for the database.
//!
//! Those in `tests/corpus/refused` end with `-- expect: exit N text` instead: the product says no, and touches nothing.

use std::any::Any;
use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};

use shardwright::catalog::Column;
use shardwright::names::{ReplicaId, TableName, quote_identifier, quote_string};
use shardwright::plan::PartitionSize;
use shardwright::rehearse::fill;
use shardwright::sandbox::Engine;

use crate::harness::Running;
use crate::tool::{PLAN, Tool};
use crate::world::{ask, ask_all, definitions, everywhere, left_over, prepare};

/// Rows of the first insert into each shard.
const ROWS: u64 = 3000;
/// Files under way at once.
const AT_ONCE: usize = 4;
/// The table that the server makes of the wanted definition.
const WANTED: &str = "wanted";

/// A definition with what is done to it.
struct Case {
    /// Without comments, `CREATE TABLE` and the name.
    body: String,
    table: TableName,
    changes: Vec<String>,
    fill: Option<String>,
    first: Vec<String>,
    then: Vec<String>,
    expect: Option<(i32, String)>,
}

impl Case {
    fn read(path: &Path) -> Self {
        let file = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(path).unwrap();
        let said = |key: &str| {
            let prefix = format!("-- {key}: ");
            text.lines().filter_map(|line| line.strip_prefix(&prefix).map(str::to_owned)).collect::<Vec<_>>()
        };
        let expect = said("expect").pop().map(|expect| {
            let (code, words) = expect.strip_prefix("exit ").unwrap().split_once(' ').unwrap();
            (code.parse().unwrap(), words.to_owned())
        });
        let sql: Vec<&str> = text.lines().filter(|line| !line.starts_with("--")).collect();
        let (head, body) = sql.split_first().unwrap();
        let quoted = head.strip_prefix("CREATE TABLE ").unwrap();
        let name = quoted.strip_prefix('`').and_then(|rest| rest.strip_suffix('`')).unwrap_or(quoted);
        assert!(!name.contains(['`', '\\']), "{file}: the reader of this test is too simple for {name}");
        let (table, changes) = (TableName::new(format!("corpus_{file}"), name), said("change"));
        let statements = |key| said(key).iter().map(|sql| sql.replace("{db}", &table.database)).collect();
        let (first, then) = (statements("first"), statements("then"));
        Self {
            body: body.join("\n").replace("{db}", &table.database),
            first,
            then,
            table,
            changes,
            fill: said("fill").pop(),
            expect,
        }
    }

    /// The clause `ORDER BY` of `ORDER BY (a, b)`.
    fn clause(change: &str) -> &str {
        let words = change.match_indices(' ').nth(1).unwrap_or_else(|| panic!("no clause: {change}"));
        &change[..words.0]
    }

    /// The definition as a person would change it: line by line, knowing nothing of how the product does it.
    fn wanted_body(&self) -> String {
        let mut lines: Vec<String> = self.body.lines().map(str::to_owned).collect();
        for change in &self.changes {
            let clause = Self::clause(change);
            let is_meant = |line: &String| line.starts_with(clause) && !line.starts_with(' ');
            if let Some(at) = lines.iter().position(is_meant) {
                change.clone_into(&mut lines[at]);
            } else {
                let engine = lines.iter().position(|line| line.starts_with("ENGINE =")).unwrap();
                lines.insert(engine + 1, change.clone());
            }
        }
        lines.join("\n")
    }

    fn alter(&self) -> String {
        let changes: Vec<String> = self.changes.iter().map(|change| format!("MODIFY {change}")).collect();
        format!("ALTER TABLE {} {}", self.table.sql(), changes.join(", "))
    }

    fn database(&self) -> &str {
        &self.table.database
    }

    /// `database = '…' AND table = '…'`
    fn here(&self) -> String {
        format!("database = {} AND table = {}", quote_string(self.database()), quote_string(&self.table.table))
    }

    /// The definition's text behind the table's name.
    fn definition(&self, cluster: &Running, table: &str) -> String {
        let name = TableName::new(self.database(), table);
        let sql = format!(
            "SELECT create_table_query FROM system.tables WHERE database = {} AND name = {} FORMAT RawBLOB",
            quote_string(self.database()),
            quote_string(&name.table)
        );
        let text = ask_all(cluster, &sql);
        text.split_once(" (").unwrap_or_else(|| panic!("no body in {text:?}")).1.to_owned()
    }

    fn columns(&self, cluster: &Running) -> Vec<Column> {
        let sql = format!(
            "SELECT name, type, default_kind, default_expression, comment FROM system.columns WHERE {} ORDER BY position \
             FORMAT JSONEachRow",
            self.here()
        );
        ask_all(cluster, &sql).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Inserts rows made of the numbers from `first` on.
    fn insert(&self, cluster: &Running, columns: &[Column], id: ReplicaId, first: u64, count: u64) {
        let rows = format!("(SELECT number + {first} AS number FROM numbers({count}))");
        let source = if let Some(fill) = &self.fill {
            fill.replace("FROM rows", &format!("FROM {rows}"))
        } else {
            let sign = columns.iter().find(|column| column.name == "sign").map(|column| column.name.as_str());
            let key =
                format!("SELECT sorting_key FROM system.tables WHERE {}", self.here().replace("table =", "name ="));
            let made = fill(columns, &cluster.query(id, &key), sign, &self.months(), ROWS);
            assert!(made.left_out.is_empty(), "no values for {:?}", made.left_out);
            format!("({}) {}", made.columns.join(", "), made.select(first, count))
        };
        // A table by day has more partitions than one insert may fill by default.
        let (names, select) = source.split_once(") SELECT ").unwrap();
        let settings = "SETTINGS max_partitions_per_insert_block = 0";
        cluster.query(id, &format!("INSERT INTO {} {names}) {settings} SELECT {select}", self.table.sql()));
    }

    /// The months that dates lie in: partitions enough to be several.
    fn months(&self) -> Vec<PartitionSize> {
        let months: &[&str] =
            if self.body.contains("PARTITION BY toDate(") { &["202402"] } else { &["202401", "202402", "202403"] };
        months.iter().map(|id| PartitionSize { id: (*id).to_owned(), rows: 1, bytes: 1 }).collect()
    }

    /// Every column's values, and the rows as a whole.
    fn digest(&self, cluster: &Running, columns: &[Column], is_final: bool) -> BTreeMap<ReplicaId, String> {
        let readable = columns.iter().filter(|column| column.default_kind != "EPHEMERAL");
        let values: Vec<String> = readable.clone().map(value).collect();
        let hash = |values: &str| format!("sum(cityHash64(formatRow('TSV', {values})))");
        let mut sums: Vec<String> = readable
            .zip(&values)
            .map(|(column, value)| {
                format!("{} AS {}", hash(value), quote_identifier(&format!("sum of {}", column.name)))
            })
            .collect();
        sums.push(format!("{} AS `sum of rows`", hash(&values.join(", "))));
        let last = if is_final { " FINAL" } else { "" };
        ask(
            cluster,
            &format!("SELECT count() AS rows, {} FROM {}{last} FORMAT Vertical", sums.join(", "), self.table.sql()),
        )
    }

    /// Rows with the key they are sorted by must be what makes different rows of the engine.
    fn is_merging(&self) -> bool {
        !self.body.contains("\nENGINE = MergeTree")
    }

    /// Indexes and projections that a table has, with whether its parts have them too.
    fn in_parts(&self, cluster: &Running) -> String {
        let indexes = format!(
            "SELECT name, type_full, expr, granularity, if(data_compressed_bytes > 0 AND marks_bytes > 0, 'in parts', 'NOT in parts') \
             FROM system.data_skipping_indices WHERE {} ORDER BY name",
            self.here()
        );
        let projections = format!(
            "SELECT p.name, p.type, p.query, if(has.parts = (SELECT count() FROM system.parts WHERE {here} AND active), 'in parts', 'NOT in parts') \
             FROM system.projections AS p LEFT JOIN (SELECT name, count() AS parts FROM system.projection_parts \
             WHERE {here} AND active AND rows > 0 GROUP BY name) AS has ON has.name = p.name \
             WHERE p.database = {} AND p.table = {} ORDER BY p.name",
            quote_string(self.database()),
            quote_string(&self.table.table),
            here = self.here()
        );
        format!("{}\n{}", ask_all(cluster, &indexes), ask_all(cluster, &projections))
    }
}

/// A column as something with a text: states as what they come to, in an order of its own where they are sets.
fn value(column: &Column) -> String {
    let name = quote_identifier(&column.name);
    if column.kind.starts_with("AggregateFunction(groupUniqArray") {
        format!("arraySort(finalizeAggregation({name}))")
    } else if column.kind.starts_with("AggregateFunction(") {
        format!("finalizeAggregation({name})")
    } else {
        name
    }
}

/// Two shards of today's ClickHouse.
pub(crate) fn stage() -> &'static Running {
    static STAGE: OnceLock<Running> = OnceLock::new();
    STAGE.get_or_init(|| Running::start(Engine::Chdb, 2, 1).unwrap())
}

/// Those whose names hold what the environment asks for, if it does.
fn files(dir: &str) -> Vec<PathBuf> {
    let only = std::env::var("SHARDWRIGHT_CORPUS").unwrap_or_default();
    let mut files = files_all(dir);
    files.retain(|path| path.file_stem().unwrap().to_str().unwrap().contains(&only));
    files
}

fn files_all(dir: &str) -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join(dir);
    let mut files: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|kind| kind == "sql"));
    files.sort();
    files
}

/// The table on both shards, with rows in several parts, some of them of the same key.
fn begin(cluster: &Running, case: &Case) -> Vec<Column> {
    prepare(cluster, case.database(), &case.first.iter().map(String::as_str).collect::<Vec<_>>());
    everywhere(cluster, &[&format!("CREATE TABLE {} {}", case.table.sql(), case.body)]);
    let columns = case.columns(cluster);
    insert_everywhere(cluster, case, &columns, 0, ROWS);
    if case.is_merging() {
        insert_everywhere(cluster, case, &columns, 0, ROWS / 3);
    }
    everywhere(cluster, &case.then.iter().map(String::as_str).collect::<Vec<_>>());
    let columns = case.columns(cluster);
    if !case.then.is_empty() {
        insert_everywhere(cluster, case, &columns, ROWS, ROWS / 3);
    }
    columns
}

fn insert_everywhere(cluster: &Running, case: &Case, columns: &[Column], first: u64, count: u64) {
    for id in cluster.ids() {
        case.insert(cluster, columns, id, u64::from(id.shard) * 1_000_000 + first, count);
    }
}

/// The definition that the server makes of the wanted one. What `then` does to the table is done to its twin.
fn expected(cluster: &Running, case: &Case) -> String {
    let wanted = TableName::new(case.database(), WANTED);
    let twin: Vec<String> = case.then.iter().map(|sql| sql.replace(&case.table.sql(), &wanted.sql())).collect();
    everywhere(cluster, &[&format!("CREATE TABLE {} {}", wanted.sql(), case.wanted_body())]);
    everywhere(cluster, &twin.iter().map(String::as_str).collect::<Vec<_>>());
    let expected = case.definition(cluster, WANTED);
    everywhere(cluster, &[&format!("DROP TABLE {}", wanted.sql())]);
    expected
}

/// From the definition to the finalized change. Rows also come in while the mirror carries them over, and after the swap.
fn carry_through(cluster: &Running, case: &Case) {
    let columns = begin(cluster, case);
    let expected = expected(cluster, case);
    assert_ne!(case.definition(cluster, &case.table.table), expected, "the file changes nothing");
    let (before, rest) = (case.in_parts(cluster), tables(cluster, case));
    assert!(!case.then.is_empty() || !before.contains("NOT in parts"), "before the change: {before}");

    let tool = Tool::new(cluster);
    tool.plan(&case.alter());
    tool.approve(&["start"]);
    tool.expect(4, &["execute", PLAN]);
    insert_everywhere(cluster, case, &columns, 100_000, ROWS / 10);
    let rows = case.digest(cluster, &columns, case.is_merging());
    tool.approve(&["cutover"]);
    tool.expect(4, &["execute", PLAN]);
    assert_eq!(case.digest(cluster, &columns, case.is_merging()), rows, "rows after the cutover");
    insert_everywhere(cluster, case, &columns, 200_000, ROWS / 10);
    let rows = case.digest(cluster, &columns, case.is_merging());
    tool.approve(&["finalize"]);
    tool.expect(0, &["execute", PLAN]);
    assert_eq!(tool.state(), "finalized");

    assert_eq!(case.definition(cluster, &case.table.table), expected, "the definition, and what it should be");
    assert_eq!(case.columns(cluster), columns, "columns");
    assert_eq!(case.digest(cluster, &columns, case.is_merging()), rows, "rows at the end");
    assert_eq!(case.in_parts(cluster), before.replace("NOT in parts", "in parts"), "indexes and projections");
    assert_eq!(tables(cluster, case), rest, "tables of the database");
    works(cluster, case, &columns);
    nothing_is_left(cluster, case.database());
    everywhere(cluster, &[&format!("DROP DATABASE {}", case.database())]);
}

fn tables(cluster: &Running, case: &Case) -> String {
    let database = quote_string(case.database());
    ask_all(cluster, &format!("SELECT name, engine FROM system.tables WHERE database = {database} ORDER BY name"))
}

/// New rows come in, and are found.
fn works(cluster: &Running, case: &Case, columns: &[Column]) {
    let last = if case.is_merging() { " FINAL" } else { "" };
    for id in cluster.ids() {
        let count = format!("SELECT count() FROM {}{last}", case.table.sql());
        let before: u64 = cluster.query(id, &count).parse().unwrap();
        case.insert(cluster, columns, id, 9_000_000, 100);
        let after: u64 = cluster.query(id, &count).parse().unwrap();
        let deleted = if columns.iter().any(|column| column.name == "is_deleted") { 50 } else { 0 };
        assert_eq!(after - before, 100 - deleted, "an insert afterwards");
    }
}

fn nothing_is_left(cluster: &Running, database: &str) {
    let ours = |found: &String| found.contains(database);
    let mut found = Vec::new();
    for _ in 0..50 {
        found = left_over(cluster, database).into_iter().filter(ours).collect();
        if found.is_empty() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    panic!("left over:\n{}", found.join("\n"));
}

/// The product says no with its reason, and nothing has changed.
fn refused(cluster: &Running, case: &Case) {
    let (code, words) = case.expect.as_ref().unwrap();
    let columns = begin(cluster, case);
    let before = (definitions(cluster, case.database()), case.digest(cluster, &columns, false));
    let ran = Tool::new(cluster).run(&["plan", "--sql", &case.alter()]);
    assert_eq!(ran.code, Some(*code), "{ran}");
    assert!(format!("{}{}", ran.stdout, ran.stderr).contains(words.as_str()), "{words:?} is not said: {ran}");
    assert_eq!((definitions(cluster, case.database()), case.digest(cluster, &columns, false)), before);
    nothing_is_left(cluster, case.database());
    everywhere(cluster, &[&format!("DROP DATABASE {}", case.database())]);
}

/// Runs all files, a few at once, and tells of every one that failed.
fn run(dir: &str, minimum: usize, carry: fn(&Running, &Case)) {
    let cluster = stage();
    let files = files(dir);
    assert!(files.len() >= minimum || std::env::var_os("SHARDWRIGHT_CORPUS").is_some(), "{} files", files.len());
    let (queue, failed) = (Mutex::new(files.iter()), Mutex::new(BTreeMap::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some(path) = queue.lock().unwrap().next() else { return };
                    let ran = catch_unwind(AssertUnwindSafe(|| carry(cluster, &Case::read(path))));
                    if let Err(panic) = ran {
                        failed.lock().unwrap().insert(path.file_name().unwrap().to_owned(), reason(&*panic));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    let text: Vec<String> = failed.iter().map(|(file, reason)| format!("== {}\n{reason}\n", file.display())).collect();
    assert!(failed.is_empty(), "{} of {} definitions failed\n{}", failed.len(), files.len(), text.join("\n"));
}

fn reason(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_else(|| "no reason".to_owned())
}

#[test]
fn definitions_of_today_are_carried_over() {
    run("tests/corpus", 40, carry_through);
}

#[test]
fn definitions_that_cannot_be_carried_over_are_refused() {
    run("tests/corpus/refused", 1, refused);
}

/// The eyes of this test see what a bad copy would lack.
#[test]
fn what_a_copy_lacks_is_noticed() {
    let cluster = stage();
    let mut case =
        Case::read(&files_all("tests/corpus").into_iter().find(|path| path.ends_with("projections.sql")).unwrap());
    "corpus_noticed".clone_into(&mut case.table.database);
    let columns = begin(cluster, &case);
    let see = || {
        let rows = case.digest(cluster, &columns, false).into_values().collect::<String>();
        [case.definition(cluster, &case.table.table), case.in_parts(cluster), rows, tables(cluster, &case)]
    };
    let mut seen = see();
    let table = case.table.sql();
    for (sql, changes) in [
        (format!("ALTER TABLE {table} ADD INDEX later ms TYPE minmax"), [true, true, false, false]),
        (format!("ALTER TABLE {table} CLEAR PROJECTION per_day IN PARTITION 202402"), [false, true, false, false]),
        (
            format!("ALTER TABLE {table} UPDATE ms = ms + 1 WHERE ms = (SELECT max(ms) FROM {table})"),
            [false, false, true, false],
        ),
        (format!("CREATE TABLE {}.other (a UInt8) ENGINE = Memory", case.database()), [false, false, false, true]),
    ] {
        everywhere(
            cluster,
            &[&format!("{sql} {}", if sql.starts_with("ALTER") { "SETTINGS mutations_sync = 2" } else { "" })],
        );
        let now = see();
        let differs: Vec<bool> = seen.iter().zip(&now).map(|(before, now)| before != now).collect();
        assert_eq!(differs, changes, "{sql}\n{seen:#?}\n{now:#?}");
        seen = now;
    }
    assert!(seen[1].contains("NOT in parts"));
    everywhere(cluster, &[&format!("DROP DATABASE {}", case.database())]);
}
