//! What the store holds is told as it is, whoever put it there.

use std::fs;
use std::os::unix::fs::symlink;

use model_store::{BlobName, RefName, RepoId, RepoKind, SnapshotState, StoredFile};

use crate::fixture::{Fixture, blob, commit, main, path};

#[test]
fn an_empty_store_holds_nothing() {
    let fixture = Fixture::new();
    assert!(fixture.store.list().unwrap().is_empty());
    assert_eq!(fixture.store.show(&fixture.id).unwrap(), None);
}

#[test]
fn a_snapshot_is_told_with_its_refs_files_and_bytes() {
    let fixture = Fixture::new();
    let (small, large) = (fixture.place('a', b"{}"), fixture.place('b', b"weights"));
    fixture.publish('1', &[("config.json", &small), ("x/model", &large)]);
    fixture.publish('2', &[("x/model", &large), ("y/model", &large)]);

    let repos = fixture.store.list().unwrap();

    assert_eq!(repos.len(), 1);
    let repo = &repos[0];
    assert_eq!(repo.repo, fixture.id);
    assert_eq!(repo.bytes_on_disk, 9, "each blob once");
    let [first, second] = &repo.snapshots[..] else {
        panic!("{repo:?}");
    };
    assert_eq!(
        (&first.commit, &second.commit),
        (&commit('1'), &commit('2'))
    );
    assert_eq!(
        (&first.refs[..], &second.refs[..]),
        (&[][..], &[main()][..])
    );
    assert_eq!((first.bytes_on_disk, second.bytes_on_disk), (9, 7));
    assert_eq!(first.state, SnapshotState::Complete);
    assert!(first.last_used.is_some());
    let file = |name, size_bytes, blob: &BlobName| StoredFile {
        path: path(name),
        size_bytes: Some(size_bytes),
        blob: Some(blob.clone()),
    };
    assert_eq!(
        first.files,
        [file("config.json", 2, &small), file("x/model", 7, &large)]
    );
    assert_eq!(
        fixture.store.show(&fixture.id).unwrap().as_ref(),
        Some(repo)
    );
}

#[test]
fn a_link_to_nothing_makes_a_snapshot_broken() {
    let fixture = Fixture::new();
    let blob = fixture.place('a', b"a");
    fixture.publish('1', &[("a", &blob)]);
    fs::remove_file(fixture.repo.blob_path(&blob)).unwrap();

    let repo = fixture.store.show(&fixture.id).unwrap().unwrap();

    assert_eq!(repo.snapshots[0].state, SnapshotState::Broken);
    assert_eq!(repo.snapshots[0].files[0].size_bytes, None);
    assert_eq!(repo.snapshots[0].files[0].blob, Some(blob));
}

#[test]
fn bytes_of_a_partial_are_told_with_their_blob() {
    let fixture = Fixture::new();
    fixture.partial(&blob('a'), b"so far");
    let repo = fixture.store.show(&fixture.id).unwrap().unwrap();
    assert_eq!(repo.partials.len(), 1);
    assert_eq!(
        (&repo.partials[0].blob, repo.partials[0].bytes),
        (&blob('a'), 6)
    );
    assert_eq!(repo.bytes_on_disk, 6);
}

#[test]
fn what_other_tools_leave_in_a_store_is_passed_over() {
    let fixture = Fixture::new();
    let blob = fixture.place('a', b"a");
    let commit = fixture.publish('1', &[("a", &blob)]);
    let root = fixture.store.root();
    let repo = fixture.repo.path();
    for folder in ["blobs/aa", "spaces--org--app", "models--", ".locks", "xet"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    for folder in ["trees", ".no_exist/x", "snapshots/not-a-commit"] {
        fs::create_dir_all(repo.join(folder)).unwrap();
    }
    fs::write(root.join("CACHEDIR.TAG"), "Signature").unwrap();
    fs::write(repo.join("trees").join(format!("{commit}.json")), "{}").unwrap();
    fs::write(repo.join("blobs/abc.1f2e3d4c.incomplete"), "part").unwrap();
    fs::write(repo.join("refs/strange"), [0xff, 0xfe]).unwrap();
    fs::write(repo.join("snapshots/file"), "").unwrap();
    symlink("loop", repo.join("refs/loop")).unwrap();

    let repos = fixture.store.list().unwrap();

    assert_eq!(repos.len(), 1);
    assert_eq!(repos[0].snapshots.len(), 1);
    assert_eq!(repos[0].snapshots[0].refs, [main()]);
    assert_eq!(repos[0].partials, []);
    assert_eq!(repos[0].bytes_on_disk, 1);
}

#[test]
fn a_file_that_another_tool_put_into_the_snapshot_itself_has_no_blob() {
    let fixture = Fixture::new();
    let snapshot = fixture.repo.snapshot_path(&commit('1'));
    fs::create_dir_all(&snapshot).unwrap();
    fs::write(snapshot.join("model"), "copied").unwrap();
    let repo = fixture.store.show(&fixture.id).unwrap().unwrap();
    let file = &repo.snapshots[0].files[0];
    assert_eq!((file.size_bytes, &file.blob), (Some(6), &None));
}

#[test]
fn repositories_are_sorted_models_before_datasets() {
    let fixture = Fixture::new();
    let ids = [
        RepoId::new(RepoKind::Model, "a/b").unwrap(),
        RepoId::new(RepoKind::Model, "b").unwrap(),
        RepoId::new(RepoKind::Dataset, "a/a").unwrap(),
    ];
    for id in ids.iter().rev() {
        fixture.store.repo(id).prepare_blob_folder().unwrap();
    }
    let found: Vec<_> = fixture
        .store
        .list()
        .unwrap()
        .into_iter()
        .map(|repo| repo.repo)
        .collect();
    assert_eq!(found, ids);
}

#[test]
fn a_pipe_in_the_place_of_a_ref_is_passed_over_and_nobody_waits_for_it() {
    let fixture = Fixture::new();
    let model = fixture.place('a', b"model");
    fixture.publish('1', &[("model", &model)]);
    let pipe = fixture.repo.path().join("refs/pipe");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR).unwrap();

    let repo = fixture.store.show(&fixture.id).unwrap().unwrap();

    assert_eq!(repo.snapshots[0].refs, [main()]);
    let name = RefName::new("pipe").unwrap();
    assert_eq!(fixture.repo.read_ref(&name).unwrap(), None);
}
