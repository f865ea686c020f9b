use super::*;
use crate::ddl::read_table;

const COLUMNS: &str = "`id` UInt64, `a` UInt32 DEFAULT 7, `b` String COMMENT 'c' CODEC(ZSTD(1)), `d` Date, `v` UInt8";
const REST: &str = "ENGINE = MergeTree PARTITION BY toYYYYMM(d) ORDER BY id SETTINGS index_granularity = 8192";

fn table(columns: &str, rest: &str) -> CreateTable {
    read_table(&format!("CREATE TABLE d.t ({columns}) {rest}")).unwrap()
}

fn found(live: &CreateTable, wanted: &CreateTable) -> Difference {
    difference(live, wanted, &[], true).unwrap()
}

/// What leads there, and back.
fn both_ways(live: &CreateTable, wanted: &CreateTable, forward: &[&str], back: &[&str]) {
    let (there, again) = (found(live, wanted), found(wanted, live));
    assert_eq!(there.commands, forward);
    assert_eq!(again.commands, back);
    assert!(there.keys.is_empty() && again.keys.is_empty() && !there.engine && !again.engine);
    assert!(found(wanted, wanted).is_empty());
}

/// The columns with one declaration in place of another one.
fn with(from: &str, to: &str, forward: &[&str], back: &[&str]) {
    let changed = COLUMNS.replacen(from, to, 1);
    assert_ne!(changed, COLUMNS);
    both_ways(&table(COLUMNS, REST), &table(&changed, REST), forward, back);
}

/// The same of what stands behind the columns.
fn behind(wanted: &str, forward: &[&str], back: &[&str]) {
    both_ways(&table(COLUMNS, REST), &table(COLUMNS, wanted), forward, back);
}

#[test]
fn columns_come_and_go_at_their_places() {
    let x = "`x` Int8 DEFAULT 1 COMMENT 'y' CODEC(NONE)";
    let add = format!("ADD COLUMN {x}");
    let drop = ["DROP COLUMN `x`"];
    with("`v` UInt8", &format!("`v` UInt8, {x}"), &[&add], &drop);
    with("`d` Date", &format!("{x}, `d` Date"), &[&format!("{add} AFTER `b`")], &drop);
    with("`id` UInt64", &format!("{x}, `id` UInt64"), &[&format!("{add} FIRST")], &drop);
    with(
        "`d` Date",
        "`x` Int8, `y` Int8, `d` Date",
        &["ADD COLUMN `x` Int8 AFTER `b`", "ADD COLUMN `y` Int8 AFTER `x`"],
        &["DROP COLUMN `x`", "DROP COLUMN `y`"],
    );
}

#[test]
fn as_few_columns_as_can_be_are_moved() {
    let live = table("`a` Int8, `b` Int8, `c` Int8 DEFAULT 3, `e` Int8", REST);
    let wanted = table("`c` Int8 DEFAULT 3, `a` Int8, `x` Int8, `b` Int8, `e` Int8", REST);
    both_ways(
        &live,
        &wanted,
        &["MODIFY COLUMN `c` Int8 DEFAULT 3 FIRST", "ADD COLUMN `x` Int8 AFTER `a`"],
        &["MODIFY COLUMN `c` Int8 DEFAULT 3 AFTER `b`", "DROP COLUMN `x`"],
    );
}

