use std::sync::Arc;

use registry_copy::Registry;

use super::{Answer, CANARIES, Server, asked, has_credentials, registry_as, reply, robot};
use crate::{
    corpus::{repository, tag},
    http::{not_found, told},
};

/// Who was asked for a token, with the password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The registry itself.
    Own,
    /// The server that is listed.
    Listed,
    /// Nobody.
    Refused,
}

use End::{Listed, Own, Refused};

/// What is tried, the challenge (OWN, LISTED and OTHER are ports), who is asked.
const CHALLENGES: [(&str, &str, End); 46] = [
    ("its own URL", "Bearer realm=\"http://127.0.0.1:OWN/token\"", Own),
    ("its own URL in capitals", "BEARER REALM=\"HTTP://127.0.0.1:OWN/token\"", Own),
    ("its own URL with a query", "Bearer realm=\"http://127.0.0.1:OWN/token?to=//127.0.0.1:OTHER/\"", Own),
    ("its own URL with an at sign", "Bearer realm=\"http://127.0.0.1:OWN/token/@127.0.0.1:OTHER\"", Own),
    (
        "its own URL among other schemes",
        "Negotiate, Bearer realm=\"http://127.0.0.1:OWN/token\", Basic realm=\"x\"",
        Own,
    ),
    ("a service that looks like a query", "Bearer realm=\"http://127.0.0.1:OWN/token\",service=\"x&scope=*#\"", Own),
    ("a scope that looks like a URL", "Bearer realm=\"http://127.0.0.1:OWN/token\",scope=\"//127.0.0.1:OTHER/\"", Own),
    ("the listed server", "Bearer realm=\"http://127.0.0.1:LISTED/token\"", Listed),
    ("the listed server by its other name", "Bearer realm=\"http://localhost:LISTED/token\"", Refused),
    ("the listed server over TLS", "Bearer realm=\"https://127.0.0.1:LISTED/token\"", Refused),
    ("another port", "Bearer realm=\"http://127.0.0.1:OTHER/token\"", Refused),
    ("another name", "Bearer realm=\"http://localhost:OTHER/token\"", Refused),
    ("another name for its own address", "Bearer realm=\"http://localhost:OWN/token\"", Refused),
    ("another scheme", "Bearer realm=\"https://127.0.0.1:OTHER/token\"", Refused),
    ("another scheme at its own port", "Bearer realm=\"https://127.0.0.1:OWN/token\"", Refused),
    ("another server", "Bearer realm=\"https://evil.example/token\"", Refused),
    ("a server that begins like it", "Bearer realm=\"http://127.0.0.1:OWN.evil.example/token\"", Refused),
    ("a name that begins like loopback", "Bearer realm=\"http://127.0.0.1.evil.example:OTHER/token\"", Refused),
    ("IPv6", "Bearer realm=\"http://[::1]:OTHER/token\"", Refused),
    ("IPv4 in IPv6", "Bearer realm=\"http://[::ffff:127.0.0.1]:OWN/token\"", Refused),
    ("no address", "Bearer realm=\"http://0.0.0.0:OTHER/token\"", Refused),
    ("a number", "Bearer realm=\"http://2130706433:OWN/token\"", Refused),
    ("a hexadecimal number", "Bearer realm=\"http://0x7f000001:OWN/token\"", Refused),
    ("an octal part", "Bearer realm=\"http://0177.0.0.1:OWN/token\"", Refused),
    ("a short address", "Bearer realm=\"http://127.1:OWN/token\"", Refused),
    ("instance metadata", "Bearer realm=\"http://169.254.169.254/latest/meta-data/iam/\"", Refused),
    ("metadata by name", "Bearer realm=\"http://metadata.google.internal/computeMetadata/v1/\"", Refused),
    ("a user", "Bearer realm=\"http://robot@127.0.0.1:OWN/token\"", Refused),
    ("its own address as a user", "Bearer realm=\"http://127.0.0.1:OWN@127.0.0.1:OTHER/token\"", Refused),
    ("a fragment", "Bearer realm=\"http://127.0.0.1:OWN/token#x\"", Refused),
    ("a fragment before a host", "Bearer realm=\"http://127.0.0.1:OTHER#@127.0.0.1:OWN/token\"", Refused),
    ("an escaped backslash", "Bearer realm=\"http://127.0.0.1:OTHER\\\\@127.0.0.1:OWN/token\"", Refused),
    ("a space", "Bearer realm=\"http://127.0.0.1:OWN/ token\"", Refused),
    ("a path", "Bearer realm=\"/token\"", Refused),
    ("no scheme", "Bearer realm=\"//127.0.0.1:OWN/token\"", Refused),
    ("a file", "Bearer realm=\"file:///etc/passwd\"", Refused),
    ("no realm", "Bearer service=\"x\"", Refused),
    ("an empty realm", "Bearer realm=\"\"", Refused),
    ("a realm without quotes", "Bearer realm=http://127.0.0.1:OWN/token", Refused),
    ("a quote that does not end", "Bearer realm=\"http://127.0.0.1:OWN/token", Refused),
    (
        "two realms, the wrong one last",
        "Bearer realm=\"http://127.0.0.1:OWN/token\",realm=\"http://127.0.0.1:OTHER/\"",
        Refused,
    ),
    (
        "two realms, the wrong one first",
        "Bearer realm=\"http://127.0.0.1:OTHER/\",REALM=\"http://127.0.0.1:OWN/token\"",
        Refused,
    ),
    ("two services", "Bearer realm=\"http://127.0.0.1:OWN/token\",service=\"a\",service=\"b\"", Refused),
    (
        "two challenges that differ",
        "Bearer realm=\"http://127.0.0.1:OWN/token\", Bearer realm=\"http://127.0.0.1:OTHER/\"",
        Refused,
    ),
    ("characters that are not ASCII", "Bearer realm=\"http://127.0.0.1:OWN/tok\u{e9}n\"", Refused),
    ("a tab", "Bearer realm=\"http://127.0.0.1:OWN/\ttoken\"", Refused),
];

