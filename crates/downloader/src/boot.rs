//! Which run of the machine this is: what was written without a sync is there only within the same one.

use std::fmt;

/// The identity of a run of the machine, from its start to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootId(String);

impl BootId {
    /// The identity that the kernel gives, from `/proc/sys/kernel/random/boot_id` (random(4)). Where there is none,
    /// every run counts as another one.
    pub fn of_this_machine() -> Self {
        let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
        Self::new(text.unwrap_or_default().trim())
    }

    /// An identity by its text; an empty one is the same as none.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(crate) fn is(&self, other: &str) -> bool {
        !self.0.is_empty() && self.0 == other
    }
}

impl fmt::Display for BootId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
