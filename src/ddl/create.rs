//! Reads `CREATE TABLE`.

use super::engine::read_storage;
use super::error::DdlError;
use super::lexer::TokenKind;
use super::reader::Reader;
use super::statement::{CreateTable, Item, ItemKind, Text};

/// Reads what follows `CREATE`.
pub(super) fn read_create(reader: &mut Reader<'_>) -> Result<CreateTable, DdlError> {
    if !reader.take(&["TABLE"]) {
        return Err(reader.unexpected("`TABLE`").with_help("only plain CREATE TABLE is read here"));
    }
    let if_not_exists = reader.take(&["IF", "NOT", "EXISTS"]);
    let name = reader.name()?;
    reader.skip_uuid()?;
    let on_cluster = reader.on_cluster()?;
    refuse_copies(reader)?;
    let (body, items) = read_body(reader)?;
    let (engine, comment) = read_storage(reader)?;
    refuse_copies(reader)?;
    Ok(CreateTable { name, if_not_exists, on_cluster, body, items, engine, comment })
}

/// `AS …`, `EMPTY AS …`, `CLONE AS …`: the definition stands somewhere else.
fn refuse_copies(reader: &Reader<'_>) -> Result<(), DdlError> {
    if !reader.sees_any(&["AS", "EMPTY", "CLONE"]) {
        return Ok(());
    }
    Err(reader
        .error("a definition by AS is not read: its columns stand in another table or in a query")
        .with_help("write the columns out, as SHOW CREATE TABLE does"))
}

fn read_body(reader: &mut Reader<'_>) -> Result<(Text, Vec<Item>), DdlError> {
    reader.expect_symbol("(")?;
    let mut items = vec![read_item(reader)?];
    let start = items[0].text.span.start;
    loop {
        let end = items[items.len() - 1].text.span.end;
        if reader.take_symbol(")") {
            return Ok((reader.text_at(start..end), items));
        }
        reader.expect_symbol(",")?;
        items.push(read_item(reader)?);
    }
}

fn read_item(reader: &mut Reader<'_>) -> Result<Item, DdlError> {
    let start = reader.place();
    let kind = read_kind(reader)?;
    reader.return_to(start);
    let text = reader.item("a column", |_| false)?;
    Ok(Item { kind, text })
}

/// Tells what the item is that begins here. Unquoted, `index String` is a column and `INDEX i a TYPE minmax` is not.
fn read_kind(reader: &mut Reader<'_>) -> Result<ItemKind, DdlError> {
    if reader.take(&["PRIMARY", "KEY"]) {
        return Ok(ItemKind::PrimaryKey);
    }
    if reader.sees(&["FOREIGN", "KEY"]) {
        return Err(reader.error("FOREIGN KEY is not kept by ClickHouse").with_help("leave it out"));
    }
    let declaration: Option<fn(String) -> ItemKind> = if reader.sees(&["CONSTRAINT"]) && constrains(reader) {
        Some(|name| ItemKind::Constraint { name })
    } else if reader.sees(&["PROJECTION"]) && projects(reader) {
        Some(|name| ItemKind::Projection { name })
    } else if reader.sees(&["INDEX"]) && indexes(reader) {
        Some(|name| ItemKind::Index { name })
    } else {
        None
    };
    if let Some(declaration) = declaration {
        reader.advance();
        return reader.identifier().map(declaration);
    }
    let mut name = reader.identifier()?;
    while reader.take_symbol(".") {
        name = format!("{name}.{}", reader.identifier()?);
    }
    Ok(ItemKind::Column { name })
}

fn constrains(reader: &Reader<'_>) -> bool {
    ["CHECK", "ASSUME"].iter().any(|word| reader.sees_word(2, word))
}

fn projects(reader: &Reader<'_>) -> bool {
    let selects = reader.text(2) == "(" && ["SELECT", "WITH"].iter().any(|word| reader.sees_word(3, word));
    selects || ["INDEX", "WITH"].iter().any(|word| reader.sees_word(2, word))
}

