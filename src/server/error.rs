//! What can go wrong with a statement, and what that says about its outcome.

use std::fmt;

use thiserror::Error;

use super::connection::authority;
use crate::names::ReplicaId;

/// A statement that failed or whose outcome is unknown.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub struct QueryError {
    /// What happened.
    pub kind: QueryErrorKind,
    /// `host:http_port` that was asked.
    pub host: String,
    /// The replica behind it, where known.
    pub replica: Option<ReplicaId>,
    /// One line: the server's message without code, version and stack trace, or what the transport says.
    pub message: String,
    /// The code that another server gave to the one that was asked, as with a `Distributed` table.
    pub nested_code: Option<u32>,
}

/// What happened to a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryErrorKind {
    /// It cannot be put into a request; never sent.
    Invalid,
    /// No connection, or no free one in time; never sent.
    Unreachable,
    /// The connection broke after the statement may have been sent.
    Lost,
    /// No answer in time; the server was asked to kill it.
    TimedOut,
    /// The server refused the user; it was not run.
    Auth {
        /// The server's code.
        code: u32,
    },
    /// The server answered with an exception.
    Server {
        /// The server's code.
        code: u32,
    },
    /// An answer that no ClickHouse server gives, such as a proxy's.
    Protocol,
}

/// Unknown user, wrong or missing password, address not allowed, authentication failed.
const AUTH_CODES: [u32; 5] = [192, 193, 194, 195, 516];

/// Exceptions after which the work may still go on, or have been done: time-outs and lost connections between servers
/// (159, 209, 210), unknown status of an insert (319), unfinished (341), cancelled half-way (236, 394), Keeper (999).
const UNKNOWN_OUTCOME_CODES: [u32; 8] = [159, 209, 210, 236, 319, 341, 394, 999];

/// Characters of a message that are kept: a syntax error repeats the statement.
const MESSAGE_CHARS_MAX: usize = 600;

impl QueryError {
    pub(super) fn new(kind: QueryErrorKind, url: &str, message: impl Into<String>) -> Self {
        Self { kind, host: authority(url).to_owned(), replica: None, message: message.into(), nested_code: None }
    }

    pub(super) fn on(self, replica: ReplicaId) -> Self {
        Self { replica: Some(replica), ..self }
    }

    /// Whether the statement may have had an effect, so that only looking at the server can tell.
    pub fn outcome_unknown(&self) -> bool {
        match self.kind {
            QueryErrorKind::Invalid | QueryErrorKind::Unreachable | QueryErrorKind::Auth { .. } => false,
            QueryErrorKind::Lost | QueryErrorKind::TimedOut | QueryErrorKind::Protocol => true,
            QueryErrorKind::Server { code } => UNKNOWN_OUTCOME_CODES.contains(&code),
        }
    }

    /// ClickHouse's error code, if the server gave one.
    pub fn code(&self) -> Option<u32> {
        match self.kind {
            QueryErrorKind::Auth { code } | QueryErrorKind::Server { code } => Some(code),
            _ => None,
        }
    }

    /// Reads the body of a refused request.
    pub(super) fn from_response(url: &str, body: &str) -> Self {
        let mut codes = codes(body);
        let Some(code) = codes.next() else {
            return Self::new(QueryErrorKind::Protocol, url, one_line(body));
        };
        let kind =
            if AUTH_CODES.contains(&code) { QueryErrorKind::Auth { code } } else { QueryErrorKind::Server { code } };
        Self { nested_code: codes.next(), ..Self::new(kind, url, server_message(body)) }
    }

    pub(super) fn from_transport(url: &str, error: clickhouse::error::Error) -> Self {
        use clickhouse::error::Error;
        match error {
            Error::BadResponse(body) => Self::from_response(url, &body),
            Error::InvalidParams(source) => Self::new(QueryErrorKind::Invalid, url, deepest(source.as_ref())),
            Error::Unsupported(message) => Self::new(QueryErrorKind::Invalid, url, message),
            Error::Network(source) => {
                let never_sent = source
                    .downcast_ref::<hyper_util::client::legacy::Error>()
                    .is_some_and(hyper_util::client::legacy::Error::is_connect);
                let kind = if never_sent { QueryErrorKind::Unreachable } else { QueryErrorKind::Lost };
                Self::new(kind, url, deepest(source.as_ref()))
            }
            other => Self::new(QueryErrorKind::Protocol, url, one_line(&other.to_string())),
        }
    }
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.replica {
            Some(replica) => write!(f, "{replica} ({}): {}", self.host, self.message)?,
            None => write!(f, "{}: {}", self.host, self.message)?,
        }
        match self.code() {
            Some(code) => write!(f, " (code {code})"),
            None => Ok(()),
        }
    }
}

