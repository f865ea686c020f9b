//! What a step works with: the statements, queries and limits of each kind of action.

use serde::{Deserialize, Serialize};

use super::step_id::StepId;
use super::template::Template;
use crate::names::{ReplicaId, TableName};

/// Statements for some replicas, and how to see on each of them whether they are still to be run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The replicas, each of which runs all statements.
    pub on: Vec<ReplicaId>,
    /// What must hold before; if it does not, the cluster has drifted.
    pub before: Vec<Probe>,
    /// The statements, in order. Each is safe to run again while `after` does not hold.
    pub sql: Vec<String>,
    /// What holds when, and only when, the statements have been run.
    pub after: Vec<Probe>,
}

/// A query with the answer that it must give.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// What is asked, as a statement that should hold: `the source table is as it was when the plan was made`.
    pub says: String,
    /// The query.
    pub sql: String,
    /// The expected answer as tab-separated text without the last line's end.
    pub expect: String,
    /// What it means where the answer is another one.
    #[serde(default, skip_serializing_if = "Otherwise::is_changed")]
    pub otherwise: Otherwise,
}

/// Why a condition may not hold, and so what is to be done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Otherwise {
    /// Somebody changed something that the plan was made for: it needs a new plan.
    #[default]
    Changed,
    /// Something is under way, and will end by itself: it is waited for.
    Busy,
    /// Somebody has to make room, grant or remove something; the plan is as good as before.
    Unfit,
    /// Rows came in that a table before the change cannot hold: they would be lost by going back.
    Beyond,
    /// Somebody gave one of two tables a column that the other one lacks: going back would lose its values.
    Apart,
    /// Somebody gave a table columns that the plan does not know, or took some of its own: the way back does not carry them.
    Foreign,
}

impl Otherwise {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over so")]
    fn is_changed(&self) -> bool {
        *self == Self::Changed
    }

    /// Whether it is about what going back would lose. That is looked for before anything is undone, and never told of a statement
    /// that was sent.
    pub fn forbids_return(self) -> bool {
        matches!(self, Self::Beyond | Self::Apart | Self::Foreign)
    }
}

/// A probe and the replicas that it is put to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeOn {
    /// The replicas.
    pub on: Vec<ReplicaId>,
    /// The question.
    #[serde(flatten)]
    pub probe: Probe,
}

/// Waiting for inserts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drain {
    /// All replicas of the shard.
    pub on: Vec<ReplicaId>,
    /// Write queued inserts out, where the server keeps queues.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flush: Vec<String>,
    /// Lists the inserts that are running: query id, seconds, user. Those listed when the wait begins must go.
    pub inserts: String,
    /// The replication of the tables that they write to; empty for tables that are not replicated.
    pub catch_up: Vec<CatchUp>,
    /// After how many seconds the wait is given up.
    pub seconds_max: u64,
}

/// Waiting for mutations. A mutation is done on a replica when none of its parts is left to be written anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AwaitMutations {
    /// Replicas with the mutations that count for them.
    pub groups: Vec<MutationGroup>,
    /// What moves while a mutation is at work on one large part: progress of the table's merges.
    pub progress: String,
    /// After how many seconds without any progress the wait is given up.
    pub stall_seconds: u64,
    /// The same where the server says why a mutation fails; it tries again and again.
    pub fail_seconds: u64,
    /// What ends the mutations of this plan, for people; none where the server has no such statement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kill: Option<String>,
}

/// Replicas that carry out the mutations which one of them took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MutationGroup {
    /// The replica that took the statement: its mutations must be known and done on all of them.
    pub by: ReplicaId,
    /// The replicas, that one among them.
    pub on: Vec<ReplicaId>,
    /// Lists the table's mutations since the plan was made: id, 1 if done, parts to do, command, why it fails.
    pub list: String,
}

