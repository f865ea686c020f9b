//! Functions that give another value for the same row each time.

use super::lexer::{TokenKind, significant_tokens};

/// Functions that do not always give the same result for the same arguments: servers as old as 18.16 take them in keys.
const CHANGING: [&str; 34] = [
    "blockNumber",
    "currentDatabase",
    "currentUser",
    "generateSnowflakeID",
    "generateULID",
    "generateUUIDv4",
    "generateUUIDv7",
    "hostName",
    "neighbor",
    "now",
    "now64",
    "nowInBlock",
    "rand",
    "rand32",
    "rand64",
    "randConstant",
    "randNormal",
    "randUniform",
    "randomFixedString",
    "randomPrintableASCII",
    "randomString",
    "randomStringUTF8",
    "rowNumberInAllBlocks",
    "rowNumberInBlock",
    "runningAccumulate",
    "runningConcurrency",
    "runningDifference",
    "runningDifferenceStartingWithFirstValue",
    "serverUUID",
    "timezone",
    "today",
    "uptime",
    "version",
    "yesterday",
];

/// The first function of an expression whose result changes. None for an expression that cannot be read: others refuse it.
pub fn changing_function(expression: &str) -> Option<String> {
    let tokens = significant_tokens(expression).ok()?;
    let called = tokens.windows(2).filter(|two| two[0].kind == TokenKind::Word && two[1].kind == TokenKind::Open);
    let mut names = called.filter_map(|two| expression.get(two[0].span.clone()));
    names.find(|name| CHANGING.iter().any(|changing| changing.eq_ignore_ascii_case(name))).map(str::to_owned)
}
