//! Where keeper's `HF_*` variables differ from what a running hive was started with: the hive's count.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use hive_api::HiveInfo;

/// One line for each difference, with the remedy.
pub(crate) fn differences(
    info: &HiveInfo,
    variable: &impl Fn(&str) -> Option<OsString>,
) -> Vec<String> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    let mut lines = Vec::new();
    let mut differs = |what: &str, theirs: &str| {
        lines.push(format!(
            "{what} is not what the running hive has ({theirs}), and the hive's counts: \
             keeper hive restart"
        ));
    };
    if let Some(endpoint) = set("HF_ENDPOINT") {
        let endpoint = endpoint.to_string_lossy();
        if endpoint.trim_end_matches('/') != info.hub_endpoint.trim_end_matches('/') {
            differs("HF_ENDPOINT", &info.hub_endpoint);
        }
    }
    let cache = set("HF_HUB_CACHE").map(|cache| ("HF_HUB_CACHE", PathBuf::from(cache)));
    let home = || set("HF_HOME").map(|home| ("HF_HOME", PathBuf::from(home).join("hub")));
    if let Some((name, folder)) = cache.or_else(home)
        && folder.is_absolute()
        && folder != Path::new(&info.store_path)
    {
        differs(name, &info.store_path);
    }
    if set("HF_TOKEN").is_some() && info.hub_token_source.as_deref() != Some("HF_TOKEN") {
        let theirs = info.hub_token_source.as_deref().unwrap_or("no token");
        differs("HF_TOKEN", theirs);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info() -> HiveInfo {
        HiveInfo {
            caller: hive_api::Caller {
                name: "local".to_owned(),
                scope: hive_api::Scope::Admin.into(),
                expires_at: None,
            },
            name: "gpu1".into(),
            version: "0.1.0".into(),
            capabilities: Vec::new(),
            pid: 1,
            state_path: "/state".into(),
            store_path: "/srv/hub".into(),
            free_bytes: None,
            hub_endpoint: "https://huggingface.co".into(),
            hub_account: None,
            hub_token_source: None,
            proxy: None,
            ca_file: None,
            listen: Vec::new(),
            tls: None,
            connections: 16,
            limit_bytes_per_second: None,
            running_jobs: 0,
            queued_jobs: 0,
            uptime_seconds: 0,
        }
    }

    fn lines(variables: &[(&str, &str)]) -> Vec<String> {
        differences(&info(), &|name: &str| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn the_same_and_unset_variables_are_no_difference() {
        assert!(lines(&[]).is_empty());
        assert!(
            lines(&[
                ("HF_ENDPOINT", "https://huggingface.co/"),
                ("HF_HUB_CACHE", "/srv/hub"),
                ("HF_HOME", "/elsewhere"),
                ("HF_TOKEN", ""),
            ])
            .is_empty()
        );
    }

    #[test]
    fn each_difference_is_a_line_and_no_token_is_shown() {
        let lines = lines(&[
            ("HF_ENDPOINT", "http://127.0.0.1:9"),
            ("HF_HOME", "/srv"),
            ("HF_HUB_CACHE", "/other"),
            ("HF_TOKEN", "hf_secret"),
        ]);
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert!(lines[0].starts_with("HF_ENDPOINT "));
        assert!(lines[1].starts_with("HF_HUB_CACHE "));
        assert!(lines[2].starts_with("HF_TOKEN "));
        assert!(!lines.concat().contains("hf_secret"));
    }
}
