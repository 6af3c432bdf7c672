//! A value that a newer peer may extend: known here, or kept as it came.

use serde::{Deserialize, Serialize};

/// A wire value of a set that grows: `T` when this build knows it, the raw value when it does not.
///
/// Readers of answers must accept kinds, states, phases, codes and event names that were added after they were
/// built. They keep such a value as text (`Raw` is a whole JSON value for objects) and treat it as not ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Open<T, Raw = String> {
    /// A value this build knows.
    Known(T),
    /// A value of a newer peer, as it came over the wire.
    Unknown(Raw),
}

impl<T, Raw> Open<T, Raw> {
    /// The value, if this build knows it.
    pub const fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Unknown(_) => None,
        }
    }
}

impl<T, Raw> From<T> for Open<T, Raw> {
    fn from(value: T) -> Self {
        Self::Known(value)
    }
}
