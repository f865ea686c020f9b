//! The orders to one table: its commands put together into statements, each with its way back.

use std::collections::BTreeMap;

use super::commands::{Site, Told, declaration_of, told};
use super::error::AlterError;
use super::mutation::{MutationCommand, kill_pattern, known_by};
use super::undo::{Undo, undo};
use super::{Back, Claim, Place, Stage};
use crate::ddl::{AlterCommand, Form, joined as joined_commands};
use crate::names::quote_identifier;

/// Commands with their forms on the table at hand.
pub(super) type Commands<'a> = [(&'a AlterCommand, Form)];

/// What a table is told, and what is to be said about it.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub(super) claims: Vec<Claim>,
    pub(super) stages: Vec<Stage>,
    pub(super) reached: Vec<String>,
}

/// A command at its place.
struct Sent<'a> {
    command: &'a AlterCommand,
    form: Form,
    number: usize,
    sql: String,
}

pub(super) fn gather(site: &Site<'_>, commands: &Commands<'_>, settings: &str) -> Result<Gathered, AlterError> {
    let mut gathered = Gathered::default();
    let mut places: BTreeMap<Place, Vec<Sent<'_>>> = BTreeMap::new();
    for (number, (command, form)) in commands.iter().enumerate() {
        match told(site, command, *form, number)? {
            Told::Send(all) => {
                for (place, sql) in all {
                    places.entry(place).or_default().push(Sent { command, form: *form, number, sql });
                }
            }
            Told::Claimed(claim) => gathered.claims.push(claim),
            Told::Reached(why) => gathered.reached.push(why),
            Told::Nothing => {}
        }
    }
    for (place, sent) in places {
        gathered.stages.push(stage(site, place, &sent, settings)?);
    }
    Ok(gathered)
}

fn stage(site: &Site<'_>, place: Place, sent: &[Sent<'_>], settings: &str) -> Result<Stage, AlterError> {
    let commands: Vec<&str> = sent.iter().map(|one| one.sql.as_str()).collect();
    let settings = if settings.is_empty() || !site.is_local { String::new() } else { format!(" SETTINGS {settings}") };
    let back = back(site, place, sent)?;
    let subject = |one: &Sent<'_>| one.command.subject.clone();
    let mutations = sent.iter().filter_map(|one| match one.form {
        form if form.is_about_rows() => Some(MutationCommand::Marked(one.number)),
        form => known_by(form, subject(one).as_deref(), &one.sql),
    });
    let kills = sent.iter().filter_map(|one| kill_pattern(one.form, subject(one).as_deref()));
    Ok(Stage {
        place,
        sql: format!("{}{settings}", joined_commands(&commands)),
        back,
        settings,
        mutations: mutations.collect(),
        kills: if site.is_local { kills.collect() } else { Vec::new() },
    })
}

fn back(site: &Site<'_>, place: Place, sent: &[Sent<'_>]) -> Result<Back, AlterError> {
    match place {
        Place::Before => declared_again(site, sent),
        Place::After if sent.iter().any(|one| one.form == Form::RenameColumn) => renamed_away(site, sent),
        Place::Mark | Place::Rows | Place::Local | Place::After => together(site, sent),
    }
}

/// The columns that a `Distributed` table has lost come back where they were, in their order, and the others as they were.
fn declared_again(site: &Site<'_>, sent: &[Sent<'_>]) -> Result<Back, AlterError> {
    let (lost, others): (Vec<&Sent<'_>>, Vec<&Sent<'_>>) =
        sent.iter().partition(|one| matches!(one.form, Form::DropColumn | Form::RenameColumn));
    let lost: Vec<&str> = lost.iter().filter_map(|one| one.command.subject.as_deref()).collect();
    let mut adds = Vec::new();
    for column in site.live.column_names().filter(|name| lost.contains(name)) {
        let declared = declaration_of(&site.declared(column).unwrap_or_default())?;
        adds.push(format!("ADD COLUMN {} {}", declared.to_sql(column), site.place_of(column)));
    }
    with_ways_of(site, &adds, &others)
}

/// What comes after the local tables on a `Distributed` one, with columns under their new names.
fn renamed_away(site: &Site<'_>, sent: &[Sent<'_>]) -> Result<Back, AlterError> {
    let (renamed, others): (Vec<&Sent<'_>>, Vec<&Sent<'_>>) =
        sent.iter().partition(|one| one.form == Form::RenameColumn);
    let to = |one: &&Sent<'_>| quote_identifier(one.command.to.as_deref().unwrap_or_default());
    let drops: Vec<String> = renamed.iter().map(|one| format!("DROP COLUMN {}", to(one))).collect();
    with_ways_of(site, &drops, &others)
}

/// These commands, and behind them the way back of others.
fn with_ways_of(site: &Site<'_>, commands: &[String], others: &[&Sent<'_>]) -> Result<Back, AlterError> {
    Ok(match combined(site, others)? {
        Combined::Ways(ways) if ways.is_empty() => Back::Ways(vec![commands.join(", ")]),
        Combined::Ways(ways) => Back::Ways(ways.iter().map(|way| joined_commands(&[commands, way].concat())).collect()),
        Combined::Other(back) => back,
    })
}

fn together(site: &Site<'_>, sent: &[Sent<'_>]) -> Result<Back, AlterError> {
    Ok(match combined(site, &sent.iter().collect::<Vec<_>>())? {
        Combined::Ways(ways) => Back::Ways(ways.iter().map(|way| joined_commands(way)).collect()),
        Combined::Other(back) => back,
    })
}

enum Combined {
    Ways(Vec<Vec<String>>),
    Other(Back),
}

/// The ways back of several commands, the last one's first; what cannot be taken back decides for all.
fn combined(site: &Site<'_>, sent: &[&Sent<'_>]) -> Result<Combined, AlterError> {
    let mut ways: Vec<Vec<String>> = Vec::new();
    let mut others: Vec<Back> = Vec::new();
    for one in sent.iter().rev() {
        match undo(site, one.command, one.form, &one.sql)? {
            Undo::Other(back) => others.push(back),
            Undo::Ways(more) if ways.is_empty() => ways = more,
            Undo::Ways(more) => ways = joined(&ways, &more),
        }
    }
    let gone: Vec<&str> =
        others.iter().filter_map(|back| if let Back::Gone(why) = back { Some(why.as_str()) } else { None }).collect();
    if !gone.is_empty() {
        return Ok(Combined::Other(Back::Gone(gone.join("; "))));
    }
    if !ways.is_empty() {
        // What follows a comma behind a setting is read as another setting.
        for way in &mut ways {
            way.sort_by_key(|command| is_setting(command));
        }
        return Ok(Combined::Ways(ways));
    }
    Ok(match others.pop() {
        None => Combined::Ways(Vec::new()),
        Some(back) if others.is_empty() => Combined::Other(back),
        Some(_) => Combined::Other(Back::Nothing("the parts stay as they are; nothing is lost".to_owned())),
    })
}

fn is_setting(command: &str) -> bool {
    ["MODIFY SETTING", "RESET SETTING"]
        .iter()
        .any(|words| command.starts_with(words) || command.contains(&format!("` {words}")))
}

/// Each way of the one with the way of the other of the same number, or its last.
fn joined(ways: &[Vec<String>], more: &[Vec<String>]) -> Vec<Vec<String>> {
    let pick = |all: &[Vec<String>], at: usize| all.get(at).or(all.last()).cloned().unwrap_or_default();
    (0..ways.len().max(more.len())).map(|at| [pick(ways, at), pick(more, at)].concat()).collect()
}
