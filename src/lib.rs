//! `shardwright` changes the sorting, primary or partition key of sharded ClickHouse tables and the types of columns in them, and plans
//! the ALTERs that need no rebuild: it observes a cluster, plans the change as a graph of steps, shows the plan, carries it out with a journal, and undoes it
//! or makes it final.
//!
//! # Architecture
//!
//! A functional core and an imperative shell. One way for the data:
//!
//! ```text
//! server::observe ──► Snapshot ─┐
//! SQL ──► ddl ──► Change ───────┴─► assess ──► plan::build ──► plan::check ──► Plan ──► file
//! CREATE ──► both definitions in a server's words ──► target ──► ALTER, or other keys
//! SQL ──► alter ──► orders ──► trial on empty tables ──► assess ──► plan::build_alter ──► the same
//! Plan ──► runbook ──► render: terminal, Markdown, HTML, SVG, DOT, Mermaid, SQL, JSON
//! Plan + journal ──► Progress ──► next move ──► gate ──► journal ──► server ──► journal ──► again
//! ```
//!
//! ## Modules
//!
//! | module | job | pure |
//! |---|---|---|
//! | [`names`] | names of tables and replicas; the one place that quotes | yes |
//! | [`lock`] | what the lock in the cluster is, and who holds it | yes |
//! | [`topology`], [`catalog`], [`snapshot`] | what a cluster is, what a replica holds, both at one moment | yes |
//! | [`ddl`] | reads definitions, key changes and any ALTER from tokens; refuses what it does not know | yes |
//! | [`merging`] | which rows an engine makes one, and what of them outlives that | yes |
//! | [`target`] | what a live definition lacks to be a wanted one, as commands of an ALTER | yes |
//! | [`classify`] | what each ALTER does to stored data, and its undo; source of `docs/alters.md` | yes |
//! | [`change`] | ties a statement to the tables of a snapshot | yes |
//! | [`alter`] | what an ALTER asks of each table, the way back, and what a server made of it on trial | yes |
//! | [`assess`] | findings: what a change would do, and what speaks against it | yes |
//! | [`lint`] | migration files, judged without a cluster | yes |
//! | [`mod@plan`] | steps with exact SQL, conditions, undo and reasons; the checker; the file | yes |
//! | [`runbook`], [`render`] | a plan arranged for reading, and its renderings | yes |
//! | [`rehearse`] | a plan turned to another cluster, rows to fill it with, the report | yes |
//! | [`inspect`] | the report of what is there | yes |
//! | [`evaluate`] | queries that were run, twins with other keys, the search for keys, the report | yes |
//! | [`retire`] | who reads a column that is to go, by the logs; whether it may | yes |
//! | [`demo`] | tables, rows and questions of the demo | yes |
//! | [`journal`] | records and their replay; `journal::file` writes them | but `file` |
//! | [`config`] | the config file; `config::load` reads it | but `load` |
//! | [`execute`] | the next move is a pure function; the engine does it through ports | in part |
//! | [`server`] | the only user of the `clickhouse` crate | no |
//! | [`sandbox`] | a cluster of processes on loopback | no |
//! | [`cli`] | arguments, prompts, printing, exit codes; the only part that prints | no |
//!
//! Imports go up in this table. Pure modules import neither `server`, `sandbox` nor `cli`, and use no files, environment,
//! clock or runtime; `tests/architecture.rs` holds them to it. `execute` knows servers, reporters and approvers only as
//! traits ([`execute::Servers`] and its neighbours), which [`server`] and [`cli`] implement.
//!
//! ## The plan leaves the executor no choices
//!
//! Every statement and query is in the plan, and so is what must hold before and after it, how it is undone, and for each
//! edge why the one step comes before the other. [`plan::check`] does not trust the planner: it looks at every plan
//! after it is made and again when it is read. The file carries the SHA-256 of its own content, so an edited plan is refused.
//!
//! ## Look, run, look again
//!
//! A statement that met an error may have been carried out: the connection can go after the server did what it was told.
//! So whether a step is done is never concluded from an answer. For each replica the engine asks first whether the
//! postcondition holds already (then nothing is sent), then whether the precondition holds (if not, the cluster has
//! drifted), runs the statement, and asks for the postcondition again. This makes every step safe to repeat.
//!
//! ## Journal, and in doubt
//!
//! [`journal::File`] appends a record and flushes it to disk before an act and after it, and is locked while a run holds
//! it. [`journal::Progress`] is the replay. A step that is *started* without an outcome is **in doubt**: the next run first
//! ends whatever the dead one left running on the servers (query ids carry plan and step), then looks as above. Where
//! looking does not tell, the run ends with exit code 8 and changes nothing.
//!
//! ## One run at a time
//!
//! A run holds a [`lock`] in the cluster from its beginning to its end. Every statement that changes something goes through
//! one place (`Desk::send` in [`execute`]), which looks at the lock first and sends the statement in a session that ends soon
//! after the look: a process that was stopped in between is refused by the server. Taking the lock over means to replace it
//! by one with a higher token, to wait for longer than such sessions last, and to end what the other run left running.
//!
//! ## What is exact while writers write
//!
//! A step never trusts that nothing is under way; it waits for what had begun (`execute::landing`) and looks. The boundary
//! (`execute::settle`) is one step that begins anew from nothing whenever it is cut short. Comparing (`execute::agree`) reads
//! left, right, left around such waits, so that what it reports outlives every insert, and `execute::repair` only ever adds what is
//! certain to be lacking. A swap by renames (`execute::swap`) knows the inserts that fell between by whole parts.
//!
//! ## All shards are swapped or none, on evidence of now
//!
//! Shards go their own ways up to the last comparison before the swap; there they wait for each other (`plan::Ready`), with nothing stopped
//! meanwhile. The parts of both tables were written down before each comparison; where one is gone or mutated once all shards have come
//! (`execute::watch`), that comparison is made again. A comparison of an earlier run, or of long ago, *lapses*
//! ([`execute::outdated`]): its step is pending again, in the journal too. So the evidence is at most as old as all of it took and an hour.
//! From the first swap on nothing of a swapped shard lapses any more: there the comparison after the swap looks.
//!
//! ## Why a backfill chunk is there exactly once
//!
//! A chunk is one partition of the snapshot, the hard-link clone of the source at the boundary:
//!
//! 1. the staging table, a plain `MergeTree` with the new key, is emptied and filled from the snapshot;
//! 2. count and sum of row hashes of staging and of the snapshot's partition must be equal, or nothing is attached;
//! 3. *attaching* is journalled, the staged partition is attached to the shadow, *attached* is journalled.
//!
//! A crash in 1 or 2 leaves a staging table that is emptied. After a crash in 3 the staging table is whole; before it is
//! attached again the rows themselves are asked whether they have **landed** in the shadow. On a replicated table the
//! server also recognises a part that it has.
//!
//! ## Definitions are tried, not foretold
//!
//! What an ALTER makes of a definition is not computed here. [`alter`] says which statements each table of a chain needs and how they
//! could be undone; a server runs them on an empty table of the same definition, and its own words before and after are what the
//! steps expect on each replica. An undo that does not lead back to the same words is none, and the gate `finalize` comes before it.
//! A mutation that leaves the definition alone is known by a mark in its condition, or as the last one of its kind since the plan was made.
//!
//! ## A new table with other types
//!
//! The mirror follows names, so before the swap it writes old types into new ones and after it the other way round; servers with
//! `EXCHANGE TABLES` convert both. Every hash, and the label of a partition, is taken of `CAST(column, type after)`, an expression that is
//! the same over both tables, so comparison, repair and the boundary need not know which is which. What the old type cannot hold, told by
//! casting there and back, is left out by the mirror and by comparisons; before anything is undone such rows are looked for
//! ([`plan::Otherwise::Beyond`]), and once more when the names are swapped back. So is a column that somebody gave to one of the two tables
//! alone ([`plan::Otherwise::Apart`]).
//!
//! ## Where I/O is allowed
//!
//! [`server`], [`sandbox`], `journal::file`, `config::load`, [`cli`]. Every wait has a bound.

pub mod alter;
pub mod assess;
pub mod catalog;
pub mod change;
pub mod classify;
pub mod cli;
pub mod config;
pub mod ddl;
pub mod demo;
pub mod evaluate;
pub mod execute;
pub mod inspect;
pub mod journal;
pub mod lint;
pub mod lock;
pub mod merging;
pub mod names;
pub mod plan;
pub mod rehearse;
pub mod render;
pub mod retire;
pub mod runbook;
pub mod sandbox;
pub mod server;
pub mod snapshot;
pub mod target;
pub mod topology;
mod words;
