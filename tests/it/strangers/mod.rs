//! What those who may little, or nothing, can make the server do: not much.

mod bounded;
mod memory;
mod pages;
mod slots;
mod tokens;
