//! Small pieces of trees: taken apart and made.

use cel::IdedExpr;
use cel::common::ast::{CallExpr, Expr, LiteralValue, SelectExpr, operators};

use super::operators as ours;

/// Returns `name` of `of.name` and `of["name"]`, where `of` is what is asked for.
pub(super) fn member_of(node: &IdedExpr, of: impl Fn(&IdedExpr) -> bool) -> Option<String> {
    match &node.expr {
        Expr::Select(select) if of(&select.operand) => Some(select.field.clone()),
        Expr::Call(call) if call.func_name == operators::INDEX && call.target.is_none() => {
            match call.args.as_slice() {
                [operand, index] if of(operand) => string_literal(index),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Takes `of` out of `of.name` and `of["name"]`.
pub(super) fn take_operand(node: &mut IdedExpr) -> Option<IdedExpr> {
    match &mut node.expr {
        Expr::Select(select) => Some(std::mem::take(&mut *select.operand)),
        Expr::Call(call) => call.args.first_mut().map(std::mem::take),
        _ => None,
    }
}

fn string_literal(node: &IdedExpr) -> Option<String> {
    match &node.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner().to_owned()),
        _ => None,
    }
}

pub(super) fn is_ident(node: &IdedExpr, name: &str) -> bool {
    matches!(&node.expr, Expr::Ident(ident) if ident == name)
}

/// Has the value's weight spent when it is evaluated. A literal weighs next to nothing.
pub(super) fn charge(node: &mut IdedExpr) {
    if !matches!(node.expr, Expr::Literal(_)) {
        wrap(ours::COST, node, vec![]);
    }
}

/// Replaces x by `function(before…, x)`.
pub(super) fn wrap(function: &str, node: &mut IdedExpr, mut before: Vec<IdedExpr>) {
    before.push(std::mem::take(node));
    *node = call(function, before);
}

pub(super) fn call(function: &str, args: Vec<IdedExpr>) -> IdedExpr {
    made(Expr::Call(CallExpr {
        func_name: function.to_owned(),
        target: None,
        args,
    }))
}

pub(super) fn select(operand: IdedExpr, field: String, test: bool) -> IdedExpr {
    made(Expr::Select(SelectExpr {
        operand: Box::new(operand),
        field,
        test,
    }))
}

pub(super) fn ident(name: &str) -> IdedExpr {
    made(Expr::Ident(name.to_owned()))
}

pub(super) fn literal(value: LiteralValue) -> IdedExpr {
    made(Expr::Literal(value))
}

fn made(expr: Expr) -> IdedExpr {
    IdedExpr { id: 0, expr }
}
