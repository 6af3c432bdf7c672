//! A file as the body of an answer: whole, or the one range that was asked for.

use crate::content::Content;
use crate::wire::{Answer, Asked, Body, Request};

/// 200 with everything, 206 with the range, or 416 (RFC 9110, section 14).
pub(crate) fn file_answer(request: &Request, content: &Content) -> Answer {
    let size = content.size_bytes();
    let mut answer = Answer::new(200, "").with("Accept-Ranges", "bytes");
    match request.range(size) {
        Asked::Whole => answer.body = Body::whole(content.clone()),
        Asked::Part(range) => {
            answer.status = 206;
            let content_range = format!("bytes {}-{}/{size}", range.start, range.end - 1);
            answer.set("Content-Range", Some(content_range));
            answer.body = Body {
                content: content.clone(),
                range,
            };
        }
        Asked::Unsatisfiable => {
            answer.status = 416;
            answer.set("Content-Range", Some(format!("bytes */{size}")));
        }
    }
    answer
}
