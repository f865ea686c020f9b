//! The lock that keeps two runs apart: what it is in the cluster, and who holds it.
//!
//! It is a table on the cluster's first replica. `CREATE TABLE` without `IF NOT EXISTS` is the one test-and-set that old and
//! new servers have: of many at a time one succeeds, the others get code 57. Who holds it stands in a column's default, so
//! that it comes into being with the table and stays as it is; the rows, which nothing depends on, are signs of life.
//!
//! A look at the lock that is followed by a statement proves nothing if the process is stopped in between. So the server
//! takes part: before the look a session is opened where the statement is to run, and the statement is sent in it, to be
//! refused if the session is not there any more. A session ends [`SESSION_SECONDS`] after its last use. Whoever takes the
//! lock over waits for longer than that before acting: by then the last statement that was looked before has been accepted,
//! and can be ended, or never will be.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::names::{TableName, quote_string};

/// How long a session stays open for the statement that follows the look. Long against any delay but a stopped process.
pub const SESSION_SECONDS: u64 = 5;
/// How long a takeover waits. Sessions were seen to outlive their time by less than 2 s on 18.16.1 and 1 s on 26.9.2.
pub const TAKEOVER_SECONDS: u64 = 2 * SESSION_SECONDS;

/// A process that carries out plans.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Executor {
    /// The name of its host, for people.
    pub host: String,
    /// What tells its machine, between two boots, from any other; empty if that is not known.
    pub machine: String,
    /// Its process id there.
    pub pid: u32,
    /// What tells it from another process with the same id at another time; empty if that is not known.
    pub process: String,
}

impl fmt::Display for Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} on {}", self.pid, self.host)
    }
}

/// Who asks for the lock, and on which terms.
#[derive(Debug, Clone)]
pub struct Claim {
    /// This process.
    pub executor: Executor,
    /// Whether a person wants the lock taken from whoever holds it.
    pub take_over: bool,
    /// Whether a process has provably ended; its lock is taken over without being asked to.
    pub is_gone: fn(&Executor) -> bool,
    /// How long a takeover waits: [`TAKEOVER_SECONDS`] wherever there are sessions to wait for.
    pub takeover_seconds: u64,
    /// How long to wait for what a process that has ended may have sent: a server that is busy, or was stopped, reads it later.
    /// [`TAKEOVER_SECONDS`] wherever that can be.
    pub late_seconds: u64,
}

/// The holder of a lock, as it is written in the lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The fencing token: greater than that of any holder from whom the lock was taken.
    pub token: u64,
    /// The run, as its journal and the ids of its queries call it.
    pub run: String,
    /// The plan's id.
    pub plan: String,
    /// The process.
    #[serde(flatten)]
    pub executor: Executor,
    /// When the lock was taken, by the holder's clock.
    pub since: String,
}

impl Holder {
    /// The text in the lock. Two holders never have the same.
    pub(crate) fn text(&self) -> String {
        let plain = |text: &str| -> String {
            // No character that a server's normal form could write in another way.
            let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.:+/[]".contains(c);
            text.chars().map(|c| if is_plain(c) { c } else { '?' }).collect()
        };
        let executor = Executor {
            host: plain(&self.executor.host),
            machine: plain(&self.executor.machine),
            process: plain(&self.executor.process),
            ..self.executor.clone()
        };
        let holder = Self {
            run: plain(&self.run),
            plan: plain(&self.plan),
            since: plain(&self.since),
            executor,
            ..self.clone()
        };
        // Numbers and text: that this can be written is known.
        serde_json::to_string(&holder).unwrap_or_default()
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, which works on plan {} since {}", self.executor, self.plan, self.since)
    }
}

/// What a look at the lock showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seen {
    /// There is no lock.
    Free,
    /// Somebody holds it.
    Held(Box<Holder>),
    /// There is a table, but no holder can be read from it.
    Foreign,
}

/// The holder in the text of a column's default, as the catalog has it.
pub fn holder_in(default_expression: &str) -> Option<Holder> {
    let text = default_expression.strip_prefix('\'')?.strip_suffix('\'')?;
    serde_json::from_str(text).ok()
}

/// Asks who holds the lock. It is asked before every statement, and this is the cheapest question that is answered by the
/// table itself. A server without such a table answers with an error: see [`is_free`].
pub(crate) fn look(lock: &TableName) -> String {
    format!("SHOW CREATE TABLE {}", lock.sql())
}

