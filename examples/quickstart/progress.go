// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

const (
	lineInterval   = 100 * time.Millisecond // between updates of a live line
	sparseInterval = time.Second            // between lines where nothing can be overwritten
	barWidth       = 20                     // the whole line stays below 80 characters
)

// progress is the live line. It uses the terminal's carriage return where
// there is a terminal, else it prints a line now and then.
type progress struct {
	out    io.Writer
	live   bool
	drawn  bool // a live line stands unfinished
	ticker *time.Ticker
	began  time.Time
	total  int
	files  int
	bytes  int64
}

func newProgress(out *os.File) *progress {
	info, err := out.Stat()
	live := err == nil && info.Mode()&os.ModeCharDevice != 0
	interval := sparseInterval
	if live {
		interval = lineInterval
	}
	return &progress{out: out, live: live, ticker: time.NewTicker(interval)}
}

func (p *progress) tick() <-chan time.Time { return p.ticker.C }

// begin announces the job and starts the clock.
func (p *progress) begin(root string, total, workers int) {
	p.say(fmt.Sprintf("%s files below %s, %d workers", count(total), root, workers))
	p.began, p.total = time.Now(), total
}

// show draws the state once the job has begun.
func (p *progress) show() {
	if p.began.IsZero() {
		return
	}
	seconds := time.Since(p.began).Seconds()
	part := 1.0
	if p.total > 0 {
		part = float64(p.files) / float64(p.total)
	}
	line := fmt.Sprintf("%3.0f %%  %s of %s files  %s  %s files/s", part*100,
		count(p.files), count(p.total), megabytes(p.bytes), count(int(float64(p.files)/seconds)))
	if !p.live {
		fmt.Fprintln(p.out, line)
		return
	}
	full := int(part * barWidth)
	fmt.Fprintf(p.out, "\r\x1b[K%s%s %s", strings.Repeat("█", full), strings.Repeat("░", barWidth-full), line)
	p.drawn = true
}

// say prints a line of its own.
func (p *progress) say(text string) {
	if p.drawn {
		fmt.Fprint(p.out, "\r\x1b[K")
		p.drawn = false
	}
	fmt.Fprintln(p.out, text)
}

// end shows the last state and leaves the line.
func (p *progress) end() {
	p.ticker.Stop()
	if p.live {
		p.show()
	}
	if p.drawn {
		fmt.Fprintln(p.out)
		p.drawn = false
	}
	p.began = time.Time{}
}
