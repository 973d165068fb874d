package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/url"
	"testing"
	"time"
)

// certificates are an authority and what it certified, valid for an hour from noon.
func certificates(t *testing.T) string {
	t.Helper()
	var texts []byte
	var keys []*ecdsa.PrivateKey
	var templates []*x509.Certificate
	for n := range 2 {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
		templates = append(templates, &x509.Certificate{
			SerialNumber:          big.NewInt(int64(n + 1)),
			NotBefore:             noon,
			NotAfter:              noon.Add(time.Hour),
			IsCA:                  n == 0,
			BasicConstraintsValid: true,
			URIs:                  []*url.URL{{Scheme: "spiffe", Host: "example.com", Path: "/a"}},
		})
		made, err := x509.CreateCertificate(rand.Reader, templates[n], templates[0], &key.PublicKey, keys[0])
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: made})...)
	}
	return string(texts)
}

func TestCertificatesAreVerifiedAtTheTimeOfTheQuestion(t *testing.T) {
	input, err := json.Marshal(certificates(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		call  string
		after time.Duration
		want  string
	}{
		{`crypto.x509.parse_and_verify_certificates(input)`, time.Minute, `true`},
		{`crypto.x509.parse_and_verify_certificates(input)`, 2 * time.Hour, `false`},
		{`crypto.x509.parse_and_verify_certificates_with_options(input, {})`, time.Minute, `true`},
		{`crypto.x509.parse_and_verify_certificates_with_options(input, {})`, 2 * time.Hour, `false`},
		{`crypto.x509.parse_and_verify_certificates_with_options(input, {"CurrentTime": 0})`, time.Minute, `false`},
	} {
		p := policyFrom(t, "package a\nd := "+c.call+"[0]", `{}`, "a/d")
		a := askWith(p, question{input: string(input), time: noon.Add(c.after)}, time.Minute)
		if string(a.result) != c.want || a.fail != nil {
			t.Errorf("%s after %v: %s %+v", c.call, c.after, a.result, a.fail)
		}
	}
}

func TestWhatIsVerifiedIsShownAsItIsParsed(t *testing.T) {
	input, err := json.Marshal(certificates(t))
	if err != nil {
		t.Fatal(err)
	}
	const rego = `package a
parsed := crypto.x509.parse_certificates(input)
verified := crypto.x509.parse_and_verify_certificates(input)
d := [verified[0], verified[1] == [parsed[1], parsed[0]], verified[1][0].URIStrings]`
	p := policyFrom(t, rego, `{}`, "a/d")
	if got, fail := ask(p, string(input), time.Minute); string(got) != `[true,true,["spiffe://example.com/a"]]` || fail != nil {
		t.Errorf("%s %+v", got, fail)
	}
}
