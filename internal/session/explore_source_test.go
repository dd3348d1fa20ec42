// SPDX-License-Identifier: Apache-2.0

package session

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// followed are the functions that the models copy, each with its accesses to shared memory in the order in which they are
// written. When one of them changes: see whether the model still does what it does, then change the line here.
func followed() map[string]map[string]string {
	return map[string]map[string]string{
		"../pipe":      followedInPipe(),
		"../ioloop":    followedInLoop(),
		".":            followedHere(),
		"../../socket": followedInSocket(),
	}
}

// accesses are the methods that count as access to shared memory, or make others do something.
func accesses() []string {
	return []string{
		"Load", "Store", "CompareAndSwap", "Add", "Lock", "Unlock", "TryLock", "Turn", "Set", "State", "Claim", "Yield", "Flush",
		"Release", "Ready", "Revive", "PostWrite", "PostRead", "Leave", "Resume", "Read", "Write", "CloseWrite", "Abort", "Close",
		"tryEnd", "fail", "takeWriting", "handOver", "leaveWriting", "leaveReading", "writeFailed", "drain", "read", "rest", "idle",
		"wait", "pause", "lost", "finish", "retry", "dial", "carry", "settle", "begun", "Rewind", "Ended", "Detach", "take", "Gather",
		"Advance", "giveBack", "Repay", "Owes", "refresh", "fits", "hold", "withdraw",
		"Engage", "Disengage", "Publish", "publish", "engage", "disengage", "asked", "Asked", "Queued",
		"ready", "awaited", "mayLeave", "mayGather", "once", "lead", "park", "unpark", "stayAway", "interrupt", "serve", "block", "look", "glance",
	}
}

// accessesOf lists what a function does to shared memory, in the order of the source.
func accessesOf(function *ast.FuncDecl) string {
	var found []string
	ast.Inspect(function.Body, func(node ast.Node) bool {
		call, ok := node.(*ast.CallExpr)
		if !ok {
			return true
		}
		selector, ok := call.Fun.(*ast.SelectorExpr)
		if !ok || !slices.Contains(accesses(), selector.Sel.Name) {
			return true
		}
		var arguments []string
		for _, a := range call.Args {
			if _, literal := a.(*ast.FuncLit); !literal {
				arguments = append(arguments, types.ExprString(a))
			}
		}
		found = append(found, types.ExprString(selector)+"("+strings.Join(arguments, ", ")+")")
		return true
	})
	return strings.Join(found, "; ")
}

