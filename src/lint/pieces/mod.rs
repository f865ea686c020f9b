//! Splits a file into statements by its tokens.
//!
//! What is no token is reported, and reading goes on behind the next semicolon, or on the next line that begins a statement: what
//! cannot be read hides nothing behind it. Tags of templates are stepped over as comments are, and so are the rows behind a COPY.

mod open;
mod tokens;
mod words;

use std::ops::Range;

use open::Open;
use tokens::Tokens;
use words::{Beginning, beginning, end_of_rows, hides_nothing, is_any, resume_behind, takes_rows};

use super::dialect::Dialect;
use super::sections::is_boundary;
use crate::ddl::lexer::{Token, TokenKind};
use crate::words::count;

/// More places that cannot be read are only counted.
const UNREAD_SHOWN: usize = 100;
/// Reading anew behind what is no token costs as much as the rest of the file is long. With this many bytes a file of 1 MB may have
/// a thousand such places, and of what people write everything is read.
const BYTES_READ_ANEW_MAX: usize = 1 << 30;
/// Behind these, or a label, a statement of plpgsql begins.
const CONTROL: [&str; 6] = ["BEGIN", "THEN", "ELSE", "LOOP", "EXCEPTION", ">"];

/// A statement, as tokens relative to its beginning.
#[derive(Debug)]
pub(super) struct Piece {
    /// From its first token to its last, in the file.
    pub(super) span: Range<usize>,
    pub(super) tokens: Vec<Token>,
    /// Comments before it, within it and behind it on its last line, in the file.
    pub(super) comments: Vec<Range<usize>>,
    /// A bracket that is not closed, or closes nothing.
    pub(super) bad_bracket: Option<Unread>,
    /// Brackets at the deepest place.
    pub(super) depth: usize,
}

/// A place that cannot be read.
#[derive(Debug, Clone)]
pub(super) struct Unread {
    pub(super) span: Range<usize>,
    pub(super) message: String,
}

/// The statements of a text, and what cannot be read.
pub(super) fn split(text: &str, dialect: Dialect) -> (Vec<Piece>, Vec<Unread>) {
    split_by(text, Splitter::new(text, dialect))
}

/// The statements of a body of plpgsql, in which they may follow words such as `THEN`.
pub(super) fn split_body(text: &str) -> (Vec<Piece>, Vec<Unread>) {
    split_by(text, Splitter { control: &CONTROL, ..Splitter::new(text, Dialect::Postgres) })
}

fn split_by(text: &str, mut splitter: Splitter<'_>) -> (Vec<Piece>, Vec<Unread>) {
    let (mut read_anew, mut given_up) = (0, None);
    while let Some(resume) = splitter.run() {
        read_anew += text.len() - resume;
        if read_anew > BYTES_READ_ANEW_MAX {
            let message = "too much before this cannot be read: the rest of the file is not looked at".to_owned();
            given_up = Some(Unread { span: resume..resume, message });
            break;
        }
        splitter.tokens.go_to(resume);
    }
    (splitter.pieces, splitter.unread.into_list().into_iter().chain(given_up).collect())
}

struct Splitter<'a> {
    text: &'a str,
    tokens: Tokens<'a>,
    pieces: Vec<Piece>,
    unread: UnreadPlaces,
    open: Open,
    /// Whether a comment that comes next is directly behind a semicolon, on its line, and so belongs to the statement before it.
    is_behind: bool,
    /// Whether the next token is the first of its line.
    begins_line: bool,
    /// Whether rows may come that a line `\.` ends.
    may_have_rows: bool,
    /// Words behind which a statement begins without `;` before it.
    control: &'static [&'static str],
}

/// Places that cannot be read, of which only the first are kept.
#[derive(Default)]
struct UnreadPlaces {
    first: Vec<Unread>,
    /// The first of the others.
    next: Option<Unread>,
    others: u64,
}

