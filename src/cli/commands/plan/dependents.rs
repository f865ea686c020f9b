//! Views, and inserts into the table, are tried on empty tables before and after the ALTER.

use std::time::{Duration, Instant};

use super::super::super::connect::Connected;
use super::super::super::failure::Failure;
use crate::alter::{Alter, Outcome, Script, TriedDependent, dependents};
use crate::names::ReplicaId;
use crate::server::{scratch_database, try_dependent};
use crate::snapshot::Snapshot;

/// More views than this are not tried.
const TRIALS_MAX: usize = 200;
/// No trial begins after this time.
const TIME_MAX: Duration = Duration::from_mins(2);

/// Every dependent of the tables that the ALTER changes; one that cannot be tried is said to be so.
pub(super) async fn try_dependents(
    connected: &Connected,
    snapshot: &Snapshot,
    alter: &Alter,
) -> Result<Vec<TriedDependent>, Failure> {
    let tag = format!("{:08x}", std::process::id());
    let scratch = scratch_database(&tag);
    let began = Instant::now();
    let mut tried = Vec::new();
    for (dependent, script) in dependents(alter, snapshot, &scratch) {
        let outcome = match script {
            Err(why) => Outcome::NotTried(why),
            Ok(_) if tried.len() >= TRIALS_MAX => Outcome::NotTried(format!("no more than {TRIALS_MAX} are tried")),
            Ok(_) if began.elapsed() > TIME_MAX => {
                Outcome::NotTried(format!("those before it took more than {} s", TIME_MAX.as_secs()))
            }
            Ok(script) => try_one(connected, dependent.on, &tag, &script).await?,
        };
        tried.push(TriedDependent { dependent, outcome });
    }
    Ok(tried)
}

/// What is left over is said and ends the plan; any other failure is one of the trial alone.
async fn try_one(connected: &Connected, on: ReplicaId, tag: &str, script: &Script) -> Result<Outcome, Failure> {
    match try_dependent(&connected.cluster, on, tag, script).await {
        Ok(outcome) => Ok(outcome),
        Err(error) if error.leftover.is_none() => Ok(Outcome::NotTried(script.in_own_names(&error.to_string()))),
        Err(error) => Err(Failure::of(&error)),
    }
}
