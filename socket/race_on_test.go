// SPDX-License-Identifier: Apache-2.0

//go:build race

package socket_test

const raceEnabled = true
