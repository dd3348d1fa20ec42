// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/zwire-mq/zwire/bench/internal/duel"
)

const runLimit = 45 * time.Second // far above any run

// programs are built when they are first wanted.
type programs struct {
	folder string // of the programs and of ipc endpoints
	built  map[string]built
	runs   int
}

type built struct {
	path string
	err  error
}

func (p *programs) path(ctx context.Context, name string) (string, error) {
	done, found := p.built[name]
	if !found {
		done.path, done.err = p.build(ctx, name)
		p.built[name] = done
	}
	return done.path, done.err
}

func (p *programs) build(ctx context.Context, name string) (string, error) {
	switch name {
	case "libzmq":
		return duel.BuildYardstick(ctx, p.folder)
	case "rivals":
		var flags []string
		if exec.CommandContext(ctx, "pkg-config", "--exists", "libczmq").Run() != nil {
			flags = []string{"-tags", "noczmq"} // then only goczmq is missing
		}
		return duel.BuildProgram(ctx, p.folder, name, true, flags...)
	}
	return duel.BuildProgram(ctx, p.folder, name, false)
}

// execute runs one process or a pair of them.
func (p *programs) execute(ctx context.Context, binder, connecter []string, transport string) (sample, error) {
	if err := ctx.Err(); err != nil {
		return nil, errors.New("not run: no time was left")
	}
	binder, err := p.resolve(ctx, binder)
	if err != nil {
		return nil, err
	}
	if connecter, err = p.resolve(ctx, connecter); err != nil {
		return nil, err
	}
	p.runs++
	switch transport {
	case "tcp":
		binder = append(binder, "-bind", "tcp://127.0.0.1:*")
	case "ipc":
		binder = append(binder, "-bind", fmt.Sprintf("ipc://%s", filepath.Join(p.folder, strconv.Itoa(p.runs))))
	}
	limited, cancel := context.WithTimeout(ctx, runLimit)
	defer cancel()
	written, err := duel.Run(limited, binder, connecter)
	if err != nil {
		said := strings.ReplaceAll(err.Error(), p.folder+string(filepath.Separator), "")
		if limited.Err() != nil {
			said = "killed:\nno end in time\n" + said
		}
		return nil, errors.New(said)
	}
	return parse(written)
}

// resolve puts the path in the place of the program's name.
func (p *programs) resolve(ctx context.Context, command []string) ([]string, error) {
	if len(command) == 0 {
		return nil, nil
	}
	path, err := p.path(ctx, command[0])
	return append([]string{path}, command[1:]...), err
}
