// SPDX-License-Identifier: Apache-2.0

package model

import (
	"strings"
	"testing"
)

// FuzzAuthorityID: what is read is what it says, in either case of letters, and nothing else is read.
func FuzzAuthorityID(f *testing.F) {
	for _, text := range []string{"0123456789abcdef", "0123456789ABCDEF", "", "0123456789abcde", "0123456789abcdefff", "0123456789abcdeg"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var id AuthorityID
		err := id.UnmarshalText([]byte(text))
		if err == nil && id.String() != strings.ToLower(text) {
			t.Errorf("%q is read as %v", text, id)
		}
		if well := len(text) == 16 && strings.Trim(text, "0123456789abcdefABCDEF") == ""; well != (err == nil) {
			t.Errorf("%q: %v", text, err)
		}
	})
}
