//! The GGUF weights of a repository: one choice a quantisation, with all its shards and its projector.

use std::collections::BTreeMap;

use super::{
    ListedFile, Picked, SelectionError, missing_shards, quantisation,
    shards::{Shard, unsharded},
    total_bytes,
};
use crate::Choice;

/// What is taken when nothing is asked for, the first that there is.
const DEFAULT_ORDER: [&str; 6] = ["Q4_K_M", "Q5_K_M", "Q4_0", "Q5_0", "Q8_0", "F16"];

/// Which projector is taken when there are several.
const PROJECTOR_ORDER: [&str; 4] = ["F16", "BF16", "Q8_0", "F32"];

/// The GGUF weights of a listing, by quantisation.
pub(crate) struct GgufSets<'listing> {
    files: &'listing [ListedFile],
    /// By the quantisation's name, or the path of weights that name none: the sets of files that have it.
    by_name: BTreeMap<String, Vec<Set>>,
    projector: Option<usize>,
}

/// One file, or the shards of one set.
#[derive(Debug)]
struct Set {
    folders: usize,
    base: String,
    sharded: bool,
    files: Vec<usize>,
}

impl<'listing> GgufSets<'listing> {
    /// Groups the GGUF files among `narrowed`.
    pub(crate) fn of(files: &'listing [ListedFile], narrowed: &[usize]) -> Self {
        let mut by_name: BTreeMap<String, Vec<Set>> = BTreeMap::new();
        for &at in narrowed.iter().filter(|&&at| is_weights(&files[at].path)) {
            let path = &files[at].path;
            let base = unsharded(path);
            let sharded = Shard::of(path).is_some();
            let name = quantisation::of_path(path).unwrap_or_else(|| first_path(path));
            let sets = by_name.entry(name).or_default();
            match sets
                .iter_mut()
                .find(|set| set.base == base && set.sharded == sharded)
            {
                Some(set) => set.files.push(at),
                None => sets.push(Set {
                    folders: path.matches('/').count(),
                    base,
                    sharded,
                    files: vec![at],
                }),
            }
        }
        Self {
            files,
            by_name,
            projector: projector(files, narrowed),
        }
    }

    /// Whether there are no GGUF weights at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// The group that a selector names: exactly, or a dynamic variant that is the only one of its name.
    pub(crate) fn named(&self, selector: &str) -> Option<&str> {
        let name = quantisation::of_selector(selector)?;
        let dynamic = format!("UD-{name}");
        [name, dynamic]
            .iter()
            .find_map(|name| self.by_name.get_key_value(name))
            .map(|(name, _)| name.as_str())
    }

    /// The first of the default order, or the only group there is.
    pub(crate) fn default_choice(&self) -> Result<Picked, SelectionError> {
        let only = || match self.by_name.len() {
            1 => self.by_name.keys().next().map(String::as_str),
            _ => None,
        };
        let Some(name) = DEFAULT_ORDER
            .iter()
            .find_map(|name| self.named(name))
            .or_else(only)
        else {
            return Err(SelectionError::NotFound {
                suggestions: self.choices(),
            });
        };
        let picked = self.choose(name)?;
        let others = self
            .choices()
            .into_iter()
            .filter(|choice| choice.selector != name);
        Ok(Picked {
            others: others.collect(),
            ..picked
        })
    }

    /// All files of one group: its shards, and the projector if there is one.
    pub(crate) fn choose(&self, name: &str) -> Result<Picked, SelectionError> {
        let set = self.only_set(name)?;
        let missing = missing_shards(self.files, &set.files);
        if !missing.is_empty() {
            return Err(SelectionError::Incomplete {
                selector: name.to_owned(),
                missing,
            });
        }
        let mut files = set.files.clone();
        files.extend(self.projector);
        Ok(Picked {
            main: set.files.first().copied(),
            files,
            selector: Some(name.to_owned()),
            others: Vec::new(),
        })
    }

    /// Every group with its bytes, the smallest first.
    pub(crate) fn choices(&self) -> Vec<Choice> {
        let mut choices: Vec<Choice> = self
            .by_name
            .keys()
            .map(|name| Choice {
                selector: name.clone(),
                bytes: self
                    .choose(name)
                    .ok()
                    .and_then(|picked| total_bytes(self.files, picked.files)),
            })
            .collect();
        choices.sort_by_key(|choice| choice.bytes);
        choices
    }

    /// The names of the groups with the files of each, projector excluded.
    pub(crate) fn groups(&self) -> impl Iterator<Item = (&str, Vec<usize>)> {
        self.by_name.iter().map(|(name, sets)| {
            let mut files: Vec<usize> = sets.iter().flat_map(|set| set.files.clone()).collect();
            files.sort_unstable();
            (name.as_str(), files)
        })
    }

    /// The one set of a group: in the fewest folders, and one file rather than the shards of the same.
    fn only_set(&self, name: &str) -> Result<&Set, SelectionError> {
        let sets = self
            .by_name
            .get(name)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let fewest = sets.iter().map(|set| set.folders).min();
        let is_whole_elsewhere = |set: &Set| {
            set.sharded
                && sets
                    .iter()
                    .any(|other| !other.sharded && other.base == set.base)
        };
        let candidates: Vec<&Set> = sets
            .iter()
            .filter(|set| Some(set.folders) == fewest && !is_whole_elsewhere(set))
            .collect();
        match candidates.as_slice() {
            [set] => Ok(set),
            [] => Err(SelectionError::NotFound {
                suggestions: Vec::new(),
            }),
            several => Err(SelectionError::Ambiguous {
                selector: name.to_owned(),
                candidates: several
                    .iter()
                    .filter_map(|set| self.as_choice(set))
                    .collect(),
            }),
        }
    }

    fn as_choice(&self, set: &Set) -> Option<Choice> {
        let first = set.files.first()?;
        Some(Choice {
            selector: self.files[*first].path.clone(),
            bytes: total_bytes(self.files, set.files.iter().copied()),
        })
    }
}

/// Whether a path is a GGUF file.
pub(crate) fn is_gguf(path: &str) -> bool {
    path.to_ascii_lowercase().ends_with(".gguf")
}

/// Whether a path is a multimodal projector: loaded beside the weights, never alone.
pub(crate) fn is_projector(path: &str) -> bool {
    is_gguf(path) && file_name(path).contains("mmproj")
}

/// Whether a path is GGUF weights: no projector, no importance matrix, no bare vocabulary.
pub(crate) fn is_weights(path: &str) -> bool {
    let name = file_name(path);
    let is_matrix = name.contains("imatrix") && quantisation::of_path(path).is_none();
    is_gguf(path) && !is_projector(path) && !is_matrix && !name.starts_with("ggml-vocab")
}

fn file_name(path: &str) -> String {
    path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase()
}

/// The path of a file, or of the first shard of its set.
fn first_path(path: &str) -> String {
    Shard::of(path)
        .and_then(|shard| shard.set().next())
        .unwrap_or_else(|| path.to_owned())
}

/// The one projector to take: the preferred precision, in the fewest folders, first by path.
fn projector(files: &[ListedFile], narrowed: &[usize]) -> Option<usize> {
    let rank = |path: &str| {
        let name = quantisation::of_path(path);
        let place = PROJECTOR_ORDER
            .iter()
            .position(|known| Some(*known) == name.as_deref());
        (
            place.unwrap_or(PROJECTOR_ORDER.len()),
            path.matches('/').count(),
        )
    };
    narrowed
        .iter()
        .copied()
        .filter(|&at| is_projector(&files[at].path))
        .min_by_key(|&at| rank(&files[at].path))
}
