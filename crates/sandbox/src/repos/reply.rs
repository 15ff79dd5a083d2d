use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};

/// What is answered.
pub(super) enum Reply {
    /// A document, its status and the token of the next page.
    Document(StatusCode, Value, Option<String>),
    /// Bytes as they are.
    Bytes(Bytes),
}

/// What the server answers instead.
pub(super) enum Error {
    NoResource,
    NoProject(String),
    NoRepository(String),
    NoApiVersion,
    NoItem(String),
    NoVersion(String),
    NoCommit(String),
    Stale(String),
    Policy(String),
    Permission,
    PullRequestExists,
    /// A parameter is not as it must be.
    Argument(&'static str),
    Other(StatusCode, String),
}

impl Reply {
    pub(super) fn ok(document: Value) -> Self {
        Self::Document(StatusCode::OK, document, None)
    }

    pub(super) fn created(document: Value) -> Self {
        Self::Document(StatusCode::CREATED, document, None)
    }

    pub(super) fn list(value: &[Value]) -> Self {
        Self::ok(json!({ "count": value.len(), "value": value }))
    }

    /// The same with the token of the next page.
    pub(super) fn with_next(self, next: Option<String>) -> Self {
        match self {
            Self::Document(status, document, _) => Self::Document(status, document, next),
            bytes @ Self::Bytes(_) => bytes,
        }
    }
}

impl From<Error> for Reply {
    fn from(error: Error) -> Self {
        let (status, key, message) = match error {
            Error::NoResource => (404, "VssResourceNotFoundException", "The resource cannot be found.".to_owned()),
            Error::NoProject(name) => (
                404,
                "ProjectDoesNotExistWithNameException",
                format!("TF200016: The following project does not exist: {name}."),
            ),
            Error::NoRepository(name) => (
                404,
                "GitRepositoryNotFoundException",
                format!("TF401019: The Git repository with name or identifier {name} does not exist."),
            ),
            Error::NoApiVersion => (400, "VssVersionNotSpecifiedException", "No api-version was supplied.".to_owned()),
            Error::NoItem(path) => {
                (404, "GitItemNotFoundException", format!("TF401174: The item '{path}' could not be found."))
            }
            Error::NoVersion(name) => (
                404,
                "GitUnresolvableToCommitException",
                format!("TF401175:The version descriptor <{name}> could not be resolved to a version."),
            ),
            Error::NoCommit(id) => {
                (404, "GitCommitDoesNotExistException", format!("TF401035: The object '{id}' does not exist."))
            }
            Error::Stale(name) => (
                409,
                "GitReferenceStaleException",
                format!("TF401028: The reference '{name}' has already been updated by another client."),
            ),
            Error::Policy(name) => (
                403,
                "GitRefUpdateRejectedByPolicyException",
                format!("TF402455: Pushes to this branch are not permitted; use a pull request to update {name}."),
            ),
            Error::Permission => (
                403,
                "GitNeedsPermissionException",
                "TF401027: You need the Git 'GenericContribute' permission to perform this action.".to_owned(),
            ),
            Error::PullRequestExists => (
                409,
                "GitPullRequestExistsException",
                "TF401179: An active pull request for the source and target branch already exists.".to_owned(),
            ),
            Error::Argument(name) => (400, "ArgumentException", format!("A parameter is not valid: {name}.")),
            Error::Other(status, message) => (status.as_u16(), "VssServiceException", message),
        };
        let document = json!({
            "$id": "1",
            "innerException": null,
            "message": message,
            "typeName": format!("Microsoft.TeamFoundation.Git.Server.{key}, Microsoft.TeamFoundation.Git.Server"),
            "typeKey": key,
            "errorCode": 0,
            "eventId": 3000,
        });
        Self::Document(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), document, None)
    }
}

/// Adds a field to an object.
pub(super) fn put(object: &mut Value, name: &str, value: impl Into<Value>) {
    if let Value::Object(fields) = object {
        fields.insert(name.to_owned(), value.into());
    }
}
