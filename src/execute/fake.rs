//! A cluster in memory for tests of the engine: it knows just enough of ClickHouse to run a rebuild's statements, answers
//! probes from what they left behind, and can lose the connection or the executor at any call.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard};

use tokio::sync::Notify;

use super::ports::{Call, CallError, CallSession, Servers};
use crate::ddl::lexer::significant_tokens;
use crate::ddl::read_table;
use crate::names::ReplicaId;

/// Rows by partition.
type Rows = BTreeMap<String, Vec<u64>>;

/// What goes wrong, and at which call (counted from 0).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) at_call: usize,
    pub(super) kind: FaultKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FaultKind {
    /// The executor dies before the statement leaves.
    DiesBeforeSending,
    /// The executor dies after the server has done what it was told.
    DiesAfterDone,
    /// The executor dies; the server is still at it, and is done only when somebody waits for it.
    DiesWhileRunning,
    /// The connection goes and the statement was never run.
    LostBefore,
    /// The connection goes after the statement was run.
    LostAfter,
    /// The server refuses.
    Refused,
    /// The server has no leader for the first statement from here on that changes something; for the next it has.
    NotYet,
    /// The executor is stopped before the statement leaves, and goes on when [`Fake::wake`] is called.
    Stops,
}

/// One table on one replica. Replicated tables of a shard share their data by Keeper path.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Table {
    engine: String,
    sorting_key: String,
    definition: String,
    data: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct World {
    tables: BTreeMap<(ReplicaId, String), Table>,
    data: BTreeMap<String, Rows>,
    /// The definition of every table that is not of the plan's making: nobody but a test changes one.
    definition: String,
    /// How many mutations there were.
    mutations: u64,
}

struct State {
    world: World,
    calls: usize,
    fault: Option<Fault>,
    /// A statement of a dead executor that the server is still at.
    still_running: Option<(ReplicaId, String)>,
    /// Attaching what is there already doubles it, as with engines that are not Replicated.
    attach_doubles: bool,
    sessions: BTreeSet<String>,
    /// Ending what a dead executor has left takes longer than a session lasts.
    slow_to_end: bool,
}

/// The cluster.
pub(super) struct Fake {
    state: Mutex<State>,
    /// Told when the executor is to die.
    pub(super) death: Notify,
    /// Told when the executor is stopped.
    pub(super) stopped: Notify,
    woken: Notify,
}

/// What a row takes on disk.
pub(super) const ROW_BYTES: usize = 100;
const SOURCE: &str = "`d`.`events`";

impl Fake {
    /// Replicas with the source table and a few rows in three partitions.
    pub(super) fn new(replicas: &[ReplicaId], create_query: &str, definition_hash: &str, attach_doubles: bool) -> Self {
        let mut world = World { definition: definition_hash.to_owned(), ..World::default() };
        for id in replicas {
            world.create(*id, create_query);
            let table = world.tables.get_mut(&(*id, SOURCE.to_owned())).unwrap();
            definition_hash.clone_into(&mut table.definition);
        }
        for (shard, rows) in [(1, 10_u64), (2, 20)] {
            let Some(table) = world.tables.get(&(ReplicaId::new(shard, 1), SOURCE.to_owned())) else { continue };
            let data = table.data.clone();
            let partitions = ["202401", "202402", "202403"].into_iter().zip(0_u64..);
            let of = |number: u64| (0..rows).map(|row| u64::from(shard) * 10_000 + number * 100 + row).collect();
            world.data.insert(data, partitions.map(|(name, number)| (name.to_owned(), of(number))).collect());
        }
        let sessions = BTreeSet::new();
        let state =
            State { world, calls: 0, fault: None, still_running: None, attach_doubles, sessions, slow_to_end: false };
        Self { state: Mutex::new(state), death: Notify::new(), stopped: Notify::new(), woken: Notify::new() }
    }

    pub(super) fn set_fault(&self, fault: Option<Fault>) {
        let mut state = self.state();
        state.fault = fault;
        state.calls = 0;
    }

