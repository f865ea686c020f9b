//! Tests against real servers. Most need Debian's `clickhouse-server` and `zookeeper`, which `./check` installs; those in
//! [`chdb`] need Python 3.9 or later and install ClickHouse 26.9.2 from `PyPI` once, into the user's cache folder.
//!
//! All tests share one sandbox of 2 shards x 2 replicas and keep apart by database. A test that stops or pauses members
//! takes the sandbox for itself ([`harness::alone`]) or starts one of its own ([`harness::Running::start`]).

#![expect(clippy::print_stdout, reason = "figures and seeds, for --nocapture and for tests that fail")]

mod chdb;
mod corpus;
mod dice;
mod dry_run;
mod engines;
mod exact;
mod harness;
mod kill;
mod load;
mod machine;
mod main_job;
mod names;
mod refusals;
mod sandbox;
mod stand_ins;
mod tool;
mod verification;
mod world;
