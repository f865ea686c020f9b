//! A step's action as the lines that a person would run and read, in order.

use crate::names::ReplicaId;
use crate::plan::{
    Action, AwaitMutations, Backfill, CatchUp, Compare, CompareMode, Drain, Feed, GapBy, PartitionSize, Probe, ProbeOn,
    Ready, Redistribute, Run, Settle, Swap, Template, Undo, Unread,
};

/// Lines for the same replicas.
#[derive(Debug)]
pub struct Passage<'p> {
    /// The replicas on which every line is run.
    pub on: Vec<ReplicaId>,
    /// Whether they take turns.
    pub turn: Turn,
    /// How often.
    pub repeat: Repeat<'p>,
    /// The lines, in order.
    pub lines: Vec<Line<'p>>,
}

/// How the replicas of a passage follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// In any order, or at the same time.
    Together,
    /// Each replica runs all lines before the next one begins.
    OneByOne,
}

/// How often the lines of a passage are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat<'p> {
    /// Once.
    Once,
    /// For each chunk of the list before; these partitions were there when the plan was made.
    EachChunk(&'p [PartitionSize]),
}

/// A query or statement.
#[derive(Debug)]
pub struct Line<'p> {
    /// What it is for.
    pub role: Role,
    /// What it asks or does, and what to make of the answer.
    pub says: &'p str,
    /// The SQL.
    pub sql: Sql<'p>,
    /// The exact answer as tab-separated text, where it is known beforehand; empty where no row must come back.
    pub expect: Option<&'p str>,
}

/// What a line is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Asks whether the step may begin.
    Before,
    /// Asks something that the step is about, or that its next line needs.
    Ask,
    /// Does something.
    Do,
    /// Asks whether it was done.
    After,
    /// Asks what the tool watches while it waits; a person need not.
    Watch,
}

/// SQL, perhaps with a hole for a partition id.
#[derive(Debug, Clone, Copy)]
pub enum Sql<'p> {
    /// Complete.
    Fixed(&'p str),
    /// `{chunk}` is the chunk's partition id.
    Chunk(&'p Template),
    /// `{chunk}` is the id of a partition of the staging table; `same` where that is always the chunk's own.
    Staged {
        /// The SQL.
        sql: &'p Template,
        /// Whether the chunk becomes exactly one partition of the same id.
        same: bool,
    },
}

/// How a step is taken back.
#[derive(Debug)]
pub enum UndoWay<'p> {
    /// By these passages.
    Run(Vec<Passage<'p>>),
    /// There is nothing to take back, for this reason.
    Nothing(&'p str),
    /// It cannot be taken back, for this reason.
    Impossible(&'p str),
}

impl Sql<'_> {
    /// The SQL as people read it, with `{chunk}` where the hole is.
    pub fn shown(&self) -> String {
        match self {
            Self::Fixed(sql) => (*sql).to_owned(),
            Self::Chunk(template) | Self::Staged { sql: template, .. } => template.to_string(),
        }
    }

    /// The SQL for one chunk; none where the partition is not known before the copy is made.
    pub fn filled(&self, chunk: &str) -> Option<String> {
        match self {
            Self::Fixed(sql) => Some((*sql).to_owned()),
            Self::Chunk(template) | Self::Staged { sql: template, same: true } => Some(template.fill(chunk)),
            Self::Staged { same: false, .. } => None,
        }
    }
}

impl Role {
    /// A word for it, for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Before => "check before",
            Self::Ask => "ask",
            Self::Do => "run",
            Self::After => "check after",
            Self::Watch => "watch",
        }
    }
}

/// What is done for an action. `known` are the partitions of a backfill replica when the plan was made.
pub(super) fn of<'p>(
    action: &'p Action,
    known: impl Fn(ReplicaId) -> &'p [PartitionSize],
    same_partitions: bool,
) -> Vec<Passage<'p>> {
    match action {
        Action::Gate { .. } => Vec::new(),
        Action::Check { probes } => probes.iter().map(check).collect(),
        Action::Run { one_by_one, runs } => runs.iter().map(|one| run(one, *one_by_one)).collect(),
        Action::Settle(work) => settle(work, known(work.on)),
        Action::Backfill(copy) => backfill(copy, same_partitions),
        Action::Swap(work) => swap(work),
        Action::CatchUp(wait) => vec![catch_up(wait)],
        Action::Drain(wait) => vec![drain(wait)],
        Action::AwaitMutations(wait) => mutations(wait),
        Action::Unread(work) => unread(work),
        Action::Compare(tables) => vec![compare(tables)],
        Action::Ready(ready) => fit(ready),
        Action::Redistribute(work) => redistribute(work),
    }
}