struct World {
    own: Server,
    listed: Server,
    other: Server,
}

impl World {
    /// The registry challenges in this way; it gives tokens itself, as the listed server does, with this answer.
    async fn new(challenge: &str, token: Arc<dyn Fn(&str) -> Answer + Send + Sync>) -> Self {
        let other = Server::start(|_, _| give("canary-token")).await;
        let places = [other.address.port().to_string(), String::new()];
        let (challenge, wrong) = (challenge.replace("OTHER", &places[0]), places[0].clone());
        let gives = Arc::clone(&token);
        let wrong_of_listed = wrong.clone();
        let listed = Server::start(move |_, _| gives(&wrong_of_listed)).await;
        let challenge = challenge.replace("LISTED", &listed.address.port().to_string());
        let own = Server::start(move |_, request| {
            let host = request.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
            let port = host.rsplit(':').next().unwrap();
            match request.split([' ', '?']).nth(1) {
                Some(path) if path.starts_with("/token") => token(&wrong),
                _ if request.contains("Bearer canary-token") => not_found(),
                _ => reply("401 Unauthorized", &[("WWW-Authenticate", &challenge.replace("OWN", port))], b""),
            }
        })
        .await;
        Self { own, listed, other }
    }

    /// Whether the registry answers in the end.
    async fn run(&self) -> bool {
        let registry = registry_as(&self.own, &robot());
        let listed = format!("http://{}", self.listed.address).parse().unwrap();
        let answer = registry.with_token_hosts(vec![listed]).resolve(&repository(), &tag()).await;
        if let Err(error) = &answer {
            assert!(!error.is_retryable() && !has_credentials(&told(error)), "{}", told(error));
        }
        answer.is_ok()
    }
}

fn give(token: &str) -> Answer {
    reply("200 OK", &[("Content-Type", "application/json")], format!("{{\"token\":\"{token}\"}}").as_bytes())
}

