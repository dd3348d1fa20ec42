// SPDX-License-Identifier: Apache-2.0

// Package boltfile checks a file of bbolt before bbolt opens it, and locks it meanwhile. It knows pages, not what stands in them.
package boltfile
