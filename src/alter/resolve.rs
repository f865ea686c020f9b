//! From a statement to what is asked of each table.

use super::commands::Site;
use super::defaults::new_default;
use super::error::AlterError;
use super::left_out::LeftOut;
use super::orders::{Commands, gather};
use super::sequence::{in_order, of_parts};
use super::{Alter, Command, Order};
use crate::catalog::Table;
use crate::change::{Change, DEFAULT_DATABASE, is_over};
use crate::classify::{Class, classify};
use crate::ddl::{Alteration, CreateTable, Form, key_items, read_alteration, read_table};
use crate::names::{ReplicaId, TableName};
use crate::plan::definition::unreplicated;
use crate::snapshot::{Capability, Snapshot};

/// Settings by which an ALTER waits; a plan waits by itself.
const WAITS: [&str; 3] = ["alter_sync", "mutations_sync", "replication_alter_partitions_sync"];
/// The statement is answered once it is taken: what it starts is watched on every replica.
const DO_NOT_WAIT: &str = "replication_alter_partitions_sync = 0, mutations_sync = 0";

/// Whether a statement is an ALTER that asks for more than new keys, or for something else.
pub fn is_alter(sql: &str) -> bool {
    let keys = |form: Form| matches!(form, Form::ModifyOrderBy | Form::ModifyPartitionBy | Form::ModifyPrimaryKey);
    read_alteration(sql).is_ok_and(|read| {
        read.commands.iter().any(|command| !keys(command.form)) || read.commands.is_empty() && !read.unknown.is_empty()
    })
}

/// Ties an ALTER to the tables of a cluster.
pub fn resolve(sql: &str, snapshot: &Snapshot) -> Result<Alter, AlterError> {
    let unreadable = |source| AlterError::Unreadable { what: "the statement".to_owned(), source: Box::new(source) };
    let mut alteration = read_alteration(sql).map_err(unreadable)?;
    if !alteration.unknown.is_empty() {
        return Err(unreadable(alteration.unknown.remove(0)));
    }
    let change = Change::of_alter(&alteration, sql, snapshot)?;
    let named = alteration.table.in_database(DEFAULT_DATABASE);
    let local = snapshot.replicas.keys().find_map(|id| snapshot.table(*id, &change.table));
    alteration.commands = in_order(&of_parts(alteration.commands, local), local);
    let commands = commands(&alteration, local, !snapshot.all_have(Capability::MutationsSync));
    refuse_unplanned(&change.table, &commands)?;
    let class = commands.iter().map(|command| command.class).max().unwrap_or(Class::MetadataOnly);
    let mut alter = Alter { change, named, class, commands, orders: Vec::new(), reached: Vec::new() };
    give_orders(&mut alter, &alteration, snapshot)?;
    Ok(alter)
}

fn commands(alteration: &Alteration, local: Option<&Table>, left_out_goes: bool) -> Vec<Command> {
    let classified = classify(alteration, local);
    let command = |(command, classified): (&crate::ddl::AlterCommand, crate::classify::Classified)| Command {
        form: classified.row.form,
        class: classified.row.class,
        text: command.text.text.clone(),
        subject: command.subject.clone(),
        new_default: new_default(command, classified.row.form, local, left_out_goes),
    };
    alteration.commands.iter().zip(classified).map(command).collect()
}

/// Only what changes definitions, or what mutations do, is planned.
fn refuse_unplanned(table: &TableName, commands: &[Command]) -> Result<(), AlterError> {
    let not_planned = |command: &Command, why: String| AlterError::NotPlanned { command: command.text.clone(), why };
    let row = |command: &Command| crate::classify::row(command.form);
    for command in commands {
        let other = commands.iter().find(|other| matches!(other.class, Class::MetadataOnly | Class::Mutation));
        let is_key = matches!(
            command.form,
            Form::ModifyOrderBy | Form::ModifyPartitionBy | Form::ModifyPrimaryKey | Form::ModifyKeyColumnType
        );
        match (command.class, other) {
            (Class::Rebuild, Some(other)) if is_key => {
                return Err(AlterError::Mixed {
                    table: table.clone(),
                    rebuild: command.text.clone(),
                    other: other.text.clone(),
                });
            }
            (Class::MetadataOnly | Class::Mutation, _) if !is_aside(command.form) => {}
            (Class::MetadataOnly | Class::Mutation, _) => {
                return Err(not_planned(command, "it leaves the table's definition and rows as they are".to_owned()));
            }
            (Class::Parts, _) => {
                let why = "whole parts come or go, on the one table that is named; a plan would add nothing to that";
                return Err(not_planned(command, why.to_owned()));
            }
            (Class::Rebuild | Class::Reshard | Class::Refused, _) => {
                return Err(not_planned(command, row(command).why.to_owned()));
            }
        }
    }
    Ok(())
}