impl UnreadPlaces {
    fn push(&mut self, unread: Unread) {
        if self.first.len() < UNREAD_SHOWN {
            self.first.push(unread);
        } else {
            self.others += 1;
            self.next.get_or_insert(unread);
        }
    }

    fn into_list(self) -> Vec<Unread> {
        let counted = self.next.map(|next| Unread {
            message: format!(
                "{}; from here on {} cannot be read, and only this is shown",
                next.message,
                count(self.others, "place")
            ),
            ..next
        });
        self.first.into_iter().chain(counted).collect()
    }
}

impl<'a> Splitter<'a> {
    fn new(text: &'a str, dialect: Dialect) -> Self {
        Self {
            text,
            tokens: Tokens::new(text, dialect),
            pieces: Vec::new(),
            unread: UnreadPlaces::default(),
            open: Open::default(),
            is_behind: false,
            begins_line: true,
            may_have_rows: dialect == Dialect::Postgres,
            control: &[],
        }
    }

    /// Reads on; where to resume after what is no token, if there is more.
    fn run(&mut self) -> Option<usize> {
        while let Some(token) = self.tokens.next() {
            match token {
                Ok(token) => self.take(token),
                Err(unread) if self.is_command(&unread) => {
                    self.close();
                    self.tokens.go_to(unread.span.end);
                    if !hides_nothing(&self.text[unread.span.clone()]) {
                        self.unread.push(unread);
                    }
                }
                Err(unread) => {
                    self.open = Open::default();
                    let resume = resume_behind(self.text, unread.span.end);
                    self.unread.push(unread);
                    (self.is_behind, self.begins_line) = (false, true);
                    return resume;
                }
            }
        }
        self.close();
        None
    }

    /// Whether it is a command of psql, which ends with its line, and with which a statement ends.
    fn is_command(&self, unread: &Unread) -> bool {
        self.tokens.dialect == Dialect::Postgres && self.text[unread.span.clone()].starts_with('\\')
    }

    fn take(&mut self, token: Token) {
        match token.kind {
            TokenKind::Whitespace => {
                let breaks = self.text[token.span].contains(['\n', '\r']);
                self.is_behind &= !breaks;
                self.begins_line |= breaks;
            }
            TokenKind::Comment => {
                if is_boundary(&self.text[token.span.clone()]) {
                    self.close();
                }
                match self.pieces.last_mut() {
                    Some(before) if self.is_behind => before.comments.push(token.span),
                    _ => self.open.comments.push(token.span),
                }
            }
            TokenKind::Semicolon => self.end_statement(token.span.end),
            _ => {
                if self.begins_line && self.is_not_ended_before(token.span.start) {
                    let message = "a statement begins here, but the one before it is not ended by `;`".to_owned();
                    self.unread.push(Unread { span: token.span.clone(), message });
                    self.close();
                }
                self.open.push(self.text, token);
                (self.is_behind, self.begins_line) = (false, false);
            }
        }
    }

    /// Whether a statement begins at a place within another one, which is none that may hold it.
    fn is_not_ended_before(&self, at: usize) -> bool {
        const HOLDERS: [&str; 4] = ["GRANT", "REVOKE", "EXPLAIN", "PREPARE"];
        const CREATED_HOLDERS: [&str; 6] = ["FUNCTION", "PROCEDURE", "SCHEMA", "RULE", "TRIGGER", "EVENT"];
        const HEAD: usize = 4;
        let is = |token: Option<&Token>, any: &[&str]| {
            token.is_some_and(|token| is_any(&self.text[token.span.clone()], any))
        };
        let Open { tokens, brackets, .. } = &self.open;
        let may_hold_rows = !brackets.is_empty() || is(tokens.first(), &["WITH"]);
        let begins = match beginning(&self.text[at..]) {
            Some(Beginning::OfRows) => !may_hold_rows,
            Some(Beginning::OfDefinition) => true,
            None => false,
        };
        let holds =
            is(tokens.first(), &HOLDERS) || tokens.iter().take(HEAD).any(|token| is(Some(token), &CREATED_HOLDERS));
        let goes_on = is(tokens.last(), &["WITH", ","]) || is(tokens.last(), self.control);
        begins && !tokens.is_empty() && !holds && !goes_on
    }

