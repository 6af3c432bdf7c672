//! Changing `config.toml` and `credentials.toml`: a person's files, so comments and order stay, and a change is whole or
//! not at all, one at a time.

use std::{
    ffi::OsString,
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock};
use secrecy::{ExposeSecret, SecretString};
use toml_edit::{DocumentMut, InlineTable, Item, Table, TableLike, Value, value};

use super::{
    LOCAL, LastJob,
    config::{CONFIG, CREDENTIALS, Config, read},
    entry::{HiveEntry, Known},
};
use crate::{exit_code, failure::Failure};

/// Held while the files are changed. It is never removed: a lock on a file that is gone excludes nobody.
const LOCK: &str = "config.lock";
/// The key of the hive that is used when none is named.
const USE: &str = "use";
const HIVES: &str = "hives";
/// Links to links end.
const LINKS_MAX: usize = 16;

impl Config {
    /// Adds a hive with its token; the first one becomes the one that is used, which is then true. With `replaces` it
    /// takes the place of one that has its name, whose token stays only where the address does.
    pub(crate) fn add(
        &self,
        name: &str,
        entry: &HiveEntry,
        token: Option<&SecretString>,
        replaces: bool,
    ) -> Result<bool, Failure> {
        self.change(|files| {
            if !replaces {
                files.current.expect_no_hive(name)?;
            }
            let becomes_default =
                files.current.default_hive().is_none() && files.current.hives().is_empty();
            let hives = files
                .config
                .entry(HIVES)
                .or_insert_with(|| Item::Table(implicit()));
            let as_table = hives.is_table();
            let hives = table_of(hives, HIVES)?;
            let new = written(entry);
            match hives.get_mut(name).and_then(Item::as_table_like_mut) {
                Some(old) => replace(old, new),
                None if as_table => {
                    hives.insert(name, Item::Table(new));
                }
                None => {
                    hives.insert(name, value(new.into_inline_table()));
                }
            }
            let is_elsewhere = |old: &Known| old.url.as_ref() != Some(&entry.url);
            let is_at_another = files.current.hive(name).is_some_and(is_elsewhere);
            // What stands there and is no token would leave this hive as unusable as before.
            if is_at_another || files.current.token(name).is_none() {
                files.credentials.remove(name);
            }
            if let Some(token) = token {
                let mut credential = Table::new();
                credential.insert("token", value(token.expose_secret()));
                files.credentials.insert(name, Item::Table(credential));
            }
            if becomes_default {
                files.config.insert(USE, value(name));
            }
            Ok(becomes_default)
        })
    }

    /// Sees that the files can be changed, before something is done that is lost where they cannot.
    pub(crate) fn expect_writable(&self) -> Result<(), Failure> {
        self.change(|_| {
            let folder = self.folder().unwrap_or_else(|| Path::new("/"));
            let probe = folder.join(format!(".probe.{}", std::process::id()));
            let probed = File::create(&probe).and_then(|_| fs::remove_file(&probe));
            probed.map_err(|error| not_written(Some(folder), &error))
        })
    }

    /// Removes a hive with its token; true where it was the one that is used.
    pub(crate) fn remove(&self, name: &str) -> Result<bool, Failure> {
        self.change(|files| {
            files.current.expect_hive(name)?;
            files.hives()?.remove(name);
            files.credentials.remove(name);
            let was_default = files.current.default_hive() == Some(name);
            if was_default {
                files.config.remove(USE);
            }
            Ok(was_default)
        })
    }

    /// Gives a hive another name; it stays what it was: used, with its token, the hive of the last job.
    pub(crate) fn rename(&self, old: &str, new: &str) -> Result<(), Failure> {
        self.change(|files| {
            files.current.expect_hive(old)?;
            files.current.expect_no_hive(new)?;
            let hives = files.hives()?;
            if let Some(entry) = hives.remove(old) {
                hives.insert(new, entry);
            }
            if let Some(credential) = files.credentials.remove(old) {
                files.credentials.insert(new, credential);
            }
            if files.current.default_hive() == Some(old) {
                set_value(&mut files.config, USE, new);
            }
            Ok(())
        })?;
        let Some(last) = self.last_job().filter(|last| last.hive == old) else {
            return Ok(());
        };
        let last = LastJob {
            hive: new.to_owned(),
            ..last
        };
        self.remember_last_job(&last)
            .map_err(|error| not_written(self.folder(), &error))
    }

    /// Makes a hive, or `local`, the one that is used when none is named.
    pub(crate) fn use_hive(&self, name: &str) -> Result<(), Failure> {
        self.change(|files| {
            if name != LOCAL {
                files.current.expect_hive(name)?;
            }
            set_value(&mut files.config, USE, name);
            Ok(())
        })
    }

    /// Refuses a name that a hive has.
    pub(crate) fn expect_no_hive(&self, name: &str) -> Result<(), Failure> {
        let Some(known) = self.hive(name) else {
            return Ok(());
        };
        Err(Failure::new(
            exit_code::REFUSED,
            "name_taken",
            format!(
                "there is already a hive `{name}` ({})",
                known.url.as_deref().unwrap_or("no address")
            ),
            "choose another name, or add --replace to give this one its place",
        ))
    }

    /// The hive of this name, or the failure that there is none.
    fn expect_hive(&self, name: &str) -> Result<&Known, Failure> {
        if name == LOCAL {
            return Err(Failure::usage(
                format!("`{LOCAL}` is the hive of this machine, which is always there"),
                "keeper hive stop stops it",
            ));
        }
        self.hive(name).ok_or_else(|| {
            Failure::usage(format!("there is no hive `{name}`"), "see keeper hive list")
        })
    }

