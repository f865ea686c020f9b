//! Plans to render in tests: one small and hostile with every kind of step, and any number of shards.

use crate::assess::{Finding, Severity};
use crate::catalog::Keys;
use crate::names::{ReplicaId, TableName, quote_string};
use crate::plan::{
    Action, Backfill, CatchUp, ChangeSummary, ClonePartitions, ClusterIdentity, Compare, CompareMode, Cost, Edge,
    FORMAT_VERSION, Fingerprint, Gate, Objects, PartitionSize, Phase, Plan, Probe, ProbeOn, ReplicaIdentity, Run,
    ShardSize, Step, StepId, Strategy, Template, Undo,
};

const GIB: u64 = 1 << 30;

/// Names that break out of anything that does not escape them.
pub(crate) fn hostile(shards: u32) -> Plan {
    let name = TableName::new("an`aly|tics", "</script><b>\"'ev\nents\\ {chunk} ``` --> *");
    let mut plan = build(shards, &name);
    plan.cluster.name = String::from("main\"]; } <i>|`\n# x");
    plan.change.statement = String::from("ALTER TABLE `</script><b>`\n  MODIFY ORDER BY (a, b) -- ``` \u{202e}");
    plan.cluster.replicas[0].host = String::from("ch-1-1\n<img src=x onerror=alert(1)>|`");
    plan.steps[0].title = String::from("check <b>all|`things`\nDROP TABLE t; -- \"]");
    plan.edges[0].because = String::from("the </title><b> must \"come\" first\\\n| `so`");
    plan.findings[0].what = String::from("table </script><b>|`x`\n\x1b[31mis red");
    plan
}

/// A plan over some shards with two replicas each, much as the planner makes it.
pub(crate) fn plan(shards: u32) -> Plan {
    build(shards, &TableName::new("analytics", "events"))
}

fn build(shards: u32, source: &TableName) -> Plan {
    let objects = objects(source);
    let mut work = Builder { objects: &objects, steps: Vec::new(), edges: Vec::new() };
    for shard in 1..=shards {
        work.before_cutover(shard);
    }
    work.gates(shards);
    for shard in 1..=shards {
        work.after_cutover(shard);
    }
    let Builder { mut steps, edges, .. } = work;
    steps.sort_by_key(|step| (step.phase, !matches!(step.action, Action::Gate { .. })));
    Plan {
        format_version: FORMAT_VERSION,
        id: "5ca1ab1e".to_owned(),
        strategy: Strategy::Mirror,
        choices: vec![
            "a new sorting key needs a new table: MODIFY ORDER BY can only append new columns".to_owned(),
            "names are swapped by three renames, as the servers have no EXCHANGE TABLES".to_owned(),
        ],
        cluster: cluster(shards),
        change: change(),
        fingerprints: vec![Fingerprint {
            table: source.clone(),
            on: (1..=shards).flat_map(both).collect(),
            definition_hash: "1234567890".to_owned(),
            definition: "CREATE TABLE …".to_owned(),
        }],
        findings: findings(),
        sizes: (1..=shards).map(size).collect(),
        objects,
        steps,
        edges,
    }
}

fn objects(source: &TableName) -> Objects {
    let with = |suffix: &str| source.sibling(format!("{}__sw_5ca1ab1e_{suffix}", source.table));
    Objects {
        source: source.clone(),
        distributed: vec![source.sibling("events_all")],
        views: vec![source.sibling("events_per_day")],
        shadow: with("new"),
        snapshot: with("snapshot"),
        staging: with("staging"),
        mirror: with("mirror"),
        swap: with("swap"),
    }
}

fn cluster(shards: u32) -> ClusterIdentity {
    let replica = |id: ReplicaId| ReplicaIdentity {
        id,
        host: format!("ch-{}-{}", id.shard, id.replica),
        port: 9000,
        version: "18.16.1".to_owned(),
    };
    ClusterIdentity { name: "main".to_owned(), replicas: (1..=shards).flat_map(both).map(replica).collect() }
}

fn change() -> ChangeSummary {
    let keys = |sorting: &str| Keys {
        sorting: sorting.to_owned(),
        primary: sorting.to_owned(),
        partition: "toYYYYMM(timestamp)".to_owned(),
        sampling: String::new(),
    };
    ChangeSummary {
        statement: "ALTER TABLE analytics.events MODIFY ORDER BY (team_id, event, toDate(timestamp), distinct_id)"
            .to_owned(),
        before: keys("team_id, toDate(timestamp), event"),
        after: keys("team_id, event, toDate(timestamp), distinct_id"),
        engine: ["ReplicatedMergeTree".to_owned(), "ReplicatedMergeTree".to_owned()],
    }
}

