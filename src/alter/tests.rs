use super::*;
use crate::assess::Fixture;

fn orders(sql: &str) -> Result<Vec<String>, AlterError> {
    let fixture = Fixture::new();
    let alter = resolve(sql, &fixture.snapshot)?;
    let line = |order: &Order, stage: &Stage| format!("{} {:?}: {}", order.table, stage.place, stage.sql);
    Ok(alter.orders.iter().flat_map(|order| order.stages.iter().map(move |stage| line(order, stage))).collect())
}

fn ways(sql: &str) -> Vec<Back> {
    let fixture = Fixture::new();
    let alter = resolve(sql, &fixture.snapshot).unwrap();
    alter.orders.iter().flat_map(|order| order.stages.iter().map(|stage| stage.back.clone())).collect()
}

fn way(sql: &str) -> Back {
    Back::Ways(vec![sql.to_owned()])
}

#[test]
fn a_column_is_added_below_first_and_dropped_above_first() {
    let sql =
        "ALTER TABLE d.events_all ADD COLUMN IF NOT EXISTS a UInt8 DEFAULT 1 CODEC(NONE) AFTER id, DROP COLUMN value";
    assert_eq!(
        orders(sql).unwrap(),
        [
            "d.events Local: ADD COLUMN `a` UInt8 DEFAULT 1 CODEC(NONE) AFTER id, DROP COLUMN `value`",
            "d.events_all Before: DROP COLUMN `value`",
            "d.events_all After: ADD COLUMN `a` UInt8 DEFAULT 1 AFTER id",
        ]
    );
    assert_eq!(
        ways(sql),
        [
            Back::Gone("the values of column value are gone".to_owned()),
            way("ADD COLUMN `value` Float64 AFTER `version`"),
            way("DROP COLUMN `a`"),
        ]
    );
}

#[test]
fn a_column_is_commented_by_the_alter_that_adds_it() {
    let sql = "ALTER TABLE d.events ADD COLUMN a UInt8, COMMENT COLUMN a 'new'";
    assert_eq!(
        orders(sql).unwrap(),
        [
            "d.events Local: ADD COLUMN `a` UInt8, COMMENT COLUMN a 'new'",
            "d.events_all After: ADD COLUMN `a` UInt8, COMMENT COLUMN a 'new'",
        ]
    );
    assert_eq!(ways(sql), [way("DROP COLUMN `a`"), way("DROP COLUMN `a`")]);
}

#[test]
fn a_renamed_column_is_hidden_meanwhile() {
    let sql = "ALTER TABLE d.events RENAME COLUMN value TO worth";
    assert_eq!(
        orders(sql).unwrap(),
        [
            "d.events Local: RENAME COLUMN `value` TO `worth`",
            "d.events_all Before: DROP COLUMN `value`",
            "d.events_all After: ADD COLUMN `worth` Float64 AFTER `version`",
        ]
    );
    assert_eq!(
        ways(sql),
        [
            way("RENAME COLUMN `worth` TO `value`"),
            way("ADD COLUMN `value` Float64 AFTER `version`"),
            way("DROP COLUMN `worth`"),
        ]
    );
}

#[test]
fn a_wider_type_has_a_way_back_and_a_narrower_one_has_none() {
    let wider = "ALTER TABLE d.events MODIFY COLUMN sign Int16";
    assert_eq!(ways(wider), [way("MODIFY COLUMN `sign` Int8"), way("MODIFY COLUMN `sign` Int8")]);
    let narrower = ways("ALTER TABLE d.events MODIFY COLUMN version UInt8");
    assert_eq!(narrower[0], Back::Gone("what the new type of version cannot hold is gone".to_owned()));
}

