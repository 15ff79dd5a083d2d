use futures_util::StreamExt;
use registry_copy::Registry;
use release::Digest;

use super::{Answer, Server, asked, has_credentials, registry_as, reply, robot};
use crate::{
    corpus::{INDEX, LAYER, describe, repository},
    http::told,
};

/// What is tried, the `Location` (OWN and OTHER are ports), whether it is gone to.
const LOCATIONS: [(&str, &str, bool); 24] = [
    ("its own URL", "http://127.0.0.1:OWN/session?_state=a%2Bb%3D", true),
    ("a path", "/session?_state=a%2Bb%3D", true),
    ("a path without a query", "/session", true),
    ("a path above the root", "../../../../../../session", true),
    ("no scheme", "//127.0.0.1:OWN/session", true),
    ("another port", "http://127.0.0.1:OTHER/session", false),
    ("another port, without a scheme", "//127.0.0.1:OTHER/session", false),
    ("another scheme", "https://127.0.0.1:OTHER/session", false),
    ("another scheme at its own port", "https://127.0.0.1:OWN/session", false),
    ("another name", "http://localhost:OTHER/session", false),
    ("another name for its own address", "http://localhost:OWN/session", false),
    ("a slash and a backslash", "/\\127.0.0.1:OTHER/session", false),
    ("two backslashes", "\\\\127.0.0.1:OTHER\\session", false),
    ("IPv4 in IPv6", "http://[::ffff:127.0.0.1]:OTHER/session", false),
    ("a number", "http://2130706433:OTHER/session", false),
    ("no address", "http://0.0.0.0:OTHER/session", false),
    ("instance metadata", "http://169.254.169.254/latest/meta-data/iam/", false),
    ("another server", "https://evil.example/session", false),
    ("its own address as a user", "http://127.0.0.1:OWN@evil.example/session", false),
    ("a user", "http://user:password@127.0.0.1:OWN/session", false),
    ("a server that begins like it", "http://127.0.0.1:OWN.evil.example/session", false),
    ("a fragment", "/session#fragment", false),
    ("a file", "file:///etc/passwd", false),
    ("nothing", "", false),
];

/// How an upload begins and goes on: a chunk is sent to where the session begins, the end of the upload to where the
/// chunk's answer says.
#[derive(Debug, Clone, Copy)]
enum Place {
    Session,
    Chunk,
    Mount,
}

pub(super) async fn locations() -> String {
    let mut table = String::from(
        "### Where an upload may go\n\nThe registry answers with this `Location` where a session begins, behind a chunk, \
         and where a blob is not mounted. The server at `OTHER` keeps each byte that it gets.\n\n\
         | tried | `Location` | a session | a chunk | a mount |\n| --- | --- | --- | --- | --- |\n",
    );
    for (tried, location, followed) in LOCATIONS {
        for place in [Place::Session, Place::Chunk, Place::Mount] {
            assert_eq!(upload(location, place).await, followed, "{tried}: {place:?}");
        }
        let end = if followed { "its own server" } else { "refused" };
        let location = if location.is_empty() { "(empty)".into() } else { format!("`{location}`") };
        table.push_str(&format!("| {tried} | {location} | {end} | {end} | {end} |\n"));
    }
    table
}

