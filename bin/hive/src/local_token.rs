//! The local bearer token: 256 random bits in a file that only its owner can read.

use std::{
    fmt::Write as _,
    fs::{self, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use hive_api::StateFolder;
use secrecy::SecretString;

use crate::state_folder::{
    StateFolderError,
    files::{self, OTHERS, OpenFileError},
    prepare,
};

/// Random bytes in a token.
const TOKEN_BYTES: usize = 32;
/// No token file is longer than this.
const LONGEST_FILE_BYTES: u64 = 4096;

/// Why the local token cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LocalTokenError {
    /// The folder it is in cannot be used.
    #[error(transparent)]
    StateFolder(#[from] StateFolderError),
    /// Others can read it.
    #[error(
        "{} can be read by other users (mode {mode:03o}): remove it, so that a new one is made, for this one \
         may be known",
        path.display()
    )]
    ReadableByOthers {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It is not what we write.
    #[error("{} does not hold a token: remove it, so that a new one is made", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// The system gave no randomness.
    #[error("the system gives no random bytes")]
    Randomness(#[source] getrandom::Error),
    /// The system refused.
    #[error("cannot read or write {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Reads the token, or makes it where there is none yet.
pub fn read_or_create(folder: &StateFolder) -> Result<SecretString, LocalTokenError> {
    prepare(folder)?;
    let path = folder.token();
    let failed = |source| LocalTokenError::Io {
        path: path.clone(),
        source,
    };
    if !path.try_exists().map_err(failed)? {
        let text = new_token().map_err(LocalTokenError::Randomness)?;
        create(&path, &text)?;
    }
    read(&path)
}

fn read(path: &Path) -> Result<SecretString, LocalTokenError> {
    let failed = |source| LocalTokenError::Io {
        path: path.to_owned(),
        source,
    };
    let file = open(path, OpenOptions::new().read(true))?;
    let mode = file.metadata().map_err(failed)?.mode() & 0o777;
    if mode & OTHERS != 0 {
        let path = path.to_owned();
        return Err(LocalTokenError::ReadableByOthers { path, mode });
    }
    let mut text = String::new();
    let mut bounded = file.take(LONGEST_FILE_BYTES);
    bounded.read_to_string(&mut text).map_err(failed)?;
    let token = text.trim();
    if token.len() < TOKEN_BYTES || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        let path = path.to_owned();
        return Err(LocalTokenError::Malformed { path });
    }
    Ok(SecretString::from(token))
}

/// 256 random bits as hexadecimal digits.
pub(crate) fn new_token() -> Result<String, getrandom::Error> {
    let mut bytes = [0; TOKEN_BYTES];
    getrandom::fill(&mut bytes)?;
    Ok(hexadecimal(&bytes))
}

/// Two digits a byte.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Writes the whole file under another name first and links it: `hive serve` and `hive token` may both be at it,
/// and the first wins.
fn create(path: &Path, token: &str) -> Result<(), LocalTokenError> {
    let failed = |source| LocalTokenError::Io {
        path: path.to_owned(),
        source,
    };
    let draft = path.with_extension(format!("{}.new", std::process::id()));
    let mut options = OpenOptions::new();
    let mut file = open(&draft, options.write(true).create(true).truncate(true))?;
    writeln!(file, "{token}").map_err(failed)?;
    file.sync_all().map_err(failed)?;
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft).map_err(failed)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(failed(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn open(path: &Path, options: &mut OpenOptions) -> Result<fs::File, LocalTokenError> {
    files::open(path, options).map_err(|error| match error {
        OpenFileError::Refused(error) => error.into(),
        OpenFileError::Io(source) => LocalTokenError::Io {
            path: path.to_owned(),
            source,
        },
    })
}