/// Asking the logs of all replicas whether nobody has read columns for a while. What holds it up is no failure: it is asked again
/// in a later run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unread {
    /// The local table.
    pub table: TableName,
    /// Its columns.
    pub columns: Vec<String>,
    /// For how many seconds nobody must have read them.
    pub seconds: u64,
    /// Whether reads by `*` alone count.
    pub by_star: bool,
    /// What named the columns in its definition when the plan was made, and was accepted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub known: Vec<TableName>,
    /// Has a server write out what it has yet to write of its log.
    pub flush: String,
    /// 1 if there is a log.
    pub is_there: String,
    /// Settings by which queries may be left out of the log: name and value.
    pub settings: String,
    /// The time of day and how far the log reaches back, in seconds.
    pub reach: String,
    /// Lists what may lead to the table: database, name, engine, the engine with its arguments, definition; texts in hex.
    pub definitions: String,
    /// The queries, by what logs have.
    pub logs: Vec<LogQueries>,
}

/// What is asked of logs that have the same columns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogQueries {
    /// The replicas.
    pub on: Vec<ReplicaId>,
    /// Lists what profiles, users and roles set of that by which queries are left out of the log, where servers say it: name, value, whose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profiles: Option<String>,
    /// Lists queries of the log, and those that run, in which one of `{names}` is found: text, database, user, client, host in hex; 1 if a
    /// client sent it; how often, when last; by `{listed}` a digit for each column that tells whether the server says that it was read; 1 if
    /// the text is cut; ids of what another server was asked.
    pub uses: Template,
    /// Lists which of `{ids}` are queries that clients sent.
    pub senders: Template,
}

/// The boundary of one shard. The snapshot gets the parts that are there before the mirror exists, the mirror writes what comes
/// after it; the parts between the two are looked at row by row. Begun anew from nothing whenever it was cut short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settle {
    /// The backfill replica.
    pub on: ReplicaId,
    /// What must hold before, on every replica.
    pub before: Vec<ProbeOn>,
    /// Whether writers must be still, because rows alone cannot tell what the mirror wrote.
    pub fence: bool,
    /// What writes by itself and is stopped for an attempt, where the plan is to do so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub feeds: Vec<Feed>,
    /// Takes back what an earlier attempt left: the mirror on every replica.
    pub unmirror: Run,
    /// Lists the partition ids of what it had written, on the backfill replica.
    pub mirrored: String,
    /// Drops partition `{chunk}` of that. TRUNCATE would wait, with the table locked, for merges that wait for the lock.
    pub drop_mirrored: Template,
    /// Empties snapshot and staging, on the backfill replica.
    pub clear: Vec<String>,
    /// Holds when they are empty.
    pub cleared: Probe,
    /// Waits for what is under way in source and shadow.
    pub drain: Drain,
    /// Stops merges of source and shadow, on every replica, so that parts stay the inserts that they were.
    pub stop_merges: Vec<String>,
    /// Starts them again, whatever happens.
    pub start_merges: Vec<String>,
    /// 1 when a partition of the source has so many parts that inserts may soon be slowed down.
    pub crowded: String,
    /// After how many seconds without merges the attempt is given up.
    pub seconds_max: u64,
    /// Lists the source's active parts: name, partition id, rows.
    pub parts: String,
    /// Clones partition `{chunk}` of the source into the snapshot by hard links; done twice it is as if done once.
    pub clone: Template,
    /// The same list of the snapshot, whose parts have names of their own.
    pub cloned: String,
    /// Count and sum of row hashes of each of the source's parts `{parts}`: a part and its clone have the same.
    pub digest: Template,
    /// The same of the snapshot's parts.
    pub digest_cloned: Template,
    /// Creates the mirror.
    pub mirror: Vec<Run>,
    /// What to do about the parts that are neither cloned nor certain to be mirrored.
    pub gap: Gap,
}

/// Something on the servers that brings rows to the table by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feed {
    /// The replicas that have it.
    pub on: Vec<ReplicaId>,
    /// What it is, for people.
    pub says: String,
    /// Stops it; done twice it is as if done once.
    pub stop: String,
    /// Starts it again, whatever happens.
    pub start: String,
}

/// Rows of the parts `{parts}` that are in neither snapshot nor shadow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// Whether a part of which some rows are found is told row by row, or is for a person.
    pub by: GapBy,
    /// Lines of part, rows, and how many of these are in the shadow table. A part that the mirror wrote is there whole.
    pub found: Template,
    /// Copies the parts `{parts}` into the staging table.
    pub copy: Template,
    /// Of parts all of whose rows are there: lines of "how often a row is lacking" and "how many such rows".
    pub lacking: Template,
    /// Copies rows that lack `{times}` copies into the staging table.
    pub copy_rows: Template,
    /// Lists the partition ids of the staging table.
    pub staged: String,
    /// Attaches partition `{chunk}` of the staging table to the shadow table.
    pub attach: Template,
    /// Empties the staging table.
    pub clear: String,
}

