//! Plans for an ALTER that needs no rebuild: its orders are tried on empty tables, then the plan is built from what came out.

use super::super::super::args::{Plan as Args, StrategyChoice};
use super::super::super::connect::Connected;
use super::super::super::failure::Failure;
use super::super::super::output::say;
use super::retire::retire;
use super::survey::survey;
use super::{refuse_without_scratch, unblocked};
use crate::alter::{
    Alter, AlterError, Altered, Back, Claim, Order, Place, Stage, Tried, mark_retired, marked_since, resolve,
    trials_of, unmark,
};
use crate::assess::{AlterCase, Survey, assess_alter};
use crate::catalog::Table;
use crate::ddl::{ItemKind, read_table};
use crate::names::{ReplicaId, TableName};
use crate::plan::definition::unreplicated;
use crate::plan::{self, Action, Plan, Strategy};
use crate::server::{Alterations, alterations};
use crate::snapshot::Snapshot;

/// The plan; none where all tables are as wanted.
pub(super) async fn plan(
    connected: &Connected,
    snapshot: &Snapshot,
    sql: &str,
    args: &Args,
    accepted: &[(String, String)],
) -> Result<Option<Plan>, Failure> {
    refuse_without_scratch(connected)?;
    let mut alter = resolve(sql, snapshot).map_err(refused)?;
    let retiring = match args.unread_for {
        Some(seconds) => Some(retire(connected, snapshot, &mut alter, seconds, args).await?),
        None => None,
    };
    drop_bad_marks(connected, &mut alter).await?;
    let alter = alter;
    let table = &alter.change.table;
    let local = local_table(snapshot, table)?;
    let survey = survey(connected, snapshot, &alter, local).await?;
    let case = AlterCase {
        snapshot,
        alter: &alter,
        tried: &[],
        local,
        retirement: retiring.as_ref().map(|it| &it.retirement),
        survey: &survey,
    };
    let findings = unblocked(assess_alter(&case), table, accepted)?;
    let tried = try_all(connected, &alter).await?;
    if tried.iter().all(|tried| tried.stages.is_empty()) {
        say(&format!("no change: {table} and the tables over it are as wanted already"));
        alter.reached.iter().for_each(|reached| say(reached));
        return Ok(None);
    }
    let unread = retiring.as_ref().map(|it| &it.unread);
    let plan = plan::build_alter(&AlterCase { tried: &tried, ..case }, findings, unread);
    let plan = plan.map_err(|error| Failure::of(&error))?;
    refuse_strategy(args.strategy, plan.strategy)?;
    Ok(Some(plan))
}

/// The plan for the statement of another plan, on other servers, whatever would be said of it there.
pub(in super::super) async fn again(connected: &Connected, snapshot: &Snapshot, plan: &Plan) -> Result<Plan, Failure> {
    refuse_without_scratch(connected)?;
    let mut alter = resolve(&plan.change.statement, snapshot).map_err(refused)?;
    let mut sent = plan.steps.iter().flat_map(|step| step.action.runs()).flat_map(|run| &run.sql);
    if let Some(day) = sent.find_map(|sql| marked_since(sql)) {
        mark_retired(&mut alter, snapshot, day).map_err(|error| Failure::of(&error))?;
    }
    drop_bad_marks(connected, &mut alter).await?;
    let tried = try_all(connected, &alter).await?;
    let local = local_table(snapshot, &alter.change.table)?;
    let retirement = plan.retirement.as_ref();
    let survey = Survey::default();
    let case = AlterCase { snapshot, alter: &alter, tried: &tried, local, retirement, survey: &survey };
    let unread = plan.steps.iter().find_map(|step| match &step.action {
        Action::Unread(unread) => Some(&**unread),
        _ => None,
    });
    plan::build_alter(&case, Vec::new(), unread).map_err(|error| Failure::of(&error))
}

fn local_table<'s>(snapshot: &'s Snapshot, name: &TableName) -> Result<&'s Table, Failure> {
    let local = snapshot.replicas.keys().find_map(|id| snapshot.table(*id, name));
    local.ok_or_else(|| Failure::new(format!("no replica has {name}")))
}

fn refused(error: AlterError) -> Failure {
    match error {
        AlterError::Unreadable { source, .. } => Failure::from(*source),
        other => Failure::of(&other).hint(other.hint()),
    }
}

fn refuse_strategy(choice: StrategyChoice, strategy: Strategy) -> Result<(), Failure> {
    match (choice, strategy) {
        (StrategyChoice::InPlace, Strategy::Mutation) => {
            Err(Failure::usage("--strategy in_place: for this ALTER the servers write parts anew, by a mutation")
                .hint("docs/alters.md says which do; leave the strategy to `auto`"))
        }
        (StrategyChoice::Mutation, Strategy::InPlace) => {
            Err(Failure::usage("--strategy mutation: this ALTER changes definitions alone")
                .hint("leave the strategy to `auto`"))
        }
        _ => Ok(()),
    }
}

