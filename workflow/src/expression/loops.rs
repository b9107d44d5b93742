//! The trees that the parser makes of `map`, `filter`, `all` and the like.

use cel::IdedExpr;
use cel::common::ast::{ComprehensionExpr, Expr, ListExpr, operators};

use super::tree::is_ident;

/// Returns the parts of a loop's step that were written by the author. The parser's own frame
/// around them stays as it is: the evaluator knows it by its shape.
pub(super) fn step_parts(comprehension: &mut ComprehensionExpr) -> Vec<&mut IdedExpr> {
    let accumulator = comprehension.accu_var.clone();
    match shape(&comprehension.loop_step, &accumulator) {
        Shape::Append => append_part(&mut comprehension.loop_step)
            .into_iter()
            .collect(),
        Shape::Fold => match &mut comprehension.loop_step.expr {
            Expr::Call(call) => call.args.get_mut(1).into_iter().collect(),
            _ => vec![],
        },
        Shape::Guarded => match &mut comprehension.loop_step.expr {
            Expr::Call(call) => {
                let [guard, then, ..] = call.args.as_mut_slice() else {
                    return vec![];
                };
                let appended = match shape(then, &accumulator) {
                    Shape::Append => append_part(then),
                    _ => None,
                };
                std::iter::once(guard).chain(appended).collect()
            }
            _ => vec![],
        },
        Shape::Other => vec![&mut comprehension.loop_step],
    }
}

enum Shape {
    /// `accumulator + [x]`
    Append,
    /// `accumulator && x`, `accumulator || x`
    Fold,
    /// `x ? step : accumulator`
    Guarded,
    Other,
}

fn shape(step: &IdedExpr, accumulator: &str) -> Shape {
    let Expr::Call(call) = &step.expr else {
        return Shape::Other;
    };
    match (call.func_name.as_str(), call.args.as_slice()) {
        (operators::ADD, [left, right])
            if is_ident(left, accumulator) && matches!(right.expr, Expr::List(_)) =>
        {
            Shape::Append
        }
        (operators::LOGICAL_AND | operators::LOGICAL_OR, [left, _])
            if is_ident(left, accumulator) =>
        {
            Shape::Fold
        }
        (operators::CONDITIONAL, [_, _, otherwise]) if is_ident(otherwise, accumulator) => {
            Shape::Guarded
        }
        _ => Shape::Other,
    }
}

/// Returns the x of `accumulator + [x]`.
fn append_part(step: &mut IdedExpr) -> Option<&mut IdedExpr> {
    let Expr::Call(call) = &mut step.expr else {
        return None;
    };
    match &mut call.args.get_mut(1)?.expr {
        Expr::List(ListExpr { elements, .. }) => elements.first_mut(),
        _ => None,
    }
}
