//! Decodes quoted tokens; the counterpart of [`quote_identifier`](crate::names::quote_identifier).

use super::lexer::TokenKind;

/// The name that a token is, quoted or not.
pub(crate) fn name_of(kind: TokenKind, text: &str) -> Option<String> {
    match kind {
        TokenKind::Word => Some(text.to_owned()),
        TokenKind::QuotedIdentifier => unquote(text),
        _ => None,
    }
}

/// The value of a quoted identifier or string token, escapes and doubled quotes decoded.
///
/// `None` for what is not in quotes, for `x'…'`, for escapes about which server versions disagree (`\d`, `\N`), and
/// for values that are not UTF-8.
pub(crate) fn unquote(token: &str) -> Option<String> {
    let quote = *token.as_bytes().first()?;
    let inside = token.strip_prefix(['\'', '"', '`'])?.strip_suffix(char::from(quote))?;
    let mut bytes = inside.bytes();
    let mut value = Vec::with_capacity(inside.len());
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => value.push(unescape(&mut bytes)?),
            _ if byte == quote => value.push(bytes.next().filter(|&next| next == quote)?),
            _ => value.push(byte),
        }
    }
    String::from_utf8(value).ok()
}

fn unescape(bytes: &mut std::str::Bytes<'_>) -> Option<u8> {
    Some(match bytes.next()? {
        b'a' => 0x07,
        b'b' => 0x08,
        b'e' => 0x1b,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 0x0b,
        b'0' => 0,
        b'x' => hex_digit(bytes.next()?)? * 16 + hex_digit(bytes.next()?)?,
        same @ (b'\\' | b'\'' | b'"' | b'`' | b'/') => same,
        _ => return None,
    })
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_decoded_where_all_servers_agree() {
        assert_eq!(unquote(r"'a\'b''c\\\n\t\0\x41\/'").as_deref(), Some("a'b'c\\\n\t\0A/"));
        assert_eq!(unquote(r"`\xd0\xba`").as_deref(), Some("к"));
        for refused in [r"'\d'", r"'\N'", r"'\xZZ'", r"'\xff'", "a", "", "'", "'a`", "x'41'", r"'a\'", "'a'b'"] {
            assert_eq!(unquote(refused), None, "{refused}");
        }
    }
}
