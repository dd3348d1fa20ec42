// SPDX-License-Identifier: Apache-2.0

// Package config is a configuration-distribution centre.
package config
