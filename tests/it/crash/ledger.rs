//! The clients' own ledger: what must be there by what they asked and heard, what must not, and what may.
//!
//! Invariant: a fact is certain only by an answer that a client has read. A question without an answer leaves what it would have
//! changed open, until a later answer or a look at the gateway tells.

use std::collections::BTreeMap;
use std::time::Instant;

use quotagate::proto::Reason;

use super::deed::{APPS, Deed, Fact};
use super::told::{Answer, Broken, Exchange, Heard};

/// What is known of a fact.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    There,
    Gone,
    Open,
}

/// What is known of every app.
#[derive(Clone)]
pub struct Ledger {
    apps: BTreeMap<u32, Facts>,
    pub counted: Counted,
}

/// How much was noted, so that a run can show that it had something to judge.
#[derive(Clone, Copy, Default, Debug)]
pub struct Counted {
    pub allowed: u64,
    pub denied: u64,
    pub unavailable: u64,
    pub silent: u64,
}

/// What is known of an app.
#[derive(Clone, Default)]
pub struct Facts {
    known: BTreeMap<Fact, State>,
    /// Facts of questions that were all or nothing and not answered: all there, or none.
    together: Vec<Vec<Fact>>,
}

impl Ledger {
    pub fn new() -> Self {
        let apps = APPS.into_iter().map(|app| (app, Facts::default()));
        Self {
            apps: apps.collect(),
            counted: Counted::default(),
        }
    }

    /// Everything that is known of an app.
    pub fn of(&mut self, app: u32) -> &mut Facts {
        self.apps.get_mut(&app).expect("an app of the tests")
    }

    /// Takes an exchange in, in the order in which its client asked. An answer after `until` is not relied upon.
    pub fn note(&mut self, exchange: &Exchange, until: Option<Instant>) -> Result<(), Broken> {
        let app = exchange.app;
        let broken = |deeds: &[Deed], expected: String, found: String| Broken {
            app,
            asked: format!("{deeds:?} of client {}", exchange.client),
            expected,
            found,
        };
        let relied_upon = until.is_none_or(|until| exchange.at <= until);
        match &exchange.heard {
            Heard::Wrong(error) => {
                let expected = "an answer".to_owned();
                return Err(broken(&exchange.deeds, expected, error.clone()));
            }
            Heard::Answers(answers) if relied_upon => {
                if answers.len() != exchange.deeds.len() {
                    let expected = format!("{} answers", exchange.deeds.len());
                    return Err(broken(&exchange.deeds, expected, answers.len().to_string()));
                }
                for (deed, answer) in exchange.deeds.iter().zip(answers) {
                    if answer.allowed {
                        self.counted.allowed += 1;
                    } else {
                        self.counted.denied += 1;
                    }
                    let heard = self.of(app).hear(deed, answer);
                    heard.map_err(|expected| {
                        broken(std::slice::from_ref(deed), expected, answer.to_string())
                    })?;
                }
            }
            Heard::Nothing if relied_upon => {}
            heard => {
                match heard {
                    Heard::Unavailable(_) => self.counted.unavailable += 1,
                    _ => self.counted.silent += 1,
                }
                self.of(app).leave_open(exchange);
            }
        }
        Ok(())
    }
}

impl Facts {
    /// What is known of a fact.
    pub fn state(&self, fact: Fact) -> State {
        self.known.get(&fact).copied().unwrap_or(State::Gone)
    }

    /// All facts that were ever asked for.
    pub fn known(&self) -> Vec<(Fact, State)> {
        let known = self.known.iter();
        known.map(|(&fact, &state)| (fact, state)).collect()
    }

    /// How many facts of a kind are there, and how many more there may be.
    pub fn count(&self, is_of_kind: impl Fn(Fact) -> bool) -> (u64, u64) {
        let mut counts = (0, 0);
        for (&fact, state) in &self.known {
            match state {
                State::There if is_of_kind(fact) => counts.0 += 1,
                State::Open if is_of_kind(fact) => counts.1 += 1,
                _ => {}
            }
        }
        counts
    }

    /// Takes in what the gateway says of a fact; whether that can be.
    pub fn see(&mut self, fact: Fact, is_there: bool) -> Result<(), State> {
        let seen = if is_there { State::There } else { State::Gone };
        match self.state(fact) {
            State::Open => {
                self.known.insert(fact, seen);
                Ok(())
            }
            known if known == seen => Ok(()),
            known => Err(known),
        }
    }

    /// Once all is seen: the first facts of which some are there, though it was all or nothing.
    pub fn torn(&mut self) -> Option<Vec<(Fact, State)>> {
        let together = std::mem::take(&mut self.together);
        let states = |facts: Vec<Fact>| {
            let states = facts.into_iter().map(|fact| (fact, self.state(fact)));
            // Logins of users that are not there cannot be seen.
            let seen = states.filter(|(_, state)| *state != State::Open);
            seen.collect::<Vec<_>>()
        };
        let is_torn = |facts: &Vec<(Fact, State)>| facts.iter().any(|it| it.1 != facts[0].1);
        together.into_iter().map(states).find(is_torn)
    }

