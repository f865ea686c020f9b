//! The writer that also updates and deletes: rows of its own, by mutations that it waits for.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::book::Changed;
use super::figures::Met;
use super::http::send;
use super::schema::{CHANGING, WRITER};
use super::writer::Writer;
use super::{Book, Shared};
use crate::harness::End;

/// Its number, from which its rows' numbers follow.
pub(super) const NUMBER: u64 = CHANGING / WRITER - 1;
/// Rows inserted at a time, of which a third is updated and a third deleted.
const ROWS: u64 = 60;
const PAUSE: Duration = Duration::from_millis(300);
const POLL: Duration = Duration::from_millis(30);
/// How long a mutation may take: merges may be stopped meanwhile.
const MUTATION_MAX: Duration = Duration::from_secs(200);

/// Changes rows until told to stop, when it is allowed to.
pub(super) async fn change(shared: &Shared) -> Book {
    let mut writer = Writer::new(shared, NUMBER);
    let mut first = CHANGING;
    while !shared.stopped() {
        shared.busy.store(true, Ordering::SeqCst);
        if !shared.changing.load(Ordering::SeqCst) {
            shared.busy.store(false, Ordering::SeqCst);
            sleep(POLL).await;
            continue;
        }
        let home = 1 + u32::from(writer.dice.one_in(2));
        let place = writer.direct(home);
        if writer.unique(place, ROWS, false).await {
            update(shared, &mut writer, home, first).await;
            delete(shared, &mut writer, home, first + ROWS / 3).await;
        }
        first += ROWS;
        shared.busy.store(false, Ordering::SeqCst);
        sleep(PAUSE).await;
    }
    writer.book
}

async fn update(shared: &Shared, writer: &mut Writer<'_>, home: u32, first: u64) {
    let note = format!("changed {first}");
    let sql = format!("UPDATE note = '{note}' WHERE {}", range(first));
    let surely = mutate(shared, writer, home, first, &alter(shared, &sql)).await;
    let changed = Changed { note, surely };
    writer.book.changed.extend((first..first + ROWS / 3).map(|id| (id, changed.clone())));
}

async fn delete(shared: &Shared, writer: &mut Writer<'_>, home: u32, first: u64) {
    let condition = range(first);
    let sql = match shared.schema.end {
        End::New if writer.dice.one_in(2) => format!("DELETE FROM {}.t WHERE {condition}", shared.schema.database),
        _ => alter(shared, &format!("DELETE WHERE {condition}")),
    };
    let surely = mutate(shared, writer, home, first, &sql).await;
    writer.book.table.removed(first, ROWS / 3, surely);
}

fn alter(shared: &Shared, command: &str) -> String {
    format!("ALTER TABLE {}.t {command}", shared.schema.database)
}

fn range(first: u64) -> String {
    format!("id >= {first} AND id < {}", first + ROWS / 3)
}

/// Runs a mutation on a shard. True if it is known to have ended on every replica.
async fn mutate(shared: &Shared, writer: &mut Writer<'_>, home: u32, first: u64, sql: &str) -> bool {
    let place = writer.direct(home);
    let settings = match shared.schema.end {
        End::Old => "",
        End::New => "mutations_sync=2",
    };
    let phase = shared.board.now();
    match send(place.port, settings, sql).await {
        Ok(_) => shared.schema.end == End::New || has_ended(shared, home, first).await,
        // Whoever stops merges cancels the mutation that is at work. It goes on when they are started.
        Err(failed) if failed.text().contains("Cancelled mutating") => has_ended(shared, home, first).await,
        Err(failed) => {
            shared.board.met(phase, Duration::ZERO, Met::WriteError(format!("change: {}", failed.text())));
            false
        }
    }
}

/// Looks until a mutation is carried out; a table may have another name by then.
async fn has_ended(shared: &Shared, home: u32, first: u64) -> bool {
    let sql = format!(
        "SELECT count(), sum(is_done) FROM system.mutations WHERE database = '{}' AND position(command, 'id >= {first})') > 0",
        shared.schema.database
    );
    let began = Instant::now();
    let mut waiting: Vec<u16> = shared.ports.iter().filter(|(id, _)| id.shard == home).map(|(_, port)| *port).collect();
    while let Some(port) = waiting.last() {
        match send(*port, "", &sql).await.as_deref().map(str::trim) {
            Ok("1\t1") => _ = waiting.pop(),
            _ if began.elapsed() > MUTATION_MAX => return false,
            _ => sleep(POLL).await,
        }
    }
    true
}
