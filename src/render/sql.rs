//! The plan as a script for one replica after the other: what a person would paste.

use std::collections::BTreeMap;

use super::{figures, visible};
use crate::names::ReplicaId;
use crate::plan::{Gate, PartitionSize, Plan};
use crate::runbook::{Entry, Line, Passage, Repeat, Role, Runbook, Sql, Stage, Turn, UndoWay};
use crate::words::count;

const RULE: &str = "================================================================";

/// Comments and statements in the order in which one replica meets them; of every replica, or of `only` one.
///
/// Checks are queries with the expected answer below them; undo statements stand at a replica's end, commented out, in
/// the order in which they would be run.
pub fn sql(plan: &Plan, only: Option<ReplicaId>) -> String {
    let runbook = Runbook::new(plan);
    let mut script = Script::default();
    script.preface(&runbook);
    for (replica, turns) in turns(&runbook) {
        if only.is_none_or(|only| only == replica) {
            script.replica(&runbook, replica, &turns);
        }
    }
    script.text
}

/// A step as one replica meets it.
#[derive(Clone, Copy)]
enum Met<'r, 'p> {
    Gate(Gate, &'r Entry<'p>),
    Joint(&'r Entry<'p>),
    Step(&'r Entry<'p>),
}

/// What each replica meets, in order.
fn turns<'r, 'p>(runbook: &'r Runbook<'p>) -> BTreeMap<ReplicaId, Vec<Met<'r, 'p>>> {
    let mut turns: BTreeMap<ReplicaId, Vec<Met>> =
        runbook.plan.cluster.replicas.iter().map(|replica| (replica.id, Vec::new())).collect();
    for stage in &runbook.stages {
        match stage {
            Stage::Gate(gate, entry) => turns.values_mut().for_each(|met| met.push(Met::Gate(*gate, entry))),
            Stage::Joint(entry) => turns.values_mut().for_each(|met| met.push(Met::Joint(entry))),
            Stage::Work(work) => {
                for entry in work.entries() {
                    for replica in entry.step.action.replicas() {
                        turns.entry(replica).or_default().push(Met::Step(entry));
                    }
                }
            }
        }
    }
    turns
}

#[derive(Default)]
struct Script {
    text: String,
}

impl Script {
    fn preface(&mut self, runbook: &Runbook) {
        let plan = runbook.plan;
        self.comment(&format!("shardwright plan {}: {}", plan.id, plan.objects.source));
        self.comment(&format!("cluster {}, {}", plan.cluster.name, runbook.shape()));
        self.comment("");
        self.commented_out(&plan.change.statement);
        self.comment("");
        self.comment("Each part below is for the one replica that its heading names. Stop at every gate until all");
        self.comment(
            "replicas have come to it. A query is followed by the answer that it must give: stop at any other.",
        );
    }

    fn replica(&mut self, runbook: &Runbook, replica: ReplicaId, turns: &[Met]) {
        self.blank();
        self.comment(RULE);
        self.comment(&format!("replica {replica} {}", runbook.address(replica)));
        self.comment(RULE);
        for met in turns {
            match met {
                Met::Gate(gate, entry) => self.gate(*gate, entry),
                Met::Joint(entry) => self.joint(runbook, entry, replica),
                Met::Step(entry) => self.step(runbook, entry, replica),
            }
        }
        self.undo(runbook, replica, turns);
    }

    fn gate(&mut self, gate: Gate, entry: &Entry) {
        self.blank();
        self.comment(&"#".repeat(RULE.len()));
        self.comment(&format!("##  GATE {gate}: {}", entry.step.title));
        self.comment(&format!("##  {}", entry.step.why));
        self.comment("##  STOP here until every replica has come here and a person has approved.");
        self.comment(&"#".repeat(RULE.len()));
    }

    fn joint(&mut self, runbook: &Runbook, entry: &Entry, replica: ReplicaId) {
        self.blank();
        self.comment(&"-".repeat(RULE.len()));
        self.comment(
            "All shards wait for each other: begin once every replica has come here, and go on once it is done on all.",
        );
        self.comment(&"-".repeat(RULE.len()));
        self.heading(entry);
        self.passages(runbook, entry, replica);
    }

    fn step(&mut self, runbook: &Runbook, entry: &Entry, replica: ReplicaId) {
        self.blank();
        self.heading(entry);
        self.elsewhere(runbook, entry, replica);
        self.passages(runbook, entry, replica);
    }

