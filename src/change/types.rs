//! Another type of a column: which keep every value, and how values of both are brought together.

use serde::{Deserialize, Serialize};

use crate::names::{quote_identifier, quote_string};

/// Another type of a column, in the server's words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TypeChange {
    /// The column.
    pub column: String,
    /// Its type before.
    pub before: String,
    /// Its type after.
    pub after: String,
}

impl TypeChange {
    /// The column's value as one of the type after, in a table with either type.
    pub fn common(&self) -> String {
        format!("CAST({}, {})", quote_identifier(&self.column), quote_string(&self.after))
    }

    /// Whether the type before can hold the value, in a table with either type: there and back it is the same.
    pub fn fits(&self) -> String {
        let (column, before) = (quote_identifier(&self.column), quote_string(&self.before));
        format!("CAST(CAST({column}, {before}), {}) = {}", quote_string(&self.after), self.common())
    }

    /// Whether every value of the type before is one of the type after, no two become one, and they stay in their order. Types of
    /// which this is not known for certain are not among them.
    pub fn keeps_values(&self) -> bool {
        let (before, after) = (self.before.as_str(), self.after.as_str());
        match (integer(before), integer(after)) {
            (Some((signed, bits)), Some((to_signed, to_bits))) => {
                return to_bits > bits && (to_signed || !signed);
            }
            (None, None) => {}
            _ => return false,
        }
        if (before, after) == ("Date", "Date32") {
            return true;
        }
        match (moment(before), moment(after)) {
            // With eight digits or fewer the range of years is the same for all.
            (Some((digits, zone)), Some((to_digits, to_zone))) => {
                zone == to_zone && to_digits > digits && to_digits <= DIGITS_MAX
            }
            _ => false,
        }
    }
}

/// Digits of a second with which a `DateTime64` reaches as far as with none.
const DIGITS_MAX: i8 = 8;

/// Whether an integer type is signed, and its bits.
fn integer(kind: &str) -> Option<(bool, u32)> {
    let (signed, bits) = match kind.strip_prefix("UInt") {
        Some(bits) => (false, bits),
        None => (true, kind.strip_prefix("Int")?),
    };
    let bits = bits.parse().ok()?;
    [8, 16, 32, 64, 128, 256].contains(&bits).then_some((signed, bits))
}

/// Digits of a second and time zone of a type of moments. A `DateTime`, of whole seconds, has fewer than a `DateTime64(0)`.
fn moment(kind: &str) -> Option<(i8, &str)> {
    if kind == "DateTime" {
        return Some((-1, ""));
    }
    let inner = |prefix: &str| kind.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(')'));
    if let Some(zone) = inner("DateTime(") {
        return Some((-1, zone));
    }
    let arguments = inner("DateTime64(")?;
    let (digits, zone) = arguments.split_once(',').unwrap_or((arguments, ""));
    Some((digits.trim().parse().ok()?, zone.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(before: &str, after: &str) -> TypeChange {
        TypeChange { column: "k".to_owned(), before: before.to_owned(), after: after.to_owned() }
    }

    #[test]
    fn only_types_that_hold_every_value_keep_them() {
        for (before, after) in [
            ("UInt32", "UInt64"),
            ("UInt8", "Int16"),
            ("Int64", "Int128"),
            ("Date", "Date32"),
            ("DateTime", "DateTime64(3)"),
            ("DateTime('UTC')", "DateTime64(0, 'UTC')"),
            ("DateTime64(3, 'UTC')", "DateTime64(6, 'UTC')"),
        ] {
            assert!(change(before, after).keeps_values(), "{before} {after}");
            assert!(!change(after, before).keeps_values(), "{after} {before}");
        }
        for (before, after) in [
            ("UInt32", "Int32"),
            ("UInt64", "Int64"),
            ("Int8", "UInt16"),
            ("Int32", "Float64"),
            ("Float32", "Float64"),
            ("DateTime", "DateTime64(9)"),
            ("DateTime", "DateTime64(3, 'UTC')"),
            ("DateTime('UTC')", "DateTime('Europe/Berlin')"),
            ("Date", "DateTime"),
            ("Date32", "DateTime64(3)"),
            ("UInt32", "Nullable(UInt64)"),
            ("UInt32", "String"),
            ("FixedString(4)", "String"),
            ("Enum8('a' = 1)", "Enum16('a' = 1)"),
            ("Decimal(9, 2)", "Decimal(18, 2)"),
        ] {
            assert!(!change(before, after).keeps_values(), "{before} {after}");
        }
    }

    #[test]
    fn values_are_brought_together_as_those_of_the_type_after() {
        let change = change("DateTime('UTC')", "DateTime64(3, 'UTC')");
        assert_eq!(change.common(), r"CAST(`k`, 'DateTime64(3, \'UTC\')')");
        assert_eq!(
            change.fits(),
            r"CAST(CAST(`k`, 'DateTime(\'UTC\')'), 'DateTime64(3, \'UTC\')') = CAST(`k`, 'DateTime64(3, \'UTC\')')"
        );
    }
}
