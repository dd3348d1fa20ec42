// SPDX-License-Identifier: Apache-2.0

package node

import (
	"time"

	"github.com/zwire-mq/zwire/patterns/config/internal/model"
	"github.com/zwire-mq/zwire/patterns/config/internal/wire"
)

// The path of a change through the files: links.go finds the authority and greets it, marks.go makes of bodies and marks the next
// state, sync.go repairs what was missed, report.go says what has been applied; requests.go is the other direction.

// Config is what a machine is told once.
type Config struct {
	Session  string
	Name     string
	Trees    []string // held, sorted; nil: all
	Observer bool     // holds nothing
	Unlisted bool     // is no node of the roll-out
	FailFast bool     // a change that is refused because nothing can be changed at present is not sent again
	Links    int      // authorities that are known, at least 1
	// State and Epoch are a copy from an earlier life, of the same trees; nil: none. Seen is the highest epoch of that life.
	State *model.State
	Epoch model.Epoch
	Seen  model.Epoch
}

// Send is a message for an authority.
type Send struct {
	Link    int
	Message wire.Message
}

// Follow says where to subscribe from now on: at no endpoint but this one. Link -1: nowhere.
type Follow struct {
	Link    int
	Changes string // as in Welcome
}

// Answer ends a request: by a Result, Records or Nodes, or by the state that Read asked for.
type Answer struct {
	Handle  uint64
	Message wire.Message
	State   *model.State
}

// Output is what came of an input.
type Output struct {
	Sends   []Send
	Follow  *Follow
	Answers []Answer
	Visible bool // another state or epoch is visible, or the first good copy is there
}

// Machine is the client side. Inputs are its methods that take the time, which never goes back; after each, Take what came of it. When
// Deadline comes, and whenever else, Tick.
type Machine struct {
	config   Config
	links    []link
	followed int         // of links; -1: none
	epoch    model.Epoch // of the authority that is followed
	seen     model.Epoch
	interval time.Duration
	heard    time.Time // from the authority that is followed, in any way
	away     bool

	visible      *model.State // never nil
	visibleEpoch model.Epoch
	have         bool      // visible is a good copy, though perhaps an old one
	synced       bool      // the copy has been proved since the start
	proved       time.Time // when visible was last known to equal the authority's
	reason       error     // why it is in doubt; nil: it is not

	kept    kept
	joined  *wire.Mark      // of the batch that is being taken, not applied yet
	records []*model.Record // that are about to be applied; empty between inputs
	marked  time.Time       // when the last mark came
	want    bool            // the copy has to be synced
	whole   bool            // by a snapshot, since records did not help
	syncAt  time.Time       // not before
	wait    time.Duration
	sync    *syncing

	lastID     uint64
	requests   map[uint64]*request // by handle
	reads      map[uint64]*request // by the number under which they were sent last
	requestsAt time.Time           // nothing has to be sent before; zero: nothing at all
	reportAt   time.Time           // zero: nothing was reported yet on this stream
	reported   time.Time

	out Output
}

// New returns a machine whose links are all cut.
func New(config Config) *Machine {
	m := &Machine{
		config: config, links: make([]link, config.Links), followed: -1, interval: intervalDefault, want: !config.Observer,
		visible: &model.State{}, seen: config.Seen,
		requests: make(map[uint64]*request), reads: make(map[uint64]*request), kept: newKept(),
	}
	if config.State != nil {
		m.visible, m.visibleEpoch, m.have = config.State, config.Epoch, true
		m.see(config.Epoch)
	}
	return m
}

// Take returns what has come of inputs since the last Take.
func (m *Machine) Take() Output {
	out := m.out
	m.out = Output{}
	return out
}

// Copy returns what is visible: one revision of the trees that are held. have is false until there is a good copy.
func (m *Machine) Copy() (state *model.State, epoch model.Epoch, have bool) {
	return m.visible, m.visibleEpoch, m.have
}

