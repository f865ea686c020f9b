//! The way back from what is sent to one table.

use super::Back;
use super::commands::{Site, declaration, declaration_of};
use super::error::AlterError;
use super::loss::keeps_values;
use super::mutation::known_by;
use crate::ddl::{AlterCommand, Declaration, Form, ItemKind, PLACES, key_items};
use crate::names::quote_identifier;

/// How one command is undone: commands of each way, or another back.
#[derive(Debug, Clone)]
pub(super) enum Undo {
    /// Alternatives; commands of one ALTER each.
    Ways(Vec<Vec<String>>),
    Other(Back),
}

fn one(command: String) -> Undo {
    Undo::Ways(vec![vec![command]])
}

/// How a command on the table is undone. `sql` is the command as it is sent.
pub(super) fn undo(site: &Site<'_>, command: &AlterCommand, form: Form, sql: &str) -> Result<Undo, AlterError> {
    let name = command.subject.as_deref().unwrap_or_default();
    let quoted = quote_identifier(name);
    let gone = |why: &str| Undo::Other(Back::Gone(why.to_owned()));
    let stays = || Undo::Other(Back::Nothing("the parts stay as they are; nothing is lost".to_owned()));
    let to = quote_identifier(command.to.as_deref().unwrap_or_default());
    Ok(match form {
        Form::AddColumn => one(format!("DROP COLUMN {quoted}")),
        Form::DropColumn | Form::ClearColumn => gone(&format!("the values of column {name} are gone")),
        Form::RenameColumn => one(format!("RENAME COLUMN {to} TO {quoted}")),
        Form::Update => gone("the old values are gone"),
        Form::Delete => gone("the rows are gone"),
        Form::ModifyTtl | Form::ModifyColumnTtl | Form::MaterializeTtl => gone("what has expired is removed"),
        Form::ShortenOrderBy => gone("a column that was in the key cannot be appended to it again"),
        Form::MaterializeColumn | Form::ApplyDeletedMask | Form::ApplyPatches | Form::RewriteParts => stays(),
        Form::MaterializeIndex | Form::MaterializeProjection | Form::MaterializeStatistics => {
            replaced(form, "CLEAR", name, sql)
        }
        Form::ClearIndex | Form::ClearProjection | Form::ClearStatistics => replaced(form, "MATERIALIZE", name, sql),
        Form::ModifyColumnType if site.is_local && loses(site, name, sql)? => {
            gone(&format!("what the new type of {name} cannot hold is gone"))
        }
        _ if hides(site, name, sql) => {
            gone(&format!("the stored values of {name} are not read any more, and merges leave them out"))
        }
        Form::ModifyColumnSetting => {
            let declared = declaration_of(&site.declared(name).unwrap_or_default())?;
            let before = declared.parts.iter().find(|(word, _)| word == "SETTINGS").map_or("", |(_, text)| text);
            let before = before.trim_start_matches("SETTINGS").trim().trim_start_matches('(').trim_end_matches(')');
            let list = sql.to_ascii_uppercase().find(" SETTING ").map_or("", |at| &sql[at + " SETTING ".len()..]);
            settings(before, list, &format!("MODIFY COLUMN {quoted} "))
        }
        _ if sql.to_ascii_uppercase().starts_with("MODIFY COLUMN") || form == Form::CommentColumn => {
            restore(site, name, sql)?
        }
        _ => of_table(site, form, name, sql),
    })
}

/// Whether values of the column may not fit the type wanted.
fn loses(site: &Site<'_>, name: &str, sql: &str) -> Result<bool, AlterError> {
    let before = site.declared(name).map(|text| declaration_of(&text)).transpose()?.and_then(|it| it.kind);
    let wanted = declaration(sql)?.kind;
    Ok(match (before, wanted) {
        (Some(before), Some(wanted)) => !keeps_values(&before, &wanted),
        _ => false,
    })
}

