//! The server as a whole, asked from outside.

mod pages;
mod rights;
mod sign_in;
mod wire;
pub(in crate::http) mod world;
