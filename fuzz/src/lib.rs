//! What the targets share: a fuzzer's text as the head of an answer, who reads it, and what a safe path is.

use std::{
    path::{Component, Path},
    sync::OnceLock,
};

use http::{HeaderMap, HeaderName, HeaderValue};
use model_provisioner::{
    Commit, HubLimits, HubSettings, Proxies, RepoId, RepoKind, fuzzing::AnswerReader,
};

/// The Hub whose answers are read.
pub const HUB: &str = "https://hub.test/prefix";

/// Lines of `name: value` as headers; lines that are none are left out.
pub fn headers<'text>(lines: impl Iterator<Item = &'text str>) -> HeaderMap {
    let header = |line: &str| {
        let (name, value) = line.split_once(": ")?;
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        Some((name, HeaderValue::from_bytes(value.as_bytes()).ok()?))
    };
    let mut headers = HeaderMap::new();
    for (name, value) in lines.filter_map(header) {
        headers.append(name, value);
    }
    headers
}

/// The one who reads them.
///
/// # Panics
/// If its settings do not work: nothing can be tried then.
pub fn reader() -> &'static AnswerReader {
    static READER: OnceLock<AnswerReader> = OnceLock::new();
    READER.get_or_init(|| {
        let settings = HubSettings {
            endpoint: HUB.parse().expect("it is an address"),
            token: None,
            user_agent: "fuzz".to_owned(),
            proxies: Proxies::default(),
            ca_file: None,
            is_offline: true,
            limits: HubLimits::default(),
        };
        let repo = RepoId::new(RepoKind::Model, "org/name").expect("it is a name");
        let commit = Commit::new(&"0".repeat(40)).expect("it is a commit");
        AnswerReader::new(settings, repo, commit).expect("these settings work")
    })
}

/// # Panics
/// If joining the name to a folder would lead out of it, or could not be a path.
pub fn assert_stays_below_root(name: &str) {
    let root = Path::new("/store/root");
    let joined = root.join(name);
    let below = joined.strip_prefix(root).expect("it begins with the root");
    assert!(below.components().next().is_some(), "it is the root itself");
    let is_plain = |component| matches!(component, Component::Normal(_));
    assert!(below.components().all(is_plain), "{name:?}");
    assert!(
        name.split('/').all(|part| (1..=255).contains(&part.len())),
        "{name:?}"
    );
    assert!(!name.chars().any(char::is_control), "{name:?}");
}