/// An index has a `TYPE` outside all brackets.
fn indexes(reader: &Reader<'_>) -> bool {
    let mut depth = 0_usize;
    for ahead in 2.. {
        match reader.kind(ahead) {
            None => return false,
            Some(TokenKind::Comma | TokenKind::Close) if depth == 0 => return false,
            Some(TokenKind::Open) => depth += 1,
            Some(TokenKind::Close) => depth -= 1,
            _ if depth == 0 && reader.sees_word(ahead, "TYPE") => return true,
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use crate::ddl::{CreateTable, ItemKind, Name, Statement, Text, read_change, read_table};
    use crate::names::TableName;

    /// As 18.16.1 reports them. Each was also written again by [`CreateTable::to_sql`] under another name, created
    /// there, and came back with the same text behind the name.
    const REPORTED_BY_18_16: &str = include_str!("fixtures/create_table_18_16.sql");

    /// As 26.9 reports them, proved in the same way.
    const REPORTED_BY_26_9: &str = include_str!("fixtures/create_table_26_9.sql");

    fn fixtures() -> impl Iterator<Item = &'static str> {
        REPORTED_BY_18_16.lines().chain(REPORTED_BY_26_9.lines())
    }

    fn fixture(name: &str) -> CreateTable {
        let found = fixtures().find(|sql| sql.starts_with(&format!("CREATE TABLE h_ddl.{name} ")));
        read_table(found.unwrap()).unwrap()
    }

    #[test]
    fn rewriting_keeps_everything_but_the_name() {
        for sql in fixtures() {
            let mut table = read_table(sql).unwrap();
            let rewritten = table.to_sql();
            let behind_name = rewritten.strip_prefix(&format!("CREATE TABLE {}", table.name.sql()));
            assert_eq!(behind_name.unwrap(), sql[table.name.span.end..].replacen("( ", "(", 1));
            table.name = Name::from(&TableName::new("other", "sha`dow"));
            let again = read_table(&table.to_sql()).unwrap();
            assert_eq!(again.name.in_database("").to_string(), "other.sha`dow");
            assert_eq!((again.body.text, again.engine.to_sql()), (table.body.text, table.engine.to_sql()));
        }
        assert_eq!(fixtures().count(), 36);
    }

    #[test]
    fn a_changed_key_replaces_the_old_one_and_nothing_else() {
        let mut table = fixture("keyed");
        table.if_not_exists = true;
        table.engine.clauses.order_by = Some(Text::new("(c, a)"));
        table.engine.clauses.primary_key = None;
        assert_eq!(
            table.to_sql(),
            "CREATE TABLE IF NOT EXISTS `h_ddl`.`keyed` (a UInt8,  b UInt8,  c DateTime) ENGINE = SummingMergeTree(b) \
             PARTITION BY toDate(c) ORDER BY (c, a) SETTINGS index_granularity = 8192"
        );
    }

    #[test]
    fn columns_are_named_as_the_server_names_them() {
        let names = |table: &str| fixture(table).column_names().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(names("nested"), ["id", "n.a", "n.b c", "t", "e", "f", "dec", "nu", "arr"]);
        assert_eq!(
            names("keywords"),
            "ttl comment settings engine index date end interval primary projection constraint"
                .split(' ')
                .collect::<Vec<_>>()
        );
        assert_eq!(names("`we\\`ird \\\\ name,(`"), ["order by", "select", "a.b", "(", "ключ", "q\"uo\\te"]);
    }

    #[test]
    fn a_written_statement_is_read_with_clauses_in_any_order() {
        let sql = "create table if not exists t uuid '5d0c7a0e-0000-0000-0000-000000000001' on cluster main (\n\
                   a UInt8 comment 'x)' codec(ZSTD(1)), -- first\n\
                   n.b Array(String), index String, INDEX i (a, b) TYPE bloom_filter(0.01) GRANULARITY 1,\n\
                   index nested(type UInt8), projection Tuple(a Int8), PROJECTION p (SELECT a, (SELECT 1) ORDER BY a),\n\
                   constraint String, CONSTRAINT c CHECK a > 0, PRIMARY KEY (a) -- last\n) \
                   comment 'it''s; ORDER BY' order by ttl TTL d + interval 1 day to volume 'x', ttl \
                   primary key a settings a = 1, b = 'x' ENGINE MergeTree() partition by settings;";
        let Statement::Create(table) = read_change(sql).unwrap() else { panic!("a CREATE") };
        assert!(table.if_not_exists);
        assert_eq!(table.on_cluster.as_deref(), Some("main"));
        let kinds: Vec<&ItemKind> = table.items.iter().map(|item| &item.kind).collect();
        let column = |name: &str| ItemKind::Column { name: name.to_owned() };
        assert_eq!(
            kinds,
            [
                &column("a"),
                &column("n.b"),
                &column("index"),
                &ItemKind::Index { name: "i".to_owned() },
                &column("index"),
                &column("projection"),
                &ItemKind::Projection { name: "p".to_owned() },
                &column("constraint"),
                &ItemKind::Constraint { name: "c".to_owned() },
                &ItemKind::PrimaryKey,
            ]
        );
        for item in &table.items {
            assert_eq!(sql[item.text.span.clone()], item.text.text);
        }
        assert!(table.body.text.starts_with("a UInt8") && table.body.text.ends_with("PRIMARY KEY (a)"));
        assert_eq!(
            table.engine.to_sql(),
            "MergeTree() PARTITION BY settings PRIMARY KEY a ORDER BY ttl TTL d + interval 1 day to volume 'x', ttl \
             SETTINGS a = 1, b = 'x'"
        );
        assert_eq!(table.comment.unwrap().text, "'it''s; ORDER BY'");
    }

    #[test]
    fn what_is_no_plain_definition_is_refused_with_its_place() {
        let by_as = "a definition by AS is not read: its columns stand in another table or in a query";
        for (sql, message, column) in [
            ("CREATE", "expected `TABLE`, but the statement ends", 7),
            ("CREATE OR REPLACE TABLE t (a Int8) ENGINE = Log", "expected `TABLE`, not `OR`", 8),
            ("CREATE TABLE t AS u", by_as, 16),
            ("CREATE TABLE t CLONE AS u", by_as, 16),
            ("CREATE TABLE t EMPTY AS SELECT 1", by_as, 16),
            ("CREATE TABLE t (a Int8) ENGINE = Log AS SELECT 1", by_as, 38),
            ("CREATE TABLE t (a Int8) ENGINE = MergeTree ORDER BY a AS SELECT 1", by_as, 55),
            ("CREATE TABLE t (a Int8) ENGINE = MergeTree ORDER BY a EMPTY AS SELECT 1", by_as, 55),
            ("CREATE TABLE t", "expected `(`, but the statement ends", 15),
            ("CREATE TABLE t ()", "expected a name, not `)`", 17),
            ("CREATE TABLE t (a Int8,)", "expected a name, not `)`", 24),
            ("CREATE TABLE t (a Int8", "expected `,`, but the statement ends", 23),
            ("CREATE TABLE t (a Int8; b Int8)", "expected `,`, not `;`", 23),
            ("CREATE TABLE t (a Int8)", "expected `ENGINE`, but the statement ends", 24),
            ("CREATE TABLE t (a Int8) ORDER BY a", "expected `ENGINE`, but the statement ends", 35),
            ("CREATE TABLE t (a Int8) ENGINE =", "expected an engine, but the statement ends", 33),
            ("CREATE TABLE t (a Int8) ENGINE = Log ENGINE = Log", "ENGINE is given twice", 38),
            ("CREATE TABLE t (a Int8) ENGINE = Log; SELECT 1", "only one statement is read at a time", 39),
            (
                "CREATE TABLE t (a Int8, FOREIGN KEY (a) REFERENCES b (c)) ENGINE = Log",
                "FOREIGN KEY is not kept by ClickHouse",
                25,
            ),
        ] {
            let error = read_change(sql).unwrap_err();
            assert_eq!((error.to_string().as_str(), error.column()), (message, column), "{sql}");
        }
    }
}
