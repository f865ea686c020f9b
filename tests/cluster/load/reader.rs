//! A reader: it asks all the time for rows whose count it knows.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::figures::Met;
use super::http::{Failed, send};
use super::schema::BASE_END;
use super::{Fresh, Shared};
use crate::dice::Dice;

const PAUSE: Duration = Duration::from_millis(40);

/// Reads until told to stop: by turns the base rows through the `Distributed` table, those of a shard directly, and rows that a
/// writer was just told are there.
pub(super) async fn read(shared: &Shared, number: u64) {
    let mut dice = Dice::seeded(shared.spec.seed.wrapping_mul(1_000_000).wrapping_add(number));
    while !shared.stopped() {
        let (on, port) = *dice.pick(&shared.ports);
        let base = shared.spec.base;
        match dice.below(3) {
            0 => look(shared, port, "everywhere", base, base * (2 + base + 1) / 2).await,
            1 => {
                let first = 2 + u64::from(on.shard - 1);
                look(shared, port, "t", base / 2, base / 2 * (first + base / 2 - 1)).await;
            }
            _ => look_again(shared, &mut dice).await,
        }
        sleep(PAUSE).await;
    }
}

/// The base rows: how many there are, and the sum of their numbers.
async fn look(shared: &Shared, port: u16, table: &str, count: u64, sum: u64) {
    let sql = format!("SELECT count(), sum(id) FROM {}.{table} WHERE id < {BASE_END}", shared.schema.database);
    let (phase, began) = (shared.board.now(), Instant::now());
    let answer = send(port, "", &sql).await;
    report(shared, phase, began, table, answer, &format!("{count}\t{sum}"), Met::Wrong);
}

/// Rows of a writer's last insert, on the server that it spoke to.
async fn look_again(shared: &Shared, dice: &mut Dice) {
    let known: Vec<Fresh> = shared.fresh().values().copied().collect();
    if known.is_empty() {
        return;
    }
    let Fresh { port, table, first, count } = *dice.pick(&known);
    let end = first + count;
    let sql = format!(
        "SELECT count(), uniqExact(id) FROM {}.{table} WHERE id >= {first} AND id < {end}",
        shared.schema.database
    );
    let (phase, began) = (shared.board.now(), Instant::now());
    let answer = send(port, "", &sql).await;
    report(shared, phase, began, table, answer, &format!("{count}\t{count}"), Met::Unsettled);
}

fn report(
    shared: &Shared,
    phase: usize,
    began: Instant,
    table: &str,
    answer: Result<String, Failed>,
    expected: &str,
    wrong: impl Fn(String) -> Met,
) {
    let met = match answer {
        Ok(answer) if answer.trim() == expected => Met::Read,
        Ok(answer) => wrong(format!("{table}: {} in place of {expected}", answer.trim()).replace('\t', " ")),
        Err(failed) => Met::ReadError(format!("{table}: {}", failed.text())),
    };
    shared.board.met(phase, began.elapsed(), met);
}
