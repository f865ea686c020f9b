//! Placeholders of templates, such as `{{ .prefix }}users` and `${schema}.users`, stand for what is not known before they are filled in. They
//! are read as parts of names, so that the statements around them are judged.

use std::borrow::Cow;

/// A longer placeholder is none.
const BYTES_MAX: usize = 200;
/// Words with which a tag begins that stands for nothing itself, but for what is between it and others.
const CONTROL: [&str; 9] = ["if", "else", "end", "range", "with", "block", "define", "template", "/*"];

/// The text with each placeholder written over, byte for byte: places stay as they are. A tag on a line of its own stands for whole
/// statements, of which nothing is known: it stays.
pub(super) fn filled(text: &str) -> Cow<'_, str> {
    if !text.contains("{{") && !text.contains("${") {
        return Cow::Borrowed(text);
    }
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['{', '$']) {
        let (before, from) = rest.split_at(at);
        filled.push_str(before);
        let (written, length) = match placeholder(from) {
            Some(length) if !is_alone(text, text.len() - from.len(), length) => (over(&from[..length]), length),
            // What opens none may be followed by one that does.
            _ => (from[..1].to_owned(), 1),
        };
        filled.push_str(&written);
        rest = &from[length..];
    }
    filled.push_str(rest);
    Cow::Owned(filled)
}

/// How long the placeholder is with which a text begins.
fn placeholder(text: &str) -> Option<usize> {
    let near = &text[..text.floor_char_boundary(BYTES_MAX)];
    let line = &near[..near.find('\n').unwrap_or(near.len())];
    if let Some(tag) = line.strip_prefix("{{") {
        let length = tag.find("}}")?;
        let is_one = !tag[..length].contains(['{', '}', ';']);
        return is_one.then_some(length + 4);
    }
    let name = line.strip_prefix("${")?;
    let length = name.find('}')?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':' | '-');
    // `${tag}$` may quote a body.
    let is_one = length > 0 && name[..length].chars().all(is_name) && !name[length + 1..].starts_with('$');
    is_one.then_some(length + 3)
}

/// Whether nothing else stands on the lines of a tag of `{{ }}` that gives something.
fn is_alone(text: &str, at: usize, length: usize) -> bool {
    let before = text[..at].trim_end_matches([' ', '\t']);
    let behind = text[at + length..].trim_start_matches([' ', '\t', '\r']);
    let is_bare = (before.is_empty() || before.ends_with('\n')) && (behind.is_empty() || behind.starts_with('\n'));
    is_bare && text[at..].starts_with("{{") && !is_control(&text[at..at + length])
}

fn is_control(tag: &str) -> bool {
    let words = tag.trim_matches(['{', '}']).trim_matches('-').trim_start();
    CONTROL.iter().any(|word| {
        let rest = words.strip_prefix(word);
        rest.is_some_and(|rest| *word == "/*" || !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_'))
    })
}

/// A part of a name in place of a placeholder, or blanks.
fn over(placeholder: &str) -> String {
    let by = |byte: u8| match byte {
        _ if is_control(placeholder) && placeholder.starts_with("{{") => ' ',
        byte if byte.is_ascii_alphanumeric() => char::from(byte),
        _ => '_',
    };
    placeholder.bytes().map(by).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_become_parts_of_names() {
        for (text, expected) in [
            ("ALTER TABLE {{.prefix}}users", "ALTER TABLE ___prefix__users"),
            ("x \"{{ index .O \"N\" }}\".users", "x \"___index__O__N____\".users"),
            ("DROP TABLE ${DB}.users", "DROP TABLE __DB_.users"),
            ("x {{if .a}}b{{else}}c{{end}}", "x          b        c       "),
            ("{{- if ж }}\nSELECT", "            \nSELECT"),
            ("{{ ж }}.t", "________.t"),
        ] {
            assert_eq!(filled(text), expected);
            assert_eq!(filled(text).len(), text.len());
        }
    }

    #[test]
    fn what_is_none_or_stands_for_whole_statements_stays() {
        for text in [
            "  {{ config(x) }}\nDROP TABLE t",
            "DO ${tag}$ x ${tag}$",
            "SELECT '{{1,2},{3,4}}', ${}, ${a b}, {{",
            "SELECT {a:UInt8}, $1, '{}'",
            "{{ a\n}} x",
        ] {
            assert_eq!(filled(text), text);
        }
    }
}
