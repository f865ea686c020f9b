//! Reads which columns a key expression mentions. The only user of a general SQL parser.
//!
//! The parser gets our tokens, not text, because its own tokenizer does not know backslash escapes in quoted names.
//! Whether a bare word is a keyword or a name is decided here too, by its place: ClickHouse reserves no words, and
//! `date`, `user` and `end` are columns in many tables.

use std::ops::Range;

use sqlparser::ast::{
    AccessExpr, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, LambdaFunction,
    Subscript,
};
use sqlparser::dialect::ClickHouseDialect;
use sqlparser::keywords::Keyword;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token as ParserToken, Word};

use super::adjacency::is_one_of;
use super::error::DdlError;
use super::key::Source;
use super::lexer::TokenKind;

/// The columns that a key expression mentions, unquoted, in order of first appearance.
///
/// `expr` may also be a bare list, as in `system.tables.sorting_key`. `a.b` is one name: a Nested column's, or an
/// element of the tuple `a`, which only the table's columns can tell. Names bound by a lambda are no columns. What the
/// parser cannot read, and what cannot stand in a key (a subquery, a window function), is an error.
pub fn columns_of(expr: &str) -> Result<Vec<String>, DdlError> {
    let source = Source::new(expr)?;
    let mut columns = Columns::default();
    for item in source.items() {
        let item = source.without_direction(item);
        let parsed = parse(&source, &item)?;
        columns.collect(&parsed).map_err(|what| source.refuse(&item, format!("{what} cannot stand in a key")))?;
    }
    Ok(columns.found)
}

/// Parses one item, first with every function's name as a mere name, so that `CAST(a, 'Date')` and `date(a)` are plain
/// calls, then with their keywords, for `CAST(a AS Date)`.
fn parse(source: &Source<'_>, item: &Range<usize>) -> Result<Expr, DdlError> {
    let read = |calls| parse_tokens(parser_tokens(source, item, calls)?).map_err(|error| refused(source, item, &error));
    read(Calls::Names).or_else(|_| read(Calls::Keywords))
}

fn refused(source: &Source<'_>, item: &Range<usize>, error: &str) -> DdlError {
    source.refuse(item, "this expression cannot be read").with_help(format!("the parser says: {error}"))
}

fn parse_tokens(tokens: Vec<ParserToken>) -> Result<Expr, String> {
    let dialect = ClickHouseDialect {};
    let mut parser = Parser::new(&dialect).with_tokens(tokens);
    let expr = parser.parse_expr().map_err(|error| error.to_string())?;
    match parser.peek_token().token {
        ParserToken::EOF => Ok(expr),
        left_over => Err(format!("unexpected {left_over}")),
    }
}

/// What a word before a bracket is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Calls {
    Names,
    Keywords,
}

fn parser_tokens(source: &Source<'_>, item: &Range<usize>, calls: Calls) -> Result<Vec<ParserToken>, DdlError> {
    item.clone().map(|at| parser_token(source, item, at, calls)).collect()
}

fn parser_token(source: &Source<'_>, item: &Range<usize>, at: usize, calls: Calls) -> Result<ParserToken, DdlError> {
    let text = source.text(at);
    Ok(match source.tokens[at].kind {
        TokenKind::Word => word(source, item, at, calls),
        TokenKind::QuotedIdentifier => name(source.identifier(at)?, Some('"')),
        TokenKind::String | TokenKind::HereDoc => ParserToken::SingleQuotedString(text.to_owned()),
        TokenKind::Number => ParserToken::Number(text.to_owned(), false),
        _ => symbol(text).ok_or_else(|| source.refuse(&(at..at + 1), format!("`{text}` cannot be read in a key")))?,
    })
}

fn symbol(text: &str) -> Option<ParserToken> {
    Some(match text {
        "(" => ParserToken::LParen,
        ")" => ParserToken::RParen,
        "[" => ParserToken::LBracket,
        "]" => ParserToken::RBracket,
        "," => ParserToken::Comma,
        "." => ParserToken::Period,
        "+" => ParserToken::Plus,
        "-" => ParserToken::Minus,
        "*" => ParserToken::Mul,
        "/" => ParserToken::Div,
        "%" => ParserToken::Mod,
        "=" | "==" => ParserToken::Eq,
        "!=" | "<>" => ParserToken::Neq,
        "<" => ParserToken::Lt,
        "<=" => ParserToken::LtEq,
        ">" => ParserToken::Gt,
        ">=" => ParserToken::GtEq,
        "||" => ParserToken::StringConcat,
        "->" => ParserToken::Arrow,
        "::" => ParserToken::DoubleColon,
        _ => return None,
    })
}

