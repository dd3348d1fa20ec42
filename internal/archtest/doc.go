// SPDX-License-Identifier: Apache-2.0

// Package archtest keeps the shape of the repository: tests only. They read
// every file, parse the Go ones and hold them against rules: which folder may
// import which, what the protocol core may not use, how long a function may
// grow, what carries a comment.
//
// A rule is a value in the file named after its subject, with samples beside
// it that it must object to and samples that it must let pass. TestTree runs
// all rules over the repository, TestRules over their samples. To run one:
//
//	go test ./internal/archtest -run TestTree/imports
//
// A new folder needs a line in the import order (imports_test.go) and in the
// folder map of the top doc.go. Exceptions are lists in these files, each
// entry with its reason; an entry that excuses nothing is itself a finding.
package archtest
