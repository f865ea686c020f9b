//! SW070: servers that destroy a definition when a column is commented.

use crate::assess::{AlterCase, Finding};
use crate::ddl::Form;
use crate::ddl::lexer::significant_tokens;
use crate::snapshot::Capability;

pub(super) const CODE: &str = "SW070";

/// On 18.16.1 such an ALTER of a Replicated table is answered with success, and the column is gone.
pub(super) fn check(case: &AlterCase<'_>) -> Vec<Finding> {
    let is_old = !case.snapshot.all_have(Capability::MutationsSync);
    if !is_old || case.base().sources().all(|(_, table)| table.replication.is_none()) {
        return Vec::new();
    }
    let command = case.alter.commands.iter().find(|command| comments(command.form, &command.text));
    let finding = |command: &crate::alter::Command| {
        Finding::blocker(
            CODE,
            format!("`{}` would take the column out of {}", command.text, case.alter.change.table),
            "these servers lose a column of a Replicated table when it gets a comment, and say nothing",
            "leave the comment out, or upgrade the servers first",
        )
    };
    command.map(finding).into_iter().collect()
}

fn comments(form: Form, text: &str) -> bool {
    let declares = matches!(
        form,
        Form::AddColumn
            | Form::ModifyColumnType
            | Form::ModifyColumnSameType
            | Form::ModifyColumnDefault
            | Form::ModifyColumnMoreValues
    );
    let has_word = || {
        significant_tokens(text).is_ok_and(|tokens| {
            tokens.iter().skip(3).any(|token| text[token.span.clone()].eq_ignore_ascii_case("COMMENT"))
        })
    };
    matches!(form, Form::CommentColumn | Form::ModifyColumnComment) || declares && has_word()
}
