//! What a Git server could say, made by hand.

use std::process::Command;

use http::header::CONTENT_TYPE;
use sandbox::Act;

/// One line of the protocol (gitprotocol-common(5), "pkt-line Format").
pub(crate) fn pkt(data: &[u8]) -> Vec<u8> {
    [format!("{:04x}", data.len() + 4).as_bytes(), data].concat()
}

/// What is said in a band.
pub(crate) fn band(number: u8, data: &[u8]) -> Vec<u8> {
    pkt(&[&[number], data].concat())
}

/// The lines of a report, in band 1.
pub(crate) fn report(lines: &[&str]) -> Vec<u8> {
    let lines: Vec<u8> = lines.iter().flat_map(|line| pkt(format!("{line}\n").as_bytes())).collect();
    [band(1, &[&*lines, b"0000"].concat()), b"0000".to_vec()].concat()
}

/// A report in the place of the server's, which never sees the push.
pub(crate) fn reports(lines: &[&str]) -> Act {
    says("receive-pack", report(lines))
}

/// An answer of a service.
pub(crate) fn says(service: &str, body: Vec<u8>) -> Act {
    Act::answer(200, body).with(CONTENT_TYPE, &format!("application/x-git-{service}-result"))
}

/// A pack of one entry: a delta of this type, whose base is named so.
pub(crate) fn pack_of_a_delta(kind: u8, base: &[u8]) -> Vec<u8> {
    // Copies nothing and inserts two bytes.
    let delta = [2, 2, 2, b'h', b'i'];
    let head = [&b"PACK\0\0\0\x02\0\0\0\x01"[..], &[kind << 4 | delta.len() as u8], base].concat();
    let pack = [head, stored(&delta)].concat();
    let sum = sha1(&pack);
    [pack, sum].concat()
}

/// The answer that brings a pack, in protocol v2.
pub(crate) fn packfile(pack: &[u8]) -> Vec<u8> {
    [pkt(b"packfile\n"), band(1, pack), b"0000".to_vec()].concat()
}

/// Data in the format of zlib (RFC 1950), not compressed.
fn stored(data: &[u8]) -> Vec<u8> {
    let length = data.len() as u16;
    let (mut a, mut b) = (1_u32, 0_u32);
    for byte in data {
        a = (a + u32::from(*byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    let block = [&[0x78, 0x01, 0x01][..], &length.to_le_bytes(), &(!length).to_le_bytes(), data].concat();
    [block, (b << 16 | a).to_be_bytes().to_vec()].concat()
}

fn sha1(data: &[u8]) -> Vec<u8> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    std::io::Write::write_all(&mut file, data).unwrap();
    let output =
        Command::new("sha1sum").arg(file.path()).output().expect("sha1sum is needed: apt-get install coreutils");
    let hex = &output.stdout[..40];
    hex.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}
