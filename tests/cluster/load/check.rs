//! The account at the end: every row in every place.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use shardwright::names::ReplicaId;
use shardwright::rehearse::{Account, Deviation, Ledger};

use super::book::Book;
use super::schema::{CHANGING, Schema};
use crate::harness::{End, Running};
use crate::world::{firsts, left_over, sync};

/// Waits for what is on its way: rows to be sent on, files of dropped tables.
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(100);
/// Old servers keep the part of an insert of unknown status (code 319, Keeper was lost) on the one replica for five minutes before
/// they remove it: seen on a machine too busy for Keeper's sessions.
const STRAY_PARTS_MAX: Duration = Duration::from_mins(7);
const STRAY_PARTS_POLL: Duration = Duration::from_secs(5);
/// Faults that are told of each kind.
const TOLD_MAX: usize = 8;

/// What was found at the end.
#[derive(Debug, Clone, Default)]
pub(crate) struct Found {
    /// Of all places that were looked at, each figure where it is worst.
    pub(crate) ledger: Ledger,
    /// The same of the downstream view.
    pub(crate) downstream: Ledger,
    /// Rows whose columns are not what they were inserted or updated with, versions that went back.
    pub(crate) altered: u64,
    /// Everything that is not as it must be, in words.
    pub(crate) faults: Vec<String>,
}

/// Copies and highest version of each row, by number.
type Rows = BTreeMap<u64, (u64, u32)>;

/// Looks at every row on every replica, through the `Distributed` table and downstream.
#[track_caller]
pub(crate) fn check(cluster: &Running, schema: &Schema, book: &Book) -> Found {
    let database = &schema.database;
    send_on(cluster, schema);
    if schema.end == End::Old {
        sync(cluster, &[&format!("{database}.t")]);
    }
    let account = if schema.replacing { book.table.distinct() } else { book.table.clone() };
    let mut found = Found::default();
    let by_replica = settled_rows(cluster, schema, book);
    for (place, rows) in places(cluster, schema, &by_replica) {
        found.settle(&place, &account, &rows);
        found.versions(&place, schema, book, &rows);
    }
    for (on, rows) in &by_replica {
        let first = &by_replica[&ReplicaId::new(on.shard, 1)];
        if rows != first {
            found.faults.push(format!("{on} has other rows than the shard's first replica"));
        }
        found.content(cluster, schema, book, *on, rows);
    }
    found.downstream(cluster, schema, book);
    found.nothing_left(cluster, schema);
    found
}

/// Each replica's rows. Where inserts are of unknown status, replicas are given the time to become alike.
fn settled_rows(cluster: &Running, schema: &Schema, book: &Book) -> BTreeMap<ReplicaId, Rows> {
    let mut left =
        if book.table.spans().iter().any(|span| span.least != span.most) { STRAY_PARTS_MAX } else { Duration::ZERO };
    loop {
        let all: BTreeMap<ReplicaId, Rows> =
            cluster.ids().into_iter().map(|on| (on, rows(cluster, schema, on, "t"))).collect();
        let is_alike = all.iter().all(|(on, rows)| *rows == all[&ReplicaId::new(on.shard, 1)]);
        if is_alike || left.is_zero() {
            return all;
        }
        println!("replicas of a shard differ: waiting for what inserts of unknown status have left");
        std::thread::sleep(STRAY_PARTS_POLL);
        left = left.saturating_sub(STRAY_PARTS_POLL);
    }
}

/// The rows of all first replicas, of all second ones, and those that the `Distributed` table gives.
fn places(cluster: &Running, schema: &Schema, by_replica: &BTreeMap<ReplicaId, Rows>) -> Vec<(String, Rows)> {
    let mut places: BTreeMap<String, Rows> = BTreeMap::new();
    for (on, rows) in by_replica {
        let all = places.entry(format!("replicas {}", on.replica)).or_default();
        for (id, (copies, version)) in rows {
            let known = all.entry(*id).or_default();
            *known = (known.0 + copies, known.1.max(*version));
        }
    }
    places.insert("Distributed".to_owned(), rows(cluster, schema, firsts(cluster)[0], "everywhere"));
    places.into_iter().collect()
}

