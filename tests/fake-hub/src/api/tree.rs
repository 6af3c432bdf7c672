//! The listing of a commit, page by page.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::refusal::Refusal;
use crate::content::sha1_hex;
use crate::repository::{Commit, File};
use crate::route::Target;
use crate::wire::{Answer, Request};
use crate::world::World;

/// With `expand=true` the Hub gives this many entries a page.
const EXPANDED_PAGE_ENTRIES: usize = 50;

/// `GET /api/models/{id}/tree/{revision}[/{folder}]`
pub(super) fn tree(
    world: &World,
    request: &Request,
    target: &Target,
    commit: &Commit,
) -> Result<Answer, Refusal> {
    let asks = |name: &str| request.parameter(name).is_some_and(|value| value == "true");
    let number = |name: &str| {
        request
            .parameter(name)
            .and_then(|value| value.parse::<usize>().ok())
    };
    let entries = entries(commit, target.path.as_deref(), asks("recursive"))?;
    let limit = if asks("expand") {
        EXPANDED_PAGE_ENTRIES
    } else {
        usize::MAX
    };
    let page = world
        .tree_page_entries
        .min(limit)
        .min(number("limit").unwrap_or(limit))
        .max(1);
    let start = number("cursor").unwrap_or(0).min(entries.len());
    let end = entries.len().min(start + page);
    let mut answer = Answer::json(&json!(entries[start..end]));
    if end < entries.len() {
        answer.set(
            "Link",
            Some(format!(
                "<{}>; rel=\"next\"",
                next_page(world, request, end)
            )),
        );
    }
    Ok(answer)
}

fn next_page(world: &World, request: &Request, cursor: usize) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in url::form_urlencoded::parse(request.query.as_bytes()) {
        if name != "cursor" {
            query.append_pair(&name, &value);
        }
    }
    query.append_pair("cursor", &cursor.to_string());
    format!("{}{}?{}", world.endpoint, request.path, query.finish())
}

/// The entries below a folder, sorted by path, folders included.
fn entries(commit: &Commit, folder: Option<&str>, recursive: bool) -> Result<Vec<Value>, Refusal> {
    let prefix = folder.map_or(String::new(), |folder| format!("{folder}/"));
    let mut entries = BTreeMap::new();
    for (path, file) in commit.files.iter() {
        let Some(below) = path.strip_prefix(&prefix) else {
            continue;
        };
        let folders = below
            .match_indices('/')
            .map(|(at, _)| &path[..prefix.len() + at]);
        let depth = folders.clone().count();
        for folder in folders.take(if recursive { depth } else { 1 }) {
            entries.insert(
                folder,
                json!({
                    "type": "directory", "oid": sha1_hex(folder), "size": 0, "path": folder,
                }),
            );
        }
        if recursive || depth == 0 {
            entries.insert(path, file_entry(file));
        }
    }
    if entries.is_empty() && folder.is_some() {
        return Err(Refusal::EntryNotFound {
            commit: commit.hash.clone(),
        });
    }
    Ok(entries.into_values().collect())
}

fn file_entry(file: &File) -> Value {
    let size = file.content.size_bytes();
    let mut entry = json!({"type": "file", "oid": file.oid, "size": size, "path": file.path});
    if let Some(large) = &file.large {
        entry["lfs"] =
            json!({"oid": large.sha256, "size": size, "pointerSize": large.pointer_bytes});
    }
    entry
}

#[derive(Deserialize)]
struct PathsInfo {
    paths: Vec<String>,
}

/// `POST /api/models/{id}/paths-info/{revision}`: the entries of the paths that exist.
pub(super) fn paths_info(request: &Request, commit: &Commit) -> Result<Answer, Refusal> {
    let asked: PathsInfo =
        serde_json::from_slice(&request.body).map_err(|_| Refusal::MalformedBody)?;
    let found = asked.paths.iter().filter_map(|path| commit.files.get(path));
    Ok(Answer::json(&found.map(|file| file_entry(file)).collect()))
}
