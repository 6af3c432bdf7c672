//! `/v1/tokens`: named tokens, made and ended by whoever has the scope `admin`.

use std::{io, sync::Arc, time::Duration};

use axum::{
    Extension, Json,
    extract::{Path, Request, State},
};
use hive_api::{CreateToken, NewToken, Problem, ProblemCode, TokenInfo, TokenList, paths};
use http::{StatusCode, Uri};
use tokio::time::timeout;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    app::App,
    asker::{Asker, Did},
    json::{receive, strict},
    openapi::refusals::{OfBody, OfName, OfTokens, OfTokensChange},
    problems::Refusal,
    query::Query,
};
use crate::access::{
    TokenFileError,
    tokens::{CreateError, LOCAL},
};

/// A stream whose reader takes nothing ends when it does; nobody waits longer for that.
const STREAMS_END_WITHIN: Duration = Duration::from_secs(5);

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::default()
        .routes(routes!(create, list))
        .routes(routes!(revoke))
}

/// Makes a token
///
/// The answer alone carries its secret: the hive keeps the sha256.
#[utoipa::path(
    post,
    path = paths::TOKENS,
    tag = "access",
    operation_id = "create_token",
    request_body = CreateToken,
    responses(
        (status = 201, description = "The token", body = NewToken),
        OfBody,
        OfTokens,
    ),
)]
async fn create(
    State(app): State<Arc<App>>,
    Extension(asker): Extension<Asker>,
    request: Request,
) -> Result<(StatusCode, Json<NewToken>), Refusal> {
    Query::of(request.uri())?.finish()?;
    let text = receive(request, app.limits.body_timeout).await?;
    let wanted: CreateToken = strict::typed(&strict::parse(&text)?).map_err(Refusal::invalid)?;
    let tokens = Arc::clone(&app.access.tokens);
    let made = asker.change(&app, async move {
        let made = off_the_workers(move || tokens.create(&wanted)).await??;
        let did = Did::new("token.create", &made.name, "created");
        Ok((made, Some(did)))
    });
    Ok((StatusCode::CREATED, Json(made.await?)))
}

/// Lists the tokens
#[utoipa::path(
    get,
    path = paths::TOKENS,
    tag = "access",
    operation_id = "list_tokens",
    responses((status = 200, description = "Every named token, without its secret", body = TokenList)),
)]
async fn list(State(app): State<Arc<App>>, uri: Uri) -> Result<Json<TokenList>, Refusal> {
    Query::of(&uri)?.finish()?;
    let tokens = app.access.tokens.list();
    Ok(Json(TokenList { tokens }))
}

/// Revokes a token
///
/// It lets nobody in any more, and its event streams and sessions have ended when this is answered.
#[utoipa::path(
    delete,
    path = "/v1/tokens/{name}",
    tag = "access",
    operation_id = "revoke_token",
    params(("name" = String, Path, description = "Its name")),
    responses(
        (status = 200, description = "The token, revoked", body = TokenInfo),
        OfName,
        OfTokensChange,
    ),
)]
async fn revoke(
    State(app): State<Arc<App>>,
    Extension(asker): Extension<Asker>,
    Path(name): Path<String>,
    uri: Uri,
) -> Result<Json<TokenInfo>, Refusal> {
    Query::of(&uri)?.finish()?;
    if name == LOCAL {
        let hint = "remove the file token in the hive's state folder and start the hive again";
        return Err(Problem::new(
            ProblemCode::Forbidden,
            "the local token is a file and is not revoked here",
        )
        .with_hint(hint)
        .into());
    }
    let revoking = Arc::clone(&app);
    let revoked = asker.change(&app, async move {
        let tokens = Arc::clone(&revoking.access.tokens);
        let revoked = off_the_workers(move || tokens.revoke(&name)).await??;
        let (info, end) = revoked.ok_or_else(no_such_token)?;
        if timeout(STREAMS_END_WITHIN, end.nothing_open())
            .await
            .is_err()
        {
            tracing::warn!(
                token.name = info.name,
                "a stream of a revoked token has a reader that takes nothing, it ends when it does"
            );
        }
        let did = Did::new("token.revoke", &info.name, "revoked");
        Ok((info, Some(did)))
    });
    revoked.await.map(Json)
}

fn no_such_token() -> Refusal {
    Problem::new(ProblemCode::NotFound, "this hive has no token of that name")
        .with_hint("hive token list shows which it has")
        .into()
}

/// Does what waits for a disk.
pub(super) async fn off_the_workers<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Refusal> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| {
        tracing::error!(%error, "a change was not finished");
        Refusal::new(ProblemCode::Internal, "the change was not finished")
    })
}

impl From<CreateError> for Refusal {
    fn from(error: CreateError) -> Self {
        match error {
            CreateError::File(error) => error.into(),
            error => error.problem().into(),
        }
    }
}

impl From<TokenFileError> for Refusal {
    fn from(error: TokenFileError) -> Self {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "the tokens cannot be written"
        );
        let is_full = matches!(
            &error,
            TokenFileError::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull
        );
        let (code, hint) = if is_full {
            (
                ProblemCode::InsufficientStorage,
                "make room on the disk of the hive's state folder",
            )
        } else {
            (ProblemCode::Internal, "the hive's log says why")
        };
        Problem::new(code, "the tokens cannot be written, nothing was changed")
            .with_hint(hint)
            .into()
    }
}
