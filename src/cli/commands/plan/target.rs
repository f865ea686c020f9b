//! A wanted definition held against the live one: nothing to do, an ALTER, or other keys.

use super::super::super::args::Plan as Args;
use super::super::super::connect::Connected;
use super::super::super::exit_code::Exit;
use super::super::super::failure::Failure;
use super::super::super::output::say;
use super::{Work, refuse_without_scratch, types};
use crate::alter::definitions;
use crate::change::{Change, DEFAULT_DATABASE, Sharding, Wanted};
use crate::ddl::{CreateTable, Statement, joined, read_declaration, read_engine, read_table};
use crate::names::{ReplicaId, TableName};
use crate::plan::definition::unreplicated;
use crate::server::{Alterations, NormalizeCause, alterations};
use crate::snapshot::{Capability, Snapshot};
use crate::target::{self, Answers, Difference, TargetError};
use crate::words::list;

/// What the target asks for; none where the table is so already.
pub(super) async fn work(
    connected: &Connected,
    snapshot: &Snapshot,
    statement: Statement,
    sql: String,
    args: &Args,
) -> Result<Option<Work>, Failure> {
    refuse_without_scratch(connected)?;
    let mut change = Change::resolve(&statement, &sql, snapshot).map_err(|error| Failure::of(&error))?;
    let Statement::Create(wanted) = &statement else { return Ok(Some(Work::Rebuild(Box::new(change)))) };
    let table = &compared(wanted, &change, snapshot);
    let bench = Bench { connected, table, wanted, removes: snapshot.all_have(Capability::MutationsSync) };
    let answers = Answers { renames: &args.renames, drop_and_add: args.drop_and_add };
    let mut found = None;
    for (live, on) in definitions(table, snapshot).map_err(|error| Failure::of(&error))? {
        let Some(on) = on.first() else { continue };
        let mut difference = bench.difference(&live, *on, answers).await?;
        difference.engine |= replication_differs(table, wanted, snapshot);
        if !difference.is_empty() {
            found = Some((live, *on, difference));
            break;
        }
    }
    let Some((live, on, mut difference)) = found else {
        refuse_missing(table, &change, snapshot)?;
        say(&format!("no change: {table} is as wanted already"));
        return Ok(None);
    };
    let typed =
        if *table == change.table { types::taken_out(&mut difference.commands, table, snapshot) } else { Vec::new() };
    if difference.engine || !difference.keys.is_empty() || !typed.is_empty() {
        if let Some(key) = bench.sharding_key(&live, on, &difference).await? {
            let sharding = Some(Sharding { distributed: table.clone(), key });
            change.wanted = Wanted { sharding, ..Wanted::default() };
            return Ok(Some(Work::Reshard(Box::new(change))));
        }
        refuse_other_distributed(table, &live)?;
        tell_of_rest(table, &difference, !typed.is_empty());
        change.wanted.types = bench.types(&typed, on).await?;
        return Ok(Some(Work::Rebuild(Box::new(change))));
    }
    bench.prove(&live, on, &difference).await?;
    say(&format!("the target takes {}", alter(table, &difference)));
    Ok(Some(Work::Alter(alter(table, &difference))))
}

/// A sharding key of a `Distributed` table in a server's words.
pub(super) async fn sharding_key(
    connected: &Connected,
    table: &TableName,
    live: &CreateTable,
    key: &str,
    on: ReplicaId,
) -> Result<String, Failure> {
    let wanted = &CreateTable { engine: live.engine.with_sharding_key(Some(key)), ..live.clone() };
    let bench = Bench { connected, table, wanted, removes: false };
    let found = bench.definition(wanted, on, "the wanted").await?.engine.distributed();
    Ok(found.and_then(|args| args.sharding_key).unwrap_or_else(|| key.to_owned()))
}