/// Whether a column that is stored becomes one that is not.
fn hides(site: &Site<'_>, name: &str, sql: &str) -> bool {
    let not_stored = |declared: &Declaration| ["ALIAS", "EPHEMERAL"].iter().any(|word| declared.has(word));
    let before = site.declared(name).and_then(|text| declaration_of(&text).ok());
    let wanted = sql.to_ascii_uppercase().starts_with("MODIFY COLUMN").then(|| declaration(sql).ok()).flatten();
    site.is_local
        && before.is_some_and(|before| !not_stored(&before))
        && wanted.is_some_and(|wanted| not_stored(&wanted))
}

/// A mutation in place of another one: what the one writes, the other takes away.
fn replaced(form: Form, verb: &str, name: &str, sql: &str) -> Undo {
    let opposite = match form {
        Form::MaterializeIndex => Form::ClearIndex,
        Form::MaterializeProjection => Form::ClearProjection,
        Form::MaterializeStatistics => Form::ClearStatistics,
        Form::ClearIndex => Form::MaterializeIndex,
        Form::ClearProjection => Form::MaterializeProjection,
        _ => Form::MaterializeStatistics,
    };
    let behind = sql.trim_start().split_once(char::is_whitespace).map_or("", |(_, rest)| rest);
    match known_by(opposite, Some(name), sql) {
        Some(known) => Undo::Other(Back::Mutation(format!("{verb} {behind}"), known)),
        None => Undo::Ways(Vec::new()),
    }
}

/// Brings a column's declaration back: what it had is declared again, what it had not is removed.
fn restore(site: &Site<'_>, name: &str, sql: &str) -> Result<Undo, AlterError> {
    let Some(declared) = site.declared(name) else { return Ok(Undo::Ways(Vec::new())) };
    let before = declaration_of(&declared)?;
    // What a COMMENT says stands where a declaration's parts do.
    let wanted = declaration(sql).unwrap_or_else(|_| before.clone());
    let is_moved = PLACES.iter().any(|word| wanted.has(word));
    let place = if is_moved { format!(" {}", site.place_of(name)) } else { String::new() };
    let again = format!("MODIFY COLUMN {}{place}", before.to_sql(name));
    let mut added: Vec<&str> = Vec::new();
    if sql.to_ascii_uppercase().starts_with("COMMENT COLUMN") && !before.has("COMMENT") {
        added.push("COMMENT");
    }
    let new = wanted.parts.iter().map(|(word, _)| word.as_str());
    let is_default = |word: &str| crate::ddl::DEFAULT_KINDS.contains(&word);
    let is_new =
        |word: &&str| !(PLACES.contains(word) || before.has(word) || is_default(word) && before.default().is_some());
    added.extend(new.filter(is_new));
    let quoted = quote_identifier(name);
    let removed: Vec<String> = added.iter().map(|word| format!("MODIFY COLUMN {quoted} REMOVE {word}")).collect();
    let mut ways = vec![vec![again.clone()]];
    if !removed.is_empty() {
        let both = std::iter::once(again).chain(removed.iter().cloned()).collect();
        ways = vec![removed, both, ways.remove(0)];
    }
    if added == ["COMMENT"] {
        ways.push(vec![format!("COMMENT COLUMN {quoted} ''")]);
    }
    Ok(Undo::Ways(ways))
}

