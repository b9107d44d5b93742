//! Looks over a tree before it may run: what it names, how deep it is, how often it loops. On the
//! way it rewrites what the evaluator lacks ([`super::operators`]).

use cel::IdedExpr;
use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, LiteralValue, operators};

use super::loops::step_parts;
use super::metered;
use super::operators as ours;
use super::path::Path;
use super::tree::{call, charge, ident, is_ident, literal, member_of, select, take_operand, wrap};
use super::{Names, Sight, Use};
use crate::limits::{EXPRESSION_LOOPS_MAX, EXPRESSION_TREE_DEPTH_MAX};

/// What a step shows of itself.
const STEP_FIELDS: [&str; 3] = ["output", "status", "error"];

/// What the step that a compensation undoes shows of itself.
const UNDONE_FIELDS: [&str; 2] = ["input", "output"];

/// Levels that a value takes which gets wrapped ([`wrap`]).
const WRAPPED: usize = 2;

/// A tree that may run.
pub(super) struct Analysed {
    pub(super) tree: IdedExpr,
    /// The same as a path into the JSON, if it is one.
    pub(super) path: Option<Path>,
    pub(super) uses: Vec<Use>,
    pub(super) depth: usize,
}

/// Looks over a tree. Returns everything that is wrong with it, one sentence each.
pub(super) fn analyse(mut tree: IdedExpr, names: Names<'_>) -> Result<Analysed, Vec<String>> {
    let mut walk = Walk {
        names,
        uses: Vec::new(),
        problems: Vec::new(),
        bound: Vec::new(),
        depth: 0,
        loops: 0,
    };
    walk.visit(&mut tree, 0);
    if walk.depth > EXPRESSION_TREE_DEPTH_MAX {
        walk.problem(format!(
            "the expression chains or nests more than {EXPRESSION_TREE_DEPTH_MAX} operations; \
             split it over several steps"
        ));
    }
    if !walk.problems.is_empty() {
        return Err(walk.problems);
    }
    Ok(Analysed {
        path: Path::of(&tree, &walk.uses),
        tree,
        uses: walk.uses,
        depth: walk.depth,
    })
}

struct Walk<'a> {
    names: Names<'a>,
    uses: Vec<Use>,
    problems: Vec<String>,
    /// The variables of the loops around.
    bound: Vec<String>,
    depth: usize,
    loops: usize,
}

