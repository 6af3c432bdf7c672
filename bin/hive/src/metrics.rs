//! What a hive counts of itself, in the OpenMetrics text format.
//!
//! Names and units are after the Prometheus conventions. A label has few values: never a job, a model or a person.

use std::{fmt, time::Duration};

use hive_api::JobState;
use job_registry::JobCount;
use prometheus_client::{
    encoding::text::encode,
    metrics::{
        counter::{ConstCounter, Counter},
        family::Family,
        gauge::{ConstGauge, Gauge},
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};

use crate::operations::KINDS;

/// The media type of [`Metrics::text`].
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

type Labels<const N: usize> = [(&'static str, String); N];

/// What is counted while it happens.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    retries: Family<Labels<1>, Counter>,
    database_write: Histogram,
}

/// What is looked up when someone asks.
pub(crate) struct Figures {
    pub(crate) jobs: Vec<JobCount>,
    /// Bytes that came from the Hub and its CDN since the start.
    pub(crate) received_bytes: u64,
    /// What the running jobs receive a second.
    pub(crate) receive_bytes_per_second: u64,
    pub(crate) event_streams: usize,
    pub(crate) connections: usize,
    /// Seconds since the epoch.
    pub(crate) started: f64,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        Self {
            retries: Family::default(),
            // From half a millisecond, a sync of a fast disk, to eight seconds, a disk that hangs.
            database_write: Histogram::new(exponential_buckets(0.0005, 2.0, 15)),
        }
    }

    /// A download tried again, for this reason.
    pub(crate) fn retried(&self, code: &str) {
        self.retries
            .get_or_create(&[("code", code.to_owned())])
            .inc();
    }

    /// A write of the job database took this long.
    pub(crate) fn database_write(&self, took: Duration) {
        self.database_write.observe(took.as_secs_f64());
    }

    /// Everything, as text.
    pub(crate) fn text(&self, figures: &Figures) -> Result<String, fmt::Error> {
        let mut registry = Registry::with_prefix("hive");
        registry.register("jobs", "Stored jobs", jobs(&figures.jobs));
        registry.register_with_unit(
            "received",
            "Bytes received from the Hub and its CDN since the start",
            Unit::Bytes,
            ConstCounter::new(figures.received_bytes),
        );
        registry.register(
            "receive_bytes_per_second",
            "Bytes a second that running jobs receive now; a transfer that several share counts for each",
            gauge(figures.receive_bytes_per_second),
        );
        registry.register(
            "retries",
            "Attempts of downloads that were repeated, by the problem that made it so",
            self.retries.clone(),
        );
        registry.register(
            "event_streams",
            "Open event streams",
            gauge(figures.event_streams),
        );
        registry.register(
            "connections",
            "Open connections of clients",
            gauge(figures.connections),
        );
        registry.register_with_unit(
            "database_write",
            "How long writes of the job database took, from the wait for it to the end of the sync",
            Unit::Seconds,
            self.database_write.clone(),
        );
        registry.register_with_unit(
            "start_time",
            "When the hive started, since the epoch",
            Unit::Seconds,
            ConstGauge::new(figures.started),
        );
        let build = Family::<Labels<1>, Gauge>::default();
        let version = env!("CARGO_PKG_VERSION").to_owned();
        build.get_or_create(&[("version", version)]).set(1);
        registry.register("build_info", "The version that runs", build);
        let mut text = String::new();
        encode(&mut text, &registry)?;
        Ok(text)
    }
}

/// Every state of every kind that this hive runs, also where there is no job in it, and what else is stored.
fn jobs(counts: &[JobCount]) -> Family<Labels<2>, Gauge> {
    let jobs = Family::<Labels<2>, Gauge>::default();
    let of = |state: &str, kind: &str| {
        let labels = [("state", state.to_owned()), ("kind", kind.to_owned())];
        jobs.get_or_create_owned(&labels)
    };
    for kind in KINDS {
        for state in JobState::ALL {
            of(state.as_str(), kind).set(0);
        }
    }
    for count in counts {
        let number = i64::try_from(count.jobs).unwrap_or(i64::MAX);
        of(count.state.as_str(), &count.kind).set(number);
    }
    jobs
}

fn gauge<N: TryInto<i64>>(value: N) -> Gauge {
    let gauge = Gauge::default();
    gauge.set(value.try_into().unwrap_or(i64::MAX));
    gauge
}
