//! Every bound of a definition and a run, each with its reason.

use std::time::Duration;

/// Steps of one definition: above this a person no longer reads it, and a child workflow does better.
pub const STEPS_MAX: usize = 1_000;
/// Steps in `on_failure`: they clean up and tell somebody, they are no workflow of their own.
pub const FAILURE_STEPS_MAX: usize = 100;
/// Runs with one concurrency key at once: above this it is no longer a limit that anybody feels.
pub const CONCURRENCY_MAX: usize = 10_000;
/// Characters of a concurrency key: it is in an index.
pub const CONCURRENCY_KEY_CHARS_MAX: usize = 255;
/// Choices and approvers of an approval: a person reads them.
pub const APPROVAL_WORDS_MAX: usize = 50;
/// Characters of one choice or approver.
pub const APPROVAL_WORD_CHARS_MAX: usize = 255;
/// Characters of the comment of whoever decides.
pub const COMMENT_CHARS_MAX: usize = 2_000;
/// Characters of the type of an event: a word with dots, and part of every filter.
pub const EVENT_TYPE_CHARS_MAX: usize = 255;
/// Bytes of a definition as JSON: it is held compiled in every worker.
pub const DEFINITION_BYTES_MAX: usize = 1 << 20;
/// Characters of a workflow's name: it is a title, shown in one line.
pub const TITLE_CHARS_MAX: usize = 200;
/// Characters of the name of a step, signal or task: a word, and part of an audit record.
pub const NAME_CHARS_MAX: usize = 64;
/// Characters of the name of a queue or topic: what the API takes for the queue of a run.
pub const LANE_CHARS_MAX: usize = 64;
/// Items of a map: their results are held in memory by one driver while the map runs.
pub const MAP_ITEMS_MAX: usize = 10_000;
/// Bytes of one payload (input, output, body): a row that Postgres still handles well.
pub const PAYLOAD_BYTES_MAX: usize = 4 << 20;
/// Values in one payload: what is read takes 32 bytes for each, and an object some hundreds more, so it
/// counts [`OBJECT_VALUES`]. A list of numbers is 16 times its text otherwise.
pub const PAYLOAD_VALUES_MAX: usize = 1_000_000;
/// What an object counts as, besides what is in it: it has room for eleven fields.
pub const OBJECT_VALUES: usize = 16;
/// Characters of the message of a failure: a person reads it, and it goes into the audit log, where a value
/// of megabytes that it quotes would stay for ever.
pub const FAILURE_CHARS_MAX: usize = 4_096;
/// Levels of lists and objects in one payload: JSON readers, ours included, refuse more than 128.
pub const PAYLOAD_DEPTH_MAX: usize = 100;
/// Pure steps (transform, decide, …) decided in one call of `advance`, so that a large map does
/// not hold a worker thread for long.
pub const PURE_STEPS_PER_ADVANCE: usize = 256;
/// Default and greatest number of attempts that one run has in flight.
pub const PARALLEL_DEFAULT: usize = 50;
pub const PARALLEL_MAX: usize = 1_000;
/// Workers that died while they held a run, before the run is failed as `poisoned`.
pub const DEATHS_MAX: u16 = 3;
/// The longest delay, wait or timeout: beyond a year somebody forgot something, and time
/// arithmetic stays far from overflow.
pub const DURATION_MAX: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// Characters of one expression: longer ones are programs.
pub const EXPRESSION_CHARS_MAX: usize = 4_096;
/// Bracket depth of one expression: the parser is recursive.
pub const EXPRESSION_DEPTH_MAX: usize = 64;
/// Depth of the tree that an expression is parsed into: a long chain such as `a + a + a …` nests
/// as deep as it is long, and every level costs stack when it is evaluated.
pub const EXPRESSION_TREE_DEPTH_MAX: usize = 128;
/// Loops (`map`, `filter`, `all`, `exists`, …) inside one another in one expression: each level
/// multiplies the work by the length of a list.
pub const EXPRESSION_LOOPS_MAX: usize = 2;
/// Units of work of all expressions of one step. A unit is a value copied, compared or looped over, or
/// 64 bytes of text that are looked through; so many take a good part of a second. A filter over the
/// 10,000 results of a map takes about a tenth.
pub const EXPRESSION_COST_MAX: u64 = 2_000_000;
/// Units of work that are done in between other work, a millisecond or two: a step that needs more is
/// left for a thread that nobody waits for.
pub const EXPRESSION_COST_INLINE: u64 = 10_000;
/// Bytes of a regular expression: longer ones are programs, and reading one takes time.
pub const PATTERN_BYTES_MAX: usize = 1_000;
/// Bytes of a compiled regular expression: one character of any script takes some tens of KiB, and
/// `.{1,1000}` as much.
pub const PATTERN_COMPILED_BYTES_MAX: usize = 1 << 20;
/// Bytes of stack on which an expression is parsed: so much takes [`EXPRESSION_CHARS_MAX`]
/// characters of the worst nesting, in a debug build too.
pub const PARSE_STACK_BYTES: usize = 64 << 20;
/// Bytes of stack that one level of the tree may take when it is evaluated. A debug build takes 37
/// KiB, a release build far less.
pub const EVALUATE_STACK_BYTES_PER_LEVEL: usize = 64 << 10;

/// Attempts of one step: more is a loop that nobody watches.
pub const ATTEMPTS_MAX: u32 = 100;
/// The longest interval between two attempts: a day.
pub const RETRY_INTERVAL_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// The greatest growth of the interval from one attempt to the next.
pub const BACKOFF_MAX: f64 = 100.0;
