// SPDX-License-Identifier: Apache-2.0

package config

// OptionError says which option is wrong.
type OptionError struct {
	Option string
	Reason string
}

// Error names the option and the reason.
func (e *OptionError) Error() string { return "config: option " + e.Option + ": " + e.Reason }
