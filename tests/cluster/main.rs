//! Tests against real servers. Most need Debian's `clickhouse-server` and `zookeeper`, which `./check` installs; those in
//! [`chdb`] need Python 3.9 or later and install ClickHouse 26.9.2 from `PyPI` once, into the user's cache folder.
//!
//! All tests share one sandbox of 2 shards x 2 replicas and keep apart by database. A test that stops or pauses members
//! takes the sandbox for itself ([`harness::alone`]) or starts one of its own ([`harness::Running::start`]).

#![allow(clippy::unwrap_used, reason = "what is outside of the tests here is part of them")]
#![expect(clippy::print_stdout, reason = "figures and seeds, for --nocapture and for tests that fail")]

mod alters;
mod broken_plans;
mod chdb;
mod corpus;
mod demo;
mod dice;
mod dry_run;
mod dry_run_alter;
mod dry_run_today;
mod engines;
mod evaluate;
mod exact;
mod faults;
mod fence;
mod graph;
mod harness;
mod in_place;
mod key_types;
mod kill;
mod load;
mod lock;
mod machine;
mod main_job;
mod mishaps;
mod mixed_versions;
mod names;
mod other_engine;
mod pace;
mod refusals;
mod renamed;
mod reshard;
mod retire;
mod rights;
mod sandbox;
mod stand_ins;
mod target;
mod tool;
mod verification;
mod victim;
mod view_trials;
mod world;
