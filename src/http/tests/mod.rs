//! The server as a whole, asked from outside.

mod injection;
mod pages;
mod rights;
mod sign_in;
mod weight;
mod wire;
pub(in crate::http) mod world;
