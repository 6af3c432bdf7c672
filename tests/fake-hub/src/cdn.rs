//! The CDN: bodies of large files under signed URLs that expire. It must never see a token.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use crate::content::{Content, sha1_hex, sha256_hex};
use crate::ranges::file_answer;
use crate::repository::{File, LargeFile, Repository};
use crate::route::Route;
use crate::script::Course;
use crate::traffic::{RequestRecord, Traffic};
use crate::wire::{Answer, Request, Service, encode};
use crate::world::World;

/// The CDN's side of the world, as a server.
pub(crate) struct Cdn(pub(crate) Arc<World>);

/// Every URL that the Hub has signed.
#[derive(Debug)]
pub(crate) struct SignedUrls {
    origin: String,
    lifetime: Duration,
    issued: Mutex<HashMap<String, Signed>>,
}

#[derive(Clone, Debug)]
struct Signed {
    path: String,
    repository: String,
    file: String,
    content: Content,
    etag: String,
    expires_at: Instant,
}

impl SignedUrls {
    pub(crate) fn new(origin: String, lifetime: Duration) -> Self {
        Self {
            origin,
            lifetime,
            issued: Mutex::default(),
        }
    }

    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    /// A URL for a large file, different each time.
    pub(crate) fn sign(&self, repository: &Repository, file: &File, large: &LargeFile) -> String {
        let mut issued = self.lock();
        let signature = sha256_hex(&format!("{} {} {}", repository.id, file.path, issued.len()));
        let folder = &sha1_hex(&repository.id)[..24];
        // The CDN has a hash and an ETag of its own; neither may be taken for the file's sha256.
        let path = format!(
            "/xet-bridge-us/{folder}/{}",
            sha256_hex(&format!("xet {}", large.sha256))
        );
        let etag = format!("\"{}\"", sha256_hex(&format!("etag {}", large.sha256)));
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let expires = (since_epoch + self.lifetime).as_secs();
        let name = file.path.rsplit('/').next().unwrap_or_default();
        let disposition = encode(&format!("inline; filename=\"{name}\";"));
        let url = format!(
            "{}{path}?X-Xet-Cas-Uid=public&response-content-disposition={disposition}\
             &Expires={expires}&Policy=fake&Signature={signature}&Key-Pair-Id=FAKE",
            self.origin
        );
        let signed = Signed {
            path,
            repository: repository.id.clone(),
            file: file.path.clone(),
            content: file.content.clone(),
            etag,
            expires_at: Instant::now() + self.lifetime,
        };
        issued.insert(signature, signed);
        url
    }

    /// Ends the life of every URL that was signed so far.
    pub(crate) fn expire_all(&self) {
        let now = Instant::now();
        for signed in self.lock().values_mut() {
            signed.expires_at = now;
        }
    }

    fn find(&self, request: &Request) -> Option<Signed> {
        let signed = self.lock().get(&request.parameter("Signature")?).cloned()?;
        (signed.path == request.path).then_some(signed)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Signed>> {
        self.issued.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Service for Cdn {
    fn traffic(&self) -> &Traffic {
        &self.0.cdn
    }

    fn begin(&self, connection: u64, request: &Request) -> (u64, Course) {
        if request.header("authorization").is_some() {
            self.0
                .token_leaks()
                .push(format!("{} {}", request.method, request.target()));
        }
        let signed = self.0.signed_urls.find(request);
        let (repository, file) = signed
            .map(|signed| (signed.repository, signed.file))
            .unzip();
        let record = RequestRecord::new(connection, Route::Cdn, request, repository, file);
        let course = self.0.rules.course(&record);
        (self.0.cdn.began(record), course)
    }

    fn answer(&self, request: &Request) -> Answer {
        if request.header("authorization").is_some() {
            let message = "Only one auth mechanism allowed";
            return xml_error(400, "InvalidArgument", message);
        }
        if !matches!(request.method.as_str(), "GET" | "HEAD") {
            return xml_error(405, "MethodNotAllowed", "The method is not allowed");
        }
        match self.0.signed_urls.find(request) {
            Some(signed) if Instant::now() < signed.expires_at => serve(request, &signed),
            _ => Answer::access_denied(),
        }
    }
}

fn serve(request: &Request, signed: &Signed) -> Answer {
    if request
        .header("if-match")
        .is_some_and(|etag| etag != signed.etag)
    {
        return xml_error(
            412,
            "PreconditionFailed",
            "At least one condition did not hold",
        );
    }
    let mut request = request.clone();
    if request
        .header("if-range")
        .is_some_and(|etag| etag != signed.etag)
    {
        request.headers.retain(|(name, _)| name != "range");
    }
    file_answer(&request, &signed.content)
        .with("ETag", signed.etag.clone())
        .with("Content-Type", "application/octet-stream")
        .with("Cache-Control", "public, max-age=31536000")
}

impl Answer {
    /// The CDN's answer to a signature that is wrong or no longer valid.
    pub(crate) fn access_denied() -> Self {
        xml_error(403, "AccessDenied", "Access denied")
    }
}

fn xml_error(status: u16, code: &str, message: &str) -> Answer {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
         <Error><Code>{code}</Code><Message>{message}</Message></Error>"
    );
    Answer::new(status, body).with("Content-Type", "application/xml")
}