func TestModelsFollowTheCode(t *testing.T) {
	for folder, functions := range followed() {
		files, err := filepath.Glob(filepath.Join(folder, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		seen := make(map[string]bool)
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, declaration := range file.Decls {
				function, ok := declaration.(*ast.FuncDecl)
				if !ok {
					continue
				}
				key := function.Name.Name
				if function.Recv != nil {
					key = types.ExprString(function.Recv.List[0].Type) + "." + key
				}
				want, listed := functions[key]
				if !listed {
					continue
				}
				seen[key] = true
				if got := accessesOf(function); got != want {
					t.Errorf("%s: %s has changed; look at the model, then write\n\t%s", name, key, got)
				}
			}
		}
		for key := range functions {
			if !seen[key] {
				t.Errorf("%s: %s is gone", folder, key)
			}
		}
	}
}

func followedInSocket() map[string]string {
	return map[string]string{
		"*broadcast.add":       "w.publish()",
		"*broadcast.publish":   "q.Publish(w.chunk, w.from, w.to, n); q.Claim(); q.Consumer.Ready(q, true); w.disengage(0); w.engage()",
		"*broadcast.engage":    "e.Out.Engage(); w.disengage(0)",
		"*broadcast.disengage": "e.Out.Disengage()",
		"*broadcast.asked":     "w.publish(); q.Queued(); w.publish(); w.disengage(0); w.disengage(-calmMessages)",
		"*broadcast.end":       "w.publish(); w.disengage(0)",
	}
}

func followedInPipe() map[string]string {
	return map[string]string{
		"*Queue.Claim":       "q.State(); q.Turn(Idle, Posted)",
		"*Queue.Yield":       "q.Set(Idle); s.mark.Load(); s.next.Load(); q.holding.Load(); p.Release(q); s.mark.Load(); s.next.Load(); q.Turn(Idle, Draining); q.Turn(Posted, Draining)",
		"*Queue.Fits":        "q.fits(n, byteMark); q.refresh(); q.fits(n, byteMark); q.starved.Load(); q.limitMessages.Load(); q.starved.Store(true); q.refresh(); q.fits(n, byteMark); q.Flush(); q.Claim(); q.Consumer.Ready(q, true); q.State(); c.Owes(q); q.refresh(); q.fits(n, byteMark)",
		"*Queue.hold":        "q.State(); q.withdraw(0); q.holding.Store(true); q.State()",
		"*Queue.withdraw":    "q.holding.Store(false)",
		"*Queue.publish":     "q.tail.mark.CompareAndSwap(q.tailMark, mark); s.mark.Store(mark); s.next.Store(nil); q.tail.next.Store(s)",
		"*Queue.Append":      "q.Flush(); q.hold(); q.Flush()",
		"*Queue.Rest":        "s.mark.Load(); s.next.Load(); s.mark.CompareAndSwap(mark, mark | markClosed); s.chunk.Release()",
		"*Queue.step":        "s.next.Load(); s.mark.Load(); s.chunk.Release()",
		"*Queue.giveBack":    "q.returnedBytes.Load(); q.returned.Store(q.consumed); q.returnedBytes.Store(q.consumedBytes); q.starved.Load(); q.starved.Store(false); q.Producer.Revive(q)",
		"*Queue.AppendSmall": "",
		"*Queue.AppendFew":   "",
		"*Queue.Pop":         "q.starved.Load(); q.starved.Load(); q.giveBack()",
		"*Queue.TakeSmall":   "",
		"*Queue.TakeFew":     "",
		"*Queue.Engage":      "q.withdraw(0); q.holding.Store(true); q.State()",
		"*Queue.Disengage":   "q.withdraw(0); q.holding.Store(false)",
		"*Queue.Asked":       "q.withdraw(q.rest); q.Flush()",
		"*Queue.Flush":       "q.publish(q.encoder.chunk, q.heldFrom, q.encoder.fill, n)",
		"*Queue.Settle":      "q.Repay()",
		"*Queue.expect":      "q.starved.Load()",
		"*Queue.Repay":       "q.giveBack()",
	}
}

func followedInLoop() map[string]string {
	return map[string]string{
		"*Loop.stop":      "l.stopping.Store(true); l.poll.interrupt(); l.token.CompareAndSwap(false, true); l.poll.interrupt()",
		"*Loop.stand":     "l.stopping.Load(); l.token.CompareAndSwap(false, true); l.glance(); l.wait(); l.token.Store(false); l.awaited(); l.stayAway(pause)",
		"*Loop.wait":      "l.once(nil); l.stopping.Load(); l.mayLeave(); l.mayGather(blocked)",
		"*Loop.mayGather": "l.aliens.Load(); l.polled.Load(); l.awaited()",
		"*Loop.glance":    "l.poll.look(); l.poll.serve(n, false); l.aliens.Load(); l.polled.Load()",
		"*Loop.mayLeave":  "l.asker.Load(); w.ready(); l.parked.Load()",
		"*Loop.stayAway":  "l.stopping.Load(); l.leads.Load(); l.leads.Load(); l.missed.Store(true); l.token.Load(); l.missed.Store(false)",
		"*Loop.lead":      "l.token.CompareAndSwap(false, true); l.leads.Add(1); l.polled.Load(); l.polled.Store(false); w.leads.Store(l); w.ready(); l.stopping.Load(); l.once(w); w.leads.Store(nil); w.ready(); l.token.Store(false); l.awaited(); l.missed.Load(); l.stopping.Load()",
		"*Loop.park":      "l.parked.Load(); l.asker.CompareAndSwap(nil, w); l.parked.Add(1); l.token.Load()",
		"*Loop.unpark":    "l.parked.Add(-1); l.asker.CompareAndSwap(w, nil)",
		"*Loop.awaited":   "l.asker.Load(); w.ready(); l.parked.Load()",
		"*Loop.once":      "l.asleep.Store(true); l.stopping.Load(); l.poll.park(); w.ready(); l.block(w); l.asleep.Store(false); l.poll.serve(n, w != nil)",
		"*Loop.interrupt": "l.asleep.Load(); l.asleep.CompareAndSwap(true, false); l.poll.interrupt()",
		"*Waiter.Wake":    "w.done.Store(true); w.leads.Load(); l.interrupt()",
		"*Waiter.Wait":    "l.lead(ctx, w); l.park(w); l.unpark(w)",
	}
}

func followedHere() map[string]string {
	return map[string]string{
		"*Session.Ready":     "s.link.Load(); l.lastDirect.Load(); q.Turn(pipe.Posted, pipe.Draining); l.lastDirect.Store(now); l.drain(true); l.stream.PostWrite()",
		"*Session.Steal":     "s.link.Load(); s.End.Out.Turn(pipe.Posted, pipe.Draining); l.drain(true); l.lastDirect.Store(int64(time.Since(epoch)))",
		"*link.Flush":        "l.out.Turn(pipe.Posted, pipe.Draining); l.drain(false)",
		"*link.Writable":     "l.writeEdge.Store(true); q.State(); q.Turn(pipe.Blocked, pipe.Draining); l.drain(false); l.admitted.Load(); l.mu.Lock(); l.mu.Unlock()",
		"*link.drain":        "l.dead.Load(); l.handOver(); l.finishing.Load(); l.control.held.Load(); l.leaveWriting(pipe.Posted); l.stream.PostWrite(); l.control.take(l.command); l.shutdown.Load(); q.Gather(l.pieces); l.rest(finishing)",
		"*link.rest":         "l.shutdown.Load(); l.fail(nil); l.shutdown.Store(true); l.stream.CloseWrite(); l.fail(err); q.Yield(); l.control.held.Load(); l.finishing.Load(); l.shutdown.Load(); q.Turn(pipe.Idle, pipe.Draining); l.dead.Load(); l.tryEnd()",
		"*link.write":        "l.writeEdge.Store(false); l.stream.Write(pieces[:min(len(pieces), piecesMax)]); q.Advance(n - k); l.leaveWriting(pipe.Blocked); l.writeEdge.Load(); q.Turn(pipe.Blocked, pipe.Draining); l.writeFailed(err)",
		"*link.handOver":     "l.leaveWriting(pipe.Posted); l.s.link.Load(); now.stream.PostWrite(); now.dead.Load(); now.tryEnd()",
		"*link.leaveWriting": "l.out.Set(to); l.dead.Load(); l.tryEnd()",
		"*link.writeFailed":  "l.mu.Lock(); l.out.Set(pipe.Detached); l.mu.Unlock(); l.hangup.Store(true); l.readEdge.Store(true); l.readState.Load(); l.fail(err); l.stream.PostRead(); l.dead.Load(); l.tryEnd()",
		"*link.open":         "l.mu.Lock(); l.mu.Unlock(); s.mu.Lock(); s.mu.Unlock(); l.finishing.Store(true); s.End.Out.Set(pipe.Posted); l.mu.Unlock(); l.stream.PostWrite()",
		"*link.listen":       "l.admitted.Store(true); l.readState.Load(); l.stream.PostRead()",
		"*link.finish":       "l.finishing.Store(true); q.Turn(pipe.Idle, pipe.Posted); q.State(); l.stream.PostWrite(); l.readState.Load(); l.stream.PostRead()",
		"*link.fail":         "l.mu.Lock(); l.dead.Store(true); l.stream.Abort(); l.mu.Unlock(); l.tryEnd()",
		"*link.tryEnd":       "l.mu.Lock(); l.takeWriting(); l.readState.Load(); l.readState.CompareAndSwap(readIdle, readGone); l.readState.CompareAndSwap(readPaused, readGone); l.mu.Unlock(); l.chunk.Release(); l.stream.Close(); l.s.lost(l, reason)",
		"*link.takeWriting":  "q.State(); q.Turn(state, pipe.Detached)",
		"*link.post":         "l.out.Claim(); l.stream.PostWrite()",
		"*link.Readable":     "l.hangup.Store(true); l.readEdge.Store(true); l.readState.CompareAndSwap(readIdle, reading); l.read(led); l.readState.Load(); l.admitted.Load(); l.readState.CompareAndSwap(readPaused, reading); l.read(led)",
		"*link.Resume":       "q.State(); l.readState.CompareAndSwap(readPaused, reading); l.hangup.Load(); l.readState.CompareAndSwap(readIdle, reading); l.read(false)",
		"*Session.ReadMore":  "s.link.Load(); l.readState.Load(); l.admitted.Load(); l.stream.PostRead(); l.readState.CompareAndSwap(readPaused, reading); l.read(true)",
		"*Session.Revive":    "s.link.Load(); l.revived.Store(true); l.readState.Load(); l.stream.PostRead()",
		"*link.read":         "l.dead.Load(); l.leaveReading(readIdle); l.leaveReading(readPaused); l.stream.PostRead(); l.readEdge.Store(false); l.hangup.Load(); l.fail(err); l.leaveReading(readIdle); l.stream.Read(buffer); l.take(); l.readEdge.Load(); l.idle(); l.pause()",
		"*link.mayRead":      "l.admitted.Load(); l.wait(); l.admitted.Load(); l.hangup.Load(); l.revived.Store(false); l.finishing.Load(); l.fail(broken); l.leaveReading(readIdle); l.wait(); l.finishing.Load(); l.revived.Load(); l.hangup.Load()",
		"*link.wait":         "l.readState.Store(readPaused); l.readState.CompareAndSwap(readPaused, reading); l.dead.Load(); l.tryEnd()",
		"*link.pause":        "l.leaveReading(readPaused); l.stream.Leave()",
		"*link.idle":         "l.readState.Store(readIdle); l.readEdge.Load(); l.readState.CompareAndSwap(readIdle, reading); l.dead.Load(); l.tryEnd()",
		"*link.leaveReading": "l.readState.Store(to); l.dead.Load(); l.tryEnd()",
		"*link.readEnded":    "l.fail(broken); l.leaveReading(readIdle); l.idle(); l.finishing.Load(); l.shutdown.Load(); l.fail(err); l.leaveReading(readIdle)",
		"*link.begin":        "l.s.link.Store(l)",
		"*link.begun":        "l.mu.Lock(); l.mu.Unlock(); l.s.mu.Lock(); l.s.mu.Unlock(); l.fail(reason); l.tryEnd()",
		"*Session.Start":     "s.mu.Lock(); s.mu.Unlock(); s.dial()",
		"*Session.dial":      "s.settle(false, err); s.settle(s.carry(stream)); s.carry(stream)",
		"*Session.carry":     "s.mu.Lock(); s.mu.Unlock(); stream.Close(); s.mu.Unlock(); s.link.Store(nil); l.begun()",
		"*Session.settle":    "s.mu.Lock(); s.link.Load(); s.mu.Unlock(); s.finish(err); s.retry(err)",
		"*Session.retry":     "s.mu.Lock(); s.mu.Unlock(); s.mu.Lock(); s.mu.Unlock(); s.dial()",
		"*Session.Abort":     "s.mu.Lock(); s.mu.Unlock(); s.link.Load(); s.mu.Unlock(); l.fail(reason); s.finish(reason)",
		"*Session.finish":    "s.mu.Lock(); s.mu.Unlock(); s.owner.Ended(s, reason)",
		"*Session.lost":      "s.End.Out.Rewind(); s.owner.Detach(s, reason); s.mu.Lock(); s.link.Store(nil); s.mu.Unlock(); s.retry(reason); s.finish(reason)",
		"*Session.Discard":   "q.Flush(); q.Turn(pipe.Detached, pipe.Draining); q.Set(pipe.Detached)",
	}
}
