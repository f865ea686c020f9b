use super::*;
use crate::alter::Alter;
use crate::alter::resolve;
use crate::assess::{Fixture, Survey, assess_alter};
use crate::names::TableName;

/// An ALTER of the fixture's `d.events` whose orders are still to be tried.
fn case<'a>(fixture: &'a Fixture, alter: &'a Alter, survey: &'a Survey) -> AlterCase<'a> {
    let local = fixture.snapshot.table(crate::names::ReplicaId::new(1, 1), &TableName::new("d", "events")).unwrap();
    AlterCase { snapshot: &fixture.snapshot, alter, tried: &[], local, retirement: None, survey }
}

/// Codes and texts of what is found about an ALTER of the fixture's `d.events` after something was added or changed.
fn found(sql: &str, spoil: impl FnOnce(&mut Fixture)) -> Vec<String> {
    let mut fixture = Fixture::new();
    spoil(&mut fixture);
    let alter = resolve(sql, &fixture.snapshot).unwrap();
    let survey = Survey::default();
    let case = case(&fixture, &alter, &survey);
    let line = |finding: Finding| format!("{} {}: {}", finding.severity, finding.code, finding.what);
    assess_alter(&case).into_iter().map(line).collect()
}

fn codes(sql: &str, more: &[&str]) -> Vec<String> {
    let found = found(sql, |fixture| more.iter().for_each(|create| fixture.add("s1r1", create)));
    found.into_iter().filter_map(|line| line.split(':').next().map(str::to_owned)).collect()
}

const DROP: &str = "ALTER TABLE d.events_all DROP COLUMN value";

#[test]
fn a_change_that_nothing_leans_on_is_not_blocked() {
    assert_eq!(codes("ALTER TABLE d.events ADD COLUMN a UInt8", &[]), [""; 0]);
    assert_eq!(codes(DROP, &[]), ["hazard SW069"]);
    assert_eq!(codes("ALTER TABLE d.events MODIFY COLUMN sign Int16", &[]), ["hazard SW072"]);
}

#[test]
fn views_that_read_a_column_that_goes_block_it() {
    for view in [
        "CREATE VIEW d.v AS SELECT value FROM d.events",
        "CREATE VIEW d.v AS SELECT * FROM events_all",
        "CREATE MATERIALIZED VIEW d.v TO d.w (a Float64) AS SELECT sum(`value`) AS a FROM d.events",
    ] {
        assert_eq!(codes(DROP, &[view]), ["blocker SW064", "hazard SW069"], "{view}");
        assert_eq!(codes("ALTER TABLE d.events RENAME COLUMN value TO worth", &[view])[0], "blocker SW064");
    }
    for from in [
        "merge('d', '^events$')",
        "cluster('main', 'd', 'events')",
        "cluster('main', d.events_all)",
        "remote('h', d.events)",
    ] {
        let view = format!("CREATE VIEW d.v AS SELECT value FROM {from}");
        assert_eq!(codes(DROP, &[&view]), ["blocker SW064", "hazard SW069"], "{view}");
    }
    let alias = "CREATE TABLE d.al (value Float64) ENGINE = Alias('d', 'events')";
    assert_eq!(codes(DROP, &[alias, "CREATE VIEW d.v AS SELECT value FROM d.al"])[0], "blocker SW064");
    assert_eq!(codes(DROP, &[alias]), ["hazard SW069"]);
    for view in ["CREATE VIEW d.v AS SELECT id, 'value' FROM d.events", "CREATE VIEW d.v AS SELECT value FROM d.other"]
    {
        assert_eq!(codes(DROP, &[view]), ["hazard SW069"], "{view}");
    }
}

#[test]
fn what_clauses_of_the_same_alter_do_without_may_go() {
    let spoil = |fixture: &mut Fixture| fixture.redefine("SETTINGS", "TTL toDate(version) SETTINGS");
    let found = |more: &str| found(&format!("ALTER TABLE d.events DROP COLUMN version{more}"), spoil).join("; ");
    let needs = "the TTL of d.events needs column version";
    assert!(found("").contains(needs));
    assert!(found(", MODIFY TTL toDate(version) + 1").contains(needs));
    for clause in [", REMOVE TTL", ", MODIFY TTL day"] {
        assert!(!found(clause).contains(needs), "{clause}: {}", found(clause));
    }
}