/// Indexes and the like, settings, TTL, keys.
fn of_table(site: &Site<'_>, form: Form, name: &str, sql: &str) -> Undo {
    let quoted = quote_identifier(name);
    let clauses = &site.live.engine.clauses;
    let text = |clause: &Option<crate::ddl::Text>| clause.as_ref().map(|clause| clause.text.clone());
    let item = |is_it: fn(&ItemKind) -> Option<&String>| {
        site.live
            .items
            .iter()
            .find(|item| is_it(&item.kind).is_some_and(|known| known == name))
            .map(|item| &item.text.text)
    };
    let index = |kind: &ItemKind| matches!(kind, ItemKind::Index { name: known } if known == name);
    let way = match form {
        Form::AddIndex => Some(format!("DROP INDEX {quoted}")),
        Form::AddProjection => Some(format!("DROP PROJECTION {quoted}")),
        Form::AddConstraint => Some(format!("DROP CONSTRAINT {quoted}")),
        Form::AddStatistics => Some(format!("DROP STATISTICS {quoted}")),
        Form::DropIndex => {
            let found = site.live.items.iter().position(|found| index(&found.kind));
            found.map(|at| format!("ADD {}{}", site.live.items[at].text.text, behind_index(site, at)))
        }
        Form::DropProjection => item(projection).map(|text| format!("ADD {text}")),
        Form::DropConstraint => item(constraint).map(|text| format!("ADD {text}")),
        Form::ModifyConstraint => item(constraint).map(|text| format!("MODIFY {text}")),
        Form::ModifySetting | Form::ResetSetting => {
            let before = clauses.settings.as_ref().map_or("", |settings| settings.text.as_str());
            return settings(before, &sql.split_whitespace().skip(2).collect::<Vec<_>>().join(" "), "");
        }
        Form::ModifyTtlLater | Form::RemoveTtl => {
            text(&clauses.ttl).map_or(Some("REMOVE TTL".to_owned()), |ttl| Some(format!("MODIFY TTL {ttl}")))
        }
        Form::ModifySampleBy | Form::RemoveSampleBy => text(&clauses.sample_by)
            .map_or(Some("REMOVE SAMPLE BY".to_owned()), |key| Some(format!("MODIFY SAMPLE BY {key}"))),
        Form::AppendOrderBy => text(&clauses.order_by).map(|key| format!("MODIFY ORDER BY {key}")),
        Form::ModifyComment => {
            let before = site.live.comment.as_ref().map_or("''", |comment| comment.text.as_str());
            Some(format!("MODIFY COMMENT {before}"))
        }
        _ => None,
    };
    way.map_or(Undo::Ways(Vec::new()), one)
}

fn projection(kind: &ItemKind) -> Option<&String> {
    if let ItemKind::Projection { name } = kind { Some(name) } else { None }
}

fn constraint(kind: &ItemKind) -> Option<&String> {
    if let ItemKind::Constraint { name } = kind { Some(name) } else { None }
}

/// ` AFTER` the index before it, or ` FIRST`, where it is not the last one.
fn behind_index(site: &Site<'_>, at: usize) -> String {
    let name = |at: usize| match &site.live.items[at].kind {
        ItemKind::Index { name } => Some(name.clone()),
        _ => None,
    };
    let has_next = (at + 1..site.live.items.len()).any(|next| name(next).is_some());
    match (0..at).rev().find_map(name) {
        _ if !has_next => String::new(),
        Some(before) => format!(" AFTER {}", quote_identifier(&before)),
        None => " FIRST".to_owned(),
    }
}

/// Settings that there were `before` get their values again; those of the list that there were not are reset. `of` says whose they are,
/// where they are not the table's.
fn settings(before: &str, list: &str, of: &str) -> Undo {
    let before = key_items(before).unwrap_or_default();
    let name = |item: &str| item.split('=').next().unwrap_or_default().trim().to_owned();
    let names: Vec<String> = key_items(list).unwrap_or_default().iter().map(|item| name(item)).collect();
    let had: Vec<String> = before.into_iter().filter(|item| names.contains(&name(item))).collect();
    let had_names: Vec<String> = had.iter().map(|item| name(item)).collect();
    let new: Vec<String> = names.into_iter().filter(|name| !had_names.contains(name)).collect();
    let mut commands = Vec::new();
    if !had.is_empty() {
        commands.push(format!("{of}MODIFY SETTING {}", had.join(", ")));
    }
    if !new.is_empty() {
        commands.push(format!("{of}RESET SETTING {}", new.join(", ")));
    }
    Undo::Ways(vec![commands])
}
