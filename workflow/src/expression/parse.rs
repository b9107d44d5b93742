//! Text to tree, within bounds. Called on a stack of [`crate::limits::PARSE_STACK_BYTES`].

use crate::limits::{EVALUATE_STACK_BYTES_PER_LEVEL, EXPRESSION_CHARS_MAX, EXPRESSION_DEPTH_MAX};

use super::{operators, scan};

/// Stack of an evaluation that does not come from the depth of its tree: comparing and converting
/// values nested as deep as JSON may be.
const EVALUATE_STACK_BYTES: usize = 256 << 10;

/// Parses an expression, and says in a sentence why that cannot be done.
pub(super) fn parse(source: &str) -> Result<cel::IdedExpr, String> {
    if source.is_empty() {
        return Err("the expression is empty".to_owned());
    }
    let chars = source.chars().count();
    if chars > EXPRESSION_CHARS_MAX {
        return Err(format!(
            "the expression has {chars} characters, at most {EXPRESSION_CHARS_MAX} are allowed; \
             split it over several steps"
        ));
    }
    let depth = scan::bracket_depth(source);
    if depth > EXPRESSION_DEPTH_MAX {
        return Err(format!(
            "the expression nests brackets {depth} deep, at most {EXPRESSION_DEPTH_MAX} are allowed"
        ));
    }
    operators::environment()
        .parser()
        .parse(source)
        .map_err(|errors| match errors.errors.first() {
            // The parser's own bound on recursion, met by long chains of `? :`.
            Some(error) if error.msg.contains("OtherError") => {
                "the expression nests too deep; split it over several steps".to_owned()
            }
            Some(error) => format!(
                "the expression does not compile: {} (line {}, column {})",
                error.msg, error.pos.0, error.pos.1
            ),
            None => "the expression does not compile".to_owned(),
        })
}

/// Returns the bytes of stack that evaluating a tree of this depth may need.
pub(super) const fn evaluation_stack(depth: usize) -> usize {
    EVALUATE_STACK_BYTES + depth * EVALUATE_STACK_BYTES_PER_LEVEL
}
