use std::{borrow::Cow, fmt, panic::RefUnwindSafe, str::FromStr};

use jiff::Timestamp;
use release::ParseError;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{Fact, Facts, Request};

/// One thing that must hold before anything is done.
///
/// A rule is a function of what it is given: no I/O, no clock, no environment. Whatever it does, it cannot allow more
/// than the other rules do. That it is [`RefUnwindSafe`] lets a panic in it be caught and counted as a denial.
pub trait Rule: Send + Sync + RefUnwindSafe {
    /// Its name, the same for ever: records carry it. Asked once, when the rule is added to a set.
    fn id(&self) -> RuleId;

    /// Whether an emergency may waive it. Asked once, when the rule is added to a set.
    fn grade(&self) -> Grade;

    /// Whether it has anything to say about the request. Where it has not, the decision names it as not applicable.
    fn applies(&self, request: &Request) -> bool;

    /// Whether it holds, or need not.
    ///
    /// # Errors
    /// What is wrong, and what somebody can do about it. A fact that the rule needs and that is
    /// [missing](Fact::Missing) is an error.
    fn check(&self, request: &Request, facts: &Facts, now: Timestamp) -> Result<Finding, Violation>;
}

/// How strict a rule is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grade {
    /// Nothing waives it.
    Integrity,
    /// An emergency waives it, on record.
    Waivable,
}

/// What a rule says that forbids nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// It holds.
    Holds,
    /// It does not hold, and conveyor.yaml accepts that.
    Accepted,
}

/// A rule's name in kebab-case, such as `four-eyes`: lower-case letters and digits, in words joined by single dashes,
/// a letter first, 64 characters at most.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId(Cow<'static, str>);

impl RuleId {
    pub(crate) const fn of(name: &'static str) -> Self {
        Self(Cow::Borrowed(name))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for RuleId {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if text.len() <= 64 && text.starts_with(|c: char| c.is_ascii_lowercase()) && text.split('-').all(word) {
            Ok(Self(Cow::Owned(text.to_owned())))
        } else {
            Err(ParseError {
                what: "a rule's id",
                text: text.to_owned(),
                rule: "write lower-case words joined by dashes, a letter first, 64 at most",
            })
        }
    }
}

impl Serialize for RuleId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for RuleId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <Cow<'de, str>>::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// Why a rule does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The rule. A decision names the rule that was asked, whatever stands here.
    pub rule: RuleId,
    /// What is wrong, in one sentence without its full stop. May quote untrusted text.
    pub because: String,
    /// What somebody can do about it, likewise.
    pub remedy: String,
    /// Whether it is only that a fact could not be fetched, so that asking again may help.
    pub transient: bool,
}

impl Violation {
    /// What is known to be wrong.
    pub fn new(rule: RuleId, because: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { rule, because: because.into(), remedy: remedy.into(), transient: false }
    }
}

impl<T> Fact<T> {
    /// The fact, as `rule` needs it.
    ///
    /// # Errors
    /// The violation that a missing fact is; `what` names the fact in it. It is transient where the fact is.
    pub fn require(&self, rule: &RuleId, what: &str) -> Result<&T, Violation> {
        match self {
            Self::Known(known) => Ok(known),
            Self::Missing { why, remedy, transient } => {
                let because = format!("{what} is not known: {why}");
                Err(Violation { transient: *transient, ..Violation::new(rule.clone(), because, remedy) })
            }
        }
    }
}
