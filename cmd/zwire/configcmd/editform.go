// SPDX-License-Identifier: Apache-2.0

package configcmd

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/zwire-mq/zwire/patterns/config"
)

// The form in which keys are edited has a key per line, and a value of several lines between two marks:
//
//	# a comment
//	tree/key = value
//	tree/other = "quoted, for it begins with a quote or a space, or does not print"
//	tree/text = <<END
//	line
//	line
//	END

const heredoc = "<<"

// formatForm writes entries.
func formatForm(entries []config.Entry) string {
	var out strings.Builder
	for _, entry := range entries {
		out.WriteString(entry.Key + " =")
		text := string(entry.Value)
		switch {
		case text == "":
		case standsPlain(text):
			out.WriteString(" " + text)
		case standsAsLines(text):
			mark := markFor(text)
			out.WriteString(" " + heredoc + mark + "\n" + text + "\n" + mark)
		default:
			out.WriteString(" " + strconv.Quote(text))
		}
		out.WriteByte('\n')
	}
	return out.String()
}

// standsPlain says whether a value can stand at the end of a line as it is: what is read there is trimmed.
func standsPlain(text string) bool {
	hidden := func(r rune) bool { return !unicode.IsPrint(r) }
	return utf8.ValidString(text) && strings.TrimSpace(text) == text && text[0] != '"' && !strings.HasPrefix(text, heredoc) &&
		!strings.ContainsFunc(text, hidden)
}

func standsAsLines(text string) bool {
	hidden := func(r rune) bool { return !unicode.IsPrint(r) && r != '\n' && r != '\t' }
	return utf8.ValidString(text) && strings.Contains(text, "\n") && !strings.ContainsFunc(text, hidden)
}

// markFor is an end mark that is no line of the text.
func markFor(text string) string {
	mark := "END"
	for number := 1; strings.Contains("\n"+text+"\n", "\n"+mark+"\n"); number++ {
		mark = fmt.Sprintf("END%d", number)
	}
	return mark
}

// readForm reads what formatForm wrote and people changed. Errors name the line.
func readForm(text string) (map[string][]byte, error) {
	values := map[string][]byte{}
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		line, number := strings.TrimSpace(lines[i]), i+1
		if line == "" || line[0] == '#' {
			continue
		}
		key, rest, _ := strings.Cut(line, " ")
		value, found := strings.CutPrefix(strings.TrimSpace(rest), "=")
		value = strings.TrimSpace(value)
		if !found {
			return nil, fmt.Errorf("line %d: want key = value", number)
		}
		if _, twice := values[key]; twice {
			return nil, fmt.Errorf("line %d: %s a second time", number, key)
		}
		if mark, is := strings.CutPrefix(value, heredoc); is {
			end := i + 1
			for end < len(lines) && strings.TrimSuffix(lines[end], "\r") != mark {
				end++
			}
			if end == len(lines) || mark == "" {
				return nil, fmt.Errorf("line %d: no line %q ends the value", number, mark)
			}
			values[key] = []byte(strings.Join(lines[i+1:end], "\n"))
			i = end
			continue
		}
		if strings.HasPrefix(value, `"`) {
			unquoted, err := strconv.Unquote(value)
			if err != nil {
				return nil, fmt.Errorf("line %d: the value begins with a quote and is not quoted as in Go", number)
			}
			value = unquoted
		}
		values[key] = []byte(value)
	}
	return values, nil
}
