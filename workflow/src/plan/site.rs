//! Where a compilation stands in the document, and what it has found so far.

use std::collections::HashMap;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::{Map, Value};

use super::StepNo;
use crate::expression::{Expression, Kind, Names, Sight, Template, Use};
use crate::limits::DURATION_MAX;
use crate::told::Told;
use crate::validate::{Finding, References, push_token};

/// What a compilation gathers.
pub(super) struct Gathered<'a> {
    /// The steps that expressions may name.
    pub(super) steps: &'a HashMap<&'a str, StepNo>,
    pub(super) findings: Told<Finding>,
    pub(super) references: References,
    /// The steps that the expressions of the step in hand name, and where.
    pub(super) uses: Vec<(String, Use)>,
    /// What expressions can see of the run.
    pub(super) sight: Sight,
}

/// An object in the document whose fields are read. A field that is absent or of the wrong type is
/// read as absent: the shape was checked elsewhere.
pub(super) struct Site<'g, 'a, 'd> {
    pub(super) gathered: &'g mut Gathered<'a>,
    pub(super) fields: &'d Map<String, Value>,
    pub(super) pointer: String,
    /// Whether expressions see an item.
    pub(super) item: bool,
}

impl<'a, 'd> Site<'_, 'a, 'd> {
    /// Returns the same for an object below.
    pub(super) fn at<'s>(
        &'s mut self,
        pointer: String,
        fields: &'d Map<String, Value>,
        item: bool,
    ) -> Site<'s, 'a, 'd> {
        Site {
            gathered: self.gathered,
            fields,
            pointer,
            item,
        }
    }

    /// Returns the pointer of a field.
    pub(super) fn pointer_of(&self, field: &str) -> String {
        let mut pointer = self.pointer.clone();
        push_token(&mut pointer, field);
        pointer
    }

    pub(super) fn has(&self, field: &str) -> bool {
        self.fields.contains_key(field)
    }

    pub(super) fn text(&self, field: &str) -> Option<&'d str> {
        self.fields.get(field)?.as_str()
    }

    /// Notes a broken rule about a field.
    pub(super) fn finding(&mut self, field: &str, detail: impl Display) {
        self.finding_at(self.pointer_of(field), detail);
    }

    /// Notes a broken rule about what stands at `pointer`.
    pub(super) fn finding_at(&mut self, pointer: String, detail: impl Display) {
        self.gathered.findings.push(Finding::rule(pointer, detail));
    }

    /// Compiles a field that is a template.
    pub(super) fn template(&mut self, field: &str) -> Option<Template> {
        let source = self.fields.get(field)?;
        let pointer = self.pointer_of(field);
        self.template_at(&pointer, source)
    }

    /// Compiles a template that stands at `pointer`.
    pub(super) fn template_at(&mut self, pointer: &str, source: &Value) -> Option<Template> {
        match Template::compile(source, self.names()) {
            Ok(template) => {
                template.each_use(&mut |within, used| {
                    self.gathered
                        .uses
                        .push((format!("{pointer}{within}"), used.clone()));
                });
                Some(template)
            }
            Err(problems) => {
                let finding = |(within, problem): (String, String)| {
                    Finding::rule(format_args!("{pointer}{within}"), problem)
                };
                self.gathered.findings.append(problems.map(finding));
                None
            }
        }
    }

    /// Compiles a field that is one expression, bare or in `${ … }`.
    pub(super) fn expression(&mut self, field: &str) -> Option<Expression> {
        let source = self.text(field)?;
        let pointer = self.pointer_of(field);
        match Expression::compile_bare(source, self.names()) {
            Ok(expression) => {
                let uses = expression.uses().iter().cloned();
                self.gathered
                    .uses
                    .extend(uses.map(|used| (pointer.clone(), used)));
                Some(expression)
            }
            Err(problems) => {
                self.gathered.findings.extend(
                    problems
                        .into_iter()
                        .map(|problem| Finding::rule(&pointer, problem)),
                );
                None
            }
        }
    }

    /// Compiles a field that is one expression and gives a value of this kind.
    pub(super) fn expression_of(&mut self, field: &str, kind: Kind) -> Option<Expression> {
        let expression = self.expression(field)?;
        match expression.gives() {
            Some(given) if given != kind => {
                let detail = format!("this gives {}, but must give {}", given.one(), kind.one());
                self.finding(field, detail);
                None
            }
            _ => Some(expression),
        }
    }

    /// Reads a whole number within bounds. `what` is its unit, for the message.
    pub(super) fn number(
        &mut self,
        field: &str,
        bounds: RangeInclusive<u64>,
        what: &str,
    ) -> Option<u64> {
        let value = self.fields.get(field)?;
        // Infinity and text are the shape's business.
        value.as_f64()?;
        let number = value.as_u64().filter(|number| bounds.contains(number));
        if number.is_none() {
            self.finding(
                field,
                format!(
                    "this must be a whole number of {what} between {} and {}",
                    bounds.start(),
                    bounds.end()
                ),
            );
        }
        number
    }

    /// Reads a number of milliseconds, from 1 to [`DURATION_MAX`].
    pub(super) fn millis(&mut self, field: &str) -> Option<Duration> {
        let longest = u64::try_from(DURATION_MAX.as_millis()).unwrap_or(u64::MAX);
        self.number(field, 1..=longest, "milliseconds")
            .map(Duration::from_millis)
    }

    /// Reads a name that is taken literally.
    pub(super) fn name(&mut self, field: &str) -> Option<&'d str> {
        let name = self.text(field)?;
        if name.is_empty() || name.contains("${") {
            self.finding(
                field,
                "this must be a name, not empty and without an expression",
            );
            return None;
        }
        Some(name)
    }

    fn names(&self) -> Names<'a> {
        Names {
            steps: self.gathered.steps,
            item: self.item,
            sight: self.gathered.sight,
        }
    }
}
