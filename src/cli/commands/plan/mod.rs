//! `plan`: from a statement to a plan's file.

pub(super) mod alter;
mod chain;
mod dependents;
mod evaluation;
mod reached;
pub(super) mod reshard;
mod retire;
mod survey;
mod target;
mod types;

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::super::args::{Global, Plan as Args, StrategyChoice};
use super::super::connect::{Connected, connect, timeout};
use super::super::exit_code::Exit;
use super::super::failure::Failure;
use super::super::output::{data, is_coloured, say, width};
use super::planned;
use crate::alter::is_alter;
use crate::assess::{self, Case, Finding};
use crate::catalog::Table;
use crate::change::{Change, DEFAULT_DATABASE};
use crate::ddl::{CreateTable, Statement, names_several_tables, one_statement, read_change};
use crate::evaluate::Report;
use crate::names::{ReplicaId, TableName};
use crate::plan::file::PlanFileError;
use crate::plan::{self, Plan, definition};
use crate::render;
use crate::server::{NormalizeCause, normal_form};
use crate::snapshot::Snapshot;

pub(in super::super) async fn run(global: &Global, args: &Args) -> Result<Exit, Failure> {
    let accepted = args.accepted.iter().map(|text| accepted(text)).collect::<Result<Vec<_>, _>>()?;
    let asked = asked(args)?;
    let is_alter = matches!(asked, Asked::Alter(_));
    refuse_unread_for(args, matches!(asked, Asked::Keys(..)))?;
    let report = args.evaluation.as_deref().map(|path| evaluation::read(path, is_alter)).transpose()?;
    let connected = connect(global).await?;
    let snapshot = connected.cluster.observe(timeout(&connected.config), None).await;
    refuse_unreachable(&snapshot)?;
    let work = work(&connected, &snapshot, asked, args).await?;
    if let (Some(Work::Alter(_)), Some(path)) = (&work, &args.evaluation) {
        evaluation::read(path, true)?;
    }
    refuse_unread_for(args, matches!(work, Some(Work::Rebuild(_) | Work::Reshard(_))))?;
    let plan = match work {
        None => None,
        Some(Work::Alter(sql)) => alter::plan(&connected, &snapshot, &sql, args, &accepted).await?,
        Some(Work::Rebuild(change)) => {
            rebuild(&connected, &snapshot, *change, args, report.as_ref(), &accepted).await?
        }
        Some(Work::Reshard(change)) => Some(reshard::plan(&snapshot, &change, args, &accepted)?),
    };
    let Some(plan) = plan else { return Ok(Exit::Done) };
    refuse_objections(&plan)?;
    write(&plan, &args.output)?;
    data(&render::terminal(&plan, width(), is_coloured()));
    say(&format!("written to {}", args.output.display()));
    planned::suggest("show --format markdown", &args.output);
    planned::suggest("execute", &args.output);
    Ok(if args.detailed_exitcode { Exit::HasChanges } else { Exit::Done })
}

/// What a person asks for.
enum Asked {
    /// An ALTER that needs no new table, or several of tables of one chain.
    Alter(String),
    /// Other keys, and the words for it.
    Keys(Box<Statement>, String),
    /// A definition to be reached.
    Target(Box<Statement>, String),
}

/// What is to be done about it.
enum Work {
    /// ALTERs of the tables that are there.
    Alter(String),
    /// The table is made anew.
    Rebuild(Box<Change>),
    /// Its rows go to other shards.
    Reshard(Box<Change>),
}

/// What the cluster's tables make of what was asked; none where they are as wanted.
async fn work(connected: &Connected, snapshot: &Snapshot, asked: Asked, args: &Args) -> Result<Option<Work>, Failure> {
    let work = match asked {
        Asked::Target(statement, sql) => target::work(connected, snapshot, *statement, sql, args).await?,
        Asked::Keys(statement, sql) => {
            let change = Change::resolve(&statement, &sql, snapshot).map_err(|error| Failure::of(&error))?;
            Some(Work::Rebuild(Box::new(change)))
        }
        Asked::Alter(text) => {
            let sql = chain::one_statement(&text, snapshot)?;
            Some(match types::change(&sql, snapshot) {
                Some(change) => Work::Rebuild(Box::new(change)),
                None => Work::Alter(sql),
            })
        }
    };
    if let Some(work) = &work {
        refuse_other_strategy(args.strategy, work)?;
    }
    Ok(work)
}

