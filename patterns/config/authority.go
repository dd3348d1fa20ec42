// SPDX-License-Identifier: Apache-2.0

package config

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/zwire-mq/zwire/patterns/config/internal/authority"
	"github.com/zwire-mq/zwire/patterns/config/internal/model"
	"github.com/zwire-mq/zwire/patterns/config/internal/store"
	"github.com/zwire-mq/zwire/patterns/config/internal/wire"
	"github.com/zwire-mq/zwire/socket"
	"github.com/zwire-mq/zwire/transport"
)

// TakeoverNever in AuthorityOptions means that only an operator makes a standby the primary.
const TakeoverNever time.Duration = -1

// AuthorityOptions configure an authority. In every field the zero value is the default; only a store has to be given, by Path or
// by Store.
type AuthorityOptions struct {
	// Endpoint is where clients and the other authority connect to. Default "tcp://127.0.0.1:7400".
	Endpoint string
	// Changes is where changes are published. Default: what belongs to Endpoint, for tcp the next port, else the same name and
	// "-changes".
	Changes string

	// Expose allows endpoints that other machines may reach. Whoever reaches them may read and change everything, as any author: there is
	// no authentication yet. Default: only ipc, inproc and loopback addresses are allowed.
	Expose bool

	// Path is the file of the store; it is made if it does not exist.
	Path string
	// Store takes the place of the file. Whoever made it closes it, after Close.
	Store Store

	// Other is the endpoint of the other authority, which has this one's in turn. With it, a change is acknowledged when it is on
	// the disks of both; see the package documentation for what each can do without the other. Default: there is none.
	Other string
	// Preferred makes this authority the primary when both have the same history, as at their first start. Give it to one.
	Preferred bool
	// TakeoverAfter is how long the primary has to be silent before its standby takes over. Default 10 s, or 5 intervals if that is
	// more; at least 5 intervals; TakeoverNever.
	TakeoverAfter time.Duration

	// Interval is the time between heartbeats, and between reports of nodes: what was lost is noticed after it. Default 1 s; 10 ms
	// to 1 min.
	Interval time.Duration
	// ValueBytes bounds one value. Default 1 MiB; at most 16 MiB less 64 KiB.
	ValueBytes int
	// HistoryRevisions and HistoryBytes bound the history, for At, Rollback, Log, and nodes that were away: it has at least so many
	// revisions, unless they have more octets together. Defaults 4096, which is also the least, and 64 MiB.
	HistoryRevisions, HistoryBytes int

	// Context is the one of the sockets. Default: that of the process.
	Context *socket.Context
	// Log gets what an operator should know: takeovers, failed writes, refused peers. Default: nothing is logged.
	Log *slog.Logger

	wallClock  func() time.Time // tests put in their own
	sendHWM    int              // and let queues run over
	gatherEach time.Duration    // and changes gather where nodes are few
}

// DefaultEndpoint is where an authority listens and a client looks, unless told otherwise.
const DefaultEndpoint = "tcp://127.0.0.1:7400"

// Authority holds the configuration, orders its changes, keeps them on disk and distributes them. All methods may be called from
// any goroutine.
type Authority struct {
	opts    AuthorityOptions
	machine *authority.Machine // of run
	store   Store
	owned   bool // the store is closed with the authority

	router *socket.Router
	pub    *socket.Pub
	link   *socket.Dealer // to the other authority; nil: there is none

	arrived chan []arrival
	writes  chan *authority.Write
	written chan error

	cancel context.CancelFunc
	begun  chan struct{} // closed when it is what it will be until something happens
	ended  chan struct{}
	once   sync.Once
	err    error // why it ended; set before ended is closed
}

type arrival struct {
	from    string
	message wire.Message
}

// NewAuthority opens the store and starts to serve; one that needs no other authority accepts changes when it returns. Errors: of the store (ErrInUse, *DamagedError), of the endpoints
// (*transport.EndpointError, syscall.EADDRINUSE), or *OptionError.
func NewAuthority(opts *AuthorityOptions) (*Authority, error) {
	if opts == nil {
		opts = &AuthorityOptions{}
	}
	a := &Authority{opts: *opts, begun: make(chan struct{}), ended: make(chan struct{})}
	if err := a.opts.complete(); err != nil {
		return nil, err
	}
	if err := a.openStore(); err != nil {
		return nil, err
	}
	if err := a.start(); err != nil {
		return nil, errors.Join(err, a.release())
	}
	select {
	case <-a.begun:
		return a, nil
	case <-a.ended:
		return nil, errors.Join(a.err, a.release())
	}
}

