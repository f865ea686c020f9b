//! A table under live writers, a plan for it, and the program that meets the replicas through a proxy only.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use shardwright::sandbox::Sandbox;

use super::proxy::Proxy;
use super::spots::Way;
use crate::harness::{End, Running, block_on};
use crate::load::book::Book;
use crate::load::check::check;
use crate::load::http::send;
use crate::load::schema::{BASE_END, BY_QUARTER, Schema};
use crate::load::{Load, Spec, set_up};
use crate::tool::{PLAN, Ran, Started, Tool};
use crate::world::{ask_all, everywhere};

const KEY_BEFORE: &str = "at, id, tenant";
const KEY_AFTER: &str = "tenant, id, at";
/// Merges that are started meet the parts of a small table within this time.
const MERGES_MAX: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(200);

/// How a plan must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Finalized,
    RolledBack,
}

/// The program, which meets the replicas through a proxy only.
pub(super) struct Line {
    pub(super) tool: Tool,
    pub(super) proxy: Proxy,
}

impl Line {
    pub(super) fn new(cluster: &Running) -> Self {
        let proxy = Proxy::new(cluster);
        let tool = Tool::new(cluster).with_config(&proxy.config(cluster));
        Self { tool, proxy }
    }

    /// Starts a command that the proxy can kill.
    pub(super) fn start(&self, args: &[&str]) -> Started {
        self.proxy.victim(0);
        let started = self.tool.start(args);
        self.proxy.victim(started.pid());
        started
    }
}

/// A plan under way while writers write.
pub(super) struct Site<'a> {
    pub(super) cluster: &'a Running,
    pub(super) line: Line,
    schema: Schema,
    load: Option<Load>,
    book: Book,
}

impl<'a> Site<'a> {
    /// Tables, writers and a plan.
    #[track_caller]
    pub(super) fn new(cluster: &'a Running, database: &str) -> Self {
        let end = if cluster.replicates() { End::Old } else { End::New };
        let schema =
            Schema { database: database.to_owned(), end, replacing: false, key: KEY_BEFORE, partition: BY_QUARTER };
        let interval = Duration::from_millis(if end == End::Old { 400 } else { 200 });
        let spec = Spec { writers: 3, readers: 0, crowd: 0, interval, base: 4_000, ..Spec::new(end, 1) };
        let book = set_up(cluster, &schema, &spec);
        let line = Line::new(cluster);
        let load = Some(Load::start(cluster, &schema, &spec));
        line.tool.plan(&format!("ALTER TABLE {database}.t MODIFY ORDER BY ({KEY_AFTER})"));
        Self { cluster, line, schema, load, book }
    }

    #[track_caller]
    pub(super) fn run(&self, args: &[&str]) -> Ran {
        self.line.start(args).end()
    }

    /// Where a statement may reach a server long after it was sent.
    pub(super) fn with_late_statements(mut self) -> Self {
        self.line.tool = self.line.tool.with_late_statements();
        self
    }

    /// Brings the plan to where this way begins, undisturbed. Gives how it is to end.
    #[track_caller]
    pub(super) fn ready(&self, way: Way) -> Ending {
        match way {
            Way::Forward => {
                self.line.tool.approve(&["start", "cutover", "finalize"]);
                Ending::Finalized
            }
            Way::Back => {
                self.line.tool.approve(&["start", "cutover"]);
                self.line.tool.expect(4, &["execute", PLAN]);
                Ending::RolledBack
            }
        }
    }

    /// Waits until writers have done some more inserts.
    #[track_caller]
    pub(super) fn more_inserts(&self) {
        let load = self.load.as_ref().expect("a site that is open");
        load.phase("more");
        load.wait_for_inserts(20);
    }

    /// A row that the shadow table lacks and one that it has twice, on the first shard.
    #[track_caller]
    pub(super) fn tamper(&self) {
        let (on, shadow) = (self.cluster.ids()[0], format!("{}.t__sw_shadow", self.schema.database));
        let sync = if self.schema.end == End::Old { "" } else { " SETTINGS mutations_sync = 2" };
        self.cluster.query(on, &format!("ALTER TABLE {shadow} DELETE WHERE id = 10{sync}"));
        self.cluster.query(on, &self.schema.insert_select("t__sw_shadow", 12, 0, 1));
        for replica in self.cluster.ids().into_iter().filter(|id| id.shard == 1) {
            let sql = format!("SELECT countIf(id = 10) = 0, countIf(id = 12) > 1 FROM {shadow}");
            self.cluster.eventually(replica, &sql, "1\t1");
        }
    }

