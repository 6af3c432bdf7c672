//! A verified file enters `blobs/` whole, once, and only itself.

use std::fs;
use std::os::unix::fs::symlink;

use model_store::{Existing, ModelStore, Placed, StoreError};

use crate::fixture::{Fixture, blob, tree};

#[test]
fn a_verified_file_becomes_the_blob() {
    let fixture = Fixture::new();
    let blob = blob('a');
    let (file, partial) = fixture.partial(&blob, b"model");
    assert_eq!(fixture.repo.blob_size(&blob).unwrap(), None);

    let placed = fixture
        .repo
        .place_blob(&file, &partial, &blob, Existing::Keep)
        .unwrap();

    assert_eq!(placed, Placed::Moved);
    assert!(!partial.exists());
    assert_eq!(fs::read(fixture.repo.blob_path(&blob)).unwrap(), b"model");
    assert!(fixture.repo.has_blob(&blob, 5).unwrap());
    assert!(!fixture.repo.has_blob(&blob, 6).unwrap());
}

#[test]
fn a_file_that_was_put_in_the_partials_place_is_not_taken_for_the_verified_one() {
    let fixture = Fixture::new();
    let blob = blob('a');
    let (file, partial) = fixture.partial(&blob, b"right");
    fs::remove_file(&partial).unwrap();
    fs::write(&partial, b"other").unwrap();

    let error = fixture
        .repo
        .place_blob(&file, &partial, &blob, Existing::Keep)
        .unwrap_err();

    assert!(
        matches!(error, StoreError::PartialReplaced { .. }),
        "{error:?}"
    );
    assert_eq!(fixture.repo.blob_size(&blob).unwrap(), None);
}

#[test]
fn a_blob_that_is_there_already_stays() {
    let fixture = Fixture::new();
    let blob = fixture.place('a', b"first");
    let (file, partial) = fixture.partial(&blob, b"later");

    let placed = fixture
        .repo
        .place_blob(&file, &partial, &blob, Existing::Keep)
        .unwrap();

    assert_eq!(placed, Placed::AlreadyThere);
    assert!(!partial.exists());
    assert_eq!(fs::read(fixture.repo.blob_path(&blob)).unwrap(), b"first");
}

#[test]
fn a_blob_whose_bytes_are_doubted_makes_room_for_the_verified_file() {
    let fixture = Fixture::new();
    let blob = fixture.place('a', b"first");
    let (file, partial) = fixture.partial(&blob, b"later");

    let placed = fixture
        .repo
        .place_blob(&file, &partial, &blob, Existing::Replace)
        .unwrap();

    assert_eq!(placed, Placed::Moved);
    assert!(!partial.exists());
    assert_eq!(fs::read(fixture.repo.blob_path(&blob)).unwrap(), b"later");
}

#[test]
fn a_blob_that_another_tool_left_with_a_wrong_size_is_replaced() {
    let fixture = Fixture::new();
    let blob = blob('a');
    let (file, partial) = fixture.partial(&blob, b"model");
    fs::write(fixture.repo.blob_path(&blob), "<html>503</html>").unwrap();

    let placed = fixture
        .repo
        .place_blob(&file, &partial, &blob, Existing::Keep)
        .unwrap();

    assert_eq!(placed, Placed::Moved);
    assert_eq!(fs::read(fixture.repo.blob_path(&blob)).unwrap(), b"model");
}

#[test]
fn a_blob_in_the_shared_blobs_counts_as_present() {
    let fixture = Fixture::new();
    let blob = blob('a');
    fixture.repo.prepare_blob_folder().unwrap();
    let shared = fixture.store.root().join("blobs/aa");
    fs::create_dir_all(&shared).unwrap();
    fs::write(shared.join("xet"), b"model").unwrap();
    symlink("../../blobs/aa/xet", fixture.repo.blob_path(&blob)).unwrap();
    assert_eq!(fixture.repo.blob_size(&blob).unwrap(), Some(5));

    let (file, partial) = fixture.partial(&blob, b"later");
    let placed = fixture
        .repo
        .place_blob(&file, &partial, &blob, Existing::Keep)
        .unwrap();
    assert_eq!(placed, Placed::AlreadyThere);
    assert_eq!(fs::read(shared.join("xet")).unwrap(), b"model");
}

#[test]
fn a_blob_that_links_to_nothing_or_out_of_the_store_is_none_and_is_replaced() {
    let outside = tempfile::NamedTempFile::new().unwrap();
    fs::write(&outside, b"12345").unwrap();
    for target in [outside.path().to_str().unwrap(), "nowhere"] {
        let fixture = Fixture::new();
        let blob = blob('a');
        let (file, partial) = fixture.partial(&blob, b"model");
        symlink(target, fixture.repo.blob_path(&blob)).unwrap();
        assert_eq!(fixture.repo.blob_size(&blob).unwrap(), None);

        let placed = fixture
            .repo
            .place_blob(&file, &partial, &blob, Existing::Keep)
            .unwrap();

        assert_eq!(placed, Placed::Moved);
        assert!(!fixture.repo.blob_path(&blob).is_symlink());
    }
    assert_eq!(fs::read(&outside).unwrap(), b"12345");
}

#[test]
fn of_many_who_place_the_same_blob_at_once_one_wins_and_all_are_content() {
    let fixture = Fixture::new();
    let blob = blob('a');
    fixture.repo.prepare_blob_folder().unwrap();
    let results: Vec<_> = std::thread::scope(|scope| {
        let place = |index: usize| {
            let partial = fixture
                .repo
                .blob_path(&blob)
                .with_extension(index.to_string());
            fs::write(&partial, b"model").unwrap();
            let file = fs::File::open(&partial).unwrap();
            fixture
                .repo
                .place_blob(&file, &partial, &blob, Existing::Keep)
                .unwrap()
        };
        let threads: Vec<_> = (0..8)
            .map(|index| scope.spawn(move || place(index)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    let moved = results.iter().filter(|placed| **placed == Placed::Moved);
    assert_eq!(moved.count(), 1);
    let blobs = fixture.repo.path().join("blobs");
    assert_eq!(tree(&blobs), [blob.as_str()]);
}

#[test]
fn a_symbolic_link_in_the_place_of_a_folder_is_refused_and_not_followed() {
    let outside = tempfile::tempdir().unwrap();
    for planted in ["models--org--name", "models--org--name/blobs"] {
        let fixture = Fixture::new();
        let link = fixture.store.root().join(planted);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        symlink(outside.path(), &link).unwrap();
        let error = fixture.repo.prepare_blob_folder().unwrap_err();
        assert!(matches!(error, StoreError::Tampered { .. }), "{error:?}");
    }
    assert!(tree(outside.path()).is_empty());
}

#[test]
fn the_free_space_of_a_store_that_does_not_exist_yet_is_that_of_its_disk() {
    let fixture = Fixture::new();
    assert!(!fixture.store.root().exists());
    assert!(fixture.store.free_bytes().unwrap() > 0);
    assert!(ModelStore::new("not/there/yet").free_bytes().unwrap() > 0);
}
