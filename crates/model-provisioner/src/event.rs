//! What a download tells its caller while it runs: one closed enum.

use std::time::Duration;

use downloader::{LimitedBy, RetryCause};
use tokio::sync::oneshot;

use crate::Plan;

/// One thing that happened. All but [`ProvisionEvent::Progress`] are sent with backpressure, none is lost.
#[derive(Debug)]
pub enum ProvisionEvent {
    /// A phase began.
    Phase(ProvisionPhase),
    /// It is known what will be fetched.
    Planned(Box<Plan>),
    /// A file's transfer began.
    FileStarted {
        /// The file's place in the plan, from 1.
        index: u32,
        /// Its path in the repository.
        path: String,
        /// Its size in bytes.
        bytes_total: u64,
    },
    /// A file is in the store with the right bytes.
    FileVerified {
        /// The file's place in the plan, from 1.
        index: u32,
        /// Its path in the repository.
        path: String,
        /// Its size in bytes.
        bytes_total: u64,
        /// Of these, the bytes that came over the network while this download needed them: in a transfer of its own
        /// or in one that others share, each of which counts them. Zero when the store had it.
        bytes_received: u64,
    },
    /// Something went wrong and is tried again.
    Retry(RetryEvent),
    /// Something worth a line that changes nothing.
    Notice(Notice),
    /// Figures; at most four a second, the latest wins.
    Progress(TransferProgress),
    /// Every file is verified. The download waits here for the caller's yes; from then on it cannot be cancelled. Dropping
    /// the sender says no.
    ReadyToPublish(oneshot::Sender<()>),
}

/// Where a download is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProvisionPhase {
    /// Asks the Hub which commit the revision points to.
    Resolving,
    /// Lists the files and compares them with the store.
    Planning,
    /// Waits until the network is back; the phase in which it was follows again.
    WaitingForNetwork,
    /// Receives bytes. Publishing follows on the answer to [`ProvisionEvent::ReadyToPublish`].
    Downloading,
}

/// A try that failed, and the one that follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryEvent {
    /// The file's place in the plan from 1 and its path; `None` for a question to the Hub's API.
    pub file: Option<(u32, String)>,
    /// What went wrong.
    pub cause: RetryCause,
    /// What happened, in words without a full stop and without secrets.
    pub message: String,
    /// The try that follows, from 2.
    pub try_number: u32,
    /// Tries without progress before it is given up; `None` while it waits for the network.
    pub tries: Option<u32>,
    /// How long it waits before that try.
    pub wait: Duration,
    /// Bytes of the file that are kept.
    pub bytes_kept: u64,
}

/// Something worth a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The Hub's listing did not come in time; the download goes on without a total.
    SizeUnknown {
        /// How long it waited.
        waited: Duration,
        /// Why it waits no longer, in words.
        reason: String,
    },
    /// Another download is receiving the same blob: in this hive the two share it, another program is waited for.
    WaitsForOtherDownload {
        /// The path in the repository.
        path: String,
    },
    /// Bytes of this repository are kept that belong to another commit than the one that is fetched now.
    KeptFromOtherCommit {
        /// `org/name`, with `datasets/` before it for a dataset.
        repo: String,
        /// The commit, 40 hexadecimal digits.
        commit: String,
        /// The bytes.
        bytes: u64,
    },
}

/// How far a download is. Sizes in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TransferProgress {
    /// Bytes that are here now: reused and received.
    pub bytes_done: u64,
    /// Bytes of all files, `None` while a size is unknown.
    pub bytes_total: Option<u64>,
    /// Bytes that were in the store when the download planned.
    pub bytes_reused: u64,
    /// Bytes that came over the network while this download needed them, nothing that was here or was hashed again;
    /// never falls.
    pub bytes_received: u64,
    /// Received bytes a second, averaged over the last seconds.
    pub bytes_per_second: u64,
    /// Files that are verified and in the store.
    pub files_done: u32,
    /// Files of the plan.
    pub files_total: u32,
    /// The files in transfer now, in the order of the plan.
    pub files: Vec<FileTransfer>,
    /// What holds the download back now, `None` when nothing does.
    pub limited_by: Option<LimitedBy>,
}

/// One file in transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileTransfer {
    /// The file's place in the plan, from 1.
    pub index: u32,
    /// Its path in the repository.
    pub path: String,
    /// Bytes received so far.
    pub bytes_done: u64,
    /// Its size.
    pub bytes_total: u64,
    /// Received bytes a second, averaged over the last seconds.
    pub bytes_per_second: u64,
    /// Time since its last byte came.
    pub idle: Duration,
    /// Which try is under way, from 1.
    pub try_number: u32,
    /// Tries without progress before it is given up.
    pub tries: u32,
}