/// By what it is told whether the mirror wrote a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GapBy {
    /// A part that lacks any row lacks all; the rest by how often each row occurs. Exact, whatever is inserted twice.
    Row,
    /// All of a part's rows or none: anything between is for a person.
    Part,
}

/// Copying through a staging table. See the crate's chapter on exactness for why each query is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backfill {
    /// The backfill replica.
    pub on: ReplicaId,
    /// What must hold before.
    pub before: Vec<Probe>,
    /// Partitions that were there when the plan was made, for estimates and for reading; the run asks `list`.
    pub partitions: Vec<PartitionSize>,
    /// Lists the snapshot's parts in the order of their rows: partition id, name, rows, bytes.
    pub list: String,
    /// What a chunk can be that is less than a partition.
    pub slices: Slices,
    /// What must be looked at before each chunk, so that the copy does not get in the way of others.
    pub signals: Vec<Signal>,
    /// Empties the staging table.
    pub clear: Vec<String>,
    /// Copies partition `{chunk}` of the snapshot, or its slice `{slice}`, into the staging table.
    pub copy: Template,
    /// `count`, `sum of row hashes` of the same rows in the snapshot.
    pub digest_source: Template,
    /// The same of the whole staging table.
    pub digest_staging: String,
    /// Lists the partition ids of the staging table, one a line.
    pub staged: String,
    /// Attaches partition `{chunk}` of the staging table to the shadow table.
    pub attach: Template,
    /// 1 if partition `{chunk}` of the staging table is in the shadow table, 0 if it is not.
    pub landed: Template,
}

/// Conditions that make less of a partition, to come after the one on the partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slices {
    /// The parts `{parts}`.
    pub parts: Template,
    /// Of the part `{parts}`, rows `{from}` to before `{to}`. None where rows of a part have no numbers, so that a part is
    /// copied as a whole, however large it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<Template>,
}

/// A figure that says how a replica bears up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signal {
    /// What it is.
    pub of: SignalKind,
    /// The replicas that are asked.
    pub on: Vec<ReplicaId>,
    /// The query; its answer is one number.
    pub sql: String,
}

/// What a signal is. The limits are in the config file, where they can be changed while a plan runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignalKind {
    /// Seconds by which replication is behind.
    Delay,
    /// Entries of the replication queue.
    Queue,
    /// Parts of the fullest partition, in percent of those from which on inserts are slowed down.
    Parts,
    /// Free space of the fullest disk that holds the table, in percent.
    FreeDisk,
    /// Merges that run on the server.
    Merges,
}

/// A partition as it was when the plan was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionSize {
    /// `partition_id`.
    pub id: String,
    /// Rows.
    pub rows: u64,
    /// Bytes on disk.
    pub bytes: u64,
}

/// Waiting for replication.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatchUp {
    /// All replicas of the shard.
    pub on: Vec<ReplicaId>,
    /// The last position in the table's replication log; asked of every replica, the largest answer is the mark.
    pub mark: String,
    /// The position up to which a replica has read the log: it must pass the mark.
    pub pointer: String,
    /// Parts that a replica still has to get, one a line: those there once the mark is passed must go.
    pub queue: String,
    /// The statement with which a person would wait by hand.
    pub by_hand: String,
    /// After how many seconds without any progress the wait is given up.
    pub stall_seconds: u64,
}

/// How two tables are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CompareMode {
    /// Every row, with how often it occurs: count and sum of row hashes.
    Rows,
    /// Rows after the engine's own merging (FINAL), for engines that merge rows.
    Final,
    /// Groups of rows that no merge takes apart, and what no merge changes of each, where the change alters which rows are merged, or to what.
    Keys,
}

