//! The Hub clients' variables mean here what they mean elsewhere.

use std::collections::HashMap;

use super::*;

fn environment<'a>(pairs: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<String> + 'a {
    let variables: HashMap<&str, &str> = pairs.iter().copied().collect();
    move |name| variables.get(name).map(|value| (*value).to_owned())
}

#[test]
fn the_store_is_where_every_other_hub_client_has_it() {
    for (variables, path) in [
        (&[("HOME", "/h")][..], "/h/.cache/huggingface/hub"),
        (
            &[("HOME", "/h"), ("XDG_CACHE_HOME", "/x")],
            "/x/huggingface/hub",
        ),
        (&[("HOME", "/h"), ("HF_HOME", "/f")], "/f/hub"),
        (&[("HOME", "/h"), ("HF_HOME", "~/f")], "/h/f/hub"),
        (&[("HF_HOME", "/f"), ("HF_HUB_CACHE", "/c")], "/c"),
        (&[("HF_HOME", "/f"), ("HUGGINGFACE_HUB_CACHE", "/c")], "/c"),
        (&[("HF_HUB_CACHE", ""), ("HF_HOME", "/f")], "/f/hub"),
    ] {
        assert_eq!(
            store_root(environment(variables)).unwrap(),
            Path::new(path),
            "{variables:?}"
        );
    }
    assert!(store_root(environment(&[])).is_err());
}

#[test]
fn the_endpoint_is_the_public_hub_unless_told_otherwise() {
    assert_eq!(
        hub_endpoint(environment(&[])).unwrap().as_str(),
        "https://huggingface.co/"
    );
    let mirror = [("HF_ENDPOINT", "http://127.0.0.1:9/hub")];
    assert_eq!(hub_endpoint(environment(&mirror)).unwrap().path(), "/hub");
    for wrong in ["huggingface.co", "ftp://x", "file:///etc"] {
        let refused = hub_endpoint(environment(&[("HF_ENDPOINT", wrong)])).unwrap_err();
        assert!(refused.to_string().contains(wrong));
    }
}

#[test]
fn the_token_is_the_one_that_the_hub_clients_would_use_and_says_where_it_came_from() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "hf_file\n").unwrap();
    let path = file.to_str().unwrap();
    let home = folder.path().to_str().unwrap();
    for (variables, found) in [
        (
            &[("HF_TOKEN", "hf_a "), ("HF_TOKEN_PATH", path)][..],
            Some(("hf_a", "HF_TOKEN")),
        ),
        (
            &[("HUGGING_FACE_HUB_TOKEN", "hf_b")],
            Some(("hf_b", "HUGGING_FACE_HUB_TOKEN")),
        ),
        (&[("HF_TOKEN_PATH", path)], Some(("hf_file", path))),
        (&[("HF_HOME", home)], Some(("hf_file", path))),
        (
            &[("HF_HOME", home), ("HF_TOKEN_PATH", "/nonexistent")],
            None,
        ),
        (
            &[("HF_TOKEN", "hf_a"), ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")],
            None,
        ),
        (&[], None),
    ] {
        let token = HubToken::discover(environment(variables)).unwrap();
        let seen = token.as_ref().map(|token| (token.expose(), token.source()));
        assert_eq!(seen, found, "{variables:?}");
    }
}

#[test]
fn a_token_is_never_printed() {
    let token = HubToken::new("hf_secret".to_owned(), "HF_TOKEN");
    assert!(!format!("{token:?}").contains("hf_secret"));
}

#[test]
fn the_hub_is_not_asked_when_the_variable_says_so() {
    for (value, offline) in [
        ("1", true),
        ("true", true),
        ("YES", true),
        ("0", false),
        ("", false),
    ] {
        let variables = [("HF_HUB_OFFLINE", value)];
        assert_eq!(is_offline(environment(&variables)), offline, "{value}");
    }
    assert!(!is_offline(environment(&[])));
}
