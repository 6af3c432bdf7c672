//! The model that most of these tests fetch, and a CDN slow enough to be in the middle of it.

use fake_hub::{Content, FakeHub, Fault, Repository, Requests};

/// The repository that [`quantised`] makes.
pub const MODEL: &str = "acme/Tiny-GGUF";

/// The file that a download of [`MODEL`] without a selector takes.
pub const FILE: &str = "Tiny-Q4_K_M.gguf";

/// A repository with two quantisations of a model.
pub fn quantised() -> Repository {
    Repository::model(MODEL)
        .file("README.md", "# Tiny\n")
        .large_file(FILE, Content::gguf("Tiny", 8_000_000))
        .large_file("Tiny-Q8_0.gguf", Content::gguf("Tiny", 12_000_000))
}

/// Makes the bodies come so slowly that a test can act in the middle of one: [`FILE`] takes 16 s.
pub fn slowly(hub: &FakeHub) {
    hub.on(Requests::cdn()).answer(Fault::Drip {
        bytes_per_second: 500_000,
    });
}
