//! What a job is asked to do: one variant an operation, tagged by `kind`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An operation that a hive can run as a job.
///
/// Adding one is a variant here, an adapter in `hive`'s `operations` and a command in `keeper`; exhaustive matches
/// find the rest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Operation {
    /// Fetch a model into the store, verified, and publish it.
    ModelDownload(ModelDownload),
}

impl Operation {
    /// The `kind` on the wire.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::ModelDownload(_) => "model_download",
        }
    }
}

/// The spec of a `model_download`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ModelDownload {
    /// `org/name[:selector][@revision]`, the selector a quantisation or a file path.
    #[schema(examples("Qwen/Qwen3-8B-GGUF:Q4_K_M"))]
    pub model: String,
    /// Globs over repository paths, as in `hf download --include` (`*` also matches `/`); empty: no restriction.
    #[serde(default)]
    pub include: Vec<String>,
    /// Globs over repository paths that are left out, applied after `include`.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// Take every file of the repository instead of what an engine needs.
    #[serde(default)]
    pub all_files: bool,
    /// Fetch again what the store already has.
    #[serde(default)]
    pub force_download: bool,
}
