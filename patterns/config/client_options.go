// SPDX-License-Identifier: Apache-2.0

package config

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/zwire-mq/zwire/patterns/config/internal/model"
	"github.com/zwire-mq/zwire/socket"
)

// Options configure a client. Zero values mean the defaults. They are copied; a client never changes them.
type Options struct {
	// Authorities are the endpoints of the authority and, if there is one, its standby: 1 to 8, in any order, as in
	// "tcp://10.0.0.5:7400" or "ipc:///run/config". The client finds the one to follow, and moves when it has to.
	Authorities []string
	// Name is what the roll-out view calls this client: up to 255 octets. Default: the host's name and the process's number.
	Name string
	// Author is named in the records of changes, as claimed: up to 255 octets. Default: Name.
	Author string
	// Trees are those that this client holds a copy of, at most 1,024. Default: all.
	Trees []string
	// Observer makes a client that holds no copy, reads over the network and is no node of the roll-out: an operator's tool.
	// Trees and CacheFile must be empty.
	Observer bool
	// CacheFile is where the last good copy is kept, so that this client can start without an authority; one file for each
	// client. Default: none.
	CacheFile string
	// FailFast makes a change return ErrReadOnly at once when no authority accepts it at present. Default: it is sent again and
	// again until ctx ends.
	FailFast bool
	// Context is that of the sockets. Default: the one of the process.
	Context *socket.Context
}

// resolved returns a copy with the defaults filled in.
func (o *Options) resolved() (Options, error) {
	if o == nil {
		o = &Options{}
	}
	r := *o
	r.Authorities, r.Trees = slices.Clone(r.Authorities), slices.Clone(r.Trees)
	switch {
	case len(r.Authorities) == 0:
		return r, errors.New("config: Options.Authorities: want an endpoint")
	case len(r.Authorities) > authoritiesMax:
		return r, fmt.Errorf("config: Options.Authorities: %d, at most %d", len(r.Authorities), authoritiesMax)
	case r.Observer && (len(r.Trees) > 0 || r.CacheFile != ""):
		return r, errors.New("config: Options.Observer: an observer has no Trees and no CacheFile")
	}
	for i, endpoint := range r.Authorities {
		if slices.Contains(r.Authorities[:i], endpoint) {
			return r, fmt.Errorf("config: Options.Authorities: %q twice", endpoint)
		}
	}
	if err := r.resolveTrees(); err != nil {
		return r, err
	}
	if r.Name == "" {
		host, err := os.Hostname()
		if err != nil {
			host = "unknown"
		}
		r.Name = fmt.Sprintf("%.200s-%d", host, os.Getpid())
	}
	if r.Author == "" {
		r.Author = r.Name
	}
	if max(len(r.Name), len(r.Author)) > model.NameBytesMax {
		return r, fmt.Errorf("config: Options.Name and Options.Author: at most %d octets", model.NameBytesMax)
	}
	return r, nil
}

func (o *Options) resolveTrees() error {
	if len(o.Trees) == 0 {
		o.Trees = nil
		return nil
	}
	slices.Sort(o.Trees)
	o.Trees = slices.Compact(o.Trees)
	if len(o.Trees) > model.TreesMax {
		return fmt.Errorf("config: Options.Trees: %d, at most %d", len(o.Trees), model.TreesMax)
	}
	for _, tree := range o.Trees {
		if err := model.CheckTree(tree); err != nil {
			return fmt.Errorf("config: Options.Trees: %w", err)
		}
	}
	return nil
}

// newSession makes up the name of a client's life, which nobody guesses or uses twice.
func newSession() string { return rand.Text() }
