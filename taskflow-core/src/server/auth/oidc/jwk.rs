//! Keys of a provider (RFC 7517), and signatures by them (RFC 7518).

use base64ct::{Base64UrlUnpadded, Encoding as _};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512,
    RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};
use serde_json::Value;

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    id: Option<String>,
    /// The only algorithm that it is for, if it says so.
    alg: Option<String>,
    material: Material,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Material {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

/// How a signature by one kind of key is checked. An algorithm belongs to one kind, and there is
/// none for `none` and for shared secrets: what a token says about itself cannot change how it is
/// checked.
enum Check {
    Rsa(&'static RsaParameters),
    Curve(&'static dyn VerificationAlgorithm),
}

impl Key {
    /// Reads a key. `None` if it is not for signatures, or of a kind that is not supported.
    fn of(jwk: &Value) -> Option<Self> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        if text("use").is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        let bytes = |name: &str| decode(text(name)?);
        let point = |size: usize| {
            let (x, y) = (bytes("x")?, bytes("y")?);
            (x.len() == size && y.len() == size).then(|| [&[4][..], &x, &y].concat())
        };
        let material = match (text("kty")?, text("crv")) {
            ("RSA", _) => Material::Rsa { n: number(bytes("n")?), e: number(bytes("e")?) },
            ("EC", Some("P-256")) => Material::P256(point(32)?),
            ("EC", Some("P-384")) => Material::P384(point(48)?),
            ("OKP", Some("Ed25519")) => Material::Ed25519(bytes("x")?),
            _ => return None,
        };
        Some(Key { id: text("kid").map(str::to_owned), alg: text("alg").map(str::to_owned), material })
    }

    /// The keys of a set. Others than keys for signatures are left out.
    pub(super) fn of_set(set: &Value) -> Option<Vec<Self>> {
        Some(set.get("keys")?.as_array()?.iter().filter_map(Key::of).collect())
    }

    fn check(&self, alg: &str) -> Option<Check> {
        if self.alg.as_ref().is_some_and(|only| only != alg) {
            return None;
        }
        Some(match (&self.material, alg) {
            (Material::Rsa { .. }, "RS256") => Check::Rsa(&RSA_PKCS1_2048_8192_SHA256),
            (Material::Rsa { .. }, "RS384") => Check::Rsa(&RSA_PKCS1_2048_8192_SHA384),
            (Material::Rsa { .. }, "RS512") => Check::Rsa(&RSA_PKCS1_2048_8192_SHA512),
            (Material::Rsa { .. }, "PS256") => Check::Rsa(&RSA_PSS_2048_8192_SHA256),
            (Material::Rsa { .. }, "PS384") => Check::Rsa(&RSA_PSS_2048_8192_SHA384),
            (Material::Rsa { .. }, "PS512") => Check::Rsa(&RSA_PSS_2048_8192_SHA512),
            (Material::P256(_), "ES256") => Check::Curve(&ECDSA_P256_SHA256_FIXED),
            (Material::P384(_), "ES384") => Check::Curve(&ECDSA_P384_SHA384_FIXED),
            (Material::Ed25519(_), "EdDSA") => Check::Curve(&ED25519),
            _ => return None,
        })
    }

    /// Whether a token with this header can be signed by it.
    pub(super) fn is_for(&self, alg: &str, id: Option<&str>) -> bool {
        id.is_none_or(|id| self.id.as_deref() == Some(id)) && self.check(alg).is_some()
    }

    /// Whether this is its signature of a message.
    pub(super) fn has_signed(&self, alg: &str, message: &[u8], signature: &[u8]) -> bool {
        match (self.check(alg), &self.material) {
            (Some(Check::Rsa(parameters)), Material::Rsa { n, e }) => {
                RsaPublicKeyComponents { n, e }.verify(parameters, message, signature).is_ok()
            }
            (
                Some(Check::Curve(algorithm)),
                Material::P256(point) | Material::P384(point) | Material::Ed25519(point),
            ) => UnparsedPublicKey::new(algorithm, point).verify(message, signature).is_ok(),
            _ => false,
        }
    }
}

/// Whether there are signatures of this kind at all.
pub(super) fn is_supported(alg: &str) -> bool {
    matches!(alg, "RS256" | "RS384" | "RS512" | "PS256" | "PS384" | "PS512" | "ES256" | "ES384" | "EdDSA")
}

/// The bytes of a text in the base64 of JSON Web Tokens.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    Base64UrlUnpadded::decode_vec(text).ok()
}

/// A big-endian number without leading zeros, which some providers write.
fn number(mut bytes: Vec<u8>) -> Vec<u8> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.drain(..zeros);
    bytes
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The examples of RFC 7515, appendix A.2 and A.3, and of RFC 8037, appendix A.4.
    fn examples() -> [(Value, &'static str, String); 3] {
        let payload = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        let rsa = json!({
            "kty": "RSA", "e": "AQAB",
            "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yR\
                  T-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-\
                  UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethF\
                  kMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
        });
        let of_rsa = format!(
            "eyJhbGciOiJSUzI1NiJ9.{payload}.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0\
             Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBM\
             Hlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np\
             6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
        );
        let ec = json!({
            "kty": "EC", "crv": "P-256",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        });
        let of_ec = format!(
            "eyJhbGciOiJFUzI1NiJ9.{payload}.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJ\
             qPP3-Kg6NU1Q"
        );
        let ed = json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
        let of_ed =
            "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQ\
                     R6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
                .to_owned();
        [(rsa, "RS256", of_rsa), (ec, "ES256", of_ec), (ed, "EdDSA", of_ed)]
    }

    fn has_signed(key: &Key, alg: &str, token: &str) -> bool {
        let (message, signature) = token.rsplit_once('.').unwrap();
        key.has_signed(alg, message.as_bytes(), &decode(signature).unwrap())
    }

    #[test]
    fn signatures_of_the_standards_are_those_of_their_keys() {
        let all = examples();
        for (at, (jwk, alg, token)) in all.iter().enumerate() {
            let key = Key::of(jwk).unwrap();
            assert!(is_supported(alg) && has_signed(&key, alg, token), "{alg}");
            assert!(!has_signed(&key, alg, &token.replacen('e', "f", 1)), "{alg}: another message");
            for other in ["none", "HS256", "RS256", "RS384", "PS256", "ES256", "ES384", "EdDSA"] {
                assert_eq!(has_signed(&key, other, token), other == *alg, "{alg} as {other}");
            }
            for (_, (jwk, _, _)) in all.iter().enumerate().filter(|(other, _)| *other != at) {
                assert!(!has_signed(&Key::of(jwk).unwrap(), alg, token), "{alg} by another key");
            }
        }
    }

    #[test]
    fn keys_for_something_else_are_left_out() {
        let [(rsa, ..), (ec, ..), _] = examples();
        let with = |jwk: &Value, name: &str, value: Value| {
            let mut jwk = jwk.clone();
            jwk[name] = value;
            Key::of(&jwk)
        };
        assert!(with(&rsa, "use", json!("sig")).is_some());
        assert_eq!(with(&rsa, "use", json!("enc")), None);
        assert_eq!(with(&rsa, "kty", json!("oct")), None);
        assert_eq!(with(&rsa, "n", json!("+/=")), None);
        assert_eq!(with(&ec, "crv", json!("secp256k1")), None);
        assert_eq!(with(&ec, "x", json!("AAAA")), None);
        let only = with(&rsa, "alg", json!("PS256")).unwrap();
        assert!(only.is_for("PS256", None) && !only.is_for("RS256", None));
        let named = with(&rsa, "kid", json!("a")).unwrap();
        assert!(named.is_for("RS256", Some("a")) && named.is_for("RS256", None) && !named.is_for("RS256", Some("b")));
        let set = json!({"keys": [rsa, {"kty": "oct", "k": "AA"}, 1, null, ec]});
        assert_eq!(Key::of_set(&set).map(|keys| keys.len()), Some(2));
        assert_eq!(Key::of_set(&json!({"keys": {}})), None);
    }
}