#[test]
fn what_goes_on_with_the_type_of_before_is_said() {
    let modify = "ALTER TABLE d.events MODIFY COLUMN sign Int16";
    for engine in [
        "Buffer('d', 'events', 1, 1, 1, 1, 1, 1, 1)",
        "Merge('d', '^events$')",
        "Distributed('main', 'd', 'events_all')",
    ] {
        let of_type = |kind: &str| format!("CREATE TABLE d.x (id UInt64, sign {kind}) ENGINE = {engine}");
        let over = |kind: &str| found(modify, |fixture| fixture.add("s1r1", &of_type(kind)));
        let said = over("Int8");
        assert!(
            said.iter()
                .any(|line| line.starts_with("hazard SW068") && line.ends_with("with Int8 as the type of column sign")),
            "{said:?}"
        );
        assert_eq!(
            over("Int16"),
            ["hazard SW072: while the type of sign changes, shards and d.events_all have different ones"]
        );
    }
    let dictionary = "CREATE DICTIONARY d.dict (id UInt64, sign Int8) PRIMARY KEY id SOURCE(CLICKHOUSE(TABLE 'events' DB 'd')) LAYOUT(FLAT())";
    let said = found(modify, |fixture| {
        let mut table = fixture.state("s1r1").tables[&TableName::new("d", "events_all")].clone();
        (table.name, table.engine) = (TableName::new("d", "dict"), "Dictionary".to_owned());
        table.engine_full = String::new();
        table.create_query = dictionary.to_owned();
        fixture.state("s1r1").tables.insert(table.name.clone(), table);
    });
    assert!(said[0].starts_with("hazard SW067: the dictionary d.dict goes on with Int8"), "{said:?}");
}

#[test]
fn a_column_is_not_materialized_where_old_servers_would_refuse_inserts() {
    let sql = "ALTER TABLE d.events MODIFY COLUMN value Float64 MATERIALIZED id";
    let is_refused = |line: &String| line.starts_with("blocker SW068: d.events_all would refuse every insert");
    assert!(found(sql, |_| ()).iter().any(is_refused));
    assert!(!found(sql, lenient).iter().any(is_refused));
    assert!(!found(&sql.replace("MATERIALIZED", "DEFAULT"), |_| ()).iter().any(is_refused));
}

#[test]
fn a_view_that_was_seen_to_do_without_the_column_does_not_block_it() {
    use crate::alter::DependentKind::View;
    let works = Ok(String::new());
    let tree = |from: &str| {
        format!(
            "COLUMN id: 2, column_name: a, result_type: Int8, source_id: 3\n TABLE id: 3, alias: x, table_name: {from}"
        )
    };
    let answered = |columns: [&str; 2], from: [&str; 2], after: &crate::alter::Answer| {
        let mut tried = answered(View, [&works, after], columns);
        if let crate::alter::Outcome::Asked { before, after } = &mut tried.outcome {
            (before.origins, after.origins) = (Some(Ok(tree(from[0]))), Some(Ok(tree(from[1]))));
        }
        tried
    };
    let alias = |fixture: &mut Fixture| {
        lenient(fixture);
        fixture.add("s1r1", "CREATE VIEW d.v AS SELECT sign AS value FROM d.events");
    };
    let (one, here) = (["a\tInt8"; 2], ["d.events"; 2]);
    let found = tried(DROP, alias, &[answered(one, here, &works)]);
    assert!(found.iter().all(|line| !line.starts_with("blocker")), "{found:?}");
    assert!(found.iter().any(|line| line.starts_with("note SW064: the view d.v has the name value")), "{found:?}");
    let refused = Err(crate::alter::Refusal { code: 47, words: "no".to_owned() });
    for needs in [
        answered(one, here, &refused),
        answered(["a\tInt8\nvalue\tInt8", "a\tInt8"], here, &works),
        answered(one, ["d.events", "d.other"], &works),
    ] {
        let found = tried(DROP, alias, &[needs]);
        assert!(found[0].starts_with("blocker SW064"), "{found:?}");
        assert!(found.iter().all(|line| !line.contains("SW086: every")), "{found:?}");
    }
}

#[test]
fn what_only_one_replica_defines_so_blocks_it() {
    for (harmless, harmful, code) in [
        ("VIEW d.v AS SELECT id FROM d.events", "VIEW d.v AS SELECT value FROM d.events", "SW064"),
        (
            "MATERIALIZED VIEW d.v TO d.events AS SELECT id FROM d.source",
            "MATERIALIZED VIEW d.v TO d.events AS SELECT value FROM d.source",
            "SW065",
        ),
        (
            "TABLE d.o (value Float64) ENGINE = Distributed('main', 'd', 'events', id)",
            "TABLE d.o (value Float64) ENGINE = Distributed('main', 'd', 'events', value)",
            "SW066",
        ),
        (
            "TABLE d.b (id UInt64) ENGINE = Buffer('d', 'events', 1, 1, 1, 1, 1, 1, 1)",
            "TABLE d.b (value Float64) ENGINE = Buffer('d', 'events', 1, 1, 1, 1, 1, 1, 1)",
            "SW068",
        ),
    ] {
        let spoil = |fixture: &mut Fixture| {
            fixture.add("s1r1", &format!("CREATE {harmless}"));
            fixture.add("s1r2", &format!("CREATE {harmful}"));
            fixture.add("s2r1", &format!("CREATE {harmful}"));
        };
        let found = found(DROP, spoil);
        assert!(found[0].starts_with(&format!("blocker {code}")), "{harmful}: {found:?}");
        assert_eq!(found.len(), 2, "{found:?}");
    }
}