    /// At a semicolon.
    fn end_statement(&mut self, end: usize) {
        self.is_behind = self.close();
        if self.is_behind && self.may_have_rows && self.pieces.last().is_some_and(|piece| takes_rows(self.text, piece))
        {
            match end_of_rows(&self.text[end..]) {
                Some(rows) => {
                    self.tokens.go_to(end + rows);
                    (self.is_behind, self.begins_line) = (false, true);
                }
                None => self.may_have_rows = false,
            }
        }
    }

    /// Ends the statement; whether there was one.
    fn close(&mut self) -> bool {
        if self.open.tokens.is_empty() {
            return false;
        }
        let open = std::mem::take(&mut self.open);
        self.pieces.push(open.piece());
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, dialect: Dialect) -> (Vec<&str>, Vec<String>) {
        let (pieces, unread) = split(text, dialect);
        let shown = |unread: &Unread| format!("{}: {}", &text[unread.span.clone()], unread.message);
        let unread =
            unread.iter().chain(pieces.iter().filter_map(|piece| piece.bad_bracket.as_ref())).map(shown).collect();
        (pieces.iter().map(|piece| &text[piece.span.clone()]).collect(), unread)
    }

    #[test]
    fn semicolons_in_strings_comments_and_bodies_end_nothing() {
        let sql = "SELECT ';' /* ; */ -- ;\n; ; DO $x$ a; b; $x$;\nSELECT \"a;b\"";
        assert_eq!(shown(sql, Dialect::Postgres).0, ["SELECT ';'", "DO $x$ a; b; $x$", "SELECT \"a;b\""]);
        assert_eq!(shown(sql, Dialect::ClickHouse).0.len(), 3);
    }

    #[test]
    fn what_is_no_token_costs_one_statement() {
        let (pieces, unread) = shown("SELECT 1; SELECT ключ FROM t; SELECT 2; SELECT (3", Dialect::ClickHouse);
        assert_eq!(pieces, ["SELECT 1", "SELECT 2", "SELECT (3"]);
        assert_eq!(unread, ["к: unexpected character 'к'", "(: this bracket is not closed"]);
    }

    #[test]
    fn comments_go_with_their_statement() {
        let (pieces, _) = split("-- a\nSELECT 1; -- b\n-- c\nSELECT 2 -- d\n;", Dialect::Postgres);
        assert_eq!(pieces.iter().map(|piece| piece.comments.len()).collect::<Vec<_>>(), [2, 2]);
    }

    #[test]
    fn nonsense_is_counted_and_what_follows_it_is_read() {
        for (nonsense, dialect) in [("ж;\n", Dialect::ClickHouse), ("\\i x.sql;\n", Dialect::Postgres)] {
            let sql = format!("{}DROP TABLE users;", nonsense.repeat(5_000));
            let (pieces, unread) = shown(&sql, dialect);
            assert_eq!((pieces, unread.len()), (vec!["DROP TABLE users"], UNREAD_SHOWN + 1));
            assert!(unread[UNREAD_SHOWN].contains("from here on 4900 places cannot be read"), "{unread:?}");
        }
    }

    #[test]
    fn a_file_of_nonsense_alone_is_given_up() {
        let (pieces, unread) = split(&"ж;".repeat(100_000), Dialect::ClickHouse);
        assert_eq!((pieces.len(), unread.len()), (0, UNREAD_SHOWN + 2));
        assert!(
            unread[UNREAD_SHOWN + 1].message.contains("the rest of the file is not looked at"),
            "{:?}",
            unread.last()
        );
    }

