//! The models of a stored snapshot: one a quantisation, as `model list` shows them.

use super::{ListedFile, gguf, gguf::GgufSets, missing_shards};

/// One model of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredQuantisation {
    /// What a reference names it by, `None` where the repository alone does.
    pub selector: Option<String>,
    /// Its files, sorted by path; a projector belongs to every quantisation.
    pub files: Vec<String>,
    /// The weights, their first shard; `None` where the snapshot folder is the model.
    pub main: Option<String>,
    /// Paths of shards that its sets lack.
    pub missing: Vec<String>,
}

/// Groups the paths of a stored snapshot into the models that it holds.
pub fn quantisation_groups<Path: AsRef<str>>(paths: &[Path]) -> Vec<StoredQuantisation> {
    let mut files: Vec<ListedFile> = paths
        .iter()
        .map(|path| ListedFile {
            path: path.as_ref().to_owned(),
            bytes: None,
        })
        .collect();
    files.sort_unstable_by(|one, other| one.path.cmp(&other.path));
    let all: Vec<usize> = (0..files.len()).collect();
    let sets = GgufSets::of(&files, &all);
    let (shared, beside): (Vec<usize>, Vec<usize>) = all
        .into_iter()
        .filter(|&at| !gguf::is_weights(&files[at].path))
        .partition(|&at| gguf::is_projector(&files[at].path));
    // Small files go with every quantisation; other weights are a model of their own.
    let has_other_weights = beside
        .iter()
        .any(|&at| files[at].path.ends_with(".safetensors"));
    let mut groups: Vec<StoredQuantisation> = sets
        .groups()
        .map(|(name, weights)| {
            let mut members = weights.clone();
            members.extend(&shared);
            if !has_other_weights {
                members.extend(&beside);
            }
            let main = weights.first().map(|&at| files[at].path.clone());
            group(&files, Some(name.to_owned()), main, members)
        })
        .collect();
    if has_other_weights || groups.is_empty() && !files.is_empty() {
        let members = if sets.is_empty() {
            (0..files.len()).collect()
        } else {
            beside
        };
        groups.push(group(&files, None, None, members));
    }
    groups
}

fn group(
    files: &[ListedFile],
    selector: Option<String>,
    main: Option<String>,
    mut members: Vec<usize>,
) -> StoredQuantisation {
    members.sort_unstable();
    StoredQuantisation {
        selector,
        files: members.iter().map(|&at| files[at].path.clone()).collect(),
        main,
        missing: missing_shards(files, &members),
    }
}
