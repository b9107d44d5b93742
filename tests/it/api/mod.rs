//! The contract of the REST API: every endpoint's answers, good and bad.

mod agent_health;
mod agent_in_use;
mod agents;
mod bodies;
mod costly;
mod documents;
mod everywhere;
mod execute;
mod head;
mod idempotency;
mod lists;
mod metrics;
mod payloads;
mod restart;
mod runs;
mod sites;
mod slow_clients;
mod system;
mod times;
mod too_large;
mod upkeep;
mod validation;
mod workflows;