pub(super) fn undo(undo: &Undo) -> UndoWay<'_> {
    match undo {
        Undo::Run { one_by_one, runs, then } => {
            let runs = runs.iter().map(|one| run(one, *one_by_one));
            let then = then.iter().flat_map(|action| of(action, |_| &[], false));
            UndoWay::Run(runs.chain(then).collect())
        }
        Undo::Nothing { because } => UndoWay::Nothing(because),
        Undo::Impossible { because } => UndoWay::Impossible(because),
    }
}

fn check(probe: &ProbeOn) -> Passage<'_> {
    once(probe.on.clone(), vec![probed(Role::Ask, &probe.probe)])
}

fn run(run: &Run, one_by_one: bool) -> Passage<'_> {
    let mut lines: Vec<Line> = run.before.iter().map(|probe| probed(Role::Before, probe)).collect();
    lines.extend(run.sql.iter().map(|sql| line(Role::Do, "", Sql::Fixed(sql))));
    lines.extend(run.after.iter().map(|probe| probed(Role::After, probe)));
    let turn = if one_by_one { Turn::OneByOne } else { Turn::Together };
    Passage { turn, ..once(run.on.clone(), lines) }
}

fn settle<'p>(work: &'p Settle, known: &'p [PartitionSize]) -> Vec<Passage<'p>> {
    let all = &work.unmirror.on;
    let mut passages: Vec<Passage> = work.before.iter().map(check).collect();
    let merges = |says, statements: &'p [String]| {
        once(all.clone(), statements.iter().map(|sql| line(Role::Do, says, Sql::Fixed(sql))).collect())
    };
    let feeds = |says, sql: fn(&Feed) -> &String| {
        work.feeds.iter().map(move |feed| once(feed.on.clone(), vec![line(Role::Do, says, Sql::Fixed(sql(feed)))]))
    };
    passages.extend(feeds("stops what writes by itself", |feed| &feed.stop));
    passages
        .push(merges("stops merges for a moment, so that parts stay the inserts that they were", &work.stop_merges));
    let parts =
        line(Role::Ask, "lists the parts of the source: those of this list are cloned", Sql::Fixed(&work.parts));
    passages.push(once(vec![work.on], vec![parts]));
    let each = vec![line(Role::Do, "clones one partition by hard links", Sql::Chunk(&work.clone))];
    passages.push(chunks(work.on, known, each));
    let cloned = vec![
        line(
            Role::Ask,
            "lists the clones: where there are more than were listed, some came in meanwhile",
            Sql::Fixed(&work.cloned),
        ),
        line(
            Role::Watch,
            "parts that came in meanwhile: those with the same answer as a clone are cloned",
            Sql::Chunk(&work.digest),
        ),
        line(Role::Watch, "the same of the clones", Sql::Chunk(&work.digest_cloned)),
    ];
    passages.push(once(vec![work.on], cloned));
    passages.extend(work.mirror.iter().map(|one| run(one, false)));
    passages.push(drain(&work.drain));
    passages.push(once(vec![work.on], gap(work)));
    passages.push(merges("starts merges again, whatever happened", &work.start_merges));
    passages.extend(feeds("starts it again", |feed| &feed.start));
    passages
}

