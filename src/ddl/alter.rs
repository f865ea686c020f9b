//! Reads `ALTER TABLE … MODIFY ORDER BY …`.

use super::adjacency::starts_anew;
use super::error::DdlError;
use super::lexer::TokenKind;
use super::reader::{Reader, shown};
use super::statement::{AlterKeys, Text};

const KEYS: [(&str, &str); 3] = [("ORDER", "BY"), ("PARTITION", "BY"), ("PRIMARY", "KEY")];

/// Reads what follows `ALTER`.
pub(super) fn read_alter(reader: &mut Reader<'_>) -> Result<AlterKeys, DdlError> {
    reader.expect(&["TABLE"])?;
    let table = reader.name()?;
    let on_cluster = reader.on_cluster()?;
    let mut keys: [Option<Text>; KEYS.len()] = Default::default();
    loop {
        read_command(reader, &mut keys)?;
        if !reader.take_symbol(",") {
            break;
        }
    }
    let [order_by, partition_by, primary_key] = keys;
    Ok(AlterKeys { table, on_cluster, order_by, primary_key, partition_by })
}

fn read_command(reader: &mut Reader<'_>, keys: &mut [Option<Text>; KEYS.len()]) -> Result<(), DdlError> {
    let changes_key = |&(first, second): &(&str, &str)| reader.sees(&["MODIFY", first, second]);
    let Some(key) = KEYS.iter().position(changes_key) else {
        return Err(unplanned(reader, keys.iter().any(Option::is_some)));
    };
    let (first, second) = KEYS[key];
    if keys[key].is_some() {
        return Err(reader.error(format!("{first} {second} is changed twice")));
    }
    reader.expect(&["MODIFY", first, second])?;
    keys[key] = Some(read_key(reader)?);
    Ok(())
}

fn unplanned(reader: &Reader<'_>, after_comma: bool) -> DdlError {
    if reader.at_end() || reader.text(0) == ";" {
        return reader.unexpected("`MODIFY ORDER BY`");
    }
    let command = match reader.text(0) {
        modify if modify.eq_ignore_ascii_case("MODIFY") => shown(format!("MODIFY {}", reader.text(1)).trim_end()),
        other => shown(other),
    };
    let error =
        reader.error(format!("{command}: this version plans only changes of ORDER BY, PARTITION BY and PRIMARY KEY"));
    if after_comma && !reader.sees(&["MODIFY"]) {
        return error.with_help("a key of several columns needs parentheses: MODIFY ORDER BY (a, b)");
    }
    error.with_help("write ALTER TABLE t MODIFY ORDER BY (…) [, MODIFY PARTITION BY …] [, MODIFY PRIMARY KEY …]")
}

/// An expression, up to a comma or the end. What could be the beginning of something else is refused.
fn read_key(reader: &mut Reader<'_>) -> Result<Text, DdlError> {
    let key = reader.item("an expression", starts_anew)?;
    if reader.at_end() || matches!(reader.kind(0), Some(TokenKind::Comma | TokenKind::Semicolon)) {
        return Ok(key);
    }
    Err(reader.unexpected("`,` or the end").with_help("each change is a command of its own: MODIFY …, MODIFY …"))
}

#[cfg(test)]
mod tests {
    use crate::ddl::{AlterKeys, Statement, Text, read_change};

    fn keys(sql: &str) -> AlterKeys {
        match read_change(sql).unwrap() {
            Statement::AlterKeys(keys) => keys,
            Statement::Create(_) => panic!("{sql} is no CREATE"),
        }
    }

    fn text(text: Option<&Text>) -> Option<&str> {
        text.map(|text| text.text.as_str())
    }

    #[test]
    fn all_three_keys_in_any_order_and_case() {
        let sql = "alter Table db.t on cluster '{cluster}' modify partition by toYYYYMM( d ), \
                   MODIFY ORDER BY (a, b -- why\n , cityHash64(c)) /* end */ , MODIFY PRIMARY KEY a ; ";
        let keys = keys(sql);
        assert_eq!((keys.table.database.as_deref(), keys.table.table.as_str()), (Some("db"), "t"));
        assert_eq!(&sql[keys.table.span.clone()], "db.t");
        assert_eq!(keys.on_cluster.as_deref(), Some("{cluster}"));
        assert_eq!(text(keys.order_by.as_ref()), Some("(a, b -- why\n , cityHash64(c))"));
        assert_eq!(text(keys.partition_by.as_ref()), Some("toYYYYMM( d )"));
        assert_eq!(text(keys.primary_key.as_ref()), Some("a"));
        let order_by = keys.order_by.unwrap();
        assert_eq!(sql[order_by.span], order_by.text);
    }

    #[test]
    fn an_empty_key_is_a_key() {
        assert_eq!(text(keys("ALTER TABLE t MODIFY ORDER BY tuple()").order_by.as_ref()), Some("tuple()"));
        assert_eq!(text(keys("ALTER TABLE t MODIFY ORDER BY ()").order_by.as_ref()), Some("()"));
    }

    #[test]
    fn keywords_and_hostile_names_are_names() {
        let keys_of = |table: &str| keys(&format!("ALTER TABLE {table} MODIFY ORDER BY settings")).table;
        assert_eq!(keys_of("on").table, "on");
        assert_eq!(keys_of("modify.order").in_database("d").to_string(), "modify.order");
        assert_eq!(keys_of("`a``b\\`c\\\\; DROP TABLE x --`").table, "a`b`c\\; DROP TABLE x --");
        assert_eq!(keys_of("\"d b\" . \"t\"\"x\\x41\"").in_database("d").to_string(), "d b.t\"xA");
        assert_eq!(keys_of("`таблица`").sql(), "`таблица`");
        assert_eq!(keys_of("2024_events").table, "2024_events");
    }

