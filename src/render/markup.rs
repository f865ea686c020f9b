//! Text inside HTML and SVG.

use super::visible;

/// One line of text for content or a quoted attribute.
pub(super) fn text(text: &str) -> String {
    escaped(&visible::line(text))
}

/// SQL for content.
pub(super) fn sql(text: &str) -> String {
    escaped(&visible::sql(text))
}

/// A name for an anchor: letters, digits, dots and dashes stay, anything else becomes its number.
pub(super) fn anchor(kind: &str, id: &str) -> String {
    let safe: String = id
        .chars()
        .map(|c| match c {
            c if c.is_ascii_alphanumeric() || matches!(c, '.' | '-') => c.to_string(),
            c => format!("_{:x}_", u32::from(c)),
        })
        .collect();
    format!("{kind}-{safe}")
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_its_place() {
        assert_eq!(text("</a><b c=\"d\" e='f'>&\n"), "&lt;/a&gt;&lt;b c=&quot;d&quot; e=&#39;f&#39;&gt;&amp;\\n");
        assert_eq!(anchor("step", "a.s1 \"<é"), "step-a.s1_20__22__3c__e9_");
    }
}
