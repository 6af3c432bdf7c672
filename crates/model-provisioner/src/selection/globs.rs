//! Globs over repository paths with the meaning that they have in `hf download`: Python's `fnmatch`.
//!
//! `*` and `?` also match `/`, a glob that ends in `/` means everything in that folder, braces and backslashes are
//! ordinary characters, and a `[` that is never closed stands for itself.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

/// A glob that cannot be compiled.
#[derive(Clone, Debug, thiserror::Error)]
#[error("`{glob}` is no glob")]
pub struct GlobError {
    /// The glob as it was given.
    pub glob: String,
    /// What is wrong with it.
    source: globset::Error,
}

/// Which paths of a repository are looked at.
pub(crate) struct Globs {
    include: Option<GlobSet>,
    exclude: GlobSet,
}

impl Globs {
    /// Compiles both lists; an empty `include` restricts nothing.
    pub(crate) fn new(include: &[String], exclude: &[String]) -> Result<Self, GlobError> {
        Ok(Self {
            include: if include.is_empty() {
                None
            } else {
                Some(compile(include)?)
            },
            exclude: compile(exclude)?,
        })
    }

    /// Whether there is an include list.
    pub(crate) fn names_files(&self) -> bool {
        self.include.is_some()
    }

    /// Whether a path is looked at.
    pub(crate) fn admits(&self, path: &str) -> bool {
        self.include
            .as_ref()
            .is_none_or(|globs| globs.is_match(path))
            && !self.exclude.is_match(path)
    }
}

/// Whether every glob can be compiled; for a caller that refuses a request before it becomes work.
pub fn check_globs(globs: &[String]) -> Result<(), GlobError> {
    compile(globs).map(drop)
}

fn compile(globs: &[String]) -> Result<GlobSet, GlobError> {
    let mut set = GlobSetBuilder::new();
    for glob in globs {
        let error = |source| GlobError {
            glob: glob.clone(),
            source,
        };
        let built = GlobBuilder::new(&translate(glob))
            .literal_separator(false)
            .backslash_escape(false)
            .build()
            .map_err(error)?;
        set.add(built);
    }
    set.build().map_err(|source| GlobError {
        glob: globs.join(" "),
        source,
    })
}

/// Writes an `fnmatch` pattern in globset's language.
fn translate(glob: &str) -> String {
    let mut translated = String::with_capacity(glob.len() + 1);
    let mut rest = glob;
    while let Some(character) = rest.chars().next() {
        rest = &rest[character.len_utf8()..];
        match character {
            // globset gives `**` a meaning of its own.
            '*' if translated.ends_with('*') => {}
            '{' | '}' => translated.extend(['[', character, ']']),
            '[' => match class_end(rest) {
                Some(end) => {
                    push_class(&mut translated, &rest[..end]);
                    rest = &rest[end + 1..];
                }
                None => translated.push_str("[[]"),
            },
            other => translated.push(other),
        }
    }
    if glob.ends_with('/') {
        translated.push('*');
    }
    translated
}

/// Where the `]` stands that closes a class; one right at the beginning belongs to the class.
fn class_end(rest: &str) -> Option<usize> {
    let negation = usize::from(rest.starts_with('!'));
    let first = negation + usize::from(rest[negation..].starts_with(']'));
    rest[first..].find(']').map(|at| at + first)
}

/// Writes a class; globset takes a leading `^` for a negation, so it goes to the end.
fn push_class(translated: &mut String, members: &str) {
    translated.push('[');
    match members.strip_prefix('^') {
        Some("") => translated.push_str("^^"),
        Some(others) => translated.extend([others, "^"]),
        None => translated.push_str(members),
    }
    translated.push(']');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_as_in_hf_download() {
        for (glob, path, matches) in [
            ("*.json", "config.json", true),
            ("*.json", "unet/config.json", true),
            ("*.json", "config.json.bak", false),
            ("unet/", "unet/a/b.safetensors", true),
            ("unet/", "text/unet", false),
            ("**/config.json", "unet/config.json", true),
            ("**/config.json", "config.json", false),
            ("model-0000[12]-of-*", "model-00002-of-00003.gguf", true),
            ("model-0000[!12]-of-*", "model-00002-of-00003.gguf", false),
            ("[]]x", "]x", true),
            ("a[b", "a[b", true),
            ("{a,b}", "a", false),
            ("{a,b}", "{a,b}", true),
            ("a\\b", "a\\b", true),
            ("?.bin", "a.bin", true),
            ("*Q4_K_M*", "Q4_K_M/x-00001-of-00002.gguf", true),
            ("*q4_k_m*", "x-Q4_K_M.gguf", false),
        ] {
            let globs = Globs::new(&[glob.to_owned()], &[]).unwrap();
            assert_eq!(globs.admits(path), matches, "{glob} on {path}");
        }
    }

    #[test]
    fn what_is_excluded_wins_over_what_is_included() {
        let globs = Globs::new(&["*.json".to_owned()], &["unet/*".to_owned()]).unwrap();
        assert!(globs.admits("config.json"));
        assert!(!globs.admits("unet/config.json"));
        assert!(!globs.admits("model.gguf"));
    }

    #[test]
    fn a_glob_that_cannot_be_compiled_is_named() {
        let refused = check_globs(&["*.json".to_owned(), "[z-a]".to_owned()]).unwrap_err();
        assert_eq!(refused.to_string(), "`[z-a]` is no glob");
    }
}
