//! Which rows a condition is for: all of them, some, or a number that is bounded.
//!
//! Bounded is only what surely is: ids that are written out, a range of ids, or a `LIMIT` of the query that gives the ids. A foreign key
//! bounds nothing, however it is compared.

use crate::ddl::lexer::{TokenKind, significant_tokens};
use crate::lint::statement::Reach;

/// Conditions nested deeper are not looked into.
const DEPTH_MAX: usize = 20;
/// Names of columns of which each row has a value of its own.
const KEYS: [&str; 4] = ["id", "uuid", "pk", "ctid"];
/// Words that stand behind a condition.
const BEHIND: [&str; 3] = ["RETURNING", "SETTINGS", "LIMIT"];
const OPERATORS_OF_TWO: [&str; 5] = ["<=", ">=", "<>", "!=", "=="];

/// A token with its text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Word<'a> {
    pub(super) kind: TokenKind,
    pub(super) text: &'a str,
    /// Where it begins.
    pub(super) start: usize,
}

impl Word<'_> {
    fn is(&self, keyword: &str) -> bool {
        self.kind == TokenKind::Word && self.text.eq_ignore_ascii_case(keyword)
    }

    fn is_any(&self, keywords: &[&str]) -> bool {
        keywords.iter().any(|keyword| self.is(keyword))
    }
}

/// Which rows a command of ClickHouse's `ALTER TABLE` is for.
pub(in crate::lint) fn of_command(text: &str) -> Reach {
    // What was read once has tokens.
    let tokens = significant_tokens(text).unwrap_or_default();
    let word = |token: &crate::ddl::lexer::Token| Word {
        kind: token.kind,
        text: &text[token.span.clone()],
        start: token.span.start,
    };
    of_rows(&tokens.iter().map(word).collect::<Vec<_>>(), 0)
}

/// Which rows a statement is for that names its table before `from`.
pub(super) fn of_rows(words: &[Word<'_>], from: usize) -> Reach {
    let (head, words) = words.split_at(from);
    let Some(at) = outside(words).find(|at| words[*at].is("WHERE")) else { return Reach::All };
    let (before, condition) = (&words[..at], &words[at + 1..]);
    let end = outside(condition).find(|at| condition[*at].is_any(&BEHIND)).unwrap_or(condition.len());
    let source =
        outside(before).find(|at| before[*at].is_any(&["FROM", "USING"])).map_or(&[][..], |at| &before[at + 1..]);
    let limited = limited_names(head);
    let joins_some = begins_limited(source) || source.first().is_some_and(|name| limited.contains(&name.text));
    let in_partition =
        outside(before).any(|at| before[at].is("IN") && before.get(at + 1).is_some_and(|word| word.is("PARTITION")));
    match (Condition { limited, joins_some }).verdict(&condition[..end], 0) {
        Verdict::Always => Reach::All,
        Verdict::Open if !in_partition => Reach::Some,
        _ => Reach::Bounded,
    }
}

/// The names that a `WITH` gives to queries with a LIMIT.
fn limited_names<'a>(head: &[Word<'a>]) -> Vec<&'a str> {
    if !head.first().is_some_and(|word| word.is("WITH")) {
        return Vec::new();
    }
    let names = outside(head).skip(1).filter(|at| head[*at].is("AS")).filter(|at| {
        let behind = &head[at + 1..];
        let open = behind.iter().position(|word| !word.is_any(&["NOT", "MATERIALIZED"])).unwrap_or(behind.len());
        begins_limited(&behind[open..])
    });
    names.map(|at| head[at - 1].text).collect()
}

/// What a condition, or a part of it, says about rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Always,
    Never,
    Bounded,
    /// Anything else.
    Open,
}

impl Verdict {
    fn not(self) -> Self {
        match self {
            Self::Always => Self::Never,
            Self::Never => Self::Always,
            Self::Bounded | Self::Open => Self::Open,
        }
    }

    fn both(self, other: Self) -> Self {
        match (self, other) {
            (Self::Never, _) | (_, Self::Never) => Self::Never,
            (Self::Bounded, _) | (_, Self::Bounded) => Self::Bounded,
            (Self::Always, Self::Always) => Self::Always,
            _ => Self::Open,
        }
    }

    fn either(self, other: Self) -> Self {
        match (self, other) {
            (Self::Always, _) | (_, Self::Always) => Self::Always,
            (Self::Open, _) | (_, Self::Open) => Self::Open,
            (Self::Never, Self::Never) => Self::Never,
            _ => Self::Bounded,
        }
    }
}

