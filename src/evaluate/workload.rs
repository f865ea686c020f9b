//! Queries that were run, grouped by what they are without their literals.

use std::collections::{BTreeMap, BTreeSet};

use super::aim::{Aimed, Unaimed, aim};
use super::reach::Reach;
use super::text::{Written, normal_form};

/// Literals of a group that are tried, at most.
pub const EXAMPLES_MAX: usize = 8;
/// Users of a group that are named.
const USERS_MAX: usize = 5;

/// Queries of one shape, as one replica's log or a file has them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Logged {
    /// Some of them with their literals, and how many each stands for.
    pub examples: Vec<(String, u64)>,
    /// The session's database, where the log tells it.
    pub database: Option<String>,
    /// How often they were run.
    pub count: u64,
    /// Rows that they read.
    pub read_rows: u64,
    /// Bytes that they read, uncompressed.
    pub read_bytes: u64,
    /// How long they took, in milliseconds.
    pub duration_ms: u64,
    /// Who ran them.
    pub users: Vec<String>,
    /// When one of them was last begun, as the server writes it.
    pub last_seen: String,
}

impl From<Written> for Logged {
    fn from(written: Written) -> Self {
        Self { examples: vec![(written.sql, written.count)], count: written.count, ..Self::default() }
    }
}

/// A query with its literals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// As it was run.
    pub text: String,
    /// The same for any twin.
    pub aimed: Aimed,
    /// How many queries it stands for.
    pub weight: u64,
}

/// Queries that differ in their literals alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Their normal form.
    pub query: String,
    /// What the logs say of them all.
    pub logged: Logged,
    /// Whether they ask all shards.
    pub distributed: bool,
    /// Some of them; never empty.
    pub examples: Vec<Example>,
}

/// Queries that name the table and are not measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rest {
    /// Their normal form, or a note in its place where none can be made.
    pub query: String,
    /// How often they were run.
    pub count: u64,
    /// Bytes that they read.
    pub read_bytes: u64,
    /// Why not.
    pub reason: String,
}

/// What is asked of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Workload {
    /// What can be measured, most bytes read first.
    pub groups: Vec<Group>,
    /// What cannot, most bytes read first.
    pub rest: Vec<Rest>,
}

impl Workload {
    /// Groups what was logged. Beyond `limit` groups, those that read least are not measured.
    pub fn new(logged: Vec<Logged>, reach: &Reach, limit: usize) -> Self {
        let mut groups: BTreeMap<(String, bool), Gathering> = BTreeMap::new();
        let mut rest = BTreeMap::new();
        for one in logged {
            match Gathering::of(one, reach) {
                Ok((key, gathering)) => groups.entry(key).or_default().add(gathering),
                Err(refused) if refused.0 == Unaimed::Elsewhere => {}
                Err(refused) => add_rest(&mut rest, &refused.1, refused.0),
            }
        }
        let mut groups: Vec<Group> = groups.into_iter().map(|(key, gathering)| gathering.group(key)).collect();
        groups.sort_by_key(|group| std::cmp::Reverse((group.logged.read_bytes, group.logged.count)));
        let beyond = groups.split_off(limit.min(groups.len()));
        let mut workload = Self { groups, rest: rest.into_values().collect() };
        let reason = format!("beyond the first {limit} groups (--limit)");
        workload.rest.extend(beyond.iter().map(|group| group.as_rest(&reason)));
        workload.sort_rest();
        workload
    }

    /// Moves groups that turned out not to be measurable to the rest, with the reasons.
    pub fn give_up(&mut self, reasons: &BTreeMap<usize, String>) {
        let groups = std::mem::take(&mut self.groups);
        for (at, group) in groups.into_iter().enumerate() {
            match reasons.get(&at) {
                None => self.groups.push(group),
                Some(reason) => self.rest.push(group.as_rest(reason)),
            }
        }
        self.sort_rest();
    }

    fn sort_rest(&mut self) {
        self.rest.sort_by(|a, b| (b.read_bytes, b.count, &a.query).cmp(&(a.read_bytes, a.count, &b.query)));
    }
}

impl Group {
    fn as_rest(&self, reason: &str) -> Rest {
        Rest {
            query: self.query.clone(),
            count: self.logged.count,
            read_bytes: self.logged.read_bytes,
            reason: reason.to_owned(),
        }
    }
}

fn add_rest(rest: &mut BTreeMap<(String, Unaimed), Rest>, one: &Logged, reason: Unaimed) {
    let text = one.examples.first().map_or("", |(text, _)| text);
    // A text that cannot be split into tokens cannot be rid of its literals either.
    let query =
        normal_form(text).unwrap_or_else(|_| format!("({} characters that cannot be read)", text.chars().count()));
    let entry = rest.entry((query.clone(), reason)).or_insert_with(|| Rest {
        query,
        count: 0,
        read_bytes: 0,
        reason: reason.to_string(),
    });
    entry.count += one.count;
    entry.read_bytes += one.read_bytes;
}

