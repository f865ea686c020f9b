//! Characters that would not be seen, or would make other text look different, written so that they are.

/// One line of text in which every control and direction character is visible: a name with a line break or an escape
/// sequence can neither leave its place nor recolour a terminal.
pub(super) fn line(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// SQL in which they are written as byte escapes. ClickHouse reads these in quoted names and strings, the only places
/// where such characters can be, so that what is shown is still what is meant.
pub(super) fn sql(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) && !matches!(c, '\n' | '\t') {
            shown.extend(c.encode_utf8(&mut [0; 4]).bytes().map(|byte| format!("\\x{byte:02X}")));
        } else {
            shown.push(c);
        }
    }
    shown
}

fn is_hidden(c: char) -> bool {
    let marks = matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    c.is_control() || marks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_hides() {
        assert_eq!(line("a\nb\x1b[31m\u{202e}é"), r"a\nb\u{1b}[31m\u{202e}é");
        assert_eq!(sql("SELECT '\u{202e}\x1b'\n"), "SELECT '\\xE2\\x80\\xAE\\x1B'\n");
    }
}
