//! The Hub: which route a request is for, who may see what it names, and the right answer.

mod metadata;
mod refusal;
mod resolve;
mod tree;

use std::sync::Arc;

use crate::account::Account;
use crate::repository::{Access, Commit, Repository};
use crate::route::{Route, Target};
use crate::script::Course;
use crate::traffic::{RequestRecord, Traffic};
use crate::wire::{Answer, Request, Service};
use crate::world::World;
use refusal::Refusal;

/// The Hub's side of the world, as a server.
pub(crate) struct Hub(pub(crate) Arc<World>);

impl Service for Hub {
    fn traffic(&self) -> &Traffic {
        &self.0.hub
    }

    fn begin(&self, connection: u64, request: &Request) -> (u64, Course) {
        let target = Target::at_hub(request);
        let Target {
            route,
            repository,
            path,
            ..
        } = target;
        let record = RequestRecord::new(connection, route, request, repository, path);
        let course = self.0.rules.course(&record);
        (self.0.hub.began(record), course)
    }

    fn answer(&self, request: &Request) -> Answer {
        let target = Target::at_hub(request);
        let answer = self
            .route(request, &target)
            .unwrap_or_else(Refusal::into_answer);
        answer.with(
            "X-Request-Id",
            format!("Root=1-{:08x}", self.0.next_answer()),
        )
    }
}

impl Hub {
    fn route(&self, request: &Request, target: &Target) -> Result<Answer, Refusal> {
        let expected = if target.route == Route::PathsInfo {
            &["POST"][..]
        } else {
            &["GET", "HEAD"]
        };
        if !expected.contains(&request.method.as_str()) {
            return Err(Refusal::MethodNotAllowed);
        }
        let account = self.account(request)?;
        if target.route == Route::WhoAmI {
            return account.map(metadata::who_am_i).ok_or(Refusal::NotSignedIn);
        }
        let repository = self.repository(target, account)?;
        if target.repository.as_ref() != Some(&repository.id) {
            return Ok(moved(request, target, &repository));
        }
        let commit = commit(target, &repository)?;
        match target.route {
            Route::Info => Ok(metadata::info(request, &repository, commit)),
            Route::Tree => tree::tree(&self.0, request, target, commit),
            Route::PathsInfo => tree::paths_info(request, commit),
            Route::Resolve => resolve::resolve(&self.0, request, target, &repository, commit),
            Route::ResolveCache => resolve::cached(request, target, commit),
            Route::WhoAmI | Route::Cdn | Route::Other => Err(Refusal::NoSuchPage),
        }
    }

    /// Whose token it is; no token is nobody, and a token of nobody is refused everywhere.
    fn account(&self, request: &Request) -> Result<Option<&Account>, Refusal> {
        let Some(header) = request.header("authorization") else {
            return Ok(None);
        };
        let token = header.strip_prefix("Bearer ").unwrap_or_default();
        let account = self
            .0
            .accounts
            .iter()
            .find(|account| account.token == token);
        account.map(Some).ok_or(Refusal::InvalidToken)
    }

    /// The repository that is named, if this account may see as much of it as the route shows.
    fn repository(
        &self,
        target: &Target,
        account: Option<&Account>,
    ) -> Result<Repository, Refusal> {
        let signed_in = account.is_some();
        let Some(id) = &target.repository else {
            return Err(Refusal::NoSuchPage);
        };
        let found = self.0.find(target.kind, id);
        let repository = found.ok_or(Refusal::RepositoryNotFound { signed_in })?;
        let granted = account.is_some_and(|account| account.may_read(&repository.id));
        let scoped = account.is_none_or(|account| account.gated_scope);
        let shows_files = matches!(target.route, Route::Resolve | Route::ResolveCache);
        match repository.access {
            Access::Disabled => return Err(Refusal::Disabled),
            Access::Private if !granted => return Err(Refusal::RepositoryNotFound { signed_in }),
            Access::GatedFiles if !shows_files => {}
            Access::GatedFiles | Access::GatedWhole if !scoped => {
                return Err(Refusal::NoGatedScope);
            }
            Access::GatedFiles | Access::GatedWhole if !granted => {
                return Err(Refusal::Gated {
                    id: repository.id,
                    signed_in,
                });
            }
            Access::Open | Access::Private | Access::GatedFiles | Access::GatedWhole => {}
        }
        Ok(repository)
    }
}

fn commit<'a>(target: &Target, repository: &'a Repository) -> Result<&'a Commit, Refusal> {
    let revision = target.revision.as_deref().unwrap_or("main");
    let not_found = || Refusal::RevisionNotFound {
        revision: revision.to_owned(),
    };
    repository.revision(revision).ok_or_else(not_found)
}

/// A former id, or one in another case: relative, to the same path of the right id.
fn moved(request: &Request, target: &Target, repository: &Repository) -> Answer {
    let asked = target.repository.as_deref().unwrap_or_default();
    let location = request.target().replacen(asked, &repository.id, 1);
    let body = format!("Temporary Redirect. Redirecting to {location}");
    Answer::new(307, body)
        .with("Location", location)
        .with("Content-Type", "text/plain")
}