impl From<bool> for Verdict {
    fn from(holds: bool) -> Self {
        if holds { Self::Always } else { Self::Never }
    }
}

/// Reads a condition.
struct Condition<'a> {
    /// Names of queries with a LIMIT.
    limited: Vec<&'a str>,
    /// Whether the table is joined with a query that has a LIMIT.
    joins_some: bool,
}

impl Condition<'_> {
    fn verdict(&self, words: &[Word<'_>], depth: usize) -> Verdict {
        let words = unbracketed(words);
        if depth > DEPTH_MAX || words.is_empty() || outside(words).any(|at| words[at].is("CASE")) {
            return Verdict::Open;
        }
        let of = |part: &[Word<'_>]| self.verdict(part, depth + 1);
        let alternatives = split(words, "OR");
        if alternatives.len() > 1 {
            return alternatives.into_iter().map(of).reduce(Verdict::either).unwrap_or(Verdict::Open);
        }
        let parts = split(words, "AND");
        if parts.len() > 1 {
            let range = if has_range(&parts) { Verdict::Bounded } else { Verdict::Always };
            return parts.into_iter().map(of).fold(range, Verdict::both);
        }
        if words[0].is("NOT") {
            return of(&words[1..]).not();
        }
        if let [word] = words {
            return single(*word);
        }
        self.comparison(words)
    }

    fn comparison(&self, words: &[Word<'_>]) -> Verdict {
        let by_word = ["IN", "BETWEEN"];
        let Some(at) = outside(words).find(|at| words[*at].is_any(&by_word) || comparator(words, *at).is_some()) else {
            return Verdict::Open;
        };
        let left = &words[..at];
        let Some((operator, length)) = comparator(words, at) else {
            let bounded = has_key(left)
                && if words[at].is("IN") { self.are_few(&words[at + 1..]) } else { has_ends(&words[at + 1..]) };
            return if bounded { Verdict::Bounded } else { Verdict::Open };
        };
        let right = &words[at + length..];
        if let Some(holds) = holds(left, operator, right) {
            return holds.into();
        }
        let is_any = right.first().is_some_and(|word| word.is("ANY")) && has_key(left) && self.are_few(&right[1..]);
        let joined = self.joins_some && is_key(left) && is_key(right);
        let one = is_key(left) && is_value(right) || is_key(right) && is_value(left);
        if matches!(operator, "=" | "==") && (one || is_any || joined) { Verdict::Bounded } else { Verdict::Open }
    }

    /// Whether `(…)` are values, or a query with a LIMIT, or one that reads from such a one alone.
    fn are_few(&self, words: &[Word<'_>]) -> bool {
        let query = unbracketed(words);
        let reads_limited = || {
            let from = outside(query).find(|at| query[*at].is("FROM"))?;
            let source = query.get(from + 1..)?;
            let alone = !outside(source).any(|at| source[at].kind == TokenKind::Comma || source[at].is("JOIN"));
            Some(alone && self.limited.contains(&source.first()?.text))
        };
        is_value(words) || begins_limited(words) || reads_limited().unwrap_or(false)
    }
}

/// A condition of one word.
fn single(word: Word<'_>) -> Verdict {
    match word.kind {
        TokenKind::Number => (number(word.text) != Some(0.0)).into(),
        _ if word.is("TRUE") => Verdict::Always,
        _ if word.is_any(&["FALSE", "NULL"]) => Verdict::Never,
        _ => Verdict::Open,
    }
}

/// What a comparison says of two constants, or of a thing with itself.
fn holds(left: &[Word<'_>], operator: &str, right: &[Word<'_>]) -> Option<bool> {
    let same = !left.is_empty()
        && left.len() == right.len()
        && left.iter().zip(right).all(|(one, other)| one.text.eq_ignore_ascii_case(other.text));
    if same {
        return Some(matches!(operator, "=" | "==" | "<=" | ">="));
    }
    let ([left], [right]) = (left, right) else { return None };
    let order = number(left.text)?.total_cmp(&number(right.text)?);
    Some(match operator {
        "=" | "==" => order.is_eq(),
        "<" => order.is_lt(),
        "<=" => order.is_le(),
        ">" => order.is_gt(),
        ">=" => order.is_ge(),
        _ => order.is_ne(),
    })
}

fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|_| text.starts_with(|c: char| c.is_ascii_digit()))
}

/// The operator of comparison that begins here, and of how many tokens it is.
fn comparator<'a>(words: &[Word<'a>], at: usize) -> Option<(&'a str, usize)> {
    let is_operator = |word: &&Word<'a>| word.kind == TokenKind::Operator;
    let first = words.get(at).filter(is_operator)?;
    if OPERATORS_OF_TWO.contains(&first.text) {
        return Some((first.text, 1));
    }
    let second = words.get(at + 1).filter(is_operator).filter(|second| second.start == first.start + first.text.len());
    let pair = second.and_then(|second| {
        OPERATORS_OF_TWO.into_iter().find(|pair| pair.starts_with(first.text) && pair.ends_with(second.text))
    });
    match pair {
        Some(pair) => Some((pair, 2)),
        None => matches!(first.text, "=" | "<" | ">").then_some((first.text, 1)),
    }
}

