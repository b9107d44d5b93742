//! Which step waits for which. The three ways to say it (the list itself, `needs`, `sequence`)
//! become one graph without cycles.
//!
//! - In a list, a step waits for the one before it. A step with `"execution_type": "async"` is not
//!   waited for: the next one takes what the async one waited for.
//! - `needs` replaces that for one step; `[]` starts at once.
//! - With `sequence`, equal numbers run together after all lower ones that are not async.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};

use super::StepNo;
use super::step::Draft;
use crate::told::Told;
use crate::validate::Finding;

/// Which step waits for which, by place in the definition.
pub(super) struct Order {
    /// For each step the steps that it waits for, ascending.
    pub(super) needs: Vec<Vec<usize>>,
    /// All steps, each after those it waits for; as written where that leaves a choice.
    pub(super) sorted: Vec<usize>,
}

impl Order {
    /// Returns for each step its place in the plan.
    pub(super) fn numbers(&self) -> Vec<StepNo> {
        let mut numbers = vec![0; self.sorted.len()];
        for (&at, place) in self.sorted.iter().zip(0..StepNo::MAX) {
            numbers[at] = place;
        }
        numbers
    }
}

/// Makes the graph. `None` if there is none; the findings then say why.
pub(super) fn order(drafts: &[Draft<'_>], findings: &mut Told<Finding>) -> Option<Order> {
    let before = findings.found();
    let numbered = drafts.iter().filter(|d| d.sequence.is_some()).count();
    let needs = if numbered == 0 {
        by_needs(drafts, findings)
    } else {
        by_sequence(drafts, findings)
    };
    // Also where a step was not found: a cycle is wrong besides.
    let sorted = sort(&needs, |cycle| {
        let names: Vec<&str> = cycle.iter().map(|&at| drafts[at].name).collect();
        findings.push(Finding::rule(
            format!("{}/needs", drafts[cycle[0]].pointer),
            format!(
                "the steps wait for each other: {} -> {}; remove one of these needs",
                names.join(" -> "),
                names[0]
            ),
        ));
    });
    (findings.found() == before).then_some(Order { needs, sorted })
}

fn by_needs(drafts: &[Draft<'_>], findings: &mut Told<Finding>) -> Vec<Vec<usize>> {
    let mut places: HashMap<&str, usize> = HashMap::new();
    for (at, draft) in drafts.iter().enumerate() {
        places.entry(draft.name).or_insert(at);
    }
    let mut all = Vec::with_capacity(drafts.len());
    // What the next step waits for if it does not say.
    let mut tail: Vec<usize> = Vec::new();
    for (at, draft) in drafts.iter().enumerate() {
        let needs = match &draft.needs {
            None => tail.clone(),
            Some(names) => {
                let mut needs = Vec::with_capacity(names.len());
                for (index, name) in names {
                    let pointer = || format!("{}/needs/{index}", draft.pointer);
                    match places.get(name) {
                        Some(&other) if other == at => findings.push(Finding::rule(
                            pointer(),
                            format!("the step `{name}` needs itself"),
                        )),
                        Some(&other) => needs.push(other),
                        None => findings.push(Finding::rule(
                            pointer(),
                            format!("there is no step `{name}`"),
                        )),
                    }
                }
                needs.sort_unstable();
                needs.dedup();
                needs
            }
        };
        tail = if draft.is_async {
            needs.clone()
        } else {
            vec![at]
        };
        all.push(needs);
    }
    all
}

fn by_sequence(drafts: &[Draft<'_>], findings: &mut Told<Finding>) -> Vec<Vec<usize>> {
    let mut groups: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
    for (at, draft) in drafts.iter().enumerate() {
        if draft.needs.is_some() {
            findings.push(Finding::rule(
                format!("{}/needs", draft.pointer),
                "a definition orders its steps by `needs` or by `sequence`, not by both",
            ));
        }
        match draft.sequence {
            Some(number) => groups.entry(number).or_default().push(at),
            None => findings.push(Finding::rule(
                draft.pointer.clone(),
                "this step has no `sequence`, but others have; give every step one, or none",
            )),
        }
    }
    let mut all = vec![Vec::new(); drafts.len()];
    let mut lower: Vec<usize> = Vec::new();
    for group in groups.values() {
        for &at in group {
            all[at].clone_from(&lower);
        }
        let waited_for: Vec<usize> = group
            .iter()
            .copied()
            .filter(|&at| !drafts[at].is_async)
            .collect();
        // These waited for all that is lower, so waiting for them is enough.
        if !waited_for.is_empty() {
            lower = waited_for;
        }
    }
    all
}

/// Sorts the graph, and shows every cycle that stands in the way.
fn sort(needs: &[Vec<usize>], mut cycle: impl FnMut(&[usize])) -> Vec<usize> {
    let mut waiting: Vec<usize> = needs.iter().map(Vec::len).collect();
    let mut dependents = vec![Vec::new(); needs.len()];
    for (at, needed) in needs.iter().enumerate() {
        for &need in needed {
            dependents[need].push(at);
        }
    }
    let mut ready: BinaryHeap<Reverse<usize>> = (0..needs.len())
        .filter(|&at| waiting[at] == 0)
        .map(Reverse)
        .collect();
    let mut done = vec![false; needs.len()];
    let mut sorted = Vec::with_capacity(needs.len());
    loop {
        while let Some(Reverse(at)) = ready.pop() {
            if std::mem::replace(&mut done[at], true) {
                continue;
            }
            sorted.push(at);
            for &dependent in &dependents[at] {
                waiting[dependent] = waiting[dependent].saturating_sub(1);
                if waiting[dependent] == 0 {
                    ready.push(Reverse(dependent));
                }
            }
        }
        let Some(first) = done.iter().position(|done| !done) else {
            return sorted;
        };
        let found = cycle_from(first, needs, &done);
        cycle(&found);
        // Taken out, so that the next cycle, if any, shows as well.
        ready.extend(found.into_iter().map(Reverse));
    }
}

/// Follows the needs from a step that cannot start until they come round.
fn cycle_from(first: usize, needs: &[Vec<usize>], done: &[bool]) -> Vec<usize> {
    let mut way = vec![first];
    let mut seen_at: HashMap<usize, usize> = HashMap::from([(first, 0)]);
    let mut at = first;
    while let Some(&next) = needs[at].iter().find(|&&need| !done[need]) {
        if let Some(&start) = seen_at.get(&next) {
            let mut cycle = way.split_off(start);
            let smallest = (0..cycle.len()).min_by_key(|&i| cycle[i]).unwrap_or(0);
            cycle.rotate_left(smallest);
            return cycle;
        }
        seen_at.insert(next, way.len());
        way.push(next);
        at = next;
    }
    way
}
