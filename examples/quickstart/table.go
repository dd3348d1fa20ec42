// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// listedMax is how many unreadable files or differences the report names.
const listedMax = 20

// printReport writes what a person wants to know about the job.
func printReport(out io.Writer, j *job, v verdict) {
	fmt.Fprintf(out, "\nSHA-256 of every file below %s\n\n", j.root)
	printLinks(out, j)
	printWorkers(out, j)
	seconds := j.took.Seconds()
	var bytes int64
	for _, o := range j.outcomes {
		bytes += o.Size
	}
	rows := [][]string{
		{"files", count(v.files)},
		{"bytes", fmt.Sprintf("%s (%s)", count(bytes), megabytes(bytes))},
		{"messages", count(j.tasks + j.results + 2*j.requests + j.control)},
		{"time", fmt.Sprintf("%s in %d workers, %s files/s; serially %s", duration(j.took), workersOf(j), rate(len(j.outcomes), seconds), duration(v.took))},
		{"sent again", fmt.Sprintf("%s, repeated results ignored: %s", count(j.again), count(j.repeats))},
		{"digest", v.digest},
	}
	if j.skipped > 0 {
		rows = append(rows, []string{"skipped", count(j.skipped) + " that are no plain files"})
	}
	if len(v.unreadable) > 0 {
		rows = append(rows, []string{"unreadable", count(len(v.unreadable))})
	}
	printTable(out, []string{"", ""}, rows)
	printList(out, v.unreadable)
	for _, note := range j.notes {
		fmt.Fprintf(out, "note: %s\n\n", note)
	}
	switch {
	case v.right():
		fmt.Fprintf(out, "verdict: RIGHT. All %s results equal the same work done serially.\n", count(len(j.outcomes)))
	case v.err != nil:
		fmt.Fprintf(out, "verdict: NONE. The serial run failed: %v\n", v.err)
	default:
		fmt.Fprintf(out, "verdict: WRONG. %s results differ from the same work done serially:\n", count(len(v.differences)))
		printList(out, v.differences)
	}
}

func printLinks(out io.Writer, j *job) {
	printTable(out, []string{"link", "over", "sockets", ">messages"}, [][]string{
		{"tasks", "ipc", "ventilator PUSH → PULL workers", count(j.tasks)},
		{"results", "tcp", "workers PUSH → PULL sink", count(j.results)},
		{"registration", "tcp", "everyone REQ ⇄ REP coordinator", count(2 * j.requests)},
		{"control", "ipc", "coordinator, sink PUB → SUB everyone", count(j.control)},
	})
}

// printWorkers shows what each did; the sum may lack what the ventilator
// itself found unreadable.
func printWorkers(out io.Writer, j *job) {
	files, bytes := map[string]int{}, map[string]int64{}
	for _, o := range j.outcomes {
		files[o.Worker]++
		bytes[o.Worker] += o.Size
	}
	seconds := j.took.Seconds()
	var rows [][]string
	for _, c := range j.children {
		if c.role != roleWorker {
			continue
		}
		fate := ""
		if c.died {
			fate = "died on the way"
		}
		rows = append(rows, []string{
			c.name, c.language, strconv.Itoa(c.pid), count(files[c.name]), megabytes(bytes[c.name]),
			rate(files[c.name], seconds), megabytesRate(bytes[c.name], seconds), fate,
		})
	}
	printTable(out, []string{"worker", "written in", ">process", ">files", ">bytes", ">files/s", ">MB/s", ""}, rows)
}

// printTable aligns columns; a heading that starts with > is for numbers, on
// the right. Without any heading there is no line for them.
func printTable(out io.Writer, headings []string, rows [][]string) {
	widths := make([]int, len(headings))
	titles := make([]string, len(headings))
	for i, h := range headings {
		titles[i] = strings.TrimPrefix(h, ">")
	}
	for _, row := range append([][]string{titles}, rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	if slices.ContainsFunc(titles, func(t string) bool { return t != "" }) {
		rows = append([][]string{titles}, rows...)
	}
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			space := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if strings.HasPrefix(headings[i], ">") {
				line.WriteString(space + cell + "  ")
			} else {
				line.WriteString(cell + space + "  ")
			}
		}
		fmt.Fprintln(out, strings.TrimRight(line.String(), " "))
	}
	fmt.Fprintln(out)
}

func printList(out io.Writer, lines []string) {
	for i, line := range lines {
		if i == listedMax {
			fmt.Fprintf(out, "  … and %s more\n", count(len(lines)-i))
			break
		}
		fmt.Fprintf(out, "  %q\n", line)
	}
	if len(lines) > 0 {
		fmt.Fprintln(out)
	}
}

func workersOf(j *job) int {
	n := 0
	for _, c := range j.children {
		if c.role == roleWorker {
			n++
		}
	}
	return n
}

// count writes a number in groups of three digits.
func count[N int | int64](n N) string {
	text := strconv.FormatInt(int64(n), 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

func duration(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

// rate is per second; "-" where no time has passed.
func rate(n int, seconds float64) string {
	if seconds <= 0 {
		return "-"
	}
	return count(int(float64(n) / seconds))
}

func megabytesRate(n int64, seconds float64) string {
	if seconds <= 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f", float64(n)/1e6/seconds)
}
