//! The journal's file: one JSON record a line, appended and flushed to disk before anything else happens.

use std::fs;
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use super::progress::{Progress, ReplayError};
use super::record::{Event, Record};

/// A journal open for writing. Holding it is holding the lock on it.
#[derive(Debug)]
pub struct File {
    handle: fs::File,
    path: PathBuf,
    progress: Progress,
}

/// What can be wrong with a journal's file.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file system refused.
    #[error("cannot {act} the journal {path}")]
    Io {
        /// What was tried.
        act: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Another process is writing to it.
    #[error("another run is working on this plan: it holds the lock on {path}")]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// A line, other than an unfinished last one, is not a record.
    #[error("line {line} of the journal {path} is not a record")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What the reader says.
        source: serde_json::Error,
    },
    /// The records cannot have come about.
    #[error("the journal {path} is damaged")]
    Impossible {
        /// The file.
        path: PathBuf,
        /// Which record, and why.
        source: ReplayError,
    },
    /// The journal was written for another plan.
    #[error("the journal {path} belongs to another plan (SHA-256 {found})")]
    OtherPlan {
        /// The file.
        path: PathBuf,
        /// The hash in the journal.
        found: String,
    },
}

/// How far a plan has come by its journal; a journal that does not exist is an empty one.
pub fn read(path: &Path, plan_sha256: &str) -> Result<Progress, JournalError> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(source) => return Err(JournalError::Io { act: "read", path: path.to_owned(), source }),
    };
    parse(&text, path, plan_sha256).map(|(progress, _)| progress)
}

/// Whether a run of this machine is writing to the journal now.
pub fn is_locked(path: &Path) -> Result<bool, JournalError> {
    let io = |act| move |source| JournalError::Io { act, path: path.to_owned(), source };
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(source) => return Err(io("read")(source)),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(fs::TryLockError::WouldBlock) => Ok(true),
        Err(fs::TryLockError::Error(source)) => Err(io("lock")(source)),
    }
}

/// The progress, and how many bytes of the text are whole lines.
fn parse(text: &[u8], path: &Path, plan_sha256: &str) -> Result<(Progress, usize), JournalError> {
    // A crash while writing leaves a last line without its end. It was never acted upon: records are flushed first.
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let mut records = Vec::new();
    for (index, line) in text[..whole].split_inclusive(|byte| *byte == b'\n').enumerate() {
        let record: Record = serde_json::from_slice(line).map_err(|source| JournalError::Malformed {
            path: path.to_owned(),
            line: index + 1,
            source,
        })?;
        records.push(record);
    }
    let progress =
        Progress::replay(&records).map_err(|source| JournalError::Impossible { path: path.to_owned(), source })?;
    if !records.is_empty() && progress.plan_sha256 != plan_sha256 {
        return Err(JournalError::OtherPlan { path: path.to_owned(), found: progress.plan_sha256 });
    }
    Ok((progress, whole))
}

impl File {
    /// Opens the journal of a plan, making it if there is none, and locks it against other processes of this machine.
    pub fn open(path: &Path, plan_sha256: &str, now: &str) -> Result<Self, JournalError> {
        let io = |act| move |source| JournalError::Io { act, path: path.to_owned(), source };
        let mut file = fs::File::options().read(true).append(true).create(true).open(path).map_err(io("open"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Err(JournalError::Locked { path: path.to_owned() }),
            Err(fs::TryLockError::Error(source)) => return Err(io("lock")(source)),
        }
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(io("read"))?;
        let (progress, whole) = parse(&text, path, plan_sha256)?;
        file.set_len(whole as u64).map_err(io("mend"))?;
        file.seek(io::SeekFrom::End(0)).map_err(io("read"))?;
        let mut journal = Self { handle: file, path: path.to_owned(), progress };
        if journal.progress.next_seq() == 0 {
            journal.append(Event::Opened { plan_sha256: plan_sha256.to_owned() }, now)?;
            sync_directory(path).map_err(io("flush"))?;
        }
        Ok(journal)
    }

    /// How far the plan has come.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Writes an event and flushes it to disk. Only when this has returned may the caller act on it; after an error
    /// the journal must be opened anew.
    pub fn append(&mut self, event: Event, now: &str) -> Result<(), JournalError> {
        let seq = self.progress.next_seq();
        // First in memory: an event that cannot follow must not reach the file.
        self.progress.advance(&event).map_err(|source| JournalError::Impossible { path: self.path.clone(), source })?;
        let record = Record { seq, at: now.to_owned(), event };
        let io = |source| JournalError::Io { act: "write", path: self.path.clone(), source };
        let mut line = serde_json::to_vec(&record).map_err(|error| io(error.into()))?;
        line.push(b'\n');
        self.handle.write_all(&line).map_err(io)?;
        self.handle.sync_data().map_err(io)
    }
}

/// A new file is only there after a crash if its directory has been flushed too.
fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{Approval, StepState};
    use crate::plan::{Gate, StepId};

