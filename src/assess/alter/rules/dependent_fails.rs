//! SW086: a view, or an insert, would fail once the ALTER is done, or a view would take a column from elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use super::reader::{speaks_of, views_are_lenient};
use crate::alter::{Answer, Answers, DependentKind, Outcome, Refusal, TriedDependent};
use crate::assess::{AlterCase, Finding};
use crate::ddl::{Form, read_view};

pub(super) const CODE: &str = "SW086";

/// What a constraint answers that could be computed and does not hold: a row of defaults may well violate it.
const VIOLATED: u32 = 469;
/// What servers answer where it is a value that does not fit, such as the empty text where a number is wanted.
const OF_VALUES: [u32; 21] =
    [6, 26, 27, 32, 38, 41, 69, 72, 117, 130, 131, 153, 321, 349, 376, 395, 407, 467, 675, 676, 691];
/// What they answer where a bound was met.
const OF_BOUNDS: [u32; 5] = [158, 159, 160, 241, 307];

/// What a trial came to.
pub(super) enum Verdict {
    Works,
    NotTried(String),
    Fails(Refusal),
}

/// Servers judge: each dependent was used on empty tables before and after the ALTER, see [`crate::alter::dependents`].
pub(super) fn check(case: &AlterCase<'_>) -> Vec<Finding> {
    case.survey
        .dependents
        .iter()
        .flat_map(|tried| match verdict(tried) {
            Verdict::Works => [elsewhere(case, tried), cut(case, tried)].into_iter().flatten().collect(),
            // That a column goes which it may need is another finding.
            _ if loses_a_column(case, tried) => Vec::new(),
            Verdict::NotTried(why) => vec![not_tried(tried, &why)],
            Verdict::Fails(refusal) => vec![fails(case, tried, &refusal)],
        })
        .collect()
}

pub(super) fn verdict(tried: &TriedDependent) -> Verdict {
    let (before, after) = match &tried.outcome {
        Outcome::NotTried(why) => return Verdict::NotTried(why.clone()),
        Outcome::Asked { before, after } => (before, after),
    };
    let holds = tried.dependent.kind == DependentKind::Inserts;
    let refused = |answer: &Answer| answer.clone().err().filter(|refusal| !(holds && refusal.code == VIOLATED));
    if let Some(refusal) = before.runs.iter().find_map(refused) {
        return Verdict::NotTried(refusal.words);
    }
    let of_columns = || match (&before.columns, &after.columns) {
        (Some(Ok(_)), Some(Err(refusal))) => Some(refusal.clone()),
        _ => None,
    };
    match after.runs.iter().find_map(refused).or_else(of_columns) {
        None => Verdict::Works,
        Some(refusal) if refusal.code == VIOLATED || OF_BOUNDS.contains(&refusal.code) => {
            Verdict::NotTried(refusal.words)
        }
        Some(refusal) => Verdict::Fails(refusal),
    }
}

fn loses_a_column(case: &AlterCase<'_>, tried: &TriedDependent) -> bool {
    let Some(table) = case.snapshot.table(tried.dependent.on, &tried.dependent.name) else { return false };
    read_view(&table.create_query).is_ok_and(|view| case.alter.may_lose_a_column(&view.select.text))
}

/// Whether a view was seen to work after the change, to give the same columns, and to take them from the same tables.
pub(super) fn stays_the_same(tried: &TriedDependent) -> bool {
    let Outcome::Asked { before, after } = &tried.outcome else { return false };
    let is_same = |before: &Option<Answer>, after: &Option<Answer>| matches!((before, after), (Some(Ok(one)), Some(Ok(other))) if one == other);
    let from = |answers: &Answers| answers.origins.clone().and_then(Result::ok).map(|tree| origins(&tree));
    matches!(verdict(tried), Verdict::Works)
        && is_same(&before.columns, &after.columns)
        && from(before).is_some_and(|before| from(after) == Some(before))
}

/// Whether the view's query gives columns of other types than before.
pub(super) fn gives_other_types(tried: &TriedDependent) -> bool {
    let Outcome::Asked { before: Answers { columns: Some(Ok(before)), .. }, after } = &tried.outcome else {
        return false;
    };
    let Some(Ok(after)) = &after.columns else { return false };
    let types = |text: &str| -> BTreeMap<String, String> {
        let column = |line: &str| {
            let mut cells = line.split('\t');
            Some((cells.next()?.to_owned(), cells.next()?.to_owned()))
        };
        text.lines().filter_map(column).collect()
    };
    let after = types(after);
    types(before).iter().any(|(name, kind)| after.get(name).is_some_and(|other| other != kind))
}

fn kind_of(tried: &TriedDependent) -> String {
    let name = &tried.dependent.name;
    match tried.dependent.kind {
        DependentKind::View => format!("the view {name}"),
        DependentKind::Materialized => format!("the materialized view {name}"),
        DependentKind::Inserts => format!("an insert into {name}"),
    }
}

fn not_tried(tried: &TriedDependent, why: &str) -> Finding {
    let name = &tried.dependent.name;
    Finding::note(
        CODE,
        format!("{} was not tried: {why}", kind_of(tried)),
        "whether it still works after the change is not known",
        match tried.dependent.kind {
            DependentKind::Inserts => {
                format!("see that what is inserted into {name} meets its constraints after the change")
            }
            _ => format!("read the query of {name}, and see that it works with the table as it will be"),
        },
    )
}