/// All orders of some names.
fn orders(names: &[&'static str]) -> Vec<Vec<&'static str>> {
    let Some((first, rest)) = names.split_first() else { return vec![Vec::new()] };
    let with_first =
        |order: Vec<&'static str>| (0..=order.len()).map(move |at| [&order[..at], &[*first], &order[at..]].concat());
    orders(rest).into_iter().flat_map(with_first).collect()
}

#[test]
fn columns_come_to_be_in_the_order_of_the_target() {
    let of =
        |names: &[&str]| table(&names.iter().map(|name| format!("`{name}` Int8")).collect::<Vec<_>>().join(", "), REST);
    for wanted in orders(&["a", "b", "c", "e", "x", "y"]) {
        let mut names = vec!["a", "gone", "b", "c", "e"];
        let commands = difference(&of(&names), &of(&wanted), &[], true).unwrap().commands;
        for command in &commands {
            let words: Vec<&str> = command.split([' ', '`']).filter(|word| !word.is_empty()).collect();
            let name = *wanted.iter().chain(&["gone"]).find(|name| **name == words[2]).unwrap();
            names.retain(|known| *known != name);
            let behind = |known: &str| names.iter().position(|name| *name == known).unwrap() + 1;
            let at = match words.as_slice() {
                ["DROP", ..] => continue,
                [.., "FIRST"] => 0,
                [.., "AFTER", known] => behind(known),
                _ => names.len(),
            };
            names.insert(at, name);
        }
        assert_eq!(names, wanted, "{commands:?}");
    }
}

#[test]
fn each_part_of_a_declaration_is_changed_by_itself() {
    with("`v` UInt8", "`v` UInt16", &["MODIFY COLUMN `v` UInt16"], &["MODIFY COLUMN `v` UInt8"]);
    with(" DEFAULT 7", "", &["MODIFY COLUMN `a` REMOVE DEFAULT"], &["MODIFY COLUMN `a` UInt32 DEFAULT 7"]);
    with(
        "DEFAULT 7",
        "MATERIALIZED v + 1",
        &["MODIFY COLUMN `a` UInt32 MATERIALIZED v + 1"],
        &["MODIFY COLUMN `a` UInt32 DEFAULT 7"],
    );
    with(
        "UInt32 DEFAULT 7",
        "Int64",
        &["MODIFY COLUMN `a` REMOVE DEFAULT", "MODIFY COLUMN `a` Int64"],
        &["MODIFY COLUMN `a` UInt32 DEFAULT 7"],
    );
    with("`v` UInt8", "`v` UInt8 ALIAS a", &["MODIFY COLUMN `v` UInt8 ALIAS a"], &["MODIFY COLUMN `v` REMOVE ALIAS"]);
    with("COMMENT 'c' ", "", &["MODIFY COLUMN `b` REMOVE COMMENT"], &["COMMENT COLUMN `b` 'c'"]);
    with("'c'", "'it\\'s'", &["COMMENT COLUMN `b` 'it\\'s'"], &["COMMENT COLUMN `b` 'c'"]);
    with(" CODEC(ZSTD(1))", "", &["MODIFY COLUMN `b` REMOVE CODEC"], &["MODIFY COLUMN `b` CODEC(ZSTD(1))"]);
    with("ZSTD(1)", "LZ4", &["MODIFY COLUMN `b` CODEC(LZ4)"], &["MODIFY COLUMN `b` CODEC(ZSTD(1))"]);
    with(
        "`v` UInt8",
        "`v` UInt8 TTL d + toIntervalDay(1)",
        &["MODIFY COLUMN `v` TTL d + toIntervalDay(1)"],
        &["MODIFY COLUMN `v` REMOVE TTL"],
    );
    with(
        "`v` UInt8",
        "`v` UInt8 STATISTICS(tdigest, uniq)",
        &["ADD STATISTICS `v` TYPE tdigest, uniq"],
        &["DROP STATISTICS `v`"],
    );
}

#[test]
fn servers_that_cannot_remove_a_default_leave_it_out() {
    let without = table(&COLUMNS.replacen(" DEFAULT 7", "", 1).replacen(" COMMENT 'c'", "", 1), REST);
    let found = difference(&table(COLUMNS, REST), &without, &[], false).unwrap();
    assert_eq!(found.commands, ["MODIFY COLUMN `a` UInt32", "COMMENT COLUMN `b` ''"]);
}

#[test]
fn indexes_projections_and_constraints_are_replaced_by_name() {
    let with = |items: &str| table(&format!("{COLUMNS}, {items}"), REST);
    let (i, p, c) =
        ("INDEX i v TYPE minmax GRANULARITY 1", "PROJECTION p (SELECT a ORDER BY a)", "CONSTRAINT c CHECK a > 0");
    for (item, other, kind, name) in [
        (i, "INDEX i v TYPE set(5) GRANULARITY 2", "INDEX", "i"),
        (p, "PROJECTION p (SELECT v ORDER BY v)", "PROJECTION", "p"),
        (c, "CONSTRAINT c ASSUME a > 0", "CONSTRAINT", "c"),
    ] {
        let (drop, add) = (format!("DROP {kind} `{name}`"), format!("ADD {item}"));
        both_ways(&table(COLUMNS, REST), &with(item), &[&add], &[&drop]);
        both_ways(&with(item), &with(other), &[&drop, &format!("ADD {other}")], &[&drop, &add]);
    }
    let order = |items: [&str; 3]| with(&items.join(", "));
    assert!(found(&order([i, p, c]), &order([c, i, p])).is_empty(), "their order means nothing");
}

#[test]
fn clauses_settings_and_comments_of_the_table() {
    let ttl = "TTL d + toIntervalDay(1)";
    let at = |clause: &str| REST.replacen(" SETTINGS", &format!(" {clause} SETTINGS"), 1);
    behind(&at(ttl), &[&format!("MODIFY {ttl}")], &["REMOVE TTL"]);
    behind(&at("SAMPLE BY id"), &["MODIFY SAMPLE BY id"], &["REMOVE SAMPLE BY"]);
    behind(&format!("{REST} COMMENT 'x'"), &["MODIFY COMMENT 'x'"], &["MODIFY COMMENT ''"]);
    behind(&format!("{REST} COMMENT ''"), &[], &[]);
    let more = format!("{REST}, merge_with_ttl_timeout = 7");
    behind(&more, &["MODIFY SETTING merge_with_ttl_timeout = 7"], &["RESET SETTING merge_with_ttl_timeout"]);
    let other = format!("{REST}, parts_to_delay_insert = 8");
    both_ways(
        &table(COLUMNS, &more),
        &table(COLUMNS, &other),
        &["MODIFY SETTING parts_to_delay_insert = 8", "RESET SETTING merge_with_ttl_timeout"],
        &["MODIFY SETTING merge_with_ttl_timeout = 7", "RESET SETTING parts_to_delay_insert"],
    );
    let turned = REST.replacen("index_granularity = 8192", "x = 1, index_granularity = 8192", 1);
    let straight = format!("{REST}, x = 1");
    assert!(found(&table(COLUMNS, &turned), &table(COLUMNS, &straight)).is_empty(), "nor does that of settings");
}

#[test]
fn other_keys_and_engines_are_no_alter() {
    let keys = |rest: &str| found(&table(COLUMNS, REST), &table(COLUMNS, rest));
    assert_eq!(keys(&REST.replace("ORDER BY id", "ORDER BY (v, id)")).keys, ["ORDER BY", "PRIMARY KEY"]);
    assert_eq!(keys(&REST.replace("toYYYYMM(d)", "d")).keys, ["PARTITION BY"]);
    assert_eq!(keys(&REST.replace("PARTITION BY toYYYYMM(d) ", "")).keys, ["PARTITION BY"]);
    assert_eq!(keys(&REST.replace("ORDER BY id", "ORDER BY (id, v)")).keys, ["ORDER BY", "PRIMARY KEY"]);
    assert_eq!(keys(&REST.replace("ORDER BY id", "PRIMARY KEY id ORDER BY (id, v)")).keys, ["ORDER BY"]);
    assert!(keys(&REST.replace("ORDER BY id", "PRIMARY KEY id ORDER BY (id)")).is_empty());
    assert!(keys(&REST.replace("MergeTree", "ReplacingMergeTree")).engine);
    assert!(keys(&REST.replace("MergeTree", "MergeTree()")).is_empty());
}

#[test]
fn a_key_gets_new_columns_behind_it_in_place() {
    let wanted = |column: &str, key: &str| table(&format!("{COLUMNS}, {column}"), &REST.replace("ORDER BY id", key));
    let found = |wanted: &CreateTable| found(&table(COLUMNS, REST), wanted);
    let appended = found(&wanted("`x` Int8", "PRIMARY KEY id ORDER BY (id, x)"));
    assert_eq!(appended.commands, ["ADD COLUMN `x` Int8", "MODIFY ORDER BY (id, x)"]);
    assert_eq!(appended.keys, [""; 0]);
    assert_eq!(found(&wanted("`x` Int8 DEFAULT 1", "PRIMARY KEY id ORDER BY (id, x)")).keys, ["ORDER BY"]);
    assert_eq!(found(&wanted("`x` Int8", "ORDER BY (id, x)")).keys, ["ORDER BY", "PRIMARY KEY"]);
}

#[test]
fn a_distributed_table_has_columns_and_an_engine() {
    let rest = "ENGINE = Distributed('main', 'd', 't', id)";
    let live = table(COLUMNS, rest);
    let bare = COLUMNS.replacen(" CODEC(ZSTD(1))", "", 1);
    assert!(found(&live, &table(&bare, "ENGINE = Distributed(main, d, t, id)")).is_empty());
    let more = table(&format!("{bare}, `x` Int8"), rest);
    both_ways(&live, &more, &["ADD COLUMN `x` Int8"], &["DROP COLUMN `x`"]);
    assert!(found(&live, &table(COLUMNS, "ENGINE = Distributed(main, d, t, rand())")).engine);
}

fn renamed(live: &CreateTable, wanted: &CreateTable, said: &[&str]) -> Result<Vec<(String, String)>, TargetError> {
    let said: Vec<String> = said.iter().map(ToString::to_string).collect();
    let answers = Answers { renames: &said, drop_and_add: false };
    let found = renames(live, wanted, answers)?;
    refuse_guesses(live, wanted, &found, answers)?;
    Ok(found)
}

#[test]
fn a_rename_is_asked_for_and_never_guessed() {
    let live = table(COLUMNS, REST);
    let wanted = table(&COLUMNS.replacen("`v` UInt8", "`w` UInt8, `x` UInt8, `y` String", 1), REST);
    let asked = renamed(&live, &wanted, &[]).unwrap_err();
    assert_eq!(
        asked.to_string(),
        "the target has no column v, and a new column w of the same type UInt8; the target has no column v, and a new column x of \
         the same type UInt8: renamed, or dropped and another one added? the definitions do not tell"
    );
    assert_eq!(asked.hint(), "either --rename 'v=w' (values stay), or --drop-and-add (the values of v are lost)");
    assert_eq!(renamed(&live, &wanted, &["v=x"]).unwrap(), [("v".to_owned(), "x".to_owned())]);
    assert!(refuse_guesses(&live, &wanted, &[], Answers { renames: &[], drop_and_add: true }).is_ok());
    let other_type = table(&COLUMNS.replacen("`v` UInt8", "`w` UInt16", 1), REST);
    assert_eq!(renamed(&live, &other_type, &[]).unwrap(), [], "another type is no rename");
    // Once it is done, the same words ask for nothing.
    assert_eq!(renamed(&wanted, &wanted, &["v=x"]).unwrap(), []);
    for said in [&["v=z"][..], &["z=w"], &["v"], &["v=w", "v=x"], &["id=w"]] {
        assert!(matches!(renamed(&live, &wanted, said), Err(TargetError::UnknownRename(_))), "{said:?}");
    }
    let odd = table("`a=b` Int8", REST);
    let odder = table("`c=d=e` Int8", REST);
    let names = ("a=b".to_owned(), "c=d=e".to_owned());
    assert_eq!(renamed(&odd, &odder, &["a=b=c=d=e"]).unwrap(), [names]);
}

#[test]
fn a_column_is_not_renamed_and_changed_at_once() {
    let after = table(&COLUMNS.replacen("`v` UInt8", "`w` UInt8", 1), REST);
    let names = [("v".to_owned(), "w".to_owned())];
    assert_eq!(rename_commands(&names), ["RENAME COLUMN `v` TO `w`"]);
    assert!(difference(&after, &after, &names, true).unwrap().is_empty());
    let wanted = table(&COLUMNS.replacen("`v` UInt8", "`w` UInt16", 1), REST);
    let refused = difference(&after, &wanted, &names, true).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "column w, so far v, would be renamed and changed at once: `MODIFY COLUMN `w` UInt16`"
    );
    let settings = table(&COLUMNS.replacen("`v` UInt8", "`v` UInt8 SETTINGS (max_compress_block_size = 1)", 1), REST);
    assert_eq!(
        difference(&table(COLUMNS, REST), &settings, &[], true),
        Err(TargetError::ColumnSettings("v".to_owned()))
    );
}

#[test]
fn every_definition_of_the_corpus_is_its_own_target() {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut count = 0;
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|kind| kind != "sql") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let sql: Vec<&str> = text.lines().filter(|line| !line.starts_with("--")).collect();
        let read = read_table(&sql.join("\n")).unwrap();
        assert!(found(&read, &read).is_empty(), "{}", path.display());
        count += 1;
    }
    assert!(count > 40, "{count} definitions");
}
