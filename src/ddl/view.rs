//! Reads which tables a view selects from and writes to.

use super::error::DdlError;
use super::lexer::TokenKind;
use super::passing::TableFunction;
use super::reader::Reader;
use super::sources::{begins_query, sources};
use super::statement::{Name, Text};
use crate::names::TableName;

/// A view, materialized or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// The view.
    pub name: Name,
    /// Whether it is materialized.
    pub materialized: bool,
    /// The table of `TO`. A materialized view without one writes to an inner table of its own.
    pub target: Option<Name>,
    /// The tables that the query names, each once, in order: after FROM and JOIN, and `database.table` after IN. Names of common
    /// table expressions are left out. Which of them is the one whose inserts a materialized view sees, only the query's
    /// shape tells: it need not be the first.
    pub sources: Vec<Name>,
    /// The table functions that lead to further tables.
    pub functions: Vec<TableFunction>,
    /// The query, verbatim.
    pub select: Text,
    /// The engine of the inner table, with its arguments and without its clauses, verbatim.
    pub engine: Option<Text>,
    /// `DEFINER = … SQL SECURITY …`, verbatim.
    pub security: Option<Text>,
}

impl View {
    /// The tables that the view reads, if it is in `database`: those that it names, and those of `known` that its table functions
    /// lead to.
    pub fn reads<'a>(&self, database: &str, known: impl IntoIterator<Item = &'a TableName>) -> Vec<TableName> {
        let mut found: Vec<TableName> = self.sources.iter().map(|name| name.in_database(database)).collect();
        if !self.functions.is_empty() {
            let is_led_to = |name: &TableName| self.functions.iter().any(|function| function.leads_to(name, database));
            let more: Vec<TableName> = known.into_iter().filter(|name| is_led_to(name)).cloned().collect();
            found.extend(
                more.into_iter().filter(|name| !self.sources.iter().any(|one| one.in_database(database) == *name)),
            );
        }
        found
    }
}

/// Reads `CREATE VIEW` or `CREATE MATERIALIZED VIEW`, as in `system.tables.create_table_query`.
pub fn read_view(create_query: &str) -> Result<View, DdlError> {
    let mut reader = Reader::new(create_query)?;
    reader.expect(&["CREATE"])?;
    reader.take(&["OR", "REPLACE"]);
    let materialized = reader.take(&["MATERIALIZED"]);
    reader.expect(&["VIEW"])?;
    reader.take(&["IF", "NOT", "EXISTS"]);
    let name = reader.name()?;
    reader.skip_uuid()?;
    reader.on_cluster()?;
    let target = read_target(&mut reader)?;
    let (engine, security) = read_to_query(&mut reader)?;
    let start = reader.place();
    let select = reader.clause("a query", |_| false)?;
    reader.expect_end()?;
    reader.return_to(start);
    let (sources, functions) = sources(&mut reader)?;
    Ok(View { name, materialized, target, sources, functions, select, engine, security })
}

/// `[TO [db.]t]`, which comes before columns and engine. Words of a REFRESH clause are stepped over.
fn read_target(reader: &mut Reader<'_>) -> Result<Option<Name>, DdlError> {
    const AFTER_TARGET: [&str; 6] = ["AS", "ENGINE", "POPULATE", "EMPTY", "DEFINER", "SQL"];
    while !reader.at_end() && reader.text(0) != "(" && !reader.sees_any(&AFTER_TARGET) {
        if reader.sees(&["TO", "INNER", "UUID"]) {
            return Ok(None);
        }
        if reader.take(&["TO"]) {
            return reader.name().map(Some);
        }
        reader.advance();
    }
    Ok(None)
}

/// Steps over columns, engine and clauses, and over the `AS` after them. Gives the engine and who the view acts as.
fn read_to_query(reader: &mut Reader<'_>) -> Result<(Option<Text>, Option<Text>), DdlError> {
    let (mut engine, mut security) = (None, None);
    let mut depth = 0_usize;
    while !reader.at_end() {
        match reader.kind(0) {
            Some(TokenKind::Word) if depth == 0 && engine.is_none() && reader.sees(&["ENGINE"]) => {
                engine = Some(read_engine_name(reader)?);
                continue;
            }
            Some(TokenKind::Word) if depth == 0 && security.is_none() && begins_security(reader) => {
                security = read_security(reader);
                continue;
            }
            Some(TokenKind::Open) => depth += 1,
            Some(TokenKind::Close) => depth = depth.saturating_sub(1),
            _ if depth == 0 && reader.sees(&["AS"]) && begins_query(reader, 1) => {
                reader.advance();
                return Ok((engine, security));
            }
            _ => {}
        }
        reader.advance();
    }
    Err(reader.unexpected("`AS SELECT`"))
}

