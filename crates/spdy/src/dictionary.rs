// SPDX-License-Identifier: Apache-2.0
//! The preset dictionary of header blocks, as the protocol's specification has it (SPDY 3.1, section 2.6.10.1).

/// Names and values, each of which has its length before it, in four bytes.
const WORDS: [&str; 65] = [
    "options",
    "head",
    "post",
    "put",
    "delete",
    "trace",
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "accept-ranges",
    "age",
    "allow",
    "authorization",
    "cache-control",
    "connection",
    "content-base",
    "content-encoding",
    "content-language",
    "content-length",
    "content-location",
    "content-md5",
    "content-range",
    "content-type",
    "date",
    "etag",
    "expect",
    "expires",
    "from",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "last-modified",
    "location",
    "max-forwards",
    "pragma",
    "proxy-authenticate",
    "proxy-authorization",
    "range",
    "referer",
    "retry-after",
    "server",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "vary",
    "via",
    "warning",
    "www-authenticate",
    "method",
    "get",
    "status",
    "200 OK",
    "version",
    "HTTP/1.1",
    "url",
    "public",
    "set-cookie",
    "keep-alive",
    "origin",
];
/// What follows them, without lengths.
const REST: &str = "\
    100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 Non-Au\
    thoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidd\
    en404 Not Found500 Internal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr Ma\
    y Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,imag\
    e/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,publicpri\
    vatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.\
    ";

/// The dictionary.
pub(crate) const DICTIONARY: [u8; 1423] = {
    let mut out = [0; 1423];
    let mut at = 0;
    let mut n = 0;
    while n <= WORDS.len() {
        let word = if n < WORDS.len() {
            // No word has 256 bytes.
            at += 4;
            out[at - 1] = WORDS[n].len() as u8;
            WORDS[n].as_bytes()
        } else {
            REST.as_bytes()
        };
        let mut from = 0;
        while from < word.len() {
            out[at] = word[from];
            at += 1;
            from += 1;
        }
        n += 1;
    }
    assert!(at == out.len());
    out
};

/// Its Adler-32, which names it in a zlib stream.
pub(crate) const IDENTIFIER: [u8; 4] = [0xe3, 0xc6, 0xa7, 0xc2];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_one_that_is_named() {
        let (mut a, mut b) = (1u32, 0u32);
        for byte in DICTIONARY {
            a = (a + u32::from(byte)) % 65_521;
            b = (b + a) % 65_521;
        }
        assert_eq!((b << 16 | a).to_be_bytes(), IDENTIFIER);
    }
}