pub(super) async fn challenges() -> String {
    let mut table = String::from(
        "### Who may give tokens\n\nThe registry is `http://127.0.0.1:OWN` and asks for a token in this way. The server \
         at `LISTED` is one of its token hosts, the one at `OTHER` is not and keeps each byte that it gets. Who is asked \
         for a token gets the password; in all other cases nobody was connected to.\n\n\
         | tried | challenge | asked for a token |\n| --- | --- | --- |\n",
    );
    for (tried, challenge, expected) in CHALLENGES {
        let world = World::new(challenge, Arc::new(|_| give("canary-token"))).await;
        let answered = world.run().await;
        let (own, listed) = (asked(&world.own), asked(&world.listed));
        let path = format!("GET /v2/{}/manifests/{} +", repository(), tag());
        assert_eq!(own.first(), Some(&path), "{tried}");
        let asks = |line: &String| line.starts_with("GET /token") && line.ends_with(" +");
        let end = match (&own[1..], &listed[..]) {
            ([token, again, _head], []) if asks(token) && *again == path => Own,
            ([again, _head], [token]) if asks(token) && *again == path => Listed,
            ([], []) => Refused,
            end => panic!("{tried}: {end:?}"),
        };
        assert_eq!((end, answered), (expected, expected != Refused), "{tried}");
        assert_eq!(world.other.connections(), 0, "{tried}");
        assert_eq!(world.own.connections() + world.listed.connections(), own.len() + listed.len(), "{tried}");
        let end = match end {
            Own => "the registry",
            Listed => "the listed server",
            Refused => "refused",
        };
        let challenge = challenge.replace('\t', "\\t").replace('|', "\\|");
        table.push_str(&format!("| {tried} | `{challenge}` | {end} |\n"));
    }
    table
}

/// What is tried, the status, the `Location` (OTHER is a port), the body; all of it ends in an error.
const ANSWERS: [(&str, &str, &str, &str); 12] = [
    ("moved to another server", "301 Moved Permanently", "http://127.0.0.1:OTHER/token", ""),
    ("found at another server", "302 Found", "http://127.0.0.1:OTHER/token", ""),
    ("see another server", "303 See Other", "http://127.0.0.1:OTHER/token", ""),
    ("redirected to another server", "307 Temporary Redirect", "http://127.0.0.1:OTHER/token", ""),
    ("redirected for good", "308 Permanent Redirect", "//127.0.0.1:OTHER/token", ""),
    ("redirected to itself", "307 Temporary Redirect", "/token/again", ""),
    ("redirected to instance metadata", "302 Found", "http://169.254.169.254/latest/meta-data/iam/", ""),
    ("another challenge", "401 Unauthorized", "", ""),
    ("forbidden", "403 Forbidden", "", ""),
    ("a sign-in page", "200 OK", "", "<html>canary-token</html>"),
    ("a token with a line break", "200 OK", "", "{\"token\":\"canary-token\\r\\nHost: x\"}"),
    ("two tokens", "200 OK", "", "{\"token\":\"canary-token\",\"token\":\"x\"}"),
];

pub(super) async fn answers() -> String {
    let mut table = String::from(
        "### What a token server may answer\n\nA token server that may have the password and got it answers in this way. \
         It is asked once; nobody else is asked, and the registry is shown no token.\n\n\
         | tried | answer | at the registry itself | at a listed server |\n| --- | --- | --- | --- |\n",
    );
    for (tried, status, location, body) in ANSWERS {
        for (port, servers) in [("OWN", (3, 0)), ("LISTED", (1, 1))] {
            let answer = move |other: &str| {
                let location = location.replace("OTHER", other);
                let challenge = format!("Bearer realm=\"http://127.0.0.1:{other}/token\"");
                let mut headers = vec![("Content-Type", "application/json"), ("WWW-Authenticate", challenge.as_str())];
                headers.extend((!location.is_empty()).then_some(("Location", location.as_str())));
                reply(status, &headers, body.as_bytes())
            };
            let world = World::new(&format!("Bearer realm=\"http://127.0.0.1:{port}/token\""), Arc::new(answer)).await;
            assert!(!world.run().await, "{tried} at {port}");
            let counts = (world.own.connections(), world.listed.connections());
            let (own, listed) = servers;
            assert_eq!(counts, (own.min(2), listed), "{tried} at {port}");
            assert_eq!(world.other.connections(), 0, "{tried} at {port}");
            assert!(!world.own.seen().iter().any(|request| request.contains(CANARIES[2])), "{tried} at {port}");
        }
        let shown = if location.is_empty() { body.replace('\\', "\\\\") } else { format!("Location: {location}") };
        let shown = if shown.is_empty() { status.to_owned() } else { format!("{status}, `{shown}`") };
        table.push_str(&format!("| {tried} | {shown} | an error | an error |\n"));
    }
    table
}
