// SPDX-License-Identifier: Apache-2.0

// Package workpool is a pool of workers that loses no task: producers submit tasks to a dispatcher, workers do them, a sink gets the
// results. It is the same code in one process and on hundreds of machines; only endpoints differ.
//
//	d, err := workpool.NewDispatcher(&workpool.DispatcherOptions[Picture, Thumbnail]{Endpoints: []string{"tcp://*:7500"}})
//	id, err := d.Submit(ctx, picture, nil)
//	for result, err := range d.Results(ctx) { … }
//
//	w, err := workpool.NewWorker(&workpool.WorkerOptions[Picture, Thumbnail]{Dispatchers: []string{"tcp://host:7500"}},
//		func(ctx context.Context, task workpool.Task[Picture]) (Thumbnail, error) { … })
//	<-interrupted // signal.NotifyContext
//	err = w.Drain(ctx)
//
// # Work must be safe to do twice
//
// A task is done at least once. When a worker dies, hangs, or cannot be reached, nobody can know how far it has come, and its task is
// given to another one. So whatever a task does must be safe to do twice. Task.ID is the same in each attempt.
//
// The sink is better off: in one life of the dispatcher it sees each task once, whoever has done it how often.
//
// # Credit
//
// A worker says how many tasks it is willing to hold, and never gets more: one for each of its Concurrency, and as many ahead as it
// does in about a millisecond. The next task, of the highest priority and then the oldest, goes to the worker with credit that holds
// least. A task that has waited for 10 ms behind others in a worker goes back for others to take. So a slow worker holds up what it works
// on and nothing else.
//
// # Back-pressure
//
// A dispatcher holds at most QueueTasks tasks and QueueBytes octets, results that the sink has not done with included. At that, Submit
// waits and TrySubmit says ErrFull. A sink that nobody serves thus holds up the producers, as it should.
//
// # Attempts
//
// An attempt fails when the function returns an error or panics, when it refuses (ErrRefused), when it takes longer than its Timeout,
// and when its worker is silent for five intervals or disconnected for two. After a while, which doubles, the task goes to another
// worker if there is one. After the last attempt, or at its Deadline, it is a dead letter, with the errors of its attempts: see
// DeadLetters, Rerun, Cancel. A late answer of a worker that lost its task is dropped.
//
// # Durable tasks
//
// A task with Durable is on disk when Submit returns. Those of many producers, or of one SubmitBatch, go there together, and results go
// along with tasks: while a producer submits one task after the other, each costs one write of the store. A result is on disk before the
// sink has it; when no task comes, it waits a millisecond for one.
//
// When the dispatcher starts again after whatever end, it has all of them: those that were not done, with their failed attempts, dead
// letters, and results that the sink had not done with. These come marked Redelivered; a result with which the sink was done just before
// a crash may be among them, since its record is deleted a moment later. When the store fails, the dispatcher ends: see Done and Err.
// Tasks without Durable are in memory, and end with the dispatcher.
//
// # Operators
//
// Stats says what a dispatcher and its workers are at. From elsewhere, an Operator asks for the same, lists dead letters, runs them again
// and throws them away:
//
//	o := &workpool.Operator{Dispatcher: "tcp://host:7500"}
//	for letter, err := range o.DeadLetters(ctx, 0) { … }
//	count, err := o.Rerun(ctx, ids...)
//
// The command zwire pool stands on it: zwire pool status, zwire pool dead list, show, rerun, forget. There is no authentication: whoever
// can connect can be a worker, which gets tasks, and an operator. Endpoints are for networks that you trust.
//
// # Guarantees
//
//	An accepted task is done, dead or cancelled, never lost                TestPoolSimulation, TestSoakKillWorkers, TestSoakKillDispatcher
//	The sink sees each task once in one life of the dispatcher             TestPoolSimulation, TestSoakKillWorkers, TestStop
//	After a crash a result is missing never, and comes again only marked   TestPoolSimulation, TestSoakKillDispatcher, TestDurable
//	An accepted durable task is on disk                                    TestSoakKillDispatcher
//	What is on disk is what was written, or an error                       TestDamage, TestAgainstMemory
//	A worker never holds more than its credit, nor works on more at once   TestCredit, TestPoolSimulation, TestManyDispatchers
//	The next task goes where least is held                                 TestCredit
//	A task does not wait behind a long one                                 TestReturn, TestSkew
//	A full queue makes producers wait, or says no                          TestBackPressure, TestBounds
//	Attempts are limited, and a dead letter has their errors               TestFailures
//	Dead letters are listed, run again and forgotten from elsewhere        TestOperator, TestPoolDead in cmd/zwire
//	A worker that hangs or is stopped loses its task; its answer is late   TestHung, TestStop
//	Ordered results come in the order of submission                        TestOrdered, TestRerunInOrder, TestPoolSimulation
//	A cancelled task does not reach the sink                               TestCancel, TestPoolSimulation
//	A worker that drains finishes what it has begun, and no attempt fails  TestDrainWorker, TestInterrupted
//	Delays, priorities and deadlines are the same after a restart          TestAfterRestart
//	A time that is far, past, or of a clock that is set does no harm       TestTimes, TestFarTimes
//	No peer makes a task get lost, come twice, or the pool stand still     TestHostileWorkers, TestHostilePeers
//	A disk that is full or fails ends the dispatcher; nothing is lost      TestDiskFull, TestDiskFails
//	A worker in another language is a worker                               TestPoolOfPython in bench/interop
//
// # Protocol
//
// It is written down in internal/wire; testdata/worker.py is a worker in Python.
//
// # Glossary
//
//   - task: a value to work on, and its options; attempt: one try of one worker at it.
//   - dispatcher: has the tasks until they are done; life: from its start to its end.
//   - worker: a function, and how many calls of it at once; credit: how many tasks it is willing to hold.
//   - lease: the right of a worker to answer one attempt; it ends when the task is given to another one.
//   - sink: whoever takes the results; turn: its work on one of them.
//   - dead letter: a task that is not tried any more.
package workpool