/// `ENGINE [=] name[(…)]`
fn read_engine_name(reader: &mut Reader<'_>) -> Result<Text, DdlError> {
    reader.expect(&["ENGINE"])?;
    reader.take_symbol("=");
    let start = reader.peek(0).map_or(0, |token| token.span.start);
    reader.identifier()?;
    if reader.take_symbol("(") {
        if reader.text(0) != ")" {
            reader.clause("an engine's arguments", |_| false)?;
        }
        reader.expect_symbol(")")?;
    }
    let end = reader.behind(1).map_or(start, |token| token.span.end);
    Ok(reader.text_at(start..end))
}

fn begins_security(reader: &Reader<'_>) -> bool {
    reader.sees(&["DEFINER"]) && reader.text(1) == "=" || reader.sees(&["SQL", "SECURITY"])
}

/// `[DEFINER = user] [SQL SECURITY word]`: three tokens each.
fn read_security(reader: &mut Reader<'_>) -> Option<Text> {
    let start = reader.peek(0)?.span.start;
    while begins_security(reader) {
        (0..3).for_each(|_| reader.advance());
    }
    Some(reader.text_at(start..reader.behind(1)?.span.end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[Name]) -> Vec<String> {
        names
            .iter()
            .map(|name| name.database.iter().chain([&name.table]).cloned().collect::<Vec<_>>().join("/"))
            .collect()
    }

    fn sources(select: &str) -> Vec<String> {
        names(&read_view(&format!("CREATE VIEW v AS {select}")).unwrap().sources)
    }

    #[test]
    fn views_as_18_16_reports_them() {
        let view = read_view(
            "CREATE MATERIALIZED VIEW h_ddl.mv1 TO h_ddl.repl ( d Date,  k UInt64,  v UInt32) AS SELECT d, toUInt64(a) AS \
             k, a AS v FROM h_ddl.plain ",
        )
        .unwrap();
        assert_eq!(view.name.in_database("").to_string(), "h_ddl.mv1");
        assert!(view.materialized);
        assert_eq!(names(view.target.as_slice()), ["h_ddl/repl"]);
        assert_eq!(names(&view.sources), ["h_ddl/plain"]);
        assert_eq!(view.select.text, "SELECT d, toUInt64(a) AS k, a AS v FROM h_ddl.plain");
        let inner = read_view(
            "CREATE MATERIALIZED VIEW h_ddl.mv2 ( a UInt32,  c UInt64) ENGINE = SummingMergeTree ORDER BY a SETTINGS \
             index_granularity = 8192 AS SELECT a, count() AS c FROM (SELECT a FROM h_ddl.plain  ALL INNER JOIN (SELECT \
             a FROM h_ddl.old_style ) USING (a))  GROUP BY a",
        )
        .unwrap();
        assert_eq!((inner.target, names(&inner.sources)), (None, vec!["h_ddl/plain".into(), "h_ddl/old_style".into()]));
        let plain = read_view(
            "CREATE VIEW h_ddl.v1 ( a UInt32,  `extract(b, 'from')` String) AS SELECT a, extract(b, 'from') FROM \
             h_ddl.plain  ARRAY JOIN [1, 2] AS x WHERE b != ' FROM nope' ORDER BY a ASC LIMIT 5",
        )
        .unwrap();
        assert!(!plain.materialized);
        assert_eq!(names(&plain.sources), ["h_ddl/plain"]);
    }

    #[test]
    fn the_inner_engine_and_who_a_view_acts_as() {
        let parts = |sql: &str| {
            let view = read_view(sql).unwrap();
            [view.engine, view.security].map(|text| text.map(|text| text.text).unwrap_or_default())
        };
        assert_eq!(
            parts(
                "CREATE MATERIALIZED VIEW m (`a` Int8) ENGINE = ReplicatedSummingMergeTree('/x', '{replica}') ORDER BY a AS SELECT a FROM t"
            ),
            ["ReplicatedSummingMergeTree('/x', '{replica}')", ""]
        );
        assert_eq!(
            parts("CREATE MATERIALIZED VIEW m TO t (`a` Int8) DEFINER = me SQL SECURITY DEFINER AS SELECT a FROM s"),
            ["", "DEFINER = me SQL SECURITY DEFINER"]
        );
        assert_eq!(parts("CREATE VIEW v SQL SECURITY INVOKER AS SELECT a FROM s"), ["", "SQL SECURITY INVOKER"]);
    }

    #[test]
    fn views_as_26_9_reports_them() {
        for (sql, target, sources) in [
            (
                "CREATE MATERIALIZED VIEW h_ddl.mv2 (`a` UInt8, `c` UInt64) ENGINE = SummingMergeTree ORDER BY a TTL \
                 toDate(a) + toIntervalDay(1) TO DISK 'default' SETTINGS index_granularity = 8192 COMMENT 'c' AS WITH x \
                 AS (SELECT a FROM h_ddl.expr) SELECT a, count() AS c FROM x ALL INNER JOIN (SELECT a FROM h_ddl.coll) \
                 AS y USING (a) GROUP BY a",
                None,
                vec!["h_ddl/expr", "h_ddl/coll"],
            ),
            (
                "CREATE MATERIALIZED VIEW h_ddl.mv3 REFRESH EVERY 1 DAY APPEND TO h_ddl.memo (`a` UInt8, `b` String) \
                 DEFINER = default SQL SECURITY DEFINER AS SELECT a, c AS b FROM h_ddl.expr AS e",
                Some("h_ddl/memo"),
                vec!["h_ddl/expr"],
            ),
            (
                "CREATE VIEW h_ddl.v1 (`a` UInt8, `extract(c, 'from')` String) AS SELECT a, extract(c, 'from'), a <=> 1 \
                 FROM h_ddl.expr ARRAY JOIN [1, 2] AS x WHERE c != ' FROM nope' ORDER BY a ASC LIMIT 5",
                None,
                vec!["h_ddl/expr"],
            ),
            (
                "CREATE VIEW h_ddl.v2 (`a` UInt8) AS SELECT p.a FROM h_ddl.coll AS p FINAL ANY LEFT JOIN h_ddl.`we\\`ird \
                 \\\\ name,(` AS w ON p.a = w.`(` PREWHERE 1 UNION ALL SELECT a FROM h_ddl.dist2 SAMPLE 1 / 2",
                None,
                vec!["h_ddl/coll", "h_ddl/we`ird \\ name,(", "h_ddl/dist2"],
            ),
            (
                "CREATE VIEW h_ddl.v5 (`a` UInt8) AS SELECT a FROM h_ddl.coll WHERE (a IN (h_ddl.dist2)) AND \
                 exists((SELECT 1 FROM h_ddl.buf)) AND a = {x:UInt8}",
                None,
                vec!["h_ddl/coll", "h_ddl/dist2", "h_ddl/buf"],
            ),
        ] {
            let view = read_view(sql).unwrap();
            assert_eq!(names(view.target.as_slice()).first().map(String::as_str), target, "{sql}");
            assert_eq!(names(&view.sources), sources, "{sql}");
        }
    }

    #[test]
    fn all_that_may_stand_before_the_query() {
        for before in [
            "OR REPLACE MATERIALIZED VIEW v TO `d b`.`to`",
            "MATERIALIZED VIEW IF NOT EXISTS d.v UUID '5d0c7a0e-0000-0000-0000-000000000001' ON CLUSTER c TO `d b`.`to` (a Int8)",
            "MATERIALIZED VIEW v REFRESH EVERY 1 DAY DEPENDS ON x.y APPEND TO `d b`.`to` DEFINER = u SQL SECURITY DEFINER",
        ] {
            let view = read_view(&format!("CREATE {before} AS SELECT 1 FROM s;")).unwrap();
            assert_eq!(
                (names(view.target.as_slice()), names(&view.sources)),
                (vec!["d b/to".into()], vec!["s".into()])
            );
        }
        for before in [
            "MATERIALIZED VIEW v (`to` Int8) ENGINE = MergeTree ORDER BY a TTL d TO DISK 'x' POPULATE",
            "MATERIALIZED VIEW v TO INNER UUID '5d0c7a0e-0000-0000-0000-000000000001' (a Int8) ENGINE = Log",
            "VIEW v DEFINER = u SQL SECURITY INVOKER",
        ] {
            let view = read_view(&format!("CREATE {before} AS WITH 1 AS x SELECT x FROM s")).unwrap();
            assert_eq!((view.target, names(&view.sources)), (None, vec!["s".into()]));
        }
    }

    #[test]
    fn tables_after_from_join_and_comma() {
        assert_eq!(sources("SELECT a FROM t AS x FINAL SAMPLE 1/10 ANY LEFT JOIN d.`u v` USING (a)"), ["t", "d/u v"]);
        assert_eq!(
            sources("SELECT a FROM t, d.u AS y, (SELECT 1 FROM w), z WHERE a IN (1, 2)"),
            ["t", "d/u", "w", "z"]
        );
        assert_eq!(sources("SELECT a FROM t JOIN u ON t.a = u.a, w ORDER BY b, c"), ["t", "u", "w"]);
        assert_eq!(sources("SELECT a FROM t UNION ALL SELECT a FROM t UNION ALL SELECT a FROM u"), ["t", "u"]);
        assert_eq!(
            sources("SELECT a FROM t ARRAY JOIN b AS c, d LEFT ARRAY JOIN e GLOBAL ANY JOIN u USING a, b"),
            ["t", "u"]
        );
        assert_eq!(sources("(SELECT a FROM t) UNION ALL (SELECT b FROM u)"), ["t", "u"]);
        assert_eq!(sources("SELECT a FROM (SELECT b FROM t GROUP BY b, c) WHERE d IN (SELECT x FROM u)"), ["t", "u"]);
        assert_eq!(sources("FROM t SELECT a"), ["t"]);
        assert_eq!(sources("SELECT a FROM d.v(x = 1, y = (SELECT 1)) AS v, `e.v`(x = 1)"), ["d/v", "e/v"]);
        assert_eq!(sources("SELECT a FROM t WHERE (a IN (d.u)) AND b IN `d`.w AND c NOT IN x"), ["t", "d/u", "d/w"]);
        assert_eq!(sources("SELECT a FROM t WHERE a IN (b, c.d) AND a IN f(x) AND a IN n.f(x) OR a IN"), ["t"]);
    }

    #[test]
    fn what_only_looks_like_a_table() {
        assert_eq!(sources("SELECT a FROM numbers(10)"), Vec::<String>::new());
        assert_eq!(sources("SELECT a FROM remote('h', d.t) JOIN u USING a"), ["u"]);
        assert_eq!(sources("SELECT extract(DAY FROM d), trim(BOTH ' ' FROM s), 'FROM x' FROM t"), ["t"]);
        assert_eq!(sources("SELECT a IS NOT DISTINCT FROM b, n.from, c AS from FROM t"), ["t"]);
        assert_eq!(sources("SELECT 1 -- FROM x\n /* FROM y */"), Vec::<String>::new());
    }

    #[test]
    fn names_of_common_table_expressions_are_no_tables() {
        assert_eq!(sources("WITH x AS (SELECT * FROM t), `y` AS (SELECT * FROM x) SELECT * FROM x, y, z"), ["t", "z"]);
        assert_eq!(sources("WITH t AS (SELECT * FROM t) SELECT * FROM t, d.t"), ["t", "d/t"]);
        assert_eq!(sources("SELECT * FROM (WITH x AS (SELECT 1) SELECT * FROM x) JOIN x USING a"), ["x"]);
    }

    #[test]
    fn deep_nesting_is_read_or_refused() {
        let nested = |depth| format!("{}SELECT a FROM t{}", "SELECT a FROM t, (".repeat(depth), ")".repeat(depth));
        assert_eq!(sources(&nested(1_000)), ["t"]);
        let refused = read_view(&format!("CREATE VIEW v AS {}", nested(100_000))).unwrap_err();
        assert_eq!(refused.to_string(), "brackets are nested deeper than 1000");
    }

    #[test]
    fn what_is_no_view_is_refused() {
        for (sql, message) in [
            ("", "expected `CREATE`, but the statement ends"),
            ("CREATE TABLE t (a Int8) ENGINE = Log", "expected `VIEW`, not `TABLE`"),
            ("CREATE LIVE VIEW v AS SELECT 1", "expected `VIEW`, not `LIVE`"),
            ("CREATE VIEW v", "expected `AS SELECT`, but the statement ends"),
            ("CREATE VIEW v AS", "expected `AS SELECT`, but the statement ends"),
            ("CREATE VIEW v AS SELECT (1", "this bracket is not closed"),
            ("CREATE VIEW v AS SELECT 1; SELECT 2", "only one statement is read at a time"),
            ("CREATE VIEW v AS SELECT a FROM 'x", "the string is not closed"),
        ] {
            assert_eq!(read_view(sql).unwrap_err().to_string(), message, "{sql}");
        }
    }
}
