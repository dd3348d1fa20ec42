// SPDX-License-Identifier: Apache-2.0

package model

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// KeyError says what is wrong with a key, a tree or a prefix.
type KeyError struct {
	Key    string
	Reason string
}

// Error names the key and the reason.
func (e *KeyError) Error() string { return fmt.Sprintf("config: bad key %.80q: %s", e.Key, e.Reason) }

// CheckKey says whether a key is well-formed: two or more segments with a slash between each two, at most KeyBytesMax octets.
// The first segment is the tree. Other segments are printable UTF-8 without spaces, and neither "." nor "..". An error is a
// *KeyError.
func CheckKey(key string) error {
	tree, rest, found := strings.Cut(key, "/")
	switch {
	case len(key) > KeyBytesMax:
		return &KeyError{key, fmt.Sprintf("%d octets, at most %d", len(key), KeyBytesMax)}
	case !found:
		return &KeyError{key, "want tree/name"}
	}
	if reason := treeReason(tree); reason != "" {
		return &KeyError{key, reason}
	}
	for segment := range strings.SplitSeq(rest, "/") {
		if reason := segmentReason(segment); reason != "" {
			return &KeyError{key, reason}
		}
	}
	return nil
}

// CheckTree says whether a tree's name is well-formed: 1 to TreeBytesMax letters, digits, hyphens, underscores and dots of
// ASCII, the first a letter or a digit. An error is a *KeyError.
func CheckTree(tree string) error {
	if reason := treeReason(tree); reason != "" {
		return &KeyError{tree, reason}
	}
	return nil
}

// TreeOf returns the first segment of a key or prefix.
func TreeOf(key string) string {
	tree, _, _ := strings.Cut(key, "/")
	return tree
}

// Covers says whether a prefix covers a key: that of its name, and those below it. With a slash at its end it covers those below alone;
// an empty one covers all.
func Covers(prefix, key string) bool {
	rest, found := strings.CutPrefix(key, prefix)
	return found && (rest == "" || prefix == "" || rest[0] == '/' || prefix[len(prefix)-1] == '/')
}

func treeReason(tree string) string {
	switch {
	case tree == "":
		return "no tree before the slash"
	case len(tree) > TreeBytesMax:
		return fmt.Sprintf("a tree of %d octets, at most %d", len(tree), TreeBytesMax)
	}
	for i, c := range []byte(tree) {
		alphanumeric := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !alphanumeric && (i == 0 || !strings.ContainsRune("-_.", rune(c))) {
			return fmt.Sprintf("character %q in the tree", c)
		}
	}
	return ""
}

func segmentReason(segment string) string {
	switch {
	case segment == "":
		return "an empty segment"
	case segment == "." || segment == "..":
		return "a segment of dots"
	case isGraphic(segment):
		return ""
	case !utf8.ValidString(segment):
		return "not UTF-8"
	}
	for _, c := range segment {
		if !unicode.IsPrint(c) || unicode.IsSpace(c) {
			return fmt.Sprintf("character %q", c)
		}
	}
	return ""
}

// isGraphic finds most segments good at once.
func isGraphic(ascii string) bool {
	for _, c := range []byte(ascii) {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return true
}
