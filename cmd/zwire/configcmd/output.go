// SPDX-License-Identifier: Apache-2.0

package configcmd

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/zwire-mq/zwire/patterns/config"
)

// colour is a code of ANSI terminals; plain has none.
type colour string

const (
	plain  colour = ""
	bold   colour = "1"
	red    colour = "31"
	green  colour = "32"
	yellow colour = "33"
)

func paint(c colour, text string) string {
	if c == plain {
		return text
	}
	return "\x1b[" + string(c) + "m" + text + "\x1b[0m"
}

// paint colours text where colours show.
func (c *call) paint(with colour, text string) string {
	if !c.Paints {
		return text
	}
	return paint(with, text)
}

type cell struct {
	text   string
	colour colour
}

// table is rows of cells; columns are as wide as their widest cell.
type table struct {
	rows [][]cell
}

func (t *table) heads(names ...string) {
	var row []cell
	for _, name := range names {
		row = append(row, cell{name, bold})
	}
	t.row(row...)
}

func (t *table) row(cells ...cell) { t.rows = append(t.rows, cells) }

func (c *call) printTable(t *table) error {
	var widths []int
	for _, row := range t.rows {
		for column, cell := range row {
			if column == len(widths) {
				widths = append(widths, 0)
			}
			widths[column] = max(widths[column], utf8.RuneCountInString(cell.text))
		}
	}
	var out strings.Builder
	for _, row := range t.rows {
		for column, cell := range row {
			out.WriteString(c.paint(cell.colour, cell.text))
			if column < len(row)-1 {
				out.WriteString(strings.Repeat(" ", widths[column]-utf8.RuneCountInString(cell.text)+2))
			}
		}
		out.WriteByte('\n')
	}
	return c.printf("%s", out.String())
}

func (c *call) printf(format string, values ...any) error {
	_, err := fmt.Fprintf(c.Out, format, values...)
	return err
}

// printJSON writes one document in one line.
func (c *call) printJSON(document any) error {
	encoder := json.NewEncoder(c.Out)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(document)
}

// shownRunes is how much of a value stands in a line.
const shownRunes = 48

// shown is a value as a line has room for it. What does not print is quoted: values come from others, and terminals obey.
func shown(value []byte) string {
	text := printable(string(value))
	if utf8.RuneCountInString(text) <= shownRunes {
		return text
	}
	return fmt.Sprintf("%s… (%d octets)", string([]rune(text)[:shownRunes]), len(value))
}

// printable quotes text that is empty, does not print, or would look quoted.
func printable(text string) string {
	hidden := func(r rune) bool { return !unicode.IsPrint(r) }
	if text == "" || text[0] == '"' || !utf8.ValidString(text) || strings.ContainsFunc(text, hidden) {
		return strconv.Quote(text)
	}
	return text
}

// name is printable, but for empty text.
func name(text string) string {
	if text == "" {
		return "-"
	}
	return printable(text)
}

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

// rounded is a duration as people want it.
func rounded(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}
