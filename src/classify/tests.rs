use super::*;
use crate::ddl::read_alteration;
use crate::names::TableName;

fn table() -> Table {
    Table {
        name: TableName::new("d", "t"),
        engine: "MergeTree".to_owned(),
        engine_full: String::new(),
        create_query: String::new(),
        definition_hash: String::new(),
        keys: crate::catalog::Keys {
            sorting: "id, k".to_owned(),
            primary: "id".to_owned(),
            partition: "toYYYYMM(day)".to_owned(),
            sampling: String::new(),
        },
        columns: vec![
            crate::catalog::Column::new("id", "UInt64"),
            crate::catalog::Column::new("k", "String"),
            crate::catalog::Column::new("day", "Date"),
            crate::catalog::Column::new("v", "UInt32"),
            crate::catalog::Column::new("e", "Enum8('a b' = 1, 'c' = 2)"),
            crate::catalog::Column::new("q t", "Tuple(a UInt8, b String)"),
        ],
        partitions: vec![],
        replication: None,
        mutations_pending: 0,
        mutation_next: 0,
        column_bytes: std::collections::BTreeMap::new(),
        dependents: vec![],
    }
}

fn classes(commands: &str, table: Option<&Table>) -> Vec<(Form, Class)> {
    let read = read_alteration(&format!("ALTER TABLE d.t {commands}")).unwrap();
    assert!(read.unknown.is_empty(), "{commands}: {:?}", read.unknown);
    classify(&read, table).iter().map(|one| (one.row.form, one.row.class)).collect()
}

#[test]
fn every_form_has_one_row_whose_example_is_of_it() {
    let forms: Vec<Form> = ROWS.iter().map(|row| row.form).collect();
    for form in Form::ALL {
        assert_eq!(forms.iter().filter(|one| *one == form).count(), 1, "{form:?}");
        assert_eq!(row(*form).form, *form);
    }
    for row in ROWS {
        let read = read_alteration(&format!("ALTER TABLE t {}", row.example.replace(['{', '}'], ""))).unwrap();
        assert!(read.unknown.is_empty(), "{:?}", read.unknown);
        let plain = format!("{:?}", read.commands.last().unwrap().form);
        let refined = [
            "DropKeyColumn",
            "RenameKeyColumn",
            "ModifyColumnSameType",
            "ModifyColumnMoreValues",
            "ModifyKeyColumnType",
            "AppendOrderBy",
            "ShortenOrderBy",
        ];
        let wanted = format!("{:?}", row.form);
        assert!(plain == wanted || refined.contains(&wanted.as_str()), "{wanted}: {plain}");
    }
}

#[test]
fn a_refusal_is_of_a_class_that_says_so_or_of_an_example_that_lacks_something() {
    for row in ROWS {
        let refuses = matches!(row.class, Class::Rebuild | Class::Refused);
        assert!(!refuses || row.refusal.is_some(), "{}", row.syntax);
        assert!(row.refusal.is_none() || refuses || row.class == Class::Parts, "{}", row.syntax);
    }
}

#[test]
fn keys_and_types_of_the_table_decide() {
    let table = table();
    for (command, form, class) in [
        ("DROP COLUMN v", Form::DropColumn, Class::Mutation),
        ("DROP COLUMN day", Form::DropKeyColumn, Class::Rebuild),
        ("RENAME COLUMN k TO kk", Form::RenameKeyColumn, Class::Rebuild),
        ("MODIFY COLUMN v UInt64", Form::ModifyColumnType, Class::Mutation),
        ("MODIFY COLUMN v UInt32 COMMENT 'x'", Form::ModifyColumnSameType, Class::MetadataOnly),
        ("MODIFY COLUMN k LowCardinality(String)", Form::ModifyColumnType, Class::Mutation),
        ("MODIFY COLUMN day LowCardinality(Date)", Form::ModifyKeyColumnType, Class::Rebuild),
        ("MODIFY COLUMN id UInt128", Form::ModifyKeyColumnType, Class::Rebuild),
        ("MODIFY COLUMN e Enum8('a b'=1,'c'=2,'d'=3)", Form::ModifyColumnMoreValues, Class::MetadataOnly),
        ("MODIFY COLUMN e Enum8('ab' = 1, 'c' = 2, 'd' = 3)", Form::ModifyColumnType, Class::Mutation),
        ("MODIFY COLUMN e Enum16('a b' = 1, 'c' = 2)", Form::ModifyColumnType, Class::Mutation),
        ("MODIFY ORDER BY (k, id)", Form::ModifyOrderBy, Class::Rebuild),
        ("MODIFY ORDER BY (id, k, v)", Form::ModifyOrderBy, Class::Rebuild),
        ("MODIFY ORDER BY id", Form::ShortenOrderBy, Class::MetadataOnly),
        ("MODIFY ORDER BY tuple()", Form::ModifyOrderBy, Class::Rebuild),
    ] {
        assert_eq!(classes(command, Some(&table)), [(form, class)], "{command}");
    }
    let both = "ADD COLUMN a UInt8, MODIFY ORDER BY (id, k, a)";
    assert_eq!(classes(both, Some(&table))[1], (Form::AppendOrderBy, Class::MetadataOnly));
    assert_eq!(classes(both, None)[1], (Form::AppendOrderBy, Class::MetadataOnly));
    let with_default = "ADD COLUMN a UInt8 DEFAULT 3, MODIFY ORDER BY (id, k, a)";
    assert_eq!(classes(with_default, Some(&table))[1], (Form::ModifyOrderBy, Class::Rebuild));
}

#[test]
fn undo_is_ready_sql_where_all_is_known() {
    let undo = |command: &str, table: Option<&Table>| {
        classify(&read_alteration(&format!("ALTER TABLE d.t {command}")).unwrap(), table)[0].undo.clone()
    };
    assert_eq!(undo("ADD COLUMN `a b` UInt8", None).unwrap(), "ALTER TABLE `d`.`t` DROP COLUMN `a b`");
    assert_eq!(undo("RENAME COLUMN a TO b", None).unwrap(), "ALTER TABLE `d`.`t` RENAME COLUMN `b` TO `a`");
    assert_eq!(undo("MODIFY COLUMN v UInt64", Some(&table())).unwrap(), "ALTER TABLE `d`.`t` MODIFY COLUMN `v` UInt32");
    assert_eq!(undo("DROP COLUMN v", None).unwrap_err(), "the values are gone");
}
