//! Text that must fit somewhere, counted in characters.

/// The text on at most so many lines of at most so many characters, cut where it is longer.
pub(super) fn wrapped(text: &str, characters: usize, lines_max: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= characters => line.extend([" ", word]),
            _ => lines.push(word.to_owned()),
        }
    }
    if lines.len() > lines_max {
        let rest = lines.split_off(lines_max - 1).join(" ");
        lines.push(rest);
    }
    lines.iter().map(|line| cut(line, characters)).collect()
}

/// The same, with lines that are about as long as each other.
pub(super) fn balanced(text: &str, characters: usize, lines_max: usize) -> Vec<String> {
    let widest = wrapped(text, characters, lines_max);
    let fits = |lines: &Vec<String>| lines.len() == widest.len() && !lines.iter().any(|line| line.ends_with('…'));
    (1..characters).map(|narrower| wrapped(text, narrower, lines_max)).find(fits).unwrap_or(widest)
}

pub(super) fn cut(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    let kept: String = text.chars().take(max.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_fit_their_place() {
        assert_eq!(wrapped("create snapshot and staging table", 17, 2), ["create snapshot", "and staging table"]);
        assert_eq!(
            wrapped("create the snapshot table and the staging table", 17, 2),
            ["create the", "snapshot table a…"]
        );
        assert_eq!(cut("abc", 2), "a…");
    }

    #[test]
    fn lines_are_about_as_long_as_each_other() {
        assert_eq!(balanced("check that every shard is fit", 26, 3), ["check that every", "shard is fit"]);
        assert_eq!(balanced("check that every shard is fit", 9, 2), ["check", "that eve…"]);
    }
}