impl Walk<'_> {
    fn visit(&mut self, node: &mut IdedExpr, depth: usize) {
        self.depth = self.depth.max(depth);
        if depth > EXPRESSION_TREE_DEPTH_MAX {
            return;
        }
        if self.visit_undone(node) || self.visit_step(node) {
            return;
        }
        match &mut node.expr {
            Expr::Literal(_) => {}
            Expr::Ident(name) => {
                if let Some(problem) = self.unknown_variable(name) {
                    self.problem(problem);
                }
            }
            Expr::Select(select) => self.visit(&mut select.operand, depth + 1),
            Expr::Call(call) => self.visit_call(call, depth),
            Expr::List(list) => {
                for element in &mut list.elements {
                    self.visit(element, depth + WRAPPED);
                    charge(element);
                }
            }
            Expr::Map(map) => {
                for entry in &mut map.entries {
                    if let EntryExpr::MapEntry(entry) = &mut entry.expr {
                        self.visit(&mut entry.key, depth + 1);
                        self.visit(&mut entry.value, depth + WRAPPED);
                        charge(&mut entry.value);
                    }
                }
            }
            Expr::Comprehension(comprehension) => self.visit_loop(comprehension, depth),
            Expr::Struct(message) => {
                let name = message.type_name.clone();
                self.problem(format!("there is no type `{name}`"));
            }
            Expr::Unspecified => self.problem("the expression does not compile".to_owned()),
        }
    }

    /// Handles `steps.<name>` and what follows it: both ways to write it become one, `has(…)` of a
    /// field asks whether it is null. Returns whether the node was one of these.
    fn visit_step(&mut self, node: &mut IdedExpr) -> bool {
        if self.bound.iter().any(|name| name == "steps") {
            return false;
        }
        if matches!(&node.expr, Expr::Ident(name) if name == "steps") {
            self.problem(
                "name one step: `steps.<name>.output`, or `steps[\"<name>\"]` with the name itself"
                    .to_owned(),
            );
            return true;
        }
        if let Some(name) = member_of(node, |of| is_ident(of, "steps")) {
            self.use_step(&name);
            *node = select(ident("steps"), name, false);
            return true;
        }
        let is_step = |of: &IdedExpr| member_of(of, |root| is_ident(root, "steps")).is_some();
        let Some(field) = member_of(node, is_step) else {
            return false;
        };
        let tested = matches!(&node.expr, Expr::Select(select) if select.test);
        let Some(mut step) = take_operand(node) else {
            return false;
        };
        self.visit_step(&mut step);
        if !STEP_FIELDS.contains(&field.as_str()) {
            self.problem(format!(
                "a step has `output`, `status` and `error`, not `{field}`; its result is in \
                 `output.{field}`"
            ));
        }
        let value = select(step, field, false);
        *node = if tested {
            call(
                operators::NOT_EQUALS,
                vec![value, literal(LiteralValue::Null)],
            )
        } else {
            value
        };
        true
    }

    /// Handles `step.input` and `step.output` in a compensation: they become those of the step that
    /// it undoes. Returns whether the node was one of these.
    fn visit_undone(&mut self, node: &mut IdedExpr) -> bool {
        let Sight::Ending(Some(undone)) = self.names.sight else {
            return false;
        };
        if self.bound.iter().any(|name| name == "step") {
            return false;
        }
        if matches!(&node.expr, Expr::Ident(name) if name == "step") {
            self.problem("write `step.input` or `step.output`".to_owned());
            return true;
        }
        let Some(field) = member_of(node, |of| is_ident(of, "step")) else {
            return false;
        };
        if !UNDONE_FIELDS.contains(&field.as_str()) {
            self.problem(format!(
                "the step that is undone has `input` and `output`, not `{field}`; its result is in \
                 `step.output.{field}`"
            ));
            return true;
        }
        let mut names = self.names.steps.iter();
        let Some(name) = names.find_map(|(name, n)| (*n == undone).then(|| (*name).to_owned()))
        else {
            return true;
        };
        self.use_step(&name);
        let tested = matches!(&node.expr, Expr::Select(select) if select.test);
        let value = select(select(ident("steps"), name, false), field, false);
        *node = if tested {
            call(
                operators::NOT_EQUALS,
                vec![value, literal(LiteralValue::Null)],
            )
        } else {
            value
        };
        true
    }

    fn visit_call(&mut self, call: &mut CallExpr, depth: usize) {
        let mut is_function_of_optional = false;
        if let Some(target) = &call.target {
            is_function_of_optional = is_ident(target, "optional")
                && ours::OPTIONAL_FUNCTIONS.contains(&call.func_name.as_str());
        }
        if !is_function_of_optional {
            self.check_function(call);
            if let Some(target) = &mut call.target {
                self.visit(target, depth + 1);
            }
        }
        for argument in &mut call.args {
            self.visit(argument, depth + 1);
        }
        match call.func_name.as_str() {
            operators::ADD => ours::ADD.clone_into(&mut call.func_name),
            operators::SUBSTRACT => ours::SUBTRACT.clone_into(&mut call.func_name),
            operators::MULTIPLY => ours::MULTIPLY.clone_into(&mut call.func_name),
            operators::DIVIDE => ours::DIVIDE.clone_into(&mut call.func_name),
            _ if !is_function_of_optional => count_work(call),
            _ => {}
        }
    }

    fn check_function(&mut self, call: &CallExpr) {
        let name = call.func_name.as_str();
        let is_operator = !name.starts_with(|c: char| c.is_ascii_alphabetic());
        let known = if call.target.is_some() {
            ours::METHODS
        } else {
            ours::FUNCTIONS
        };
        if is_operator || known.contains(&name) {
            return;
        }
        let problem = if ours::MACROS.contains(&name) {
            format!("`{name}` has other arguments here than it takes")
        } else if ours::METHODS.contains(&name) {
            format!("`{name}` is called on a value: `x.{name}(…)`")
        } else if ours::FUNCTIONS.contains(&name) {
            format!("`{name}` is called as `{name}(x)`")
        } else {
            format!("there is no function `{name}`")
        };
        self.problem(problem);
    }

    fn visit_loop(&mut self, comprehension: &mut ComprehensionExpr, depth: usize) {
        self.visit(&mut comprehension.iter_range, depth + 1);
        self.visit(&mut comprehension.accu_init, depth + 1);
        let variables = [
            comprehension.iter_var.clone(),
            comprehension.accu_var.clone(),
        ];
        // `optMap` binds its variable by a loop over nothing.
        if matches!(&comprehension.iter_range.expr, Expr::List(list) if list.elements.is_empty()) {
            self.bound.extend(variables);
            self.visit(&mut comprehension.result, depth + 1);
            self.bound.truncate(self.bound.len() - 2);
            return;
        }
        self.loops += 1;
        if self.loops == EXPRESSION_LOOPS_MAX + 1 {
            self.problem(format!(
                "loops (map, filter, all, exists, …) nest more than {EXPRESSION_LOOPS_MAX} deep; \
                 use a map step, or split the expression over several steps"
            ));
        }
        self.bound.extend(variables);
        for body in step_parts(comprehension) {
            self.visit(body, depth + 2 + WRAPPED);
        }
        self.bound.truncate(self.bound.len() - 2);
        self.loops -= 1;

        let item = comprehension.iter_var.clone();
        let mut parts = step_parts(comprehension).into_iter();
        if let Some(first) = parts.next() {
            wrap(ours::TURN, first, vec![ident(&item)]);
        }
        parts.for_each(charge);
        // One of `map` and `filter` is a literal, which the evaluator knows them by; they end with
        // their first error.
        if !matches!(comprehension.loop_cond.expr, Expr::Literal(_)) {
            wrap(ours::UNLESS_SPENT, &mut comprehension.loop_cond, vec![]);
        }
        wrap(ours::EACH, &mut comprehension.iter_range, vec![]);
    }

    fn unknown_variable(&self, name: &str) -> Option<String> {
        // What the parser itself binds has a name that cannot be written.
        if name.starts_with('@') || self.bound.iter().any(|bound| bound == name) {
            return None;
        }
        match name {
            "input" => None,
            "run" if self.names.sight == Sight::Input => {
                Some("there is no run yet here, only `input`".to_owned())
            }
            "run" => None,
            "error" if matches!(self.names.sight, Sight::Ending(_)) => None,
            "error" => Some(
                "there is no `error` here, only in `compensate` and `on_failure`; that of one step \
                 is `steps.<name>.error`"
                    .to_owned(),
            ),
            "item" | "index" if self.names.item => None,
            "item" | "index" => Some(format!(
                "there is no `{name}` here, only in the step of a map"
            )),
            _ if ours::TYPES.contains(&name) => None,
            _ if self.names.steps.contains_key(name) => Some(format!(
                "there is no variable `{name}`; write `steps.{name}.output`"
            )),
            _ => Some(format!(
                "there is no variable `{name}`; there are `input`, `steps`, `run`, and in a map \
                 `item` and `index`"
            )),
        }
    }

    fn use_step(&mut self, name: &str) {
        if self.uses.iter().any(|known| &*known.name == name) {
            return;
        }
        match self.names.steps.get(name) {
            Some(&step) => self.uses.push(Use {
                name: name.into(),
                step,
            }),
            None => self.problem(format!("there is no step `{name}`")),
        }
    }

    fn problem(&mut self, problem: String) {
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }
}

/// Has the work of a function or an operator counted, where it grows with what it is given. A method's
/// target becomes the first argument.
fn count_work(call: &mut CallExpr) {
    let arguments = call.args.len() + usize::from(call.target.is_some());
    if let Some(metered) = metered::in_place_of(&call.func_name, arguments) {
        metered.clone_into(&mut call.func_name);
        if let Some(target) = call.target.take() {
            call.args.insert(0, *target);
        }
    }
}
