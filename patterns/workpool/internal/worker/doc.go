// SPDX-License-Identifier: Apache-2.0

// Package worker is a worker as a machine: messages of dispatchers, finished jobs and the time go in; jobs to run and messages to
// send come out. It knows no socket, no function to run and no clock.
//
// A link leads to one dispatcher. A job is one lease; it is held from its arrival until its answer has been taken to be sent. Beside
// one job for each slot a worker asks for some ahead, as many as it does in a moment by what the last ones took, so that it need not
// wait for the next one. Those that wait for a slot longer than that all the same are returned, for another worker to take.
package worker