/// A swap by renames. An insert that begins before it and looks its views up after it writes to the old data twice. With merges
/// stopped, parts are the inserts that made them, so such an insert is known by its two equal parts there and none in the new.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Swap {
    /// The backfill replica.
    pub on: ReplicaId,
    /// Whether the new table comes to the source's name, or goes back.
    pub forward: bool,
    /// The renames, replica by replica.
    pub runs: Vec<Run>,
    /// Stops merges of both tables, on every replica.
    pub stop_merges: Vec<String>,
    /// Starts them again, whatever happens.
    pub start_merges: Vec<String>,
    /// Lists the active parts under the source's name, and under the shadow's: name, partition id, rows.
    pub parts: [String; 2],
    /// Count and sum of row hashes of each of the parts `{parts}` under the source's name, and under the shadow's. None where
    /// equal inserts make different parts in both tables, so that only rows can be compared.
    pub digests: Option<[Template; 2]>,
    /// Empties the staging table.
    pub clear: String,
    /// Copies the parts `{parts}` under the shadow's name into the staging table.
    pub copy: Template,
    /// Lists the partition ids of the staging table.
    pub staged: String,
    /// Attaches partition `{chunk}` of the staging table to the table under the source's name.
    pub attach: Template,
    /// Both tables, compared row by row: afterwards, and instead where parts do not tell.
    pub compare: Compare,
}

/// Bringing the rows that one table has over all shards into another one, each to the shard that a sharding key gives it, until
/// both have the same. What is lacking is told by looking, so whatever was brought by an attempt that was cut short counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redistribute {
    /// All replicas.
    pub on: Vec<ReplicaId>,
    /// One replica of each shard: it sends the rows of its shard. The first one also sends what single rows are lacking.
    pub homes: Vec<ReplicaId>,
    /// What must hold before.
    pub before: Vec<ProbeOn>,
    /// Shard by shard, waits for what is under way in both tables.
    pub drains: Vec<Drain>,
    /// What must be looked at before each partition, so that the copy does not get in the way of others.
    pub signals: Vec<Signal>,
    /// Lists the active parts of the table that has the rows, and of the one that gets them: name, partition id, rows.
    pub parts: [String; 2],
    /// Lines of partition id, count and sum of row hashes of the partitions `{partitions}` on one replica, of either table.
    pub digests: [Template; 2],
    /// Sends a shard's rows of partition `{chunk}`.
    pub copy: Template,
    /// Of the rows of partition `{chunk}` over all shards whose hashes fall into `{bucket}` of `{buckets}`: lines of "how often a row
    /// is lacking" and "how many such rows".
    pub lacking: Template,
    /// Sends `{times}` copies of each of those that lack so many.
    pub send: Template,
    /// Drops partition `{chunk}` of the table that gets the rows, to begin anew where it has others. None where it is not the plan's
    /// own: then that is for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clear: Option<Template>,
    /// What comes to its end here, with writers still; none where they go on and the rows of now are all that is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Last>,
}

/// Swapping the names while no writer writes and both tables have the same rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Last {
    /// What writes by itself and is stopped meanwhile.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub feeds: Vec<Feed>,
    /// What was begun before and is brought to its end first, so that each name means the same on every replica.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub finish: Vec<Run>,
    /// Writes out what is queued in `Distributed` tables over the live one, where servers tell and can.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flush: Vec<Run>,
    /// The swap, replica by replica.
    pub runs: Vec<Run>,
    /// What makes `Distributed` tables look for their queues by their new names, where a rename does not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub renew: Vec<Run>,
    /// As `lacking`, the other way round: what came to the old data all the same, seen once the names are swapped.
    pub behind: Template,
}

/// A comparison of two tables by partition of the old partition key, exact while rows come in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compare {
    /// The replicas on which it is made.
    pub on: Vec<ReplicaId>,
    /// How.
    pub mode: CompareMode,
    /// Lines of `partition`, `count`, `sum of hashes` of the table that is written to under the source's name.
    pub left: String,
    /// The same of the table that the mirror writes to.
    pub right: String,
    /// Which rows differ, where partitions do.
    pub drill: Drill,
    /// Waits between two readings of the same rows.
    pub drain: Drain,
    /// What a lasting difference means.
    pub truth: Truth,
    /// How differences are put right; none where that takes a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repair: Option<Repair>,
    /// Whether a group of rows that changes from one reading to the next fails the comparison in the end. Else it is told; it is only about
    /// what merging leaves, since rows as they are do not change.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub settles: bool,
    /// What tells whether somebody deleted or altered rows meanwhile, so that a difference is no insert's and is put right by nobody
    /// but a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watch: Option<Watch>,
}

