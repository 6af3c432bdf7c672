//! A page of a listing: whatever it names, what is accepted as a path stays below its root.
#![no_main]

use fuzz::assert_stays_below_root;
use libfuzzer_sys::fuzz_target;
use model_provisioner::fuzzing::listed;
use model_store::RepoPath;

fuzz_target!(|page: &[u8]| {
    for (path, _size_bytes) in listed(page).unwrap_or_default() {
        if let Ok(path) = RepoPath::new(&path) {
            assert_stays_below_root(path.as_str());
        }
    }
});
