//! JSON whose strings hold expressions.

use serde_json::{Map, Value};

use super::scan::{self, Piece};
use super::variables::Frame;
use super::{Expression, Meter, Names, Scope, Use};
use crate::limits::PAYLOAD_DEPTH_MAX;
use crate::told::{Tell, Told, json_bytes};

/// JSON with `${…}` in its strings. A string that is one expression keeps the expression's type;
/// in a longer text strings stand bare and other values as JSON. Keys are taken as they are.
#[derive(Debug)]
pub struct Template {
    /// The JSON as written.
    pub source: Value,
    node: Node,
}

#[derive(Debug)]
enum Node {
    /// No expression in it: rendered by clone.
    Literal(Value),
    Expression(Expression),
    Text(Vec<Part>),
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
}

#[derive(Debug)]
enum Part {
    Text(String),
    Expression(Expression),
}

/// Something wrong in a template: where, as a JSON pointer within it, and what.
pub(crate) type Problem = (String, String);

impl Tell for Problem {
    fn bytes(&self) -> usize {
        json_bytes(&self.0) + json_bytes(&self.1)
    }
}

impl Template {
    /// Compiles every expression. Returns what is wrong.
    pub(crate) fn compile(source: &Value, names: Names<'_>) -> Result<Self, Told<Problem>> {
        let mut problems = Told::new();
        let node = compile(source, names, &mut String::new(), &mut problems);
        if problems.is_empty() {
            Ok(Self {
                source: source.clone(),
                node,
            })
        } else {
            Err(problems)
        }
    }

    /// Shows every step that it names to `f`, with the JSON pointer within the template.
    pub(crate) fn each_use(&self, f: &mut impl FnMut(&str, &Use)) {
        each_use(&self.node, &mut String::new(), f);
    }

    /// Returns the value, if no expression is in it.
    pub(crate) fn literal(&self) -> Option<&Value> {
        match &self.node {
            Node::Literal(value) => Some(value),
            _ => None,
        }
    }

    /// Fills in every expression.
    ///
    /// # Errors
    /// A sentence that names the expression and what went wrong.
    pub fn render(&self, scope: Scope<'_>) -> Result<Value, String> {
        match &self.node {
            Node::Literal(value) => Ok(value.clone()),
            node => {
                let _meter = Meter::begin_alone();
                render(node, &Frame::new(scope), 0)
            }
        }
    }
}

fn compile(
    source: &Value,
    names: Names<'_>,
    pointer: &mut String,
    problems: &mut Told<Problem>,
) -> Node {
    if problems.is_over() {
        return Node::Literal(Value::Null);
    }
    match source {
        Value::String(text) => compile_text(text, names).unwrap_or_else(|found| {
            problems.extend(found.into_iter().map(|problem| (pointer.clone(), problem)));
            Node::Literal(Value::Null)
        }),
        Value::Array(items) => {
            let nodes: Vec<Node> = items
                .iter()
                .enumerate()
                .map(|(index, item)| {
                    within(pointer, &index.to_string(), |pointer| {
                        compile(item, names, pointer, problems)
                    })
                })
                .collect();
            literals(nodes, Node::List, Value::Array)
        }
        Value::Object(fields) => {
            let nodes: Vec<(String, Node)> = fields
                .iter()
                .map(|(key, value)| {
                    let node = within(pointer, key, |pointer| {
                        compile(value, names, pointer, problems)
                    });
                    (key.clone(), node)
                })
                .collect();
            if nodes
                .iter()
                .all(|(_, node)| matches!(node, Node::Literal(_)))
            {
                let fields = nodes.into_iter().filter_map(|(key, node)| match node {
                    Node::Literal(value) => Some((key, value)),
                    _ => None,
                });
                Node::Literal(Value::Object(fields.collect::<Map<_, _>>()))
            } else {
                Node::Object(nodes)
            }
        }
        other => Node::Literal(other.clone()),
    }
}

/// Makes one literal of a list of literals.
fn literals(
    nodes: Vec<Node>,
    mixed: impl FnOnce(Vec<Node>) -> Node,
    all: impl FnOnce(Vec<Value>) -> Value,
) -> Node {
    if nodes.iter().all(|node| matches!(node, Node::Literal(_))) {
        let values = nodes.into_iter().filter_map(|node| match node {
            Node::Literal(value) => Some(value),
            _ => None,
        });
        Node::Literal(all(values.collect()))
    } else {
        mixed(nodes)
    }
}

fn compile_text(text: &str, names: Names<'_>) -> Result<Node, Vec<String>> {
    let pieces = scan::pieces(text).map_err(|problem| vec![problem])?;
    if let [Piece::Expression(source)] = pieces.as_slice() {
        return Expression::compile(source, names).map(Node::Expression);
    }
    let mut parts = Vec::with_capacity(pieces.len());
    let mut problems = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Text(text) => parts.push(Part::Text(text.into_owned())),
            Piece::Expression(source) => match Expression::compile(source, names) {
                Ok(expression) => parts.push(Part::Expression(expression)),
                Err(found) => problems.extend(found),
            },
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(match parts.as_mut_slice() {
        [] => Node::Literal(Value::String(String::new())),
        [Part::Text(text)] => Node::Literal(Value::String(std::mem::take(text))),
        _ => Node::Text(parts),
    })
}

fn each_use(node: &Node, pointer: &mut String, f: &mut impl FnMut(&str, &Use)) {
    match node {
        Node::Literal(_) => {}
        Node::Expression(expression) => expression.uses().iter().for_each(|u| f(pointer, u)),
        Node::Text(parts) => {
            for part in parts {
                if let Part::Expression(expression) = part {
                    expression.uses().iter().for_each(|u| f(pointer, u));
                }
            }
        }
        Node::List(nodes) => {
            for (index, node) in nodes.iter().enumerate() {
                within(pointer, &index.to_string(), |pointer| {
                    each_use(node, pointer, f);
                });
            }
        }
        Node::Object(fields) => {
            for (key, node) in fields {
                within(pointer, key, |pointer| each_use(node, pointer, f));
            }
        }
    }
}

/// Runs `f` with the pointer one token longer.
fn within<T>(pointer: &mut String, token: &str, f: impl FnOnce(&mut String) -> T) -> T {
    let length = pointer.len();
    crate::validate::push_token(pointer, token);
    let result = f(pointer);
    pointer.truncate(length);
    result
}

fn render(node: &Node, frame: &Frame<'_>, level: usize) -> Result<Value, String> {
    if level > PAYLOAD_DEPTH_MAX {
        return Err(format!(
            "the template nests more than {PAYLOAD_DEPTH_MAX} levels deep"
        ));
    }
    match node {
        Node::Literal(value) => Ok(value.clone()),
        Node::Expression(expression) => expression.evaluate_in(frame, level),
        Node::Text(parts) => {
            let mut text = String::new();
            for part in parts {
                match part {
                    Part::Text(plain) => text.push_str(plain),
                    Part::Expression(expression) => match expression.evaluate_in(frame, level)? {
                        Value::String(value) => text.push_str(&value),
                        other => text.push_str(&other.to_string()),
                    },
                }
            }
            Ok(Value::String(text))
        }
        Node::List(nodes) => nodes
            .iter()
            .map(|node| render(node, frame, level + 1))
            .collect::<Result<Vec<_>, _>>()
            .map(Value::Array),
        Node::Object(fields) => fields
            .iter()
            .map(|(key, node)| Ok((key.clone(), render(node, frame, level + 1)?)))
            .collect::<Result<Map<_, _>, String>>()
            .map(Value::Object),
    }
}
