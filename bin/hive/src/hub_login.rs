//! As whom this hive asks the Hub: with the token that someone gave it, else with the one of its environment.

use std::{
    fs::{self, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use hive_api::{HubAccount, Problem, ProblemCode, StateFolder};
use model_provisioner::{AccountError, HubSetupError, HubToken};
use secrecy::{ExposeSecret, SecretString};
use tokio::{sync::Mutex, task::spawn_blocking};

use crate::{
    operations::model_download::ModelDownloads,
    state_folder::files::{self, OpenFileError},
};

/// How a token that was given is called where people ask where it came from.
const SOURCE: &str = "keeper hive login";
/// No token is longer.
const LONGEST_TOKEN_BYTES: u64 = 4096;

/// The account of this hive at the Hub.
pub(crate) struct HubLogin {
    path: PathBuf,
    /// What counts where no token was given.
    environment: Option<HubToken>,
    downloads: Arc<ModelDownloads>,
    /// One change at a time.
    changing: Mutex<()>,
}

/// The token that this hive was given, if there is one. Blocks on the disk.
pub(crate) fn given_token(folder: &StateFolder) -> io::Result<Option<HubToken>> {
    let file = match open(&folder.hub_token(), OpenOptions::new().read(true)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let mut text = String::new();
    file.take(LONGEST_TOKEN_BYTES).read_to_string(&mut text)?;
    let token = text.trim();
    Ok((!token.is_empty()).then(|| HubToken::new(token.to_owned(), SOURCE)))
}

impl HubLogin {
    pub(crate) fn new(
        folder: &StateFolder,
        environment: Option<HubToken>,
        downloads: Arc<ModelDownloads>,
    ) -> Self {
        Self {
            path: folder.hub_token(),
            environment,
            downloads,
            changing: Mutex::default(),
        }
    }

    /// Who it is, asked of the Hub.
    pub(crate) async fn account(&self) -> Result<HubAccount, Problem> {
        let account = self.downloads.provisioner.hub_account().await;
        let account = account.map_err(|error| self.problem(error))?;
        Ok(self.shown(account))
    }

    /// Takes a token that the Hub accepts; otherwise everything stays as it is.
    pub(crate) async fn log_in(&self, token: SecretString) -> Result<HubAccount, Problem> {
        let _one_at_a_time = self.changing.lock().await;
        let hub_token = HubToken::new(token.clone(), SOURCE);
        let provisioner = &self.downloads.provisioner;
        let account = provisioner.account_of(&hub_token).await;
        let account = account.map_err(|error| self.problem(error))?;
        let path = self.path.clone();
        self.on_disk(move || write(&path, &token)).await?;
        let set = provisioner.set_hub_token(Some(&hub_token), Some(account.clone()));
        set.map_err(|error| unusable(&error))?;
        Ok(self.shown(Some(account)))
    }

    /// Forgets the token that was given. Repeatable.
    pub(crate) async fn log_out(&self) -> Result<HubAccount, Problem> {
        let _one_at_a_time = self.changing.lock().await;
        let path = self.path.clone();
        self.on_disk(move || match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        })
        .await?;
        let provisioner = &self.downloads.provisioner;
        let set = provisioner.set_hub_token(self.environment.as_ref(), None);
        set.map_err(|error| unusable(&error))?;
        Ok(self.shown(provisioner.known_hub_account()))
    }

    fn shown(&self, account: Option<String>) -> HubAccount {
        HubAccount {
            endpoint: self.downloads.shown_hub(),
            account,
            token_source: self.downloads.provisioner.hub_token_source(),
        }
    }

    async fn on_disk(
        &self,
        work: impl FnOnce() -> io::Result<()> + Send + 'static,
    ) -> Result<(), Problem> {
        let done = spawn_blocking(work).await.map_err(io::Error::other);
        done.flatten().map_err(|error| {
            let detail = format!("{} cannot be changed", self.path.display());
            Problem::new(ProblemCode::IoError, detail)
                .with_reason(error.to_string())
                .with_hint("make room on the disk of the hive's state folder, then try again")
        })
    }

    fn problem(&self, error: AccountError) -> Problem {
        let machine = &self.downloads.machine;
        match error {
            AccountError::Offline => {
                let detail = format!("{machine} must not ask the Hub");
                Problem::new(ProblemCode::Offline, detail)
                    .with_reason("HF_HUB_OFFLINE is set")
                    .with_hint(format!(
                        "on {machine}, unset HF_HUB_OFFLINE and restart the hive"
                    ))
            }
            AccountError::Refused => {
                let detail = "the Hub does not accept the token";
                let hint = format!(
                    "make a new one at {}/settings/tokens",
                    self.downloads.shown_hub()
                );
                Problem::new(ProblemCode::UpstreamAuth, detail).with_hint(hint)
            }
            AccountError::NoAnswer(error) => self.downloads.problem_of(&error),
        }
    }
}

fn unusable(error: &HubSetupError) -> Problem {
    Problem::new(ProblemCode::Internal, error.to_string())
}

/// Puts the token there whole or not at all.
fn write(path: &Path, token: &SecretString) -> io::Result<()> {
    let draft = path.with_extension("new");
    let mut options = OpenOptions::new();
    let mut file = open(&draft, options.write(true).create(true).truncate(true))?;
    writeln!(file, "{}", token.expose_secret())?;
    file.sync_all()?;
    fs::rename(&draft, path)
}

fn open(path: &Path, options: &mut OpenOptions) -> io::Result<fs::File> {
    files::open(path, options).map_err(|error| match error {
        OpenFileError::Refused(refused) => io::Error::other(refused),
        OpenFileError::Io(error) => error,
    })
}
