//! Who uses columns that are to go, as the plan has it: the same table for every rendering.

use super::figures;
use crate::assess::{ColumnUse, Retirement};
use crate::plan::Plan;
use crate::words::{list, moment, span};

/// The table's heads.
pub(super) const HEADS: [&str; 8] = ["column", "how", "user", "client", "host", "queries", "last", "query"];

/// What is to go, and when.
pub(super) fn says(retirement: &Retirement) -> String {
    let star = if retirement.by_star { "" } else { "; reads by * alone do not count" };
    let logs = retirement.usage.logs.iter().map(|log| match log.lacks(retirement.seconds) {
        Some(why) => format!("{}: {why}", log.on),
        None => format!("{}: {}", log.on, figures::duration(log.reaches.unwrap_or_default())),
    });
    format!(
        "{} may go once nobody has used it for {}{star}. So far back go the logs: {}.",
        list(&retirement.columns),
        span(retirement.seconds),
        list(logs)
    )
}

/// A line for each client, way and column.
pub(super) fn rows(retirement: &Retirement) -> impl Iterator<Item = [String; 8]> + '_ {
    retirement.usage.uses.iter().map(|one| {
        let ColumnUse { column, how, user, client, host, queries, last, query } = one;
        let how = how.words().to_owned();
        let (queries, last) = (figures::count(*queries), moment(*last));
        [column.clone(), how, user.clone(), client.clone(), host.clone(), queries, last, query.clone()]
    })
}

/// What a plan retires, if it does.
pub(super) fn retirement(plan: &Plan) -> Option<&Retirement> {
    plan.retirement.as_ref()
}