/// What was logged and cannot be aimed, and why.
type Refused = Box<(Unaimed, Logged)>;

/// A group while it is put together.
#[derive(Default)]
struct Gathering {
    logged: Logged,
    examples: BTreeMap<String, (Option<Aimed>, u64)>,
}

impl Gathering {
    fn of(one: Logged, reach: &Reach) -> Result<((String, bool), Self), Refused> {
        let mut examples = BTreeMap::new();
        let mut key = None;
        let mut refused = Unaimed::Elsewhere;
        for (text, weight) in &one.examples {
            match (aim(text, one.database.as_deref(), reach), normal_form(text)) {
                (Ok(aimed), Ok(normal)) => {
                    key.get_or_insert((normal, aimed.distributed));
                    let entry = examples.entry(text.clone()).or_insert((Some(aimed), 0));
                    entry.1 += weight;
                }
                (Err(reason), _) => refused = reason,
                (_, Err(_)) => refused = Unaimed::Unreadable,
            }
        }
        match key {
            Some(key) => Ok((key, Self { logged: one, examples })),
            None => Err(Box::new((refused, one))),
        }
    }

    fn add(&mut self, other: Self) {
        let (own, new) = (&mut self.logged, other.logged);
        own.count += new.count;
        own.read_rows += new.read_rows;
        own.read_bytes += new.read_bytes;
        own.duration_ms += new.duration_ms;
        let users: BTreeSet<String> = own.users.drain(..).chain(new.users).collect();
        own.users = users.into_iter().take(USERS_MAX).collect();
        own.last_seen = std::mem::take(&mut own.last_seen).max(new.last_seen);
        for (text, (aimed, weight)) in other.examples {
            self.examples.entry(text).or_insert((aimed, 0)).1 += weight;
        }
    }

    fn group(self, (query, distributed): (String, bool)) -> Group {
        let mut examples: Vec<Example> = self
            .examples
            .into_iter()
            .filter_map(|(text, (aimed, weight))| Some(Example { text, aimed: aimed?, weight }))
            .collect();
        examples.sort_by_key(|example| std::cmp::Reverse(example.weight));
        examples.truncate(EXAMPLES_MAX);
        Group { query, logged: self.logged, distributed, examples }
    }
}

#[cfg(test)]
mod tests {
    use super::super::reach::tests::reach;
    use super::*;

    fn logged(sql: &str, count: u64, read_bytes: u64) -> Logged {
        Logged {
            examples: vec![(sql.to_owned(), count)],
            database: Some("d".into()),
            count,
            read_bytes,
            ..Logged::default()
        }
    }

    #[test]
    fn queries_are_grouped_over_replicas_and_literals() {
        let workload = Workload::new(
            vec![
                logged("SELECT a FROM t WHERE a = 1", 2, 10),
                logged("SELECT a FROM t WHERE a = 2", 3, 100),
                logged("SELECT count() FROM all", 1, 500),
                logged("SELECT 1 FROM d.other WHERE b = 't'", 9, 9),
                logged("SELECT 'secret", 1, 7),
                logged("SELECT a FROM remote('secret', d.t)", 1, 8),
            ],
            &reach(),
            10,
        );
        let groups: Vec<_> =
            workload.groups.iter().map(|g| (g.query.as_str(), g.logged.count, g.distributed)).collect();
        assert_eq!(groups, [("SELECT count() FROM all", 1, true), ("SELECT a FROM t WHERE a = ?", 5, false)]);
        let examples: Vec<_> = workload.groups[1].examples.iter().map(|e| (e.text.as_str(), e.weight)).collect();
        assert_eq!(examples, [("SELECT a FROM t WHERE a = 2", 3), ("SELECT a FROM t WHERE a = 1", 2)]);
        let rest: Vec<_> = workload.rest.iter().map(|rest| rest.query.as_str()).collect();
        assert_eq!(rest, ["SELECT a FROM remote(?, d.t)", "(14 characters that cannot be read)"]);
    }

    #[test]
    fn what_is_beyond_the_limit_is_listed() {
        let both = vec![logged("SELECT a FROM t", 1, 1), logged("SELECT b FROM t", 1, 2)];
        let workload = Workload::new(both, &reach(), 1);
        assert_eq!(workload.groups[0].query, "SELECT b FROM t");
        assert_eq!(workload.rest[0].reason, "beyond the first 1 groups (--limit)");
    }
}