    pub(super) fn calls(&self) -> usize {
        self.state().calls
    }

    pub(super) fn world(&self) -> World {
        self.state().world.clone()
    }

    /// The sorting key and rows that a replica serves under the source's name.
    pub(super) fn served(&self, on: ReplicaId) -> (String, Rows) {
        let state = self.state();
        let table = &state.world.tables[&(on, SOURCE.to_owned())];
        let mut rows = state.world.rows(on, SOURCE);
        for rows in rows.values_mut() {
            rows.sort_unstable();
        }
        (table.sorting_key.clone(), rows)
    }

    /// Tables on all replicas, but for the source.
    pub(super) fn others(&self) -> Vec<String> {
        let state = self.state();
        state.world.tables.keys().filter(|(_, name)| name != SOURCE).map(|(id, name)| format!("{id} {name}")).collect()
    }

    /// Adds a row to a table of one replica behind everybody's back.
    pub(super) fn tamper(&self, on: ReplicaId, table: &str, partition: &str, row: u64) {
        let mut state = self.state();
        let data = state.world.tables[&(on, table.to_owned())].data.clone();
        state.world.data.entry(data).or_default().entry(partition.to_owned()).or_default().push(row);
    }

    /// Takes a row away again, behind everybody's back.
    pub(super) fn take(&self, on: ReplicaId, table: &str, partition: &str, row: u64) {
        let mut state = self.state();
        let rows = state.world.data_mut(on, table).unwrap().get_mut(partition).unwrap();
        rows.retain(|known| *known != row);
    }

    /// Drops a partition of the source on one shard.
    pub(super) fn drop_partition(&self, on: ReplicaId, partition: &str) {
        let mut state = self.state();
        assert!(state.world.data_mut(on, SOURCE).unwrap().remove(partition).is_some(), "{partition} is there");
    }

    /// Changes the source's definition on one replica.
    pub(super) fn redefine(&self, on: ReplicaId) {
        let mut state = self.state();
        state.world.tables.get_mut(&(on, SOURCE.to_owned())).unwrap().definition = "another".to_owned();
    }

    /// Lets so much time pass that every session has ended.
    pub(super) fn end_sessions(&self) {
        self.state().sessions.clear();
    }

    /// From now on it takes long to end what a dead executor has left.
    pub(super) fn is_slow_to_end(&self) {
        self.state().slow_to_end = true;
    }

    /// Lets a stopped executor go on.
    pub(super) fn wake(&self) {
        self.woken.notify_one();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    async fn answer(&self, call: Call, session: Option<CallSession>) -> Result<String, CallError> {
        let fault = {
            let mut state = self.state();
            let number = state.calls;
            state.calls += 1;
            let is_change = session.as_ref().is_some_and(|session| session.must_exist);
            let is_due = |fault: &Fault| match fault.kind {
                FaultKind::NotYet => is_change && fault.at_call <= number,
                _ => fault.at_call == number,
            };
            let due = state.fault.filter(is_due).map(|fault| fault.kind);
            if due == Some(FaultKind::NotYet) {
                state.fault = None;
            }
            due
        };
        if fault == Some(FaultKind::Stops) {
            self.stopped.notify_one();
            self.woken.notified().await;
        }
        // The guard must not be held while waiting to die.
        {
            let mut state = self.state();
            let run = |state: &mut State| state.run(&call, session.as_ref());
            match fault {
                None | Some(FaultKind::Stops) => return run(&mut state),
                Some(FaultKind::Refused) => return Err(error(&call, None, false)),
                Some(FaultKind::NotYet) => return Err(error(&call, Some(292), false)),
                Some(FaultKind::LostBefore) => return Err(error(&call, None, true)),
                Some(FaultKind::LostAfter) => {
                    _ = run(&mut state);
                    return Err(error(&call, None, true));
                }
                Some(FaultKind::DiesBeforeSending) => {}
                Some(FaultKind::DiesAfterDone) => _ = run(&mut state),
                Some(FaultKind::DiesWhileRunning) => state.still_running = Some((call.on, call.sql)),
            }
        }
        self.death.notify_one();
        std::future::pending().await
    }
}

impl State {
    fn run(&mut self, call: &Call, session: Option<&CallSession>) -> Result<String, CallError> {
        match session {
            Some(session) if session.must_exist && !self.sessions.contains(&session.id) => {
                return Err(error(call, Some(372), false));
            }
            Some(session) => _ = self.sessions.insert(session.id.clone()),
            None => {}
        }
        if let Some(code) = self.world.refusal(call.on, &call.sql) {
            return Err(error(call, Some(code), false));
        }
        Ok(self.world.run(call.on, &call.sql, self.attach_doubles))
    }
}

impl Servers for Fake {
    async fn call(&self, call: Call) -> Result<String, CallError> {
        self.answer(call, None).await
    }