fn fails(case: &AlterCase<'_>, tried: &TriedDependent, refusal: &Refusal) -> Finding {
    let name = &tried.dependent.name;
    let words = &refusal.words;
    if OF_VALUES.contains(&refusal.code) {
        return Finding::hazard(
            CODE,
            format!("{} fails after the change for a row of defaults", kind_of(tried)),
            format!("the server says: {words}"),
            format!("see that the values which come can be taken by {name} after the change, or change it first"),
        );
    }
    let (what, help) = match tried.dependent.kind {
        DependentKind::Inserts => (
            format!("every insert into {name} would fail"),
            "drop the constraint or the expression that fails first, and add one for the new type after the change"
                .to_owned(),
        ),
        DependentKind::View => (format!("every query of the view {name} would fail"), way_out(case, tried)),
        DependentKind::Materialized => {
            (format!("every insert that the materialized view {name} sees would fail"), way_out(case, tried))
        }
    };
    Finding::blocker(
        CODE,
        what,
        format!("tried on empty tables of the same definitions, the server says: {words}"),
        help,
    )
}

fn way_out(case: &AlterCase<'_>, tried: &TriedDependent) -> String {
    let name = &tried.dependent.name;
    if case.alter.commands.iter().all(|command| command.form == Form::AddColumn) {
        return format!("make {name} with a list of columns in place of `*` first, then plan again");
    }
    format!(
        "make {name} so that its query works before and after the change first (or drop it), then plan again; or add a column with the \
         new type, move what reads the old one to it, and drop the old one"
    )
}

/// A column that is added and has the name of another one that the query means so far.
fn elsewhere(case: &AlterCase<'_>, tried: &TriedDependent) -> Option<Finding> {
    let Outcome::Asked { before, after } = &tried.outcome else { return None };
    let name = &tried.dependent.name;
    let help = format!("write the table's alias before the column in {name} first, then plan again");
    if let (Some(Ok(before)), Some(Ok(after))) = (&before.origins, &after.origins) {
        let (before, after) = (origins(before), origins(after));
        let (column, from) = before.difference(&after).find(|(column, _)| is_added(case, column))?;
        let new: Vec<&str> =
            after.difference(&before).filter(|(other, _)| other == column).map(|(_, to)| to.as_str()).collect();
        let what = format!("{} would take column {column} from {}, not from {from}", kind_of(tried), new.join(" and "));
        let why =
            "the query does not say which table's column it means, and goes on without an error with other values";
        return (!new.is_empty()).then(|| Finding::hazard(CODE, what, why, help));
    }
    let table = case.snapshot.table(tried.dependent.on, name)?;
    let select = read_view(&table.create_query).ok()?.select.text;
    let column = added(case).find(|column| speaks_of(&select, column))?;
    let what = format!("{} speaks of {column} already, which is added to a table that it reads", kind_of(tried));
    let why = "these servers cannot tell where a query takes a column from: it may be another one after the change, without an error";
    Some(Finding::hazard(CODE, what, why, help))
}

/// An ordinary view keeps the columns that it was made with: new servers convert to their types.
fn cut(case: &AlterCase<'_>, tried: &TriedDependent) -> Option<Finding> {
    let keeps = tried.dependent.kind == DependentKind::View && views_are_lenient(case) && gives_other_types(tried);
    let name = &tried.dependent.name;
    keeps.then(|| {
        Finding::hazard(
            CODE,
            format!("the view {name} goes on with the types that it was made with, and its query gives other ones"),
            "the servers convert what the query gives: a number that does not fit there is cut without an error, another value fails the \
             query",
            format!("make {name} anew after the change"),
        )
    })
}

fn added<'a>(case: &AlterCase<'a>) -> impl Iterator<Item = &'a str> {
    let added = case.alter.commands.iter().filter(|command| command.form == Form::AddColumn);
    added.filter_map(|command| command.subject.as_deref())
}

fn is_added(case: &AlterCase<'_>, column: &str) -> bool {
    added(case).any(|name| name == column)
}

/// The columns of a query tree, each with the table that it is taken from.
fn origins(tree: &str) -> BTreeSet<(String, String)> {
    let lines: Vec<&str> = tree.lines().map(str::trim).collect();
    let part = |line: &str, from: &str, to: &str| {
        let rest = line.split_once(from)?.1;
        Some(rest.split_once(to).map_or(rest, |(part, _)| part).to_owned())
    };
    let table = |line: &&str| Some((part(line, " id: ", ",")?, part(line, "table_name: ", ",")?));
    let tables: BTreeMap<String, String> = lines.iter().filter_map(table).collect();
    let column = |line: &&str| {
        let name = part(line.strip_prefix("COLUMN id: ")?, "column_name: ", ", result_type: ")?;
        let id = line.rsplit_once("source_id: ")?.1;
        Some((name, tables.get(id).cloned().unwrap_or_else(|| "a query within".to_owned())))
    };
    lines.iter().filter_map(column).collect()
}

#[cfg(test)]
mod tests {
    use super::origins;

    #[test]
    fn a_query_tree_tells_where_columns_come_from() {
        let tree = "QUERY id: 0\n  PROJECTION COLUMNS\n    id UInt64\n  PROJECTION\n    LIST id: 1, nodes: 2\n      COLUMN id: 2, \
                    column_name: id, result_type: Map(String, UInt8), source_id: 3\n      COLUMN id: 4, column_name: zz, result_type: \
                    String, source_id: 7\n  JOIN TREE\n    TABLE id: 3, alias: __table1, table_name: x.l\n    QUERY id: 7, is_subquery: 1";
        let found: Vec<(String, String)> = origins(tree).into_iter().collect();
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(found, [pair("id", "x.l"), pair("zz", "a query within")]);
    }
}
