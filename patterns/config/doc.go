// SPDX-License-Identifier: Apache-2.0

// Package config is a configuration-distribution centre: one authority, with a standby where wanted, and clients that each have the
// whole configuration, or some trees of it, in memory.
package config