func (o *AuthorityOptions) complete() error {
	fill(&o.Endpoint, DefaultEndpoint)
	fill(&o.Interval, time.Second)
	fill(&o.TakeoverAfter, max(10*time.Second, takeoverIntervals*o.Interval))
	fill(&o.ValueBytes, model.ValueBytesDefault)
	fill(&o.HistoryRevisions, historyRevisionsMin)
	fill(&o.HistoryBytes, historyBytesDefault)
	fill(&o.sendHWM, authorityHWM)
	fill(&o.gatherEach, gatherEach)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.wallClock == nil {
		o.wallClock = time.Now
	}
	if o.Changes == "" {
		changes, err := changesOf(o.Endpoint)
		if err != nil {
			return err
		}
		o.Changes = changes
	}
	for _, endpoint := range []string{o.Endpoint, o.Changes} {
		switch {
		case !exposes(endpoint):
		case !o.Expose:
			return &OptionError{"Expose", fmt.Sprintf("%s may be reached by other machines, and whoever reaches it may change everything: "+
				"use a loopback address or ipc, or allow it", endpoint)}
		default:
			o.Log.Warn("whoever reaches this endpoint may read and change everything: there is no authentication, authors are as claimed",
				"endpoint", endpoint)
		}
	}
	switch {
	case (o.Path == "") == (o.Store == nil):
		return &OptionError{"Path", "want either a path or a store"}
	case o.Other != "" && (o.Other == o.Endpoint || o.Other == o.Changes):
		return &OptionError{"Other", "this authority's own endpoint"}
	case o.Interval < intervalMin || o.Interval > intervalMax:
		return &OptionError{"Interval", fmt.Sprintf("%v, want %v to %v", o.Interval, intervalMin, intervalMax)}
	case o.TakeoverAfter != TakeoverNever && o.TakeoverAfter < takeoverIntervals*o.Interval:
		return &OptionError{"TakeoverAfter", fmt.Sprintf("%v, want at least %v or TakeoverNever", o.TakeoverAfter, takeoverIntervals*o.Interval)}
	case o.ValueBytes < 1 || o.ValueBytes > model.ValueBytesMax:
		return &OptionError{"ValueBytes", fmt.Sprintf("%d, want 1 to %d", o.ValueBytes, model.ValueBytesMax)}
	case o.HistoryRevisions < historyRevisionsMin:
		return &OptionError{"HistoryRevisions", fmt.Sprintf("%d, want at least %d", o.HistoryRevisions, historyRevisionsMin)}
	case o.HistoryBytes < 0:
		return &OptionError{"HistoryBytes", "negative"}
	}
	return nil
}

// exposes says whether other machines can reach an endpoint. One that is not well-formed is refused when it is bound.
func exposes(endpoint string) bool {
	scheme, address, err := transport.SplitEndpoint(endpoint)
	if err != nil || scheme == "ipc" || scheme == "inproc" {
		return false
	}
	hostPort, err := transport.ParseHostPort(scheme, address)
	if err != nil || hostPort.Host == "localhost" {
		return false
	}
	return !hostPort.IP.IsLoopback() // of a name, or of all addresses, there is none
}

