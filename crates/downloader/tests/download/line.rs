//! A source that opens any range as often as it is asked, over a line with the troubles that a test gives it.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use downloader::{ByteStream, OpenReason, Source, SourceError, SourceErrorKind};
use futures_util::{StreamExt, stream};

use crate::script::failure;

/// What a line does to each body, drawn anew for every chunk.
#[derive(Clone, Debug)]
pub(crate) struct Troubles {
    pub(crate) seed: u64,
    pub(crate) longest_chunk: u64,
    pub(crate) longest_wait: Duration,
    /// Of a thousand chunks, so many are followed by a cut.
    pub(crate) cuts_per_thousand: u64,
    /// Of a thousand chunks, so many are followed by silence.
    pub(crate) stalls_per_thousand: u64,
}

impl Troubles {
    pub(crate) const NONE: Self = Self {
        seed: 1,
        longest_chunk: 16 * 1024,
        longest_wait: Duration::ZERO,
        cuts_per_thousand: 0,
        stalls_per_thousand: 0,
    };
}

pub(crate) struct Line {
    content: Bytes,
    troubles: Troubles,
    state: Arc<State>,
    asked: Mutex<Vec<(Range<u64>, OpenReason)>>,
    /// A body that begins here hangs after its first byte, once.
    pub(crate) hangs_once_at: Option<u64>,
    /// So many ranges are served; after them only the whole file is.
    pub(crate) ranges_served: usize,
    has_hung: AtomicBool,
    knows_no_ranges: AtomicBool,
}

#[derive(Default)]
struct State {
    open: AtomicUsize,
    most_open: AtomicUsize,
    alive_bytes: AtomicUsize,
    most_alive_bytes: AtomicUsize,
}

/// Counts a body as open for as long as it lives.
struct BodyGuard(Arc<State>);

impl Drop for BodyGuard {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A chunk that is counted for as long as anybody holds it.
struct Counted(Bytes, Arc<State>);

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.1.alive_bytes.fetch_sub(self.0.len(), Ordering::SeqCst);
    }
}

impl Line {
    pub(crate) fn new(content: &[u8], troubles: Troubles) -> Self {
        Self {
            content: Bytes::copy_from_slice(content),
            troubles,
            state: Arc::default(),
            asked: Mutex::default(),
            hangs_once_at: None,
            ranges_served: usize::MAX,
            has_hung: AtomicBool::new(false),
            knows_no_ranges: AtomicBool::new(false),
        }
    }

    pub(crate) fn asked(&self) -> Vec<(Range<u64>, OpenReason)> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) fn open_bodies(&self) -> usize {
        self.state.open.load(Ordering::SeqCst)
    }

    pub(crate) fn most_open(&self) -> usize {
        self.state.most_open.load(Ordering::SeqCst)
    }

    pub(crate) fn most_alive_bytes(&self) -> usize {
        self.state.most_alive_bytes.load(Ordering::SeqCst)
    }

    fn body(&self, range: &Range<u64>, hangs: bool) -> ByteStream {
        let state = Arc::clone(&self.state);
        let open = state.open.fetch_add(1, Ordering::SeqCst) + 1;
        state.most_open.fetch_max(open, Ordering::SeqCst);
        let offset = |offset| usize::try_from(offset).unwrap();
        let rest = self.content.slice(offset(range.start)..offset(range.end));
        let asked = self.asked.lock().unwrap().len() as u64;
        let mut random = Random(self.troubles.seed ^ range.start ^ asked << 40 | 1);
        let troubles = self.troubles.clone();
        let guard = BodyGuard(Arc::clone(&state));
        let chunks = stream::unfold((rest, guard), move |(mut rest, guard)| {
            let troubles = troubles.clone();
            let state = Arc::clone(&state);
            let draws = [(); 4].map(|()| random.draw());
            async move {
                let item = draw(&mut rest, &troubles, draws, hangs).await?;
                Some((item.map(|chunk| count(chunk, state)), (rest, guard)))
            }
        });
        chunks.boxed()
    }
}

async fn draw(
    rest: &mut Bytes,
    troubles: &Troubles,
    draws: [u64; 4],
    hangs: bool,
) -> Option<Result<Bytes, SourceError>> {
    if rest.is_empty() {
        return None;
    }
    let [length, wait, cut, stall] = draws;
    if cut % 1000 < troubles.cuts_per_thousand {
        return (cut % 2 == 0).then(|| Err(failure(SourceErrorKind::Cut)));
    }
    if stall % 1000 < troubles.stalls_per_thousand {
        std::future::pending::<()>().await;
    }
    let longest = u64::try_from(troubles.longest_wait.as_millis()).unwrap();
    if longest > 0 {
        tokio::time::sleep(Duration::from_millis(wait % longest)).await;
    }
    if hangs {
        if rest.len() > 1 {
            let one = rest.split_to(1);
            *rest = rest.slice(..1);
            return Some(Ok(one));
        }
        std::future::pending::<()>().await;
    }
    let length = usize::try_from(1 + length % troubles.longest_chunk).unwrap();
    Some(Ok(rest.split_to(length.min(rest.len()))))
}

fn count(chunk: Bytes, state: Arc<State>) -> Bytes {
    let alive = state.alive_bytes.fetch_add(chunk.len(), Ordering::SeqCst) + chunk.len();
    state.most_alive_bytes.fetch_max(alive, Ordering::SeqCst);
    Bytes::from_owner(Counted(chunk, state))
}

impl Source for Line {
    async fn open(&self, range: Range<u64>, reason: OpenReason) -> Result<ByteStream, SourceError> {
        let nth = {
            let mut asked = self.asked.lock().unwrap();
            asked.push((range.clone(), reason));
            asked.len()
        };
        if nth > self.ranges_served && range != (0..self.content.len() as u64) {
            self.knows_no_ranges.store(true, Ordering::SeqCst);
            return Err(failure(SourceErrorKind::BadUpstream));
        }
        let hangs =
            self.hangs_once_at == Some(range.start) && !self.has_hung.swap(true, Ordering::SeqCst);
        Ok(self.body(&range, hangs))
    }

    fn serves_ranges(&self) -> bool {
        !self.knows_no_ranges.load(Ordering::SeqCst)
    }
}

/// Marsaglia's xorshift64: enough for troubles, and the same for the same seed.
struct Random(u64);

impl Random {
    fn draw(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16
    }
}
