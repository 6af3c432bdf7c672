//! A request whose body is still on its way when the hive stops: it is answered at once, for its sender may be slow
//! and nothing was begun for it.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    body::Body,
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use hive_api::ProblemCode;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::oneshot;

use super::{app::App, problems::Refusal};

/// Lets the request be answered, or refuses it where the hive stops before its body was received.
pub(super) async fn unless_stopping(
    State(app): State<Arc<App>>,
    request: Request,
    next: Next,
) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    let (unreceived, mut received) = oneshot::channel();
    let request = request.map(|body| {
        Body::new(Receiving {
            body,
            _unreceived: unreceived,
        })
    });
    let stopped_early = async {
        app.drain.cancelled().await;
        if received.try_recv() == Err(oneshot::error::TryRecvError::Closed) {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        biased;
        response = next.run(request) => response,
        () = stopped_early => {
            Refusal::new(ProblemCode::ShuttingDown, "the hive is stopping").into_response()
        }
    }
}

/// A body, dropped by its reader when it was received.
struct Receiving {
    body: Body,
    /// Never sent: its end says that the body is gone.
    _unreceived: oneshot::Sender<()>,
}

impl HttpBody for Receiving {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
