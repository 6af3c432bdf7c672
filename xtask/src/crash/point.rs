//! The named points: before which system call on which file the hive is killed.

use std::path::PathBuf;

use super::store::Places;

/// A moment of a job that a system call marks. The process dies at its entry: the call itself is not made.
#[derive(Debug)]
pub(super) struct Point {
    pub(super) name: &'static str,
    pub(super) call: &'static str,
    pub(super) place: Place,
    /// Which such call of its thread it is, from 1.
    pub(super) when: u32,
    pub(super) size: Size,
}

/// The model of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Size {
    /// Synced once, at its end: each call on the way to its place is the first one of its kind.
    Small,
    /// Recorded and synced many times on its way.
    Large,
}

/// A file or folder that a call names or works on.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    LockFolder,
    Lock,
    Note,
    Partial,
    NewRecord,
    Record,
    BlobFolder,
    Repository,
    SnapshotFolder,
    Snapshot,
    RefFolder,
    Wal,
}

use Place::{
    BlobFolder, Lock, LockFolder, NewRecord, Note, Partial, Record, RefFolder, Repository,
    Snapshot, SnapshotFolder, Wal,
};
use Size::{Large, Small};

/// In the order of a job's life; the database's own calls after the others. That the record goes when the blob is in
/// place has no point of its own: the same call has cleared the way for the partial before, on the same thread or not.
pub(super) const POINTS: &[Point] = &[
    point("the lock's file is made", "openat", LockFolder, 1, Large),
    point("the lock is taken", "flock", Lock, 1, Large),
    point(
        "the repository's folder is made",
        "mkdirat",
        Repository,
        1,
        Large,
    ),
    point("the links are checked", "symlinkat", Repository, 1, Small),
    point("the partial's commit is noted", "openat", Note, 1, Large),
    point("the partial is made", "openat", Partial, 2, Large),
    point("the partial is locked", "flock", Partial, 1, Large),
    point("an old record is cleared", "unlink", Record, 1, Large),
    point("space is reserved", "fallocate", Partial, 1, Large),
    point("the first bytes are written", "pwritev", Partial, 1, Large),
    point("bytes are written midway", "pwritev", Partial, 150, Large),
    point("the record is begun", "openat", NewRecord, 1, Large),
    point("the record takes its place", "rename", NewRecord, 1, Large),
    point("the record is appended to", "write", Record, 1, Large),
    point(
        "the record is appended to midway",
        "write",
        Record,
        8,
        Large,
    ),
    point(
        "a checkpoint syncs the bytes",
        "fdatasync",
        Partial,
        1,
        Large,
    ),
    point(
        "a checkpoint syncs its record",
        "fsync",
        NewRecord,
        1,
        Large,
    ),
    point(
        "a checkpoint syncs the folder",
        "fsync",
        BlobFolder,
        1,
        Large,
    ),
    point("the whole file is synced", "fdatasync", Partial, 1, Small),
    point("the blob is placed", "renameat2", Partial, 1, Small),
    point("the blob's folder is synced", "fsync", BlobFolder, 1, Small),
    point("the note is removed", "unlink", Note, 1, Small),
    point(
        "the snapshot's folder is made",
        "mkdirat",
        SnapshotFolder,
        1,
        Small,
    ),
    point(
        "the snapshot's parent is synced",
        "fsync",
        SnapshotFolder,
        1,
        Small,
    ),
    point("the link is made", "symlinkat", Snapshot, 1, Small),
    point("the link's folder is synced", "fsync", Snapshot, 1, Small),
    point("the ref takes its place", "renameat", RefFolder, 1, Small),
    point("the ref's folder is synced", "fsync", RefFolder, 1, Small),
    point("the database is set up", "fsync", Wal, 1, Small),
    point("the database writes the job", "pwrite64", Wal, 20, Small),
    point("the database, sync 2", "fsync", Wal, 2, Small),
    point("the database, sync 3", "fsync", Wal, 3, Small),
    point("the database, sync 4", "fsync", Wal, 4, Small),
    point("the database, sync 5", "fsync", Wal, 5, Small),
    point("the database, sync 6", "fsync", Wal, 6, Small),
    point("the database, sync 7", "fsync", Wal, 7, Small),
    point("the database, sync 8", "fsync", Wal, 8, Small),
    point("the database, sync 9", "fsync", Wal, 9, Small),
    point("the database, sync 10", "fsync", Wal, 10, Small),
];