#[test]
fn a_column_that_takes_less_takes_less_above_first() {
    for less in ["value Float64 MATERIALIZED id", "value Float64 ALIAS id", "version UInt8"] {
        let sql = format!("ALTER TABLE d.events MODIFY COLUMN {less}");
        let orders = orders(&sql).unwrap();
        assert!(orders[1].starts_with("d.events_all Before: MODIFY COLUMN"), "{orders:?}");
        assert!(matches!(&ways(&sql)[1], Back::Ways(ways) if ways[0].starts_with("MODIFY COLUMN")), "{less}");
    }
    for more in ["value Float64 DEFAULT 1", "version UInt64", "sign Nullable(Int8)"] {
        let orders = orders(&format!("ALTER TABLE d.events MODIFY COLUMN {more}")).unwrap();
        assert!(orders[1].starts_with("d.events_all After: MODIFY COLUMN"), "{orders:?}");
    }
}

#[test]
fn stored_values_that_nobody_reads_any_more_have_no_way_back() {
    for hides in ["ALIAS id", "EPHEMERAL 1"] {
        let ways = ways(&format!("ALTER TABLE d.events MODIFY COLUMN value Float64 {hides}"));
        assert!(matches!(&ways[0], Back::Gone(why) if why.contains("merges leave them out")), "{hides}: {ways:?}");
        assert!(matches!(&ways[1], Back::Ways(_)), "a Distributed table holds no rows: {ways:?}");
    }
    let stays = ways("ALTER TABLE d.events MODIFY COLUMN value Float64 MATERIALIZED id");
    assert!(matches!(&stays[0], Back::Ways(_)), "{stays:?}");
}

#[test]
fn settings_of_a_column_go_back_to_what_they_were() {
    let back = |sql: &str| ways(&format!("ALTER TABLE d.events {sql}"))[0].clone();
    assert_eq!(
        back("MODIFY COLUMN value MODIFY SETTING a = 1, b = 2"),
        way("MODIFY COLUMN `value` RESET SETTING a, b")
    );
    let fixture = Fixture::new();
    let sql = "ALTER TABLE d.events ADD COLUMN c UInt8 SETTINGS (a = 1) SETTINGS max_threads = 2";
    let alter = resolve(sql, &fixture.snapshot).unwrap();
    let stage = &alter.orders[0].stages[0];
    assert_eq!(stage.back, way("DROP COLUMN `c`"));
    assert_eq!(stage.settings, " SETTINGS max_threads = 2");
}

#[test]
fn rows_are_deleted_below_alone_under_a_mark() {
    let sql = "ALTER TABLE d.events_all DELETE WHERE value < 0 OR id = 7";
    let fixture = Fixture::new();
    let alter = resolve(sql, &fixture.snapshot).unwrap();
    let [order, _] = alter.orders.as_slice() else { panic!("{:?}", alter.orders) };
    let stage = &order.stages[0];
    assert_eq!(
        marked(&stage.sql, "5ca1ab1e"),
        "DELETE WHERE (value < 0 OR id = 7) AND ('shardwright 5ca1ab1e 0' != '')"
    );
    assert_eq!(stage.mutations, [MutationCommand::Marked(0)]);
    assert!(alter.orders[1].stages.is_empty(), "a Distributed table has no rows");
}

#[test]
fn what_is_not_planned_is_refused_with_the_reason() {
    let refusal = |sql: &str| orders(&format!("ALTER TABLE d.events {sql}")).unwrap_err().to_string();
    for (sql, words) in [
        ("DROP COLUMN vlue", ""),
        (
            "MODIFY COLUMN valu UInt8",
            "d.events has no column valu, of which `MODIFY COLUMN valu UInt8` speaks; there is value",
        ),
        ("DROP PARTITION 1", "`DROP PARTITION 1` is not planned: whole parts"),
        ("DROP COLUMN team", "`DROP COLUMN team` is not planned: a column of the sorting"),
        ("ADD COLUMN x UInt8, MODIFY ORDER BY (id, x)", "`MODIFY ORDER BY (id, x)` needs d.events made anew"),
        ("SHUFFLE ROWS", "the statement cannot be read"),
        ("RENAME COLUMN value TO version", "d.events has both value and version"),
    ] {
        if !words.is_empty() {
            assert!(refusal(sql).starts_with(words), "{sql}: {}", refusal(sql));
        }
    }
    let fixture = Fixture::new();
    let nothing = resolve("ALTER TABLE d.events DROP COLUMN vlue", &fixture.snapshot).unwrap();
    assert!(nothing.orders.iter().all(|order| order.stages.is_empty()));
    assert_eq!(nothing.reached, ["d.events has no column vlue"]);
}

