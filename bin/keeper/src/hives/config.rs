//! keeper's own files: `config.toml`, `credentials.toml`, and which job it submitted last.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs, io,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
};

use hive_api::JobId;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::entry::Known;
use crate::failure::Failure;

pub(super) const CONFIG: &str = "config.toml";
pub(super) const CREDENTIALS: &str = "credentials.toml";
const LAST_JOB: &str = "last-job.json";

/// Which hives there are.
#[derive(Debug, Default)]
pub(crate) struct Config {
    folder: Option<PathBuf>,
    default: Option<String>,
    hives: BTreeMap<String, Known>,
    tokens: BTreeMap<String, SecretString>,
}

/// The job that this keeper submitted last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LastJob {
    /// The hive, as it would be named after `--hive`.
    pub(crate) hive: String,
    /// The job there.
    pub(crate) job_id: JobId,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfigFile {
    #[serde(rename = "use")]
    default: Option<String>,
    #[serde(default)]
    hives: BTreeMap<String, toml::Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Credential {
    token: String,
}

impl Config {
    /// Reads keeper's files; absent ones are empty.
    pub(crate) fn load(variable: &impl Fn(&str) -> Option<OsString>) -> Result<Self, Failure> {
        let Some(folder) = folder(variable) else {
            return Ok(Self::default());
        };
        let config = read(&folder.join(CONFIG))?;
        let credentials = folder.join(CREDENTIALS);
        refuse_readable_by_others(&credentials)?;
        let mut loaded = Self::parse(&config, &read(&credentials)?).map_err(|error| {
            Failure::usage(
                format!("keeper's files in {} have an error", folder.display()),
                "correct the line that is named",
            )
            .because(Some(error))
        })?;
        loaded.folder = Some(folder);
        Ok(loaded)
    }

    /// Takes the texts of both files. What is wrong with one hive is found when that one is meant.
    pub(crate) fn parse(config: &str, credentials: &str) -> Result<Self, String> {
        let one_line = |error: toml::de::Error| error.message().to_owned();
        let config: ConfigFile = toml::from_str(config).map_err(one_line)?;
        let credentials: BTreeMap<String, toml::Value> =
            toml::from_str(credentials).map_err(one_line)?;
        let hives = config.hives.into_iter();
        let mut hives: BTreeMap<String, Known> = hives
            .map(|(name, value)| (name, Known::of(value)))
            .collect();
        let mut tokens = BTreeMap::new();
        for (name, value) in credentials {
            match value.try_into::<Credential>() {
                Ok(credential) => {
                    tokens.insert(name, SecretString::from(credential.token));
                }
                // The error could show what stands there.
                Err(_) => {
                    if let Some(known) = hives.get_mut(&name) {
                        known.entry = Err(format!("no token can be read in {CREDENTIALS}"));
                    }
                }
            }
        }
        Ok(Self {
            folder: None,
            hives,
            tokens,
            default: config.default,
        })
    }

    /// The hive that is used when none is named.
    pub(crate) fn default_hive(&self) -> Option<&str> {
        self.default.as_deref()
    }

    /// A hive by its name.
    pub(crate) fn hive(&self, name: &str) -> Option<&Known> {
        self.hives.get(name)
    }

    /// All hives, by name.
    pub(crate) fn hives(&self) -> &BTreeMap<String, Known> {
        &self.hives
    }

    /// The token of a hive.
    pub(crate) fn token(&self, name: &str) -> Option<&SecretString> {
        self.tokens.get(name)
    }

    /// The folder of keeper's files, where the environment names one.
    pub(super) fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// The names there are, as a remedy for one that there is not.
    pub(crate) fn known_hives(&self) -> String {
        let names: Vec<&str> = self.hives.keys().map(String::as_str).collect();
        if names.is_empty() {
            "use local, an address such as ssh://gpu1, or add one: keeper hive add".to_owned()
        } else {
            format!("use local, {}, or an address", names.join(", "))
        }
    }

    /// The job that this keeper submitted last.
    pub(crate) fn last_job(&self) -> Option<LastJob> {
        let text = fs::read(self.folder.as_ref()?.join(LAST_JOB)).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Remembers the job that was submitted last, whole or not at all.
    pub(crate) fn remember_last_job(&self, last: &LastJob) -> io::Result<()> {
        let Some(folder) = &self.folder else {
            return Ok(());
        };
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
        let unfinished = folder.join(format!("{LAST_JOB}.{}", std::process::id()));
        fs::write(&unfinished, serde_json::to_vec(last)?)?;
        fs::rename(&unfinished, folder.join(LAST_JOB))
    }
}

/// `KEEPER_CONFIG_DIR`, else `$XDG_CONFIG_HOME/keeper`, else `~/.config/keeper`.
fn folder(variable: &impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let set = |name: &str| {
        variable(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    set("KEEPER_CONFIG_DIR").or_else(|| {
        set("XDG_CONFIG_HOME")
            .filter(|folder| folder.is_absolute())
            .or_else(|| set("HOME").map(|home| home.join(".config")))
            .map(|folder| folder.join("keeper"))
    })
}

pub(super) fn read(path: &Path) -> Result<String, Failure> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(Failure::usage(
            format!("{} cannot be read", path.display()),
            "correct its permissions, or set KEEPER_CONFIG_DIR",
        )
        .because(Some(error.to_string()))),
    }
}

/// A file of tokens that others can read gives the tokens away.
fn refuse_readable_by_others(path: &Path) -> Result<(), Failure> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.permissions().mode() & 0o077 != 0 => Err(Failure::usage(
            format!("{} can be read by others", path.display()),
            format!("chmod 600 {}", path.display()),
        )),
        Ok(_) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(folder: &Path) -> Result<Config, Failure> {
        let folder = folder.as_os_str().to_owned();
        Config::load(&move |name: &str| (name == "KEEPER_CONFIG_DIR").then(|| folder.clone()))
    }

    #[test]
    fn without_files_there_are_no_hives_and_no_last_job() {
        let folder = tempfile::tempdir().unwrap();
        let config = load(folder.path()).unwrap();
        assert_eq!(config.default_hive(), None);
        assert_eq!(config.last_job(), None);
    }

    #[test]
    fn the_last_job_is_remembered_and_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let nested = folder.path().join("deep/keeper");
        let config = load(&nested).unwrap();
        for digit in [1_u128, 2] {
            let last = LastJob {
                hive: "gpu1".into(),
                job_id: JobId::new(uuid::Uuid::from_u128(digit)),
            };
            config.remember_last_job(&last).unwrap();
            assert_eq!(load(&nested).unwrap().last_job(), Some(last));
        }
        assert_eq!(fs::read_dir(&nested).unwrap().count(), 1);
    }

    #[test]
    fn credentials_that_others_can_read_are_refused_with_the_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(CREDENTIALS);
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let failure = load(folder.path()).unwrap_err();
        assert!(failure.problem.hint.unwrap().starts_with("chmod 600 "));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(load(folder.path()).is_ok());
    }

    #[test]
    fn an_error_in_the_entry_or_the_token_of_a_hive_is_its_own_and_never_shows_a_token() {
        let config = "[hives.a]\nurl = \"https://a\"\n\
                      [hives.b]\nurl = \"https://b\"\npin = \"md5:1\"\nlabels = { gpu = \"h100\" }\n\
                      [hives.c]\nurl = \"https://c\"\n";
        for credential in ["tokn = \"secret\"", "token = [\"secret\"]"] {
            let config = Config::parse(config, &format!("[c]\n{credential}\n")).unwrap();
            let fault = |name: &str| config.hive(name).unwrap().entry.as_ref().err();
            assert_eq!(fault("a"), None);
            assert!(fault("b").unwrap().contains("sha256:"));
            assert!(fault("c").unwrap().contains(CREDENTIALS));
            assert!(!fault("c").unwrap().contains("secret"));
            assert_eq!(config.hive("b").unwrap().labels["gpu"], "h100");
        }
        assert!(Config::parse("ues = \"gpu1\"", "").is_err());
    }
}