/// Whether the upload goes to its end, all of it at its own server.
async fn upload(location: &str, place: Place) -> bool {
    let other = Server::start(|_, _| reply("201 Created", &[], b"")).await;
    let location = location.replace("OTHER", &other.address.port().to_string());
    let server = Server::start(move |_, request| {
        let host = request.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
        let location = location.replace("OWN", host.rsplit(':').next().unwrap());
        let (first, next) = match place {
            Place::Chunk => ("/first", location.as_str()),
            _ => (location.as_str(), "/next"),
        };
        match request.split(' ').next() {
            Some("POST") => reply("202 Accepted", &[("Location", first)], b""),
            Some("PUT") if matches!(place, Place::Chunk) && request.ends_with("xxx") => {
                reply("413 Payload Too Large", &[], b"")
            }
            Some("PATCH") => reply("202 Accepted", &[("Location", next)], b""),
            Some("PUT") => reply("201 Created", &[], b""),
            _ => reply("204 No Content", &[], b""),
        }
    })
    .await;
    let registry = registry_as(&server, &robot());
    let descriptor = describe(LAYER, b"xxx");
    let bytes = || futures_util::stream::iter([Ok("xxx".into())]).boxed();
    let stored = match place {
        Place::Mount => {
            let from = "other/repository".parse().unwrap();
            registry.mount(&repository(), &from, &descriptor).await.map(drop)
        }
        Place::Session => registry.put_blob(&repository(), &descriptor, bytes()).await,
        Place::Chunk => {
            // Refused as a whole, it is sent in chunks.
            registry.put_blob(&repository(), &descriptor, bytes()).await.unwrap_err();
            registry.put_blob(&repository(), &descriptor, bytes()).await
        }
    };
    assert_eq!(other.connections(), 0);
    let seen = server.seen();
    assert!(seen.iter().all(|request| has_credentials(request)), "not its own server");
    let methods = asked(&server).iter().map(|line| line.split(' ').next().unwrap().to_owned()).collect::<Vec<_>>();
    match (&stored, place) {
        (Ok(()), Place::Session) => assert_eq!(methods, ["POST", "PUT"]),
        (Ok(()), Place::Chunk) => assert_eq!(methods[3..], ["POST", "PATCH", "PUT"]),
        (Ok(()), Place::Mount) => assert_eq!(methods, ["POST", "DELETE"]),
        (Err(_), Place::Chunk) => assert_eq!(methods[3..], ["POST", "PATCH", "DELETE"]),
        (Err(_), _) => assert_eq!(methods, ["POST"]),
    }
    if let Err(error) = &stored {
        assert!(!error.is_retryable() && !told(error).contains("password"), "{}", told(error));
    }
    stored.is_ok()
}

/// What is tried, the `Link`, whether it is followed.
const LINKS: [(&str, &str, bool); 12] = [
    ("a path", "</v2/next?n=1>; rel=\"next\"", true),
    ("its own URL", "<http://127.0.0.1:OWN/v2/next>; rel=next", true),
    ("its own URL behind another's", "<http://127.0.0.1:OTHER/>; rel=\"prev\", </v2/next>; rel=\"next\"", true),
    ("another port", "<http://127.0.0.1:OTHER/v2/next>; rel=\"next\"", false),
    ("another port, without a scheme", "<//127.0.0.1:OTHER/v2/next>; rel=\"next\"", false),
    ("another scheme", "<https://127.0.0.1:OWN/v2/next>; rel=\"next\"", false),
    ("another name", "<http://localhost:OWN/v2/next>; rel=\"next\"", false),
    ("a user", "<http://robot@127.0.0.1:OWN/v2/next>; rel=\"next\"", false),
    ("a backslash", "</\\127.0.0.1:OTHER/v2/next>; rel=\"next\"", false),
    ("instance metadata", "<http://169.254.169.254/>; rel=\"next\"", false),
    ("two pages", "</v2/next>; rel=\"next\", <http://127.0.0.1:OTHER/>; rel=\"next\"", false),
    ("no brackets", "http://127.0.0.1:OTHER/; rel=\"next\"", false),
];

pub(super) async fn links() -> String {
    let mut table = String::from(
        "### Where the next page may be\n\nA list of referrers says this of its next page.\n\n\
         | tried | `Link` | |\n| --- | --- | --- |\n",
    );
    for (tried, link, followed) in LINKS {
        let other = Server::start(|_, _| list(None)).await;
        let text = link.replace("OTHER", &other.address.port().to_string());
        let server = Server::start(move |number, request| {
            let host = request.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
            let text = text.replace("OWN", host.rsplit(':').next().unwrap());
            list((number == 0).then_some(text.as_str()))
        })
        .await;
        let found = registry_as(&server, &robot()).referrers(&repository(), &Digest::of(b"")).await;
        assert_eq!((found.is_ok(), server.seen().len()), (followed, if followed { 2 } else { 1 }), "{tried}");
        assert_eq!(other.connections(), 0, "{tried}");
        let end = if followed { "read" } else { "refused" };
        table.push_str(&format!("| {tried} | `{link}` | {end} |\n"));
    }
    table
}

fn list(link: Option<&str>) -> Answer {
    let headers: Vec<_> = [("Content-Type", INDEX)].into_iter().chain(link.map(|link| ("Link", link))).collect();
    reply("200 OK", &headers, br#"{"manifests":[]}"#)
}