fn findings() -> Vec<Finding> {
    let finding = |code: &str, severity, what: &str, why: &str, help: &str, suppressed: Option<&str>| Finding {
        code: code.to_owned(),
        severity,
        what: what.to_owned(),
        why: why.to_owned(),
        help: help.to_owned(),
        suppressed: suppressed.map(str::to_owned),
    };
    vec![
        finding(
            "SW030",
            Severity::Note,
            "the materialized view analytics.events_per_day reads from the table",
            "Views bind by name: it goes on with the new table after the cutover, and loses nothing.",
            "Nothing needs to be done.",
            None,
        ),
        finding(
            "SW012",
            Severity::Hazard,
            "the copy needs 42 GiB on s1r1 and on s1r2, of which 61 GiB are free",
            "Snapshot and copy stay until the plan is finalized, and merges need room of their own beside them, so that \
             a burst of inserts in between may fill the disk of the replica.",
            "Free space, or finalize soon after the cutover.",
            None,
        ),
        finding(
            "SW004",
            Severity::Blocker,
            "a mutation of analytics.events is not done on s2r1",
            "Rows that a mutation changes while they are copied are copied as they were.",
            "Wait until system.mutations shows is_done = 1.",
            Some("the mutation is stuck on a detached part and changes nothing"),
        ),
    ]
}

fn size(shard: u32) -> ShardSize {
    let partitions = partitions(shard);
    ShardSize {
        shard,
        backfill_replica: ReplicaId::new(shard, 1),
        rows: partitions.iter().map(|partition| partition.rows).sum(),
        bytes: partitions.iter().map(|partition| partition.bytes).sum(),
        partitions: partitions.len() as u64,
    }
}

/// Shards differ in size; the third is three times as large as the others.
fn partitions(shard: u32) -> Vec<PartitionSize> {
    let factor = if shard == 3 { 3 } else { 1 };
    let partition = |month: u32| PartitionSize {
        id: format!("2024{month:02}"),
        rows: factor * (101_234_567 + u64::from(shard * 37 % 11) * 1_000_000 + u64::from(month) * 2_500_000),
        bytes: factor * (7 * GIB + u64::from(shard * 37 % 11) * GIB / 8 + u64::from(month) * GIB / 5),
    };
    (1..=6).map(partition).collect()
}

fn both(shard: u32) -> [ReplicaId; 2] {
    [ReplicaId::new(shard, 1), ReplicaId::new(shard, 2)]
}

fn probe(says: &str, sql: impl Into<String>, expect: &str) -> Probe {
    Probe { says: says.to_owned(), sql: sql.into(), expect: expect.to_owned() }
}

fn cost(phase: Phase, shard: Option<u32>) -> Cost {
    let Some(size) = shard.map(size) else { return Cost::default() };
    match phase {
        Phase::Boundary => Cost { seconds: 4, ..Cost::default() },
        Phase::Backfill => Cost { rows: size.rows, bytes: size.bytes, seconds: size.rows / 700_000 },
        Phase::Sync => Cost { rows: 0, bytes: size.bytes, seconds: size.bytes / (150 << 20) },
        Phase::Verify => Cost { rows: size.rows * 2, bytes: size.bytes * 2, seconds: size.rows / 5_000_000 },
        Phase::Reconcile => Cost { rows: 0, bytes: 0, seconds: 20 },
        _ => Cost::default(),
    }
}

/// Id, tables, replicas, title and reason.
type Made<'t> = (&'t str, &'t [&'t TableName], &'t [ReplicaId], [&'t str; 2]);

struct Builder<'o> {
    objects: &'o Objects,
    steps: Vec<Step>,
    edges: Vec<Edge>,
}

