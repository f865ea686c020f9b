//! Why no ALTER leads from a live definition to a wanted one.

use crate::ddl::DdlError;
use crate::words::list;

/// A column that is gone, a new one of its type, and the type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// The column that the target lacks.
    pub old: String,
    /// The one that only the target has.
    pub new: String,
    /// Their type.
    pub kind: String,
}

/// Why a target is not planned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// A definition in a server's words cannot be read.
    #[error("{what} cannot be read")]
    Unreadable {
        /// Which.
        what: &'static str,
        /// Where, and why.
        source: Box<DdlError>,
    },
    /// Renamed, or dropped and added?
    #[error("{}: renamed, or dropped and another one added? the definitions do not tell", questions(.0))]
    Ambiguous(Vec<Pair>),
    /// `--rename` names no columns of the two definitions.
    #[error("--rename {0}: that is not OLD=NEW, with a column NEW of the target and a column OLD that it lacks")]
    UnknownRename(String),
    /// A column is renamed and changed.
    #[error("column {new}, so far {old}, would be renamed and changed at once: `{command}`")]
    RenamedAndChanged {
        /// Its name now.
        old: String,
        /// The name wanted.
        new: String,
        /// What else would become of it.
        command: String,
    },
    /// Settings of a column.
    #[error("the settings of column {0} differ, and a target does not change these")]
    ColumnSettings(String),
}

impl TargetError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Unreadable { .. } => "write the change as ALTER TABLE".to_owned(),
            Self::Ambiguous(pairs) => match pairs.first() {
                Some(Pair { old, new, .. }) => format!(
                    "either --rename '{old}={new}' (values stay), or --drop-and-add (the values of {} are lost)",
                    list(dropped(pairs))
                ),
                None => String::new(),
            },
            Self::UnknownRename(_) => "both as the tables have them; `inspect --table` shows the columns".to_owned(),
            Self::RenamedAndChanged { .. } => {
                "plan and execute ALTER TABLE … RENAME COLUMN first, then plan the target again".to_owned()
            }
            Self::ColumnSettings(column) => {
                format!("write ALTER TABLE … MODIFY COLUMN {column} MODIFY SETTING …, and plan that first")
            }
        }
    }
}

fn questions(pairs: &[Pair]) -> String {
    let question = |Pair { old, new, kind }: &Pair| {
        format!("the target has no column {old}, and a new column {new} of the same type {kind}")
    };
    pairs.iter().map(question).collect::<Vec<_>>().join("; ")
}

fn dropped(pairs: &[Pair]) -> Vec<&str> {
    let mut dropped: Vec<&str> = pairs.iter().map(|pair| pair.old.as_str()).collect();
    dropped.dedup();
    dropped
}
