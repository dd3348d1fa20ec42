// SPDX-License-Identifier: Apache-2.0

package store

import "os"

// damage is what the reader of files found wrong.
type damage string

func (d damage) Error() string { return string(d) }

func checkFile(*os.File, bool) error { return nil }