#[test]
fn a_column_that_is_there_must_be_the_one_wanted() {
    let fixture = Fixture::new();
    let alter = resolve("ALTER TABLE d.events ADD COLUMN value Float64 DEFAULT 1 FIRST", &fixture.snapshot).unwrap();
    let claims: Vec<&Claim> = alter.orders.iter().flat_map(|order| &order.claims).collect();
    assert_eq!(claims.len(), 2);
    assert_eq!(claims[0].wanted, "`value` Float64 DEFAULT 1");
    assert!(alter.orders.iter().all(|order| order.stages.is_empty()));
}

#[test]
fn an_append_to_the_key_is_in_place() {
    let sql = "ALTER TABLE d.events ADD COLUMN x UInt8, MODIFY ORDER BY (team, id, x)";
    assert_eq!(orders(sql).unwrap()[0], "d.events Local: ADD COLUMN `x` UInt8, MODIFY ORDER BY (team, id, x)");
    assert_eq!(ways(sql)[0], way("MODIFY ORDER BY (team, id), DROP COLUMN `x`"));
}

#[test]
fn a_distributed_table_of_some_columns_does_without_what_it_cannot_compute() {
    let some = "CREATE TABLE d.some (id UInt64, day Date) ENGINE = Distributed('main', 'd', 'events', id)";
    let sql = "ALTER TABLE d.events_all ADD COLUMN a UInt32 DEFAULT team + 1, ADD COLUMN b UInt32 DEFAULT a, COMMENT COLUMN b 'x', ADD \
               COLUMN c UInt64 DEFAULT id";
    let mut fixture = Fixture::new();
    fixture.add("s1r1", some);
    let alter = resolve(sql, &fixture.snapshot).unwrap();
    let of = |name: &str| alter.orders.iter().find(|order| order.table.table == name).unwrap().stages[0].sql.clone();
    assert_eq!(of("some"), "ADD COLUMN `c` UInt64 DEFAULT id");
    assert_eq!(
        of("events_all"),
        "ADD COLUMN `a` UInt32 DEFAULT team + 1, ADD COLUMN `b` UInt32 DEFAULT a, COMMENT COLUMN b 'x', ADD COLUMN `c` UInt64 DEFAULT id"
    );
    assert_eq!(alter.reached.len(), 2, "{:?}", alter.reached);
    // Who names the table wants the column there, and hears from the server why not.
    let named = resolve(&sql.replace("events_all", "some"), &fixture.snapshot).unwrap();
    assert!(named.orders.iter().any(|order| order.table.table == "some" && order.stages[0].sql.contains("`a`")));
}

#[test]
fn a_materialized_column_is_kept_from_tables_through_which_old_servers_would_refuse_inserts() {
    let read = "CREATE TABLE d.read (id UInt64) ENGINE = Distributed('main', 'd', 'events')";
    let get_it = |sql: &str, spoil: fn(&mut Fixture)| {
        let mut fixture = Fixture::new();
        fixture.add("s1r1", read);
        spoil(&mut fixture);
        let alter = resolve(sql, &fixture.snapshot).unwrap();
        let tables = alter.orders.into_iter().filter(|order| !order.stages.is_empty());
        tables.map(|order| order.table.table).collect::<Vec<_>>().join(" ")
    };
    let add = "ALTER TABLE d.events_all ADD COLUMN a UInt64 MATERIALIZED id + 1";
    assert_eq!(get_it(add, |_| ()), "events read");
    let today = |fixture: &mut Fixture| {
        for id in ["s1r1", "s1r2", "s2r1", "s2r2"] {
            fixture.state(id).capabilities.insert(crate::snapshot::Capability::ViewsLeaveMaterialized);
        }
    };
    assert_eq!(get_it(add, today), "events events_all read");
    assert_eq!(get_it("ALTER TABLE d.events_all ADD COLUMN a UInt64 DEFAULT id + 1", |_| ()), "events events_all read");
}