fn name(value: String, quote_style: Option<char>) -> ParserToken {
    ParserToken::Word(Word { value, quote_style, keyword: Keyword::NoKeyword })
}

/// A bare word: behind a value it is an operator, elsewhere a name but for a few.
fn word(source: &Source<'_>, item: &Range<usize>, at: usize, calls: Calls) -> ParserToken {
    let text = source.text(at);
    let behind_value = at > item.start && source.is_value_end(at - 1);
    let next = if at + 1 < item.end { Some(source.tokens[at + 1].kind) } else { None };
    let keyword = if behind_value {
        true
    } else if next == Some(TokenKind::Open) && !is_one_of(&OPERATORS, text) {
        calls == Calls::Keywords
    } else {
        is_one_of(&["NULL", "TRUE", "FALSE"], text) || is_one_of(&OPERATORS, text) && begins_value(source, next, at + 1)
    };
    match text.to_ascii_uppercase().as_str() {
        "DIV" if behind_value => ParserToken::Div,
        "MOD" if behind_value => ParserToken::Mod,
        _ if keyword => ParserToken::make_word(text, None),
        _ => name(text.to_owned(), None),
    }
}

/// Words that are operators even where a value is due, as `NULL` and `LIKE` in `IS NOT NULL`, `NOT LIKE`.
const OPERATORS: [&str; 8] = ["NOT", "CASE", "WHEN", "INTERVAL", "IN", "LIKE", "ILIKE", "BETWEEN"];

fn begins_value(source: &Source<'_>, kind: Option<TokenKind>, at: usize) -> bool {
    match kind {
        None | Some(TokenKind::Comma | TokenKind::Close | TokenKind::Dot) => false,
        Some(TokenKind::Operator) => source.text(at) == "-",
        Some(_) => true,
    }
}

/// The columns found so far, and the names that lambdas bind around the place of reading.
#[derive(Default)]
struct Columns {
    found: Vec<String>,
    bound: Vec<String>,
}

/// What is still to be read. A list of our own, so the depth of an expression does no harm.
enum Work<'a> {
    Expr(&'a Expr),
    /// Forget the bound names beyond this many.
    EndOfLambda(usize),
}

impl Columns {
    fn collect(&mut self, expr: &Expr) -> Result<(), &'static str> {
        let mut work = vec![Work::Expr(expr)];
        while let Some(next) = work.pop() {
            match next {
                Work::EndOfLambda(bound) => self.bound.truncate(bound),
                Work::Expr(Expr::Identifier(ident)) => self.mention(&ident.value, &ident.value),
                Work::Expr(Expr::CompoundIdentifier(parts)) => {
                    let values: Vec<&str> = parts.iter().map(|part| part.value.as_str()).collect();
                    self.mention(values[0], &values.join("."));
                }
                Work::Expr(Expr::CompoundFieldAccess { root, access_chain }) => {
                    let mut later = subscripts(access_chain)?;
                    match accessed_column(root, access_chain) {
                        Some(names) => self.mention(names[0], &names.join(".")),
                        None => later.insert(0, root),
                    }
                    work.extend(later.into_iter().rev().map(Work::Expr));
                }
                Work::Expr(Expr::Lambda(lambda)) => {
                    work.push(Work::EndOfLambda(self.bound.len()));
                    work.push(Work::Expr(&lambda.body));
                    self.bind(lambda);
                }
                Work::Expr(other) => work.extend(parts(other)?.into_iter().rev().map(Work::Expr)),
            }
        }
        Ok(())
    }

    fn bind(&mut self, lambda: &LambdaFunction) {
        self.bound.extend(lambda.params.iter().map(|param| param.name.value.clone()));
    }

    fn mention(&mut self, first: &str, column: &str) {
        let bound = self.bound.iter().any(|name| name == first);
        if !bound && !self.found.iter().any(|found| found == column) {
            self.found.push(column.to_owned());
        }
    }
}