#[test]
fn views_that_take_a_column_by_a_pattern_or_in_parts_block_it() {
    for select in ["COLUMNS('^val') FROM d.events", "e.COLUMNS('u') APPLY(abs) FROM d.events AS e"] {
        assert_eq!(codes(DROP, &[&format!("CREATE VIEW d.v AS SELECT {select}")])[0], "blocker SW064", "{select}");
    }
    assert_eq!(codes(DROP, &["CREATE VIEW d.v AS SELECT COLUMNS('^team') FROM d.events"]), ["hazard SW069"]);
    let nested = |sql: &str, select: &str| {
        found(sql, |fixture| {
            fixture.redefine("DEFAULT 1", "DEFAULT 1, `nn.a` Array(UInt8), `nn.b` Array(UInt8)");
            fixture.add("s1r1", &format!("CREATE MATERIALIZED VIEW d.v TO d.w (x UInt8) AS SELECT {select}"));
        })
    };
    for sql in ["ALTER TABLE d.events RENAME COLUMN nn.a TO nn.c", "ALTER TABLE d.events DROP COLUMN nn.a"] {
        for select in ["nn.a AS x FROM d.events", "x.b AS x FROM d.events ARRAY JOIN nn AS x"] {
            assert!(nested(sql, select)[0].starts_with("blocker SW064"), "{sql} {select}");
        }
        assert!(!nested(sql, "nn.b AS x FROM d.events")[0].starts_with("blocker SW064"), "{sql}");
    }
}

#[test]
fn a_view_that_writes_what_is_not_there_blocks_it() {
    let feed = "CREATE MATERIALIZED VIEW d.feed TO d.events_all AS SELECT id, value FROM d.source";
    assert_eq!(codes(DROP, &[feed]), ["blocker SW065", "hazard SW069"]);
    // Old servers refuse what gives its target fewer columns than that has; new ones fill them with defaults.
    let add = "ALTER TABLE d.events ADD COLUMN a UInt8";
    for (target, severity) in [("events", "blocker"), ("events_all", "hazard")] {
        let feed = format!("CREATE MATERIALIZED VIEW d.feed TO d.{target} AS SELECT id FROM d.source");
        assert_eq!(codes(add, &[&feed]), [format!("{severity} SW065")], "{target}");
        let lenient = |fixture: &mut Fixture| {
            fixture.add("s1r1", &feed);
            for id in ["s1r1", "s1r2", "s2r1", "s2r2"] {
                fixture.state(id).capabilities.insert(crate::snapshot::Capability::ViewsLeaveMaterialized);
            }
        };
        assert_eq!(found(add, lenient), [""; 0], "{target}");
    }
    let star = "CREATE MATERIALIZED VIEW d.star TO d.copy AS SELECT * FROM d.events";
    let copy = "CREATE TABLE d.copy (id UInt64) ENGINE = Memory";
    assert_eq!(codes(add, &[star, copy]), ["blocker SW065"]);
    assert_eq!(codes(add, &[star, "CREATE TABLE d.copy (id UInt64, a UInt8) ENGINE = Memory"]), [""; 0]);
}