fn redistribute(work: &Redistribute) -> Vec<Passage<'_>> {
    let mut passages = Vec::new();
    if let Some(last) = &work.last {
        passages.extend(last.finish.iter().map(|one| run(one, true)));
    }
    passages.extend(work.before.iter().map(check));
    let digests = |says| work.digests.iter().map(|sql| line(Role::Ask, says, Sql::Chunk(sql))).collect();
    let says = "partition, rows and sum of hashes of one table and of the other: added up over one replica of each shard they tell which \
                partitions differ";
    passages.push(once(work.on.clone(), digests(says)));
    let says = "of a partition of which nothing was sent: each shard sends its rows";
    passages.push(once(work.homes.clone(), vec![line(Role::Do, says, Sql::Chunk(&work.copy))]));
    let first: Vec<ReplicaId> = work.homes.iter().take(1).copied().collect();
    let says =
        "of a partition that differs otherwise: how often rows are lacking over all shards, and how many such rows";
    let mut single = vec![
        line(Role::Ask, says, Sql::Chunk(&work.lacking)),
        line(Role::Do, "sends those, for each number of times", Sql::Chunk(&work.send)),
    ];
    let says = "begins anew with a partition that has rows which it should not have, on one replica of each shard";
    single.extend(work.clear.iter().map(|clear| line(Role::Do, says, Sql::Chunk(clear))));
    passages.push(once(first.clone(), single));
    let Some(last) = &work.last else { return passages };
    let feeds = |says, sql: fn(&Feed) -> &String| {
        last.feeds.iter().map(move |feed| once(feed.on.clone(), vec![line(Role::Do, says, Sql::Fixed(sql(feed)))]))
    };
    passages.extend(feeds("stops what writes by itself", |feed| &feed.stop));
    passages.extend(work.drains.iter().map(drain));
    let says = "with writers still: the same once more; names are swapped only where no partition differs";
    passages.push(once(work.on.clone(), digests(says)));
    passages.extend(last.runs.iter().map(|one| run(one, true)));
    let says = "rows that came to the old data all the same: there must be none";
    passages.push(once(first, vec![line(Role::Ask, says, Sql::Chunk(&last.behind))]));
    passages.extend(feeds("starts it again", |feed| &feed.start));
    passages
}

fn swap(work: &Swap) -> Vec<Passage<'_>> {
    let on_all = |says, statements| -> Passage<'_> { once(work.compare.on.clone(), all_lines(says, statements)) };
    let parts = |says| work.parts.iter().map(|sql| line(Role::Ask, says, Sql::Fixed(sql))).collect();
    let mut passages = vec![
        on_all("stops merges for a moment, so that parts stay the inserts that they were", &work.stop_merges),
        once(vec![work.on], parts("lists the parts of one table before the swap")),
    ];
    passages.extend(work.runs.iter().map(|one| run(one, true)));
    passages.push(drain(&work.compare.drain));
    let mut told: Vec<Line> = parts("lists them again: {parts} are those that have come");
    let digests = work.digests.iter().flatten();
    let says = "rows and sum of hashes of what has come: what the old data has twice and the new table not at all is brought over";
    told.extend(digests.map(|sql| line(Role::Ask, says, Sql::Chunk(sql))));
    told.push(line(Role::Do, "empties the staging table", Sql::Fixed(&work.clear)));
    told.push(line(Role::Do, "copies such parts, one of each two", Sql::Chunk(&work.copy)));
    told.push(line(
        Role::Ask,
        "lists the partitions of the staging table, each {chunk} in turn",
        Sql::Fixed(&work.staged),
    ));
    told.push(line(
        Role::Do,
        "attaches a partition of the staging table to the table that is read and written",
        Sql::Staged { sql: &work.attach, same: false },
    ));
    passages.push(once(vec![work.on], told));
    passages.push(on_all("starts merges again, whatever happened", &work.start_merges));
    passages.push(compare(&work.compare));
    passages
}

fn all_lines<'p>(says: &'static str, statements: &'p [String]) -> Vec<Line<'p>> {
    statements.iter().map(|sql| line(Role::Do, says, Sql::Fixed(sql))).collect()
}

