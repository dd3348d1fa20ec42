// SPDX-License-Identifier: Apache-2.0

package subtrie

// holding is one topic of a peer.
type holding struct {
	at    uint32 // vertex
	index uint32 // of the peer among the vertex's holders
}

// holdings are the topics of a peer, in no order, each known by its slot. They stand in blocks, so that a long list need not
// be copied to grow; the only block begins small.
type holdings struct {
	blocks [][]holding // all but the last are full
	count  int
}

func (l *holdings) at(slot uint32) *holding {
	return &l.blocks[slot/holdingsBlock][slot%holdingsBlock]
}

func (l *holdings) push(h holding) {
	last := len(l.blocks) - 1
	if l.count%holdingsBlock == 0 {
		size := holdingsBlock
		if l.count == 0 {
			size = 1
		}
		l.blocks = append(l.blocks, make([]holding, 0, size))
		last++
	}
	l.blocks[last] = append(l.blocks[last], h)
	l.count++
}

// pop takes the last one out.
func (l *holdings) pop() holding {
	last := len(l.blocks) - 1
	block := l.blocks[last]
	h := block[len(block)-1]
	if block = block[:len(block)-1]; last == 0 {
		block = shrink(block)
	}
	l.blocks[last] = block
	if len(block) == 0 {
		l.blocks[last] = nil
		l.blocks = shrink(l.blocks[:last])
	}
	l.count--
	return h
}
