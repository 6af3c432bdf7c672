//! Where secrets are searched for, and in which spellings.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Result;

/// Larger files are models.
const LARGEST_FILE_BYTES: u64 = 2 << 20;

/// What nobody may come across.
#[derive(Clone, Debug)]
pub(super) struct Secret {
    pub(super) name: String,
    text: String,
}

impl Secret {
    pub(super) fn new(name: impl Into<String>, text: &str) -> Self {
        Self {
            name: name.into(),
            text: text.trim().to_owned(),
        }
    }

    /// As it is.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// As it is, and with what an address or JSON escapes written so.
    fn spellings(&self) -> [String; 3] {
        let escaped = |character: char| match character {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' | '.' | '~' => character.to_string(),
            _ => format!("%{:02X}", u32::from(character)),
        };
        let for_address = self.text.chars().map(escaped).collect();
        let for_json = serde_json::Value::from(self.text.as_str()).to_string();
        let for_json = for_json.trim_matches('"').to_owned();
        [self.text.clone(), for_address, for_json]
    }
}

/// Everything that is searched.
#[derive(Debug, Default)]
pub(super) struct Haystacks(Vec<(String, String)>);

impl Haystacks {
    /// Adds bytes under a name that says where they came from.
    pub(super) fn add(&mut self, name: impl Into<String>, bytes: impl AsRef<[u8]>) {
        let text = String::from_utf8_lossy(bytes.as_ref()).into_owned();
        self.0.push((name.into(), text));
    }

    /// Adds every file below a folder, its name too, but for the contents of those that are meant to hold a secret.
    pub(super) fn add_folder(&mut self, folder: &Path, meant: &[&str]) -> Result<()> {
        for path in files_below(folder)? {
            let name = path.display().to_string();
            self.add(format!("the name of {name}"), &name);
            let is_meant = meant.iter().any(|file| path.ends_with(file));
            let is_model =
                path.extension().is_none() && path.metadata()?.len() > LARGEST_FILE_BYTES;
            if !is_meant && !is_model {
                self.add(name, fs::read(&path)?);
            }
        }
        Ok(())
    }

    /// Where each secret was found.
    pub(super) fn hits(&self, secrets: &[Secret]) -> Vec<String> {
        let mut hits = Vec::new();
        for secret in secrets {
            let spellings = secret.spellings();
            for (name, text) in &self.0 {
                if spellings.iter().any(|spelling| text.contains(spelling)) {
                    hits.push(format!("{} in {name}", secret.name));
                }
            }
        }
        hits
    }

    /// How much is searched: places and bytes.
    pub(super) fn size(&self) -> (usize, usize) {
        let bytes = self.0.iter().map(|(_, text)| text.len()).sum();
        (self.0.len(), bytes)
    }
}

/// Every regular file below a folder; links are not followed.
fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let kind = path.symlink_metadata()?.file_type();
        if kind.is_dir() {
            files.extend(files_below(&path)?);
        } else if kind.is_file() {
            files.push(path);
        }
    }
    Ok(files)
}