fn asked(args: &Args) -> Result<Asked, Failure> {
    let text = statement_text(args)?;
    let is_chain = names_several_tables(&text)?;
    let sql = if is_chain { text } else { one_statement(&text, |name| name.in_database(DEFAULT_DATABASE))? };
    let asked = if is_chain || is_alter(&sql) {
        Asked::Alter(sql)
    } else {
        match read_change(&sql)? {
            create @ Statement::Create(_) => return Ok(Asked::Target(Box::new(create), sql)),
            keys @ Statement::AlterKeys(_) => Asked::Keys(Box::new(keys), sql),
        }
    };
    if let Some(path) = &args.target {
        return Err(Failure::usage(format!(
            "--target {}: a target is a CREATE TABLE, and this is an ALTER",
            path.display()
        ))
        .hint("give an ALTER with --file"));
    }
    refuse_answers(args)?;
    Ok(asked)
}

/// Only a target leaves open what became of a column.
fn refuse_answers(args: &Args) -> Result<(), Failure> {
    if args.renames.is_empty() && !args.drop_and_add {
        return Ok(());
    }
    Err(Failure::usage("--rename and --drop-and-add say how a wanted CREATE TABLE is meant, and this is an ALTER")
        .hint("ALTER TABLE … RENAME COLUMN says itself what it means"))
}

/// A statement has one way to be carried out; a person who names another is told.
fn refuse_other_strategy(choice: StrategyChoice, work: &Work) -> Result<(), Failure> {
    match (choice, work) {
        (StrategyChoice::Mirror, Work::Alter(_)) => {
            Err(Failure::usage("--strategy mirror: the statement changes no key, so nothing is made anew")
                .hint("leave the strategy to `auto`"))
        }
        (StrategyChoice::Mirror | StrategyChoice::InPlace | StrategyChoice::Mutation, Work::Reshard(_)) => {
            let message = "another sharding key means that rows go to other shards: that takes the strategy reshard";
            Err(Failure::usage(message).hint("leave the strategy to `auto`"))
        }
        (StrategyChoice::Reshard, Work::Rebuild(_) | Work::Alter(_)) => {
            Err(Failure::usage("--strategy reshard: the statement changes no sharding key")
                .hint("leave the strategy to `auto`"))
        }
        (StrategyChoice::InPlace | StrategyChoice::Mutation, Work::Rebuild(_)) => Err(Failure::usage(
            "a sorting, primary or partition key, or the type of a column in it, cannot be changed in place",
        )
        .hint("leave the strategy to `auto`")),
        _ => Ok(()),
    }
}

fn refuse_unread_for(args: &Args, is_rebuild: bool) -> Result<(), Failure> {
    if args.unread_for.is_none() || !is_rebuild {
        return Ok(());
    }
    Err(Failure::usage("--unread-for: the statement drops no column").hint("it goes with ALTER TABLE … DROP COLUMN"))
}

/// The plan for another key or type; none where the table has it.
async fn rebuild(
    connected: &Connected,
    snapshot: &Snapshot,
    change: Change,
    args: &Args,
    report: Option<&Report>,
    accepted: &[(String, String)],
) -> Result<Option<Plan>, Failure> {
    let targets = normalise(connected, snapshot, &change).await?;
    let case = Case {
        snapshot,
        change: &change,
        target: &targets.wanted,
        written: targets.written.as_ref(),
        evaluation: None,
    };
    reached::refuse_direction_alone(&case)?;
    if reached::is_reached(&case) {
        say(&format!("no change: {} has these keys already", change.table));
        return Ok(None);
    }
    let evaluation = evaluation::of(&case, report)?;
    let case = Case { evaluation: evaluation.as_ref(), ..case };
    let findings = unblocked(assess::assess(&case), &change.table, accepted)?;
    let plan = plan::build(&case, findings, args.fence.into()).map_err(|error| Failure::of(&error))?;
    try_comparison(connected, &plan).await?;
    Ok(Some(plan))
}

