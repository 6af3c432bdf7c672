//! Models: what the store holds, and how it gets there.

pub(super) mod download;
pub(super) mod list;
pub(super) mod plan;
pub(super) mod remove;
pub(super) mod show;

use std::collections::HashSet;

use hive_api::{ModelDownload, ModelState, Open, StoredModel};

use crate::args::SelectionArguments;

/// The operation that fetches these files of a model.
fn operation(model: &str, selection: &SelectionArguments, force_download: bool) -> ModelDownload {
    ModelDownload {
        model: model.to_owned(),
        include: selection.include.clone(),
        exclude: selection.exclude.clone(),
        all_files: selection.all_files,
        force_download,
    }
}

/// Bytes on disk of these together: quantisations and revisions of a repository share blobs, and each is there once.
fn bytes_on_disk<'a>(models: impl IntoIterator<Item = &'a StoredModel>) -> u64 {
    let mut seen = HashSet::new();
    let mut bytes = 0_u64;
    for model in models {
        let own: HashSet<_> = model
            .files
            .iter()
            .filter_map(|file| Some((file.blob.as_deref()?, file.bytes?)))
            .collect();
        let again = own
            .iter()
            .filter(|(blob, _)| !seen.insert((model.repo.as_str(), *blob)));
        let shared: u64 = again.map(|(_, bytes)| bytes).sum();
        bytes = bytes.saturating_add(model.bytes_on_disk.saturating_sub(shared));
    }
    bytes
}

/// The state of a stored model in words.
fn state_of(model: &StoredModel) -> String {
    match &model.state {
        Open::Known(ModelState::Complete) => "complete".to_owned(),
        Open::Known(ModelState::Partial) => "partial".to_owned(),
        Open::Known(ModelState::Broken) => {
            let missing = model.files.iter().filter(|file| file.blob.is_none());
            match missing.count() {
                0 => "broken".to_owned(),
                missing => format!("broken: {missing} of {}", model.files.len()),
            }
        }
        Open::Unknown(state) => state.clone(),
    }
}

#[cfg(test)]
mod tests;
