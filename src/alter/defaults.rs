//! Defaults that a command changes: values of rows that were written before the column was there are computed from them at each read.

use super::Alter;
use super::commands::declaration;
use crate::catalog::{Column, Table};
use crate::ddl::lexer::significant_tokens;
use crate::ddl::{AlterCommand, Form};

/// A column's default, before and after a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDefault {
    /// The expression before, or nothing where there was none.
    pub before: String,
    /// The expression after, or nothing.
    pub after: String,
}

/// Rows whose parts have no values of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lacking {
    /// The column.
    pub column: String,
    /// How many rows, over all shards.
    pub rows: u64,
}

/// What a command makes of the default of a column that is stored, or will be; none where it leaves it alone. Some servers take a
/// default away where a new declaration names none (`left_out_goes`).
pub(super) fn new_default(
    command: &AlterCommand,
    form: Form,
    table: Option<&Table>,
    left_out_goes: bool,
) -> Option<NewDefault> {
    let is_it = |column: &&Column| command.subject.as_ref() == Some(&column.name);
    let column = table?.columns.iter().find(is_it)?;
    // What is computed at each read before and after is meant to be another value.
    let stays_alias = column.default_kind == "ALIAS"
        && (form == Form::ModifyColumnDefault || declares(form))
        && declaration(&command.text.text).is_ok_and(|wanted| wanted.default().is_none() || wanted.has("ALIAS"));
    if !column.is_stored() && column.default_kind != "ALIAS" || stays_alias {
        return None;
    }
    let before = column.default_expression.clone();
    let after = match (form, &command.default) {
        (Form::ModifyColumnRemove, _) => {
            let text = command.text.text.to_ascii_uppercase();
            let words = ["DEFAULT", "MATERIALIZED", "ALIAS"];
            words.into_iter().any(|word| text.trim_end().ends_with(word)).then(String::new)?
        }
        (_, Some(default)) if form != Form::AddColumn => default.text.clone(),
        (_, None) if declares(form) && command.declared_type.is_some() && left_out_goes => String::new(),
        _ => return None,
    };
    (!same_expression(&before, &after)).then_some(NewDefault { before, after })
}

/// Whether two expressions are the same but for the blanks between their words.
pub fn same_expression(one: &str, other: &str) -> bool {
    words(one) == words(other)
}

/// An expression without the blanks between its words.
fn words(expression: &str) -> Vec<&str> {
    let tokens = significant_tokens(expression).unwrap_or_default();
    tokens.into_iter().filter_map(|token| expression.get(token.span)).collect()
}

fn declares(form: Form) -> bool {
    matches!(
        form,
        Form::ModifyColumnDefault
            | Form::ModifyColumnSameType
            | Form::ModifyColumnType
            | Form::ModifyColumnMoreValues
            | Form::ModifyKeyColumnType
    )
}

/// The columns that get another default.
pub fn redefaulted(alter: &Alter) -> Vec<&str> {
    let named = alter.commands.iter().filter(|command| command.new_default.is_some());
    named.filter_map(|command| command.subject.as_deref()).collect()
}