#[test]
fn dictionaries_buffers_and_expressions_block_it() {
    let dictionary = "CREATE DICTIONARY d.dict (id UInt64, value Float64) PRIMARY KEY id SOURCE(CLICKHOUSE(TABLE 'events' DB 'd')) LAYOUT(FLAT())";
    let mut fixture = Fixture::new();
    let mut table = fixture.state("s1r1").tables[&TableName::new("d", "daily")].clone();
    table.name = TableName::new("d", "dict");
    table.engine = "Dictionary".to_owned();
    table.create_query = dictionary.to_owned();
    let with = |fixture: &mut Fixture| _ = fixture.state("s1r1").tables.insert(table.name.clone(), table.clone());
    assert!(found(DROP, with)[0].starts_with("blocker SW067: the dictionary d.dict reads column value of d.events"));
    for (query, is_found) in [
        ("SELECT id, value FROM d.events", true),
        ("SELECT id, COLUMNS(\\'^value$\\') FROM merge(\\'d\\', \\'^events$\\')", true),
        ("SELECT id, sign AS value FROM d.other", false),
        ("SELECT id, 1 FROM d.events", false),
    ] {
        let by_query = dictionary.replace("TABLE 'events' DB 'd'", &format!("QUERY '{query}'"));
        table.create_query = by_query.clone();
        let with = |fixture: &mut Fixture| _ = fixture.state("s1r1").tables.insert(table.name.clone(), table.clone());
        assert_eq!(found(DROP, with)[0].starts_with("blocker SW067"), is_found, "{query}");
    }
    let buffer = "CREATE TABLE d.b (value Float64) ENGINE = Buffer('d', 'events', 1, 1, 1, 1, 1, 1, 1)";
    assert_eq!(codes(DROP, &[buffer])[0], "blocker SW068");
    let merge = "CREATE TABLE d.m (value Float64) ENGINE = Merge('d', '^events')";
    assert_eq!(codes(DROP, &[merge])[0], "blocker SW068");
    for engine in ["Merge('d', '^(events|x)$')", "Merge('d', '^ev.*s$')", "Merge(REGEXP('^d$'), '^events_all$')"] {
        let merge = format!("CREATE TABLE d.m (value Float64) ENGINE = {engine}");
        assert_eq!(codes(DROP, &[&merge])[0], "blocker SW068", "{engine}");
        let view = "CREATE VIEW d.v AS SELECT value FROM d.m";
        assert_eq!(codes(DROP, &[&merge, view])[..2], ["blocker SW064", "blocker SW068"], "{engine}");
    }
    let other = "CREATE TABLE d.m (value Float64) ENGINE = Merge('d', '^(x|y)$')";
    assert_eq!(codes(DROP, &[other]), ["hazard SW069"]);
    let twice = "CREATE TABLE d.twice (value Float64) ENGINE = Distributed('main', 'd', 'events_all', rand())";
    let found_of_twice = found(DROP, |fixture| fixture.add("s1r1", twice));
    assert!(
        found_of_twice[0]
            .starts_with("blocker SW068: the Distributed table d.twice over d.events_all has column value"),
        "{found_of_twice:?}"
    );
    let mut fixture = Fixture::new();
    fixture.add("s1r1", twice);
    let refused = resolve("ALTER TABLE d.twice ADD COLUMN y UInt8", &fixture.snapshot).unwrap_err().to_string();
    assert!(refused.starts_with("d.twice is a Distributed table over d.events_all, which is none of"), "{refused}");
    let index =
        |fixture: &mut Fixture| fixture.redefine("DEFAULT 1", "DEFAULT 1, INDEX i value TYPE minmax GRANULARITY 1");
    assert!(found(DROP, index)[0].starts_with("blocker SW066: index i of d.events needs column value"));
    assert!(
        found("ALTER TABLE d.events DROP INDEX i, DROP COLUMN value", index).iter().all(|line| !line.contains("SW066"))
    );
}

#[test]
fn only_expressions_need_columns() {
    let needs = |declarations: &str, column: &str| {
        let found = found(&format!("ALTER TABLE d.events DROP COLUMN `{column}`"), |fixture| {
            fixture.redefine("DEFAULT 1", &format!("DEFAULT 1, `{column}` String, {declarations}"));
        });
        found.iter().any(|line| line.contains("SW066"))
    };
    for (declarations, column) in [
        ("tup Tuple(a UInt8, b String)", "b"),
        ("jj JSON(b String)", "b"),
        ("c String DEFAULT lower('A')", "lower"),
        ("c String CODEC(ZSTD)", "ZSTD"),
        ("c String COMMENT 'b'", "b"),
        ("c String", "String"),
        ("INDEX i value TYPE minmax GRANULARITY 1", "minmax"),
        ("CONSTRAINT b CHECK value > 0", "b"),
    ] {
        assert!(!needs(declarations, column), "{declarations}");
    }
    for declarations in [
        "c String DEFAULT lower(b)",
        "c String ALIAS b",
        "c Date TTL toDate(b) + toIntervalDay(1)",
        "INDEX i lower(b) TYPE minmax GRANULARITY 1",
        "CONSTRAINT c CHECK b != ''",
        "PROJECTION p (SELECT b, count() GROUP BY b)",
    ] {
        assert!(needs(declarations, "b"), "{declarations}");
    }
}

#[test]
fn old_servers_are_not_given_comments() {
    let comment = "ALTER TABLE d.events COMMENT COLUMN value 'x'";
    assert_eq!(codes(comment, &[]), ["blocker SW070"]);
    let new = |fixture: &mut Fixture| {
        for id in ["s1r1", "s1r2", "s2r1", "s2r2"] {
            fixture.state(id).capabilities.insert(crate::snapshot::Capability::MutationsSync);
        }
    };
    assert_eq!(found(comment, new), [""; 0]);
}