/// Whether a server that answers a [`look`] with this code has no such table. Where it means something else, taking the lock
/// fails.
pub(crate) fn is_free(code: u32) -> bool {
    const UNKNOWN_TABLE: u32 = 60;
    const UNKNOWN_DATABASE: u32 = 81;
    const CANNOT_GET_CREATE_TABLE_QUERY: u32 = 390;
    [UNKNOWN_TABLE, UNKNOWN_DATABASE, CANNOT_GET_CREATE_TABLE_QUERY].contains(&code)
}

/// What the answer to a [`look`] says; nothing, where there is no such table.
pub(crate) fn read(answer: &str) -> Seen {
    if answer.is_empty() {
        return Seen::Free;
    }
    // No character of a holder's text is escaped in any normal form.
    let holder = answer.split_once("DEFAULT '").and_then(|(_, rest)| rest.split_once('\''));
    let holder = holder.and_then(|(text, _)| serde_json::from_str(text).ok());
    holder.map_or(Seen::Foreign, |holder| Seen::Held(Box::new(holder)))
}

/// Takes the lock, or fails with code 57 if there is one.
pub(crate) fn create(lock: &TableName, holder: &Holder) -> String {
    let holder = quote_string(&holder.text());
    format!(
        "CREATE TABLE {} (`holder` String DEFAULT {holder}, `run` String, `renewed` DateTime) ENGINE = Memory",
        lock.sql()
    )
}

/// Leaves a sign of life.
pub(crate) fn renew(lock: &TableName, run: &str) -> String {
    format!("INSERT INTO {} (`run`, `renewed`) SELECT {}, now()", lock.sql(), quote_string(run))
}

/// Seconds since a run's last sign of life, by the server's clock; empty if it has given none.
pub(crate) fn silence(lock: &TableName, run: &str) -> String {
    format!(
        "SELECT toInt64(toUInt32(now())) - toInt64(toUInt32(max(renewed))) FROM {} WHERE run = {} HAVING count() > 0",
        lock.sql(),
        quote_string(run)
    )
}

/// Gives the lock back.
pub(crate) fn drop(lock: &TableName) -> String {
    format!("DROP TABLE {}", lock.sql())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(host: &str) -> Holder {
        Holder {
            token: 3,
            run: "77-abc".to_owned(),
            plan: "5ca1ab1e".to_owned(),
            executor: Executor {
                host: host.to_owned(),
                machine: "boot [1]".to_owned(),
                pid: 77,
                process: "4711".to_owned(),
            },
            since: "2026-11-23T01:02:03.004Z".to_owned(),
        }
    }

    #[test]
    fn a_holder_is_read_back_from_the_servers_normal_form() {
        let text = holder("db-1").text();
        assert_eq!(
            text,
            r#"{"token":3,"run":"77-abc","plan":"5ca1ab1e","host":"db-1","machine":"boot?[1]","pid":77,"process":"4711","since":"2026-11-23T01:02:03.004Z"}"#
        );
        for create in [
            format!("CREATE TABLE d.`t__sw_lock` ( holder String DEFAULT '{text}',  run String) ENGINE = Memory"),
            format!(
                "CREATE TABLE d.t__sw_lock\n(\n    `holder` String DEFAULT '{text}',\n    `run` String\n)\nENGINE = Memory"
            ),
        ] {
            let Seen::Held(read) = read(&create) else { panic!("{create}") };
            assert_eq!(read.text(), text);
        }
        let read = holder_in(&format!("'{text}'")).unwrap();
        assert_eq!(read.to_string(), "process 77 on db-1, which works on plan 5ca1ab1e since 2026-11-23T01:02:03.004Z");
    }

    #[test]
    fn a_hostile_host_name_stays_inside_the_literal() {
        let text = holder("a'b\"c\\d\né").text();
        assert!(text.contains(r#""host":"a?b?c?d??""#), "{text}");
        assert_eq!(quote_string(&text), format!("'{text}'"), "nothing in it is escaped");
    }

    #[test]
    fn what_is_no_lock_is_not_taken_for_one() {
        assert_eq!(read(""), Seen::Free);
        for odd in [
            "",
            " DEFAULT ''",
            " DEFAULT ' '",
            " DEFAULT now()",
            " DEFAULT '{}'",
            " DEFAULT '{\"token\":1}'",
            " DEFAULT '{",
        ] {
            let create = format!("CREATE TABLE d.t (`holder` String{odd}) ENGINE = Memory");
            assert_eq!(read(&create), Seen::Foreign, "{create}");
        }
    }
}
