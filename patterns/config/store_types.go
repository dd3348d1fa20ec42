// SPDX-License-Identifier: Apache-2.0

package config

import "github.com/zwire-mq/zwire/patterns/config/internal/store"

// Store is where an authority keeps the configuration.
type Store = store.Store