#[test]
fn a_default_without_a_type_is_refused_where_servers_take_the_type_from_it() {
    let alter = "ALTER TABLE d.events MODIFY COLUMN value DEFAULT 5";
    assert_eq!(codes(alter, &[]), ["blocker SW076"]);
    assert!(
        !codes("ALTER TABLE d.events MODIFY COLUMN value Float64 DEFAULT 5", &[]).contains(&"blocker SW076".to_owned())
    );
    let new = |fixture: &mut Fixture| {
        for id in ["s1r1", "s1r2", "s2r1", "s2r2"] {
            fixture.state(id).capabilities.insert(crate::snapshot::Capability::MutationsSync);
        }
    };
    assert_eq!(found(alter, new), [""; 0]);
}

#[test]
fn a_default_that_rows_are_read_with_does_not_change_under_them() {
    let found = |command: &str, rows: u64, new: bool| {
        let mut fixture = Fixture::new();
        for id in ["s1r1", "s1r2", "s2r1", "s2r2"].into_iter().filter(|_| new) {
            fixture.state(id).capabilities.insert(crate::snapshot::Capability::MutationsSync);
        }
        let alter = resolve(&format!("ALTER TABLE d.events {command}"), &fixture.snapshot).unwrap();
        let lacking = [crate::alter::Lacking { column: "value".to_owned(), rows }];
        let survey = Survey { lacking: lacking.into(), ..Survey::default() };
        let case = case(&fixture, &alter, &survey);
        let own = assess_alter(&case).into_iter().find(|finding| finding.code == default_of_old_rows::CODE);
        own.map(|finding| format!("{}: {}; {}", finding.severity, finding.why, finding.help))
    };
    let removed = found("MODIFY COLUMN value REMOVE DEFAULT", 7, true).unwrap();
    assert!(removed.contains("it is `1`; from then on it is its type's own default"), "{removed}");
    assert!(removed.starts_with("blocker") && removed.contains("MATERIALIZE COLUMN `value`"), "{removed}");
    assert!(found("MODIFY COLUMN value DEFAULT 2", 7, true).unwrap().contains("from then on it is `2`"));
    assert!(found("MODIFY COLUMN value Float64 DEFAULT 2 TTL day + toIntervalDay(1)", 7, true).is_some());
    // A declaration without a default takes it away on old servers only.
    assert!(found("MODIFY COLUMN value Float64", 7, false).unwrap().contains("UPDATE `value` = `value`"));
    assert_eq!(found("MODIFY COLUMN value Float64", 7, true), None);
    for (command, rows) in [
        ("MODIFY COLUMN value REMOVE DEFAULT", 0),
        ("MODIFY COLUMN value Float64 DEFAULT  1", 7),
        ("MODIFY COLUMN value Float64 DEFAULT 1 TTL day + toIntervalDay(1)", 7),
        ("MODIFY COLUMN sign DEFAULT 2", 7),
        ("MODIFY COLUMN value REMOVE COMMENT", 7),
        ("COMMENT COLUMN value 'DEFAULT'", 7),
    ] {
        assert_eq!(found(command, rows, true), None, "{command}");
    }
}

#[test]
fn a_column_that_took_the_default_of_another_one_is_to_keep_it() {
    let found = |command: &str, own: &str| {
        let mut fixture = Fixture::new();
        fixture.states(|state| _ = state.capabilities.insert(crate::snapshot::Capability::MutationsSync));
        fixture.sources(|table| {
            let of = |name: &str| if name == "value" { "version" } else { own };
            for column in table.columns.iter_mut().filter(|column| ["value", "version"].contains(&&*column.name)) {
                column.default_expression = of(&column.name).to_owned();
                column.default_kind = if column.default_expression.is_empty() { "" } else { "DEFAULT" }.to_owned();
            }
        });
        let alter = resolve(&format!("ALTER TABLE d.events {command}"), &fixture.snapshot).unwrap();
        let retired = crate::alter::retired(&alter);
        let survey = Survey::default();
        let case = case(&fixture, &alter, &survey);
        let own = assess_alter(&case).into_iter().find(|finding| finding.code == default_of_old_name::CODE);
        (retired.map(|columns| columns.join(" ")), own.map(|finding| format!("{}: {}", finding.severity, finding.help)))
    };
    let old = Some("version".to_owned());
    let (retired, lost) = found("MODIFY COLUMN value REMOVE DEFAULT", "toUInt64(id)");
    assert_eq!(retired, old);
    let lost = lost.unwrap();
    assert!(
        lost.starts_with("blocker") && lost.contains("MODIFY COLUMN `value` Float64 DEFAULT toUInt64(id)"),
        "{lost}"
    );
    assert!(found("MODIFY COLUMN value DEFAULT 7", "toUInt64(id)").1.is_some());
    for (command, own) in
        [("MODIFY COLUMN value REMOVE DEFAULT", ""), ("MODIFY COLUMN value DEFAULT toUInt64( id )", "toUInt64(id)")]
    {
        assert_eq!(found(command, own), (old.clone(), None), "{command}");
    }
    assert_eq!(found("MODIFY COLUMN value DEFAULT version + 1", "").0, None, "it is yet computed from it");
}

