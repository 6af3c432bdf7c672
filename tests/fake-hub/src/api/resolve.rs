//! Where the bytes of a file are: at the CDN, behind the Hub's cache, or here.

use super::refusal::Refusal;
use crate::ranges::file_answer;
use crate::repository::{Access, Commit, File, LargeFile, Repository};
use crate::route::Target;
use crate::wire::{Answer, Request, encode};
use crate::world::World;

/// `/{id}/resolve/{revision}/{path}`
pub(super) fn resolve(
    world: &World,
    request: &Request,
    target: &Target,
    repository: &Repository,
    commit: &Commit,
) -> Result<Answer, Refusal> {
    let file = file(target, commit)?;
    if request.header("if-none-match") == Some(&quoted(file.etag())) {
        return Ok(Answer::new(304, "")
            .with("ETag", quoted(file.etag()))
            .with("X-Repo-Commit", commit.hash.clone()));
    }
    let open = repository.access == Access::Open;
    Ok(match &file.large {
        Some(large) => to_cdn(world, repository, commit, file, large),
        None if open && repository.id.contains('/') && file.content.size_bytes() > 0 => {
            to_cache(repository, commit, file)
        }
        None => direct(request, commit, file),
    })
}

/// `/api/resolve-cache/{kind}/{id}/{commit}/{path}`: small files of open repositories.
pub(super) fn cached(
    request: &Request,
    target: &Target,
    commit: &Commit,
) -> Result<Answer, Refusal> {
    Ok(direct(request, commit, file(target, commit)?))
}

fn file<'a>(target: &Target, commit: &'a Commit) -> Result<&'a File, Refusal> {
    let found = target.path.as_ref().and_then(|path| commit.files.get(path));
    found
        .map(AsRef::as_ref)
        .ok_or_else(|| Refusal::EntryNotFound {
            commit: commit.hash.clone(),
        })
}

fn to_cdn(
    world: &World,
    repository: &Repository,
    commit: &Commit,
    file: &File,
    large: &LargeFile,
) -> Answer {
    let location = world.signed_urls.sign(repository, file, large);
    // `Content-Length` is then the length of this text, never that of the file.
    Answer::new(302, format!("Found. Redirecting to {location}"))
        .with("Content-Type", "text/plain; charset=utf-8")
        .with("Location", location)
        .with("X-Repo-Commit", commit.hash.clone())
        .with("Accept-Ranges", "bytes")
        .with("X-Linked-Size", file.content.size_bytes().to_string())
        .with("X-Linked-Etag", quoted(&large.sha256))
}

fn to_cache(repository: &Repository, commit: &Commit, file: &File) -> Answer {
    let path: Vec<String> = file.path.split('/').map(encode).collect();
    let location = format!(
        "/api/resolve-cache/{}/{}/{}/{}?etag={}",
        repository.kind.plural(),
        repository.id,
        commit.hash,
        path.join("/"),
        encode(&quoted(&file.oid)),
    );
    Answer::new(
        307,
        format!("Temporary Redirect. Redirecting to {location}"),
    )
    .with("Content-Type", "text/plain; charset=utf-8")
    .with("Location", location)
}

fn direct(request: &Request, commit: &Commit, file: &File) -> Answer {
    file_answer(request, &file.content)
        .with("Content-Type", "text/plain; charset=utf-8")
        .with("ETag", quoted(&file.oid))
        .with("X-Repo-Commit", commit.hash.clone())
}

fn quoted(etag: &str) -> String {
    format!("\"{etag}\"")
}
