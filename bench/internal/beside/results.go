// SPDX-License-Identifier: Apache-2.0

package beside

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/zwire-mq/zwire/bench/internal/machine"
)

// Results are all that the file of data has; the page is made from it.
type Results[P any] struct {
	Machine  machine.Machine `json:"machine"`
	Beside   string          `json:"beside"` // version of the rival's server; empty: it was not there
	Disk     string          `json:"disk"`
	Plan     P               `json:"plan"`
	Command  string          `json:"command"`
	Minutes  float64         `json:"minutes"`
	Outcomes []Outcome       `json:"outcomes"`
}

// An Outcome is what one scene has come to.
type Outcome struct {
	Scene   string  `json:"scene"`
	Entries []Entry `json:"entries"`
}

// An Entry is that of one contender.
type Entry struct {
	Name    string   `json:"name"`
	Samples []Sample `json:"samples"`
	Failure string   `json:"failure,omitempty"`
}

// A Sample is what one round has measured.
type Sample map[string]float64

// Failure says who has failed.
func (r *Results[P]) Failure() error {
	var failed []error
	for _, o := range r.Outcomes {
		for _, e := range o.Entries {
			if e.Failure != "" {
				failed = append(failed, fmt.Errorf("%s failed in %s", e.Name, o.Scene))
			}
		}
	}
	return errors.Join(failed...)
}

func (p *Program[P]) dataFile() string { return strings.ToUpper(p.Name) + ".json" }

func (p *Program[P]) read(folder string) (*Results[P], error) {
	text, err := os.ReadFile(filepath.Join(folder, p.dataFile()))
	if err != nil {
		return nil, err
	}
	var r Results[P]
	return &r, json.Unmarshal(text, &r)
}

func (p *Program[P]) write(r *Results[P], folder string) error {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetIndent("", " ")
	if err := encoder.Encode(r); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, p.dataFile()), text.Bytes(), 0o644); err != nil {
		return err
	}
	return p.draw(r, folder)
}

func (p *Program[P]) draw(r *Results[P], folder string) error {
	var page bytes.Buffer
	p.WritePage(&page, r)
	return os.WriteFile(filepath.Join(folder, strings.ToUpper(p.Name)+".md"), page.Bytes(), 0o644)
}