/// Among many jobs: each commit of the database is a change of one of them, and one job is published at least.
pub(super) const JOB_POINTS: &[Point] = &[
    point("commit 1 is synced", "fsync", Wal, 2, Small),
    point("commit 2 is synced", "fsync", Wal, 3, Small),
    point("commit 3 is synced", "fsync", Wal, 4, Small),
    point("commit 4 is synced", "fsync", Wal, 5, Small),
    point("commit 5 is synced", "fsync", Wal, 6, Small),
    point("commit 6 is synced", "fsync", Wal, 7, Small),
    point("commit 7 is synced", "fsync", Wal, 8, Small),
    point("commit 8 is synced", "fsync", Wal, 9, Small),
    point("commit 9 is synced", "fsync", Wal, 10, Small),
    point("commit 10 is synced", "fsync", Wal, 11, Small),
    point("commit 12 is synced", "fsync", Wal, 13, Small),
    point("commit 14 is synced", "fsync", Wal, 15, Small),
    point("commit 16 is synced", "fsync", Wal, 17, Small),
    point("commit 18 is synced", "fsync", Wal, 19, Small),
    point("a commit is begun", "pwrite64", Wal, 8, Small),
    point("a commit is half written", "pwrite64", Wal, 17, Small),
    point("a later commit is half written", "pwrite64", Wal, 33, Small),
    point(
        "a much later one is half written",
        "pwrite64",
        Wal,
        49,
        Small,
    ),
    point("the partial is made", "openat", Partial, 2, Small),
    point("the first bytes are written", "pwritev", Partial, 1, Small),
    point("the whole file is synced", "fdatasync", Partial, 1, Small),
    point("the blob is placed", "renameat2", Partial, 1, Small),
    point("the link is made", "symlinkat", Snapshot, 1, Small),
    point("the links are checked", "symlinkat", Repository, 1, Small),
    point("the ref takes its place", "renameat", RefFolder, 1, Small),
];

const fn point(
    name: &'static str,
    call: &'static str,
    place: Place,
    when: u32,
    size: Size,
) -> Point {
    Point {
        name,
        call,
        place,
        when,
        size,
    }
}

impl Point {
    /// The words for `strace` before the program's.
    pub(super) fn strace(&self, places: &Places) -> Vec<String> {
        let Self { call, when, .. } = self;
        // Not with `--seccomp-bpf`: strace 6.1 then knows a file by its descriptor alone, and never by its path.
        let mut words: Vec<String> = ["-f", "-qqq", "-o", "/dev/null"].map(str::to_owned).into();
        words.push(format!("--trace={call}"));
        words.push(format!("--inject={call}:signal=KILL:when={when}"));
        words.push(format!("--trace-path={}", self.path(places).display()));
        words
    }

    fn path(&self, places: &Places) -> PathBuf {
        let beside = |suffix: &str| {
            let name = format!("{}.hive-partial{suffix}", places.blob);
            places.repository().join("blobs").join(name)
        };
        match self.place {
            LockFolder => places.lock_folder(),
            Lock => places.lock_folder().join(format!("{}.lock", places.blob)),
            Note => beside(".commit"),
            Partial => beside(""),
            NewRecord => beside(".json.new"),
            Record => beside(".json"),
            BlobFolder => places.repository().join("blobs"),
            Repository => places.repository(),
            SnapshotFolder => places.repository().join("snapshots"),
            Snapshot => places.repository().join("snapshots").join(&places.commit),
            RefFolder => places.repository().join("refs"),
            Wal => places.state().join("hive.db-wal"),
        }
    }
}
