//! Chunks by bytes, limits that hold a copy back, pausing: all of it while the run goes on.

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::harness::{Running, on_both_ends};
use crate::tool::{PLAN, Tool};
use crate::world::{ask, assert_nothing_left, engine, everywhere, firsts, prepare, sync};

/// Nothing that is waited for here takes longer.
const PATIENCE: Duration = Duration::from_mins(1);
const ROWS_A_SHARD: u32 = 300_000;

/// Two partitions of several parts.
fn fill(cluster: &Running, database: &str) {
    let engine = engine(cluster.replicates(), "MergeTree", database, "t", "");
    let create = format!(
        "CREATE TABLE {database}.t (a UInt64, b UInt64, c String) ENGINE = {engine} PARTITION BY a % 2 ORDER BY (a, b)"
    );
    prepare(cluster, database, &[&create]);
    for first in firsts(cluster) {
        for part in 0..3 {
            let (from, rows) = (part * ROWS_A_SHARD / 3, ROWS_A_SHARD / 3);
            let numbers = format!("(SELECT number + {from} AS n FROM numbers({rows}))");
            cluster.query(
                first,
                &format!("INSERT INTO {database}.t SELECT n, cityHash64(n), toString(cityHash64(n, 1)) FROM {numbers}"),
            );
        }
    }
    sync(cluster, &[&format!("{database}.t")]);
}

fn digest(database: &str) -> String {
    format!("SELECT a % 2 AS p, count(), sum(cityHash64(a, b, c)) FROM {database}.t GROUP BY p ORDER BY p")
}

/// The sandbox's config with a section more.
fn config(cluster: &Running, throttle: &str) -> String {
    let text = fs::read_to_string(cluster.config_path()).expect("the sandbox's config");
    format!("{text}\n[throttle]\n{throttle}\n")
}

/// Replaced as a whole, as careful editors do.
fn rewrite(path: &Path, text: &str) {
    let new = path.with_extension("new");
    fs::write(&new, text).expect("the config can be written");
    fs::rename(new, path).expect("the config can be replaced");
}

fn journal(tool: &Tool) -> String {
    fs::read_to_string(tool.dir().join(format!("{PLAN}.journal.jsonl"))).expect("the journal")
}

fn a_large_partition_is_copied_in_slices_even_if_the_program_dies_in_one(cluster: &Running) {
    const DATABASE: &str = "slices";
    fill(cluster, DATABASE);
    let before = ask(cluster, &digest(DATABASE));
    let tool = Tool::new(cluster).with_config(&config(cluster, "max_chunk_bytes = 400000"));
    tool.plan(&format!("ALTER TABLE {DATABASE}.t MODIFY ORDER BY (b, a)"));
    tool.approve(&["start", "cutover", "finalize"]);
    for chunks in [1, 4] {
        let mut run = tool.start(&["execute", PLAN]);
        let began = Instant::now();
        while !tool.dir().join(format!("{PLAN}.journal.jsonl")).exists()
            || journal(&tool).matches("\"chunk_done\"").count() < chunks
        {
            assert!(!run.has_ended() && began.elapsed() < PATIENCE, "{}", journal(&tool));
            sleep(Duration::from_millis(5));
        }
        run.kill();
    }
    tool.expect(0, &["execute", PLAN]);
    let slices = journal(&tool).lines().filter(|line| line.contains("\"chunk_done\"") && line.contains('#')).count();
    assert!(slices >= 8, "{slices} slices:\n{}", journal(&tool));
    assert_eq!(ask(cluster, &digest(DATABASE)), before);
    assert_nothing_left(cluster, DATABASE);
    everywhere(cluster, &[&format!("DROP DATABASE {DATABASE}")]);
}

fn a_run_is_held_back_by_file_by_signal_and_by_limits_that_change_meanwhile(cluster: &Running) {
    const DATABASE: &str = "held";
    fill(cluster, DATABASE);
    let before = ask(cluster, &digest(DATABASE));
    let tool = Tool::new(cluster).with_config(&config(cluster, ""));
    let file = tool.dir().join("other.toml");
    tool.plan(&format!("ALTER TABLE {DATABASE}.t MODIFY ORDER BY (b, a)"));
    tool.approve(&["start", "cutover"]);
    let pause = tool.dir().join(format!("{PLAN}.pause"));
    fs::write(&pause, "").expect("a file");

    let mut run = tool.start(&["execute", PLAN]);
    run.await_words("paused by plan.json.pause");
    assert!(!journal(&tool).contains("\"started\""), "nothing is begun");
    rewrite(&file, &config(cluster, "query = 'SELECT 7'"));
    fs::remove_file(&pause).expect("the file goes");
    run.await_words("the query of [throttle] answers 7");
    rewrite(&file, &config(cluster, "max_parts_percent = 0\nmin_free_disk_percent = 99"));
    run.await_words(if cluster.replicates() { "max_parts_percent = 0" } else { "min_free_disk_percent = 99" });
    // Without limits that can be read it goes no further.
    rewrite(&file, "no config at all");
    run.await_words("line 1");
    rewrite(&file, &config(cluster, "query = 'SELECT no_such_column'"));
    run.await_words("a signal is lost");
    rewrite(&file, &config(cluster, "pause = true"));
    run.await_words("paused by the config file");
    run.signal(Signal::USR1);
    run.await_words("paused by SIGUSR1");
    rewrite(&file, &config(cluster, ""));
    assert!(!journal(&tool).contains("\"chunk_done\""), "nothing was copied meanwhile");
    run.signal(Signal::USR2);
    let ran = run.end();
    assert_eq!(ran.code, Some(4), "{ran}");
    assert!(ran.stderr.contains("held back"), "{ran}");
    tool.expect(0, &["rollback", PLAN]);
    assert_eq!(ask(cluster, &digest(DATABASE)), before);

    // A signal that stays lost ends the run, and a later one goes on.
    rewrite(&file, &config(cluster, "query = 'SELECT no_such_column'"));
    tool.approve(&["start"]);
    let ran = tool.expect(1, &["execute", PLAN]);
    assert!(ran.stderr.contains("no_such_column"), "{ran}");
    tool.expect(0, &["rollback", PLAN]);
    assert_nothing_left(cluster, DATABASE);
    everywhere(cluster, &[&format!("DROP DATABASE {DATABASE}")]);
}

on_both_ends! {
    shared:
        a_large_partition_is_copied_in_slices_even_if_the_program_dies_in_one,
        a_run_is_held_back_by_file_by_signal_and_by_limits_that_change_meanwhile;
}
