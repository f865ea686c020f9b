//! Mutations that leave a definition as it is: how one is known again in `system.mutations`.

use crate::ddl::Form;
use crate::ddl::lexer::{TokenKind, significant_tokens};

/// How a mutation is told from others of the same table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MutationCommand {
    /// Its condition bears a text that no other has; the number tells commands of one statement apart.
    Marked(usize),
    /// It is the last one with such a command among those that fit the second pattern: what it does, another one undoes.
    Last {
        /// Of the command itself.
        wanted: String,
        /// Of all that are about the same thing.
        about: String,
    },
}

/// Where the plan's id goes in the text of a mark.
const MARK: &str = "shardwright";

/// The mark of a command of a plan.
pub fn mark(plan_id: &str, number: usize) -> String {
    format!("{MARK} {plan_id} {number}")
}

/// What stands for a mark until the plan has an id. No text of a statement has a NUL.
fn placeholder(number: usize) -> String {
    format!("\0{number}\0")
}

/// The SQL with the plan's own marks.
pub fn marked(sql: &str, plan_id: &str) -> String {
    let mut pieces = sql.split('\0');
    let mut marked = pieces.next().unwrap_or_default().to_owned();
    while let (Some(number), Some(rest)) = (pieces.next(), pieces.next()) {
        marked.push_str(&mark(plan_id, number.parse().unwrap_or_default()));
        marked.push_str(rest);
    }
    marked
}

/// `UPDATE …` or `DELETE …` with a condition that always holds and says whose it is.
pub(super) fn with_mark(command: &str, number: usize) -> Option<String> {
    let tokens = significant_tokens(command).ok()?;
    let mut depth = 0_usize;
    let mut condition = None;
    for token in &tokens {
        match token.kind {
            TokenKind::Open => depth += 1,
            TokenKind::Close => depth = depth.checked_sub(1)?,
            TokenKind::Word if depth == 0 && command[token.span.clone()].eq_ignore_ascii_case("WHERE") => {
                condition = Some(token.span.end);
            }
            _ => {}
        }
    }
    let (before, after) = command.split_at(condition?);
    Some(format!("{before} ({}) AND ('{}' != '')", after.trim(), placeholder(number)))
}

/// A pattern of commands about one thing, as servers write them.
fn about(verbs: &str, thing: &str, name: Option<&str>, partition: Option<bool>) -> String {
    let name = name.map_or(String::new(), |name| format!(" `?{}`?", escaped(name)));
    let end = match partition {
        Some(true) => " IN PARTITION .*",
        Some(false) => r"\)?$",
        None => r"(\)|,| |$)",
    };
    format!(r"^\(?({verbs}) {thing}{name}{end}")
}

/// A name as a pattern that fits nothing else.
fn escaped(name: &str) -> String {
    let quoted = name.replace('\\', r"\\").replace('`', r"\`");
    let special = |c: char| r".^$*+?()[]{}|\".contains(c);
    quoted.chars().flat_map(|c| special(c).then_some('\\').into_iter().chain([c])).collect()
}

/// How the mutation of a command that has no condition is known, and of what undoes it.
pub(super) fn known_by(form: Form, name: Option<&str>, text: &str) -> Option<MutationCommand> {
    let in_partition = text.to_ascii_uppercase().contains("IN PARTITION");
    let (verb, thing) = match form {
        Form::MaterializeColumn => ("MATERIALIZE", "COLUMN"),
        Form::ClearColumn => ("CLEAR", "COLUMN"),
        Form::MaterializeIndex => ("MATERIALIZE", "INDEX"),
        Form::ClearIndex => ("CLEAR", "INDEX"),
        Form::MaterializeProjection => ("MATERIALIZE", "PROJECTION"),
        Form::ClearProjection => ("CLEAR", "PROJECTION"),
        Form::MaterializeStatistics => ("MATERIALIZE", "STATISTICS"),
        Form::ClearStatistics => ("CLEAR", "STATISTICS"),
        Form::MaterializeTtl => ("MATERIALIZE", "TTL"),
        Form::ApplyDeletedMask => ("APPLY", "DELETED MASK"),
        Form::ApplyPatches => ("APPLY", "PATCHES"),
        Form::RewriteParts => ("REWRITE", "PARTS"),
        _ => return None,
    };
    // Servers write CLEAR as DROP … CLEAR or as CLEAR.
    let written = if verb == "CLEAR" { "CLEAR|DROP" } else { verb };
    Some(MutationCommand::Last {
        wanted: about(written, thing, name, Some(in_partition)),
        about: about("MATERIALIZE|CLEAR|DROP|APPLY|REWRITE", thing, name, None),
    })
}

/// A pattern of the mutation that a command which changes the definition leaves; none for those that leave none.
pub(super) fn kill_pattern(form: Form, name: Option<&str>) -> Option<String> {
    let (verbs, thing) = match form {
        Form::ModifyColumnType | Form::ModifyColumnSameType => ("MODIFY", "COLUMN"),
        Form::RenameColumn => ("RENAME", "COLUMN"),
        Form::DropIndex => ("DROP", "INDEX"),
        Form::DropProjection => ("DROP", "PROJECTION"),
        Form::DropStatistics => ("DROP", "STATISTICS"),
        Form::MaterializeIndex => ("MATERIALIZE", "INDEX"),
        Form::MaterializeProjection => ("MATERIALIZE", "PROJECTION"),
        Form::MaterializeStatistics => ("MATERIALIZE", "STATISTICS"),
        _ => return None,
    };
    Some(about(verbs, thing, name, None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_stands_in_the_condition() {
        let sql = with_mark("UPDATE a = (SELECT 1 WHERE 1), b = 2 WHERE x = 1 OR y", 3).unwrap();
        assert_eq!(
            marked(&sql, "5ca1ab1e"),
            "UPDATE a = (SELECT 1 WHERE 1), b = 2 WHERE (x = 1 OR y) AND ('shardwright 5ca1ab1e 3' != '')"
        );
        assert_eq!(with_mark("UPDATE a = 1", 0), None);
        assert_eq!(marked("no mark", "x"), "no mark");
    }

    #[test]
    fn names_are_matched_as_they_are() {
        assert_eq!(kill_pattern(Form::RenameColumn, Some("a.b")).unwrap(), r"^\(?(RENAME) COLUMN `?a\.b`?(\)|,| |$)");
        assert_eq!(kill_pattern(Form::AddColumn, Some("a")), None);
    }
}
