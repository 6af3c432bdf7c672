//! A small HTTP/1.1 server: exact about every byte and every close, and never more polite than it is told to be.
//!
//! Both the Hub and the CDN stand on it, so that any fault can be put into any answer. It reads one request at
//! a time, and while it answers it keeps reading, so that a client that leaves is seen at once.

mod answer;
mod connection;
mod delivery;
mod percent;
mod request;

pub(crate) use answer::{Answer, Body};
pub(crate) use connection::{Service, serve};
pub(crate) use delivery::{Delivery, Ending};
pub(crate) use percent::{decode, encode};
pub(crate) use request::{Asked, Request};
