//! Five users, each with a story from its beginning to its end, through the public doors alone.

mod agents;
mod appeals;
mod records;
mod trigger;
mod workflow_author;
