// SPDX-License-Identifier: Apache-2.0

// Package patterns is the place for what people build from sockets again and
// again: configuration that reaches every process (config) and a pool of workers
// that outlive their failures (workpool) are there; a feed of many topics with
// its latest values and a mesh of services that find each other are not. Each
// is a tested package in a folder of its own, with its own glossary in its doc.go.
//
// A pattern uses what any program can use: the public packages socket and
// transport, never anything internal. So it also shows that their surface is
// enough. Patterns do not import each other.
package patterns
