use url::form_urlencoded;

/// The query of a request.
pub(crate) struct Query<'a>(pub(crate) &'a str);

impl Query<'_> {
    /// The first value of this name.
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        let mut pairs = form_urlencoded::parse(self.0.as_bytes());
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }
}