#[test]
fn a_table_of_the_same_name_over_another_one_is_left_alone() {
    let mut fixture = Fixture::new();
    fixture.add("s1r1", "CREATE TABLE d.raw (id UInt64) ENGINE = MergeTree ORDER BY id");
    fixture.add("s1r2", "CREATE TABLE d.events_all (id UInt64) ENGINE = Distributed('main', 'd', 'raw')");
    let alter = resolve("ALTER TABLE d.events ADD COLUMN a UInt8", &fixture.snapshot).unwrap();
    let over: Vec<&Order> = alter.orders.iter().filter(|order| !order.is_local).collect();
    let on: Vec<String> = over.iter().flat_map(|order| &order.on).map(ToString::to_string).collect();
    assert_eq!(on, ["s1r1", "s2r1", "s2r2"]);
    assert_eq!(alter.reached, ["d.events_all on s1r2 is not over d.events"]);
}

#[test]
fn a_nested_column_goes_with_all_of_its_parts() {
    let mut fixture = Fixture::new();
    fixture.redefine("DEFAULT 1", "DEFAULT 1, `nn.a` Array(UInt8), `nn.b` Array(UInt8)");
    let alter = resolve("ALTER TABLE d.events DROP COLUMN IF EXISTS nn", &fixture.snapshot).unwrap();
    assert_eq!(alter.orders[0].stages[0].sql, "DROP COLUMN `nn.a`, DROP COLUMN `nn.b`");
    let gone: Vec<&str> = alter.commands.iter().filter_map(Command::takes_away).collect();
    assert_eq!(gone, ["nn.a", "nn.b"]);
}

#[test]
fn commands_come_in_an_order_that_servers_take() {
    let mut fixture = Fixture::new();
    fixture.redefine("DEFAULT 1", "DEFAULT 1, x UInt64 DEFAULT y, y UInt64 DEFAULT z, z UInt64");
    let ordered = |commands: &str| {
        let alter = resolve(&format!("ALTER TABLE d.events {commands}"), &fixture.snapshot).unwrap();
        alter.commands.into_iter().map(|command| command.text).collect::<Vec<_>>().join(", ")
    };
    for (written, wanted) in [
        ("DROP COLUMN z, DROP COLUMN y, DROP COLUMN x", "DROP COLUMN `x`, DROP COLUMN `y`, DROP COLUMN `z`"),
        ("ADD COLUMN a UInt8 AFTER b, ADD COLUMN b UInt8", "ADD COLUMN b UInt8, ADD COLUMN a UInt8 AFTER b"),
        ("COMMENT COLUMN a 'x', ADD COLUMN a UInt8", "ADD COLUMN a UInt8, COMMENT COLUMN a 'x'"),
        ("ADD INDEX i a TYPE minmax, ADD COLUMN a UInt8", "ADD COLUMN a UInt8, ADD INDEX i a TYPE minmax"),
        ("DROP COLUMN value, ADD COLUMN a UInt8", "DROP COLUMN value, ADD COLUMN a UInt8"),
        (
            "ADD COLUMN a UInt8 AFTER b, ADD COLUMN b UInt8 AFTER a",
            "ADD COLUMN a UInt8 AFTER b, ADD COLUMN b UInt8 AFTER a",
        ),
    ] {
        assert_eq!(ordered(written), wanted.replace('`', ""), "{written}");
    }
}