/// Whether one of the columns that `a` or `(a, b)` names is a key.
fn has_key(words: &[Word<'_>]) -> bool {
    unbracketed(words).split(|word| word.kind == TokenKind::Comma).any(is_key)
}

/// Whether this is a column, `[[schema.]table.]column`, that tells rows apart.
fn is_key(words: &[Word<'_>]) -> bool {
    let is_name = |word: &Word<'_>| matches!(word.kind, TokenKind::Word | TokenKind::QuotedIdentifier);
    let is_column = words.iter().enumerate().all(
        |(at, word)| {
            if at % 2 == 0 { is_name(word) } else { word.kind == TokenKind::Dot }
        },
    );
    let last = words.last().filter(|_| is_column && words.len() % 2 == 1);
    last.is_some_and(|word| KEYS.iter().any(|key| word.text.trim_matches(['"', '`']).eq_ignore_ascii_case(key)))
}

/// Whether nothing of this comes from a row: values, casts of them, and functions of them.
fn is_value(words: &[Word<'_>]) -> bool {
    let is_given = |at: usize| matches!(words[at].kind, TokenKind::Number | TokenKind::String);
    let behind_cast = |at: usize| at > 0 && words[at - 1].text.ends_with(':');
    let goes = |at: usize| match words[at].kind {
        TokenKind::Word => {
            let names_function = words.get(at + 1).is_some_and(|next| matches!(next.text, "(" | "["));
            let names_type = words.get(at + 1).is_some_and(|next| next.kind == TokenKind::String);
            !words[at].is("SELECT") && (names_function || names_type || behind_cast(at))
        }
        TokenKind::QuotedIdentifier | TokenKind::Dot => false,
        _ => true,
    };
    (0..words.len()).any(is_given) && (0..words.len()).all(goes)
}

/// `1 AND 2`
fn has_ends(words: &[Word<'_>]) -> bool {
    let and = outside(words).find(|at| words[*at].is("AND"));
    and.is_some_and(|at| is_value(&words[..at]) && is_value(&words[at + 1..]))
}

/// Whether a query in brackets with a LIMIT comes first, which does not look at the row outside.
fn begins_limited(words: &[Word<'_>]) -> bool {
    let Some(end) = words.first().and_then(|_| closing(words)) else { return false };
    let mut query = unbracketed(&words[..=end]);
    if query.first().is_some_and(|word| word.is("ARRAY")) {
        query = unbracketed(&query[1..]);
    }
    let limit = outside(query).find(|at| query[*at].is_any(&["LIMIT", "FETCH"]));
    let limits = limit.is_some_and(|at| {
        let by_group = query.get(at + 2).is_some_and(|word| word.is("BY"));
        !by_group && !query.get(at + 1).is_some_and(|word| word.is_any(&["ALL", "NULL"]))
    });
    limits && query[0].is("SELECT") && !is_correlated(query)
}

/// Whether a query names a table that it does not read from.
fn is_correlated(query: &[Word<'_>]) -> bool {
    let followed_by_dot = |at: usize| query.get(at + 1).is_some_and(|next| next.kind == TokenKind::Dot);
    let mut named: Vec<&str> = (0..query.len()).filter(|at| !followed_by_dot(*at)).map(|at| query[at].text).collect();
    named.sort_unstable();
    (0..query.len()).any(|at| {
        let in_name = at > 0 && (query[at - 1].kind == TokenKind::Dot || query[at - 1].is_any(&["FROM", "JOIN"]));
        followed_by_dot(at) && !in_name && named.binary_search(&query[at].text).is_err()
    })
}

/// Whether the parts of a condition bound the same key from both sides.
fn has_range(parts: &[&[Word<'_>]]) -> bool {
    let bounds: Vec<(String, bool)> = parts.iter().filter_map(|part| bound(unbracketed(part))).collect();
    bounds
        .iter()
        .any(|(key, is_lower)| bounds.iter().take(DEPTH_MAX).any(|(other, lower)| key == other && is_lower != lower))
}

/// The key that `id >= 5` bounds, and whether from below.
fn bound(words: &[Word<'_>]) -> Option<(String, bool)> {
    let at = outside(words).find(|at| comparator(words, *at).is_some())?;
    let (operator, length) = comparator(words, at)?;
    let (left, right) = (&words[..at], &words[at + length..]);
    let is_lower = match operator {
        ">" | ">=" => true,
        "<" | "<=" => false,
        _ => return None,
    };
    let name = |key: &[Word<'_>]| key.iter().map(|word| word.text.to_ascii_lowercase()).collect::<String>();
    if is_key(left) && is_value(right) {
        Some((name(left), is_lower))
    } else if is_key(right) && is_value(left) {
        Some((name(right), !is_lower))
    } else {
        None
    }
}

/// The places outside of all brackets; an opening bracket is outside, and what closes it is not.
fn outside<'a>(words: &'a [Word<'_>]) -> impl Iterator<Item = usize> + use<'a> {
    let mut depth = 0_usize;
    (0..words.len()).filter(move |at| {
        let is_outside = depth == 0;
        match words[*at].kind {
            TokenKind::Open => depth += 1,
            TokenKind::Close => depth = depth.saturating_sub(1),
            _ => {}
        }
        is_outside
    })
}

/// The place of the bracket that closes the first word, which must open one.
fn closing(words: &[Word<'_>]) -> Option<usize> {
    let behind = outside(words).nth(1).unwrap_or(words.len());
    (words.first()?.kind == TokenKind::Open).then_some(behind - 1)
}

/// Without the brackets around all of it.
fn unbracketed<'a, 'b>(mut words: &'b [Word<'a>]) -> &'b [Word<'a>] {
    for _ in 0..DEPTH_MAX {
        let Some(end) = words.first().filter(|word| word.text == "(").and_then(|_| closing(words)) else { break };
        if end + 1 != words.len() || end == 0 {
            break;
        }
        words = &words[1..end];
    }
    words
}

/// The parts between such words outside of brackets, but for the `AND` of a `BETWEEN`.
fn split<'a, 'b>(words: &'b [Word<'a>], keyword: &str) -> Vec<&'b [Word<'a>]> {
    let (mut parts, mut start, mut between) = (Vec::new(), 0, false);
    for at in outside(words) {
        let ends_between = words[at].is("AND") && std::mem::take(&mut between);
        between |= words[at].is("BETWEEN");
        if words[at].is(keyword) && !ends_between {
            parts.push(&words[start..at]);
            start = at + 1;
        }
    }
    parts.push(&words[start..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn each(expected: Reach, conditions: &[&str]) {
        for condition in conditions {
            assert_eq!(of_command(&format!("SET a = 1 WHERE {condition}")), expected, "{condition}");
        }
    }

    #[test]
    fn what_is_always_true_is_for_all_rows() {
        each(
            Reach::All,
            &[
                "1",
                "true",
                "(TRUE)",
                "((1))",
                "1 = 1",
                "(1 = 1) AND true",
                "id = id",
                "t.a = T.a",
                "NOT FALSE",
                "NOT (1 = 0)",
                "NOT NOT true",
                "1 <> 2",
                "2 >= 1",
                "'a' = 'a'",
                "id = 3 OR true",
                "true RETURNING id",
            ],
        );
        assert_eq!(of_command("SET a = (SELECT b FROM c WHERE id = 3 LIMIT 1)"), Reach::All);
    }

    #[test]
    fn ids_ranges_of_ids_and_limits_bound() {
        each(
            Reach::Bounded,
            &[
                "id = 3",
                "3 = id",
                "(t.id = 3) AND kind = 4",
                "\"t\".\"id\" = '3'::bigint",
                "uuid = toUUID('61f0c404-5cb3-11e7-907b-a6006ad3dba0')",
                "uuid = uuid '61f0c404'",
                "id IN (1, 2, 3)",
                "id = 3 OR id = 4",
                "id = -1",
                "id = ANY(ARRAY[1, 2])",
                "id BETWEEN 1 AND 1000 AND kind = 4",
                "id >= 1000 AND id < 2000",
                "(id > 1000) AND kind = 3 AND (2000 >= id)",
                "id IN (SELECT id FROM t WHERE a IS NULL ORDER BY id LIMIT 1000 FOR UPDATE SKIP LOCKED)",
                "id IN (SELECT b.id FROM s.t b WHERE b.a IS NULL LIMIT 1000)",
                "(a, id) IN (SELECT a, id FROM t LIMIT 10)",
                "ctid = ANY(ARRAY(SELECT ctid FROM t WHERE a LIMIT 10))",
                "id IN (SELECT id FROM t FETCH FIRST 10 ROWS ONLY)",
                "1 = 0",
                "id = 3 RETURNING id",
            ],
        );
        let joined = "SET a = 1 FROM (SELECT id FROM t WHERE b LIMIT 100) AS b WHERE t.id = b.id";
        assert_eq!(of_command(joined), Reach::Bounded);
        assert_eq!(of_command("UPDATE a = 1 IN PARTITION '202401' WHERE b = 2"), Reach::Bounded);
        assert_eq!(of_command("UPDATE a = 1 IN PARTITION '202401' WHERE 1"), Reach::All);
    }

    #[test]
    fn what_only_looks_bounded_is_not() {
        each(
            Reach::Some,
            &[
                "is_valid = 1",
                "paid = 1",
                "invalid = 'x'",
                "team_id = 5",
                "team_id IN (1, 2)",
                "NOT (id = 3)",
                "NOT (team_id IN (1, 2))",
                "id <> 3",
                "id != 3",
                "id NOT IN (1, 2)",
                "id NOT BETWEEN 1 AND 2",
                "x IN (SELECT y FROM z WHERE country_id = 5)",
                "x IN (SELECT y FROM z WHERE id = 5)",
                "EXISTS (SELECT 1 FROM z WHERE z.id = 5 LIMIT 1)",
                "created_at >= '1970-01-01' AND score < 100",
                "id > 3 AND uuid < '5'",
                "id > 3",
                "id > 3 AND id > 5",
                "id = 3 OR kind = 4",
                "id = other_id",
                "id = a + 1",
                "id IN (SELECT id FROM t)",
                "id IN (SELECT id FROM t LIMIT ALL)",
                "id IN (SELECT id FROM t LIMIT 1 BY a)",
                "id IN (SELECT p.id FROM plans p WHERE p.id = users.plan_id LIMIT 1)",
                "id IN (SELECT id FROM t WHERE a IN (SELECT a FROM b LIMIT 3))",
                "kind IN (SELECT kind FROM t LIMIT 1)",
                "a = (SELECT b FROM c LIMIT 1)",
                "CASE WHEN id = 3 THEN true ELSE true END",
            ],
        );
        assert_eq!(of_command("SET a = b.a FROM b WHERE t.id = b.id"), Reach::Some);
        let with = |rest: &str| {
            let sql = format!("WITH b AS NOT MATERIALIZED (SELECT id FROM t LIMIT 10) UPDATE t {rest}");
            let tokens = significant_tokens(&sql).unwrap();
            let word = |token: &crate::ddl::lexer::Token| Word {
                kind: token.kind,
                text: &sql[token.span.clone()],
                start: token.span.start,
            };
            let words: Vec<Word<'_>> = tokens.iter().map(word).collect();
            let from = words.iter().position(|word| word.is("SET")).unwrap();
            of_rows(&words, from)
        };
        assert_eq!(with("SET a = 1 FROM b WHERE t.id = b.id"), Reach::Bounded);
        assert_eq!(with("SET a = 1 WHERE id IN (SELECT id FROM b)"), Reach::Bounded);
        assert_eq!(with("SET a = 1 WHERE id IN (SELECT id FROM c)"), Reach::Some);
        assert_eq!(with("SET a = 1 FROM b WHERE t.team_id = 3"), Reach::Some);
        assert_eq!(with("SET a = 1"), Reach::All);
        let limited = "SET a = (SELECT p.name FROM plans p WHERE p.id = users.plan_id LIMIT 1) WHERE team_id = 3";
        assert_eq!(of_command(limited), Reach::Some);
    }
}