fn gap(work: &Settle) -> Vec<Line<'_>> {
    let found = match work.gap.by {
        GapBy::Row => {
            "how many rows of each of these parts are in the shadow table: all, or the mirror did not write it"
        }
        GapBy::Part => {
            "how many rows of each of these parts are in the shadow table: all or none, else writers must pause"
        }
    };
    vec![
        line(Role::Ask, "lists the parts again: {parts} are those that have come", Sql::Fixed(&work.parts)),
        line(Role::Ask, found, Sql::Chunk(&work.gap.found)),
        line(Role::Do, "copies the parts that the mirror did not write", Sql::Chunk(&work.gap.copy)),
        line(
            Role::Ask,
            "of the other parts: how often rows are lacking, and how many such rows",
            Sql::Chunk(&work.gap.lacking),
        ),
        line(Role::Do, "copies those, for each number of times", Sql::Chunk(&work.gap.copy_rows)),
        line(
            Role::Ask,
            "lists the partitions of the staging table, each {chunk} in turn",
            Sql::Fixed(&work.gap.staged),
        ),
        line(
            Role::Do,
            "attaches a partition of the staging table to the shadow table",
            Sql::Staged { sql: &work.gap.attach, same: false },
        ),
        line(Role::Do, "empties the staging table", Sql::Fixed(&work.gap.clear)),
    ]
}

fn drain(wait: &Drain) -> Passage<'_> {
    let mut lines: Vec<Line> =
        wait.flush.iter().map(|sql| line(Role::Do, "writes queued inserts out", Sql::Fixed(sql))).collect();
    lines.push(line(
        Role::Ask,
        "lists the inserts that run: wait until all of these are gone",
        Sql::Fixed(&wait.inserts),
    ));
    let by_hand = |wait| line(Role::Do, "waits for the replica, once merges run", Sql::Fixed(wait));
    lines.extend(wait.catch_up.iter().map(|wait| by_hand(&wait.by_hand)));
    once(wait.on.clone(), lines)
}

fn mutations(wait: &AwaitMutations) -> Vec<Passage<'_>> {
    let says = "lists mutations (id, done, parts to do, command, why it fails): wait until each of them is done, on every replica";
    wait.groups
        .iter()
        .map(|group| {
            let watch = line(Role::Watch, "progress on large parts", Sql::Fixed(&wait.progress));
            once(group.on.clone(), vec![line(Role::Ask, says, Sql::Fixed(&group.list)), watch])
        })
        .collect()
}

fn unread(work: &Unread) -> Vec<Passage<'_>> {
    let mut passages = Vec::new();
    for log in &work.logs {
        let mut lines = vec![
            line(Role::Do, "writes the log out", Sql::Fixed(&work.flush)),
            line(Role::Before, "1: there is a log", Sql::Fixed(&work.is_there)),
            line(
                Role::Before,
                "settings under which queries are left out of it: log_queries must be 1",
                Sql::Fixed(&work.settings),
            ),
            line(Role::Before, "the time of day, and how many seconds the log reaches back", Sql::Fixed(&work.reach)),
            line(Role::Ask, "what leads to the table: by these names queries reach it", Sql::Fixed(&work.definitions)),
            line(
                Role::Ask,
                "queries of the log, and those that run, that have one of `{names}` in them: none may use the column",
                Sql::Chunk(&log.uses),
            ),
            line(
                Role::Ask,
                "which of the queries that other servers sent come from clients of these",
                Sql::Chunk(&log.senders),
            ),
        ];
        let whose = "the same of profiles, users and roles, where it may be asked";
        let profiles = log.profiles.iter().map(|sql| line(Role::Before, whose, Sql::Fixed(sql)));
        lines.splice(3..3, profiles);
        passages.push(once(log.on.clone(), lines));
    }
    passages
}

fn backfill(copy: &Backfill, same: bool) -> Vec<Passage<'_>> {
    let mut first: Vec<Line> = copy.before.iter().map(|probe| probed(Role::Before, probe)).collect();
    first.push(line(Role::Ask, "lists the chunks to copy, partitions of the snapshot", Sql::Fixed(&copy.list)));
    let mut each: Vec<Line> =
        copy.clear.iter().map(|sql| line(Role::Do, "empties the staging table", Sql::Fixed(sql))).collect();
    each.extend([
        line(Role::Do, "copies the chunk into the staging table", Sql::Chunk(&copy.copy)),
        line(Role::Ask, "counts the chunk's rows and sums their hashes", Sql::Chunk(&copy.digest_source)),
        line(Role::After, "the same of the copy: both answers must agree", Sql::Fixed(&copy.digest_staging)),
        line(Role::Ask, staged_says(same), Sql::Fixed(&copy.staged)),
        line(
            Role::Before,
            "rows of it that the shadow table holds already: attach only while the answer is 0",
            Sql::Staged { sql: &copy.landed, same },
        ),
        line(
            Role::Do,
            "attaches a partition of the staging table to the shadow table",
            Sql::Staged { sql: &copy.attach, same },
        ),
    ]);
    vec![once(vec![copy.on], first), chunks(copy.on, &copy.partitions, each)]
}