    async fn call_in(&self, call: Call, session: CallSession) -> Result<String, CallError> {
        self.answer(call, Some(session)).await
    }

    async fn rows_written(&self, _on: ReplicaId, _query_id: &str) -> Option<u64> {
        None
    }

    async fn end_leftovers(&self, on: ReplicaId, _prefix: &str) -> Result<(), CallError> {
        let mut state = self.state();
        if state.slow_to_end {
            state.sessions.clear();
        }
        if state.still_running.as_ref().is_some_and(|(at, _)| *at == on)
            && let Some((on, sql)) = state.still_running.take()
        {
            let doubles = state.attach_doubles;
            if state.world.refusal(on, &sql).is_none() {
                state.world.run(on, &sql, doubles);
            }
        }
        Ok(())
    }
}

fn error(call: &Call, code: Option<u32>, outcome_unknown: bool) -> CallError {
    CallError { replica: call.on.to_string(), code, message: "the test says no".to_owned(), outcome_unknown }
}

impl World {
    /// The code with which the server refuses a statement, if it does.
    fn refusal(&self, on: ReplicaId, sql: &str) -> Option<u32> {
        // The lock is looked at before every statement, so its name is not read token by token.
        if let Some(name) = sql.strip_prefix("SHOW CREATE TABLE ") {
            return (!self.tables.contains_key(&(on, name.to_owned()))).then_some(390);
        }
        let is_there = || self.tables.contains_key(&(on, names(sql)[0].clone()));
        match sql {
            _ if sql.starts_with("CREATE TABLE `") && is_there() => Some(57),
            _ if sql.starts_with("DROP TABLE `") && !is_there() => Some(60),
            _ => None,
        }
    }

    /// Runs one statement and gives its answer.
    fn run(&mut self, on: ReplicaId, sql: &str, attach_doubles: bool) -> String {
        // Asked before every statement, so not read token by token.
        if sql == "SELECT 1" {
            return "1".to_owned();
        }
        if let Some(name) = sql.strip_prefix("SHOW CREATE TABLE ") {
            return self.tables[&(on, name.to_owned())].definition.clone();
        }
        let names = names(sql);
        let word = |number: usize| sql.split_whitespace().nth(number).unwrap_or_default();
        match (word(0), word(1)) {
            ("CREATE", _) => self.create(on, sql),
            ("DROP", _) => _ = self.tables.remove(&(on, names[0].clone())),
            ("TRUNCATE", _) => _ = self.data_mut(on, &names[0]).map(BTreeMap::clear),
            ("RENAME" | "EXCHANGE", _) => {
                self.swap(on, SOURCE, &format!("{}__sw_shadow`", &SOURCE[..SOURCE.len() - 1]));
            }
            ("ALTER", _) => self.alter(on, sql, &names, attach_doubles),
            ("INSERT", _) if sql.contains(" BY cityHash64(") => self.add(on, sql, &names),
            ("INSERT", _) => {
                let (partition, rows) = chunk(sql, self.rows(on, &names[1]));
                self.data_mut(on, &names[0]).unwrap().entry(partition).or_default().extend(rows);
            }
            ("SELECT", _) => return self.select(on, sql, &names),
            ("SYSTEM", _) => {}
            other => panic!("the fake does not know {other:?}: {sql}"),
        }
        String::new()
    }

