//! Which of the Hub's routes a request is for, and what it names.

use crate::repository::RepositoryKind;
use crate::wire::Request;

/// What a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// `GET /api/whoami-v2`
    WhoAmI,
    /// `GET /api/models/{id}[/revision/{revision}]`
    Info,
    /// `GET /api/models/{id}/tree/{revision}[/{folder}]`
    Tree,
    /// `POST /api/models/{id}/paths-info/{revision}`
    PathsInfo,
    /// `/{id}/resolve/{revision}/{path}`
    Resolve,
    /// `/api/resolve-cache/models/{id}/{commit}/{path}`, where the Hub sends clients for small files.
    ResolveCache,
    /// Everything at the CDN.
    Cdn,
    /// Any other path at the Hub.
    Other,
}

/// A request's route with the names in its path, decoded.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) route: Route,
    pub(crate) kind: RepositoryKind,
    pub(crate) repository: Option<String>,
    pub(crate) revision: Option<String>,
    /// The file, or the folder of a tree.
    pub(crate) path: Option<String>,
}

impl Target {
    fn only(route: Route) -> Self {
        let kind = RepositoryKind::Model;
        Self {
            route,
            kind,
            repository: None,
            revision: None,
            path: None,
        }
    }

    /// What a request at the Hub is for.
    pub(crate) fn at_hub(request: &Request) -> Self {
        let segments = request.segments();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let target = match segments.as_slice() {
            ["api", "whoami-v2"] => Some(Self::only(Route::WhoAmI)),
            ["api", "resolve-cache", kind, rest @ ..] => {
                kind_of(kind).and_then(|kind| cached(kind, rest))
            }
            ["api", kind, rest @ ..] => kind_of(kind).and_then(|kind| api(kind, rest)),
            ["datasets", rest @ ..] => resolve(RepositoryKind::Dataset, rest),
            rest => resolve(RepositoryKind::Model, rest),
        };
        target.unwrap_or_else(|| Self::only(Route::Other))
    }
}

fn kind_of(word: &str) -> Option<RepositoryKind> {
    [RepositoryKind::Model, RepositoryKind::Dataset]
        .into_iter()
        .find(|kind| kind.plural() == word)
}

fn api(kind: RepositoryKind, segments: &[&str]) -> Option<Target> {
    let verbs = ["revision", "tree", "paths-info"];
    let at = segments
        .iter()
        .skip(1)
        .position(|segment| verbs.contains(segment));
    let Some(at) = at.map(|at| at + 1).filter(|at| *at <= 2) else {
        return named(Route::Info, kind, segments);
    };
    let mut target = named(Route::Info, kind, &segments[..at])?;
    target.route = match segments[at] {
        "tree" => Route::Tree,
        "paths-info" => Route::PathsInfo,
        _ => Route::Info,
    };
    target.revision = Some((*segments.get(at + 1)?).to_owned());
    target.path = joined(&segments[at + 2..]);
    Some(target)
}

fn resolve(kind: RepositoryKind, segments: &[&str]) -> Option<Target> {
    let at = segments.iter().position(|segment| *segment == "resolve")?;
    let mut target = named(Route::Resolve, kind, &segments[..at])?;
    target.revision = Some((*segments.get(at + 1)?).to_owned());
    target.path = joined(&segments[at + 2..]);
    Some(target)
}

fn cached(kind: RepositoryKind, segments: &[&str]) -> Option<Target> {
    let [organisation, name, commit, path @ ..] = segments else {
        return None;
    };
    let mut target = named(Route::ResolveCache, kind, &[organisation, name])?;
    target.revision = Some((*commit).to_owned());
    target.path = joined(path);
    Some(target)
}

fn named(route: Route, kind: RepositoryKind, id: &[&str]) -> Option<Target> {
    let named = matches!(id, [_] | [_, _]) && id.iter().all(|part| !part.is_empty());
    let repository = Some(id.join("/"));
    named.then_some(Target {
        route,
        kind,
        repository,
        revision: None,
        path: None,
    })
}

fn joined(segments: &[&str]) -> Option<String> {
    Some(segments.join("/")).filter(|path| !path.is_empty())
}
