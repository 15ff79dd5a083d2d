use std::fmt;

use release::ParseError;

/// Who writes or commits, as Git names people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    name: String,
    email: String,
}

impl Identity {
    /// An identity of one line, without the angle brackets that Git delimits it by.
    ///
    /// # Errors
    /// A part that is empty, longer than 200 bytes, or has a bracket or control character.
    pub fn new(name: &str, email: &str) -> Result<Self, ParseError> {
        for part in [name, email] {
            let odd = |c: char| c.is_control() || matches!(c, '<' | '>');
            if part.trim() != part || part.is_empty() || part.len() > 200 || part.contains(odd) {
                let rule = "write a name and an address of one line each, without angle brackets, 200 bytes at most";
                return Err(ParseError { what: "a committer's identity", text: part.to_owned(), rule });
            }
        }
        Ok(Self { name: name.to_owned(), email: email.to_owned() })
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The address.
    #[must_use]
    pub fn email(&self) -> &str {
        &self.email
    }
}

impl Default for Identity {
    /// `Conveyor <conveyor@localhost>`
    fn default() -> Self {
        Self { name: "Conveyor".to_owned(), email: "conveyor@localhost".to_owned() }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} <{}>", self.name, self.email)
    }
}