    /// A row as an insert leaves it that falls into the middle of a swap: twice in the old data, and not in the new table.
    #[track_caller]
    pub(super) fn misplace(&mut self) {
        const ROW: u64 = BASE_END - 2;
        self.cluster.query(self.cluster.ids()[0], &self.schema.insert_select("t__sw_shadow", ROW, 0, 2));
        self.book.table.acknowledged(ROW, 1);
    }

    /// Two such inserts right behind a swap: one that left two parts, and one whose rows share a part.
    #[track_caller]
    pub(super) fn overtake(&mut self) {
        const TWO_PARTS: u64 = BASE_END - 4;
        let (_, ports) = self.cluster.replicas().next().expect("a replica");
        let sql = self.schema.insert_select("t__sw_shadow", TWO_PARTS, 0, 1);
        for _ in 0..2 {
            block_on(send(ports.http, "insert_deduplicate=0", &sql)).expect("rows for the old data");
        }
        self.book.table.acknowledged(TWO_PARTS, 1);
        self.misplace();
    }

    fn journal_path(&self) -> PathBuf {
        self.line.tool.dir().join(format!("{PLAN}.journal.jsonl"))
    }

    /// The journal's records. A line under way is left out.
    pub(super) fn journal(&self) -> Vec<Value> {
        records(&self.journal_path())
    }

    /// What reads the journal from elsewhere.
    pub(super) fn journal_reader(&self) -> impl Fn() -> Vec<Value> + Send + 'static {
        let path = self.journal_path();
        move || records(&path)
    }

    /// Takes the last record of an event of a step out of the journal, as if it had never been written.
    #[track_caller]
    pub(super) fn forget(&self, event: &str, step: &str) {
        let mut records = self.journal();
        let at = records.iter().rposition(|record| is(record, event, step)).expect("the record");
        records.remove(at);
        let lines = records.iter_mut().zip(0..).map(|(record, seq)| {
            record["seq"] = Value::from(seq);
            format!("{record}\n")
        });
        fs::write(self.journal_path(), lines.collect::<String>()).expect("the journal can be written");
    }

    /// Ends the writers and looks at everything: the plan's state, keys, each row in each place, what is left over, merges. Gives
    /// what is wrong.
    #[track_caller]
    pub(super) fn close(mut self, ending: Ending) -> Vec<String> {
        let database = self.schema.database.clone();
        let harvest = self.load.take().expect("a site is closed once").stop();
        let mut book = std::mem::take(&mut self.book);
        book.extend(harvest.book);
        let mut faults = check(self.cluster, &self.schema, &book).faults;
        let (state, key) = match ending {
            Ending::Finalized => ("finalized", KEY_AFTER),
            Ending::RolledBack => ("rolled back", KEY_BEFORE),
        };
        let found = self.line.tool.state();
        faults.extend((found != state).then(|| format!("the plan is {found}, not {state}")));
        let sql = format!("SELECT sorting_key FROM system.tables WHERE database = '{database}' AND name = 't'");
        let found = ask_all(self.cluster, &sql);
        faults.extend((found != key).then(|| format!("the key is {found}, not {key}")));
        faults.extend(self.merges());
        let inserts: u64 = harvest.phases.iter().map(|(_, figures)| figures.inserts).sum();
        println!("{database}: {inserts} inserts meanwhile; {faults:?}");
        if faults.is_empty() {
            everywhere(self.cluster, &[&format!("DROP DATABASE {database}")]);
        }
        faults
    }

    /// Whether merges run on every replica: the parts of the table become one a partition.
    fn merges(&self) -> Option<String> {
        let database = &self.schema.database;
        let spare = format!(
            "SELECT count() - uniqExact(partition) FROM system.parts WHERE database = '{database}' AND table = 't' AND active"
        );
        let mut left = MERGES_MAX;
        loop {
            let mut stuck = Vec::new();
            for id in self.cluster.ids() {
                if self.cluster.query(id, &spare) == "0" {
                    continue;
                }
                let optimize = format!("OPTIMIZE TABLE {database}.t FINAL");
                let told = block_on(Sandbox::query(self.cluster, id, &optimize)).map_err(|error| error.to_string());
                stuck.push(format!("{id}: {told:?}"));
            }
            if stuck.is_empty() {
                return None;
            }
            if left.is_zero() {
                return Some(format!("merges do not run: {}", stuck.join("; ")));
            }
            std::thread::sleep(POLL);
            left = left.saturating_sub(POLL);
        }
    }
}

fn records(path: &std::path::Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Whether a record is of this event and step.
pub(super) fn is(record: &Value, event: &str, step: &str) -> bool {
    record["event"] == event && record["step"] == step
}
