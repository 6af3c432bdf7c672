//! What everyone on the machine can read of running processes, and what a child is given: looked at again and again.

use std::{
    collections::HashSet,
    fs,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{task::JoinSet, time::sleep};

const EVERY: Duration = Duration::from_millis(2);

/// The arguments of every process, and the environment of every `hive` and `ssh`.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) arguments: HashSet<Vec<u8>>,
    pub(super) environments: HashSet<Vec<u8>>,
}

/// What was seen so far; looking ends with this value.
#[derive(Debug)]
pub(super) struct Processes {
    seen: Arc<Mutex<Seen>>,
    _looking: JoinSet<()>,
}

impl Processes {
    /// Begins to look.
    pub(super) fn look() -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let mut looking = JoinSet::new();
        let into = Arc::clone(&seen);
        looking.spawn(async move {
            loop {
                into.lock().unwrap_or_else(PoisonError::into_inner).look();
                sleep(EVERY).await;
            }
        });
        Self {
            seen,
            _looking: looking,
        }
    }

    /// All that was seen.
    pub(super) fn seen(&self) -> Seen {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Seen {
    fn look(&mut self) {
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let folder = entry.path();
            // A process that ends meanwhile has nothing to read.
            let read = |name: &str| fs::read(folder.join(name)).unwrap_or_default();
            self.arguments.insert(read("cmdline"));
            if [&b"hive\n"[..], b"ssh\n"].contains(&read("comm").as_slice()) {
                self.environments.insert(read("environ"));
            }
        }
    }
}
