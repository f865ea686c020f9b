//! Which conversions keep every value, so that the way back loses nothing, and which may fail.

use super::{Alter, AlterError};
use crate::catalog::Table;

/// A stored column that gets a type which may not hold all its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Narrowed {
    /// The column.
    pub column: String,
    /// The type.
    pub kind: String,
}

/// What servers said when the values of such a column were converted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit {
    /// The column and its type to be.
    pub narrowed: Narrowed,
    /// The server's words.
    pub said: String,
    /// Whether it was tried to the end: a value cannot be converted. Otherwise nothing is known.
    pub is_certain: bool,
}

/// The columns of the local table that get a type which may not hold all their values.
pub fn narrowed(alter: &Alter, table: &Table) -> Result<Vec<Narrowed>, AlterError> {
    let mut found = Vec::new();
    for command in alter.commands.iter().filter(|command| command.changes_type()) {
        let stored =
            |column: &&crate::catalog::Column| Some(&column.name) == command.subject.as_ref() && column.is_stored();
        let Some(column) = table.columns.iter().find(stored) else { continue };
        let Some(kind) = command.declared_type()? else { continue };
        if !keeps_values(&column.kind, &kind) {
            found.push(Narrowed { column: column.name.clone(), kind });
        }
    }
    Ok(found)
}

/// Whether every value of one type has its like in another one.
pub(super) fn keeps_values(before: &str, wanted: &str) -> bool {
    let (before, wanted) = (bare(before), bare(wanted));
    if before == wanted || wanted == "String" && prints(&before) {
        return true;
    }
    if let Some(inner) = inside(&wanted, "Nullable") {
        return keeps_values(inside(&before, "Nullable").unwrap_or(&before), inner);
    }
    if let (Some(one), Some(other)) = (inside(&before, "LowCardinality"), inside(&wanted, "LowCardinality")) {
        return keeps_values(one, other);
    }
    if let Some(inner) = inside(&wanted, "LowCardinality") {
        return keeps_values(&before, inner);
    }
    if let Some(inner) = inside(&before, "LowCardinality") {
        return keeps_values(inner, &wanted);
    }
    is_wider_number(&before, &wanted) || has_all_values(&before, &wanted)
}

/// Blanks outside of quotes mean nothing.
fn bare(kind: &str) -> String {
    let mut quoted = false;
    let keeps = |c: &char| {
        quoted ^= *c == '\'';
        quoted || !c.is_whitespace()
    };
    kind.chars().filter(keeps).collect()
}

fn inside<'a>(kind: &'a str, wrapper: &str) -> Option<&'a str> {
    kind.strip_prefix(wrapper)?.strip_prefix('(')?.strip_suffix(')')
}

/// Types whose text can be read back as it was.
fn prints(kind: &str) -> bool {
    number(kind).is_some()
        || matches!(kind, "Date" | "Date32" | "UUID" | "IPv4" | "IPv6" | "Bool")
        || kind.starts_with("Enum")
}

/// Signedness and bits.
fn number(kind: &str) -> Option<(bool, u32)> {
    let (signed, bits) = match kind.strip_prefix("UInt") {
        Some(bits) => (false, bits),
        None => (true, kind.strip_prefix("Int")?),
    };
    Some((signed, bits.parse().ok()?))
}

fn is_wider_number(before: &str, wanted: &str) -> bool {
    match (number(before), number(wanted)) {
        (Some((false, before)), Some((true, wanted))) => wanted > before,
        (Some((one, before)), Some((other, wanted))) => one == other && wanted >= before,
        _ => before == "Float32" && wanted == "Float64",
    }
}

/// An Enum with all values of another one; a wider one too.
fn has_all_values(before: &str, wanted: &str) -> bool {
    let values = |kind: &str| {
        let (name, values) = kind.strip_suffix(')')?.split_once('(')?;
        let bits: u32 = name.strip_prefix("Enum")?.parse().ok()?;
        Some((bits, values.split(',').map(str::to_owned).collect::<Vec<_>>()))
    };
    match (values(before), values(wanted)) {
        (Some((narrow, before)), Some((wide, wanted))) => {
            wide >= narrow && before.iter().all(|value| wanted.contains(value))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::keeps_values;

    #[test]
    fn what_is_wider_keeps_values_and_nothing_else_does() {
        for (before, wanted) in [
            ("UInt32", "UInt64"),
            ("UInt8", "Int16"),
            ("Int32", "Nullable(Int64)"),
            ("Nullable(Int32)", "Nullable( Int32 )"),
            ("String", "LowCardinality(String)"),
            ("LowCardinality(String)", "String"),
            ("UInt64", "String"),
            ("Enum8('a' = 1)", "Enum16('a' = 1, 'b' = 2)"),
            ("Float32", "Float64"),
        ] {
            assert!(keeps_values(before, wanted), "{before} -> {wanted}");
        }
        for (before, wanted) in [
            ("UInt64", "UInt32"),
            ("UInt8", "Int8"),
            ("Int8", "UInt64"),
            ("Nullable(Int32)", "Int32"),
            ("String", "UInt64"),
            ("Float64", "String"),
            ("Enum8('a' = 1, 'b' = 2)", "Enum8('a' = 1)"),
            ("DateTime", "Date"),
            ("Array(UInt8)", "String"),
        ] {
            assert!(!keeps_values(before, wanted), "{before} -> {wanted}");
        }
    }
}