    fn create(&mut self, on: ReplicaId, sql: &str) {
        let name = names(&sql.replace("d.events ", "`d`.`events` "))[0].clone();
        if self.tables.contains_key(&(on, name.clone())) {
            return;
        }
        let table = if sql.contains("MATERIALIZED VIEW") || sql.contains("`holder`") {
            Table {
                engine: if sql.contains("`holder`") { "Memory" } else { "MaterializedView" }.to_owned(),
                sorting_key: String::new(),
                definition: sql.to_owned(),
                data: "none".to_owned(),
            }
        } else {
            let create = read_table(sql).unwrap();
            let path = create.engine.keeper_path();
            let data = match path {
                Some(path) => format!("shard {} {path}", on.shard),
                None => format!("{on} {name}"),
            };
            let key = create.engine.clauses.order_by.unwrap().text;
            let sorting_key = key.trim_matches(['(', ')']).to_owned();
            Table { engine: create.engine.name, sorting_key, definition: sql.to_owned(), data }
        };
        self.data.entry(table.data.clone()).or_default();
        self.tables.insert((on, name), table);
    }

    fn swap(&mut self, on: ReplicaId, one: &str, other: &str) {
        let (a, b) = ((on, one.to_owned()), (on, other.to_owned()));
        let (first, second) = (self.tables.remove(&a).unwrap(), self.tables.remove(&b).unwrap());
        self.tables.insert(a, second);
        self.tables.insert(b, first);
    }

    /// Copies of single rows from one table to another.
    fn add(&mut self, on: ReplicaId, sql: &str, names: &[String]) {
        let wanted = hashes(sql);
        for (partition, rows) in self.rows(on, &names[1]) {
            let rows = rows.into_iter().filter(|row| wanted.contains(row));
            self.data_mut(on, &names[0]).unwrap().entry(partition).or_default().extend(rows);
        }
    }

    fn alter(&mut self, on: ReplicaId, sql: &str, names: &[String], attach_doubles: bool) {
        if sql.contains(" DELETE WHERE ") {
            self.mutations += 1;
            let unwanted = hashes(sql);
            let data = self.data_mut(on, &names[0]).unwrap();
            for rows in data.values_mut() {
                rows.retain(|row| !unwanted.contains(row));
            }
            return;
        }
        let partition = last_string(sql);
        if sql.contains("DROP PARTITION") {
            _ = self.data_mut(on, &names[0]).unwrap().remove(&partition);
            return;
        }
        let rows = self.rows(on, &names[1]).remove(&partition).unwrap_or_default();
        let target = self.data_mut(on, &names[0]).unwrap().entry(partition).or_default();
        if sql.contains("REPLACE PARTITION") {
            *target = rows;
        } else if attach_doubles || rows.first().is_some_and(|row| !target.contains(row)) {
            target.extend(rows);
        }
    }