    #[test]
    fn a_command_of_psql_ends_with_its_line() {
        let sql = "\\restrict x'y\nSET a = 1;\n\\connect app\nDROP TABLE t;\nSELECT 1 \\gset p_\nDROP TABLE u \\gexec";
        let (pieces, unread) = shown(sql, Dialect::Postgres);
        assert_eq!(pieces, ["SET a = 1", "DROP TABLE t", "SELECT 1", "DROP TABLE u"]);
        let no_sql = "a command of psql is no SQL";
        let places = ["\\connect app", "\\gexec"];
        assert_eq!(unread, places.map(|place| format!("{place}: {no_sql}")));
    }

    #[test]
    fn the_rows_of_a_copy_are_no_sql() {
        let rows = "1\tO'Brien\nDROP TABLE u;\n2\t\\.x\n";
        for (end, behind) in [("\\.\n", "DROP TABLE t;"), ("\\.\r\n", "DROP TABLE t;")] {
            let sql = format!("COPY t (a, b) FROM stdin WITH (FORMAT text);\n{rows}{end}{behind}");
            let expected = ["COPY t (a, b) FROM stdin WITH (FORMAT text)", "DROP TABLE t"];
            assert_eq!(shown(&sql, Dialect::Postgres), (expected.to_vec(), vec![]), "{sql}");
        }
        let without_rows = "COPY t FROM STDIN;\nDROP TABLE t;";
        assert_eq!(shown(without_rows, Dialect::Postgres).0, ["COPY t FROM STDIN", "DROP TABLE t"]);
    }

    #[test]
    fn tags_of_templates_are_stepped_over() {
        for dialect in [Dialect::ClickHouse, Dialect::Postgres] {
            let sql = "{% if it's %}\nDROP TABLE users;\n{% endif %}{# ; ' #}\nSELECT 1 {% x %}";
            let shown = shown(sql, dialect);
            assert_eq!(shown, (vec!["DROP TABLE users", "SELECT 1"], vec![]));
        }
    }

    #[test]
    fn a_statement_that_is_not_ended_hides_no_other() {
        let not_ended = "a statement begins here, but the one before it is not ended by `;`";
        for (sql, dialect, pieces, unread) in [
            (
                "CREATE VIEW v AS SELECT 1\n  DROP TABLE users;",
                Dialect::ClickHouse,
                vec!["CREATE VIEW v AS SELECT 1", "DROP TABLE users"],
                format!("DROP: {not_ended}"),
            ),
            (
                "{{ config(x) }}\nDROP TABLE users;",
                Dialect::Postgres,
                vec!["{{ config(x) }}", "DROP TABLE users"],
                format!("DROP: {not_ended}"),
            ),
            (
                "SELECT ж\nFROM t\nDROP TABLE users; SELECT 1",
                Dialect::ClickHouse,
                vec!["DROP TABLE users", "SELECT 1"],
                "ж: unexpected character 'ж'".to_owned(),
            ),
            (
                "SELECT 'x\nALTER TABLE t DROP COLUMN a;",
                Dialect::Postgres,
                vec!["ALTER TABLE t DROP COLUMN a"],
                "': the string is not closed".to_owned(),
            ),
        ] {
            assert_eq!(shown(sql, dialect), (pieces, vec![unread]), "{sql}");
        }
        for sql in [
            "GRANT SELECT,\nDROP TABLE ON *.* TO u",
            "DROP TABLE a PARALLEL WITH\nDROP TABLE b",
            "EXPLAIN\nDROP TABLE a",
            "ALTER TABLE t\nDROP INDEX i,\nDROP COLUMN a",
            "WITH a AS (SELECT 1)\nDELETE FROM t",
            "ALTER TABLE t\nUPDATE a = 1 WHERE b",
        ] {
            assert_eq!(shown(sql, Dialect::ClickHouse), (vec![sql], vec![]));
        }
        let schema = "CREATE SCHEMA s\nCREATE TABLE t (a int)\nCREATE VIEW v AS SELECT 1";
        assert_eq!(shown(schema, Dialect::Postgres), (vec![schema], vec![]));
    }
}