/// Every `Code: <digits>` of an exception, outermost first.
fn codes(text: &str) -> impl Iterator<Item = u32> {
    text.split("Code: ").skip(1).filter_map(|rest| {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        rest[..digits].parse().ok()
    })
}

/// The message of an exception: old servers write `Code: 46, e.displayText() = DB::Exception: …, e.what() = …`, new ones
/// `Code: 46. DB::Exception: … (UNKNOWN_FUNCTION) (version …)`.
fn server_message(body: &str) -> String {
    let text = body.trim_start().trim_start_matches("Code: ").trim_start_matches(|c: char| c.is_ascii_digit());
    let text = text.strip_prefix(", e.displayText() = ").or_else(|| text.strip_prefix(". ")).unwrap_or(text);
    let text = if text.starts_with("DB::") { text.split_once(": ").map_or(text, |(_, message)| message) } else { text };
    let end = [", e.what() =", "Stack trace:", " (version "].iter().filter_map(|mark| text.find(mark)).min();
    one_line(&text[..end.unwrap_or(text.len())])
}

fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = words.join(" ");
    match line.char_indices().nth(MESSAGE_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

fn deepest(error: &(dyn std::error::Error + 'static)) -> String {
    let last = std::iter::successors(Some(error), |error| error.source()).last();
    one_line(&last.unwrap_or(error).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "http://ch1:8123";

    #[test]
    fn an_old_servers_exception_is_read() {
        let body = "Code: 46, e.displayText() = DB::Exception: Unknown function tcpPort, e.what() = DB::Exception\n";
        let error = QueryError::from_response(URL, body);
        assert_eq!(error.kind, QueryErrorKind::Server { code: 46 });
        assert_eq!(error.to_string(), "ch1:8123: Unknown function tcpPort (code 46)");
        assert_eq!(error.nested_code, None);
        assert!(!error.outcome_unknown());
    }

    #[test]
    fn a_new_servers_exception_is_read() {
        let body = "Code: 62. DB::Exception: Syntax error: failed at position 8 (x) (line 1, col 8):\nx y\n. Expected z. \
                    (SYNTAX_ERROR) (version 26.9.2.1 (official build))";
        let error = QueryError::from_response(URL, body).on(ReplicaId::new(1, 2));
        assert_eq!(
            error.to_string(),
            "s1r2 (ch1:8123): Syntax error: failed at position 8 (x) (line 1, col 8): x y . Expected z. \
             (SYNTAX_ERROR) (code 62)"
        );
    }

    #[test]
    fn the_first_code_counts_and_a_second_one_is_kept() {
        let body = "Code: 279, e.displayText() = DB::NetException: All connection tries failed. Log: \n\nCode: 60, \
                    e.displayText() = DB::Exception: Received from ch2:9000. DB::Exception: Table d.t doesn't exist.. \
                    Stack trace:\n\n0. clickhouse-server(StackTrace) [0x1]\n, e.what() = DB::Exception";
        let error = QueryError::from_response(URL, body);
        assert_eq!(error.code(), Some(279));
        assert_eq!(error.nested_code, Some(60));
        assert_eq!(
            error.message,
            "All connection tries failed. Log: Code: 60, e.displayText() = DB::Exception: Received from ch2:9000. \
             DB::Exception: Table d.t doesn't exist.."
        );
    }

    #[test]
    fn the_outcome_is_known_only_where_the_server_or_the_transport_says_so() {
        let outcome_unknown = |kind| QueryError::new(kind, URL, "").outcome_unknown();
        assert!(!outcome_unknown(QueryErrorKind::Unreachable));
        assert!(!outcome_unknown(QueryErrorKind::Server { code: 57 }));
        assert!(outcome_unknown(QueryErrorKind::Server { code: 319 }));
        assert!(outcome_unknown(QueryErrorKind::Lost));
        assert!(outcome_unknown(QueryErrorKind::TimedOut));
        assert!(QueryError::from_response(URL, "502 Bad Gateway").outcome_unknown());
    }

    #[test]
    fn refused_users_are_told_apart() {
        let body = "Code: 516. DB::Exception: me: Authentication failed (AUTHENTICATION_FAILED)";
        assert_eq!(QueryError::from_response(URL, body).kind, QueryErrorKind::Auth { code: 516 });
    }

    #[test]
    fn a_long_message_is_cut_at_a_character() {
        let error = QueryError::from_response(URL, &format!("Code: 62. DB::Exception: {}", "é".repeat(1000)));
        assert_eq!(error.message.chars().count(), MESSAGE_CHARS_MAX + 1);
    }
}
