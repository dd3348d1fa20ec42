// SPDX-License-Identifier: Apache-2.0

package archtest

import (
	"maps"
	"path"
	"slices"
	"strings"
)

// mapFile holds the folder map: an indented block of its package comment, one
// folder with a slash per line and some words, deeper folders deeper indented.
// The block is known by its line for socket.
const mapFile = "doc.go"

// summarised are folders whose own folders the map may leave out.
func summarised() []string { return []string{"bench", "cmd", "examples"} }

func folderMapRule() rule {
	files := func(comment string) map[string]string {
		return map[string]string{
			mapFile: "/*\nPackage zwire is a map:\n" + comment + "\n*/\npackage zwire", "socket/a.go": "package socket",
			"socket/security/plain/a.go": "package plain", "internal/pipe/a.go": "package pipe",
			"examples/chat/main.go": "package main", "bench/testdata/a.go": "package a",
		}
	}
	return rule{
		name:  "folder map",
		check: checkFolderMap,
		bad: []sample{
			{map[string]string{"socket/a.go": "package socket"}, "doc.go is missing"},
			{files("\n\tinternal/  parts"), "doc.go has no folder map"},
			{files("\n\tsocket/   sockets\n\t  security/  values\n\t    plain/\n\tinternal/\n\texamples/"), "doc.go: the folder map lacks internal/pipe"},
			{files("\n\tsocket/   sockets\n\t  security/ curve/  values\n\tsocket/security/plain/\n\tinternal/\n\t  pipe/\n\texamples/"), "names socket/curve"},
		},
		good: []sample{
			{files: files("\n\tdoc.go    this\n\tsocket/   sockets\n\t          and more\n\t  security/  values\n\t    plain/\n\tinternal/\n\t  pipe/\n\texamples/")},
			{files: files("\n  socket/ sockets\n  socket/security/\n  socket/security/plain/\n\n  internal/ examples/\n  internal/pipe/ pipes")},
		},
	}
}

func checkFolderMap(t tree) []string {
	i := slices.IndexFunc(t.sources, func(s *source) bool { return s.path == mapFile })
	if i < 0 {
		return []string{mapFile + " is missing at the top: the page about the library, with the folder map in its package comment"}
	}
	mapped := parseFolderMap(t.sources[i].file.Doc.Text())
	if mapped == nil {
		return []string{mapFile + " has no folder map: an indented block of its package comment with a line for socket/"}
	}
	folders := map[string]bool{}
	for _, s := range t.sources {
		for folder := s.folder; folder != "."; folder = path.Dir(folder) {
			folders[folder] = true
		}
	}
	var findings []string
	for _, folder := range slices.Sorted(maps.Keys(folders)) {
		above, _, deeper := strings.Cut(folder, "/")
		if !mapped[folder] && !(deeper && slices.Contains(summarised(), above)) {
			findings = append(findings, mapFile+": the folder map lacks "+folder)
		}
	}
	for _, folder := range slices.Sorted(maps.Keys(mapped)) {
		if !folders[folder] {
			findings = append(findings, mapFile+": the folder map names "+folder+", which has no Go files")
		}
	}
	return findings
}

// parseFolderMap returns the folders of the map, nil if there is no map.
func parseFolderMap(comment string) map[string]bool {
	var block []string
	for line := range strings.Lines(comment + "\nend\n") {
		line = strings.ReplaceAll(strings.TrimRight(line, "\n"), "\t", "    ")
		if line == "" || line[0] == ' ' {
			block = append(block, line)
			continue
		}
		if slices.ContainsFunc(block, func(line string) bool { return strings.HasPrefix(strings.TrimSpace(line), "socket/") }) {
			return blockFolders(block)
		}
		block = nil
	}
	return nil
}

func blockFolders(block []string) map[string]bool {
	type entry struct {
		indent int
		folder string
	}
	folders := map[string]bool{}
	var open []entry // the folders that the next line may lie in
	for _, line := range block {
		indent := len(line) - len(strings.TrimLeft(line, " "))
		names := leadingFolders(line)
		if len(names) == 0 {
			continue // a file, or more words
		}
		for len(open) > 0 && open[len(open)-1].indent >= indent {
			open = open[:len(open)-1]
		}
		above := ""
		if len(open) > 0 {
			above = open[len(open)-1].folder
		}
		for _, name := range names {
			folder := path.Join(above, name)
			folders[folder] = true
			open = append(open, entry{indent, folder})
		}
	}
	return folders
}

// leadingFolders gives the words at the start of line that end in a slash.
func leadingFolders(line string) []string {
	words := strings.Fields(line)
	for i, word := range words {
		if !strings.HasSuffix(word, "/") {
			return words[:i]
		}
	}
	return words
}