    fn select(&self, on: ReplicaId, sql: &str, names: &[String]) -> String {
        let table = |name: &str| self.tables.get(&(on, name.to_owned()));
        let quoted = strings(sql);
        let full = |text: &String| format!("`{}`.`{text}`", quoted[0]);
        if sql.contains("FROM system.tables") {
            if sql.contains("name IN (") {
                return quoted[1..].iter().filter(|name| table(&full(name)).is_some()).count().to_string();
            }
            let Some(found) = table(&full(&quoted[1])) else {
                if sql.contains("cityHash64") {
                    return self.definition.clone();
                }
                return if sql.starts_with("SELECT count()") { "0".to_owned() } else { String::new() };
            };
            return match sql {
                _ if sql.contains("cityHash64") => found.definition.clone(),
                _ if sql.starts_with("SELECT engine, ") => {
                    let key = &found.sorting_key;
                    format!("{}\t{key}\ttoYYYYMM(day)\t{key}", found.engine)
                }
                _ if sql.starts_with("SELECT count()") => u8::from(found.sorting_key != quoted[2]).to_string(),
                _ => found.engine.clone(),
            };
        }
        if sql.contains("FROM system.disks") {
            return if sql.contains("total_space") { "50" } else { "1" }.to_owned();
        }
        if sql.contains("FROM system.parts") && !sql.contains("log_max") {
            return self.select_parts(on, sql, &quoted);
        }
        if sql.contains("FROM system.") {
            return if sql.contains("log_pointer") {
                "2"
            } else if sql.contains("log_max") {
                "1"
            } else if sql.contains("mutation_id") {
                return (0..self.mutations).map(|number| format!("{number}\t1")).collect::<Vec<_>>().join("\n");
            } else if sql.contains("system.zookeeper WHERE path = '/')") {
                "1"
            } else if ["node_name", "system.processes"].iter().any(|column| sql.contains(column)) {
                ""
            } else {
                "0"
            }
            .to_owned();
        }
        self.select_rows(on, sql, names)
    }

    /// A partition is one part.
    fn select_parts(&self, on: ReplicaId, sql: &str, quoted: &[String]) -> String {
        let filled = |name: &String| {
            let mut rows = self.rows(on, &format!("`{}`.`{name}`", quoted[0]));
            rows.retain(|_, rows| !rows.is_empty());
            rows.into_keys().collect::<Vec<_>>()
        };
        let partitions = filled(&quoted[1]);
        if sql.contains("table IN (") {
            return quoted[1..].iter().map(|name| filled(name).len()).sum::<usize>().to_string();
        }
        if sql.starts_with("SELECT partition_id, name") {
            let rows = self.rows(on, &format!("`{}`.`{}`", quoted[0], quoted[1]));
            let part = |id: &String| format!("{id}\t{id}_1_1_0\t{}\t{}", rows[id].len(), rows[id].len() * ROW_BYTES);
            return partitions.iter().map(part).collect::<Vec<_>>().join("\n");
        }
        if sql.starts_with("SELECT count() > 0") || sql.contains("parts_to_delay_insert") {
            return "0".to_owned();
        }
        if sql.starts_with("SELECT count()") {
            return partitions.iter().filter(|partition| Some(*partition) == quoted.last()).count().to_string();
        }
        if sql.starts_with("SELECT name") {
            return partitions.iter().map(|id| format!("{id}_1_1_0\t{id}\t1")).collect::<Vec<_>>().join("\n");
        }
        partitions.join("\n")
    }

    /// How often each row is in a table, in whatever partition; a row is its own hash.
    fn tally(&self, on: ReplicaId, name: &str) -> BTreeMap<u64, usize> {
        let mut tally = BTreeMap::new();
        for row in self.rows(on, name).into_values().flatten() {
            *tally.entry(row).or_default() += 1;
        }
        tally
    }

