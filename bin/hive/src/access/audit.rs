//! `audit.log`: one JSON object a line for every accepted change, on the disk before the change is answered.
//!
//! One thread writes; lines that wait together are written and synced together. A disk that takes no line does not
//! undo a change: the line waits in memory, is tried again with the next one and at every question whether the hive
//! is ready, and the hive says meanwhile that it is not.

mod reading;
mod writing;

use std::{
    io,
    path::PathBuf,
    sync::{Mutex, PoisonError},
    thread::{self, JoinHandle},
};

use hive_api::{AuditEntry, Caller, StateFolder};
use jiff::Timestamp;
pub(crate) use reading::read;
use tokio::sync::{mpsc, oneshot};
use writing::{AuditFile, Writer};

use crate::state_folder::StateFolderError;

/// Lines that may wait for the disk; more callers wait for a place.
const WAITING_LINES: usize = 1024;

/// What was done, before it has a number.
#[derive(Clone, Debug)]
pub(crate) struct Done {
    pub(crate) request_id: String,
    pub(crate) caller: Caller,
    pub(crate) from: String,
    /// A stable verb, such as `job.submit`.
    pub(crate) what: &'static str,
    pub(crate) target: String,
    pub(crate) outcome: String,
}

impl Done {
    fn numbered(self, sequence: u64) -> AuditEntry {
        AuditEntry {
            sequence,
            at: Timestamp::now(),
            request_id: self.request_id,
            who: self.caller.name,
            scope: self.caller.scope,
            from: self.from,
            what: self.what.to_owned(),
            target: self.target,
            outcome: self.outcome,
        }
    }
}

/// Why the audit log cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum AuditLogError {
    /// It is not a plain file of ours.
    #[error(transparent)]
    StateFolder(#[from] StateFolderError),
    /// The system refused.
    #[error("cannot read or write {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Its thread has ended.
    #[error("the audit log is closed")]
    Closed,
}