    #[test]
    fn expressions_may_hold_words_that_are_operators() {
        for expr in [
            "a AND NOT b OR c IS NOT NULL",
            "a NOT IN (1, 2)",
            "CASE WHEN a = 1 THEN 'x' ELSE b END",
            "d + INTERVAL 1 DAY",
            "interval",
            "date",
            "date + 1",
            "-a",
            "a DESC",
            "toDate(a) AS b",
            "[a, b][1]",
            "arrayMap(x -> x + 1, [a])",
            "t.1",
            "DATE '2020-01-01'",
            "a BETWEEN 1 AND 2",
        ] {
            assert_eq!(text(keys(&format!("ALTER TABLE t MODIFY ORDER BY {expr};")).order_by.as_ref()), Some(expr));
        }
    }

    #[test]
    fn what_cannot_be_planned_is_refused_with_its_place() {
        let plans_only = "this version plans only changes of ORDER BY, PARTITION BY and PRIMARY KEY";
        for (sql, message, place) in [
            ("", "there is no statement", (1, 1)),
            (" -- nothing\n ", "there is no statement", (2, 2)),
            ("SELECT 1", "expected `ALTER TABLE` or `CREATE TABLE`, not `SELECT`", (1, 1)),
            ("ALTER", "expected `TABLE`, but the statement ends", (1, 6)),
            ("ALTER TABLE", "expected a name, but the statement ends", (1, 12)),
            ("ALTER TABLE db. MODIFY", "expected `MODIFY ORDER BY`, but the statement ends", (1, 23)),
            ("ALTER TABLE t", "expected `MODIFY ORDER BY`, but the statement ends", (1, 14)),
            ("ALTER TABLE t ON CLUSTER", "expected a name, but the statement ends", (1, 25)),
            ("ALTER TABLE t\n ADD COLUMN x Int8", "`ADD`: PLANS", (2, 2)),
            ("ALTER TABLE t MODIFY COLUMN x Int8", "`MODIFY COLUMN`: PLANS", (1, 15)),
            ("ALTER TABLE t MODIFY ORDER BY a, DROP COLUMN b", "`DROP`: PLANS", (1, 34)),
            ("ALTER TABLE t MODIFY ORDER BY a, b", "`b`: PLANS", (1, 34)),
            ("ALTER TABLE t MODIFY ORDER BY", "expected an expression, but the statement ends", (1, 30)),
            ("ALTER TABLE t MODIFY ORDER BY ;", "expected an expression, not `;`", (1, 31)),
            ("ALTER TABLE t MODIFY ORDER BY a,", "expected `MODIFY ORDER BY`, but the statement ends", (1, 33)),
            ("ALTER TABLE t MODIFY ORDER BY (a, b", "this bracket is not closed", (1, 31)),
            ("ALTER TABLE t MODIFY ORDER BY (a, b))", "expected `,` or the end, not `)`", (1, 37)),
            ("ALTER TABLE t MODIFY ORDER BY (a] ", "`(` cannot be closed by `]`", (1, 33)),
            ("ALTER TABLE t MODIFY ORDER BY a, MODIFY ORDER BY b", "ORDER BY is changed twice", (1, 34)),
            ("ALTER TABLE t MODIFY ORDER BY (a) SETTINGS x = 1", "expected `,` or the end, not `SETTINGS`", (1, 35)),
            ("ALTER TABLE t MODIFY ORDER BY date SETTINGS x = 1", "expected `,` or the end, not `SETTINGS`", (1, 36)),
            ("ALTER TABLE t MODIFY ORDER BY a MODIFY PRIMARY KEY b", "expected `,` or the end, not `MODIFY`", (1, 33)),
            ("ALTER TABLE t MODIFY ORDER BY `a` 'b'", "expected `,` or the end, not `'b'`", (1, 35)),
            ("ALTER TABLE t MODIFY ORDER BY a; DROP TABLE t", "only one statement is read at a time", (1, 34)),
            ("ALTER TABLE `t MODIFY ORDER BY a", "the quoted name is not closed", (1, 13)),
            ("ALTER TABLE `` MODIFY ORDER BY a", "a name is empty", (1, 13)),
            ("ALTER TABLE `a\\d` MODIFY ORDER BY a", "the escapes in this name are not understood", (1, 13)),
            ("ALTER TABLE t MODIFY ORDER BY 'a", "the string is not closed", (1, 31)),
            ("ALTER TABLE t MODIFY ORDER BY ключ", "unexpected character 'к'", (1, 31)),
        ] {
            let error = read_change(sql).unwrap_err();
            let message = message.replace("PLANS", plans_only);
            assert_eq!((error.to_string(), (error.line(), error.column())), (message, place), "{sql}");
        }
    }

    #[test]
    fn a_list_without_parentheses_gets_a_hint() {
        let error = read_change("ALTER TABLE t MODIFY ORDER BY a, b").unwrap_err();
        assert_eq!(error.hint(), Some("a key of several columns needs parentheses: MODIFY ORDER BY (a, b)"));
    }
}