/// The findings with those accepted marked. If one that forbids the plan stands, they are shown, and that is the end.
fn unblocked(
    findings: Vec<Finding>,
    table: &TableName,
    accepted: &[(String, String)],
) -> Result<Vec<Finding>, Failure> {
    let findings = accept(findings, accepted)?;
    if assess::is_blocked(&findings) {
        data(&render::findings(&findings, width(), is_coloured()));
        let message = format!("{table} is not planned: findings forbid it");
        return Err(Failure::new(message).exit(Exit::Blocked).hint("see docs/findings.md for each code"));
    }
    Ok(findings)
}

fn statement_text(args: &Args) -> Result<String, Failure> {
    match (&args.sql, args.file.as_ref().or(args.target.as_ref())) {
        (Some(sql), _) => Ok(sql.clone()),
        (None, Some(path)) => fs::read_to_string(path).map_err(|error| Failure::file("read", path, &error)),
        (None, None) => Err(Failure::usage("give the change with --sql, --file or --target")),
    }
}

fn refuse_unreachable(snapshot: &Snapshot) -> Result<(), Failure> {
    let missing: Vec<String> = snapshot
        .unreachable()
        .map(|(id, reason)| {
            let address = snapshot.topology.replica(id).map_or_else(String::new, crate::topology::Replica::address);
            format!("{id} ({address}): {reason}")
        })
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!("SW001: not every replica answers, so nothing is planned: {}", missing.join("; ")))
        .exit(Exit::Blocked)
        .hint("bring the replica back, or take it out of the cluster's definition"))
}

/// The wanted definition, and the written one if there is one, in the server's own words.
struct Targets {
    wanted: Table,
    written: Option<Table>,
}

fn refuse_without_scratch(connected: &Connected) -> Result<(), Failure> {
    if connected.config.policy.scratch {
        return Ok(());
    }
    Err(Failure::new("the policy forbids the scratch database in which the server checks the new definition")
        .hint("set `scratch = true` under [policy] in the config file"))
}

/// Has a server normalise the wanted definition in a scratch database, which also proves that it accepts it.
async fn normalise(connected: &Connected, snapshot: &Snapshot, change: &Change) -> Result<Targets, Failure> {
    refuse_without_scratch(connected)?;
    let Some((on, source)) = snapshot.replicas.keys().find_map(|id| Some((*id, snapshot.table(*id, &change.table)?)))
    else {
        return Err(Failure::new(format!("no replica has {}", change.table)));
    };
    let live = definition::live(source).map_err(|error| Failure::of(&error))?;
    let wanted = definition::with_keys(&live, &change.wanted, &change.table);
    let wanted = in_scratch(connected, on, &wanted, change).await?;
    let written = match &change.wanted.definition {
        None => None,
        Some(written) => Some(in_scratch(connected, on, written, change).await?),
    };
    Ok(Targets { wanted, written })
}

async fn in_scratch(
    connected: &Connected,
    on: ReplicaId,
    definition: &CreateTable,
    change: &Change,
) -> Result<Table, Failure> {
    let tag = format!("{:08x}", std::process::id());
    let create = |name: &TableName| definition::unreplicated(definition, name).to_sql();
    normal_form(&connected.cluster, on, &tag, create).await.map_err(|error| {
        let failure = Failure::of(&error);
        match error.cause {
            NormalizeCause::Refused(_) => {
                let message =
                    format!("the server does not accept the new definition of {}: {}", change.table, failure.message);
                Failure { message, ..failure }
            }
            _ => failure,
        }
    })
}

/// A finding's code and the reason for accepting it.
fn accepted(text: &str) -> Result<(String, String), Failure> {
    match text.split_once('=') {
        Some((code, reason)) if !code.is_empty() && !reason.trim().is_empty() => {
            Ok((code.to_owned(), reason.trim().to_owned()))
        }
        _ => Err(Failure::usage(format!(
            "--accept {text:?}: a code and a reason are needed, such as SW007='no duplicates'"
        ))),
    }
}