/// The expressions that an expression is made of, in order, or what it is that cannot be read.
fn parts(expr: &Expr) -> Result<Vec<&Expr>, &'static str> {
    Ok(match expr {
        Expr::Value(_) | Expr::TypedString(_) => vec![],
        Expr::Nested(inner)
        | Expr::UnaryOp { expr: inner, .. }
        | Expr::Cast { expr: inner, .. }
        | Expr::Extract { expr: inner, .. }
        | Expr::Ceil { expr: inner, .. }
        | Expr::Floor { expr: inner, .. }
        | Expr::IsNull(inner)
        | Expr::IsNotNull(inner)
        | Expr::IsTrue(inner)
        | Expr::IsFalse(inner) => vec![inner.as_ref()],
        Expr::Interval(interval) => vec![interval.value.as_ref()],
        Expr::BinaryOp { left, right, .. } | Expr::Position { expr: left, r#in: right } => vec![left, right],
        Expr::Like { expr, pattern, .. } | Expr::ILike { expr, pattern, .. } => vec![expr, pattern],
        Expr::Between { expr, low, high, .. } => vec![expr, low, high],
        Expr::InList { expr, list, .. } => std::iter::once(expr.as_ref()).chain(list).collect(),
        Expr::Tuple(items) => items.iter().collect(),
        Expr::Array(array) => array.elem.iter().collect(),
        Expr::Substring { expr, substring_from, substring_for, .. } => {
            [Some(expr), substring_from.as_ref(), substring_for.as_ref()]
                .into_iter()
                .flatten()
                .map(AsRef::as_ref)
                .collect()
        }
        Expr::Trim { trim_what, expr, .. } => trim_what.iter().chain([expr]).map(AsRef::as_ref).collect(),
        Expr::Case { operand, conditions, else_result, .. } => {
            let branches = conditions.iter().flat_map(|branch| [&branch.condition, &branch.result]);
            operand.iter().map(AsRef::as_ref).chain(branches).chain(else_result.iter().map(AsRef::as_ref)).collect()
        }
        Expr::Function(function) => arguments(function)?,
        Expr::Subquery(_) | Expr::InSubquery { .. } | Expr::Exists { .. } => return Err("a subquery"),
        _ => return Err("such an expression"),
    })
}

/// The parts of the column's name in `n.a.1[i]`: all names up to the first access of another kind.
fn accessed_column<'a>(root: &'a Expr, chain: &'a [AccessExpr]) -> Option<Vec<&'a str>> {
    let mut names: Vec<&str> = match root {
        Expr::Identifier(ident) => vec![&ident.value],
        Expr::CompoundIdentifier(parts) => parts.iter().map(|part| part.value.as_str()).collect(),
        _ => return None,
    };
    names.extend(chain.iter().map_while(|access| match access {
        AccessExpr::Dot(Expr::Identifier(ident)) => Some(ident.value.as_str()),
        _ => None,
    }));
    Some(names)
}

/// The expressions within the brackets of `n.a.1[i]`.
fn subscripts(chain: &[AccessExpr]) -> Result<Vec<&Expr>, &'static str> {
    let mut found = Vec::new();
    for access in chain {
        match access {
            AccessExpr::Dot(_) => {}
            AccessExpr::Subscript(Subscript::Index { index }) => found.push(index),
            AccessExpr::Subscript(Subscript::Slice { .. }) => return Err("a slice"),
        }
    }
    Ok(found)
}

fn arguments(function: &Function) -> Result<Vec<&Expr>, &'static str> {
    if function.over.is_some() || function.filter.is_some() || !function.within_group.is_empty() {
        return Err("a window or aggregate function");
    }
    let mut found = Vec::new();
    for list in [&function.parameters, &function.args] {
        match list {
            FunctionArguments::None => {}
            FunctionArguments::Subquery(_) => return Err("a subquery"),
            FunctionArguments::List(FunctionArgumentList { args, .. }) => {
                for arg in args {
                    found.push(argument(arg)?);
                }
            }
        }
    }
    Ok(found)
}

