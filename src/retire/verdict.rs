//! Whether columns may go.

use std::collections::BTreeMap;

use crate::assess::{ColumnUse, How, Usage};
use crate::plan::Unread;
use crate::words::{count, first, list, moment, span};

/// So many of each kind of reason are told.
const TOLD_MAX: usize = 5;

/// Why columns may not go yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The reasons, a sentence each.
    pub because: Vec<String>,
    /// When to ask again, in seconds of Unix time; none where that depends on what a person does.
    pub again: Option<u64>,
}

/// Settings under which a log leaves queries out, from lines of name and value: what is wrong, if anything is.
pub fn flaw(settings: &str) -> Option<String> {
    let settings: BTreeMap<&str, &str> = settings.lines().filter_map(|line| line.split_once('\t')).collect();
    let is = |name: &str, value: &str| settings.get(name).is_none_or(|known| *known == value);
    if !is("log_queries", "1") {
        return Some("log_queries is off: queries are not logged".to_owned());
    }
    if !is("log_queries_min_query_duration_ms", "0") {
        return Some("log_queries_min_query_duration_ms is set: short queries are not logged".to_owned());
    }
    if !is("log_queries_probability", "1") {
        return Some("log_queries_probability is below 1: not every query is logged".to_owned());
    }
    let excepts = |kind: &&&str| kind.starts_with("EXCEPTION");
    settings
        .get("log_queries_min_type")
        .filter(excepts)
        .map(|_| "log_queries_min_type: only failed queries are logged".to_owned())
}

/// The same of what others have set, from lines of name, value and whose it is.
pub fn flaw_of_others(settings: &str) -> Option<String> {
    settings.lines().find_map(|line| {
        let (setting, whose) = line.rsplit_once('\t')?;
        Some(format!("by {whose}, {}", flaw(setting)?))
    })
}

/// What holds the columns; nothing if every log proves that nobody has read them.
pub fn held(unread: &Unread, usage: &Usage) -> Option<Held> {
    let counts = |one: &&ColumnUse| unread.by_star || one.how != How::Star;
    let uses: Vec<&ColumnUse> = usage.uses.iter().filter(counts).collect();
    let mut because: Vec<String> = uses.iter().take(TOLD_MAX).map(|one| sentence(one)).collect();
    if uses.len() > TOLD_MAX {
        because.push(format!("and by {}", count((uses.len() - TOLD_MAX) as u64, "more client")));
    }
    let mut again =
        uses.iter().map(|one| Some(one.last.saturating_add(unread.seconds).saturating_add(1))).max().flatten();
    let mut by_hand = false;
    let standing = usage.standing.iter().filter(|one| !unread.known.contains(&one.table));
    for one in standing {
        by_hand = true;
        because.push(format!("{} names column {} in its definition", one.table, one.column));
    }
    let mut lacking: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for log in &usage.logs {
        let Some(why) = log.lacks(unread.seconds) else { continue };
        lacking.entry(why).or_default().push(log.on.to_string());
        match log.reaches.filter(|_| log.flaw.is_none()) {
            Some(reaches) => again = again.max(Some(log.at.saturating_add(unread.seconds.saturating_sub(reaches)))),
            None => by_hand = true,
        }
    }
    let lacking =
        lacking.into_iter().map(|(why, on)| format!("the log of {} proves nothing: {why}", first(on.iter(), TOLD_MAX)));
    because.extend(lacking);
    (!because.is_empty()).then_some(Held { because, again: again.filter(|_| !by_hand) })
}

fn sentence(one: &ColumnUse) -> String {
    let ColumnUse { column, how, user, client, host, queries, last, .. } = one;
    let who = list([user, client].into_iter().filter(|text| !text.is_empty()));
    let times = if *queries == 1 { "once".to_owned() } else { format!("{queries} times") };
    let how = match how {
        How::Named => "",
        How::Counted => " by the number of columns (an insert without a list of them, or a table behind IN)",
        How::Star => " by * alone",
        How::Perhaps => " perhaps (a query that cannot be read, or not whole)",
    };
    format!("column {column} was used{how} {times} by {who} from {host}, last at {}", moment(*last))
}

impl Held {
    /// As one text.
    pub fn text(&self) -> String {
        self.because.join("; ")
    }

    /// When to ask again, for people.
    pub fn again(&self, seconds: u64) -> String {
        match self.again {
            Some(at) => format!("ask again at {}", moment(at)),
            None => format!("ask again once that is seen to, and {} have passed", span(seconds)),
        }
    }
}