/// Marks findings as accepted. What would lose data or misses a replica cannot be accepted away.
fn accept(mut findings: Vec<Finding>, accepted: &[(String, String)]) -> Result<Vec<Finding>, Failure> {
    for (code, reason) in accepted {
        let mut found = findings.iter_mut().filter(|finding| &finding.code == code).peekable();
        if found.peek().is_none() {
            return Err(Failure::usage(format!("--accept {code}: there is no such finding")));
        }
        for finding in found {
            if finding.severity == assess::Severity::Blocker && !assess::ACCEPTABLE_BLOCKERS.contains(&code.as_str()) {
                return Err(Failure::usage(format!(
                    "--accept {code}: this blocker cannot be accepted: {}",
                    finding.what
                )));
            }
            finding.suppressed = Some(reason.clone());
        }
    }
    Ok(findings)
}

/// The checker objects to what was just built: a defect, and never something to carry out.
fn refuse_objections(plan: &Plan) -> Result<(), Failure> {
    let objections = plan::check(plan);
    if objections.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!("the plan does not pass the independent check: {}", objections.join("; ")))
        .hint("this is a defect of shardwright; please report it with the table's definition"))
}

/// Has the server read the comparison's queries without running them: a type that cannot be hashed shows now, not after the
/// copy.
async fn try_comparison(connected: &Connected, plan: &Plan) -> Result<(), Failure> {
    for (on, sql) in plan.comparison_queries().take(1) {
        let describe = format!("DESCRIBE TABLE ({sql})");
        let statement = crate::server::Statement::read(describe, timeout(&connected.config));
        connected.cluster.run(on, &statement).await.map_err(|error| {
            Failure::of(&error).hint("the table has a column that cannot be compared; nothing was planned")
        })?;
    }
    Ok(())
}

/// Writes the plan's file. A plan that is under way is never overwritten.
fn write(plan: &Plan, path: &Path) -> Result<(), Failure> {
    let (text, _) = plan::file::write(plan).map_err(|error| Failure::of(&error))?;
    refuse_other_file(path)?;
    set_journal_aside(path)?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let failed = |error: std::io::Error| Failure::file("write", path, &error);
    // Beside it and then in its place: a full disk leaves the old file as it was.
    let readable = fs::Permissions::from_mode(0o644);
    let mut file = tempfile::Builder::new().permissions(readable).tempfile_in(directory).map_err(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

/// Only an earlier plan may be written over.
fn refuse_other_file(path: &Path) -> Result<(), Failure> {
    let Ok(text) = fs::read_to_string(path) else { return Ok(()) };
    match plan::file::read(&text) {
        Err(PlanFileError::NotJson(_) | PlanFileError::NotAPlan(_)) if !text.is_empty() => {
            Err(Failure::new(format!("{} is there and is no plan", path.display()))
                .hint("write to another file with -o"))
        }
        _ => Ok(()),
    }
}

/// The journal of the plan that the file held before is kept under that plan's id, once the plan is at its end.
fn set_journal_aside(path: &Path) -> Result<(), Failure> {
    let journal = planned::journal_path(path);
    if !journal.exists() {
        return Ok(());
    }
    let old = planned::read(path)?;
    let progress = planned::progress(path, &old)?;
    let is_over = progress.touched().next().is_none() || old.plan.steps.iter().all(|step| progress.is_done(&step.id));
    if !is_over {
        let message = format!("{} holds a plan that is under way", path.display());
        return Err(Failure::new(message).hint("finalize it or roll it back first, or write to another file with -o"));
    }
    let aside = free_name(path, &old.plan.id);
    fs::rename(&journal, &aside).map_err(|error| Failure::file("rename", &journal, &error))?;
    say(&format!("the journal of the earlier plan is kept as {}", aside.display()));
    Ok(())
}

/// A name beside the plan that no earlier journal has: the same plan may have been made, and rolled back, before.
fn free_name(path: &Path, id: &str) -> PathBuf {
    let name = |number: u32| path.with_extension(format!("{id}-{number}.journal.jsonl"));
    (1..u32::MAX).map(name).find(|name| !name.exists()).unwrap_or_else(|| name(0))
}