    fn heading(&mut self, entry: &Entry) {
        self.comment(&format!("[{}] {}: {}", entry.number, entry.step.id, entry.step.title));
        self.comment(&entry.step.why);
    }

    fn passages(&mut self, runbook: &Runbook, entry: &Entry, replica: ReplicaId) {
        for passage in runbook.procedure(entry.step).iter().filter(|passage| passage.on.contains(&replica)) {
            self.passage(passage, replica);
        }
    }

    /// Steps on other replicas that must be done before; those on this one stand above, and so do those of all shards.
    fn elsewhere(&mut self, runbook: &Runbook, entry: &Entry, replica: ReplicaId) {
        for edge in entry.after.iter().filter(|edge| runbook.shard_of(&edge.from).is_some()) {
            let others = runbook.replicas_of(&edge.from).into_iter().filter(|other| *other != replica);
            let others: Vec<String> = others.map(|other| other.to_string()).collect();
            if !others.is_empty() {
                self.comment(&format!("wait for {} on {}: {}", edge.from, others.join(", "), edge.because));
            }
        }
    }

    fn passage(&mut self, passage: &Passage, replica: ReplicaId) {
        if passage.turn == Turn::OneByOne && passage.on.len() > 1 {
            let order: Vec<String> = passage.on.iter().map(ToString::to_string).collect();
            self.comment(&format!("Replicas take turns: {}; this is {replica}.", order.join(", then ")));
        }
        match passage.repeat {
            Repeat::Once => self.lines(&passage.lines, None),
            Repeat::EachChunk(known) => self.chunks(&passage.lines, known),
        }
    }

    fn chunks(&mut self, lines: &[Line], known: &[PartitionSize]) {
        if known.is_empty() {
            self.comment("For each partition of the list, with its id in place of {chunk}:");
            self.lines(lines, None);
            return;
        }
        let when = "when the plan was made; for others that the list shows, do the same";
        self.comment(&format!("There were {} {when}.", count(known.len(), "partition")));
        for (place, chunk) in known.iter().enumerate() {
            let size = format!("{}, {}", figures::rows(chunk.rows), figures::bytes(chunk.bytes));
            self.comment(&format!("--- partition {} ({} of {}; {size})", chunk.id, place + 1, known.len()));
            self.lines(lines, Some(&chunk.id));
        }
    }

    fn lines(&mut self, lines: &[Line], chunk: Option<&str>) {
        for line in lines {
            self.line(line, chunk);
        }
    }

    fn line(&mut self, line: &Line, chunk: Option<&str>) {
        if !line.says.is_empty() {
            self.comment(&format!("{}: {}", line.role.name(), line.says));
        }
        match (line.role, sql_for(&line.sql, chunk)) {
            (Role::Watch, Ok(sql) | Err(sql)) | (_, Err(sql)) => self.commented_out(&sql),
            (_, Ok(sql)) => self.statement(&sql),
        }
        if let Some(expect) = line.expect {
            self.comment(&expected(expect));
        }
    }

    fn undo(&mut self, runbook: &Runbook, replica: ReplicaId, turns: &[Met]) {
        self.blank();
        self.comment(&format!("To take it back on {replica}, from the last step that was done upwards:"));
        for met in turns.iter().rev() {
            let (Met::Step(entry) | Met::Joint(entry)) = met else { continue };
            match runbook.undo(entry.step) {
                UndoWay::Nothing(_) => {}
                UndoWay::Impossible(because) => {
                    self.comment(&format!("[{}] {}: no way back: {because}", entry.number, entry.step.id));
                }
                UndoWay::Run(passages) => self.undo_step(entry, &passages, replica),
            }
        }
    }

    fn undo_step(&mut self, entry: &Entry, passages: &[Passage], replica: ReplicaId) {
        self.comment(&format!("[{}] {}:", entry.number, entry.step.id));
        for passage in passages.iter().filter(|passage| passage.on.contains(&replica)) {
            for line in &passage.lines {
                if line.role == Role::Do {
                    self.commented_out(&ended(&line.sql.shown()));
                }
            }
        }
    }

    fn blank(&mut self) {
        self.text.push('\n');
    }

    fn comment(&mut self, text: &str) {
        self.text.push_str(format!("-- {}", visible::line(text)).trim_end());
        self.text.push('\n');
    }

    /// SQL that is not to be run, each of its lines a comment.
    fn commented_out(&mut self, sql: &str) {
        for line in visible::sql(sql).split('\n') {
            self.comment(&format!("  {line}"));
        }
    }

