//! The story: a table is filled, its sorting key is changed, changed back, changed again for good.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::super::super::args::Global;
use super::super::super::connect::connect;
use super::super::super::failure::Failure;
use super::super::super::output::{data, say};
use super::observe::{self, Answer, Rows, on_each};
use super::stage::{chapter, check, type_in};
use crate::demo::{self, CHANGE, KEYS, SOURCE};
use crate::names::ReplicaId;
use crate::render::figures;
use crate::sandbox::CLUSTER;
use crate::server::Cluster;

/// Tells it. Ends at the first thing that is not as it should be.
pub(super) async fn tell(dir: &Path, config: PathBuf, rows: u64) -> Result<(), Failure> {
    let cluster = connect(&Global { config, verbose: false }).await?.cluster;
    let story = Story {
        config: shown(dir, "shardwright.toml"),
        plan: shown(dir, "plan.json"),
        markdown: shown(dir, "plan.md"),
        html: shown(dir, "plan.html"),
        cluster,
    };
    story.load(rows).await?;
    let tables = on_each(&story.cluster, demo::TABLES).await?;
    let loaded = Rows::of(&story.cluster).await?;
    check_loaded(&loaded, rows)?;
    let before = story.ask("The question").await?;
    story.plan().await?;
    story.change().await?;
    let after = story.ask("The question again").await?;
    compare(&before, &after)?;
    let more = story.latecomers(rows, &loaded).await?;
    story.take_back(&more, &tables).await?;
    story.change_again().await?;
    story.finalize(&more, &tables).await?;
    let (plan, html) = (&story.plan, &story.html);
    say(&format!(
        "\nEvery check held. The plan is {plan}, its journal {plan}.journal.jsonl, a page to open in a browser {html}."
    ));
    Ok(())
}

fn shown(dir: &Path, file: &str) -> String {
    dir.join(file).display().to_string()
}

struct Story {
    config: String,
    plan: String,
    markdown: String,
    html: String,
    cluster: Cluster,
}

impl Story {
    async fn type_in(&self, words: &[&str]) -> Result<(), Failure> {
        type_in(&self.config, words).await
    }

    async fn load(&self, rows: u64) -> Result<(), Failure> {
        let replicated = observe::has_replicas(&self.cluster);
        chapter(
            "Events",
            &format!(
                "On each of {} servers: a {}table of events, a Distributed table over all shards, and a materialized view that \
                 counts events by day. One event in a hundred was sent twice; the engine keeps the newer version.",
                self.cluster.topology().replicas().count(),
                if replicated { "replicated " } else { "" }
            ),
        );
        for sql in demo::tables(CLUSTER, replicated) {
            say(&format!("{sql};\n"));
            on_each(&self.cluster, &sql).await?;
        }
        let inserts = demo::inserts(rows);
        say(&format!("{} through app.events, by {} inserts of eight months …", exact(rows), inserts.len()));
        for sql in inserts {
            observe::run(&self.cluster, &sql).await?;
        }
        chapter("Inspect", "What is there, on every replica, and what depends on it.");
        self.type_in(&["inspect", "--table", SOURCE]).await
    }

    async fn ask(&self, title: &str) -> Result<Answer, Failure> {
        chapter(title, "How many people of team 1 have bought something?");
        say(demo::QUESTION);
        let answer = observe::question(&self.cluster).await?;
        data(&answer.text);
        say(&format!("{} read in {:.0} ms", exact(answer.rows_read), answer.seconds * 1000.0));
        Ok(answer)
    }

    async fn plan(&self) -> Result<(), Failure> {
        chapter(
            "Plan",
            "The date stands before the event in the sorting key, so a question about one event reads all of its team's days. \
             ClickHouse cannot reorder a key in place. The plan builds a second table beside the first; making it changes nothing.",
        );
        self.type_in(&["plan", "--sql", CHANGE, "-o", &self.plan]).await?;
        chapter(
            "Show",
            "The same plan for a review: a runbook that a person could carry out by hand, and a page with its graph.",
        );
        self.type_in(&["show", &self.plan, "--format", "markdown", "-o", &self.markdown]).await?;
        self.type_in(&["show", &self.plan, "--format", "html", "-o", &self.html]).await?;
        say(&format!("written: {} and {}", self.markdown, self.html));
        Ok(())
    }

