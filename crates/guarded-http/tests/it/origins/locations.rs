use std::sync::{Arc, Mutex};

use guarded_http::{Client, HttpError, Method, Response, header};

use super::{SIGNED, client, has_credentials};
use crate::server::{Answer, Server, head};

/// What comes of a `Location`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The client's own server was asked, with credentials.
    Own,
    /// The other server was asked, without credentials.
    Bare,
    /// Nobody was asked, since it is no plain URL or leads where it may not.
    Refused,
    /// Somebody was greeted who could not prove who he is.
    NoTls,
}

use End::{Bare, NoTls, Own, Refused};

/// What is tried, the `Location` (OWN and OTHER are ports), as a redirect of a GET, as an upload session.
const LOCATIONS: [(&str, &str, End, End); 57] = [
    ("an absolute path", "/x", Own, Own),
    ("a relative path", "x?a=b", Own, Own),
    ("a path above the root", "../../../x", Own, Own),
    ("a query alone", "?to=//127.0.0.1:OTHER/", Own, Own),
    ("a path that begins with an at sign", "@127.0.0.1:OTHER/x", Own, Own),
    ("an empty segment above the root", "..//127.0.0.1:OTHER/x", Own, Own),
    ("its own URL", "http://127.0.0.1:OWN/x", Own, Own),
    ("its own URL in capitals", "HTTP://127.0.0.1:OWN/x", Own, Own),
    ("without a scheme", "//127.0.0.1:OWN/x", Own, Own),
    ("another port", "http://127.0.0.1:OTHER/x", Bare, Refused),
    ("another port, without a scheme", "//127.0.0.1:OTHER/x", Bare, Refused),
    ("another port, without a path", "http://127.0.0.1:OTHER?x=y", Bare, Refused),
    ("another name", "http://localhost:OTHER/x", Bare, Refused),
    ("another name for its own address", "http://localhost:OWN/x", Bare, Refused),
    ("another name in capitals", "http://LOCALHOST:OTHER/x", Bare, Refused),
    ("another scheme", "https://127.0.0.1:OTHER/x", NoTls, Refused),
    ("another scheme at its own port", "https://127.0.0.1:OWN/x", NoTls, Refused),
    ("a name that ends in a dot", "http://localhost.:OTHER/x", Refused, Refused),
    ("a name below localhost", "http://a.localhost:OTHER/x", Refused, Refused),
    ("a name that begins like loopback", "http://127.0.0.1.evil.example:OTHER/x", Refused, Refused),
    ("a name that begins like localhost", "http://localhost.evil.example:OTHER/x", Refused, Refused),
    ("a short address", "http://127.1:OTHER/x", Refused, Refused),
    ("a number", "http://2130706433:OTHER/x", Refused, Refused),
    ("a hexadecimal number", "http://0x7f000001:OTHER/x", Refused, Refused),
    ("a hexadecimal part", "http://0x7f.1:OTHER/x", Refused, Refused),
    ("an octal part", "http://0177.0.0.1:OTHER/x", Refused, Refused),
    ("an address that ends in a dot", "http://127.0.0.1.:OTHER/x", Refused, Refused),
    ("IPv4 in IPv6", "http://[::ffff:127.0.0.1]:OTHER/x", Refused, Refused),
    ("IPv4 in IPv6, in hexadecimal", "http://[::ffff:7f00:1]:OTHER/x", Refused, Refused),
    ("no address", "http://0.0.0.0:OTHER/x", Refused, Refused),
    ("no IPv6 address", "http://[::]:OTHER/x", Refused, Refused),
    ("instance metadata", "http://169.254.169.254/latest/meta-data/iam/", Refused, Refused),
    ("instance metadata over TLS", "https://169.254.169.254/latest/meta-data/iam/", Refused, Refused),
    ("metadata by name", "http://metadata.google.internal/computeMetadata/v1/", Refused, Refused),
    ("a percent-encoded name", "http://%6cocalhost:OTHER/x", Refused, Refused),
    ("a percent-encoded address", "http://127.0.0.%31:OTHER/x", Refused, Refused),
    ("full-width digits", "http://１２７.0.0.1:OTHER/x", Refused, Refused),
    ("ideographic full stops", "http://127。0。0。1:OTHER/x", Refused, Refused),
    ("a circled letter", "http://ⓛocalhost:OTHER/x", Refused, Refused),
    ("a user", "http://robot@127.0.0.1:OTHER/x", Refused, Refused),
    ("its own address as a user", "http://127.0.0.1:OWN@127.0.0.1:OTHER/x", Refused, Refused),
    ("a user at its own address", "http://robot:x@127.0.0.1:OWN/x", Refused, Refused),
    ("an empty user", "http://@127.0.0.1:OTHER/x", Refused, Refused),
    ("two backslashes", "\\\\127.0.0.1:OTHER/x", Refused, Refused),
    ("a slash and a backslash", "/\\127.0.0.1:OTHER/x", Refused, Refused),
    ("backslashes behind the scheme", "http:\\\\127.0.0.1:OTHER/x", Refused, Refused),
    ("a backslash behind its own address", "http://127.0.0.1:OWN\\@127.0.0.1:OTHER/x", Refused, Refused),
    ("no slashes", "http:127.0.0.1:OTHER/x", Refused, Refused),
    ("three slashes", "http:///127.0.0.1:OTHER/x", Refused, Refused),
    ("three slashes without a scheme", "///127.0.0.1:OTHER/x", Refused, Refused),
    ("a tab between slashes", "/\t/127.0.0.1:OTHER/x", Refused, Refused),
    ("a space", "/x http://127.0.0.1:OTHER/x", Refused, Refused),
    ("a fragment", "http://127.0.0.1:OTHER/x#y", Refused, Refused),
    ("a file", "file:///etc/passwd", Refused, Refused),
    ("another protocol", "gopher://127.0.0.1:OTHER/x", Refused, Refused),
    ("data", "data:text/plain,x", Refused, Refused),
    ("nothing", "", Refused, Refused),
];

