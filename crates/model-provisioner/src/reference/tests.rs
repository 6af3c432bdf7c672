//! Every spelling of a model reference, and every one that is refused.

use super::*;

fn parse(text: &str) -> Result<ModelReference, ReferenceError> {
    let hub = Url::parse("http://127.0.0.1:8080").unwrap();
    ModelReference::parse(text, Some(&hub))
}

#[test]
fn every_spelling_of_a_reference_means_the_same() {
    for (text, canonical) in [
        ("Qwen/Qwen3-8B-GGUF", "Qwen/Qwen3-8B-GGUF"),
        ("hf.co/Qwen/Qwen3-8B-GGUF", "Qwen/Qwen3-8B-GGUF"),
        ("huggingface.co/Qwen/Qwen3-8B-GGUF", "Qwen/Qwen3-8B-GGUF"),
        (
            "https://huggingface.co/Qwen/Qwen3-8B-GGUF",
            "Qwen/Qwen3-8B-GGUF",
        ),
        (
            "https://huggingface.co/Qwen/Qwen3-8B-GGUF/",
            "Qwen/Qwen3-8B-GGUF",
        ),
        (
            "http://127.0.0.1:8080/Qwen/Qwen3-8B-GGUF",
            "Qwen/Qwen3-8B-GGUF",
        ),
        (
            "hf://Qwen/Qwen3-8B-GGUF:Q4_K_M",
            "Qwen/Qwen3-8B-GGUF:Q4_K_M",
        ),
        ("hf.co/a/b:Q8_0@v1.0", "a/b:Q8_0@v1.0"),
        ("https://hf.co/datasets/a/b@main", "datasets/a/b@main"),
        ("datasets/allenai/c4", "datasets/allenai/c4"),
        (
            "a/b:folder/file.gguf@refs/pr/1",
            "a/b:folder/file.gguf@refs/pr/1",
        ),
        ("a/b.c_d-e", "a/b.c_d-e"),
    ] {
        assert_eq!(parse(text).unwrap().to_string(), canonical, "{text}");
    }
}

#[test]
fn a_reference_is_taken_apart_into_repository_selector_and_revision() {
    let whole = parse("datasets/org/name:folder/part.gguf@feature/x").unwrap();
    assert_eq!(whole.repo().kind(), RepoKind::Dataset);
    assert_eq!(whole.repo().to_string(), "datasets/org/name");
    assert_eq!(whole.selector(), Some("folder/part.gguf"));
    assert_eq!(whole.revision(), "feature/x");

    let bare = parse("org/name").unwrap();
    assert_eq!((bare.selector(), bare.revision()), (None, "main"));
}

#[test]
fn a_malformed_reference_is_refused_with_a_remedy() {
    for (text, message) in [
        ("", "the model reference is empty"),
        ("gpt2", "`gpt2` has no owner before its name"),
        ("gpt2:Q4_K_M", "`gpt2` has no owner before its name"),
        ("/name", "the owner is empty"),
        ("org/", "`org` has no owner before its name"),
        (
            "org/name/file.gguf",
            "`org/name/file.gguf` has more than an owner and a name",
        ),
        ("org/name:", "the selector is empty"),
        ("org/name@", "the revision is empty"),
        ("org/name:@main", "the selector is empty"),
        (
            "org/na me",
            "the model reference has the character ' ', which it cannot have",
        ),
        (
            "org/name\n",
            "the model reference has the character '\\n', which it cannot have",
        ),
        (
            "org/\u{1b}[2J",
            "the model reference has the character '\\u{1b}', which it cannot have",
        ),
        (
            "o?g/name",
            "the owner has the character '?', which it cannot have",
        ),
        (
            "../name",
            "the repository `../name` is refused: it contains `--` or `..`",
        ),
        (
            "org/..",
            "the repository `org/..` is refused: it contains `--` or `..`",
        ),
        (
            "org/a--b",
            "the repository `org/a--b` is refused: it contains `--` or `..`",
        ),
        (
            "org/name:../x",
            "the selector `../x` is refused: it is no path inside the repository",
        ),
        (
            "org/name:/x",
            "the selector `/x` is refused: it is no path inside the repository",
        ),
        (
            "org/name:x/",
            "the selector `x/` is refused: it is no path inside the repository",
        ),
        (
            "org/name:a\\b",
            "the selector has the character '\\\\', which it cannot have",
        ),
        (
            "org/name@../../x",
            "the revision `../../x` is refused: it is no branch, tag or commit",
        ),
        (
            "org/name@/x",
            "the revision `/x` is refused: it is no branch, tag or commit",
        ),
        (
            "org/name@a^1",
            "the revision has the character '^', which it cannot have",
        ),
        (
            "https://example.com/org/name",
            "`example.com` is not an address of the Hub",
        ),
        (
            "hf://hf.co/name",
            "the owner `hf.co/name` is refused: it is an address of the Hub",
        ),
        (
            "hf.co/hf.co/name",
            "the owner `hf.co/name` is refused: it is an address of the Hub",
        ),
        (
            "ftp://huggingface.co/org/name",
            "`ftp:` is not an address of the Hub",
        ),
    ] {
        let refused = parse(text).unwrap_err();
        assert_eq!(refused.to_string(), message, "{text:?}");
        assert!(!refused.remedy().is_empty());
    }
}

#[test]
fn a_revision_that_the_store_could_not_name_is_refused() {
    let long = "a".repeat(256);
    let refused = parse(&format!("org/name@{long}")).unwrap_err();
    let message = format!("the revision `{long}` is refused: a part of it is too long");
    assert_eq!(refused.to_string(), message);
}

#[test]
fn a_repository_that_the_store_could_not_name_is_refused() {
    for repository in [
        "-org/name",
        "org/name.",
        &format!("org/{}", "a".repeat(300)),
    ] {
        let refused = parse(repository).unwrap_err();
        assert!(
            matches!(
                refused,
                ReferenceError::BadShape {
                    part: "repository",
                    ..
                }
            ),
            "{repository}"
        );
    }
}
