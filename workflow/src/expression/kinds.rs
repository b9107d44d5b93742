//! What an expression gives, as far as that can be seen before there is a run: what goes wrong for
//! every input is said when the workflow is saved. Values of a run are of any kind.

use cel::IdedExpr;
use cel::common::ast::{CallExpr, Expr, LiteralValue, operators};

/// The kind of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Bool,
    /// CEL's ints, uints and doubles, which go together here.
    Number,
    Text,
    Bytes,
    List,
    Map,
    Null,
}

impl Kind {
    /// Names one, with its article.
    pub(crate) const fn one(self) -> &'static str {
        match self {
            Self::Bool => "true or false",
            Self::Number => "a number",
            Self::Text => "text",
            Self::Bytes => "bytes",
            Self::List => "a list",
            Self::Map => "an object",
            Self::Null => "null",
        }
    }
}

/// Returns the kind of what a tree gives, where it is the same for every run. Adds to `problems` what
/// fails for every run.
pub(super) fn of(node: &IdedExpr, problems: &mut Vec<String>) -> Option<Kind> {
    match &node.expr {
        Expr::Literal(literal) => Some(of_literal(literal)),
        Expr::List(list) => {
            for element in &list.elements {
                of(element, problems);
            }
            Some(Kind::List)
        }
        Expr::Map(_) => Some(Kind::Map),
        Expr::Select(select) => {
            of(&select.operand, problems);
            select.test.then_some(Kind::Bool)
        }
        Expr::Call(call) => of_call(call, problems),
        Expr::Comprehension(_) | Expr::Ident(_) | Expr::Struct(_) | Expr::Unspecified => None,
    }
}

const fn of_literal(literal: &LiteralValue) -> Kind {
    match literal {
        LiteralValue::Boolean(_) => Kind::Bool,
        LiteralValue::Int(_) | LiteralValue::UInt(_) | LiteralValue::Double(_) => Kind::Number,
        LiteralValue::String(_) => Kind::Text,
        LiteralValue::Bytes(_) => Kind::Bytes,
        LiteralValue::Null => Kind::Null,
    }
}

fn of_call(call: &CallExpr, problems: &mut Vec<String>) -> Option<Kind> {
    if let Some(target) = &call.target {
        of(target, problems);
    }
    let args: Vec<_> = call.args.iter().map(|arg| of(arg, problems)).collect();
    if let [left, right] = args.as_slice() {
        let problem = misfit(&call.func_name, *left, *right);
        problems.extend(problem);
    }
    match (call.func_name.as_str(), args.as_slice()) {
        (operators::LOGICAL_NOT, [Some(kind)]) if *kind != Kind::Bool => {
            problems.push(format!("`!` cannot be applied to {}", kind.one()));
            Some(Kind::Bool)
        }
        (operators::NEGATE, [Some(kind)]) if *kind != Kind::Number => {
            problems.push(format!("`-` cannot be applied to {}", kind.one()));
            Some(Kind::Number)
        }
        (operators::CONDITIONAL, [condition, yes, no]) => {
            if let Some(kind) = condition.filter(|kind| *kind != Kind::Bool) {
                let one = kind.one();
                problems.push(format!("`?` needs true or false in front, not {one}"));
            }
            yes.filter(|_| yes == no)
        }
        (operators::ADD, [left, right]) => left.or(*right),
        (
            operators::SUBSTRACT
            | operators::MULTIPLY
            | operators::DIVIDE
            | operators::MODULO
            | operators::NEGATE,
            _,
        ) => args.iter().copied().flatten().next(),
        ("int" | "uint" | "double" | "size", _) => Some(Kind::Number),
        ("string", _) => Some(Kind::Text),
        ("bool" | "matches" | "contains" | "startsWith" | "endsWith", _) => Some(Kind::Bool),
        (name, _) if is_test(name) => Some(Kind::Bool),
        _ => None,
    }
}

/// Says whether an operator gives true or false.
fn is_test(operator: &str) -> bool {
    is_order(operator)
        || [
            operators::LOGICAL_AND,
            operators::LOGICAL_OR,
            operators::LOGICAL_NOT,
            operators::EQUALS,
            operators::NOT_EQUALS,
            operators::IN,
        ]
        .contains(&operator)
}

fn is_order(operator: &str) -> bool {
    [
        operators::LESS,
        operators::LESS_EQUALS,
        operators::GREATER,
        operators::GREATER_EQUALS,
    ]
    .contains(&operator)
}

/// Says what is wrong with two operands. One that is not known goes with everything.
fn misfit(operator: &str, left: Option<Kind>, right: Option<Kind>) -> Option<String> {
    let shown = operator.trim_matches(['_', '@']);
    let takes = |kind: Kind| match operator {
        operators::ADD => matches!(kind, Kind::Number | Kind::Text | Kind::Bytes | Kind::List),
        operators::SUBSTRACT | operators::MULTIPLY | operators::DIVIDE | operators::MODULO => {
            kind == Kind::Number
        }
        operators::LOGICAL_AND | operators::LOGICAL_OR => kind == Kind::Bool,
        _ => true,
    };
    let bad = [left, right]
        .into_iter()
        .flatten()
        .find(|&kind| !takes(kind));
    if let Some(kind) = bad {
        return Some(format!("`{shown}` cannot be applied to {}", kind.one()));
    }
    let (left, right) = (left?, right?);
    match operator {
        operators::ADD if left != right => Some(format!(
            "`{shown}` cannot be applied to {} and {}",
            left.one(),
            right.one()
        )),
        operators::IN if !matches!(right, Kind::List | Kind::Map) => Some(format!(
            "`{shown}` looks into a list or an object, not into {}",
            right.one()
        )),
        _ if is_order(operator) && left != right => Some(format!(
            "{} cannot be compared with {}",
            left.one(),
            right.one()
        )),
        _ => None,
    }
}
