// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"os"
	"runtime/pprof"
)

// A profile of the processor is written while something is measured, where -profiles asks for it.
type profile struct {
	file *os.File
}

// turn ends the profile under way, and begins another unless path is empty. With it comes one of memory.
func (p *profile) turn(path string) error {
	if err := p.stop(); err != nil || path == "" {
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

func (p *profile) stop() error {
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
