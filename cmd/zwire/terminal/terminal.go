// SPDX-License-Identifier: Apache-2.0

// Package terminal is where the commands of zwire meet people and scripts: streams, colours where they show, tables, JSON, and text
// of others that a terminal must not obey.
package terminal

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Streams are what a command reads and writes.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
	Asks     bool // somebody sits at In
	Paints   bool // Out shows colours
	Live     bool // somebody looks at Out
}

// Colour is a code of ANSI terminals; Plain has none.
type Colour string

// Colours.
const (
	Plain  Colour = ""
	Bold   Colour = "1"
	Red    Colour = "31"
	Green  Colour = "32"
	Yellow Colour = "33"
)

// FromTheTop begins a new picture on an empty screen.
const FromTheTop = "\x1b[H\x1b[2J"

// Paint colours text where colours show.
func (s Streams) Paint(with Colour, text string) string {
	if !s.Paints || with == Plain {
		return text
	}
	return "\x1b[" + string(with) + "m" + text + "\x1b[0m"
}

// Printf writes to Out.
func (s Streams) Printf(format string, values ...any) error {
	_, err := fmt.Fprintf(s.Out, format, values...)
	return err
}

// PrintJSON writes one document in one line.
func (s Streams) PrintJSON(document any) error {
	encoder := json.NewEncoder(s.Out)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(document)
}

// Warn tells something on the way that is no reason to end.
func (s Streams) Warn(format string, values ...any) {
	fmt.Fprintf(s.Err, "zwire: "+format+"\n", values...)
}

// Cell is one field of a table.
type Cell struct {
	Text   string
	Colour Colour
}

// Table is rows of cells; columns are as wide as their widest cell.
type Table struct {
	rows [][]Cell
}

// Heads adds a row of column names.
func (t *Table) Heads(names ...string) {
	var row []Cell
	for _, name := range names {
		row = append(row, Cell{name, Bold})
	}
	t.Row(row...)
}

// Row adds a row.
func (t *Table) Row(cells ...Cell) { t.rows = append(t.rows, cells) }

// PrintTable writes a table.
func (s Streams) PrintTable(t *Table) error {
	var widths []int
	for _, row := range t.rows {
		for column, cell := range row {
			if column == len(widths) {
				widths = append(widths, 0)
			}
			widths[column] = max(widths[column], utf8.RuneCountInString(cell.Text))
		}
	}
	var out strings.Builder
	for _, row := range t.rows {
		for column, cell := range row {
			out.WriteString(s.Paint(cell.Colour, cell.Text))
			if column < len(row)-1 {
				out.WriteString(strings.Repeat(" ", widths[column]-utf8.RuneCountInString(cell.Text)+2))
			}
		}
		out.WriteByte('\n')
	}
	return s.Printf("%s", out.String())
}

// Printable quotes text that is empty, does not print, or would look quoted: it comes from others, and terminals obey.
func Printable(text string) string {
	hidden := func(r rune) bool { return !unicode.IsPrint(r) }
	if text == "" || text[0] == '"' || !utf8.ValidString(text) || strings.ContainsFunc(text, hidden) {
		return strconv.Quote(text)
	}
	return text
}

// excerptRunes is how much of something stands in a line.
const excerptRunes = 48

// Excerpt is the beginning of something of so many octets, as a line has room for it.
func Excerpt(beginning []byte, octets int) string {
	text := Printable(string(beginning))
	if utf8.RuneCountInString(text) <= excerptRunes && len(beginning) == octets {
		return text
	}
	runes := []rune(text)
	return fmt.Sprintf("%s… (%d octets)", string(runes[:min(len(runes), excerptRunes)]), octets)
}

// Name is Printable, but for empty text.
func Name(text string) string {
	if text == "" {
		return "-"
	}
	return Printable(text)
}

// Rounded is a duration as people want it.
func Rounded(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}
