// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// contentBytesMax is the largest file that travels inside a message; of a
// larger one only the path does, and the worker reads it itself.
const contentBytesMax = 8 << 20

// file is one thing to hash; its index in the list is its id.
type file struct {
	path string // below the root, with slashes
	err  error  // a folder that cannot be listed
}

// listFiles finds every plain file below root, in a stable order; skipped
// counts links, devices and the like. A folder that cannot be listed
// becomes an entry with its error.
func listFiles(root string) (files []file, skipped int, err error) {
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		below, relErr := filepath.Rel(root, path)
		switch {
		case relErr != nil:
			return relErr
		case err != nil && path == root:
			return err
		case err != nil:
			files = append(files, file{path: filepath.ToSlash(below), err: err})
		case entry.Type().IsRegular():
			files = append(files, file{path: filepath.ToSlash(below)})
		case !entry.IsDir():
			skipped++
		}
		return nil
	})
	return files, skipped, err
}

// readFile returns the content, or large if it is above contentBytesMax.
func readFile(root, path string) (content []byte, large bool, err error) {
	f, err := os.Open(filepath.Join(root, filepath.FromSlash(path)))
	if err != nil {
		return nil, false, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, false, err
	}
	if info.Size() > contentBytesMax {
		return nil, true, nil
	}
	buffer := bytes.NewBuffer(make([]byte, 0, info.Size()+bytes.MinRead))
	// The file may grow while it is read.
	if _, err = io.Copy(buffer, io.LimitReader(f, contentBytesMax+1)); err != nil {
		return nil, false, err
	}
	if buffer.Len() > contentBytesMax {
		return nil, true, nil
	}
	return buffer.Bytes(), false, nil
}

// hashFile reads and hashes one file of any size.
func hashFile(root, path string) (hash string, size int64, err error) {
	content, large, err := readFile(root, path)
	switch {
	case err != nil:
		return "", 0, err
	case !large:
		return hashContent(content), int64(len(content)), nil
	}
	f, err := os.Open(filepath.Join(root, filepath.FromSlash(path)))
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	sum := sha256.New()
	if size, err = io.Copy(sum, f); err != nil {
		return "", 0, err
	}
	return hex.EncodeToString(sum.Sum(nil)), size, nil
}

func hashContent(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// verdict is the comparison of the job's outcomes with the same work done
// serially.
type verdict struct {
	files       int
	bytes       int64
	digest      string // SHA-256 of the lines "hash  path" in the order of paths, as sha256sum prints them
	unreadable  []string
	differences []string
	took        time.Duration
	err         error
}

func (v verdict) right() bool { return v.err == nil && len(v.differences) == 0 }

// check does the whole work again in this process, one file after the other.
func check(ctx context.Context, root string, outcomes map[int]outcome) verdict {
	began := time.Now()
	var v verdict
	files, _, err := listFiles(root)
	if err != nil {
		v.err = err
		return v
	}
	var lines []string
	for id, f := range files {
		if v.err = ctx.Err(); v.err != nil {
			return v
		}
		want := outcome{ID: id, Path: []byte(f.path)}
		if err := f.err; err == nil {
			want.Hash, want.Size, err = hashFile(root, f.path)
			if err != nil {
				want.Error = err.Error()
			}
		} else {
			want.Error = err.Error()
		}
		if want.Error != "" {
			v.unreadable = append(v.unreadable, f.path+": "+reason(want.Error))
		} else {
			v.files++
			v.bytes += want.Size
			lines = append(lines, f.path+"\x00"+want.Hash)
		}
		got, found := outcomes[id]
		if d := difference(want, got, found); d != "" {
			v.differences = append(v.differences, d)
		}
	}
	if extra := len(outcomes) - len(files); extra > 0 {
		v.differences = append(v.differences, fmt.Sprintf("%d results for files that are not there", extra))
	}
	v.digest = digest(lines)
	v.took = time.Since(began)
	return v
}

// difference says how an outcome deviates from the serial one; "" when it does not.
func difference(want, got outcome, found bool) string {
	path := string(want.Path)
	switch {
	case !found:
		return path + ": no result"
	case string(got.Path) != path:
		return path + ": result is for " + string(got.Path)
	case (got.Error == "") != (want.Error == ""):
		return fmt.Sprintf("%s: unreadable in one run only: %s", path, got.Error+want.Error)
	case got.Hash != want.Hash || got.Size != want.Size:
		return fmt.Sprintf("%s: hash %.12s… of %d bytes, serially %.12s… of %d", path, got.Hash, got.Size, want.Hash, want.Size)
	}
	return ""
}

// digest folds "path NUL hash" lines into one hash.
func digest(lines []string) string {
	slices.Sort(lines)
	sum := sha256.New()
	for _, line := range lines {
		path, hash, _ := strings.Cut(line, "\x00")
		fmt.Fprintf(sum, "%s  %s\n", hash, path)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// reason drops the path that Go's file errors repeat.
func reason(text string) string {
	if i := strings.LastIndex(text, ": "); i >= 0 {
		return text[i+2:]
	}
	return text
}
