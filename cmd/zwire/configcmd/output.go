// SPDX-License-Identifier: Apache-2.0

package configcmd

import (
	"unicode/utf8"

	"github.com/zwire-mq/zwire/cmd/zwire/terminal"
	"github.com/zwire-mq/zwire/patterns/config"
)

// shown is a value as a line has room for it.
func shown(value []byte) string { return terminal.Excerpt(value, len(value)) }

// jsonValue is a value in JSON: as text if it is UTF-8, else in base64.
type jsonValue struct {
	Value       *string `json:"value,omitempty"`
	ValueBase64 []byte  `json:"valueBase64,omitempty"`
}

func jsonValueOf(value []byte) jsonValue {
	if !utf8.Valid(value) {
		return jsonValue{ValueBase64: value}
	}
	text := string(value)
	return jsonValue{Value: &text}
}

type jsonEntry struct {
	Key string `json:"key"`
	jsonValue
	Revision uint64  `json:"revision"`
	TTL      float64 `json:"ttlSeconds,omitempty"`
	Owner    string  `json:"owner,omitempty"`
}

func jsonEntryOf(entry *config.Entry) *jsonEntry {
	if entry == nil {
		return nil
	}
	return &jsonEntry{entry.Key, jsonValueOf(entry.Value), entry.Revision, entry.TTL.Seconds(), entry.Owner}
}
