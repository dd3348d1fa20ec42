// SPDX-License-Identifier: Apache-2.0

// Package profile writes profiles of a process that measures.
package profile

import (
	"errors"
	"os"
	"runtime/pprof"
)

// A Profile of the processor is written while something is measured.
type Profile struct {
	file *os.File
}

// Turn ends the profile under way, and begins another unless path is empty. With it comes one of memory.
func (p *Profile) Turn(path string) error {
	if err := p.Stop(); err != nil || path == "" {
		return err
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return errors.Join(err, file.Close())
	}
	p.file = file
	return nil
}

// Stop ends the one under way, if there is one.
func (p *Profile) Stop() error {
	if p.file == nil {
		return nil
	}
	pprof.StopCPUProfile()
	err := p.file.Close()
	heap, heapErr := os.Create(p.file.Name() + ".heap")
	p.file = nil
	if heapErr != nil {
		return errors.Join(err, heapErr)
	}
	return errors.Join(err, pprof.WriteHeapProfile(heap), heap.Close())
}
