//! `/v1/doctor`: the hive's look at itself, and a stream that shows whether something on the way holds events back.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Json,
    extract::{Request, State},
    response::{Response, sse::Event},
};
use futures_util::{Stream, stream};
use hive_api::{Diagnosis, Problem, ProblemCode, RunDoctor, StreamTick, paths};
use http::Uri;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::{
    app::App,
    json::{receive, strict},
    openapi::refusals::{OfBody, OfDoctor, OfRegistry, OfStream},
    problems::Refusal,
    query::Query,
    session::Admission,
    sse,
};
use crate::doctor::Patient;

/// Events of the stream.
const TICKS: u32 = 10;
/// The time between two of them.
const TICK_EVERY: Duration = Duration::from_millis(100);

/// Looks at the hive itself
///
/// Its store, its state folder, its limits, the Hub, and how fast each part of a download is. It writes up to 256 MiB to
/// the store's disk, into a file that has no name, and takes some seconds; one at a time.
#[utoipa::path(
    post,
    path = paths::DOCTOR,
    tag = "hive",
    operation_id = "run_doctor",
    request_body = RunDoctor,
    responses(
        (status = 200, description = "What was found", body = Diagnosis),
        OfBody,
        OfDoctor,
        OfRegistry,
    ),
)]
pub(super) async fn run(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Json<Diagnosis>, Refusal> {
    Query::of(request.uri())?.finish()?;
    let text = receive(request, app.limits.body_timeout).await?;
    let what: RunDoctor = strict::typed(&strict::parse(&text)?).map_err(Refusal::invalid)?;
    let Ok(_alone) = app.doctor.try_acquire() else {
        let detail = "this hive looks at itself for someone else already";
        let problem = Problem::new(ProblemCode::DoctorRunning, detail);
        return Err(problem.with_hint("ask again in half a minute").into());
    };
    let running = app.jobs_at_work().await?;
    let rates = running.iter().map(|job| job.progress.bytes_per_second);
    let patient = Patient {
        facts: app.facts.clone(),
        downloads: Arc::clone(&app.operations.model_downloads),
        receiving_bytes_per_second: rates.sum(),
    };
    // Ends with this request: a caller that leaves drops the future, a hive that stops fires the token.
    let mut nobody = |_: &_| {};
    let examined = patient.examine(what.model.as_deref(), &mut nobody);
    let examined = app.drain.run_until_cancelled(examined).await;
    let stopping = || Refusal::new(ProblemCode::ShuttingDown, "the hive is stopping");
    examined.map(Json).ok_or_else(stopping)
}

/// Shows whether something on the way holds events back
///
/// Ten server-sent events `tick` (`StreamTick`), 100 ms apart, then the hive closes. A reader to whom several come at
/// once has a proxy before it that gathers them.
#[utoipa::path(
    get,
    path = paths::DOCTOR_STREAM,
    tag = "hive",
    operation_id = "check_stream",
    responses(
        (status = 200, description = "The stream", content_type = "text/event-stream", body = sse::ServerSentEvent),
        OfStream,
    ),
)]
pub(super) async fn ticks(
    State(app): State<Arc<App>>,
    Extension(admission): Extension<Admission>,
    uri: Uri,
) -> Result<Response, Refusal> {
    Query::of(&uri)?.finish()?;
    let seat = app.seats.take(None)?;
    Ok(sse::answer(&app, admission, seat, frames()))
}

fn frames() -> impl Stream<Item = Event> + Send {
    let mut clock = interval(TICK_EVERY);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    stream::unfold(
        (1, clock, Instant::now()),
        async |(number, mut clock, began)| {
            if number > TICKS {
                return None;
            }
            clock.tick().await;
            let sent = began.elapsed().as_millis();
            let tick = StreamTick {
                number,
                of: TICKS,
                sent_ms: u64::try_from(sent).unwrap_or(u64::MAX),
            };
            let data = serde_json::to_string(&tick).ok()?;
            let frame = Event::default().event("tick").data(data);
            Some((frame, (number + 1, clock, began)))
        },
    )
}