    fn statement(&mut self, sql: &str) {
        self.text.push_str(&ended(&visible::sql(sql)));
        self.text.push('\n');
    }
}

/// The SQL to run, or as an error the SQL to read where a partition's id is not known yet.
fn sql_for(sql: &Sql, chunk: Option<&str>) -> Result<String, String> {
    match (sql, chunk) {
        (Sql::Fixed(fixed), _) => Ok((*fixed).to_owned()),
        (_, Some(chunk)) => sql.filled(chunk).ok_or_else(|| sql.shown()),
        (_, None) => Err(sql.shown()),
    }
}

/// The statement with its semicolon, which must not fall into a comment at its end.
fn ended(sql: &str) -> String {
    let sql = sql.trim_end();
    let last = sql.rsplit('\n').next().unwrap_or_default();
    match last {
        _ if sql.ends_with(';') => sql.to_owned(),
        last if last.contains("--") || last.contains('#') => format!("{sql}\n;"),
        _ => format!("{sql};"),
    }
}

fn expected(answer: &str) -> String {
    if answer.is_empty() { "expect: no row".to_owned() } else { format!("expect: {answer}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Changed;
    use crate::render::fixture;

    #[test]
    fn only_statements_stand_outside_comments() {
        let script = sql(&fixture::hostile(2), None);
        let starts =
            ["-- ", "--", "SELECT ", "CREATE ", "ALTER ", "INSERT ", "TRUNCATE ", "RENAME ", "DROP ", "SYSTEM "];
        let inside = ["(", ")", "    `team_id`", "    `event`", ";", "ENGINE", "FROM ", "WHERE "];
        for line in script.lines().filter(|line| !line.is_empty()) {
            assert!(starts.iter().chain(&inside).any(|start| line.starts_with(start)), "{line:?}");
        }
        assert!(!script.contains("\nDROP TABLE t;"), "a title left its comment");
        assert!(!script.contains('\x1b'));
    }

    #[test]
    fn one_replica_has_its_own_statements_only() {
        let plan = fixture::plan(2);
        let second = sql(&plan, Some(ReplicaId::new(2, 2)));
        assert!(second.contains("-- replica s2r2 ch-2-2:9000"));
        assert!(!second.contains("-- replica s2r1"));
        assert!(!second.contains("INSERT INTO"), "the backfill runs on the first replica");
        assert!(second.contains("wait for backfill.s2 on s2r1"));
        let first = sql(&plan, Some(ReplicaId::new(2, 1)));
        let (_, copies) = first.split_once("] backfill.s2:").expect("the backfill");
        assert_eq!(copies.matches("\nINSERT INTO").count(), 6, "one copy for each known partition");
        assert!(copies.contains("WHERE _partition_id = '202406';"));
        assert!(!copies.contains("{chunk}"));
    }

    #[test]
    fn undo_is_commented_out_and_goes_backwards() {
        let script = sql(&fixture::plan(1), Some(ReplicaId::new(1, 1)));
        let (_, undo) = script.split_once("To take it back").expect("an undo part");
        assert!(undo.lines().skip(1).all(|line| line.starts_with("-- ")));
        let place = |text: &str| undo.find(text).unwrap_or_else(|| panic!("{text} is missing"));
        assert!(place("finalize.old.s1: no way back") < place("cutover.s1:"));
        assert!(place("cutover.s1:") < place("create.shadow.s1:"));
    }

    #[test]
    fn unknown_partitions_of_a_new_partition_key_are_left_to_the_reader() {
        let mut plan = fixture::plan(1);
        let Changed::Keys(rebuild) = &mut plan.change.what else { panic!("the fixture is a rebuild") };
        rebuild.after.partition = "toYYYYMMDD(timestamp)".to_owned();
        let script = sql(&plan, None);
        assert!(
            script.contains("\n--   ALTER TABLE `analytics`.`events__sw_5ca1ab1e_new` ATTACH PARTITION ID {chunk}")
        );
        assert!(!script.contains("\nALTER TABLE `analytics`.`events__sw_5ca1ab1e_new` ATTACH"));
    }

    #[test]
    fn a_semicolon_never_falls_into_a_comment() {
        assert_eq!(ended("SELECT 1 -- one"), "SELECT 1 -- one\n;");
        assert_eq!(ended("SELECT 1;\n"), "SELECT 1;");
        assert_eq!(ended("SELECT 1"), "SELECT 1;");
    }
}