    /// Reads both files anew under the lock, changes them, and writes what has changed.
    fn change<T>(
        &self,
        change: impl FnOnce(&mut Files) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let folder = self.folder().ok_or_else(|| {
            Failure::usage(
                "there is no place for keeper's files",
                "set KEEPER_CONFIG_DIR, or HOME",
            )
        })?;
        let not_written = |error: &io::Error| not_written(Some(folder), error);
        let _lock = lock(folder).map_err(|error| not_written(&error))?;
        let (config, credentials) = (folder.join(CONFIG), folder.join(CREDENTIALS));
        let before = (read(&config)?, read(&credentials)?);
        let mut files = Files::parse(&before.0, &before.1)?;
        let outcome = change(&mut files)?;
        let after = (files.config.to_string(), files.credentials.to_string());
        // What keeper could not read again must not be written.
        Config::parse(&after.0, &after.1).map_err(unreadable)?;
        if after.1 != before.1 {
            write(&credentials, &after.1).map_err(|error| not_written(&error))?;
        }
        if after.0 != before.0 {
            write(&config, &after.0).map_err(|error| not_written(&error))?;
        }
        Ok(outcome)
    }
}

/// Both files while they are changed, and what they say before.
struct Files {
    current: Config,
    config: DocumentMut,
    credentials: DocumentMut,
}

impl Files {
    fn parse(config: &str, credentials: &str) -> Result<Self, Failure> {
        let document = |text: &str| text.parse::<DocumentMut>();
        Ok(Self {
            current: Config::parse(config, credentials).map_err(unreadable)?,
            config: document(config).map_err(|error| unreadable(error.message().to_owned()))?,
            credentials: document(credentials)
                .map_err(|error| unreadable(error.message().to_owned()))?,
        })
    }

    fn hives(&mut self) -> Result<&mut dyn TableLike, Failure> {
        table_of(&mut self.config[HIVES], HIVES)
    }
}

fn table_of<'a>(item: &'a mut Item, key: &str) -> Result<&'a mut dyn TableLike, Failure> {
    item.as_table_like_mut()
        .ok_or_else(|| unreadable(format!("`{key}` is not a table")))
}

/// A table that is written only where something stands in it.
fn implicit() -> Table {
    let mut table = Table::new();
    table.set_implicit(true);
    table
}

/// An entry as it is written.
fn written(entry: &HiveEntry) -> Table {
    let mut table = Table::new();
    table.insert("url", value(&entry.url));
    if let Some(pin) = &entry.pin {
        table.insert("pin", value(pin.to_string()));
    }
    if let Some(ca_file) = &entry.ca_file {
        table.insert("ca_file", value(ca_file.to_string_lossy().as_ref()));
    }
    if let Some(proxy) = &entry.proxy {
        table.insert("proxy", value(proxy));
    }
    if let Some(command) = &entry.hive_command {
        table.insert("hive_command", value(command));
    }
    if !entry.labels.is_empty() {
        let labels: InlineTable = entry.labels.iter().collect();
        table.insert("labels", value(labels));
    }
    table
}

/// Gives a table the keys of another; the comments of those that stay stay.
fn replace(old: &mut dyn TableLike, new: Table) {
    let gone: Vec<String> = old
        .iter()
        .map(|(key, _)| key.to_owned())
        .filter(|key| !new.contains_key(key))
        .collect();
    for key in gone {
        old.remove(&key);
    }
    for (key, item) in new {
        match old.get_mut(&key) {
            Some(place) => *place = item,
            None => {
                old.insert(&key, item);
            }
        }
    }
}

/// Changes the value of a key and leaves the comments around it.
fn set_value(document: &mut DocumentMut, key: &str, text: &str) {
    let mut new = Value::from(text);
    match document.get_mut(key).and_then(Item::as_value_mut) {
        Some(old) => {
            *new.decor_mut() = old.decor().clone();
            *old = new;
        }
        None => {
            document.insert(key, Item::Value(new));
        }
    }
}

/// Waits for the turn of this keeper; another has the lock for as long as it writes.
fn lock(folder: &Path) -> io::Result<File> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    let lock = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(folder.join(LOCK))?;
    flock(&lock, FlockOperation::LockExclusive)?;
    Ok(lock)
}

/// Writes a file whole or not at all, beside its place and then into it. A link stays one: what it leads to is replaced.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let path = followed(path)?;
    let folder = path.parent().unwrap_or_else(|| Path::new("/"));
    let mode = fs::metadata(&path).map_or(0o600, |found| found.permissions().mode() & 0o777);
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}", std::process::id()));
    let unfinished = folder.join(name);
    let written = (|| {
        let mut file = File::create(&unfinished)?;
        file.set_permissions(Permissions::from_mode(mode))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&unfinished, &path)?;
        File::open(folder)?.sync_all()
    })();
    if written.is_err() {
        // The error is told; what is left of the try is of no use.
        let _ = fs::remove_file(&unfinished);
    }
    written
}

/// Where a chain of links ends, whether something is there or not.
fn followed(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        let Ok(target) = fs::read_link(&path) else {
            return Ok(path);
        };
        path = path.parent().unwrap_or_else(|| Path::new("/")).join(target);
    }
    Err(io::Error::other("too many links"))
}

fn unreadable(reason: String) -> Failure {
    Failure::usage(
        "keeper's files have an error, so they are left as they are",
        "correct what is named",
    )
    .because(Some(reason))
}

fn not_written(folder: Option<&Path>, error: &io::Error) -> Failure {
    let folder = folder.unwrap_or_else(|| Path::new("")).display();
    Failure::usage(
        format!("keeper's files in {folder} cannot be written"),
        "correct its permissions, or set KEEPER_CONFIG_DIR",
    )
    .because(Some(error.to_string()))
}

#[cfg(test)]
mod tests;
