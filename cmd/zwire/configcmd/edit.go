// SPDX-License-Identifier: Apache-2.0

package configcmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/zwire-mq/zwire/cmd/zwire/terminal"
	"github.com/zwire-mq/zwire/patterns/config"
)

// editKeysMax is how many conditions a transaction may have: each key that was read is one.
const editKeysMax = 4096

func editCommand(streams terminal.Streams) *cli.Command {
	return &cli.Command{
		Name: "edit", Usage: "change keys in an editor, all at once", ArgsUsage: "PREFIX_OR_KEY",
		Description: "It opens $VISUAL or $EDITOR (default: vi) on the keys that the argument stands for. What was changed, added and removed\n" +
			"becomes one transaction, which is refused if somebody else changed one of these keys in the meantime; the edited file is\n" +
			"kept then. Ephemeral keys are left out.",
		Action: action(streams, edit),
	}
}

func edit(ctx context.Context, c *call) error {
	if err := c.arguments(1, 1); err != nil {
		return err
	}
	prefix := c.Args().First()
	var revision uint64
	var entries []config.Entry
	err := c.observe(ctx, func(ctx context.Context, client *config.Client) (err error) {
		revision, entries, err = readBelow(ctx, client, 0, prefix)
		return err
	})
	if err != nil {
		return err
	}
	entries = slices.DeleteFunc(entries, func(entry config.Entry) bool { return entry.TTL != 0 })
	if len(entries) > editKeysMax {
		return fmt.Errorf("%d keys, at most %d can be changed at once: edit a longer prefix", len(entries), editKeysMax)
	}
	file, err := writeForm(prefix, revision, entries)
	if err != nil {
		return err
	}
	change, err := c.edited(file, prefix, entries)
	if err == nil && len(change.Ops) == 0 {
		return errors.Join(os.Remove(file), c.Printf("nothing was changed\n"))
	}
	if err == nil {
		err = c.observe(ctx, func(ctx context.Context, client *config.Client) error { return c.commit(ctx, client, change) })
	}
	if err != nil {
		return fmt.Errorf("what you wrote is kept in %s: %w", file, err)
	}
	return os.Remove(file)
}

func writeForm(prefix string, revision uint64, entries []config.Entry) (name string, err error) {
	file, err := os.CreateTemp("", "zwire-config-*.txt")
	if err != nil {
		return "", err
	}
	text := fmt.Sprintf("# %s at revision %d. One \"key = value\" per line; several lines between <<END and END.\n"+
		"# Remove a line to delete its key, add one to make a key. To change nothing, leave the file as it is.\n\n", prefix, revision)
	_, err = file.WriteString(text + formatForm(entries))
	if err := errors.Join(err, file.Close()); err != nil {
		return "", errors.Join(err, os.Remove(file.Name()))
	}
	return file.Name(), nil
}

// edited runs the editor and makes a transaction of what it left.
func (c *call) edited(file, prefix string, entries []config.Entry) (*config.Transaction, error) {
	if err := c.runEditor(file); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	values, err := readForm(string(text))
	if err != nil {
		return nil, err
	}
	return transactionOf(prefix, entries, values)
}

// runEditor lets the editor have the terminal, signals included.
func (c *call) runEditor(file string) error {
	line := strings.Fields(cmp.Or(os.Getenv("VISUAL"), os.Getenv("EDITOR"), "vi"))
	if len(line) == 0 {
		return errors.New("$EDITOR is blank: set it to the editor to use")
	}
	editor := exec.Command(line[0], append(line[1:], file)...)
	editor.Stdin, editor.Stdout, editor.Stderr = c.In, c.Out, c.Err
	if err := editor.Run(); err != nil {
		return fmt.Errorf("editor %s: %w", line[0], err)
	}
	return nil
}

// transactionOf is what differs from what was read, on condition that it is still what was read.
func transactionOf(prefix string, read []config.Entry, values map[string][]byte) (*config.Transaction, error) {
	change := &config.Transaction{}
	for i := range read {
		entry := &read[i]
		change.Conditions = append(change.Conditions, config.Condition{Key: entry.Key, Revision: entry.Revision})
		value, stays := values[entry.Key]
		switch {
		case !stays:
			change.Ops = append(change.Ops, config.Op{Key: entry.Key, Delete: true})
		case string(value) != string(entry.Value):
			change.Ops = append(change.Ops, config.Op{Key: entry.Key, Value: value})
		}
		delete(values, entry.Key)
	}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if !below(key, prefix) {
			return nil, usagef("%s is not below %s", key, prefix)
		}
		change.Conditions = append(change.Conditions, config.Condition{Key: key})
		change.Ops = append(change.Ops, config.Op{Key: key, Value: values[key]})
	}
	return change, nil
}

// below says whether a prefix covers a key: the key itself, and the keys below it.
func below(key, prefix string) bool {
	rest, found := strings.CutPrefix(key, prefix)
	return found && (rest == "" || prefix == "" || rest[0] == '/' || strings.HasSuffix(prefix, "/"))
}
