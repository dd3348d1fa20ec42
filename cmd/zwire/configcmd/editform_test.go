// SPDX-License-Identifier: Apache-2.0

package configcmd

import (
	"maps"
	"strings"
	"testing"

	"github.com/zwire-mq/zwire/patterns/config"
)

// formValues are values that are hard to write down.
func formValues() []string {
	return []string{
		"", "plain", "two words", " spaces around ", "\t", `"quoted"`, `"half`, "a = b", "#no comment", "<<END", "<<", "\n", "a\nb", "a\nb\n",
		"\n\na", "END", "x\nEND", "END\nEND1\n", "\tindented\n\tlines", "a\r\nb", "\x00\xff", "nul\x00\nlines", "é€😀", "\u00a0", "\u2028x", "a\\b",
	}
}

func formEntries(values []string) (entries []config.Entry, want map[string]string) {
	want = map[string]string{}
	for i, value := range values {
		key := "svc/" + strings.Repeat("=", i+1) // an equals sign may be in a key
		entries = append(entries, config.Entry{Key: key, Value: []byte(value)})
		want[key] = value
	}
	return entries, want
}

func asText(values map[string][]byte) map[string]string {
	text := map[string]string{}
	for key, value := range values {
		text[key] = string(value)
	}
	return text
}

func TestFormThereAndBack(t *testing.T) {
	entries, want := formEntries(formValues())
	form := formatForm(entries)
	values, err := readForm(form)
	if err != nil || !maps.Equal(asText(values), want) {
		t.Errorf("%v\n%q\nwant\n%q\nform:\n%s", err, values, want, form)
	}
}

func TestFormAsWritten(t *testing.T) {
	const form = "# a comment\n\n  svc/a   =  1  \nsvc/b =\r\nsvc/c = \"a\\tb\"\nsvc/d = <<X\none\n\n# two\nX\nsvc/e=f = g\n"
	values, err := readForm(form)
	want := map[string]string{"svc/a": "1", "svc/b": "", "svc/c": "a\tb", "svc/d": "one\n\n# two", "svc/e=f": "g"}
	if err != nil || !maps.Equal(asText(values), want) {
		t.Errorf("%v, %q", err, values)
	}
	for form, want := range map[string]string{
		"a/b":               "line 1: want key = value",
		"a/b=1":             "line 1: want key = value",
		"\n#\na/b : 1":      "line 3: want key = value",
		"a/b = 1\na/b = 2":  "line 2: a/b a second time",
		"a/b = \"1":         "line 1: the value begins with a quote",
		"a/b = <<END\nx\n":  `line 1: no line "END" ends the value`,
		"a/b = <<\nx\n\n":   `line 1: no line "" ends the value`,
		"a/b = <<END\n END": `line 1: no line "END" ends the value`,
	} {
		if _, err := readForm(form); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", form, err, want)
		}
	}
}

func FuzzForm(f *testing.F) {
	for _, value := range formValues() {
		f.Add(value)
		f.Add("svc/a = " + value)
	}
	f.Fuzz(func(t *testing.T, text string) {
		_, _ = readForm(text)
		entries, want := formEntries([]string{text, text})
		if values, err := readForm(formatForm(entries)); err != nil || !maps.Equal(asText(values), want) {
			t.Errorf("%v, %q", err, values)
		}
	})
}

func TestShown(t *testing.T) {
	for value, want := range map[string]string{
		"": `""`, "plain text": "plain text", `"a"`: `"\"a\""`, "a\x1b[0m": `"a\x1b[0m"`, "\xff": `"\xff"`, "é": "é",
		strings.Repeat("ä", 60): strings.Repeat("ä", 48) + "… (120 octets)",
	} {
		if got := shown([]byte(value)); got != want {
			t.Errorf("%q: %s, want %s", value, got, want)
		}
	}
}