    async fn change(&self) -> Result<(), Failure> {
        chapter(
            "Execute, up to the cutover",
            "The gate `start` is approved by --auto-approve. Shadow table, snapshot, mirror; then every chunk is copied, \
             compared, attached; at last all of it is compared on every replica. Readers notice nothing.",
        );
        self.type_in(&["execute", &self.plan, "--auto-approve", "reversible", "--until", "cutover"]).await?;
        chapter(
            "Approve the cutover, and execute",
            "Source and shadow agree, so the demo plays the person who approves the gate `cutover`. Then the names are swapped; \
             the old data stays, and a mirror keeps it current.",
        );
        self.approve("cutover").await?;
        self.type_in(&["execute", &self.plan, "--until", "finalize"]).await?;
        self.check_sorted(KEYS[1]).await
    }

    async fn approve(&self, gate: &str) -> Result<(), Failure> {
        self.type_in(&["approve", &self.plan, "--gate", gate, "--by", "demo"]).await
    }

    /// Rows that come in while the old data soaks.
    async fn latecomers(&self, rows: u64, loaded: &Rows) -> Result<Rows, Failure> {
        let (sql, count) = demo::latecomers(rows);
        chapter("Life goes on", "More events come in. They reach the new table and, through the mirror, the old data.");
        observe::run(&self.cluster, &sql).await?;
        let more = Rows::of(&self.cluster).await?;
        check(
            &format!("{} came in{}", exact(count), more.agreement()),
            more.merged() == loaded.merged() + count && more.replicas_agree(),
        )?;
        Ok(more)
    }

    async fn take_back(&self, rows: &Rows, tables: &BTreeMap<ReplicaId, String>) -> Result<(), Failure> {
        chapter("Roll back", "Second thoughts. Every step is undone, latest first, until nothing of the plan is left.");
        self.type_in(&["rollback", &self.plan]).await?;
        self.check_sorted(KEYS[0]).await?;
        self.check_unchanged(rows, tables).await
    }

    async fn change_again(&self) -> Result<(), Failure> {
        chapter(
            "Execute again",
            "The rollback has closed the gates, but the plan still fits the cluster. This time the cutover is approved \
             beforehand; execute still stops if the comparison before it fails.",
        );
        self.approve("cutover").await?;
        self.type_in(&["execute", &self.plan, "--auto-approve", "reversible", "--until", "finalize"]).await
    }

    async fn finalize(&self, rows: &Rows, tables: &BTreeMap<ReplicaId, String>) -> Result<(), Failure> {
        chapter(
            "Approve finalize, and finalize",
            "The point of no return: mirror, old data, snapshot and staging tables are dropped.",
        );
        self.approve("finalize").await?;
        self.type_in(&["finalize", &self.plan]).await?;
        chapter("The end", "What the plan has done, and whether the rows are what they were.");
        self.type_in(&["status", &self.plan]).await?;
        self.check_sorted(KEYS[1]).await?;
        self.check_unchanged(rows, tables).await
    }

    async fn check_sorted(&self, key: &str) -> Result<(), Failure> {
        let found = on_each(&self.cluster, demo::SORTED_BY).await?;
        check(&format!("every server sorts {SOURCE} by ({key})"), found.values().all(|found| found == key))
    }

    async fn check_unchanged(&self, rows: &Rows, tables: &BTreeMap<ReplicaId, String>) -> Result<(), Failure> {
        let now = Rows::of(&self.cluster).await?;
        let (merged, partitions) = (exact(rows.merged()), rows.partitions());
        check(
            &format!(
                "{merged}; count and checksum of each of {partitions} partitions on {} servers are what they were",
                rows.replicas()
            ),
            now == *rows,
        )?;
        let found = on_each(&self.cluster, demo::TABLES).await?;
        check("the database holds the tables that it held before, and no others", found == *tables)
    }
}

fn check_loaded(loaded: &Rows, rows: u64) -> Result<(), Failure> {
    check(
        &format!(
            "the view counted {}, of which {} are left once the doubles merge{}",
            exact(rows),
            exact(loaded.merged()),
            loaded.agreement()
        ),
        loaded.counted() == rows && loaded.merged() == demo::distinct(rows) && loaded.replicas_agree(),
    )
}

fn compare(before: &Answer, after: &Answer) -> Result<(), Failure> {
    let (read, reads) = (before.rows_read, after.rows_read);
    check(
        &format!("the same answer for {} read instead of {}", exact(reads), exact(read)),
        before.text == after.text && reads < read,
    )
}

/// A number of rows to the last digit.
fn exact(rows: u64) -> String {
    format!("{} rows", figures::grouped(rows))
}