fn staged_says(same: bool) -> &'static str {
    if same {
        "lists the partitions of the staging table: the chunk's own, and no other"
    } else {
        "lists the partitions of the staging table; from here on {chunk} stands for each of these in turn"
    }
}

fn catch_up(wait: &CatchUp) -> Passage<'_> {
    let lines = vec![
        line(Role::Do, "waits for the replica", Sql::Fixed(&wait.by_hand)),
        line(
            Role::Watch,
            "last position in the replication log; the largest answer is the mark",
            Sql::Fixed(&wait.mark),
        ),
        line(Role::Watch, "how far the replica has read the log: it must pass the mark", Sql::Fixed(&wait.pointer)),
        line(Role::Watch, "parts still to get: those listed once the mark is passed must go", Sql::Fixed(&wait.queue)),
    ];
    once(wait.on.clone(), lines)
}

fn compare(tables: &Compare) -> Passage<'_> {
    let counted = match tables.mode {
        CompareMode::Rows => "each partition with its rows and the sum of their hashes",
        CompareMode::Final => "each partition with its rows after merging, and the sum of their hashes",
        CompareMode::Keys => {
            "each partition with its groups of rows that no merge takes apart, and the sum of hashes of what no merge changes of each"
        }
    };
    let other = "the same of the other table: both answers must agree, line by line; where rows come in, look closer";
    let suspects = "rows that one side has more often, in the partitions that differ and in such buckets";
    once(
        tables.on.clone(),
        vec![
            line(Role::Ask, counted, Sql::Fixed(&tables.left)),
            line(Role::After, other, Sql::Fixed(&tables.right)),
            line(Role::Watch, "buckets of rows in which partitions differ", Sql::Chunk(&tables.drill.buckets)),
            line(Role::Watch, suspects, Sql::Chunk(&tables.drill.suspects)),
        ],
    )
}

fn fit(ready: &Ready) -> Vec<Passage<'_>> {
    let says = "parts of a table that were there before its comparison must be there, as they were or merged: else compare that shard again";
    let watched = ready.watches.chunk_by(|one, next| one.parts == next.parts).map(|same| {
        let lists = same.first().into_iter().flat_map(|watch| &watch.parts);
        let lines = lists.map(|sql| line(Role::Watch, says, Sql::Fixed(sql))).collect();
        once(same.iter().map(|watch| watch.on).collect(), lines)
    });
    let still = ready.stills.iter().map(|still| {
        let says = "writers must be still: the inserts that had begun have ended, and";
        let blocks = still.blocks.iter().map(|sql| line(Role::Watch, "none has come for a second", Sql::Fixed(sql)));
        let lines = std::iter::once(line(Role::Watch, says, Sql::Fixed(&still.drain.inserts))).chain(blocks);
        once(still.drain.on.clone(), lines.collect())
    });
    ready.probes.iter().map(check).chain(watched).chain(still).collect()
}

fn once(on: Vec<ReplicaId>, lines: Vec<Line<'_>>) -> Passage<'_> {
    Passage { on, turn: Turn::Together, repeat: Repeat::Once, lines }
}

fn chunks<'p>(on: ReplicaId, known: &'p [PartitionSize], lines: Vec<Line<'p>>) -> Passage<'p> {
    Passage { on: vec![on], turn: Turn::Together, repeat: Repeat::EachChunk(known), lines }
}

fn probed(role: Role, probe: &Probe) -> Line<'_> {
    Line { role, says: &probe.says, sql: Sql::Fixed(&probe.sql), expect: Some(&probe.expect) }
}

fn line<'p>(role: Role, says: &'static str, sql: Sql<'p>) -> Line<'p> {
    Line { role, says, sql, expect: None }
}
