//! Looking at an ALTER on a cluster before anything is planned.

mod rules;

use std::collections::BTreeMap;

use super::case::Case;
use super::finding::Finding;
use super::retirement::Retirement;
use crate::alter::{AllRights, Alter, Lacking, Speed, Tried, TriedDependent, Unfit};
use crate::catalog::Table;
use crate::snapshot::Snapshot;

/// An ALTER on a cluster, with what servers made of it on trial.
#[derive(Debug, Clone, Copy)]
pub struct AlterCase<'a> {
    /// The cluster as it was observed.
    pub snapshot: &'a Snapshot,
    /// The ALTER.
    pub alter: &'a Alter,
    /// Its orders after their trials; empty while they are still to be tried.
    pub tried: &'a [Tried],
    /// The local table, as the first replica has it.
    pub local: &'a Table,
    /// What is to be dropped once nobody reads it.
    pub retirement: Option<&'a Retirement>,
    /// What servers were asked for this ALTER.
    pub survey: &'a Survey,
}

/// What servers were asked for an ALTER, beyond what a snapshot has; nothing where they were not.
#[derive(Debug, Clone, Default)]
pub struct Survey {
    /// Rows without values of columns whose default changes.
    pub lacking: Vec<Lacking>,
    /// Columns of which some value does not fit the type to be, or may not.
    pub unfit: Vec<Unfit>,
    /// What leans on the tables, after its trial.
    pub dependents: Vec<TriedDependent>,
    /// Rights that go by names of columns, from each server that was asked.
    pub rights: AllRights,
    /// How fast shards write parts, where a replica tells.
    pub speeds: BTreeMap<u32, Speed>,
}

impl<'a> AlterCase<'a> {
    /// The same as a case whose keys stay, for rules that look at the cluster alone.
    pub fn base(&self) -> Case<'a> {
        Case {
            snapshot: self.snapshot,
            change: &self.alter.change,
            target: self.local,
            written: None,
            evaluation: None,
        }
    }
}

/// All findings about an ALTER, blockers first, then by code. They need no trial of the orders.
pub fn assess_alter(case: &AlterCase<'_>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = super::rules::of_clusters().flat_map(|rule| (rule.check)(&case.base())).collect();
    findings.extend(rules::ALL.iter().flat_map(|rule| (rule.check)(case)));
    findings.sort_by(|a, b| (a.severity, &a.code, &a.what).cmp(&(b.severity, &b.code, &b.what)));
    // What replicas define differently may be found of each definition.
    findings.dedup();
    findings
}

/// The codes of the rules about ALTERs, in order.
#[cfg(test)]
pub(super) fn codes() -> impl Iterator<Item = &'static str> {
    rules::ALL.iter().map(|rule| rule.code)
}
