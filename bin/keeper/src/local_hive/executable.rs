//! Finding our own `hive`: another program of that name must not be started by surprise.

use std::{
    env,
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::process::Command;

use crate::{exit_code, failure::Failure, hives::TOKEN_VARIABLE};

/// A program that takes longer to say its version is not ours.
const VERSION_LIMIT: Duration = Duration::from_secs(5);

/// The `hive` beside this keeper, else the first one of ours on the path.
pub(super) async fn find(search_path: Option<&OsStr>) -> Result<PathBuf, Failure> {
    let mut others = Vec::new();
    for candidate in candidates(env::current_exe().ok().as_deref(), search_path) {
        if !candidate.is_file() {
            continue;
        }
        if version_of(&candidate).await.as_deref().is_some_and(is_ours) {
            return Ok(candidate);
        }
        others.push(candidate.display().to_string());
    }
    let why = (!others.is_empty()).then(|| format!("{} is another program", others.join(", ")));
    Err(Failure::new(
        exit_code::UNREACHABLE,
        "hive_not_found",
        "no hive runs here, and no `hive` program is beside keeper or on the PATH",
        "install hive, or name one that runs elsewhere: --hive https://gpu1:7835",
    )
    .because(why))
}

fn candidates(own: Option<&Path>, search_path: Option<&OsStr>) -> Vec<PathBuf> {
    let beside = own.and_then(Path::parent).map(|folder| folder.join("hive"));
    let search_path = search_path.map(OsString::from).unwrap_or_default();
    let on_path = env::split_paths(&search_path)
        // A relative folder on the path would run what happens to lie in the current one.
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join("hive"))
        .collect::<Vec<_>>();
    beside.into_iter().chain(on_path).collect()
}

async fn version_of(program: &Path) -> Option<String> {
    let output = Command::new(program)
        .arg("--version")
        .env_remove(TOKEN_VARIABLE)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(VERSION_LIMIT, output)
        .await
        .ok()?
        .ok()?;
    String::from_utf8(output.stdout).ok()
}

/// `hive <semver> (model hive)`, exactly.
pub(crate) fn is_ours(version: &str) -> bool {
    let version = version.strip_suffix('\n').unwrap_or(version);
    let Some(number) = version
        .strip_prefix("hive ")
        .and_then(|rest| rest.strip_suffix(" (model hive)"))
    else {
        return false;
    };
    let core = number.split(['-', '+']).next().unwrap_or_default();
    let parts: Vec<&str> = core.split('.').collect();
    parts.len() == 3
        && parts
            .iter()
            .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
        && !number.contains(char::is_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_version_line_is_taken() {
        for ours in [
            "hive 0.1.0 (model hive)\n",
            "hive 1.20.3-rc.1+b5 (model hive)",
        ] {
            assert!(is_ours(ours), "{ours}");
        }
        for other in [
            "hive 0.1.0\n",
            "Hive 3.1.3\nSubversion git://…",
            "hive 0.1 (model hive)",
            "hive 0.1.x (model hive)",
            "hive 0.1.0 (model hive)\nmore",
            "",
        ] {
            assert!(!is_ours(other), "{other}");
        }
    }

    #[test]
    fn the_one_beside_keeper_comes_first_and_relative_folders_do_not_count() {
        let found = candidates(
            Some(Path::new("/opt/bin/keeper")),
            Some(OsStr::new("/usr/bin:.::bin:/usr/local/bin")),
        );
        let expected = ["/opt/bin/hive", "/usr/bin/hive", "/usr/local/bin/hive"];
        assert_eq!(found, expected.map(PathBuf::from));
    }
}