fn rows(cluster: &Running, schema: &Schema, on: ReplicaId, table: &str) -> Rows {
    let (database, last) = (&schema.database, schema.last());
    let sql = format!("SELECT id, count(), max(version) FROM {database}.{table}{last} GROUP BY id");
    let read = |line: &str| {
        let mut fields = line.split('\t').map(|field| field.parse::<u64>().expect("a number"));
        let mut next = || fields.next().expect("three numbers");
        (next(), (next(), u32::try_from(next()).expect("a version")))
    };
    cluster.query(on, &sql).lines().map(read).collect()
}

/// Waits until `Distributed` tables have sent on what they were given.
#[track_caller]
fn send_on(cluster: &Running, schema: &Schema) {
    let database = &schema.database;
    for on in cluster.ids() {
        if schema.end == End::New {
            cluster.query(on, &format!("SYSTEM FLUSH DISTRIBUTED {database}.everywhere"));
            continue;
        }
        // Old servers do not tell; their files do.
        let dir = cluster.dir().join(on.to_string()).join("data/data").join(database).join("everywhere");
        let waiting = || {
            let shards = fs::read_dir(&dir).into_iter().flatten().flatten();
            let files = shards.flat_map(|shard| fs::read_dir(shard.path()).into_iter().flatten().flatten());
            files.filter(|file| file.path().extension().is_some_and(|extension| extension == "bin")).count()
        };
        let mut left = PATIENCE;
        while waiting() > 0 {
            assert!(!left.is_zero(), "{on}: {} files not sent on after {PATIENCE:?}", waiting());
            std::thread::sleep(POLL);
            left = left.saturating_sub(POLL);
        }
    }
}

impl Found {
    fn settle(&mut self, place: &str, account: &Account, rows: &Rows) {
        let (ledger, deviations) = account.settle(rows.iter().map(|(id, (copies, _))| (*id, *copies)));
        worsen(&mut self.ledger, &ledger);
        self.deviations(place, &ledger, &deviations);
    }

    fn deviations(&mut self, place: &str, ledger: &Ledger, deviations: &[Deviation]) {
        if ledger.lost + ledger.doubled > 0 {
            let told: Vec<String> = deviations.iter().take(TOLD_MAX).map(describe).collect();
            self.faults.push(format!("{place}: {} lost, {} doubled: {}", ledger.lost, ledger.doubled, told.join(", ")));
        }
    }

    /// A table that keeps the highest version shows no lower one than was acknowledged.
    fn versions(&mut self, place: &str, schema: &Schema, book: &Book, rows: &Rows) {
        if !schema.replacing {
            return;
        }
        for (id, (acknowledged, any)) in &book.versions {
            if let Some((_, version)) = rows.get(id)
                && !(*acknowledged..=*any).contains(version)
            {
                self.altered += 1;
                self.faults.push(format!("{place}: row {id} has version {version}, not {acknowledged} to {any}"));
            }
        }
    }

    /// Every column of every row follows from its number, but for notes that were updated.
    fn content(&mut self, cluster: &Running, schema: &Schema, book: &Book, on: ReplicaId, rows: &Rows) {
        let (database, last) = (&schema.database, schema.last());
        let (is_altered, is_noted) = (Schema::is_altered(), Schema::is_noted());
        let sql = format!(
            "SELECT count(), min(id) FROM {database}.t{last} WHERE {is_altered} OR (id < {CHANGING} AND {is_noted})"
        );
        let answer = cluster.query(on, &sql);
        let (count, first) = answer.split_once('\t').expect("two numbers");
        self.alter(count.parse().expect("a number"), || format!("{on}: {count} rows altered, the first is {first}"));

        let sql = format!("SELECT id, note FROM {database}.t{last} WHERE id >= {CHANGING} AND {is_noted}");
        let notes: BTreeMap<u64, String> = cluster
            .query(on, &sql)
            .lines()
            .map(|line| line.split_once('\t').expect("two fields"))
            .map(|(id, note)| (id.parse().expect("a number"), note.to_owned()))
            .collect();
        for (id, note) in &notes {
            let is_ours = book.changed.get(id).is_some_and(|changed| changed.note == *note);
            self.alter(u64::from(!is_ours), || format!("{on}: row {id} has the note {note:?}, which nobody gave it"));
        }
        let here = book.changed.iter().filter(|(id, changed)| changed.surely && rows.contains_key(id));
        let missing = here.filter(|(id, _)| !notes.contains_key(id)).count() as u64;
        self.alter(missing, || format!("{on}: {missing} rows were updated and are not"));
    }