#[test]
fn an_alias_that_becomes_stored_with_another_expression_changes_every_row() {
    let found = |command: &str| {
        let mut fixture = Fixture::new();
        fixture.states(|state| _ = state.capabilities.insert(crate::snapshot::Capability::MutationsSync));
        fixture.sources(|table| {
            for column in table.columns.iter_mut().filter(|column| column.name == "value") {
                column.default_kind = "ALIAS".to_owned();
            }
        });
        let alter = resolve(&format!("ALTER TABLE d.events {command}"), &fixture.snapshot).unwrap();
        let lacking = [crate::alter::Lacking { column: "value".to_owned(), rows: 7 }];
        let survey = Survey { lacking: lacking.into(), ..Survey::default() };
        let case = case(&fixture, &alter, &survey);
        let own = assess_alter(&case).into_iter().find(|finding| finding.code == default_of_old_rows::CODE);
        own.map(|finding| finding.help)
    };
    for changed in ["MODIFY COLUMN value DEFAULT 0", "MODIFY COLUMN value REMOVE ALIAS"] {
        assert!(found(changed).is_some_and(|help| help.contains("MODIFY COLUMN `value` DEFAULT 1, then MATERIALIZE")));
    }
    for same in ["MODIFY COLUMN value DEFAULT 1", "MODIFY COLUMN value ALIAS 2", "MODIFY COLUMN value Float64 ALIAS 2"]
    {
        assert_eq!(found(same), None, "{same}");
    }
}

#[test]
fn values_that_do_not_convert_block_and_what_was_not_tried_is_said() {
    let found = |is_certain: bool| {
        let fixture = Fixture::new();
        let alter = resolve("ALTER TABLE d.events MODIFY COLUMN version UInt8", &fixture.snapshot).unwrap();
        let local = fixture.snapshot.table(crate::names::ReplicaId::new(1, 1), &TableName::new("d", "events")).unwrap();
        let [narrowed] = crate::alter::narrowed(&alter, local).unwrap().try_into().unwrap();
        let unfit = [crate::alter::Unfit { narrowed, said: "Cannot parse 'de'".to_owned(), is_certain }];
        let survey = Survey { unfit: unfit.into(), ..Survey::default() };
        let case = case(&fixture, &alter, &survey);
        let own = assess_alter(&case).into_iter().find(|finding| finding.code == unfit_values::CODE).unwrap();
        format!("{}: {}; {}", own.severity, own.what, own.why)
    };
    assert!(found(true).starts_with("blocker: not every value of column version of d.events can become UInt8"));
    assert!(found(true).contains("Cannot parse 'de'"));
    assert!(found(false).starts_with("hazard: whether every value"));
}

#[test]
fn rights_that_go_by_the_name_of_a_column_are_heeded() {
    let found = |command: &str| {
        let fixture = Fixture::new();
        let alter = resolve(&format!("ALTER TABLE d.events {command}"), &fixture.snapshot).unwrap();
        let (one, other) = (crate::names::ReplicaId::new(1, 1), crate::names::ReplicaId::new(2, 1));
        let policy =
            |filter: &str| crate::alter::RowPolicy { name: "p ON d.events".to_owned(), filter: filter.to_owned() };
        let grant = crate::alter::ColumnGrant {
            to: "reader".to_owned(),
            access: "SELECT".to_owned(),
            table: TableName::new("d", "events"),
            column: "value".to_owned(),
        };
        let policies = vec![policy("value > 0"), policy("id = 'value'")];
        let told = crate::alter::Rights { policies, grants: vec![grant], unread: Vec::new() };
        let silent = crate::alter::Rights { unread: vec!["no such table".to_owned()], ..Default::default() };
        let survey =
            Survey { rights: crate::alter::AllRights::from([(one, told), (other, silent)]), ..Survey::default() };
        let case = case(&fixture, &alter, &survey);
        let own = assess_alter(&case).into_iter().filter(|finding| finding.code == rights::CODE);
        own.map(|finding| format!("{}: {}", finding.severity, finding.what)).collect::<Vec<_>>()
    };
    let unknown = "note: row policies and grants on columns are not known from s2r1";
    let [policy, grant, silent] = found("DROP COLUMN value").try_into().unwrap();
    assert_eq!(policy, "blocker: the row policy p ON d.events filters by column value");
    assert_eq!(grant, "note: rights are granted on column value by name: reader (SELECT on d.events)");
    assert!(silent.starts_with(unknown), "{silent}");
    let renamed = found("RENAME COLUMN value TO worth");
    assert!(
        renamed[0].starts_with("blocker: the row policy") && renamed[1].starts_with("hazard: rights"),
        "{renamed:?}"
    );
    let retyped = found("MODIFY COLUMN value Float32");
    assert!(retyped[0].starts_with("hazard: the row policy p ON d.events filters by column value, whose type"));
    assert!(found("DROP COLUMN sign").iter().all(|one| one.starts_with(unknown)));
}

