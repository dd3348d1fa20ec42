// SPDX-License-Identifier: Apache-2.0

package zmtp

import (
	"strings"
	"testing"
)

func TestReasons(t *testing.T) {
	seen := map[string]Reason{}
	for reason := BadGreeting; reason <= TooManySubscriptions; reason++ {
		words := reason.String()
		if other, twice := seen[words]; twice || strings.HasPrefix(words, "reason ") {
			t.Errorf("reason %d is %q, as is %d", reason, words, other)
		}
		seen[words] = reason
		err := &Error{Reason: reason}
		if err.Error() != "zmtp: "+words {
			t.Errorf("%q", err.Error())
		}
		if want := strings.Contains(words, "timeout") || reason == PeerTTLExpired; err.Timeout() != want {
			t.Errorf("%s: Timeout is %v", words, err.Timeout())
		}
	}
	if got := Reason(200).String(); got != "reason 200" {
		t.Errorf("%q", got)
	}
}

func TestErrorText(t *testing.T) {
	for detail, want := range map[string]string{
		"":                    "zmtp: refused by peer",
		"400":                 "zmtp: refused by peer: 400",
		"line\nbreak \x1b[0m": `zmtp: refused by peer: "line\nbreak \x1b[0m"`,
		"\xff\u00fc":          `zmtp: refused by peer: "\xff\u00fc"`,
	} {
		if got := (&Error{Refused, detail}).Error(); got != want {
			t.Errorf("%q: %q, want %q", detail, got, want)
		}
	}
	if got := quote(make([]byte, 1<<20)); len(got) > 300 {
		t.Errorf("a quote of %d bytes", len(got))
	}
}
