//! A removal takes what was named and leaves what something else needs.

use std::fs;
use std::os::unix::fs::symlink;

use model_store::{Removed, Revision, StoreError};

use crate::fixture::{Fixture, blob, commit, main, tree};

#[test]
fn a_removed_revision_takes_only_the_blobs_that_no_other_needs() {
    let fixture = Fixture::new();
    let (old, shared, new) = (
        fixture.place('a', b"old"),
        fixture.place('b', b"shared"),
        fixture.place('c', b"new"),
    );
    fixture.publish('1', &[("a", &old), ("b", &shared)]);
    fixture.publish('2', &[("a", &new), ("b", &shared)]);
    let trees = fixture.repo.path().join("trees");
    fs::create_dir(&trees).unwrap();
    fs::write(trees.join(format!("{}.json", commit('1'))), "{}").unwrap();

    let revision = Revision::Commit(commit('1'));
    let removed = fixture.store.remove(&fixture.id, Some(&revision)).unwrap();

    let expected = Removed {
        commits: vec![commit('1')],
        bytes_freed: 3,
    };
    assert_eq!(removed, Some(expected));
    assert_eq!(fixture.repo.blob_size(&old).unwrap(), None);
    assert_eq!(fixture.repo.blob_size(&shared).unwrap(), Some(6));
    assert_eq!(fixture.repo.blob_size(&new).unwrap(), Some(3));
    assert_eq!(fixture.repo.read_ref(&main()).unwrap(), Some(commit('2')));
    assert!(!trees.exists());
}

#[test]
fn a_revision_can_be_named_by_its_ref() {
    let fixture = Fixture::new();
    let blob = fixture.place('a', b"model");
    fixture.publish('1', &[("a", &blob)]);

    let revision = Revision::new("main").unwrap();
    let removed = fixture.store.remove(&fixture.id, Some(&revision)).unwrap();

    assert_eq!(removed.unwrap().bytes_freed, 5);
    assert!(!fixture.repo.path().exists(), "nothing is left of it");
}

#[test]
fn a_blob_that_is_not_published_yet_survives_the_removal_of_a_revision() {
    let fixture = Fixture::new();
    let published = fixture.place('a', b"model");
    fixture.publish('1', &[("a", &published)]);
    let verified = fixture.place('b', b"of a running job");
    let (_, partial) = fixture.partial(&blob('c'), b"too");

    let revision = Revision::Commit(commit('1'));
    fixture.store.remove(&fixture.id, Some(&revision)).unwrap();

    assert!(fixture.repo.has_blob(&verified, 16).unwrap());
    assert!(partial.exists());
}

#[test]
fn what_stands_beside_a_partial_stays_with_it_and_goes_without_it() {
    for is_orphaned in [false, true] {
        let fixture = Fixture::new();
        let published = fixture.place('a', b"model");
        fixture.publish('1', &[("a", &published)]);
        let (_, partial) = fixture.partial(&blob('c'), b"so far");
        for suffix in [".json", ".json.new", ".commit"] {
            let path = format!("{}{suffix}", partial.display());
            fs::write(path, "beside").unwrap();
        }
        assert_eq!(
            fixture
                .store
                .show(&fixture.id)
                .unwrap()
                .unwrap()
                .partials
                .len(),
            1
        );
        if is_orphaned {
            fs::remove_file(&partial).unwrap();
        }

        let revision = Revision::Commit(commit('1'));
        fixture.store.remove(&fixture.id, Some(&revision)).unwrap();

        let left = tree(fixture.store.root()).into_iter();
        let left = left.filter(|path| path.contains("hive-partial")).count();
        assert_eq!(left, if is_orphaned { 0 } else { 4 });
        assert_eq!(fixture.repo.path().exists(), !is_orphaned);
    }
}

#[test]
fn a_removed_repository_is_gone_with_all_that_was_in_it() {
    let fixture = Fixture::new();
    let blob_a = fixture.place('a', b"model");
    fixture.publish('1', &[("a", &blob_a)]);
    fixture.publish('2', &[("a", &blob_a)]);
    fixture.partial(&blob('b'), b"so far");

    let removed = fixture.store.remove(&fixture.id, None).unwrap();

    let expected = Removed {
        commits: vec![commit('1'), commit('2')],
        bytes_freed: 11,
    };
    assert_eq!(removed, Some(expected));
    assert!(tree(fixture.store.root()).is_empty());
}

#[test]
fn a_blob_in_the_shared_blobs_is_left_to_the_others() {
    let fixture = Fixture::new();
    let blob = blob('a');
    fixture.repo.prepare_blob_folder().unwrap();
    let shared = fixture.store.root().join("blobs/aa");
    fs::create_dir_all(&shared).unwrap();
    fs::write(shared.join("xet"), b"model").unwrap();
    symlink("../../blobs/aa/xet", fixture.repo.blob_path(&blob)).unwrap();
    fixture.publish('1', &[("a", &blob)]);

    let removed = fixture.store.remove(&fixture.id, None).unwrap().unwrap();

    assert_eq!(removed.bytes_freed, 0);
    assert!(!fixture.repo.path().exists());
    assert_eq!(fs::read(shared.join("xet")).unwrap(), b"model");
}

#[test]
fn a_link_that_leads_out_of_the_store_is_removed_and_not_followed() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("precious"), "bytes").unwrap();
    let fixture = Fixture::new();
    let blob = fixture.place('a', b"model");
    fixture.publish('1', &[("a", &blob)]);
    let snapshot = fixture.repo.snapshot_path(&commit('1'));
    symlink(outside.path(), snapshot.join("planted")).unwrap();

    fixture.store.remove(&fixture.id, None).unwrap();

    assert_eq!(tree(outside.path()), ["precious"]);
}

#[test]
fn what_is_not_there_cannot_be_removed() {
    let fixture = Fixture::new();
    assert_eq!(fixture.store.remove(&fixture.id, None).unwrap(), None);
    let blob = fixture.place('a', b"model");
    fixture.publish('1', &[("a", &blob)]);
    let revision = Revision::Commit(commit('2'));
    let removed = fixture.store.remove(&fixture.id, Some(&revision)).unwrap();
    assert_eq!(removed, None);
}

#[test]
fn a_repository_folder_that_leads_elsewhere_is_refused_and_nothing_behind_it_is_touched() {
    let fixture = Fixture::new();
    let model = fixture.place('a', b"model");
    fixture.publish('1', &[("model", &model)]);
    let elsewhere = tempfile::tempdir().unwrap();
    let moved = elsewhere.path().join("moved");
    fs::rename(fixture.repo.path(), &moved).unwrap();
    symlink(&moved, fixture.repo.path()).unwrap();
    let before = tree(&moved);

    let error = fixture.store.remove(&fixture.id, None).unwrap_err();

    assert!(matches!(error, StoreError::Tampered { .. }), "{error:?}");
    assert_eq!(tree(&moved), before);
}