    /// Which rows two tables do not have equally often, or how often one has some.
    fn drill(&self, on: ReplicaId, sql: &str, names: &[String]) -> String {
        let left = self.tally(on, &names[0]);
        if sql.starts_with("SELECT toString(__sw_h), count()") {
            let wanted = hashes(sql);
            let lines = left.iter().filter(|(row, _)| wanted.contains(row));
            return lines.map(|(row, times)| format!("{row}\t{times}")).collect::<Vec<_>>().join("\n");
        }
        let right = self.tally(on, names.last().unwrap());
        let rows: std::collections::BTreeSet<&u64> = left.keys().chain(right.keys()).collect();
        let differing = rows.into_iter().filter(|row| left.get(row) != right.get(row));
        differing.map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    fn select_rows(&self, on: ReplicaId, sql: &str, names: &[String]) -> String {
        let digest = |rows: &[u64]| format!("{}\t{}", rows.len(), rows.iter().sum::<u64>());
        let table = names.iter().find(|name| self.tables.contains_key(&(on, (*name).clone())));
        let Some(table) = table else { return "1".to_owned() };
        let rows = self.rows(on, table);
        if sql.contains("__sw_h") {
            return self.drill(on, sql, names);
        }
        if sql.contains(" IN (SELECT") {
            let (here, there) = (self.rows(on, &names[names.len() - 2]), self.rows(on, names.last().unwrap()));
            let partition = last_string(sql);
            let staged = there.get(&partition).cloned().unwrap_or_default();
            let landed = here.get(&partition).into_iter().flatten().filter(|row| staged.contains(row)).count();
            return u8::from(if sql.contains("count() >= ") { landed >= staged.len() } else { landed > 0 }).to_string();
        }
        if sql.contains("GROUP BY") {
            let lines = rows.iter().filter(|(_, rows)| !rows.is_empty());
            return lines.map(|(name, rows)| format!("{name}\t{}", digest(rows))).collect::<Vec<_>>().join("\n");
        }
        if sql.contains("WHERE") {
            return digest(&chunk(sql, rows).1);
        }
        digest(&rows.into_values().flatten().collect::<Vec<_>>())
    }

    /// Every table with its key and rows, a line each.
    pub(super) fn listing(&self) -> Vec<String> {
        let line = |((on, name), table): (&(ReplicaId, String), &Table)| {
            format!("{on} {name} ({}): {:?}", table.sorting_key, self.data.get(&table.data))
        };
        self.tables.iter().map(line).collect()
    }

    fn rows(&self, on: ReplicaId, name: &str) -> Rows {
        let table = self.tables.get(&(on, name.to_owned()));
        table.and_then(|table| self.data.get(&table.data)).cloned().unwrap_or_default()
    }

    fn data_mut(&mut self, on: ReplicaId, name: &str) -> Option<&mut Rows> {
        let data = self.tables.get(&(on, name.to_owned()))?.data.clone();
        self.data.get_mut(&data)
    }
}

/// The quoted, dotted names of a statement.
fn names(sql: &str) -> Vec<String> {
    let tokens = significant_tokens(sql).unwrap();
    let texts: Vec<&str> = tokens.iter().map(|token| &sql[token.span.clone()]).collect();
    let dotted =
        texts.windows(3).filter(|three| three[0].starts_with('`') && three[1] == "." && three[2].starts_with('`'));
    dotted.map(<[&str]>::concat).collect()
}

/// The string literals of a statement, unquoted.
fn strings(sql: &str) -> Vec<String> {
    let tokens = significant_tokens(sql).unwrap();
    let texts = tokens.iter().map(|token| &sql[token.span.clone()]);
    texts.filter(|text| text.starts_with('\'')).map(|text| text.trim_matches('\'').to_owned()).collect()
}

/// The partition of a chunk, and those of its rows that belong to the chunk.
fn chunk(sql: &str, mut rows: Rows) -> (String, Vec<u64>) {
    let Some((_, after)) = sql.split_once("_part)[1] = '") else {
        let partition = last_string(sql);
        let rows = rows.remove(&partition).unwrap_or_default();
        return (partition, rows);
    };
    let partition = after.split('\'').next().unwrap().to_owned();
    let rows = rows.remove(&partition).unwrap_or_default();
    let number = |word: &str| -> Option<usize> {
        sql.split_once(word)?.1.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    };
    match (number("_part_offset >= "), number("_part_offset < ")) {
        (Some(from), Some(to)) => (partition, rows[from..to].to_vec()),
        _ => (partition, rows),
    }
}

/// The numbers of the last list of numbers in a statement.
fn hashes(sql: &str) -> Vec<u64> {
    let list = |text: &str| -> Option<Vec<u64>> {
        text.split(')').next()?.split(", ").map(|number| number.parse().ok()).collect()
    };
    sql.split(" IN (").filter_map(list).last().unwrap_or_default()
}

fn last_string(sql: &str) -> String {
    strings(sql).pop().unwrap()
}
