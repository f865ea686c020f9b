//! What a plan says of an ALTER.

use super::sheet::{Shard, Sheet};
use crate::alter::{Command, Place};
use crate::classify::Class;
use crate::ddl::Form;
use crate::plan::Strategy;
use crate::snapshot::Capability;
use crate::words::{bytes, sql};

pub(super) const START: &str = "From here on the plan changes the cluster. Each step says how it is taken back.";

/// Compressed bytes that one replica is taken to write anew in a second where nothing tells; for figures that people read.
pub(super) const GUESSED_PER_SECOND: u64 = 50 << 20;

/// Rows and bytes that a statement has written anew, at most.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) rows: u64,
    pub(super) bytes: u64,
    /// Whether the bytes are those of the columns concerned, and not of the whole table.
    pub(super) of_columns: bool,
}

/// Whether what is done at a place to the local tables has parts written anew.
pub(super) fn mutates(sheet: &Sheet<'_>, place: Place) -> bool {
    mutations(sheet, Some(place)).next().is_some()
}

/// The commands that have parts written anew, at one place or at all of them.
fn mutations<'s>(sheet: &'s Sheet<'_>, place: Option<Place>) -> impl Iterator<Item = &'s Command> {
    let is_there = move |command: &&Command| match place {
        Some(place) => command.form.is_about_rows() == (place == Place::Rows),
        None => true,
    };
    let all = sheet.case.alter.commands.iter().filter(|command| command.class == Class::Mutation);
    all.filter(|_| sheet.strategy == Strategy::Mutation).filter(is_there)
}

/// What mutations have to do on one replica of a shard, at one place or at all of them; none where they have nothing to do.
pub(super) fn written(sheet: &Sheet<'_>, place: Option<Place>, shard: &Shard) -> Option<Written> {
    let mut mutations = mutations(sheet, place).peekable();
    mutations.peek()?;
    let table = sheet.case.snapshot.table(shard.home, sheet.local())?;
    let of_column = |form: Form| {
        matches!(
            form,
            Form::ModifyColumnType
                | Form::DropColumn
                | Form::ClearColumn
                | Form::RenameColumn
                | Form::MaterializeColumn
        )
    };
    let known = |command: &Command| {
        command.subject.as_ref().filter(|_| of_column(command.form)).and_then(|column| table.column_bytes.get(column))
    };
    let columns: Option<Vec<u64>> = mutations.map(|command| known(command).copied()).collect();
    Some(match columns {
        Some(columns) => Written { rows: table.rows(), bytes: columns.iter().sum(), of_columns: true },
        None => Written { rows: table.rows(), bytes: table.bytes(), of_columns: false },
    })
}

/// What the statement has written anew, over all shards.
pub(super) fn effect(sheet: &Sheet<'_>) -> String {
    let mut all = Written { of_columns: true, ..Written::default() };
    for written in sheet.shards.iter().filter_map(|shard| written(sheet, None, shard)) {
        all.rows += written.rows;
        all.bytes += written.bytes;
        all.of_columns &= written.of_columns;
    }
    match sheet.strategy {
        Strategy::Mutation => format!("{}, on one replica of each shard", in_words(all)),
        _ => "the definition alone: no stored row is touched".to_owned(),
    }
}

/// The same of one shard, as a sentence.
pub(super) fn effect_on(sheet: &Sheet<'_>, place: Place, shard: &Shard) -> String {
    match written(sheet, Some(place), shard) {
        Some(written) => format!("On each replica {}.", in_words(written)),
        None => "No stored row is touched.".to_owned(),
    }
}

fn in_words(written: Written) -> String {
    let Written { rows, bytes: size, of_columns } = written;
    let what = if of_columns { "of the columns concerned" } else { "at most" };
    format!("parts with {rows} rows are written anew or linked, {} {what}", bytes(size))
}

/// A statement in a title.
pub(super) fn short(statement: &str) -> String {
    let own = statement.split(" SETTINGS ").next().unwrap_or(statement);
    let own = match own.split_once(" AND ('\0") {
        Some((own, _)) => own,
        None => own,
    };
    let shown = sql(own);
    shown.strip_prefix('`').and_then(|shown| shown.strip_suffix('`')).unwrap_or(&shown).to_owned()
}

/// What was chosen for this cluster, and why.
pub(super) fn choices(sheet: &Sheet<'_>) -> Vec<String> {
    let strategy = match sheet.strategy {
        Strategy::Mutation => {
            "strategy mutation: servers write parts anew by themselves; every replica is watched until it is done"
        }
        _ => "strategy in_place: definitions change, no part does",
    };
    let once = if sheet.is_replicated {
        "a Replicated table takes a statement once a shard, on its first replica; the others follow through Keeper"
    } else {
        "a table that is not Replicated takes the statement on every replica"
    };
    let mut choices = vec![
        strategy.to_owned(),
        once.to_owned(),
        "each statement and its undo was tried on an empty table of the same definition; what came out is what steps expect".to_owned(),
    ];
    let hides = sheet.shards.iter().any(|shard| !sheet.turns(Place::Before, shard).is_empty());
    if hides && !sheet.has(Capability::DistributedSends) {
        choices.push(
            "these servers cannot tell what Distributed tables have not sent yet: see that their queues are empty (no file in the \
             tables' directories) before the local tables are altered, where inserts are not sent at once"
                .to_owned(),
        );
    }
    choices.extend(expectation(sheet));
    choices.extend(unmarked(sheet));
    choices.extend(sheet.case.alter.reached.iter().map(|reached| format!("nothing to do: {reached}")));
    choices
}

/// By what the time is told that a mutation takes.
fn expectation(sheet: &Sheet<'_>) -> Option<String> {
    if sheet.strategy != Strategy::Mutation {
        return None;
    }
    let slowest = sheet.shards.iter().filter_map(|shard| Some((sheet.case.survey.speeds.get(&shard.num)?, shard.num)));
    let Some((speed, shard)) = slowest.min_by_key(|(speed, _)| speed.bytes_per_second) else {
        return Some(format!(
            "expected time: by {} a second, a guess: no replica has logged merges (system.part_log)",
            bytes(GUESSED_PER_SECOND)
        ));
    };
    let work = if speed.by.by_mutation { "mutations" } else { "merges" };
    let of = if speed.by.of_table { "of this table" } else { "of other tables" };
    Some(format!(
        "expected time: by {} a second on the slowest shard, {shard}, as {work} {of} wrote parts there in the last 30 days, one after another",
        bytes(speed.bytes_per_second)
    ))
}

/// Tables that lose a column once nobody reads it, and do not bear a mark meanwhile.
fn unmarked(sheet: &Sheet<'_>) -> Option<String> {
    sheet.unread?;
    let is_marked = |tried: &&crate::alter::Tried| tried.stages.iter().any(|stage| stage.place() == Place::Mark);
    let mut names: Vec<String> = sheet
        .case
        .tried
        .iter()
        .filter(|tried| !tried.stages.is_empty() && !is_marked(tried))
        .map(|tried| tried.order.table.to_string())
        .collect();
    names.sort();
    names.dedup();
    let why =
        "marked already, or these servers would lose the column by a comment or could not take the comment off again";
    (!names.is_empty()).then(|| format!("no mark is put on columns of {}: {why}", names.join(", ")))
}
