package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/keys"
)

const signatures = ".signatures.json"

// signedBundle is the JSON document that libopa_verify_bundle takes. The caller has read the archive, so that what is
// verified is what is used: two readers of one archive could see two bundles.
type signedBundle struct {
	Files map[string][]byte       `json:"files"` // name without a leading slash to content, base64 in JSON
	Keys  map[string]*keys.Config `json:"keys"`
}

// brokenHashes are those of OPA's whose collisions can be made: one file could be signed and another one shipped.
var brokenHashes = []string{string(bundle.MD5), string(bundle.SHA1)}

// verify holds a bundle against its signature. All files must be in it, and all that are in it must be there.
func verify(text []byte) []problem {
	var signed signedBundle
	if err := json.Unmarshal(text, &signed); err != nil {
		return []problem{{Code: "specification", Message: err.Error()}}
	}
	unsigned := func(file, message string) []problem {
		return []problem{{Code: "signature", File: file, Message: message}}
	}
	var config bundle.SignaturesConfig
	content, ok := signed.Files[signatures]
	if !ok {
		return unsigned("", "the bundle has no "+signatures)
	}
	if err := json.Unmarshal(content, &config); err != nil {
		return unsigned(signatures, err.Error())
	}
	listed, err := bundle.VerifyBundleSignature(config, bundle.NewVerificationConfig(signed.Keys, "", "", nil))
	if err != nil {
		return unsigned(signatures, err.Error())
	}
	for _, name := range slices.Sorted(maps.Keys(signed.Files)) {
		if name == signatures {
			continue
		}
		if slices.Contains(brokenHashes, listed[name].Algorithm) {
			return unsigned(name, "signed over a broken hash, "+listed[name].Algorithm)
		}
		if err := bundle.VerifyBundleFile(name, *bytes.NewBuffer(signed.Files[name]), listed); err != nil {
			return unsigned(name, err.Error())
		}
	}
	if len(listed) > 0 {
		return unsigned("", "signed, but not in the bundle: "+strings.Join(slices.Sorted(maps.Keys(listed)), ", "))
	}
	return nil
}
