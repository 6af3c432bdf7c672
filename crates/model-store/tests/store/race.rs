//! A folder of the store that turns into a symbolic link while files are published and removed (T6).

use std::{fs, os::unix::fs::symlink, thread};

use model_store::Revision;
use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::fixture::{Fixture, commit, main, path, tree};

const SWAPS: u32 = 10_000;

#[test]
fn a_folder_that_turns_into_a_link_at_any_moment_leads_nowhere_else() {
    for swapped in ["", "snapshots", "refs"] {
        let fixture = Fixture::new();
        let first = fixture.place('a', b"model");
        fixture.publish('1', &[("config.json", &first)]);
        // What a removal or a publication that follows the link would find or leave.
        let outside = tempfile::tempdir().unwrap();
        let other = commit('2');
        let bait = [
            format!("snapshots/{}/config.json", other.as_str()),
            format!("{}/config.json", other.as_str()),
            "refs/main".to_owned(),
            "main".to_owned(),
        ];
        for file in &bait {
            let file = outside.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, other.as_str()).unwrap();
        }
        let before = tree(outside.path());
        let real = match swapped {
            "" => fixture.repo.path(),
            below => fixture.repo.path().join(below),
        };
        let link = fixture.store.root().join("link");
        symlink(outside.path(), &link).unwrap();

        let published = thread::scope(|scope| {
            let swapper = scope.spawn(|| {
                for _ in 0..SWAPS {
                    // The removal below may have taken the folder away; the next publication makes it again.
                    let _ = renameat_with(CWD, &real, CWD, &link, RenameFlags::EXCHANGE);
                }
            });
            let files = [(path("config.json"), first.clone())];
            let mut published = 0_u32;
            while !swapper.is_finished() {
                // Refused or done: where it went is what counts.
                let outcome = fixture.repo.publish(&other, &files, Some(&main()));
                published += u32::from(outcome.is_ok());
                let removed = Revision::Commit(other.clone());
                let _ = fixture.store.remove(&fixture.id, Some(&removed));
            }
            published
        });

        assert_eq!(tree(outside.path()), before, "{swapped}");
        for file in &bait {
            let text = fs::read_to_string(outside.path().join(file)).unwrap();
            assert_eq!(text, other.as_str(), "{file}");
        }
        assert!(published > 0, "{swapped}");
    }
}