#[test]
fn a_view_of_a_column_whose_type_changes_blocks_it_on_old_servers() {
    let view = "CREATE MATERIALIZED VIEW d.v TO d.w (a Int8) AS SELECT sign AS a FROM d.events";
    assert_eq!(codes("ALTER TABLE d.events MODIFY COLUMN sign Int16", &[view])[0], "blocker SW071");
}

/// What is found about [`DROP`] once nobody reads the column, as the logs are.
fn retiring(usage: crate::assess::Usage, by_star: bool) -> Vec<String> {
    let fixture = Fixture::new();
    let alter = resolve(DROP, &fixture.snapshot).unwrap();
    let retirement = crate::assess::Retirement { columns: vec!["value".to_owned()], seconds: 604_800, by_star, usage };
    let survey = Survey::default();
    let case = AlterCase { retirement: Some(&retirement), ..case(&fixture, &alter, &survey) };
    let own = |finding: &Finding| ["SW074", "SW075"].contains(&finding.code.as_str());
    let line = |finding: Finding| format!("{} {}: {}; {}", finding.severity, finding.code, finding.what, finding.why);
    assess_alter(&case).into_iter().filter(own).map(line).collect()
}

fn usage(how: crate::assess::How, reaches: Option<u64>, flaw: Option<&str>) -> crate::assess::Usage {
    let text = |text: &str| text.to_owned();
    let one = crate::assess::ColumnUse {
        column: text("value"),
        how,
        user: text("app"),
        client: text("curl"),
        host: text("10.0.0.1"),
        queries: 4,
        last: 1_700_000_000,
        query: text("SELECT value FROM d.events"),
    };
    let log = crate::assess::LogOf {
        on: crate::names::ReplicaId::new(2, 1),
        reaches,
        at: 1_700_000_100,
        flaw: flaw.map(text),
    };
    crate::assess::Usage { uses: vec![one], standing: Vec::new(), logs: vec![log] }
}

#[test]
fn who_reads_a_column_that_is_to_go_is_said() {
    use crate::assess::{How, Usage};
    let found = retiring(usage(How::Named, Some(604_800), None), true);
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with(
        "hazard SW074: column value of d.events was used 4 times within 7 d, 0 of them by * alone, last at 2023-11-14T22:13:20Z: app (curl) from 10.0.0.1"
    ), "{found:?}");
    assert!(retiring(usage(How::Star, Some(604_800), None), false)[0].contains("does not wait for that"));
    assert_eq!(retiring(Usage::default(), true), [""; 0]);
}

#[test]
fn a_log_that_proves_nothing_is_said() {
    use crate::assess::{How, Usage};
    let only = |usage: Usage| retiring(Usage { uses: Vec::new(), ..usage }, true);
    assert_eq!(only(usage(How::Named, Some(604_800), None)), [""; 0]);
    assert!(only(usage(How::Named, Some(3600), None))[0].contains(
        "SW075: the query log of s2r1 does not prove that nobody reads the column: it reaches back 1 h only"
    ));
    assert!(only(usage(How::Named, Some(604_800), Some("log_queries is off")))[0].contains("log_queries is off"));
    assert!(only(usage(How::Named, None, Some("there is no system.query_log")))[0].contains("there is no"));
}

/// What is found about an ALTER of the fixture's table whose dependents answered so.
fn tried(sql: &str, spoil: impl FnOnce(&mut Fixture), dependents: &[crate::alter::TriedDependent]) -> Vec<String> {
    let mut fixture = Fixture::new();
    spoil(&mut fixture);
    let alter = resolve(sql, &fixture.snapshot).unwrap();
    let survey = Survey { dependents: dependents.to_vec(), ..Survey::default() };
    let case = case(&fixture, &alter, &survey);
    let codes = [dependent_fails::CODE, view_of_type::CODE, view_reads::CODE];
    let own = |finding: &Finding| codes.contains(&finding.code.as_str());
    let line = |finding: Finding| format!("{} {}: {}", finding.severity, finding.code, finding.what);
    assess_alter(&case).into_iter().filter(own).map(line).collect()
}

