//! The names from elsewhere that become paths in the store: what is accepted stays below its root.
#![no_main]

use fuzz::assert_stays_below_root;
use libfuzzer_sys::fuzz_target;
use model_store::{BlobName, Commit, RefName, RepoId, RepoKind, RepoPath};

fuzz_target!(|text: &str| {
    if let Ok(path) = RepoPath::new(text) {
        assert_eq!(path.as_str(), text);
        assert_stays_below_root(text);
    }
    if RefName::new(text).is_ok() {
        assert_stays_below_root(text);
    }
    for name in [
        RepoId::new(RepoKind::Model, text).map(|repo| repo.folder_name()),
        Commit::new(text).map(|commit| commit.to_string()),
        BlobName::new(text).map(|blob| blob.to_string()),
    ]
    .into_iter()
    .flatten()
    {
        assert!(!name.contains('/'), "{name}");
        assert_stays_below_root(&name);
    }
});