/// The table whose definition is meant: the local one, unless the target is that of a `Distributed` table.
fn compared(wanted: &CreateTable, change: &Change, snapshot: &Snapshot) -> TableName {
    let named = wanted.name.in_database(DEFAULT_DATABASE);
    let is_distributed = |table: &crate::catalog::Table| table.engine == "Distributed";
    let is_one = snapshot.replicas.keys().filter_map(|id| snapshot.table(*id, &named)).any(is_distributed);
    if wanted.engine.name == "Distributed" && is_one { named } else { change.table.clone() }
}

/// A replica without the local table is not as wanted. `Distributed` tables are where people have put them.
fn refuse_missing(table: &TableName, change: &Change, snapshot: &Snapshot) -> Result<(), Failure> {
    let lacks = |id: &&ReplicaId| snapshot.table(**id, table).is_none();
    let missing: Vec<&ReplicaId> = snapshot.replicas.keys().filter(lacks).collect();
    if *table != change.table || missing.is_empty() {
        return Ok(());
    }
    let message = format!("SW002: {table} is as wanted where it is, and {} has no such table", list(missing));
    Err(Failure::new(message)
        .exit(Exit::Blocked)
        .hint("create it there, or take the replica out of the cluster's definition"))
}

/// Scratch tables are not replicated, whatever the tables are.
fn replication_differs(table: &TableName, wanted: &CreateTable, snapshot: &Snapshot) -> bool {
    let tables = snapshot.replicas.keys().filter_map(|id| snapshot.table(*id, table));
    let mut engines = tables.filter_map(|table| read_engine(&table.engine_full).ok());
    engines.any(|engine| engine.replicated() != wanted.engine.replicated())
}

fn refuse_other_distributed(table: &TableName, live: &CreateTable) -> Result<(), Failure> {
    if live.engine.distributed().is_none() {
        return Ok(());
    }
    let message = format!("the target gives {table} another engine than `{}`", live.engine.to_sql());
    Err(Failure::new(message).hint(
        "what a Distributed table is over is not changed by a plan, and another sharding key is a plan of its own, with nothing else in \
         it: write its ENGINE as SHOW CREATE TABLE does, or make a new Distributed table",
    ))
}

/// Other keys and types of their columns are a plan of their own: SW011 forbids the rest, and this is how to get there.
fn tell_of_rest(table: &TableName, difference: &Difference, types: bool) {
    let types = types.then_some("types of key columns");
    let anew: Vec<&str> = difference.keys.iter().copied().chain(types).collect();
    if anew.is_empty() || difference.commands.is_empty() {
        return;
    }
    say(&format!(
        "{} of the target need {table} made anew, and the rest does not: they are two plans. First plan and execute {}",
        list(&anew),
        alter(table, difference)
    ));
}

fn alter(table: &TableName, difference: &Difference) -> String {
    format!("ALTER TABLE {} {}", table.sql(), joined(&difference.commands))
}

/// Where definitions are written in a server's words, and ALTERs tried.
struct Bench<'a> {
    connected: &'a Connected,
    table: &'a TableName,
    wanted: &'a CreateTable,
    removes: bool,
}

