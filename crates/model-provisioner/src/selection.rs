//! Which files of a repository are wanted: a pure function from its listing and the request.
//!
//! Globs narrow the repository first. Then a selector picks a quantisation or a file; without one, `all_files`, an
//! include list or a dataset takes everything that is left, a repository with GGUF weights gives one quantisation,
//! and any other gives what an engine needs.

mod gguf;
mod globs;
mod quantisation;
mod shards;
mod stored;
#[cfg(test)]
mod tests;
mod weights;

pub use globs::{GlobError, check_globs};
pub use stored::{StoredQuantisation, quantisation_groups};

use self::{gguf::GgufSets, globs::Globs, shards::Shard};
use crate::{Choice, LeftOut};

/// One file of a repository's listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListedFile {
    /// The path in the repository.
    pub(crate) path: String,
    /// The size, `None` where the listing did not come in time.
    pub(crate) bytes: Option<u64>,
}

/// What is asked of a repository.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'request> {
    pub(crate) selector: Option<&'request str>,
    pub(crate) include: &'request [String],
    pub(crate) exclude: &'request [String],
    pub(crate) all_files: bool,
    pub(crate) is_dataset: bool,
}

/// The files that are wanted, as places in the listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Selection {
    /// The chosen files, sorted by path.
    pub(crate) files: Vec<usize>,
    /// The selected file, its first shard; `None` where the snapshot folder is the model.
    pub(crate) main: Option<usize>,
    /// The quantisation or path that was selected.
    pub(crate) selector: Option<String>,
    /// How many weight files form the one sharded set; zero when they form none.
    pub(crate) shards: u32,
    /// What else could have been selected, when nothing was asked for.
    pub(crate) others: Vec<Choice>,
    /// What is not chosen.
    pub(crate) left_out: LeftOut,
}

/// Why nothing can be selected.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SelectionError {
    #[error(transparent)]
    Glob(#[from] GlobError),
    /// No such quantisation or file, or none of the default order; what there is, nearest first.
    #[error("no such quantisation or file")]
    NotFound { suggestions: Vec<Choice> },
    /// Several files have the selected quantisation.
    #[error("several files have the quantisation `{selector}`")]
    Ambiguous {
        selector: String,
        candidates: Vec<Choice>,
    },
    /// Shards are missing in the repository.
    #[error("shards are missing")]
    Incomplete {
        selector: String,
        missing: Vec<String>,
    },
    /// There is nothing that an engine can load; the weight formats there are.
    #[error("no file that an engine can load")]
    Unsupported { formats: Vec<String> },
    /// The globs leave nothing, or the repository is empty.
    #[error("no file is left")]
    Nothing,
}

/// Selects from a listing that is sorted by path.
pub(crate) fn select(
    files: &[ListedFile],
    wanted: &Wanted<'_>,
) -> Result<Selection, SelectionError> {
    let globs = Globs::new(wanted.include, wanted.exclude)?;
    let narrowed: Vec<usize> = (0..files.len())
        .filter(|&at| globs.admits(&files[at].path))
        .collect();
    if narrowed.is_empty() {
        return Err(SelectionError::Nothing);
    }
    let takes_everything = wanted.all_files || wanted.is_dataset || globs.names_files();
    let sets = GgufSets::of(files, &narrowed);
    let picked = match wanted.selector {
        Some(selector) => pick_selector(files, &narrowed, &sets, selector)?,
        None if takes_everything => Picked::folder(narrowed),
        None if sets.is_empty() => Picked::folder(weights::needed_by_engine(files, &narrowed)?),
        None => sets.default_choice()?,
    };
    Ok(picked.finish(files))
}

/// Chosen files before they are counted.
#[derive(Debug, Default)]
struct Picked {
    files: Vec<usize>,
    main: Option<usize>,
    selector: Option<String>,
    others: Vec<Choice>,
}

impl Picked {
    fn folder(files: Vec<usize>) -> Self {
        Self {
            files,
            ..Self::default()
        }
    }

