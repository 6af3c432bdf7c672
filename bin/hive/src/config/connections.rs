//! The limits on connections, and how many of them the open files of the process allow.

use std::time::Duration;

/// Fewer open files than this are worth a warning: a flood of strangers then shuts the TCP doors to everyone.
const FEW_OPEN_FILES: u64 = 4096;

/// More open files than this the work of jobs never needs: its connections, partials, locks and the database.
const FILES_OF_THE_WORK: u64 = 2048;

/// What a connection may cost us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// How long a request's headers may take, and how long a kept-alive connection may idle.
    pub header_timeout: Duration,
    /// How long a request's body may take.
    pub body_timeout: Duration,
    /// Connections over TCP, all addresses together; more wait unaccepted.
    pub open_connections: usize,
    /// Connections over TCP from one address beyond this machine, an IPv6 site being one; more are closed at once.
    pub open_connections_per_address: usize,
    /// Connections over the unix socket; more wait unaccepted.
    pub open_unix_connections: usize,
    /// Event streams, over all doors; one more is refused.
    pub open_streams: usize,
    /// Event streams of one job, over all doors; one more is refused.
    pub open_streams_per_job: usize,
    /// Failures of one address a minute that are answered at once; each further one waits.
    pub free_failures: u32,
    /// How long open requests may take to end when the hive stops.
    pub drain_timeout: Duration,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            open_connections: 16_384,
            open_connections_per_address: 2_048,
            open_unix_connections: 16_384,
            open_streams: 12_288,
            open_streams_per_job: 10_240,
            free_failures: 5,
            drain_timeout: Duration::from_secs(5),
        }
    }
}

impl ConnectionLimits {
    /// These limits where the process may open so many files, `None` being any number. Three eighths of them, and no more
    /// than the work ever needs, stay for it, so that no flood of connections fails a transfer. Of the others TCP has
    /// four fifths and the unix socket one.
    #[must_use]
    pub fn within(self, open_files: Option<u64>) -> Self {
        let Some(open_files) = open_files else {
            return self;
        };
        let for_connections = open_files - (open_files / 8 * 3).min(FILES_OF_THE_WORK);
        let share = |of: u64| usize::try_from(of).map_or(usize::MAX, |n| n.max(1));
        let open_connections = self.open_connections.min(share(for_connections / 5 * 4));
        // Some seats stay for those who ask for something else, and some for the streams of other jobs.
        let open_streams = self.open_streams.min((open_connections / 4 * 3).max(1));
        let at_one_job = open_streams - open_streams / 16;
        Self {
            open_connections,
            // Eight strangers do not shut the doors to everyone.
            open_connections_per_address: self
                .open_connections_per_address
                .min((open_connections / 8).max(1)),
            open_unix_connections: self.open_unix_connections.min(share(for_connections / 5)),
            open_streams,
            open_streams_per_job: self.open_streams_per_job.min(at_one_job),
            ..self
        }
    }

    /// Says it where the process may open few files.
    pub(crate) fn warn_if_few(&self, open_files: Option<u64>) {
        let Some(open_files) = open_files.filter(|&files| files < FEW_OPEN_FILES) else {
            return;
        };
        tracing::warn!(
            process.open_files = open_files,
            http.open_connections = self.open_connections,
            http.open_unix_connections = self.open_unix_connections,
            "the limit of open files is low, so few clients can be connected at once: raise it with `ulimit -n` or \
             `LimitNOFILE`"
        );
    }
}
