use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::text::{ParseError, serde_as_text};

/// Who did something: an id that a system vouches for, and a name for people to read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// What is compared.
    pub id: ActorId,
    /// What is shown. Untrusted text.
    pub name: String,
}

/// An identity, by the system that vouches for it. Only ids are compared, never names or e-mail addresses.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ActorId {
    /// `azure-devops:GUID`: an identity of the Azure DevOps organisation, in lower case.
    AzureDevOps(String),
    /// `aws:ARN`: the caller that AWS STS names.
    Aws(String),
    /// `claimed:TEXT`: what somebody says of himself; nobody vouches for it.
    Claimed(String),
}

impl fmt::Display for ActorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AzureDevOps(guid) => write!(f, "azure-devops:{guid}"),
            Self::Aws(arn) => write!(f, "aws:{arn}"),
            Self::Claimed(text) => write!(f, "claimed:{text}"),
        }
    }
}

impl FromStr for ActorId {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let printable = |rest: &str| (1..=256).contains(&rest.len()) && !rest.chars().any(char::is_control);
        match text.split_once(':') {
            Some(("azure-devops", guid)) if is_guid(guid) => Ok(Self::AzureDevOps(guid.to_ascii_lowercase())),
            Some(("aws", arn)) if arn.starts_with("arn:") && arn.is_ascii() && printable(arn) => {
                Ok(Self::Aws(arn.to_owned()))
            }
            Some(("claimed", claim)) if printable(claim) => Ok(Self::Claimed(claim.to_owned())),
            _ => Err(ParseError::new("an actor id", text, "write azure-devops:GUID, aws:ARN or claimed:TEXT")),
        }
    }
}

serde_as_text!(ActorId);

/// Eight, four, four, four and twelve hexadecimal digits, in either case.
fn is_guid(text: &str) -> bool {
    let groups: Vec<usize> = text.split('-').map(str::len).collect();
    groups == [8, 4, 4, 4, 12] && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
}