    const SHA: &str = "abc";

    fn step() -> StepId {
        StepId::new("create.shadow.s1")
    }

    fn started() -> Event {
        Event::Started { step: step() }
    }

    fn journal(directory: &tempfile::TempDir) -> (PathBuf, File) {
        let path = directory.path().join("plan.json.journal.jsonl");
        let file = File::open(&path, SHA, "now").unwrap();
        (path, file)
    }

    #[test]
    fn what_was_appended_is_read_back() {
        let directory = tempfile::tempdir().unwrap();
        let (path, mut file) = journal(&directory);
        file.append(started(), "now").unwrap();
        let approval = Approval { gate: Gate::Start, by: "me \"\n".to_owned(), note: String::new() };
        file.append(Event::Approved(approval.clone()), "now").unwrap();
        let progress = read(&path, SHA).unwrap();
        assert_eq!(&progress, file.progress());
        assert_eq!(progress.step(&step()), &StepState::Started);
        assert_eq!(progress.approvals[&Gate::Start], approval);
    }

    #[test]
    fn a_line_that_was_not_finished_is_as_if_never_written() {
        let directory = tempfile::tempdir().unwrap();
        let (path, mut file) = journal(&directory);
        file.append(started(), "now").unwrap();
        drop(file);
        let whole = fs::read(&path).unwrap();
        for cut in 1..whole.len() {
            fs::write(&path, &whole[..cut]).unwrap();
            let mut again = File::open(&path, SHA, "now").unwrap();
            // Whatever is left, the journal can be taken up and written to.
            again.append(started(), "now").unwrap();
            drop(again);
            assert_eq!(read(&path, SHA).unwrap().step(&step()), &StepState::Started, "cut at {cut}");
        }
    }

    #[test]
    fn a_journal_of_another_plan_and_a_damaged_one_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let (path, file) = journal(&directory);
        drop(file);
        assert!(
            matches!(File::open(&path, "other", "now"), Err(JournalError::OtherPlan { found, .. }) if found == SHA)
        );
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{text}{text}")).unwrap();
        assert!(matches!(read(&path, SHA), Err(JournalError::Impossible { .. })));
        fs::write(&path, format!("{text}not a record\n")).unwrap();
        assert!(matches!(read(&path, SHA), Err(JournalError::Malformed { line: 2, .. })));
    }

    #[test]
    fn one_run_at_a_time() {
        let directory = tempfile::tempdir().unwrap();
        let (path, file) = journal(&directory);
        assert!(is_locked(&path).unwrap());
        assert!(matches!(File::open(&path, SHA, "now"), Err(JournalError::Locked { .. })));
        drop(file);
        assert!(!is_locked(&path).unwrap());
        File::open(&path, SHA, "now").unwrap();
    }

    #[test]
    fn a_step_cannot_be_done_before_it_is_started() {
        let directory = tempfile::tempdir().unwrap();
        let (path, mut file) = journal(&directory);
        let done = Event::Done { step: step(), milliseconds: 1, evidence: String::new() };
        assert!(matches!(file.append(done, "now"), Err(JournalError::Impossible { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 1, "and nothing was written");
        let undoing = Event::Undoing { step: step() };
        assert!(matches!(file.append(undoing, "now"), Err(JournalError::Impossible { .. })));
    }
}
