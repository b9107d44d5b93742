//! The OpenAPI document, made from the endpoints, and the pages that show it. Nothing here asks
//! another host for anything.

mod access;
mod document;
mod pages;
mod parameter;
mod plain;
mod policy;

pub use document::document;
pub use pages::pages;
pub use parameter::{optional, repeatable, text_of};
