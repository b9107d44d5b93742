//! What clients and operators see and steer besides runs: tasks, graphs, reports, records, queues,
//! workers, the audit log.

mod audit;
mod bulk;
mod caches;
mod graph;
mod lists;
mod queues;
mod records;
mod report;
mod tasks;
mod workers;