/// A mark that a server does not take, that costs it a column or that cannot be taken off again is left out.
async fn drop_bad_marks(connected: &Connected, alter: &mut Alter) -> Result<(), Failure> {
    for order in &mut alter.orders {
        let Some(mark) = order.stages.first().filter(|stage| stage.place == Place::Mark) else { continue };
        let mut is_good = false;
        for trial in trials_of(std::slice::from_ref(mark)) {
            let found = on_scratch(connected, order, &trial).await?;
            let [live, marked, again] = found.definitions.as_slice() else { continue };
            let columns =
                |text: &String| read_table(text).map(|read| read.column_names().map(str::to_owned).collect::<Vec<_>>());
            is_good |= live == again && matches!((columns(live), columns(marked)), (Ok(a), Ok(b)) if a == b);
        }
        if !is_good {
            unmark(order);
        }
    }
    Ok(())
}

async fn try_all(connected: &Connected, alter: &Alter) -> Result<Vec<Tried>, Failure> {
    let mut tried = Vec::new();
    for order in &alter.orders {
        for claim in &order.claims {
            hold(connected, order, claim).await?;
        }
        tried.push(Tried { stages: try_order(connected, order).await?, order: order.clone() });
    }
    Ok(tried)
}

/// What is there must be what is wanted: to modify the column so must change nothing.
async fn hold(connected: &Connected, order: &Order, claim: &Claim) -> Result<(), Failure> {
    let found = on_scratch(connected, order, &claim.trial).await?;
    let same = found.refused.is_none() && same_items(found.definitions.first(), found.definitions.last());
    // A default that is there and not wanted is left by MODIFY COLUMN on new servers.
    let has_default = |text: &str| ["DEFAULT", "MATERIALIZED", "ALIAS"].iter().any(|word| text.contains(word));
    if same && has_default(&claim.there) == has_default(&claim.wanted) {
        return Ok(());
    }
    let Claim { what, there, wanted, .. } = claim;
    let message = format!("{} has {what} already, and it is another one: `{there}`, not `{wanted}`", order.table);
    Err(Failure::new(message)
        .hint("choose another name, change a column with MODIFY COLUMN, or drop what is there by a plan of its own"))
}

/// Whether two definitions are the same, in whatever order their indexes and the like stand.
fn same_items(one: Option<&String>, other: Option<&String>) -> bool {
    let sorted = |text: &String| {
        let mut read = read_table(text).ok()?;
        read.items.sort_by_key(|item| match item.kind {
            ItemKind::Column { .. } => String::new(),
            _ => item.text.text.clone(),
        });
        Some(read.to_sql())
    };
    one == other || one.and_then(sorted).zip(other.and_then(sorted)).is_some_and(|(one, other)| one == other)
}

async fn try_order(connected: &Connected, order: &Order) -> Result<Vec<Altered>, Failure> {
    let mut all: Vec<Altered> = Vec::new();
    for number in 0..order.stages.len() {
        let altered = try_stage(connected, order, &order.stages[..=number], all.is_empty()).await?;
        if altered.changes() {
            all.push(altered);
        }
    }
    Ok(all)
}

/// Tries the last of these stages after those before it, and its ways back one by one until one leads back.
async fn try_stage(connected: &Connected, order: &Order, stages: &[Stage], is_first: bool) -> Result<Altered, Failure> {
    let (count, mut altered) = (stages.len(), None);
    for trial in trials_of(stages) {
        let found = on_scratch(connected, order, &trial).await?;
        let text = |at: usize| found.definitions.get(at).cloned();
        let (Some(before), Some(after)) = (text(count - 1), text(count)) else {
            return Err(refusal(order, &found, &stages[count - 1]));
        };
        let leads_back = text(count + 1).is_some_and(|again| again == before) && found.refused.is_none();
        let way_back = trial.get(count).filter(|_| leads_back).cloned();
        let stage = stages[count - 1].clone();
        let done = way_back.is_some() || !matches!(stage.back, Back::Ways(_));
        altered = Some(Altered { stage, is_first, before, after, way_back });
        if done {
            break;
        }
    }
    altered.ok_or_else(|| Failure::new(format!("nothing was tried on {}", order.table)))
}

fn refusal(order: &Order, found: &Alterations, stage: &Stage) -> Failure {
    let why = found.refused.as_ref().map_or_else(String::new, ToString::to_string);
    let statement = stage.sql.split(" AND ('\0").next().unwrap_or_default();
    Failure::new(format!("the server does not take `ALTER TABLE {} {statement}`: {why}", order.table.sql()))
        .hint("it was tried on an empty table of the same definition; nothing was changed")
}

async fn on_scratch(connected: &Connected, order: &Order, commands: &[String]) -> Result<Alterations, Failure> {
    let Some(on) = order.on.first() else { return Err(Failure::new(format!("no replica has {}", order.table))) };
    let tag = format!("{:08x}", std::process::id());
    let create = |name: &TableName| unreplicated(&order.definition, name).to_sql();
    let on: ReplicaId = *on;
    alterations(&connected.cluster, on, &tag, create, commands).await.map_err(|error| {
        let failure = Failure::of(&error);
        let message = format!("{} cannot be tried on an empty table: {}", order.table, failure.message);
        Failure { message, ..failure }
    })
}