/// The parts of the two tables: written down before the last comparison ahead of a swap, looked for after the swap. A part that is in
/// no part any more was dropped, one that was mutated had rows deleted or altered; merges keep both apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    /// The step that writes them down; every other one looks for them.
    pub by: StepId,
    /// The backfill replica, on which they are listed.
    pub on: ReplicaId,
    /// Lists the active parts there: of what has the source's name, and of what has the shadow table's.
    pub parts: [String; 2],
}

/// What must hold on every shard at once before names are swapped on any of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// The questions; every answer must be the expected one.
    pub probes: Vec<ProbeOn>,
    /// What the comparisons wrote down. Where parts of it were dropped or mutated while shards waited for each other, that comparison
    /// is made again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub watches: Vec<Watch>,
    /// What must be still from here until the names are swapped, since nothing could put right what an insert of that moment misplaces.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stills: Vec<Still>,
}

/// Writers of a shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Still {
    /// Waits for the inserts that had begun, on every replica.
    pub drain: Drain,
    /// Lists the partitions of the two tables with the last insert of each.
    pub blocks: [String; 2],
}

/// From partitions that differ to rows that differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drill {
    /// Lists the buckets of hashes in which the partitions `{partitions}` differ.
    pub buckets: Template,
    /// Lists hashes in the partitions `{partitions}` and buckets `{buckets}` that one side has more often than the other.
    pub suspects: Template,
    /// How often the left table has each of `{hashes}` in `{partitions}`: hash and number.
    pub left: Template,
    /// The same of the right table.
    pub right: Template,
}

/// What a difference between two tables means that outlives everything under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Truth {
    /// The left table is right: inserts go to it first.
    Left,
    /// The left table is right, but a row that only the right one has is not deleted: somebody may go back for it.
    Kept,
    /// Every insert left two copies over both tables, wherever a swap of the names let them go.
    TwoCopies,
    /// The same, and parts have told already which inserts left none on the left: a row that is there is there often enough.
    Told,
}

/// Putting single rows right, those with `{hashes}` in the partitions `{partitions}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repair {
    /// The replica on which it is done.
    pub on: ReplicaId,
    /// Writes `{times}` copies of each row from the left table into the right one.
    pub add: Template,
    /// Deletes rows from the right table; those of which some are wanted are added anew.
    pub remove: Template,
    /// Lists mutations of the right table, on every replica: id, 1 if done.
    pub mutations: String,
    /// Writes `{times}` copies of each row from the right table into the left one, through its views: of inserts that met none.
    pub pass: Template,
    /// Brings rows from the right table into the left one, past all views.
    pub give: Give,
    /// What becomes of rows of inserts that met the left table and none of its views; none where it has none of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unseen: Option<Unseen>,
}

/// Rows of the left table that its views never saw. While `EXCHANGE TABLES` swaps the names, current servers know of no views over
/// them for a moment: an insert of that moment writes to the new table alone. Where its part holds nothing else, its rows are kept in the
/// right table, the part is dropped, and they are inserted once more, through the views.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unseen {
    /// The views.
    pub views: Vec<TableName>,
    /// Lists the active parts of the left table: name, partition id, rows.
    pub list: String,
    /// How often each part of the left table has each of `{hashes}` in `{partitions}`: part, hash and number.
    pub parts: Template,
    /// Drops the part `{chunk}` of the left table.
    pub drop: Template,
    /// Writes `{times}` copies of each row from the right table into the left one, through its views, whatever was inserted before.
    pub show: Template,
}

/// Bringing rows into the table that is written to, through a staging table, so that no view sees them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Give {
    /// Empties the staging table.
    pub clear: String,
    /// Copies `{times}` copies of each row from the right table into the staging table.
    pub copy: Template,
    /// Lists the partition ids of the staging table.
    pub staged: String,
    /// Attaches partition `{chunk}` of the staging table to the left table.
    pub attach: Template,
}