    fn finish(mut self, files: &[ListedFile]) -> Selection {
        self.files.sort_unstable();
        self.files.dedup();
        let left_out = (0..files.len()).filter(|at| self.files.binary_search(at).is_err());
        Selection {
            shards: count_shards(files, &self),
            left_out: LeftOut {
                files: u32::try_from(files.len() - self.files.len()).unwrap_or(u32::MAX),
                bytes: total_bytes(files, left_out),
            },
            files: self.files,
            main: self.main,
            selector: self.selector,
            others: self.others,
        }
    }
}

/// A selector is a path when the repository has that path, else a quantisation.
fn pick_selector(
    files: &[ListedFile],
    narrowed: &[usize],
    sets: &GgufSets<'_>,
    selector: &str,
) -> Result<Picked, SelectionError> {
    if let Some(&at) = narrowed.iter().find(|&&at| files[at].path == selector) {
        let files = with_its_shards(files, at)?;
        return Ok(Picked {
            main: files.first().copied(),
            files,
            selector: Some(selector.to_owned()),
            others: Vec::new(),
        });
    }
    match sets.named(selector) {
        Some(name) => sets.choose(name),
        None => Err(SelectionError::NotFound {
            suggestions: suggestions(files, narrowed, sets, selector),
        }),
    }
}

/// A file alone, or the whole set that it is a shard of, in order.
fn with_its_shards(files: &[ListedFile], at: usize) -> Result<Vec<usize>, SelectionError> {
    let path = &files[at].path;
    let Some(shard) = Shard::of(path) else {
        return Ok(vec![at]);
    };
    let (found, missing) = find_set(files, &shard);
    if missing.is_empty() {
        Ok(found)
    } else {
        Err(SelectionError::Incomplete {
            selector: path.clone(),
            missing,
        })
    }
}

/// The shards of a set that the listing has, and the paths of those that it lacks.
fn find_set(files: &[ListedFile], shard: &Shard<'_>) -> (Vec<usize>, Vec<String>) {
    let mut found = Vec::new();
    let mut missing = Vec::new();
    for path in shard.set() {
        match files.binary_search_by(|file| file.path.as_str().cmp(path.as_str())) {
            Ok(at) => found.push(at),
            Err(_) => missing.push(path),
        }
    }
    (found, missing)
}

/// Every shard that is missing among the chosen files' sets.
fn missing_shards(files: &[ListedFile], chosen: &[usize]) -> Vec<String> {
    let mut missing: Vec<String> = chosen
        .iter()
        .filter_map(|&at| Shard::of(&files[at].path))
        .flat_map(|shard| find_set(files, &shard).1)
        .collect();
    missing.sort_unstable();
    missing.dedup();
    missing
}

/// What could have been meant, nearest first: quantisations, and for a path the paths.
fn suggestions(
    files: &[ListedFile],
    narrowed: &[usize],
    sets: &GgufSets<'_>,
    selector: &str,
) -> Vec<Choice> {
    let looks_like_path = selector.contains('/') || selector.contains('.');
    let mut choices = if looks_like_path || sets.is_empty() {
        narrowed
            .iter()
            .map(|&at| Choice {
                selector: files[at].path.clone(),
                bytes: files[at].bytes,
            })
            .collect()
    } else {
        sets.choices()
    };
    let asked = selector.to_ascii_lowercase();
    choices
        .sort_by_key(|choice| strsim::levenshtein(&asked, &choice.selector.to_ascii_lowercase()));
    choices
}

/// The shards of the selected set, or of the only set among the chosen files.
fn count_shards(files: &[ListedFile], picked: &Picked) -> u32 {
    let mut sets: Vec<Shard<'_>> = Vec::new();
    for &at in &picked.files {
        if let Some(shard) = Shard::of(&files[at].path)
            && !sets.iter().any(|set| set.shares_set_with(&shard))
        {
            sets.push(shard);
        }
    }
    match sets.as_slice() {
        [only] => only.total(),
        _ => 0,
    }
}

/// The bytes of some files together, `None` while one of them is unknown.
fn total_bytes(files: &[ListedFile], places: impl IntoIterator<Item = usize>) -> Option<u64> {
    places.into_iter().map(|at| files[at].bytes).sum()
}