impl Bench<'_> {
    async fn difference(&self, live: &CreateTable, on: ReplicaId, answers: Answers<'_>) -> Result<Difference, Failure> {
        let (before, wanted) =
            (self.definition(live, on, "today's").await?, self.definition(self.wanted, on, "the wanted").await?);
        let renames = target::renames(&before, &wanted, answers).map_err(|error| refused(&error))?;
        target::refuse_guesses(&before, &wanted, &renames, answers).map_err(|error| refused(&error))?;
        let mut commands = target::rename_commands(&renames);
        // Servers write a new name into whatever mentions the column.
        let live = if commands.is_empty() { before } else { self.after(live, on, &commands).await? };
        let difference = target::difference(&live, &wanted, &renames, self.removes).map_err(|error| refused(&error))?;
        commands.extend(difference.commands);
        Ok(Difference { commands, ..difference })
    }

    /// The sharding key that a `Distributed` table is to get, where that is all that changes.
    async fn sharding_key(
        &self,
        live: &CreateTable,
        on: ReplicaId,
        difference: &Difference,
    ) -> Result<Option<String>, Failure> {
        if live.engine.distributed().is_none() || !difference.commands.is_empty() {
            return Ok(None);
        }
        let before = self.definition(live, on, "today's").await?.engine;
        let wanted = self.definition(self.wanted, on, "the wanted").await?.engine;
        let key = wanted.distributed().and_then(|args| args.sharding_key);
        let same = before.with_sharding_key(key.as_deref()).to_sql() == wanted.to_sql();
        Ok(key.filter(|_| same))
    }

    /// Between what the commands come to and the target there must be nothing left.
    async fn prove(&self, live: &CreateTable, on: ReplicaId, difference: &Difference) -> Result<(), Failure> {
        let after = self.after(live, on, &difference.commands).await?;
        let wanted = self.definition(self.wanted, on, "the wanted").await?;
        let left = target::difference(&after, &wanted, &[], self.removes).map_err(|error| refused(&error))?;
        if left.is_empty() {
            return Ok(());
        }
        let message = format!(
            "`{}` does not make {} what is wanted: `{}` is left",
            alter(self.table, difference),
            self.table,
            joined(&left.commands)
        );
        Err(Failure::new(message).hint(
            "it was tried on an empty table of the same definition; write the ALTER TABLE yourself, part by part",
        ))
    }

    /// The types that the target gives to columns, in the server's words.
    async fn types(&self, columns: &[String], on: ReplicaId) -> Result<Vec<(String, String)>, Failure> {
        if columns.is_empty() {
            return Ok(Vec::new());
        }
        let wanted = self.definition(self.wanted, on, "the wanted").await?;
        let declared = wanted.items.iter().filter_map(|item| read_declaration(&item.text.text).ok());
        let of_keys = declared.filter(|column| columns.contains(&column.name));
        Ok(of_keys.filter_map(|column| Some((column.name, column.kind?))).collect())
    }

    /// A definition in the server's words.
    async fn definition(&self, definition: &CreateTable, on: ReplicaId, which: &str) -> Result<CreateTable, Failure> {
        let mut found = self.scratch(definition, on, which, &[]).await?;
        self.read(found.definitions.pop())
    }

    /// The definition once these commands are carried out.
    async fn after(&self, live: &CreateTable, on: ReplicaId, commands: &[String]) -> Result<CreateTable, Failure> {
        let sql = joined(commands);
        let mut found = self.scratch(live, on, "today's", std::slice::from_ref(&sql)).await?;
        if let Some(refused) = found.refused {
            let message = format!("the server does not take `ALTER TABLE {} {sql}`: {refused}", self.table.sql());
            return Err(Failure::new(message)
                .hint("it was tried on an empty table of the same definition; nothing was changed"));
        }
        self.read(found.definitions.pop())
    }

    fn read(&self, definition: Option<String>) -> Result<CreateTable, Failure> {
        let text = definition.ok_or_else(|| Failure::new(format!("a scratch table of {} told nothing", self.table)))?;
        read_table(&text).map_err(Failure::from)
    }

    async fn scratch(
        &self,
        definition: &CreateTable,
        on: ReplicaId,
        which: &str,
        commands: &[String],
    ) -> Result<Alterations, Failure> {
        let tag = format!("{:08x}", std::process::id());
        let create = |name: &TableName| unreplicated(definition, name).to_sql();
        alterations(&self.connected.cluster, on, &tag, create, commands).await.map_err(|error| {
            let failure = Failure::of(&error);
            match error.cause {
                NormalizeCause::Refused(_) => {
                    let message =
                        format!("the server does not accept {which} definition of {}: {}", self.table, failure.message);
                    Failure { message, ..failure }
                }
                _ => failure,
            }
        })
    }
}

fn refused(error: &TargetError) -> Failure {
    Failure::of(error).hint(error.hint())
}