    fn alter(&mut self, rows: u64, fault: impl Fn() -> String) {
        self.altered += rows;
        if rows > 0 {
            self.faults.push(fault());
        }
    }

    /// The view's target is not replicated: a row is seen where it was inserted.
    fn downstream(&mut self, cluster: &Running, schema: &Schema, book: &Book) {
        let mut all: BTreeMap<u64, u64> = BTreeMap::new();
        for on in cluster.ids() {
            let seen = cluster.query(on, &format!("SELECT id, count() FROM {}.seen GROUP BY id", schema.database));
            for line in seen.lines() {
                let (id, copies) = line.split_once('\t').expect("two numbers");
                *all.entry(id.parse().expect("a number")).or_default() += copies.parse::<u64>().expect("a number");
            }
        }
        let (ledger, deviations) = book.seen.settle(all);
        self.downstream = ledger;
        self.deviations("downstream", &ledger, &deviations);
    }

    /// Nothing of the program's own is on any replica or in Keeper.
    fn nothing_left(&mut self, cluster: &Running, schema: &Schema) {
        let mut left = PATIENCE;
        let mut found = ours(cluster, schema);
        // The server removes the directory of a dropped table a moment after its answer.
        while !found.is_empty() && !left.is_zero() {
            std::thread::sleep(POLL * 5);
            left = left.saturating_sub(POLL * 5);
            found = ours(cluster, schema);
        }
        self.faults.extend(found.into_iter().take(TOLD_MAX).map(|one| format!("left over: {one}")));
    }
}

fn ours(cluster: &Running, schema: &Schema) -> Vec<String> {
    let database = &schema.database;
    if schema.end == End::New {
        let sql = format!(
            "SELECT database || '.' || name FROM system.tables \
             WHERE database = '{database}' AND position(name, '__sw_') > 0 OR position(database, 'shardwright') > 0"
        );
        let on =
            |id: ReplicaId| cluster.query(id, &sql).lines().map(|table| format!("{id}: {table}")).collect::<Vec<_>>();
        return cluster.ids().into_iter().flat_map(on).collect();
    }
    let mut found = left_over(cluster, database);
    let first = firsts(cluster)[0];
    let keeper = |path: &str| cluster.query(first, &format!("SELECT name FROM system.zookeeper WHERE path = '{path}'"));
    // The table's own path keeps the plan's name once it is final; there must be no second one.
    for shard in [1, 2] {
        let names = keeper(&format!("/clickhouse/{database}/{shard}"));
        found.extend(
            (names.lines().count() != 1).then(|| format!("Keeper, shard {shard}: {}", names.replace('\n', ", "))),
        );
    }
    for path in ["/", "/clickhouse"] {
        let names = keeper(path);
        let of_ours = names.lines().filter(|name| name.contains("__sw_") || name.contains("shardwright"));
        found.extend(of_ours.map(|name| format!("Keeper: {path} {name}")));
    }
    found
}

fn describe(Deviation { id, least, most, found }: &Deviation) -> String {
    let must = if least == most { least.to_string() } else { format!("{least} to {most}") };
    format!("row {id}: {found} in place of {must}")
}

fn worsen(worst: &mut Ledger, ledger: &Ledger) {
    worst.acknowledged = worst.acknowledged.max(ledger.acknowledged);
    worst.found = worst.found.max(ledger.found);
    worst.lost = worst.lost.max(ledger.lost);
    worst.doubled = worst.doubled.max(ledger.doubled);
    worst.unknown = worst.unknown.max(ledger.unknown);
}
