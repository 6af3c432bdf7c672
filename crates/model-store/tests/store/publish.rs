//! A published model is where every tool of the Hub looks for it, and nothing is anywhere else.

use std::fs;
use std::os::unix::fs::symlink;

use model_store::{RefName, StoreError};

use crate::fixture::{Fixture, blob, commit, main, path, tree};

#[test]
fn the_layout_is_that_of_the_hub() {
    let fixture = Fixture::new();
    let small = fixture.place('a', b"{}");
    let large = fixture.place('b', b"weights");
    let files = [
        ("config.json", &small),
        ("Q4/sub/model.gguf", &large),
        ("Q4/model.gguf", &large),
        ("Q4-other/model.gguf", &large),
    ];

    let commit = fixture.publish('1', &files);

    let (small, large, commit) = (small.as_str(), large.as_str(), commit.as_str());
    let mut expected = vec![
        format!("blobs/{small}"),
        format!("blobs/{large}"),
        "refs/main".to_owned(),
        format!("snapshots/{commit}/config.json -> ../../blobs/{small}"),
        format!("snapshots/{commit}/Q4/model.gguf -> ../../../blobs/{large}"),
        format!("snapshots/{commit}/Q4-other/model.gguf -> ../../../blobs/{large}"),
        format!("snapshots/{commit}/Q4/sub/model.gguf -> ../../../../blobs/{large}"),
    ];
    expected.sort();
    assert_eq!(tree(&fixture.repo.path()), expected);
    let reference = fixture.repo.path().join("refs/main");
    assert_eq!(fs::read_to_string(reference).unwrap(), commit);
    for (name, _) in files {
        let file = fixture
            .repo
            .file_path(&crate::fixture::commit('1'), &path(name));
        assert!(fs::metadata(file).unwrap().is_file(), "{name}");
    }
}

#[test]
fn the_ref_of_a_pull_request_has_folders_of_its_own() {
    let fixture = Fixture::new();
    let reference = RefName::new("refs/pr/1").unwrap();
    let files = [(path("a"), fixture.place('a', b"a"))];
    fixture
        .repo
        .publish(&commit('1'), &files, Some(&reference))
        .unwrap();
    assert!(fixture.repo.path().join("refs/refs/pr/1").is_file());
    assert_eq!(
        fixture.repo.read_ref(&reference).unwrap(),
        Some(commit('1'))
    );
    assert_eq!(fixture.repo.read_ref(&main()).unwrap(), None);
}

#[test]
fn publishing_again_changes_nothing_and_a_moved_ref_follows() {
    let fixture = Fixture::new();
    let blob = fixture.place('a', b"a");
    fixture.publish('1', &[("a", &blob)]);
    let once = tree(&fixture.repo.path());
    fixture.publish('1', &[("a", &blob)]);
    assert_eq!(tree(&fixture.repo.path()), once);

    fixture.publish('2', &[("a", &blob)]);
    assert_eq!(fixture.repo.read_ref(&main()).unwrap(), Some(commit('2')));
}

#[test]
fn a_link_or_file_that_is_wrong_is_replaced() {
    let fixture = Fixture::new();
    let (wrong, right) = (fixture.place('a', b"wrong"), fixture.place('b', b"right"));
    let commit = fixture.publish('1', &[("linked", &wrong)]);
    fs::write(fixture.repo.file_path(&commit, &path("plain")), "old").unwrap();

    fixture.publish('1', &[("linked", &right), ("plain", &right)]);

    for name in ["linked", "plain"] {
        let file = fixture.repo.file_path(&commit, &path(name));
        assert_eq!(fs::read(file).unwrap(), b"right");
    }
    let left: Vec<_> = tree(&fixture.repo.path())
        .into_iter()
        .filter(|name| name.contains("staged"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn without_all_its_blobs_nothing_of_a_model_becomes_visible() {
    let fixture = Fixture::new();
    let here = fixture.place('a', b"a");
    let files = [(path("a"), here), (path("b"), blob('b'))];
    let error = fixture
        .repo
        .publish(&commit('1'), &files, Some(&main()))
        .unwrap_err();
    assert!(
        matches!(&error, StoreError::BlobMissing { blob: missing } if *missing == blob('b')),
        "{error:?}"
    );
    assert!(!fixture.repo.path().join("snapshots").exists());
    assert!(!fixture.repo.path().join("refs").exists());
}

#[test]
fn a_symbolic_link_on_the_way_to_a_file_is_refused_and_not_followed() {
    let outside = tempfile::tempdir().unwrap();
    let digits = commit('1').to_string();
    let planted = [
        "snapshots".to_owned(),
        format!("snapshots/{digits}"),
        format!("snapshots/{digits}/sub"),
        format!("snapshots/{digits}/sub/deep"),
        "refs".to_owned(),
    ];
    for planted in planted {
        let fixture = Fixture::new();
        let files = [(path("sub/deep/file"), fixture.place('a', b"a"))];
        let link = fixture.repo.path().join(&planted);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        symlink(outside.path(), &link).unwrap();

        let error = fixture
            .repo
            .publish(&commit('1'), &files, Some(&main()))
            .unwrap_err();

        assert!(
            matches!(error, StoreError::Tampered { .. }),
            "{planted}: {error:?}"
        );
        assert!(tree(outside.path()).is_empty(), "{planted}");
    }
}

#[test]
fn a_symbolic_link_in_the_place_of_a_ref_is_replaced_and_not_followed() {
    let fixture = Fixture::new();
    let blob = fixture.place('a', b"a");
    let outside = tempfile::NamedTempFile::new().unwrap();
    let refs = fixture.repo.path().join("refs");
    fs::create_dir_all(&refs).unwrap();
    symlink(outside.path(), refs.join("main")).unwrap();

    fixture.publish('1', &[("a", &blob)]);

    assert!(refs.join("main").symlink_metadata().unwrap().is_file());
    assert_eq!(fs::read(&outside).unwrap(), b"");
}

#[test]
fn what_a_process_staged_before_it_died_goes_and_what_a_living_one_stages_stays() {
    let fixture = Fixture::new();
    let small = fixture.place('a', b"{}");
    let staged = |process: u32| {
        fixture
            .repo
            .path()
            .join(format!(".hive-staged-{process}-0"))
    };
    let mut dead = std::process::Command::new("true").spawn().unwrap();
    dead.wait().unwrap();
    fs::write(staged(dead.id()), "a ref").unwrap();
    fs::write(staged(1), "a ref").unwrap();

    fixture.publish('1', &[("config.json", &small)]);

    assert!(!staged(dead.id()).exists());
    assert!(staged(1).exists());
}
