//! What is said of the models of a store.

use hive_api::ModelFile;

use super::*;

pub(super) fn stored(model: &str, files: &[(&str, u64)]) -> StoredModel {
    StoredModel {
        model: model.to_owned(),
        repo: model.split(':').next().unwrap().to_owned(),
        commit: "0".repeat(40),
        refs: vec!["main".to_owned()],
        bytes_on_disk: files.iter().map(|(_, bytes)| bytes).sum(),
        last_used_at: None,
        state: ModelState::Complete.into(),
        path: "/hub".to_owned(),
        files: files
            .iter()
            .map(|(path, bytes)| ModelFile {
                path: (*path).to_owned(),
                bytes: Some(*bytes),
                blob: Some(format!("blob of {path}")),
            })
            .collect(),
    }
}

#[test]
fn a_blob_that_quantisations_share_counts_once_a_repository() {
    let models = [
        stored("a/b:Q4_K_M", &[("q4.gguf", 40), ("mmproj.gguf", 3)]),
        stored("a/b:Q8_0", &[("q8.gguf", 80), ("mmproj.gguf", 3)]),
        stored("c/d", &[("mmproj.gguf", 3)]),
    ];
    assert_eq!(bytes_on_disk(&models), 126);
}