pub(super) async fn table() -> String {
    let mut table = String::from(
        "### What a `Location` may say\n\nThe client's own server is `http://127.0.0.1:OWN`; another one listens at \
         `OTHER` and keeps each byte that it gets. As a redirect the `Location` comes with the answer 307 to a GET \
         that follows redirects, as an upload session with the answer 202 to a POST.\n\n\
         | tried | `Location` | as a redirect | as an upload session |\n| --- | --- | --- | --- |\n",
    );
    let world = World::new().await;
    for (tried, location, as_redirect, as_session) in LOCATIONS {
        assert_eq!(redirect(&world, location).await, as_redirect, "{tried}, as a redirect");
        assert_eq!(session(&world, location).await, as_session, "{tried}, as an upload session");
        let [as_redirect, as_session] = [as_redirect, as_session].map(|end| match end {
            Own => "its own server, with credentials",
            Bare => "the other server, without credentials",
            Refused => "refused",
            NoTls => "refused: no proof of who it is",
        });
        let location =
            if location.is_empty() { "(empty)".into() } else { format!("`{}`", location.replace('\t', "\\t")) };
        table.push_str(&format!("| {tried} | {location} | {as_redirect} | {as_session} |\n"));
    }
    table
}

struct World {
    own: Server,
    other: Server,
    client: Client,
    /// What the own server answers next, before it goes on with success.
    next: Arc<Mutex<Option<(&'static str, String)>>>,
}

impl World {
    async fn new() -> Self {
        let next = Arc::new(Mutex::new(None));
        let answer = Arc::<Mutex<Option<(&str, String)>>>::clone(&next);
        let own = Server::start(move |_, _| match answer.lock().unwrap().take() {
            Some((status, location)) => Answer::Bytes(head(status, &[("Location", &location)], 0)),
            None => Answer::Bytes(head("200 OK", &[], 0)),
        })
        .await;
        let other = Server::start(|_, _| Answer::Bytes(head("200 OK", &[], 0))).await;
        let (client, _) = client(&own);
        Self { own, other, client, next }
    }

    fn answer(&self, status: &'static str, location: &str) {
        let [own, other] = [&self.own, &self.other].map(|server| server.address.port().to_string());
        *self.next.lock().unwrap() = Some((status, location.replace("OWN", &own).replace("OTHER", &other)));
    }

    /// What the servers got behind the first request.
    fn end(&self, error: Option<&HttpError>) -> End {
        let (own, other) = (self.own.taken(), self.other.taken());
        assert!(has_credentials(&own[0]));
        assert!(!other.iter().any(|bytes| has_credentials(bytes)), "{other:?}");
        match (error, &own[1..], &other[..]) {
            (None, [request], []) if has_credentials(request) => Own,
            (None, [request], []) | (None, [], [request]) if request.contains("HTTP/1.1") => Bare,
            (Some(_), [], []) => Refused,
            (Some(_), [greeting], []) | (Some(_), [], [greeting]) if greeting.starts_with('\x16') => NoTls,
            end => panic!("{end:?}"),
        }
    }
}

async fn redirect(world: &World, location: &str) -> End {
    world.answer("307 Temporary Redirect", location);
    let request = world.client.request(Method::GET, "/a/b?c=d").unwrap().header(header::COOKIE, "canary-header");
    let answer = request.follow_redirects().send(0).await;
    let error = answer.as_ref().err();
    match error {
        None | Some(HttpError::Redirect { .. }) => {}
        Some(HttpError::Redirected { source, .. }) => assert!(matches!(**source, HttpError::Tls { .. }), "{source}"),
        Some(error) => panic!("{error}"),
    }
    world.end(error)
}

async fn session(world: &World, location: &str) -> End {
    world.answer("202 Accepted", location);
    let opened = world.client.request(Method::POST, &format!("/a/b?{SIGNED}")).unwrap().send(0).await.unwrap();
    let answer = match target(&opened) {
        Ok(url) => world.client.request(Method::PUT, url.as_str()).unwrap().send(0).await,
        Err(error) => Err(error),
    };
    let error = answer.as_ref().err();
    if let Some(error) = error {
        assert!(matches!(error, HttpError::Reference { .. } | HttpError::ForeignOrigin { .. }), "{error}");
    }
    world.end(error)
}

fn target(opened: &Response) -> Result<url::Url, HttpError> {
    opened.resolve(opened.header(&header::LOCATION).unwrap_or_default())
}
