//! What a statement does, whichever dialect it is written in.

use std::ops::Range;

use crate::ddl::AlterCommand;

/// A statement of a file.
#[derive(Debug)]
pub(crate) struct Statement {
    /// Where it stands, in bytes of the file.
    pub(crate) span: Range<usize>,
    /// Comments that go with it.
    pub(crate) comments: Vec<Range<usize>>,
    /// What it does, in order; nothing where nothing of it is judged.
    pub(crate) acts: Vec<Act>,
    /// The transaction that it is part of, counted from 1.
    pub(crate) transaction: Option<usize>,
}

/// One thing that a statement does.
#[derive(Debug)]
pub(crate) struct Act {
    pub(crate) what: What,
    /// To which table.
    pub(crate) table: Option<Named>,
    /// The words that say so, in bytes of the file.
    pub(crate) span: Range<usize>,
    /// Whether it is told to a whole cluster.
    pub(crate) on_cluster: bool,
}

/// A table's name; database and table as the server understands them, which folds what is not quoted in PostgreSQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    /// As it is written.
    pub(crate) sql: String,
    pub(crate) database: Option<String>,
    pub(crate) table: String,
}

/// What is equal for names that are surely of the same table. A database that is left out is one of its own here: which one
/// it is, a file does not say.
pub(crate) type Key<'a> = (Option<&'a str>, &'a str);

impl Named {
    /// Two names with equal keys are surely of the same table.
    pub(crate) fn key(&self) -> Key<'_> {
        (self.database.as_deref(), &self.table)
    }

    /// Whether both may be the same table: case and a database that is left out do not tell them apart.
    pub(crate) fn is(&self, other: &Self) -> bool {
        let same = |one: &str, two: &str| one.eq_ignore_ascii_case(two);
        let databases = match (&self.database, &other.database) {
            (Some(one), Some(two)) => same(one, two),
            _ => true,
        };
        databases && same(&self.table, &other.table)
    }
}

/// What is done.
#[derive(Debug)]
pub(crate) enum What {
    AddColumn(Column),
    DropColumn {
        column: String,
    },
    RenameColumn {
        column: String,
        to: String,
    },
    ColumnType {
        column: String,
        kind: String,
        using: bool,
    },
    SetNotNull {
        column: String,
    },
    DropDefault {
        column: String,
    },
    AddConstraint {
        name: Option<String>,
        kind: ConstraintKind,
        not_valid: bool,
        using_index: bool,
        text: String,
    },
    ValidateConstraint {
        name: String,
    },
    DropConstraint {
        name: String,
    },
    RenameTable {
        to: Named,
    },
    /// Something else than a table gets another name: its kind, and how it is called so far.
    RenameOther {
        kind: &'static str,
        name: String,
    },
    /// A domain gets a constraint, by its words, that every column of it must meet.
    CheckDomain(&'static str),
    /// A type or domain of PostgreSQL is made; types and tables share their names.
    CreateType,
    RenameType {
        to: Named,
    },
    RenameDatabase {
        to: Named,
    },
    /// From there on each name means the other table.
    ExchangeTables {
        with: Named,
    },
    Update(Reach),
    Delete(Reach),
    Truncate,
    DropTable,
    /// Something else than a table, by its word.
    DropOther(&'static str),
    /// Something else than a table, by its word, with all that depends on it.
    DropCascade(&'static str),
    CreateTable(Box<Definition>),
    CreateMaterializedView {
        populate: bool,
        to: bool,
    },
    CreateIndex {
        concurrently: bool,
        /// Not in the partitions of the table.
        only: bool,
    },
    DropIndex {
        concurrently: bool,
    },
    Optimize {
        last: bool,
        /// Whether it is for one partition.
        of_partition: bool,
    },
    DetachTable,
    /// A command of ClickHouse's ALTER that has no variant of its own here.
    Alter(Box<AlterCommand>),
    /// A change of a PostgreSQL table that has none.
    AlterOther,
    /// Something that locks a whole table while it works.
    Exclusive(Exclusive),
    AttachPartition {
        partition: Named,
    },
    DetachPartition {
        concurrently: bool,
    },
    /// Something that the server refuses within a transaction, by its words.
    Alone(&'static str),
    /// How long locks are waited for, here on: whether anything bounds it, and whether only until the transaction ends.
    LockTimeout {
        bounded: bool,
        local: bool,
    },
    Begin,
    End,
}

impl What {
    /// Whether no reader of a table that is there has to wait for it.
    pub(super) fn lets_readers_in(&self) -> bool {
        matches!(
            self,
            Self::CreateTable(_)
                | Self::CheckDomain(_)
                | Self::CreateType
                | Self::RenameType { .. }
                | Self::Update(_)
                | Self::Delete(_)
        )
    }
}

/// What locks a whole table while it works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exclusive {
    VacuumFull,
    Cluster,
    Lock,
    /// By the words that say what is built anew, and whether the server takes `CONCURRENTLY` there.
    Reindex(&'static str, bool),
    Refresh,
    /// `REFRESH … WITH NO DATA`
    Empty,
    /// A command of ALTER TABLE that writes the whole table anew, by its words.
    Rewrite(&'static str),
}

/// Which rows an UPDATE or DELETE is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// All of them: no condition, or one that is always true.
    All,
    /// Those that a condition finds.
    Some,
    /// A part that is bounded: some ids, a range, a LIMIT.
    Bounded,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConstraintKind {
    ForeignKey,
    Check,
    Unique,
    PrimaryKey,
    Exclude,
}

/// A column that is added or created.
#[derive(Debug, Clone, Default)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) not_null: bool,
    pub(crate) default: Option<String>,
    /// How the server fills it of itself.
    pub(crate) generated: Option<Generated>,
    /// Constraints of the column itself.
    pub(crate) constraints: Vec<ConstraintKind>,
}

/// How a server fills a column of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Generated {
    /// `serial` and the like, which stand for a sequence and NOT NULL.
    Serial,
    Identity,
    Stored,
    /// Computed when it is read.
    Virtual,
}

/// A table that is created.
#[derive(Debug, Default)]
pub(crate) struct Definition {
    pub(crate) replaces: bool,
    /// `IF NOT EXISTS`: the table may be an old one.
    pub(crate) may_be_there: bool,
    /// Whether rows of a query or of another table come with it.
    pub(crate) is_filled: bool,
    pub(crate) columns: Vec<Column>,
    /// Tables that its foreign keys point to.
    pub(crate) foreign_keys: usize,
    pub(crate) engine: Option<String>,
    /// The local table of a `Distributed` one.
    pub(crate) distributed_over: Option<Named>,
    pub(crate) order_by: Option<(String, Range<usize>)>,
    pub(crate) settings: String,
}