// View is how things stand.
type View struct {
	Link      int           // that is followed; -1: none
	Welcome   *wire.Welcome // its last; nil: none
	Connected bool          // it is followed, and was heard within the time that it has
	Synced    bool          // the copy was proved at least once in this life
	Proved    time.Time     // when the copy last was known to equal the authority's
	Greeted   bool          // some authority has answered, whatever its role
	Seen      model.Epoch   // the highest epoch
	Err       error         // why the copy is in doubt
}

// View tells how things stand.
func (m *Machine) View() View {
	v := View{Link: m.followed, Synced: m.synced, Proved: m.proved, Seen: m.seen, Err: m.reason}
	for i := range m.links {
		v.Greeted = v.Greeted || m.links[i].greeted
	}
	if m.followed >= 0 {
		v.Welcome = m.links[m.followed].welcome
		v.Connected = !m.away
	}
	return v
}

// Received takes a message of an authority; nil stands for one that could not be read. bytes is the length of its frame.
func (m *Machine) Received(at int, message wire.Message, bytes int, now time.Time) {
	l := &m.links[at]
	if !l.connected {
		return // from a stream that has ended since
	}
	l.heard = now
	if at == m.followed {
		m.hear(now)
	}
	switch message := message.(type) {
	case *wire.Welcome:
		m.welcomed(at, message, now)
	case *wire.Chunk:
		m.chunk(at, message, bytes, now)
	case *wire.Result:
		if message.Code == wire.CodeStranger {
			m.garbled(at, now) // the authority has started again, and the stream's end was not noticed yet
		}
		m.result(message, now)
	case *wire.Records:
		m.answered(message.Request, message)
	case *wire.Nodes:
		m.answered(message.Request, message)
	default:
		m.garbled(at, now)
	}
	m.settle(now)
}

// Published is a message from where Follow said, and the length of its frame; no message stands for one that could not be read.
type Published struct {
	Message wire.Message
	Bytes   int
}

// Published takes messages that were there together, in order. Of what they lead to only the last revision becomes visible. Of a
// message of at most FrameReusedMax octets nothing is kept that refers to its frame.
func (m *Machine) Published(messages []Published, now time.Time) {
	if m.followed < 0 || m.config.Observer || len(messages) == 0 {
		return
	}
	m.hear(now)
	for _, p := range messages {
		switch message := p.Message.(type) {
		case *wire.Body:
			m.body(message, p.Bytes, now)
		case *wire.Mark:
			m.mark(message, p.Bytes, now)
		default:
			m.applyJoined(now)
			m.doubt(errGarbled, now)
		}
	}
	m.applyJoined(now)
	m.settle(now)
}

// Tick does what is due.
func (m *Machine) Tick(now time.Time) {
	m.checkAway(now)
	for at := range m.links {
		if due := m.helloAt(at); !due.IsZero() && !now.Before(due) {
			m.hello(at, now)
		}
	}
	m.checkSync(now)
	m.settle(now)
}

// settle sends what has become possible or due.
func (m *Machine) settle(now time.Time) {
	m.trySync(now)
	m.sendRequests(now)
	m.report(now)
}

// Deadline is when Tick has something to do; zero: not before another input.
func (m *Machine) Deadline() (first time.Time) {
	earlier := func(t time.Time) {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	for at := range m.links {
		earlier(m.helloAt(at))
	}
	if m.followed >= 0 && !m.away { // also while its stream is gone: nothing else may come to say so
		earlier(m.heard.Add(m.patience()))
	}
	if m.followed < 0 || !m.links[m.followed].greeted {
		return first
	}
	switch {
	case m.sync != nil:
		earlier(m.sync.deadline)
	case m.want:
		earlier(m.syncAt)
	case !m.config.Observer && !m.away:
		earlier(m.marked.Add(m.patience()))
	}
	earlier(m.requestsAt)
	earlier(m.reportAt)
	return first
}

func (m *Machine) send(link int, message wire.Message) {
	m.out.Sends = append(m.out.Sends, Send{link, message})
}

func (m *Machine) holds(tree string) bool { return holds(m.config.Trees, tree) }

func (m *Machine) nextID() uint64 {
	m.lastID++
	return m.lastID
}