func fill[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// changesOf derives the endpoint of changes.
func changesOf(endpoint string) (string, error) {
	scheme, address, err := transport.SplitEndpoint(endpoint)
	if err != nil {
		return "", err
	}
	if scheme != "tcp" {
		if address == "*" {
			return endpoint, nil
		}
		return endpoint + "-changes", nil
	}
	hostPort, err := transport.ParseHostPort(scheme, address)
	if err != nil {
		return "", err
	}
	port := "*"
	if hostPort.Port != 0 {
		port = fmt.Sprint(hostPort.Port + 1)
	}
	return scheme + "://" + address[:strings.LastIndexByte(address, ':')+1] + port, nil
}

func (a *Authority) openStore() error {
	a.store = a.opts.Store
	if a.store != nil {
		return nil
	}
	opened, err := store.Open(a.opts.Path, store.OpenOptions{})
	if err != nil {
		return err
	}
	a.store, a.owned = opened, true
	return nil
}

func (a *Authority) start() error {
	contents, err := a.store.Load()
	if err != nil {
		return err
	}
	if err := a.listen(contents.Meta.Authority); err != nil {
		return err
	}
	var life [8]byte
	rand.Read(life[:])
	a.machine = authority.New(authority.Config{
		Changes: a.changes(), Interval: a.opts.Interval, GatherEach: a.opts.gatherEach, ValueBytesMax: a.opts.ValueBytes,
		HistoryRecords: a.opts.HistoryRevisions, HistoryBytes: a.opts.HistoryBytes,
		Paired: a.opts.Other != "", Preferred: a.opts.Preferred, TakeoverAfter: a.opts.TakeoverAfter,
		Life: binary.BigEndian.Uint64(life[:]), WallClock: a.opts.wallClock, Log: a.opts.Log.Info,
	}, contents, time.Now())
	a.arrived = make(chan []arrival, arrivedBatches)
	a.writes = make(chan *authority.Write, 1)
	a.written = make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	a.cancel = cancel
	go a.serve(ctx)
	return nil
}

// listen makes the sockets.
func (a *Authority) listen(id model.AuthorityID) error {
	options := socket.Options{
		Context: a.opts.Context, Linger: closeLinger, SendHWM: a.opts.sendHWM, QueueBytes: authorityQueueBytes,
		MessageBytes: wire.FrameBytesMax + 1024, RouterMandatory: true, RouterHandover: true, BusyPoll: socket.BusyPollNone,
	}
	var err error
	if a.router, err = socket.NewRouter(&options); err != nil {
		return err
	}
	if a.pub, err = socket.NewPub(&options); err != nil {
		return err
	}
	if err := a.router.Bind(a.opts.Endpoint); err != nil {
		return err
	}
	if err := a.pub.Bind(a.opts.Changes); err != nil {
		return err
	}
	if a.opts.Other == "" {
		return nil
	}
	options.Identity = []byte("authority " + id.String())
	options.Immediate = true // what waits for an absent one is stale when it comes
	options.ReconnectMax = time.Second
	if a.link, err = socket.NewDealer(&options); err != nil {
		return err
	}
	return a.link.Connect(a.opts.Other)
}

// changes is the endpoint of changes as clients are told it: of tcp the port, since the host is the one that they dialled.
func (a *Authority) changes() string {
	endpoint := a.pub.LastEndpoint()
	if strings.HasPrefix(endpoint, "tcp://") {
		return endpoint[strings.LastIndexByte(endpoint, ':'):]
	}
	return endpoint
}

// Endpoint tells where it listens, with the port that a wildcard got.
func (a *Authority) Endpoint() string { return a.router.LastEndpoint() }

// Done is closed when the authority has ended: by Close, or because its store failed in a way that leaves open what it holds, and
// has to be opened again.
func (a *Authority) Done() <-chan struct{} { return a.ended }

// Err says why the authority has ended; nil before, and after Close.
func (a *Authority) Err() error {
	select {
	case <-a.ended:
		return a.err
	default:
		return nil
	}
}

// Close stops to serve; changes that are not acknowledged by then may be kept or lost. It returns when sockets, goroutines and, if it
// was opened by its path, the store are closed. Closing once more is net.ErrClosed.
func (a *Authority) Close() error {
	err := net.ErrClosed
	a.once.Do(func() {
		a.cancel()
		<-a.ended
		err = a.release()
	})
	return err
}

// release closes what is open.
func (a *Authority) release() error {
	var errs []error
	if a.router != nil {
		errs = append(errs, a.router.Close())
	}
	if a.pub != nil {
		errs = append(errs, a.pub.Close())
	}
	if a.link != nil {
		errs = append(errs, a.link.Close())
	}
	if a.owned {
		errs = append(errs, a.store.Close())
	}
	var lost *socket.LostError
	for i, err := range errs {
		if errors.As(err, &lost) { // clients ask again
			errs[i] = nil
		}
	}
	return errors.Join(errs...)
}
