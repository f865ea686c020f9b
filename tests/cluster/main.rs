//! Tests against real servers. Each needs Debian's `clickhouse-server` and `zookeeper`; `./check` installs them.
//!
//! All tests share one sandbox of 2 shards x 2 replicas and keep apart by database. A test that stops or pauses members
//! takes the sandbox for itself ([`harness::alone`]) or starts one of its own ([`harness::Running::start`]).

#![expect(clippy::print_stdout, reason = "figures and seeds, for --nocapture and for tests that fail")]

mod engines;
mod harness;
mod kill;
mod main_job;
mod names;
mod refusals;
mod sandbox;
mod tool;
mod verification;
mod world;