impl Builder<'_> {
    fn step(&mut self, phase: Phase, id: &str, shard: Option<u32>, says: [&str; 2], action: Action, undo: Undo) {
        let id = shard.map_or_else(|| id.to_owned(), |shard| format!("{id}.s{shard}"));
        let cost = cost(phase, shard);
        let [title, why] = says.map(str::to_owned);
        self.steps.push(Step { id: StepId::new(id), phase, shard, title, why, action, undo, cost });
    }

    fn edge(&mut self, from: &str, to: &str, because: &str) {
        self.edges.push(Edge { from: StepId::new(from), to: StepId::new(to), because: because.to_owned() });
    }

    fn chain(&mut self, shard: u32, links: &[(&str, &str, &str)]) {
        for (from, to, because) in links {
            let on_shard = |id: &str| if id.starts_with("gate.") { id.to_owned() } else { format!("{id}.s{shard}") };
            self.edge(&on_shard(from), &on_shard(to), because);
        }
    }

    fn before_cutover(&mut self, shard: u32) {
        self.prepare(shard);
        self.copy(shard);
        self.prove(shard);
        self.chain(
            shard,
            &[
                ("preflight", "gate.start", "a person decides on what the checks have shown"),
                ("gate.start", "create.shadow", "nothing is changed before a person has approved the plan"),
                ("gate.start", "create.staging", "nothing is changed before a person has approved the plan"),
                ("create.staging", "boundary.clone", "the clone needs its table"),
                ("create.shadow", "boundary.mirror", "the mirror writes into the shadow table"),
                ("boundary.clone", "boundary.mirror", "what is there before the mirror must be in the snapshot"),
                ("boundary.mirror", "backfill", "the copy is made of what the boundary has fixed"),
                ("backfill", "sync", "replicas fetch what was attached"),
                ("sync", "verify", "a replica that still fetches parts would differ"),
                ("verify", "gate.cutover", "names are swapped only when both tables hold the same rows"),
                ("gate.cutover", "cutover", "a person chooses the moment"),
            ],
        );
    }

    fn after_cutover(&mut self, shard: u32) {
        self.swap(shard);
        self.finalize(shard);
        self.chain(
            shard,
            &[
                ("cutover", "reconcile.sync", "rows written during the swap must have arrived everywhere"),
                ("reconcile.sync", "reconcile.verify", "a replica that still fetches parts would differ"),
                ("reconcile.verify", "reconcile.check", "the last look is at a table that holds everything"),
                ("reconcile.check", "gate.finalize", "old data goes only when the new table is proven"),
                ("gate.finalize", "finalize.mirror", "dropping cannot be taken back"),
                ("finalize.mirror", "finalize.old", "the mirror would write into a table that is gone"),
                ("gate.finalize", "finalize.staging", "dropping cannot be taken back"),
                ("finalize.old", "finalize.check", "nothing may be left over"),
                ("finalize.staging", "finalize.check", "nothing may be left over"),
            ],
        );
        if shard > 1 {
            let because = "shards are swapped one after the other, so that a surprise meets one of them only";
            self.edge(&format!("cutover.s{}", shard - 1), &format!("cutover.s{shard}"), because);
        }
    }

    fn gates(&mut self, shards: u32) {
        let gates = [
            (Gate::Start, Phase::Create, "approve the start", "Nothing on the cluster has been changed so far."),
            (
                Gate::Cutover,
                Phase::Cutover,
                "approve the cutover",
                "The new table holds every row and follows the old one.",
            ),
            (
                Gate::Finalize,
                Phase::Finalize,
                "approve dropping the old data",
                "Point of no return: until here, rolling back loses nothing that was written meanwhile.",
            ),
        ];
        assert!(shards > 0, "a cluster has shards");
        for (gate, phase, title, why) in gates {
            let undo = Undo::Nothing { because: "an approval changes nothing".to_owned() };
            self.step(phase, &format!("gate.{gate}"), None, [title, why], Action::Gate { gate }, undo);
        }
    }

    fn prepare(&mut self, shard: u32) {
        let here = ReplicaId::new(shard, 1);
        let source = self.objects.source.sql();
        let exists = |table: &TableName, there: &str| {
            let sql = format!(
                "SELECT count() FROM system.tables WHERE database = {} AND name = {}",
                quote_string(&table.database),
                quote_string(&table.table)
            );
            probe("the table is there", sql, there)
        };
        let checks = vec![
            ProbeOn {
                on: both(shard).to_vec(),
                probe: probe(
                    "the source table is as it was",
                    "SELECT cityHash64(create_table_query) FROM system.tables",
                    "123",
                ),
            },
            ProbeOn { on: vec![here], probe: probe("no mutation waits", "SELECT count() FROM system.mutations", "0") },
        ];
        let says = ["check that the shard is fit", "A plan is made at one time and carried out at another."];
        let undo = Undo::Nothing { because: "it only reads".to_owned() };
        self.step(Phase::Preflight, "preflight", Some(shard), says, Action::Check { probes: checks }, undo);
        let make = |tables: &[&TableName], on: &[ReplicaId], create: bool| {
            let sql = |t: &&TableName| {
                if create {
                    format!(
                        "CREATE TABLE {}\n(\n    `team_id` UInt64,\n    `event` String\n)\nENGINE = MergeTree",
                        t.sql()
                    )
                } else {
                    format!("DROP TABLE IF EXISTS {}", t.sql())
                }
            };
            let (before, after) = if create { ("0", "1") } else { ("1", "0") };
            vec![Run {
                on: on.to_vec(),
                before: vec![exists(tables[0], before)],
                sql: tables.iter().map(sql).collect(),
                after: vec![exists(tables[0], after)],
            }]
        };
        let objects = self.objects;
        let pairs: [Made; 2] = [
            (
                "create.shadow",
                &[&objects.shadow],
                &both(shard),
                [
                    "create the shadow table",
                    "It has the new sorting key and takes the source table's place in the end.",
                ],
            ),
            (
                "create.staging",
                &[&objects.snapshot, &objects.staging],
                &[here],
                ["create snapshot and staging table", "Chunks are copied and checked there before they are attached."],
            ),
        ];
        for (id, tables, on, says) in pairs {
            let action = Action::Run { one_by_one: false, runs: make(tables, on, true) };
            let undo = Undo::Run { one_by_one: false, runs: make(tables, on, false) };
            self.step(Phase::Create, id, Some(shard), says, action, undo);
        }
        let clone = ClonePartitions {
            on: here,
            before: vec![exists(&objects.snapshot, "1")],
            list: "SELECT DISTINCT partition_id FROM system.parts ORDER BY partition_id".to_owned(),
            clone: Template::new(
                &format!("ALTER TABLE {} REPLACE PARTITION ID ", objects.snapshot.sql()),
                &format!(" FROM {source}"),
            ),
            cloned: "SELECT DISTINCT partition_id FROM system.parts ORDER BY partition_id".to_owned(),
        };
        let says = ["clone the source into the snapshot", "Hard links fix the old rows at once and cost no space."];
        let undo = Undo::Nothing { because: "the snapshot is dropped with its table".to_owned() };
        self.step(Phase::Boundary, "boundary.clone", Some(shard), says, Action::Clone(clone), undo);
        let mirror = make(&[&objects.mirror], &both(shard), true);
        let undo = Undo::Run { one_by_one: false, runs: make(&[&objects.mirror], &both(shard), false) };
        let says = ["create the mirror", "From here on new inserts go to both tables."];
        let action = Action::Run { one_by_one: false, runs: mirror };
        self.step(Phase::Boundary, "boundary.mirror", Some(shard), says, action, undo);
    }

    fn copy(&mut self, shard: u32) {
        let Objects { snapshot, staging, shadow, .. } = self.objects;
        let (snapshot, staging, shadow) = (snapshot.sql(), staging.sql(), shadow.sql());
        let copy = Backfill {
            on: ReplicaId::new(shard, 1),
            before: vec![probe("the mirror is there", "SELECT count() FROM system.tables WHERE name = 'mirror'", "1")],
            partitions: partitions(shard),
            list: "SELECT DISTINCT partition_id FROM system.parts ORDER BY partition_id".to_owned(),
            clear: vec![format!("TRUNCATE TABLE {staging}")],
            copy: Template::new(
                &format!(
                    "INSERT INTO {staging} (`team_id`, `event`)\nSELECT `team_id`, `event`\nFROM {snapshot}\nWHERE _partition_id = "
                ),
                "",
            ),
            digest_source: Template::new(
                &format!("SELECT count(), sum(cityHash64(*)) FROM {snapshot} WHERE _partition_id = "),
                "",
            ),
            digest_staging: format!("SELECT count(), sum(cityHash64(*)) FROM {staging}"),
            staged: "SELECT DISTINCT partition_id FROM system.parts WHERE table = 'staging'".to_owned(),
            attach: Template::new(&format!("ALTER TABLE {shadow} ATTACH PARTITION ID "), &format!(" FROM {staging}")),
            landed: Template::new(&format!("SELECT count() FROM {shadow} WHERE _partition_id = "), ""),
        };
        let says = ["copy the old rows", "Each partition is copied apart, checked, and attached as a whole."];
        let undo = Undo::Nothing { because: "the shadow table is dropped with all it holds".to_owned() };
        self.step(Phase::Backfill, "backfill", Some(shard), says, Action::Backfill(copy), undo);
        self.catch_up(Phase::Sync, "sync", shard);
    }

    fn catch_up(&mut self, phase: Phase, id: &str, shard: u32) {
        let wait = CatchUp {
            on: both(shard).to_vec(),
            mark: "SELECT max(log_max_index) FROM system.replicas".to_owned(),
            pointer: "SELECT log_pointer FROM system.replicas".to_owned(),
            queue: "SELECT new_part_name FROM system.replication_queue WHERE type = 'GET_PART'".to_owned(),
            by_hand: format!("SYSTEM SYNC REPLICA {}", self.objects.shadow.sql()),
            stall_seconds: 300,
        };
        let says = ["wait for replication", "Comparing is of use only when every replica has every part."];
        let undo = Undo::Nothing { because: "it only waits".to_owned() };
        self.step(phase, id, Some(shard), says, Action::CatchUp(wait), undo);
    }

    fn compare(&mut self, phase: Phase, id: &str, shard: u32) {
        let of = |table: &TableName| {
            format!(
                "SELECT toYYYYMM(timestamp) AS partition, count(), sum(cityHash64(*)) FROM {} GROUP BY partition",
                table.sql()
            )
        };
        let tables = Compare {
            on: both(shard).to_vec(),
            mode: CompareMode::Rows,
            left: of(&self.objects.source),
            right: of(&self.objects.shadow),
        };
        let says = ["compare both tables", "Every row of the one must be in the other, as often."];
        let undo = Undo::Nothing { because: "it only reads".to_owned() };
        self.step(phase, id, Some(shard), says, Action::Compare(tables), undo);
    }

    fn prove(&mut self, shard: u32) {
        self.compare(Phase::Verify, "verify", shard);
    }

    fn swap(&mut self, shard: u32) {
        let Objects { source, shadow, swap, .. } = self.objects;
        let rename = |a: &TableName, b: &TableName| format!("{} TO {}", a.sql(), b.sql());
        let statement =
            format!("RENAME TABLE {}, {}, {}", rename(source, swap), rename(shadow, source), rename(swap, shadow));
        let runs = |before: &str, after: &str| {
            let key = "SELECT sorting_key FROM system.tables WHERE name = 'events'";
            vec![Run {
                on: both(shard).to_vec(),
                before: vec![probe("the name has the old definition", key, before)],
                sql: vec![statement.clone()],
                after: vec![probe("the name has the new definition", key, after)],
            }]
        };
        let (old, new) = ("team_id, toDate(timestamp), event", "team_id, event, toDate(timestamp), distinct_id");
        let action = Action::Run { one_by_one: true, runs: runs(old, new) };
        let undo = Undo::Run { one_by_one: true, runs: runs(new, old) };
        let says = ["swap the names", "The mirror follows the names and writes back into the old data from here on."];
        self.step(Phase::Cutover, "cutover", Some(shard), says, action, undo);
        self.catch_up(Phase::Reconcile, "reconcile.sync", shard);
        self.compare(Phase::Reconcile, "reconcile.verify", shard);
        let here = ReplicaId::new(shard, 2);
        let probes = vec![ProbeOn {
            on: vec![here],
            probe: probe("inserts arrive", "SELECT count() > 0 FROM system.parts", "1"),
        }];
        let undo = Undo::Nothing { because: "it only reads".to_owned() };
        let says = ["check that inserts arrive", "A broken view would only be noticed by its readers."];
        self.step(Phase::Reconcile, "reconcile.check", Some(shard), says, Action::Check { probes }, undo);
    }

    fn finalize(&mut self, shard: u32) {
        let Objects { shadow, mirror, snapshot, staging, .. } = self.objects;
        let here = [ReplicaId::new(shard, 1)];
        let drops: [(&str, &[&TableName], &[ReplicaId], &str); 3] = [
            ("finalize.mirror", &[mirror], &both(shard), "drop the mirror"),
            ("finalize.old", &[shadow], &both(shard), "drop the old data"),
            ("finalize.staging", &[snapshot, staging], &here, "drop snapshot and staging table"),
        ];
        for (id, tables, on, title) in drops {
            let runs = vec![Run {
                on: on.to_vec(),
                before: vec![],
                sql: tables.iter().map(|table| format!("DROP TABLE IF EXISTS {}", table.sql())).collect(),
                after: vec![probe("it is gone", "SELECT count() FROM system.tables WHERE name LIKE '%__sw_%'", "")],
            }];
            let undo = Undo::Impossible { because: "what was dropped is gone".to_owned() };
            let says = [title, "It has served."];
            self.step(Phase::Finalize, id, Some(shard), says, Action::Run { one_by_one: false, runs }, undo);
        }
        let probes = vec![ProbeOn {
            on: both(shard).to_vec(),
            probe: probe(
                "nothing of the plan is left",
                "SELECT count() FROM system.tables WHERE name LIKE '%__sw_%'",
                "0",
            ),
        }];
        let undo = Undo::Nothing { because: "it only reads".to_owned() };
        let says = ["check that nothing is left", "Debris would be in the way of the next plan."];
        self.step(Phase::Finalize, "finalize.check", Some(shard), says, Action::Check { probes }, undo);
    }
}