    /// Takes an answer in; otherwise what should have come.
    fn hear(&mut self, deed: &Deed, answer: &Answer) -> Result<(), String> {
        let already = self.already(deed);
        let needs = deed.needs();
        if answer.allowed {
            if let Some(missing) = needs.iter().find(|&&it| self.state(it) == State::Gone) {
                return Err(format!("a denial, for {missing:?} is not there"));
            }
            match already {
                State::There if answer.changed => {
                    return Err("ALLOWED, unchanged: it was acknowledged before".to_owned());
                }
                State::Gone if !answer.changed => {
                    return Err("a change: the opposite was acknowledged before".to_owned());
                }
                _ => {}
            }
            for fact in needs {
                self.known.insert(fact, State::There);
            }
            self.apply(deed, answer);
            return Ok(());
        }
        if !deed.is_adding() {
            return Err("ALLOWED: removals are never denied".to_owned());
        }
        if already == State::There {
            return Err("ALLOWED, unchanged: it was acknowledged before".to_owned());
        }
        let is_there = |fact: &Fact| self.state(*fact) == State::There;
        let is_unknown = matches!(answer.reason, Reason::UserNotFound | Reason::GroupNotFound);
        if is_unknown && needs.iter().all(is_there) {
            return Err(format!("{needs:?} to be known"));
        }
        Ok(())
    }

    /// Whether what is asked for is so already.
    fn already(&self, deed: &Deed) -> State {
        let added = match deed {
            Deed::Create(group, _) => vec![Fact::Group(*group)],
            _ => deed.adds(),
        };
        if !added.is_empty() {
            let states: Vec<_> = added.iter().map(|&fact| self.state(fact)).collect();
            return if states.contains(&State::Gone) {
                State::Gone
            } else if states.contains(&State::Open) {
                State::Open
            } else {
                State::There
            };
        }
        let ends: Box<dyn Fn(Fact) -> bool> = match *deed {
            // What goes with them tells nothing about whether they were there.
            Deed::DeleteUser(user) => Box::new(move |fact| fact == Fact::User(user)),
            Deed::Disband(group) => Box::new(move |fact| fact == Fact::Group(group)),
            _ => Box::new(move |fact| deed.removes(fact)),
        };
        match self.count(ends) {
            (0, 0) => State::There,
            (0, _) => State::Open,
            _ => State::Gone,
        }
    }

    fn apply(&mut self, deed: &Deed, answer: &Answer) {
        // What is new has nothing yet: no groups and friends, no members.
        match *deed {
            Deed::Register(user) if answer.changed => self.end(&Deed::DeleteUser(user)),
            Deed::Create(group, _) if answer.changed => self.end(&Deed::Disband(group)),
            _ => {}
        }
        self.end(deed);
        match deed {
            // Its owner may have left a group that is there already.
            Deed::Create(group, _) if !answer.changed => {
                self.known.insert(Fact::Group(*group), State::There);
            }
            _ => self.begin(&deed.adds()),
        }
        if let Deed::Create(group, members) = deed {
            for (&member, joined) in members.iter().zip(&answer.members) {
                let state = if *joined { State::There } else { State::Gone };
                self.known.insert(Fact::Member(*group, member), state);
            }
        }
    }

    fn begin(&mut self, facts: &[Fact]) {
        let there = facts.iter().map(|&fact| (fact, State::There));
        self.known.extend(there);
    }

    fn end(&mut self, deed: &Deed) {
        let ended = self.known.iter_mut();
        ended
            .filter(|(fact, _)| deed.removes(**fact))
            .for_each(|(_, state)| *state = State::Gone);
    }

    /// A question without an answer: what it would have changed may be so or not.
    fn leave_open(&mut self, exchange: &Exchange) {
        let added: Vec<_> = exchange.deeds.iter().flat_map(Deed::adds).collect();
        let is_new = |fact: &Fact| self.state(*fact) == State::Gone;
        let only_adds = exchange.deeds.iter().all(Deed::is_adding);
        // After silence nobody asked for more of it.
        let is_last = matches!(exchange.heard, Heard::Silence);
        if exchange.whole && is_last && only_adds && added.iter().all(is_new) {
            self.together.push(added);
        }
        for deed in &exchange.deeds {
            let mut added = deed.adds();
            if let Deed::Create(group, members) = deed {
                added.extend(members.iter().map(|&user| Fact::Member(*group, user)));
            }
            for fact in added {
                if self.state(fact) == State::Gone {
                    self.known.insert(fact, State::Open);
                }
            }
            for (&fact, known) in &mut self.known {
                if deed.removes(fact) && *known == State::There {
                    *known = State::Open;
                }
            }
        }
    }
}
