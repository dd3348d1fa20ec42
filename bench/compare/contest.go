// SPDX-License-Identifier: Apache-2.0

package main

// A contest is the same work, done by its contenders in turns.
type contest struct {
	name       string // what -only matches; RESULTS.json has its samples under it
	transport  string // tcp or ipc; without one, a single process does all
	flags      string // of every command
	counted    string // the flag that makes a run longer; none: the work has one length
	start      int    // its value in the first run that finds the right one
	rounds     int    // 0: as many as the run makes
	seconds    float64
	contenders []contender
	figures    []figure
	plot       string // the plot that it gives a point of
	x          float64
}

// A contender is a pair of programs, or one. A command is the program's name,
// its operation, and flags of its own.
type contender struct {
	name      string
	binder    string
	connecter string
}

// A measure is a key of the reports.
type measure struct {
	key   string
	unit  string
	scale float64
	lower bool // less is better
}

// A figure is one line of a table: our contender against the best of others.
type figure struct {
	table string
	work  string
	measure
	ours    string
	against []string // none: the target is for ours alone
	limit   string   // the contender that does the bare minimum
	target  float64  // of the ratio; 0: the figure is only reported
}

// A sample is the numbers of one run, of both processes.
type sample map[string]float64

// An entry is what a contender did.
type entry struct {
	Name    string   `json:"name"`
	Command []string `json:"command"`
	Count   int      `json:"count,omitempty"`
	Samples []sample `json:"samples"`
	Failure string   `json:"failure,omitempty"`
}

// An outcome is a contest that has been held.
type outcome struct {
	Contest  string  `json:"contest"`
	Entries  []entry `json:"entries"`
	Repeated int     `json:"repeated,omitempty"` // rounds held again because the cores were moved
	Uneven   int     `json:"uneven,omitempty"`   // rounds that count though they were
}

func (o outcome) entry(name string) entry {
	for _, entry := range o.Entries {
		if entry.Name == name {
			return entry
		}
	}
	return entry{Name: name, Failure: "not run"}
}