/// The log, written by a thread of its own.
pub(crate) struct AuditLog {
    orders: Mutex<Option<mpsc::Sender<Order>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// A line to write, or none to try again what waits; answered when nothing waits any more or the disk refused.
struct Order {
    done: Option<Done>,
    answer: oneshot::Sender<Result<(), io::ErrorKind>>,
}

impl AuditLog {
    /// Opens the log at its end.
    pub(crate) fn open(folder: &StateFolder) -> Result<Self, AuditLogError> {
        let writer = Writer::new(AuditFile::open(&folder.audit_log())?);
        let (orders, waiting) = mpsc::channel(WAITING_LINES);
        let spawned = thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || write_until_closed(writer, waiting));
        let thread = spawned.map_err(|source| AuditLogError::Io {
            path: folder.audit_log(),
            source,
        })?;
        Ok(Self {
            orders: Mutex::new(Some(orders)),
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Writes a line; returns when it is on the disk, or kept to be tried again.
    pub(crate) async fn record(&self, done: Done) {
        let lost = done.clone();
        // The writer says itself what the disk refused.
        if self.order(Some(done)).await.is_none() {
            tracing::error!(
                audit.who = lost.caller.name,
                audit.what = lost.what,
                audit.target = lost.target,
                "the audit log is closed, a line is lost"
            );
        }
    }

    /// Tries again what the disk refused.
    pub(crate) async fn check(&self) -> Result<(), io::ErrorKind> {
        self.order(None).await.unwrap_or(Err(io::ErrorKind::Other))
    }

    /// Ends the thread when every line was tried.
    pub(crate) async fn close(&self) {
        drop(take(&self.orders));
        if let Some(thread) = take(&self.thread) {
            // It panics nowhere that we know of, and there is nobody left to tell.
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }

    /// `None` where the log is closed.
    async fn order(&self, done: Option<Done>) -> Option<Result<(), io::ErrorKind>> {
        let orders = self
            .orders
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()?;
        let (answer, answered) = oneshot::channel();
        orders.send(Order { done, answer }).await.ok()?;
        answered.await.ok()
    }
}

fn take<T>(place: &Mutex<Option<T>>) -> Option<T> {
    place.lock().unwrap_or_else(PoisonError::into_inner).take()
}

fn write_until_closed(mut writer: Writer, mut waiting: mpsc::Receiver<Order>) {
    let mut orders = Vec::new();
    while let Some(first) = waiting.blocking_recv() {
        orders.push(first);
        while let Ok(next) = waiting.try_recv() {
            orders.push(next);
        }
        let mut answers = Vec::with_capacity(orders.len());
        for Order { done, answer } in orders.drain(..) {
            writer.add(done);
            answers.push(answer);
        }
        let written = writer.write();
        for answer in answers {
            // Whoever asked may have gone.
            let _ = answer.send(written);
        }
    }
    // What the disk refused has one more chance.
    let _ = writer.write();
}

/// Writes one line where no hive runs; the state folder is ours.
pub(crate) fn record_alone(folder: &StateFolder, done: Done) -> Result<(), AuditLogError> {
    let mut writer = Writer::new(AuditFile::open(&folder.audit_log())?);
    writer.add(Some(done));
    writer.write().map_err(|kind| AuditLogError::Io {
        path: folder.audit_log(),
        source: kind.into(),
    })
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write, path::Path};

    use hive_api::{Open, Scope};

    use super::*;

    fn done(target: &str) -> Done {
        Done {
            request_id: "r".to_owned(),
            caller: Caller {
                name: "laptop".to_owned(),
                scope: Open::Known(Scope::Operate),
                expires_at: None,
            },
            from: "unix".to_owned(),
            what: "job.submit",
            target: target.to_owned(),
            outcome: "queued".to_owned(),
        }
    }

    fn targets(folder: &StateFolder, limit: usize, before: Option<u64>) -> Vec<(u64, String)> {
        let entries = read(folder, limit, before).unwrap();
        entries
            .into_iter()
            .map(|entry| (entry.sequence, entry.target))
            .collect()
    }

    fn folder(path: &Path) -> StateFolder {
        StateFolder::locate(|_| Some(path.as_os_str().to_owned()), "m1").unwrap()
    }

    #[tokio::test]
    async fn a_line_is_on_the_disk_when_it_is_recorded_and_the_newest_is_read_first() {
        let home = tempfile::tempdir().unwrap();
        let folder = folder(home.path());
        let log = AuditLog::open(&folder).unwrap();
        for target in ["a", "b\nc", "d"] {
            log.record(done(target)).await;
            assert_eq!(targets(&folder, 1, None)[0].1, target);
        }
        log.close().await;
        let all = [
            (3, "d".to_owned()),
            (2, "b\nc".to_owned()),
            (1, "a".to_owned()),
        ];
        assert_eq!(targets(&folder, 9, None), all);
        assert_eq!(targets(&folder, 1, Some(3)), all[1..2]);
        assert!(log.check().await.is_err());
    }

    #[test]
    fn a_line_that_a_crash_cut_is_left_alone_and_the_numbers_go_on() {
        let home = tempfile::tempdir().unwrap();
        let folder = folder(home.path());
        record_alone(&folder, done("a")).unwrap();
        let mut file = fs::OpenOptions::new()
            .append(true)
            .open(folder.audit_log())
            .unwrap();
        file.write_all(b"{\"sequence\":2,\"at\":").unwrap();
        record_alone(&folder, done("b")).unwrap();
        assert_eq!(
            targets(&folder, 9, None),
            [(2, "b".to_owned()), (1, "a".to_owned())]
        );
    }

    #[test]
    fn a_full_file_makes_room_and_the_oldest_of_four_goes() {
        let home = tempfile::tempdir().unwrap();
        let folder = folder(home.path());
        for number in 0..7 {
            let mut file = AuditFile::open(&folder.audit_log()).unwrap();
            file.rotate_at = 1;
            let mut writer = Writer::new(file);
            writer.add(Some(done(&number.to_string())));
            writer.write().unwrap();
        }
        let kept: Vec<u64> = targets(&folder, 99, None)
            .into_iter()
            .map(|(sequence, _)| sequence)
            .collect();
        assert_eq!(kept, [7, 6, 5, 4, 3]);
        assert!(!home.path().join("audit.log.5").exists());
    }

    #[test]
    fn a_line_that_the_disk_refused_is_written_when_it_takes_one() {
        let home = tempfile::tempdir().unwrap();
        let folder = folder(home.path());
        let mut file = AuditFile::open(&folder.audit_log()).unwrap();
        let good = file.file.try_clone().unwrap();
        // A file that is open for reading refuses every write.
        file.file = fs::File::open(folder.audit_log()).unwrap();
        let mut writer = Writer::new(file);
        writer.add(Some(done("a")));
        assert!(writer.write().is_err());
        writer.file.file = good;
        writer.add(Some(done("b")));
        writer.write().unwrap();
        assert_eq!(
            targets(&folder, 9, None),
            [(2, "b".to_owned()), (1, "a".to_owned())]
        );
    }
}