/// Commands about copies beside the table.
fn is_aside(form: Form) -> bool {
    matches!(form, Form::Freeze | Form::Unfreeze | Form::UnlockSnapshot | Form::ModifyProjection)
}

fn give_orders(alter: &mut Alter, alteration: &Alteration, snapshot: &Snapshot) -> Result<(), AlterError> {
    let settings = settings(alter.class, alteration, snapshot)?;
    let forms: Vec<_> = alteration.commands.iter().zip(alter.commands.iter().map(|command| command.form)).collect();
    let named_by = |forms: &[Form]| -> Vec<String> {
        let those = alter.commands.iter().filter(|command| forms.contains(&command.form));
        those.filter_map(|command| command.subject.clone()).collect()
    };
    let added = named_by(&[Form::AddColumn]);
    let dropped = named_by(&[Form::DropIndex, Form::DropProjection, Form::DropConstraint]);
    let tables: Vec<TableName> =
        std::iter::once(&alter.change.table).chain(&alter.change.distributed).cloned().collect();
    for (number, table) in tables.iter().enumerate() {
        for (live, on) in definitions(table, snapshot)? {
            let (is_local, is_named) = (number == 0, *table == alter.named);
            if !is_local && !is_over(&live.engine, table, &alter.change.table) {
                let on: Vec<String> = on.iter().map(ToString::to_string).collect();
                alter.reached.push(format!("{table} on {} is not over {}", on.join(", "), alter.change.table));
                continue;
            }
            let mut left_out = LeftOut::default();
            if !is_local {
                left_out = LeftOut::of(table, &live, &alteration.commands, is_named, snapshot);
            }
            alter.reached.extend(left_out.said);
            let (live, added, left_out) = (&live, &added, &left_out.columns);
            let site = Site { table, live, is_local, is_named, added, dropped: &dropped, left_out };
            add_order(alter, &site, &forms, &settings, on)?;
        }
    }
    alter.reached.sort();
    alter.reached.dedup();
    Ok(())
}

fn add_order(
    alter: &mut Alter,
    site: &Site<'_>,
    commands: &Commands<'_>,
    settings: &str,
    on: Vec<ReplicaId>,
) -> Result<(), AlterError> {
    let gathered = gather(site, commands, settings)?;
    alter.reached.extend(gathered.reached);
    alter.orders.push(Order {
        table: site.table.clone(),
        on,
        is_local: site.is_local,
        definition: site.live.clone(),
        claims: gathered.claims,
        stages: gathered.stages,
    });
    Ok(())
}

/// A table's definitions without replication, each with the replicas that have it and run the same version.
pub fn definitions(table: &TableName, snapshot: &Snapshot) -> Result<Vec<(CreateTable, Vec<ReplicaId>)>, AlterError> {
    let mut found: Vec<(String, String, CreateTable, Vec<ReplicaId>)> = Vec::new();
    for id in snapshot.replicas.keys() {
        let (Some(there), Some(state)) = (snapshot.table(*id, table), snapshot.state(*id)) else { continue };
        let live = read_table(&there.create_query).map_err(|source| AlterError::Unreadable {
            what: format!("the definition of {table} on {id}"),
            source: Box::new(source),
        })?;
        let live = unreplicated(&live, table);
        let sql = live.to_sql();
        match found.iter_mut().find(|known| known.0 == sql && known.1 == state.version) {
            Some(known) => known.3.push(*id),
            None => found.push((sql, state.version.clone(), live, vec![*id])),
        }
    }
    Ok(found.into_iter().map(|(_, _, live, on)| (live, on)).collect())
}

/// Settings of the statement to the local tables: the person's own but for those by which it would wait, and that it does not.
fn settings(class: Class, alteration: &Alteration, snapshot: &Snapshot) -> Result<String, AlterError> {
    let own = alteration.settings.as_ref().map_or("", |settings| settings.text.as_str());
    let own = key_items(own)
        .map_err(|source| AlterError::Unreadable { what: format!("SETTINGS {own}"), source: Box::new(source) })?;
    let is_kept = |item: &String| !WAITS.contains(&item.split('=').next().unwrap_or_default().trim());
    let mut settings: Vec<String> = own.into_iter().filter(is_kept).collect();
    if class == Class::Mutation && snapshot.all_have(Capability::MutationsSync) {
        settings.push(DO_NOT_WAIT.to_owned());
    }
    Ok(settings.join(", "))
}
