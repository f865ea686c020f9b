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
        Expr::CompoundFieldAccess { root, access_chain } => accessed(root, access_chain)?,
        Expr::Function(function) => arguments(function)?,
        Expr::Subquery(_) | Expr::InSubquery { .. } | Expr::Exists { .. } => return Err("a subquery"),
        _ => return Err("such an expression"),
    })
}

/// The root of `t.1.x[i]` and the subscripts; the elements' names are no columns.
fn accessed<'a>(root: &'a Expr, chain: &'a [AccessExpr]) -> Result<Vec<&'a Expr>, &'static str> {
    let mut found = vec![root];
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
