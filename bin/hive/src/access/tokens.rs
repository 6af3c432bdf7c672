//! The named tokens of a hive: made, found by their secret, ended.

use std::{
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use hive_api::{CreateToken, InvalidField, NewToken, Open, Problem, ProblemCode, Scope, TokenInfo};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use subtle::{ConditionallySelectable, ConstantTimeEq};
use tokio::time::sleep;
use tokio_util::{
    sync::CancellationToken,
    task::{TaskTracker, task_tracker::TaskTrackerToken},
};

use super::token_file::{self, Record, TokenFileError};
use crate::local_token;

/// The name under which the owner of this hive asks, over the socket and with the local token alike.
pub(crate) const LOCAL: &str = "local";
/// Every request is compared with all of them.
pub(crate) const MOST_TOKENS: usize = 1000;
/// What a token begins with, so that one that leaked is recognised.
const PREFIX: &str = "hive_";
/// A name fits into a line of a table and into a host name.
const LONGEST_NAME: usize = 63;
/// Ten years.
pub(crate) const LONGEST_LIFE_SECONDS: u64 = 315_360_000;
/// The wall clock is looked at again after this: it goes on while the machine sleeps, and a timer does not.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// Whether a token can be called so.
pub(crate) fn is_token_name(name: &str) -> bool {
    let sane = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(sane) && name != LOCAL
}

/// Every named token of a hive, as on the disk.
pub(crate) struct Tokens {
    path: PathBuf,
    /// Held while a change is written, so that changes follow each other. Taken before `held`.
    changing: Mutex<()>,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    tokens: Vec<Token>,
    /// Whether there were uses since the file was written.
    used: bool,
}

struct Token {
    record: Record,
    digest: [u8; 32],
    end: TokenEnd,
}

/// When a token ends, and who has to end with it.
#[derive(Clone, Debug, Default)]
pub(crate) struct TokenEnd {
    expires_at: Option<Timestamp>,
    revoked: CancellationToken,
    /// What is open by it.
    open: TaskTracker,
}

impl TokenEnd {
    /// Of a token that was not revoked.
    pub(crate) fn at(expires_at: Option<Timestamp>) -> Self {
        Self {
            expires_at,
            ..Self::default()
        }
    }

    /// When it ends by itself, `None` for never.
    pub(crate) const fn expires_at(&self) -> Option<Timestamp> {
        self.expires_at
    }

    /// Whether the token has ended.
    pub(crate) fn is_over(&self) -> bool {
        self.revoked.is_cancelled() || self.has_expired()
    }

    /// Returns when the token has ended.
    pub(crate) async fn over(&self) {
        let expired = async {
            loop {
                match self.left() {
                    Some(left) if left.is_zero() => return,
                    Some(left) => sleep(left.min(LOOK_EVERY)).await,
                    None => std::future::pending().await,
                }
            }
        };
        tokio::select! {
            () = self.revoked.cancelled() => {}
            () = expired => {}
        }
    }

    /// Something that is open by the token, until dropped.
    pub(crate) fn hold(&self) -> TaskTrackerToken {
        self.open.token()
    }

    /// Returns when nothing is open by the token any more.
    pub(crate) async fn nothing_open(&self) {
        self.open.close();
        self.open.wait().await;
    }

    fn has_expired(&self) -> bool {
        self.left().is_some_and(|left| left.is_zero())
    }

    /// The time it has left, zero for none; `None` where it has no end.
    fn left(&self) -> Option<Duration> {
        let left = self.expires_at?.duration_since(Timestamp::now());
        Some(Duration::try_from(left).unwrap_or_default())
    }
}

/// What a secret turned out to be.
pub(crate) enum Found {
    /// The secret of a token that lets in.
    Token {
        name: String,
        scope: Scope,
        end: TokenEnd,
    },
    /// The secret of a token whose time is over.
    Expired { name: String },
    /// The secret of none.
    Unknown,
}

/// Why a token was not made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CreateError {
    /// The name cannot be.
    #[error("a token's name is 1 to 63 of A-Z a-z 0-9 . _ -, and not `local`")]
    Name,
    /// Another has it.
    #[error("there is a token `{0}` already")]
    Taken(String),
    /// The end cannot be.
    #[error("a token lasts from 1 second to 10 years")]
    Expiry,
    /// There are too many.
    #[error("there are {MOST_TOKENS} tokens already")]
    TooMany,
    /// The system gave no randomness.
    #[error("the system gives no random bytes")]
    Randomness(#[source] getrandom::Error),
    /// They cannot be written.
    #[error(transparent)]
    File(#[from] TokenFileError),
}

impl CreateError {
    /// As it is told.
    pub(crate) fn problem(&self) -> Problem {
        let invalid = |pointer: &str| {
            let field = InvalidField {
                pointer: pointer.to_owned(),
                detail: self.to_string(),
            };
            Problem::new(ProblemCode::InvalidRequest, self.to_string()).with_errors(vec![field])
        };
        match self {
            Self::Name => invalid("/name"),
            Self::Expiry => invalid("/expires_in_seconds"),
            Self::TooMany => invalid("").with_hint("hive token revoke ends those of no use"),
            Self::Taken(name) => {
                let hint = format!("take another name, or hive token revoke {name} first");
                Problem::new(ProblemCode::NameTaken, self.to_string()).with_hint(hint)
            }
            Self::Randomness(_) | Self::File(_) => {
                Problem::new(ProblemCode::Internal, self.to_string())
            }
        }
    }
}

impl Tokens {
    /// Reads them.
    pub(crate) fn load(path: PathBuf) -> Result<Self, TokenFileError> {
        let damaged = || TokenFileError::Damaged {
            path: path.clone(),
            reason: "a token has no sha256".to_owned(),
        };
        let tokens = token_file::read(&path)?
            .into_iter()
            .map(|record| Token::of(record).ok_or_else(damaged))
            .collect::<Result<_, _>>()?;
        let held = Held {
            tokens,
            used: false,
        };
        Ok(Self {
            path,
            changing: Mutex::default(),
            held: Mutex::new(held),
        })
    }

    /// Whose secret it is, found in the same time for every secret, and noted as a use.
    pub(crate) fn find(&self, secret: &[u8]) -> Found {
        let digest: [u8; 32] = Sha256::digest(secret).into();
        let mut held = self.lock();
        let mut place = u32::MAX;
        for (number, token) in (0_u32..).zip(&held.tokens) {
            place.conditional_assign(&number, token.digest.ct_eq(&digest));
        }
        let Some(token) = held.tokens.get_mut(place as usize) else {
            return Found::Unknown;
        };
        let name = token.record.name.clone();
        if token.end.is_over() {
            return Found::Expired { name };
        }
        token.record.last_used_at = Some(Timestamp::now());
        let found = Found::Token {
            name,
            scope: token.record.scope,
            end: token.end.clone(),
        };
        held.used = true;
        found
    }

    /// All of them, the oldest first.
    pub(crate) fn list(&self) -> Vec<TokenInfo> {
        self.lock().tokens.iter().map(Token::info).collect()
    }

    /// Makes one: on the disk before it lets anybody in. Blocks.
    pub(crate) fn create(&self, wanted: &CreateToken) -> Result<NewToken, CreateError> {
        let _changing = self.change();
        self.create_named(wanted, wanted.name.clone())
    }

    /// Makes one of this name, or with `-2`, `-3` … where it is taken. Blocks.
    pub(crate) fn create_near(&self, wanted: &CreateToken) -> Result<NewToken, CreateError> {
        let _changing = self.change();
        let room = LONGEST_NAME - "-1000".len();
        // A name is ASCII, or it is refused below.
        let stem = wanted.name.get(..room).unwrap_or(&wanted.name);
        let names = (2..=MOST_TOKENS + 2).map(|number| format!("{stem}-{number}"));
        let mut names = std::iter::once(wanted.name.clone()).chain(names);
        let free = names.find(|name| name != LOCAL && !self.has(name));
        self.create_named(wanted, free.unwrap_or_else(|| wanted.name.clone()))
    }

    fn create_named(&self, wanted: &CreateToken, name: String) -> Result<NewToken, CreateError> {
        if !is_token_name(&name) {
            return Err(CreateError::Name);
        }
        if self.has(&name) {
            return Err(CreateError::Taken(name));
        }
        let mut records = self.records();
        if records.len() >= MOST_TOKENS {
            return Err(CreateError::TooMany);
        }
        let created_at = Timestamp::now();
        let expires_at = wanted
            .expires_in_seconds
            .map(|seconds| end_after(created_at, seconds))
            .transpose()?;
        let random = local_token::new_token().map_err(CreateError::Randomness)?;
        let secret = format!("{PREFIX}{random}");
        let record = Record {
            name,
            sha256: local_token::hexadecimal(&Sha256::digest(&secret)),
            scope: wanted.scope,
            created_at,
            expires_at,
            last_used_at: None,
        };
        records.push(record.clone());
        token_file::write(&self.path, records)?;
        let made = NewToken {
            name: record.name.clone(),
            scope: Open::Known(record.scope),
            expires_at,
            token: secret,
        };
        self.lock().tokens.extend(Token::of(record));
        Ok(made)
    }

    /// Ends one: it lets nobody in once this returns, and not after the next start either. What is open by it ends, and
    /// can be waited for. Blocks.
    pub(crate) fn revoke(
        &self,
        name: &str,
    ) -> Result<Option<(TokenInfo, TokenEnd)>, TokenFileError> {
        let _changing = self.change();
        let mut records = self.records();
        let before = records.len();
        records.retain(|record| record.name != name);
        if records.len() == before {
            return Ok(None);
        }
        token_file::write(&self.path, records)?;
        let mut held = self.lock();
        let place = held
            .tokens
            .iter()
            .position(|token| token.record.name == name);
        Ok(place.map(|place| {
            let token = held.tokens.remove(place);
            token.end.revoked.cancel();
            (token.info(), token.end)
        }))
    }

    /// Writes when tokens were last used, if they were since. Blocks.
    pub(crate) fn write_uses(&self) -> Result<(), TokenFileError> {
        let _changing = self.change();
        if !std::mem::take(&mut self.lock().used) {
            return Ok(());
        }
        token_file::write(&self.path, self.records())
    }

    fn has(&self, name: &str) -> bool {
        let held = self.lock();
        held.tokens.iter().any(|token| token.record.name == name)
    }

    fn records(&self) -> Vec<Record> {
        let held = self.lock();
        held.tokens
            .iter()
            .map(|token| token.record.clone())
            .collect()
    }

    fn change(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Token {
    fn of(record: Record) -> Option<Self> {
        Some(Self {
            digest: record.digest()?,
            end: TokenEnd::at(record.expires_at),
            record,
        })
    }

    fn info(&self) -> TokenInfo {
        TokenInfo {
            name: self.record.name.clone(),
            scope: Open::Known(self.record.scope),
            created_at: self.record.created_at,
            expires_at: self.record.expires_at,
            last_used_at: self.record.last_used_at,
        }
    }
}

fn end_after(begin: Timestamp, seconds: u64) -> Result<Timestamp, CreateError> {
    if !(1..=LONGEST_LIFE_SECONDS).contains(&seconds) {
        return Err(CreateError::Expiry);
    }
    let life = i64::try_from(seconds).map_err(|_| CreateError::Expiry)?;
    begin
        .checked_add(SignedDuration::from_secs(life))
        .map_err(|_| CreateError::Expiry)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    fn wanted(name: &str) -> CreateToken {
        CreateToken {
            name: name.to_owned(),
            scope: Scope::Read,
            expires_in_seconds: None,
        }
    }

    fn tokens() -> (tempfile::TempDir, Tokens) {
        let folder = tempfile::tempdir().unwrap();
        let tokens = Tokens::load(folder.path().join("tokens.json")).unwrap();
        (folder, tokens)
    }

    fn name_of(tokens: &Tokens, secret: &str) -> Option<String> {
        match tokens.find(secret.as_bytes()) {
            Found::Token { name, .. } => Some(name),
            Found::Expired { .. } | Found::Unknown => None,
        }
    }

    #[test]
    fn a_token_outlives_the_hive_and_its_secret_is_kept_nowhere() {
        let (_folder, tokens) = tokens();
        let made = [tokens.create(&wanted("a")), tokens.create(&wanted("b"))];
        let made = made.map(Result::unwrap);
        for token in &made {
            assert!(token.token.starts_with(PREFIX) && token.token.len() == PREFIX.len() + 64);
        }
        let text = fs::read_to_string(&tokens.path).unwrap();
        assert!(!text.contains(&made[0].token[PREFIX.len()..]));
        let permissions = tokens.path.metadata().unwrap().permissions();
        assert_eq!(permissions.mode() & 0o777, 0o600);
        let again = Tokens::load(tokens.path.clone()).unwrap();
        for token in &made {
            assert_eq!(name_of(&again, &token.token).as_ref(), Some(&token.name));
        }
        assert_eq!(name_of(&again, "hive_x"), None);
    }

    #[test]
    fn a_use_is_written_later_and_once() {
        let (_folder, tokens) = tokens();
        let made = tokens.create(&wanted("a")).unwrap();
        let last_used = || Tokens::load(tokens.path.clone()).unwrap().list()[0].last_used_at;
        tokens.find(made.token.as_bytes());
        assert_eq!(last_used(), None);
        tokens.write_uses().unwrap();
        assert!(last_used().is_some());
        fs::remove_file(&tokens.path).unwrap();
        tokens.write_uses().unwrap();
        assert!(!tokens.path.exists());
    }

    #[test]
    fn a_name_that_is_taken_or_cannot_be_is_refused_or_made_unique() {
        let (_folder, tokens) = tokens();
        for name in ["", "local", "a b", "a/b", "ä", &"x".repeat(64)] {
            assert!(matches!(
                tokens.create(&wanted(name)),
                Err(CreateError::Name)
            ));
        }
        tokens.create(&wanted("a")).unwrap();
        assert!(matches!(
            tokens.create(&wanted("a")),
            Err(CreateError::Taken(_))
        ));
        let near = |name: &str| tokens.create_near(&wanted(name)).unwrap().name;
        assert_eq!([near("a"), near("a"), near("b")], ["a-2", "a-3", "b"]);
        assert_eq!(near("local"), "local-2");
        let long = "x".repeat(63);
        near(&long);
        assert!(is_token_name(&near(&long)));
    }

    #[tokio::test]
    async fn a_revoked_token_lets_nobody_in_and_what_is_open_by_it_ends() {
        let (_folder, tokens) = tokens();
        let made = tokens.create(&wanted("a")).unwrap();
        let Found::Token { end, .. } = tokens.find(made.token.as_bytes()) else {
            panic!("the token is not found");
        };
        let (_, ended) = tokens.revoke("a").unwrap().unwrap();
        end.over().await;
        assert!(ended.is_over());
        assert_eq!(name_of(&tokens, &made.token), None);
        assert!(Tokens::load(tokens.path.clone()).unwrap().list().is_empty());
        assert!(tokens.revoke("a").unwrap().is_none());
    }

    #[tokio::test]
    async fn a_token_whose_time_is_over_ends_by_itself() {
        let end = TokenEnd::at(Some(Timestamp::now() - SignedDuration::from_secs(1)));
        end.over().await;
        assert!(end.is_over());
        let later = Timestamp::now() + SignedDuration::from_hours(1);
        assert!(!TokenEnd::at(Some(later)).is_over());
    }
}
