//! What is refused, and the folders that the accepted names have.

use super::*;

/// Names that would leave the store, or mean something else, on one system or another.
const TRAVERSALS: &[&str] = &[
    "",
    ".",
    "..",
    "/",
    "/etc/passwd",
    "../x",
    "a/../../x",
    "a/..",
    "a/./b",
    "./a",
    "a//b",
    "a/",
    "a\0b",
    "a\nb",
    "a\u{1b}]0;b",
    "a\u{85}b",
    "..\\x",
    "a\\b",
    "\\\\server\\share",
    "C:\\x",
    "C:/x",
    "D:x",
    "a/D:x",
];

#[test]
fn a_path_that_would_leave_the_store_is_refused() {
    for name in TRAVERSALS {
        assert!(RepoPath::new(name).is_err(), "{name:?}");
        assert!(RefName::new(name).is_err(), "{name:?}");
        assert!(Revision::new(name).is_err(), "{name:?}");
        assert!(RepoId::new(RepoKind::Model, name).is_err(), "{name:?}");
        assert!(Commit::new(name).is_err(), "{name:?}");
        assert!(BlobName::new(name).is_err(), "{name:?}");
    }
    assert!(RepoPath::new(&"a".repeat(256)).is_err());
    assert!(RepoPath::new(&"a/".repeat(2000)).is_err());
}

#[test]
fn the_paths_of_real_repositories_are_accepted() {
    let paths = [
        "config.json",
        ".gitattributes",
        "UD-Q4_K_XL/Model 1-00001-of-00002.gguf",
        "onnx/model[fp16].onnx",
        "..foo/a..b",
        "%2e%2e",
        "模型/权重.safetensors",
    ];
    for path in paths {
        assert_eq!(RepoPath::new(path).unwrap().as_str(), path);
    }
    assert_eq!(RefName::new("refs/pr/1").unwrap().as_str(), "refs/pr/1");
}

#[test]
fn a_refused_name_is_told_without_its_control_characters() {
    let error = RepoPath::new("a\u{1b}[2J").unwrap_err();
    assert_eq!(
        error.to_string(),
        "unsafe path `a\\u{1b}[2J`: it has a control character"
    );
}

#[test]
fn a_repository_has_the_folder_that_other_tools_give_it() {
    let folder = |kind, name| RepoId::new(kind, name).unwrap().folder_name();
    assert_eq!(folder(RepoKind::Model, "gpt2"), "models--gpt2");
    assert_eq!(
        folder(RepoKind::Model, "Qwen/Qwen3-8B-GGUF"),
        "models--Qwen--Qwen3-8B-GGUF"
    );
    assert_eq!(
        folder(RepoKind::Dataset, "org/data.v2"),
        "datasets--org--data.v2"
    );
}

#[test]
fn a_folder_of_a_repository_tells_which_it_is() {
    for repo in [
        RepoId::new(RepoKind::Model, "gpt2").unwrap(),
        RepoId::new(RepoKind::Dataset, "org/data").unwrap(),
    ] {
        assert_eq!(RepoId::of_folder_name(&repo.folder_name()), Some(repo));
    }
    for foreign in [
        "blobs",
        ".locks",
        "spaces--a--b",
        "models--a--b--c",
        "models--",
        "version.txt",
    ] {
        assert_eq!(RepoId::of_folder_name(foreign), None, "{foreign}");
    }
}

#[test]
fn a_repository_name_follows_the_rules_of_the_hub() {
    for name in [
        "a/b/c", "a--b/c", "-a/b", "a/b.", "a b", "org/", "/name", "a/ü",
    ] {
        assert!(RepoId::new(RepoKind::Model, name).is_err(), "{name}");
    }
    assert!(RepoId::new(RepoKind::Model, &"a".repeat(97)).is_err());
    let dataset = RepoId::new(RepoKind::Dataset, "org/name").unwrap();
    assert_eq!(dataset.to_string(), "datasets/org/name");
}

#[test]
fn a_commit_has_forty_digits_and_a_blob_sixty_four_or_forty() {
    let digits = |count: usize| "0a".repeat(count / 2);
    assert!(Commit::new(&digits(40)).is_ok());
    assert!(Commit::new(&digits(64)).is_err());
    assert!(BlobName::new(&digits(40)).is_ok());
    assert!(BlobName::new(&digits(64)).is_ok());
    assert!(BlobName::new(&digits(42)).is_err());
    assert!(Commit::new(&digits(40).to_uppercase()).is_err());
}

#[test]
fn a_revision_of_forty_digits_is_a_commit_and_any_other_a_ref() {
    let digits = "0a".repeat(20);
    assert_eq!(
        Revision::new(&digits).unwrap(),
        Revision::Commit(Commit::new(&digits).unwrap())
    );
    assert_eq!(
        Revision::new("main").unwrap(),
        Revision::Ref(RefName::new("main").unwrap())
    );
}