fn argument(arg: &FunctionArg) -> Result<&Expr, &'static str> {
    match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Ok(expr),
        _ => Err("such an argument"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::names::quote_identifier;

    fn columns(expr: &str) -> Vec<String> {
        columns_of(expr).unwrap_or_else(|error| panic!("{expr}: {error} {:?}", error.hint()))
    }

    #[test]
    fn columns_come_in_order_of_first_appearance() {
        for (expr, expected) in [
            ("", vec![]),
            ("tuple()", vec![]),
            ("1", vec![]),
            ("(a, intHash32(b), a)", vec!["a", "b"]),
            ("a, version", vec!["a", "version"]),
            ("(toYYYYMM(d), k % 4)", vec!["d", "k"]),
            ("(a DESC, b ASC)", vec!["a", "b"]),
            ("desc", vec!["desc"]),
            ("`order by`, `(`, `кл\\`юч`, \"q\"\"uo\\\\te\"", vec!["order by", "(", "кл`юч", "q\"uo\\te"]),
            ("n.a, `n.b`", vec!["n.a", "n.b"]),
            ("t.1, arr[i], t.x.2", vec!["t", "arr", "i", "t.x"]),
            ("CAST(a, 'Date'), CAST(b AS Date), CAST(c AS Nullable(String)), d::Date", vec!["a", "b", "c", "d"]),
            (
                "substring(a, 1, 2), substring(b FROM 1), position(c, 'x'), trim(d), extract(e, 'x')",
                vec!["a", "b", "c", "d", "e"],
            ),
            (
                "floor(a), ceil(b), date(c), toString(d), left(e, 1), replace(f, 'a', 'b'), if(g, h, 1)",
                vec!["a", "b", "c", "d", "e", "f", "g", "h"],
            ),
            ("CASE WHEN a = 1 THEN b ELSE c END, CASE d WHEN 1 THEN 2 END", vec!["a", "b", "c", "d"]),
            ("toStartOfInterval(a, INTERVAL 1 DAY), b + INTERVAL c HOUR", vec!["a", "b", "c"]),
            ("arrayMap(x -> x + a, b), x, arrayMap((y, z) -> y + z, c, d)", vec!["a", "b", "x", "c", "d"]),
            (
                "a AND NOT b OR c IS NOT NULL, d NOT IN (e, 1), f NOT LIKE 'x', g BETWEEN h AND i",
                vec!["a", "b", "c", "d", "e", "f", "g", "h", "i"],
            ),
            (
                "-a, (b, c), [d], e DIV f, g MOD h, i == j, k || l",
                vec!["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"],
            ),
            ("quantile(0.5)(a), now(), f(true, null, 'a', 0x1F)", vec!["a"]),
            ("(a.b[1].c, tupleElement(d, 'e'))", vec!["a.b", "d"]),
        ] {
            assert_eq!(columns(expr), expected, "{expr}");
        }
    }

    #[test]
    fn keywords_are_columns_where_a_value_is_due() {
        let words = "ttl comment settings engine index date end interval primary projection constraint order by select \
                     from where user timestamp time current_date current_timestamp key default case when not exists \
                     array map struct group limit values table array any all some";
        for word in words.split(' ').filter(|word| !word.is_empty()) {
            assert_eq!(columns(&format!("(a, {word})")), ["a", word]);
            assert_eq!(columns(&format!("toDate({word}) + {word}")), [word]);
        }
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        for expr in [
            "a b",
            "a +",
            "f(a",
            "(SELECT 1)",
            "a IN (SELECT 1)",
            "*",
            "count(*)",
            "a ? b : c",
            "{a: Int8}",
            "f(a) OVER ()",
        ] {
            assert!(columns_of(expr).is_err(), "{expr}: {:?}", columns_of(expr));
        }
        let error = columns_of("a, b c").unwrap_err();
        assert_eq!((error.to_string().as_str(), error.span()), ("this expression cannot be read", 3..6));
    }

    #[test]
    fn long_and_deep_expressions_neither_overflow_nor_stall() {
        let started = std::time::Instant::now();
        let long = vec!["a"; 1_000].join(" + ");
        assert_eq!(columns(&long), ["a"]);
        for (open, close) in
            [("(", ")"), ("f(", ")"), ("[", "]"), ("NOT (", ")"), ("CASE WHEN (", ") THEN 1 END"), ("(1, ", ")")]
        {
            for depth in [8, 19, 20, 21, 300, 200_000] {
                let _ = columns_of(&format!("{}a{}", open.repeat(depth), close.repeat(depth)));
            }
        }
        for prefix in ["- ", "NOT ", "INTERVAL ", "CASE WHEN "] {
            let _ = columns_of(&format!("{}a", prefix.repeat(900)));
        }
        assert!(started.elapsed().as_secs() < 20);
    }

    proptest! {
        #[test]
        fn any_quoted_name_is_read_back(names in proptest::collection::vec("\\PC{1,12}", 1..5)) {
            let quoted: Vec<String> = names.iter().map(|name| quote_identifier(name)).collect();
            let mut expected = names;
            let mut seen = std::collections::BTreeSet::new();
            expected.retain(|name| seen.insert(name.clone()));
            prop_assert_eq!(columns_of(&format!("({})", quoted.join(", "))).unwrap(), expected);
        }

        #[test]
        fn anything_is_read_or_refused(expr in "([a-c]|[ .,()\\[\\]+-]|->|'x'|NOT|CASE|WHEN|IN|INTERVAL|AS|1){0,30}") {
            let _ = columns_of(&expr);
            let _ = crate::ddl::key_items(&expr);
            let _ = crate::ddl::read_change(&format!("ALTER TABLE t MODIFY ORDER BY {expr}"));
        }
    }
}