fn answered(
    kind: crate::alter::DependentKind,
    [before, after]: [&crate::alter::Answer; 2],
    [columns, then]: [&str; 2],
) -> crate::alter::TriedDependent {
    let answers = |run: &crate::alter::Answer, columns: &str| crate::alter::Answers {
        runs: vec![run.clone()],
        columns: Some(Ok(columns.to_owned())),
        origins: None,
    };
    let name = if kind == crate::alter::DependentKind::Inserts { "events" } else { "v" };
    crate::alter::TriedDependent {
        dependent: crate::alter::Dependent {
            name: TableName::new("d", name),
            kind,
            on: crate::names::ReplicaId::new(1, 1),
        },
        outcome: crate::alter::Outcome::Asked { before: answers(before, columns), after: answers(after, then) },
    }
}

fn lenient(fixture: &mut Fixture) {
    for id in ["s1r1", "s1r2", "s2r1", "s2r2"] {
        fixture.state(id).capabilities.insert(crate::snapshot::Capability::ViewsLeaveMaterialized);
    }
}

#[test]
fn what_fails_only_after_the_change_blocks_it() {
    use crate::alter::DependentKind::{Inserts, Materialized, View};
    let modify = "ALTER TABLE d.events MODIFY COLUMN sign Int16";
    let works = Ok(String::new());
    let refused = |code| Err(crate::alter::Refusal { code, words: "no".to_owned() });
    let same = ["a\tInt8", "a\tInt8"];
    for (kind, before, after, wanted) in [
        (View, &works, refused(43), "blocker SW086: every query of the view d.v would fail"),
        (
            Materialized,
            &works,
            refused(70),
            "blocker SW086: every insert that the materialized view d.v sees would fail",
        ),
        (Inserts, &works, refused(53), "blocker SW086: every insert into d.events would fail"),
        (Inserts, &refused(469), refused(53), "blocker SW086: every insert into d.events would fail"),
        (Inserts, &works, refused(469), ""),
        (View, &works, refused(6), "hazard SW086: the view d.v fails after the change for a row of defaults"),
        (View, &works, refused(32), "hazard SW086: the view d.v fails after the change for a row of defaults"),
        (View, &works, refused(159), "note SW086: the view d.v was not tried: no"),
        (View, &refused(43), refused(43), "note SW086: the view d.v was not tried: no"),
        (View, &works, works.clone(), ""),
    ] {
        let found = tried(modify, lenient, &[answered(kind, [before, &after], same)]);
        assert_eq!(found.join("\n"), wanted, "{kind:?} {before:?} {after:?}");
    }
    let wider = answered(View, [&works, &works], ["a\tInt8", "a\tInt16"]);
    assert_eq!(
        tried(modify, lenient, std::slice::from_ref(&wider)),
        ["hazard SW086: the view d.v goes on with the types that it was made with, and its query gives other ones"]
    );
    assert_eq!(tried(modify, |_| (), &[wider]), [""; 0], "old servers give what the query gives");
}

#[test]
fn a_view_of_a_column_whose_type_changes_is_judged_by_its_trial_on_new_servers() {
    use crate::alter::DependentKind::Materialized;
    let modify = "ALTER TABLE d.events MODIFY COLUMN sign Int16";
    let works = Ok(String::new());
    let refused = Err(crate::alter::Refusal { code: 70, words: "no".to_owned() });
    for source in ["events", "events_all"] {
        let with_view = |fixture: &mut Fixture| {
            lenient(fixture);
            let view = format!("CREATE MATERIALIZED VIEW d.v TO d.w (a Int8) AS SELECT sign AS a FROM d.{source}");
            fixture.add("s1r1", &view);
        };
        let reads = "the materialized view d.v reads column sign, whose type changes";
        for (after, columns, wanted) in [
            (&works, ["a\tInt8", "a\tInt16"], format!("hazard SW071: {reads}")),
            (&works, ["a\tInt8", "a\tInt8"], format!("note SW071: {reads}")),
            (
                &refused,
                ["a\tInt8", "a\tInt16"],
                "blocker SW086: every insert that the materialized view d.v sees would fail".to_owned(),
            ),
        ] {
            let found = tried(modify, with_view, &[answered(Materialized, [&works, after], columns)]);
            assert_eq!(found, [wanted], "{source}");
        }
    }
}
