//! What one connection is about: which statement runs, and whether in a transaction.
//!
//! sqlx names a statement when it parses it, and binds it by that name ever after. It may send the next
//! request before the last one was answered, so what was asked stands in a row.

use std::collections::{HashMap, VecDeque};

use super::frames::{Frame, text};
use super::statement;

pub(super) const PARSE: u8 = b'P';
pub(super) const BIND: u8 = b'B';
pub(super) const EXECUTE: u8 = b'E';
pub(super) const SYNC: u8 = b'S';
pub(super) const QUERY: u8 = b'Q';
pub(super) const READY: u8 = b'Z';
const IN_TRANSACTION: u8 = b'T';

/// One request, up to where the server says that it is ready again.
#[derive(Clone, Debug, Default)]
pub(super) struct Request {
    /// What it runs; a request that only parses runs nothing.
    pub(super) text: Option<String>,
    /// What ran before it in the same transaction.
    pub(super) after: Option<String>,
    /// Whether it begins inside of a transaction.
    pub(super) inside: bool,
}

/// A connection as its proxy sees it.
#[derive(Debug, Default)]
pub(super) struct Session {
    statements: HashMap<String, String>,
    portals: HashMap<String, String>,
    runs: Option<String>,
    /// Asked and not yet answered.
    asked: VecDeque<Request>,
    inside: bool,
    last: Option<String>,
}

impl Session {
    /// Hears a message of the client; gives the request that is whole with it.
    pub(super) fn hear(&mut self, frame: &Frame) -> Option<Request> {
        match frame.kind {
            PARSE => {
                let (name, rest) = text(frame.body());
                self.statements
                    .insert(name, statement::plain(&text(rest).0));
            }
            BIND => {
                let (portal, rest) = text(frame.body());
                let bound = self.statements.get(&text(rest).0).cloned();
                self.portals.insert(portal, bound.unwrap_or_default());
            }
            EXECUTE => self.runs = self.portals.get(&text(frame.body()).0).cloned(),
            QUERY => self.runs = Some(statement::plain(&text(frame.body()).0)),
            _ => {}
        }
        matches!(frame.kind, SYNC | QUERY).then(|| self.ask())
    }

    fn ask(&mut self) -> Request {
        let inside = match self
            .asked
            .iter()
            .rev()
            .find_map(|asked| asked.text.as_deref())
        {
            Some(text) if statement::begins(text) => true,
            Some("COMMIT" | "ROLLBACK") => false,
            _ => self.inside,
        };
        let request = Request {
            text: self.runs.take(),
            after: self.last.clone().filter(|_| inside),
            inside,
        };
        if request.text.is_some() {
            self.last.clone_from(&request.text);
        }
        self.asked.push_back(request.clone());
        request
    }

    /// How many requests wait for their end.
    pub(super) fn waiting(&self) -> usize {
        self.asked.len()
    }

    /// What the server answers at the moment.
    pub(super) fn answered(&self) -> Option<&Request> {
        self.asked.front()
    }

    /// Hears that the server is ready again; gives what it has done, and whether a transaction was open
    /// before or is after.
    pub(super) fn ready(&mut self, frame: &Frame) -> Option<(Request, bool)> {
        let before = std::mem::replace(&mut self.inside, frame.body()[0] == IN_TRANSACTION);
        let done = self.asked.pop_front()?;
        Some((done, before || self.inside))
    }
}
