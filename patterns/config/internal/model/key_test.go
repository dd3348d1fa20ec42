// SPDX-License-Identifier: Apache-2.0

package model

import (
	"errors"
	"strings"
	"testing"
)

func TestKeys(t *testing.T) {
	for key, good := range map[string]bool{
		"web/port": true, "web/a/b/c": true, "W-1_x.y/ä@{}": true, "web/..a": true, "web/a:b=c": true,
		"": false, "web": false, "/port": false, "web/": false, "web//a": false, "web/a/": false, "web/.": false, "web/../x": false,
		"-web/a": false, ".web/a": false, "wäb/a": false, "web/a b": false, "web/a\x00": false, "web/a\n": false, "web/\xff": false,
		"web/\u200b": false, strings.Repeat("t", TreeBytesMax) + "/a": true, strings.Repeat("t", TreeBytesMax+1) + "/a": false,
		"t/" + strings.Repeat("k", KeyBytesMax-2): true, "t/" + strings.Repeat("k", KeyBytesMax-1): false,
	} {
		err := CheckKey(key)
		var keyErr *KeyError
		if (err == nil) != good || err != nil && (!errors.As(err, &keyErr) || keyErr.Reason == "") {
			t.Errorf("%q: %v, want good %v", key, err, good)
		}
	}
}

// FuzzCheckKey: a key that passes has a tree that passes, and so does every key that goes on from it.
func FuzzCheckKey(f *testing.F) {
	for _, seed := range []string{"web/port", "a/b/c", "a//", "ä/b", "a/\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, key string) {
		if CheckKey(key) != nil {
			return
		}
		if err := CheckTree(TreeOf(key)); err != nil {
			t.Error(err)
		}
		if err := CheckKey(key + "/x"); err != nil && len(key)+2 <= KeyBytesMax {
			t.Error(err)
		}
		if strings.ContainsAny(key, " \x00\n") {
			t.Errorf("%q passes", key)
		}
	})
}
