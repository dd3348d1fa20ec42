// SPDX-License-Identifier: Apache-2.0

// Package model is the data of a configuration centre: keys and values in trees, transactions that change them, and states,
// each of which stands for one revision and never changes. It knows no network, no disk and no clock.
package model
