//! ALTERs of the tables of one chain that ask for the same.

use super::alteration::{AlterCommand, Alteration, Form};
use super::declaration::read_declaration;
use super::reader::Reader;
use super::statement::Name;

/// Whether two names are written alike.
pub(super) fn is_same(one: &Name, other: &Name) -> bool {
    (&one.database, &one.table) == (&other.database, &other.table)
}

/// The statements without what one of another table says too. Of that the words for the local table count: only it has codecs and the like.
pub(super) fn said_once(mut all: Vec<Alteration>, is_local: impl Fn(&Name) -> bool) -> Vec<Alteration> {
    for number in 1..all.len() {
        let (before, rest) = all.split_at_mut(number);
        let one = &mut rest[0];
        let others = before.iter_mut().filter(|other| !is_same(&other.table, &one.table));
        let mut known: Vec<&mut AlterCommand> = others.flat_map(|other| &mut other.commands).collect();
        one.commands.retain(|command| match known.iter_mut().find(|known| is_meant_alike(known, command)) {
            Some(known) if is_local(&one.table) => {
                **known = command.clone();
                false
            }
            found => found.is_none(),
        });
    }
    all.retain(|one| !one.commands.is_empty());
    all
}

/// Whether two commands, to tables of one chain, ask for the same.
fn is_meant_alike(one: &AlterCommand, other: &AlterCommand) -> bool {
    let names = |command: &AlterCommand| (command.form, command.subject.clone(), command.to.clone());
    let by_name = matches!(one.form, Form::DropColumn | Form::RenameColumn);
    names(one) == names(other) && (by_name || bare(one) == bare(other))
}

/// What a command says but for its place and for what only tables that store rows have.
fn bare(command: &AlterCommand) -> String {
    let text = &command.text.text;
    let declared = || {
        let mut reader = Reader::new(text).ok()?;
        (reader.take(&["ADD", "COLUMN"]) || reader.take(&["MODIFY", "COLUMN"])).then_some(())?;
        let _ = reader.take(&["IF", "NOT", "EXISTS"]) || reader.take(&["IF", "EXISTS"]);
        let declared = read_declaration(&text[reader.peek(0)?.span.start..]).ok()?;
        Some(declared.unplaced().without_storage().to_sql(command.subject.as_deref()?))
    };
    declared().unwrap_or_else(|| text.clone()).split_whitespace().collect()
}
